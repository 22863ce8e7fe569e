"""Coinbase's Advanced Trade as unmodified ccxt and ccxt.pro ask it: signatures, REST routes, error documents."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.simulators.venues.coinbase_market import public
from tests.simulators.venues.coinbase_orders import NotFound, Orders
from tests.simulators.venues.coinbase_streams import HOST, WINDOW, Streams
from tests.simulators.venues.values import Event, Refusal, Rules
from tests.simulators.venues.venue import Answer, Question, Socket, User, Venue

API = "api.coinbase.com"
FAILURES: dict[str, Answer] = {
    "429": Answer({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, 429),
    "418": Answer({"error": "resource_exhausted", "error_details": "Too many requests", "message": "Too many"}, 429),
    "451": Answer({"error": "unavailable_in_region", "message": "This is unavailable for legal reasons."}, 451),
    "500": Answer({"error": "INTERNAL", "error_details": "internal error", "message": "internal error"}, 500),
    "503": Answer("<html><body>503 Service Temporarily Unavailable</body></html>", 503),
    "maintenance": Answer({"error": "UNAVAILABLE", "error_details": "scheduled maintenance", "message": "later"}, 503),
}
UNAUTHORIZED = Answer("Unauthorized\n", 401)
EXPIRED = Answer({"errors": [{"id": "authentication_error", "message": "request timestamp expired"}]}, 401)
DENIED = {
    "error": "PERMISSION_DENIED",
    "error_details": "Missing required scopes",
    "message": "Missing required scopes",
}


class Refused(Exception):
    """The whole answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body))
        self.answer = answer


class Coinbase:
    """The dialect of Coinbase. A user whose secret is a private key (PEM) signs with ES256, any other as older keys."""

    hosts = frozenset({API, HOST})
    rules = Rules(fee_in="quote", refuses_triggered=True)

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._orders = Orders(venue)
        self._streams = Streams(venue, lambda token: self._bearer(token, None))

    def rest(self, question: Question) -> Answer:
        query: dict[str, Any] = {key: values[-1] for key, values in parse_qs(question.raw_query).items()}
        try:
            if question.method == "GET":
                told = public(self._venue, question.path, query)
                if told is not None:
                    return Answer(told)
            user = self._signed(question)
            given = query | (json.loads(question.body) if question.body else {})
            if question.method != "GET" and not user.may_trade:
                return Answer(DENIED, 403)
            answer = self._orders.answer(user, question.method, question.path, given)
        except Refused as refused:
            return refused.answer
        except NotFound as absent:
            return Answer({"error": "NOT_FOUND", "error_details": str(absent), "message": str(absent)}, 404)
        except Refusal as refusal:
            return _invalid(f"valid product_id is required, {refusal.detail} is none")
        except (ArithmeticError, ValueError, KeyError, TypeError) as malformed:
            return _invalid(f"argument {malformed} is not valid")
        return Answer({"error": "NOT_FOUND", "message": "no such resource"}, 404) if answer is None else Answer(answer)

    def failure(self, kind: str) -> Answer:
        return FAILURES[kind]

    def connected(self, socket: Socket) -> None:
        self._streams.connected(socket)

    def heard(self, socket: Socket, message: str) -> None:
        self._streams.heard(socket, message)

    def happened(self, events: Sequence[Event]) -> None:
        self._streams.happened(events)

    # -- signatures --------------------------------------------------------------------------------------------------

    def _signed(self, question: Question) -> User:
        """Who asks. Raises Refused."""
        kind, _, token = question.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            user = self._bearer(token, question)
            if user is None:
                raise Refused(UNAUTHORIZED)
            return user
        user = self._venue.users.get(question.headers.get("CB-ACCESS-KEY", ""))
        sent = question.headers.get("CB-ACCESS-TIMESTAMP", "")
        if user is None or user.secret.startswith("-----BEGIN") or not sent.isdigit():
            raise Refused(UNAUTHORIZED)
        query = f"?{question.raw_query}" if question.raw_query and question.path.startswith("/v2/") else ""
        payload = sent + question.method + question.path + query + question.body
        signature = hmac.new(user.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, question.headers.get("CB-ACCESS-SIGN", "")):
            raise Refused(UNAUTHORIZED)
        if abs(self._venue.now() - int(sent) * 1000) > WINDOW:
            raise Refused(EXPIRED)
        return user

    def _bearer(self, token: str, question: Question | None) -> User | None:
        """The user of a JWT that is signed with ES256 by their key, for this question and now; else None."""
        try:
            head, body, signature = token.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
            user = self._venue.users[claims["sub"]]
            key = load_pem_private_key(user.secret.encode(), None)
            assert isinstance(key, EllipticCurvePrivateKey)
            raw = _decoded(signature)
            pair = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
            key.public_key().verify(pair, f"{head}.{body}".encode(), ECDSA(hashes.SHA256()))
        except (ValueError, KeyError, AssertionError, InvalidSignature):
            return None
        now = self._venue.now() / 1000
        good = header.get("alg") == "ES256" and header.get("kid") == user.key and header.get("nonce")
        timely = claims.get("nbf", 0) - WINDOW / 1000 <= now <= claims.get("exp", 0)
        if question is not None:  # ccxt names the address it asks, which is led through ours
            verb, _, address = str(claims.get("uri")).partition(" ")
            timely = timely and verb == question.method and address.endswith(f"{API}{question.path}")
        return user if good and timely else None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _invalid(message: str) -> Answer:
    return Answer({"error": "INVALID_ARGUMENT", "error_details": message, "message": message}, 400)
