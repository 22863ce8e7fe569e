"""What ccxt raises, as errors of the product: one plain sentence each, without addresses, keys or tracebacks."""

import re

from core.errors import AppError, ExchangeError, NotFound, Unavailable
from core.exchanges.venues.quirks import ALTERNATIVES

CLOSED_HERE = re.compile(r"\b451\b|restricted location|unavailable for legal", re.IGNORECASE)
ADDRESS = re.compile(r"\b(GET|POST|PUT|DELETE)\b\s+\S+|https?://\S+")


def explained(venue: str, failed: Exception, asked: str) -> AppError:
    """The error to raise for one of ccxt's. asked: what was wanted, e.g. 'bars of BTC/USDT'.

    `details["lasting"]` is set where asking again soon cannot help.
    """
    from ccxt.base import errors

    text = str(failed)
    match failed:
        case errors.BadSymbol():
            return NotFound(f"{venue} does not know what was asked: {asked}.", venue=venue)
        case errors.ExchangeError() | errors.NetworkError() if CLOSED_HERE.search(text):
            others = ", ".join(name for name in ALTERNATIVES if name != venue)
            return Unavailable(
                f"{venue} refuses connections from this country (HTTP 451), so there are no {asked} from it.",
                hint=f"Choose a venue that serves your country, for example {others}, or the sandbox.",
                venue=venue,
                lasting=True,
            )
        case errors.RateLimitExceeded() | errors.DDoSProtection():
            return Unavailable(
                f"{venue} asks for a pause: too many requests came from here, so there are no {asked} now.",
                hint="Try again in a minute.",
                venue=venue,
            )
        case errors.RequestTimeout():
            return Unavailable(f"{venue} did not answer in time when asked for {asked}.", venue=venue)
        case errors.OnMaintenance():
            return Unavailable(f"{venue} is under maintenance and gives no {asked}.", venue=venue)
        case errors.ExchangeNotAvailable() | errors.NetworkError():
            return Unavailable(f"{venue} cannot be reached for {asked}{_status(text)}.", venue=venue)
        case _:
            return ExchangeError(f"{venue} refused to give {asked}: {said(venue, text)}.", venue=venue)


def said(venue: str, text: str) -> str:
    """What the venue said, short and without the address that was asked."""
    found = re.search(r'"(?:msg|message|error)"\s*:\s*"([^"]+)"', text)
    plain = found[1] if found else ADDRESS.sub("", text.removeprefix(venue))
    return " ".join(plain.split())[:160].strip(" .") or "no reason given"


def _status(text: str) -> str:
    found = re.search(r"\b(4\d\d|5\d\d)\b", ADDRESS.sub("", text))
    return f" (HTTP {found[1]})" if found else ""
