"""How much each venue may be asked, as data. Weights are in the venue's own units.

Each limit stays a tenth below what the venue publishes: requests bunch up on their way, and it counts them on arrival.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `weight` in any stretch of `seconds`. reserve: the fraction kept for cancels and reducing orders."""

    weight: float
    seconds: float
    reserve: float = 0.1


REQUESTS, ORDERS = "requests", "orders"  # pools; an account's own is written 'orders:ACCOUNT'

RATES: Mapping[str, Mapping[str, Sequence[RateLimit]]] = {
    "binance": {  # 6,000 a minute of its weights; orders 100 in 10 s and 200,000 a day for an account
        REQUESTS: (RateLimit(5_400, 60),),
        ORDERS: (RateLimit(90, 10), RateLimit(180_000, 86_400)),
    },
    "kucoin": {REQUESTS: (RateLimit(3_600, 30),), ORDERS: (RateLimit(40, 3),)},  # 4,000 in 30 s of its weights
    "coinbase": {REQUESTS: (RateLimit(27, 1),), ORDERS: (RateLimit(25, 1),)},  # 30 a second
    "kraken": {REQUESTS: (RateLimit(36, 45),), ORDERS: (RateLimit(54, 60),)},  # about one a second, a few at once
    "bybit": {REQUESTS: (RateLimit(540, 5),), ORDERS: (RateLimit(9, 1),)},  # 600 in 5 s
    "okx": {REQUESTS: (RateLimit(36, 2),), ORDERS: (RateLimit(54, 2),)},  # 40 to 60 in 2 s for most questions
}
UNKNOWN: Mapping[str, Sequence[RateLimit]] = {REQUESTS: (RateLimit(5, 1),), ORDERS: (RateLimit(5, 1),)}


def rates_of(venue: str, interval: float | None = None) -> Mapping[str, Sequence[RateLimit]]:
    """The limits of a venue. interval: seconds per request as ccxt knows it, for venues without data here."""
    known = RATES.get(venue)
    if known is not None:
        return known
    if not interval or interval <= 0:
        return UNKNOWN
    stretch = max(1.0, 5 * interval)  # short, so that no burst comes near a limit nobody has told us
    limit = RateLimit(0.9 * stretch / interval, stretch)
    return {REQUESTS: (limit,), ORDERS: UNKNOWN[ORDERS]}
