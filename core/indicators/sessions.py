"""What begins anew with each session: volume-weighted prices and pivot points. Sessions begin at midnight UTC."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.indicators.described import Floats, Lines, indicator
from core.indicators.ta import one
from core.indicators.terms import PRICE

Integers = NDArray[np.int64]
DAY = 86_400_000  # ms
LEVELS = {"pivot": PRICE, "r1": PRICE, "s1": PRICE, "r2": PRICE, "s2": PRICE, "r3": PRICE, "s3": PRICE}


def days(timestamp: ArrayLike) -> Integers:
    """The number of each bar's day since 1970."""
    return np.asarray(timestamp, dtype=np.int64) // DAY


def weeks(timestamp: ArrayLike) -> Integers:
    """The number of each bar's week; weeks begin on Monday, and 1970-01-01 was a Thursday."""
    return (days(timestamp) + 3) // 7


def months(timestamp: ArrayLike) -> Integers:
    """The number of each bar's month since 1970-01."""
    return np.asarray(timestamp, dtype="datetime64[ms]").astype("datetime64[M]").astype(np.int64)


def _weighted(sessions: Integers, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> Floats:
    from core.indicators.paths import session_vwap

    return session_vwap(sessions, one("TYPPRICE", high, low, close), np.asarray(volume))


def _pivots(sessions: Integers, whole: bool, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Lines:
    """Levels of the session before; NaN until a whole one is over."""
    from core.indicators.paths import previous_sessions

    top, bottom, last = previous_sessions(sessions, whole, np.asarray(high), np.asarray(low), np.asarray(close))
    pivot = (top + bottom + last) / 3.0
    reach = top - bottom
    return (
        pivot,
        2.0 * pivot - bottom,
        2.0 * pivot - top,
        pivot + reach,
        pivot - reach,
        top + 2.0 * (pivot - bottom),
        bottom - 2.0 * (top - pivot),
    )


@indicator("volume", outputs={"vwap": PRICE}, overlay=True, warmup=lambda: 0, settles=lambda: None)
def vwap(timestamp: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> Floats:
    """Volume-weighted average price since midnight UTC; the typical price while nothing was traded."""
    return _weighted(days(timestamp), high, low, close, volume)


@indicator("volume", outputs={"weekly_vwap": PRICE}, overlay=True, warmup=lambda: 0, settles=lambda: None)
def weekly_vwap(timestamp: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> Floats:
    """Volume-weighted average price since Monday, midnight UTC."""
    return _weighted(weeks(timestamp), high, low, close, volume)


@indicator("volume", outputs={"monthly_vwap": PRICE}, overlay=True, warmup=lambda: 0, settles=lambda: None)
def monthly_vwap(timestamp: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> Floats:
    """Volume-weighted average price since the month began, UTC."""
    return _weighted(months(timestamp), high, low, close, volume)


@indicator(
    "volume",
    outputs={"anchored_vwap": PRICE},
    overlay=True,
    warmup=lambda bar, since: bar,
    settles=lambda bar, since: None,
    waits="until the bar or the moment it begins with",
    bar=(0, 1_000_000_000, "index of the bar it begins with"),
    since=(0, 253_402_300_799_999, "UTC ms from which on it begins, which may be later"),
)
def anchored_vwap(
    timestamp: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    bar: int = 0,
    since: int = 0,
) -> Floats:
    """Volume-weighted average price since a bar or a moment; nothing before."""
    times = np.asarray(timestamp, dtype=np.int64)
    first = max(bar, int(np.searchsorted(times, since)))
    out = np.full(len(times), np.nan)
    if first < len(times):
        cut = (np.asarray(each)[first:] for each in (high, low, close, volume))
        out[first:] = _weighted(np.zeros(len(times) - first, dtype=np.int64), *cut)
    return out


@indicator(
    "price", outputs=LEVELS, overlay=True, warmup=lambda: 0, settles=lambda: None, waits="until a whole day is over"
)
def pivots(timestamp: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Lines:
    """Pivot point of the UTC day before, with three resistances and supports; nothing until a whole day is over."""
    numbers = days(timestamp)
    return _pivots(numbers, bool(numbers[0] != days(_before(timestamp))[0]), high, low, close)


@indicator(
    "price", outputs=LEVELS, overlay=True, warmup=lambda: 0, settles=lambda: None, waits="until a whole week is over"
)
def weekly_pivots(timestamp: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Lines:
    """Pivot point of the week before, with three resistances and supports; nothing until a whole week is over."""
    numbers = weeks(timestamp)
    return _pivots(numbers, bool(numbers[0] != weeks(_before(timestamp))[0]), high, low, close)


@indicator(
    "price", outputs=LEVELS, overlay=True, warmup=lambda: 0, settles=lambda: None, waits="until a whole month is over"
)
def monthly_pivots(timestamp: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Lines:
    """Pivot point of the month before, with three resistances and supports; nothing until a whole month is over."""
    numbers = months(timestamp)
    return _pivots(numbers, bool(numbers[0] != months(_before(timestamp))[0]), high, low, close)


def _before(timestamp: ArrayLike) -> Integers:
    """A millisecond before the first bar: of another session where this bar begins one."""
    return np.asarray(timestamp, dtype=np.int64)[:1] - 1
