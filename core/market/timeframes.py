"""Timeframes: how long a bar is, and where bars begin on the UTC clock."""

import re
from typing import overload

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

TIMEFRAMES: dict[str, int] = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": WEEK,
}
ACCEPTED = ", ".join(TIMEFRAMES)
FIRST_MONDAY = 4 * DAY  # 1970-01-05
UNITS = {
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("m", "min", "minute"), "m"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "d"),
    **dict.fromkeys(("w", "wk", "week"), "w"),
}


def parse(text: str) -> str:
    """The timeframe a person means: '1H', '60m' and '1 hour' are '1h'. Raises InvalidInput."""
    if text in TIMEFRAMES:
        return text
    found = re.fullmatch(r"(\d{0,5}) ?([a-z]+?)s?|(\d{1,5}) ?s", text.strip().replace("M", "month").lower())
    if found:
        count, unit = found[1] or found[3] or "1", UNITS.get(found[2] or "s")
        name = named(int(count) * TIMEFRAMES["1" + unit]) if unit else None
        if name is not None:
            return name
    raise InvalidInput(f"'{text}' is not a timeframe; accepted are {ACCEPTED}.", timeframe=text)


def named(length: int) -> str | None:
    """The timeframe of that many milliseconds, or None."""
    return next((name for name, each in TIMEFRAMES.items() if each == length), None)


def milliseconds(timeframe: str) -> int:
    """Length of a bar. Raises InvalidInput."""
    length = TIMEFRAMES.get(timeframe)
    return TIMEFRAMES[parse(timeframe)] if length is None else length


def per_year(timeframe: str) -> float:
    """Bars in a year of 365 days: crypto trades round the clock."""
    return 365 * DAY / milliseconds(timeframe)


@overload
def floor(timestamp: int, timeframe: str) -> int: ...
@overload
def floor(timestamp: NDArray[np.int64], timeframe: str) -> NDArray[np.int64]: ...
def floor(timestamp: int | NDArray[np.int64], timeframe: str) -> int | NDArray[np.int64]:
    """Open of the bar that holds `timestamp` (UTC ms, int or array). Weeks start on Monday."""
    length = milliseconds(timeframe)
    shift = FIRST_MONDAY if length == WEEK else 0
    return timestamp - (timestamp - shift) % length
