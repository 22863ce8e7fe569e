"""KuCoin spot as unmodified ccxt and ccxt.pro ask it: signatures, REST routes, error codes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from tests.simulators.venues import kucoin_market as market
from tests.simulators.venues.kucoin_orders import Orders
from tests.simulators.venues.kucoin_streams import HOST, Streams
from tests.simulators.venues.values import Event, Refusal, Rules
from tests.simulators.venues.venue import Answer, Question, Socket, User, Venue

WINDOW = 5_000  # ms that a timestamp may be off
CODES: dict[str, tuple[str, str]] = {
    "symbol": ("400100", "Unsupported trading pair."),
    "closed": ("400200", "Forbidden to place an order"),
    "tick": ("400100", "Price increment invalid."),
    "lot": ("600100", "Order size increment invalid."),
    "notional": ("600101", "The order funds should more then the minimum."),
    "funds": ("200004", "Balance insufficient!"),
    "duplicate": ("126044", "clientOid duplicate"),
    "crosses": ("300000", "The post-only order would be matched immediately."),
    "trigger": ("300000", "The stop price is not allowed."),
    "parameters": ("400100", "Parameter error"),
    "unknown": ("400100", "order_not_exist_or_not_allow_to_cancel"),
    "absent": ("400100", "order not exist."),
}
FAILURES: dict[str, Answer] = {
    "429": Answer(
        {"code": "429000", "msg": "Too many requests. System-level rate limit exceeded."},
        429,
        {"gw-ratelimit-limit": "4000", "gw-ratelimit-remaining": "0", "gw-ratelimit-reset": "1000"},
    ),
    "418": Answer({"code": "429000", "msg": "Too many requests, your IP is restricted for 30 seconds."}, 429),
    "451": Answer(
        {
            "code": "400302",
            "msg": "Our services are currently unavailable in your country/region. To ensure a seamless experience, "
            "please access our platform from a non-restricted location using a supported IP address.",
        },
        403,
    ),
    "500": Answer({"code": "500000", "msg": "Internal Server Error"}, 500),
    "503": Answer({"code": "503000", "msg": "Service Unavailable"}, 503),
    "maintenance": Answer({"code": "503000", "msg": "The system is being upgraded. Please try again later."}, 503),
}


class Refused(Exception):
    """KuCoin's own code and message."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class KuCoin:
    """The dialect of KuCoin spot. hf: whether accounts are of the high-frequency kind, with routes of their own."""

    hosts = frozenset({"api.kucoin.com", "openapi-v2.kucoin.com", "api-futures.kucoin.com", HOST})
    rules = Rules(fee_in="quote", discount="KCS", discount_factor=Decimal("0.8"), refuses_triggered=False)

    def __init__(self, venue: Venue) -> None:
        self.hf = False
        self._venue = venue
        self._orders = Orders(venue)
        self._streams = Streams(venue)

    def rest(self, question: Question) -> Answer:
        headers = {"gw-ratelimit-limit": "4000", "gw-ratelimit-remaining": "3990", "gw-ratelimit-reset": "30000"}
        try:
            body = {"code": "200000", "data": self._asked(question)}
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
        """Raises Refused."""
        route, query = (question.method, question.path), dict(question.query)
        if question.host == "api-futures.kucoin.com":
            return []
        if route == ("POST", "/api/v1/bullet-public"):
            return self._streams.ticket(question.base, None)
        public = market.routes(self._venue).get(question.path) if question.method == "GET" else None
        if public is not None:
            return _refusing(public, query)
        user = self._signed(question)
        if route in (("POST", "/api/v1/bullet-private"), ("POST", "/api/v2/bullet-private")):
            return self._streams.ticket(question.base, user)
        if route == ("GET", "/api/v1/hf/accounts/opened"):
            return self.hf
        if question.method != "GET" and not user.may_trade:
            raise Refused("400007", "Access denied --> Require more permission.", 403)
        body = json.loads(question.body) if question.body else {}
        known = self._orders.route(question.method, unquote(question.path))
        if known is None:
            raise Refused("404", f"{question.method} {question.path} is not served here.", 404)
        function, part = known
        return _refusing(function, user, {**query, **body}, part)

    def _signed(self, question: Question) -> User:
        """Who asks. Raises Refused for a wrong key, passphrase, signature or time."""
        headers: Mapping[str, str] = question.headers
        names = ("KC-API-KEY", "KC-API-SIGN", "KC-API-TIMESTAMP", "KC-API-PASSPHRASE")
        if any(not headers.get(name) for name in names):
            raise Refused("400001", f"Please check the header of your request for {', '.join(names)}", 401)
        user = self._venue.users.get(headers["KC-API-KEY"])
        if user is None:
            raise Refused("400003", "KC-API-KEY not exists", 401)
        sent = headers["KC-API-TIMESTAMP"]
        if not sent.isdigit() or abs(self._venue.now() - int(sent)) > WINDOW:
            raise Refused("400002", "Invalid KC-API-TIMESTAMP", 400)
        passphrase = user.passphrase or ""
        if headers.get("KC-API-KEY-VERSION", "1") != "1":
            passphrase = _hmac(user.secret, passphrase)
        if not hmac.compare_digest(passphrase, headers["KC-API-PASSPHRASE"]):
            raise Refused("400004", "Invalid KC-API-PASSPHRASE", 401)
        query = f"?{question.raw_query}" if question.raw_query else ""
        payload = sent + question.method + question.path + query + question.body
        if not hmac.compare_digest(_hmac(user.secret, payload), headers["KC-API-SIGN"]):
            raise Refused("400005", "Invalid KC-API-SIGN", 401)
        return user


def _hmac(secret: str, payload: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()).decode()


def _refusing(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Refusal as refusal:
        key = "absent" if refusal.why == "unknown" and refusal.detail == "absent" else refusal.why
        raise Refused(*CODES[key]) from refusal
    except (ArithmeticError, ValueError, KeyError) as malformed:
        raise Refused("400100", f"Parameter error: {malformed}") from malformed
