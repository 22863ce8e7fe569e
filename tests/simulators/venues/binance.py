"""Binance spot as unmodified ccxt and ccxt.pro ask it: signatures, REST routes, error codes."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from tests.simulators.venues import binance_market as market
from tests.simulators.venues.binance_orders import Orders, Refused
from tests.simulators.venues.binance_streams import Streams
from tests.simulators.venues.values import Event, Refusal, Rules
from tests.simulators.venues.venue import Answer, Question, Socket, User, Venue

Params = Mapping[str, str]
CODES: dict[str, tuple[int, int, str]] = {
    "symbol": (400, -1121, "Invalid symbol."),
    "closed": (400, -1013, "Market is closed."),
    "tick": (400, -1013, "Filter failure: PRICE_FILTER"),
    "lot": (400, -1013, "Filter failure: LOT_SIZE"),
    "notional": (400, -1013, "Filter failure: NOTIONAL"),
    "funds": (400, -2010, "Account has insufficient balance for requested action."),
    "duplicate": (400, -2010, "Duplicate order sent."),
    "crosses": (400, -2010, "Order would immediately match and take."),
    "trigger": (400, -2010, "Stop price would trigger immediately."),
    "parameters": (400, -1102, "A mandatory parameter was not sent, was empty/null, or malformed."),
    "unknown": (400, -2011, "Unknown order sent."),
}
FAILURES: dict[str, Answer] = {
    "429": Answer(
        {"code": -1003, "msg": "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."},
        429,
        {"Retry-After": "1"},
    ),
    "418": Answer(
        {"code": -1003, "msg": "Way too much request weight used; IP banned until 1893456000000."},
        418,
        {"Retry-After": "120"},
    ),
    "451": Answer(
        {
            "code": 0,
            "msg": "Service unavailable from a restricted location according to 'b. Eligibility' in "
            "https://www.binance.com/en/terms. Please contact customer service if you believe you received this "
            "message in error.",
        },
        451,
    ),
    "500": Answer(
        {
            "code": -1006,
            "msg": "An unexpected response was received from the message bus. Execution status unknown.",
        },
        500,
    ),
    "503": Answer({"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}, 503),
    "maintenance": Answer({"code": 1, "msg": "System is under maintenance."}, 503),
}


class Binance:
    """The dialect of Binance spot."""

    hosts = frozenset(
        {"api.binance.com", "stream.binance.com", "ws-api.binance.com", "fapi.binance.com", "dapi.binance.com"}
    )
    rules = Rules(fee_in="received", discount="BNB")

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._orders = Orders(venue)
        self._streams = Streams(venue, self)
        self._public = market.routes(venue)
        self._private = self._orders.routes()
        self._weight = 0

    def rest(self, question: Question) -> Answer:
        self._weight += 1
        headers = {"x-mbx-used-weight": str(self._weight), "x-mbx-used-weight-1m": str(self._weight)}
        try:
            body = self._asked(question)
        except Refused as refused:
            return Answer({"code": refused.code, "msg": refused.message}, refused.status, headers)
        return Answer(body, 200, headers)

    def failure(self, kind: str) -> Answer:
        return FAILURES[kind]

    def connected(self, socket: Socket) -> None:
        self._streams.connected(socket)

    def heard(self, socket: Socket, message: str) -> None:
        self._streams.heard(socket, message)

    def happened(self, events: Sequence[Event]) -> None:
        self._streams.happened(events)

    def _asked(self, question: Question) -> Any:
        route = (question.method, question.path)
        if question.host in ("fapi.binance.com", "dapi.binance.com"):
            return {"symbols": []}  # no derivatives here
        if route in self._public:
            return refusing(self._public[route], dict(parse_qsl(question.raw_query, keep_blank_values=True)))
        if route not in self._private:
            raise Refused(404, -1, f"{question.method} {question.path} is not served here.")
        user, params = self._signed(question)
        return self.call(route, user, params)

    def call(self, route: tuple[str, str], user: User, params: Params) -> Any:
        """Raises Refused."""
        if route[0] != "GET" and not user.may_trade:
            raise Refused(401, -2015, "Invalid API-key, IP, or permissions for action.")
        return refusing(self._private[route], user, params)

    def public(self, path: str, params: Params) -> Any:
        """Raises Refused."""
        return refusing(self._public["GET", path], params)

    def _signed(self, question: Question) -> tuple[User, Params]:
        """Who asks, and what. Raises Refused for a wrong key, signature or time."""
        payload = question.raw_query + question.body
        signed, _, signature = payload.rpartition("signature=")
        params = dict(parse_qsl(question.raw_query, keep_blank_values=True))
        params |= dict(parse_qsl(question.body, keep_blank_values=True))
        user = self.known(question.headers.get("X-MBX-APIKEY", ""))
        self.verify(user, signed.removesuffix("&"), signature, params)
        return user, params

    def known(self, key: str) -> User:
        """Raises Refused."""
        if not key or len(key) < 4:
            raise Refused(401, -2014, "API-key format invalid.")
        user = self._venue.users.get(key)
        if user is None:
            raise Refused(401, -2015, "Invalid API-key, IP, or permissions for action.")
        return user

    def verify(self, user: User, payload: str, signature: str, params: Params) -> None:
        """Raises Refused."""
        if "timestamp" not in params:
            raise Refused(400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
        sent, window, now = int(params["timestamp"]), int(params.get("recvWindow", 5000)), self._venue.now()
        if window > 60_000:
            raise Refused(400, -1131, "recvWindow must be less than 60000")
        if sent >= now + 1000:
            raise Refused(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - sent > window:
            raise Refused(400, -1021, "Timestamp for this request is outside of the recvWindow.")
        expected = hmac.new(user.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise Refused(400, -1022, "Signature for this request is not valid.")


def refusing(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's answer, its refusals in the venue's words. Raises Refused."""
    try:
        return function(*arguments)
    except Refusal as refusal:
        raise Refused(*CODES[refusal.why]) from refusal
    except (ArithmeticError, ValueError, KeyError) as malformed:
        raise Refused(400, -1102, f"A mandatory parameter was not sent or malformed: {malformed}.") from malformed
