"""What ccxt raises, as errors of the product: one plain sentence each, without addresses, keys or tracebacks.

Whoever asked for data gets `explained`; whoever placed an order gets `placing`, which tells what the venue surely did
not take (OrderRefused) from what may have arrived (OutcomeUnknown).
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import AppError, ExchangeError, NotFound, OrderRefused, OutcomeUnknown, Unavailable
from core.exchanges.venues import ALTERNATIVES, profile_of

CLOSED_HERE = re.compile(r"\b451\b|restricted location|unavailable for legal", re.IGNORECASE)
ADDRESS = re.compile(r"\b(GET|POST|PUT|DELETE)\b\s+\S+|(?:https?|wss?)://\S+")
SECRETIVE = re.compile(r"\b[A-Za-z0-9+/_=-]{32,}")  # keys, signatures and tokens that a venue repeats in its answer
# What else than errors of ccxt's or of ours an answer raises that cannot be read.
UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
# The codes by which venues tell that they did not take an order, beside those that ccxt knows.
REFUSALS = {
    "binance": r'"code":\s*-(1013|102[01]|11\d\d|20(1[0-5]|2[1-6]))\b',
    "kraken": r"E(Order|API|Funding|Query|Trade|Account|Session):|EGeneral:(Invalid|Permission|Unknown method)",
    "kucoin": r'"code":\s*"(?!200000)[2349]\d{5}"',
    "bybit": r'"retCode":\s*(170(?!001|007|146|147)\d{3}|10001)\b',
    "okx": r'"s?Code":\s*"5[14]\d{3}"',
    "coinbase": r'"(INSUFFICIENT|INVALID|UNSUPPORTED|PREVIEW|PERMISSION|ORDER_ENTRY_DIS|INELIGIBLE|UNTRADABLE)\w*"',
}
MAINTAINED = re.compile(r"maintenance|being upgraded|system upgrade", re.IGNORECASE)
UNSURE = re.compile(r"status unknown|timed? ?out|internal error|unknown error|try again later", re.IGNORECASE)

# kind: (what happened, what to do). {venue}, {asked} and {said} are filled in.
SENTENCES = {
    "auth": (
        "{venue} does not accept the API key.",
        "Check that key, secret and passphrase were copied whole, that the key is not deleted or expired at {venue},"
        " and that it may trade spot from this machine's address.",
    ),
    "ip": (
        "{venue} accepts the API key only from other addresses.",
        "Add this machine's address to the key's list at {venue}, or remove the restriction.",
    ),
    "permission": (
        "The API key may not do this at {venue}.",
        "Give the key the permission to trade spot at {venue}; it never needs to withdraw.",
    ),
    "clock": (
        "{venue} drops requests because this machine's clock differs from its own.",
        "Set the clock automatically (NTP) and try again.",
    ),
    "nonce": (
        "{venue} refuses the request because another program uses the same API key.",
        "Use a key of its own for this program.",
    ),
    "funds": ("{venue} holds too little for this: {asked}.", "Look at `balance`, or order less."),
    "minimum": (
        "{venue} finds this too small: {asked}.",
        "Order more; the smallest order is in the venue's list of pairs.",
    ),
    "lot": ("{venue} does not take this quantity: {asked}.", "Round it to the pair's lot size."),
    "price": (
        "{venue} does not take this price: {asked}.",
        "Choose a price nearer to the market and on the pair's price grid.",
    ),
    "symbol": ("{venue} does not know what was asked: {asked}.", "Look for the pair with `markets`."),
    "closed": ("{venue} does not trade this now: {asked}.", "Try again when the venue has opened the pair."),
    "trigger": (
        "The trigger lies on the wrong side of the market, so {venue} refuses: {asked}.",
        "A stop to sell lies below the price, a stop to buy above it.",
    ),
    "duplicate": ("{venue} has an order with the same id already: {asked}.", "It is being looked up."),
    "rate": (
        "{venue} asks for a pause: too many requests came from here, so there is no answer for {asked}.",
        "Try again in a minute.",
    ),
    "banned": (
        "{venue} asks for a pause and has shut this address out for a while: too many requests came from here.",
        "Wait some minutes, up to a day if it happened often, and run fewer programs at the same address.",
    ),
    "maintenance": ("{venue} is under maintenance and gives no {asked}.", "Try again when it is back."),
    "suspended": ("{venue} has suspended the account.", "Write to the support of {venue}."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """How far a request came. status: HTTP status of the answer, None without one; sent: it may have left.

    headers: of the answer, for how long a venue wants to be left alone
    """

    status: int | None = None
    sent: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


def explained(venue: str, failed: Exception, asked: str, status: int | None = None) -> AppError:
    """The error to raise for one of ccxt's. asked: what was wanted, e.g. 'bars of BTC/USDT'.

    `details["lasting"]` is set where asking again soon cannot help; `details["kind"]` names what happened.
    """
    from ccxt.base import errors

    text = str(failed)
    kind = kind_of(venue, failed, status)
    if kind == "symbol":
        return NotFound(f"{venue} does not know what was asked: {asked}.", venue=venue, kind=kind)
    if kind == "geo":
        return Unavailable(
            f"{venue} refuses connections from this country (HTTP 451), so there are no {asked} from it.",
            hint=_elsewhere(venue),
            venue=venue,
            lasting=True,
            kind=kind,
        )
    if kind == "rate":
        return Unavailable(
            f"{venue} asks for a pause: too many requests came from here, so there are no {asked} now.",
            hint="Try again in a minute.",
            venue=venue,
            kind=kind,
        )
    if kind is not None:
        what, hint = (each.format(venue=venue, asked=asked) for each in SENTENCES[kind])
        lasting = kind in ("auth", "ip", "permission", "suspended", "nonce")
        error = Unavailable if kind in ("banned", "maintenance", "clock") else ExchangeError
        return error(what, hint=hint, venue=venue, lasting=lasting, kind=kind)
    match failed:
        case errors.BadResponse() if status is None or status < 500:
            return unreadable(venue, asked)
        case errors.RequestTimeout():
            return Unavailable(f"{venue} did not answer in time when asked for {asked}.", venue=venue, kind="timeout")
        case errors.ExchangeNotAvailable() | errors.NetworkError() | errors.OperationFailed():
            how = f" (HTTP {status})" if status is not None and status >= 400 else _status(text)
            return Unavailable(f"{venue} cannot be reached for {asked}{how}.", venue=venue, kind="network")
        case _ if status is not None and status >= 500:
            return Unavailable(f"{venue} fails (HTTP {status}) and gives no {asked}.", venue=venue, kind="network")
        case _:
            return ExchangeError(f"{venue} refused to give {asked}: {said(venue, text)}.", venue=venue, kind="other")


def unreadable(venue: str, asked: str) -> ExchangeError:
    """The error of an answer that says nothing: neither that something is there, nor that it is not."""
    return ExchangeError(
        f"{venue} gave an answer that cannot be read for {asked}.",
        hint="Something between here and the venue may answer in its place: a proxy, or a page to sign in.",
        venue=venue,
        kind="unreadable",
    )


def placing(venue: str, failed: Exception, asked: str, answered: Answered) -> OrderRefused | OutcomeUnknown:
    """The error of placing an order: refused only where the venue surely did not take it."""
    from ccxt.base import errors

    text = str(failed)
    kind = kind_of(venue, failed, answered.status)
    if not _surely_refused(venue, failed, answered, kind):
        how = f" (HTTP {answered.status})" if answered.status is not None and answered.status >= 400 else ""
        return OutcomeUnknown(
            f"{venue} did not say whether it took the order ({asked}){how}.",
            hint="It is being looked up and is not sent again.",
            venue=venue,
            kind=kind or "unknown",
        )
    if kind == "geo":
        return OrderRefused(
            f"{venue} does not trade this from your country: {asked}.", hint=_elsewhere(venue), venue=venue, kind=kind
        )
    if kind in ("rate", "banned", "maintenance"):
        why = {"rate": "too many requests came from here", "banned": "this address is shut out for a while"}
        return OrderRefused(
            f"{venue} did not take the order ({asked}): {why.get(kind, 'it is under maintenance')}.",
            hint=SENTENCES[kind][1].format(venue=venue),
            venue=venue,
            kind=kind,
        )
    if kind is not None:
        what, hint = (each.format(venue=venue, asked=asked) for each in SENTENCES[kind])
        return OrderRefused(what, hint=hint, venue=venue, kind=kind)
    if isinstance(failed, errors.ExchangeNotAvailable | errors.NetworkError | OSError):
        return OrderRefused(
            f"{venue} cannot be reached, so the order was not sent ({asked}).",
            hint="Check the connection, or choose another venue.",
            venue=venue,
            kind="network",
        )
    return OrderRefused(f"{venue} refused the order ({asked}): {said(venue, text)}.", venue=venue, kind="other")


def kind_of(venue: str, failed: Exception, status: int | None = None) -> str | None:
    """Which of SENTENCES (or 'geo') tells what happened; None when none does."""
    from ccxt.base import errors

    if isinstance(failed, binascii.Error):  # a secret that is no base64, found out while signing
        return "auth"
    text = ADDRESS.sub("", str(failed))
    if isinstance(failed, errors.RestrictedLocation) or status == 451 or CLOSED_HERE.search(text):
        return "geo"
    if status == 418 or re.search(r"\b418\b|IP banned|banned until", text):
        return "banned"
    if status == 429:
        return "rate"
    if isinstance(failed, errors.BaseError) and (status is None or status < 500):
        for pattern, kind in profile_of(venue).patterns:
            if re.search(pattern, text):
                return kind
    if status == 503 and MAINTAINED.search(text):
        return "maintenance"
    for classes, kind in (
        ((errors.RateLimitExceeded, errors.DDoSProtection), "rate"),
        ((errors.AccountSuspended,), "suspended"),
        ((errors.PermissionDenied,), "permission"),
        ((errors.AuthenticationError,), "auth"),
        ((errors.InsufficientFunds,), "funds"),
        ((errors.MarketClosed,), "closed"),
        ((errors.BadSymbol,), "symbol"),
        ((errors.DuplicateOrderId,), "duplicate"),
        ((errors.OnMaintenance,), "maintenance"),
        ((errors.InvalidNonce,), "clock"),
    ):
        if isinstance(failed, classes):
            return kind
    return None


def _surely_refused(venue: str, failed: Exception, answered: Answered, kind: str | None) -> bool:
    """Whether nothing that was sent can have become an order."""
    from ccxt.base import errors

    text = str(failed)

    if not answered.sent:
        return True
    if isinstance(failed, binascii.Error):
        return True
    status = answered.status
    if status is None:  # no answer came: only what ccxt itself refused, for no failure beneath it, never left
        return isinstance(failed, errors.ExchangeError) and failed.__cause__ is None
    if status in (418, 429, 451):
        return True
    if status >= 500 or kind == "duplicate" or UNSURE.search(text):  # a duplicate is our own order, already there
        return False
    if isinstance(failed, errors.BadResponse | errors.RequestTimeout):
        return False
    known = (
        errors.InvalidOrder,
        errors.BadRequest,
        errors.ArgumentsRequired,
        errors.NotSupported,
        errors.OperationRejected,
        errors.AuthenticationError,
        errors.InsufficientFunds,
    )
    if kind is not None or isinstance(failed, known):
        return True
    code = REFUSALS.get(venue)
    return code is not None and re.search(code, text) is not None


def said(venue: str, text: str) -> str:
    """What the venue said, short, without the address that was asked and without anything that may be a secret."""
    found = re.search(r'"(?:msg|message|error)"\s*:\s*\[?"([^"]+)"', text)
    plain = found[1] if found else ADDRESS.sub("", text.removeprefix(venue))
    return SECRETIVE.sub("…", " ".join(plain.split()))[:160].strip(" .") or "no reason given"


def _elsewhere(venue: str) -> str:
    others = ", ".join(name for name in ALTERNATIVES if name != venue)
    return f"Choose a venue that serves your country, for example {others}, or the sandbox."


def _status(text: str) -> str:
    found = re.search(r"\b(4\d\d|5\d\d)\b", ADDRESS.sub("", text))
    return f" (HTTP {found[1]})" if found else ""
