"""Windows: the stretches of a walk forward, each a part to choose parameters on and the part that follows it."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market.timeframes import DAY, HOUR, MINUTE, WEEK

UNITS = {"m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "mo": 30 * DAY, "y": 365 * DAY}
FEWEST = 2  # windows
MOST = 2_000
LEAST = 10  # bars of a part


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of bars: chosen on first:cut, traded on cut:end. number: from 0."""

    number: int
    first: int
    cut: int
    end: int


def windows(
    timestamp: NDArray[np.int64], train: int | str, test: int | str, anchored: bool, timeframe: int
) -> list[Window]:
    """The windows over bars of these times, each test part beginning where the one before it ends.

    train, test: bars, or durations such as '180d', '6mo' or '720h'; anchored: every train part begins at the first bar
    timeframe: ms of a bar. A rest shorter than half a test part belongs to the last window.
    Raises InvalidInput when there are not at least two windows.
    """
    learnt, traded = length_of(train, timeframe, "training"), length_of(test, timeframe, "test")
    n = len(timestamp)
    found: list[Window] = []
    cut = learnt
    while n - cut >= max(1, traded // 2) and cut < n:
        end = cut + traded
        if n - end < max(1, traded // 2):
            end = n
        found.append(Window(len(found), 0 if anchored else cut - learnt, cut, end))
        cut = end
        if len(found) > MOST:
            raise InvalidInput(f"That gives more than {MOST:,} windows.", hint="Choose a longer test part.")
    if len(found) < FEWEST:
        raise InvalidInput(
            f"{n:,} bars are too few for two windows of {learnt:,} bars to learn from and {traded:,} to trade:"
            f" that takes {learnt + traded + max(1, traded // 2):,}.",
            bars=n,
        )
    return found


def length_of(given: int | str, timeframe: int, name: str) -> int:
    """How many bars: a number, or a duration. Raises InvalidInput."""
    text = str(given).strip().lower().replace(",", "").removesuffix("bars").strip()
    matched = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]*)", text)
    if not matched or (matched[2] and matched[2] not in UNITS) or (not matched[2] and "." in matched[1]):
        raise InvalidInput(f"'{given}' is no length of the {name} part; write bars like 1000 or a time like 180d.")
    bars = int(matched[1]) if not matched[2] else int(float(matched[1]) * UNITS[matched[2]] / timeframe)
    if bars < LEAST:
        raise InvalidInput(f"The {name} part of {given} has {bars} bars; {LEAST} are the least.", bars=bars)
    return bars
