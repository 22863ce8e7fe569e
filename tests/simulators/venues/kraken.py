"""Kraken spot as unmodified ccxt and ccxt.pro ask it: signatures, REST routes, error codes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from tests.simulators.venues import kraken_market as market
from tests.simulators.venues.kraken_orders import Orders
from tests.simulators.venues.kraken_streams import PRIVATE, PUBLIC, Streams
from tests.simulators.venues.values import Event, Refusal, Rules
from tests.simulators.venues.venue import Answer, Question, Socket, User, Venue

CODES = {
    "symbol": "EQuery:Unknown asset pair",
    "closed": "EService:Market in cancel_only mode",
    "tick": "EOrder:Invalid price",
    "lot": "EGeneral:Invalid arguments:volume minimum not met",
    "notional": "EOrder:Cost minimum not met",
    "funds": "EOrder:Insufficient funds",
    "duplicate": "EGeneral:Invalid arguments:cl_ord_id is not unique among open orders",
    "crosses": "EOrder:Post only order",
    "trigger": "EOrder:Invalid price",
    "parameters": "EGeneral:Invalid arguments",
    "unknown": "EOrder:Unknown order",
}
FAILURES = {  # Kraken answers nearly everything with HTTP 200
    "429": "EAPI:Rate limit exceeded",
    "418": "EGeneral:Temporary lockout",
    "451": "EAccount:Invalid permissions:Spot trading restricted for US:NY.",
    "500": "EGeneral:Internal error",
    "503": "EService:Unavailable",
    "maintenance": "EService:Unavailable",
}
TRADING = ("AddOrder", "CancelOrder", "CancelAll")


class Refused(Exception):
    """Kraken's own words."""


class Kraken:
    """The dialect of Kraken spot. Secrets of users are base64, as Kraken gives them out."""

    hosts = frozenset({"api.kraken.com", PUBLIC, PRIVATE})
    rules = Rules(fee_in="quote", refuses_triggered=False)
    demo_keys = ("demo-key-of-the-loopback", base64.b64encode(b"demo-secret-of-the-loopback").decode())

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._orders = Orders(venue)
        self._streams = Streams(venue)
        self._nonces: dict[str, int] = {}  # the last one of each key

    def rest(self, question: Question) -> Answer:
        try:
            return Answer({"error": [], "result": self._asked(question)})
        except Refused as refused:
            return Answer({"error": [str(refused)]})

    def failure(self, kind: str) -> Answer:
        return Answer({"error": [FAILURES[kind]]})

    def connected(self, socket: Socket) -> None:
        self._streams.connected(socket)

    def heard(self, socket: Socket, message: str) -> None:
        self._streams.heard(socket, message)

    def happened(self, events: Sequence[Event]) -> None:
        self._streams.happened(events)

    def _asked(self, question: Question) -> Any:
        """Raises Refused."""
        given = _given(question)
        public = market.routes(self._venue).get(question.path)
        if public is not None:
            return _refusing(lambda: public(given))
        user = self._signed(question, given)
        action = question.path.removeprefix("/0/private/")
        if action == "GetWebSocketsToken":
            return self._streams.token(user)
        known = self._orders.route(question.path)
        if question.method != "POST" or known is None:
            raise Refused("EGeneral:Unknown method")
        if action in TRADING and not user.may_trade:
            raise Refused("EGeneral:Permission denied")
        return _refusing(lambda: known(user, given))

    def _signed(self, question: Question, given: Mapping[str, Any]) -> User:
        """Who asks. Raises Refused for a wrong key or signature, and for a nonce that did not rise."""
        user = self._venue.users.get(question.headers.get("API-Key", ""))
        if user is None:
            raise Refused("EAPI:Invalid key")
        nonce = str(given.get("nonce") or "")
        hashed = hashlib.sha256((nonce + question.body).encode()).digest()
        secret = base64.b64decode(user.secret)
        signature = hmac.new(secret, question.path.encode() + hashed, hashlib.sha512).digest()
        if not hmac.compare_digest(base64.b64encode(signature).decode(), question.headers.get("API-Sign", "")):
            raise Refused("EAPI:Invalid signature")
        if not nonce.isdigit() or int(nonce) <= self._nonces.get(user.key, 0):
            raise Refused("EAPI:Invalid nonce")
        self._nonces[user.key] = int(nonce)
        return user


def _given(question: Question) -> dict[str, Any]:
    if question.method == "GET":
        return dict(question.query)
    if question.body.startswith("{"):
        given: dict[str, Any] = json.loads(question.body)
        return given
    return dict(parse_qsl(question.body))


def _refusing(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Refusal as refusal:
        words = CODES[refusal.why]
        if refusal.why == "parameters":
            words = f"{words}:{refusal.detail}"
        if refusal.why == "unknown" and refusal.detail == "query":
            words = "EOrder:Invalid order"
        raise Refused(words) from refusal
    except (ArithmeticError, ValueError, KeyError) as malformed:
        raise Refused("EGeneral:Invalid arguments") from malformed
