"""Higher timeframes: bars of one as a strategy of a lower one may know them, no earlier than they have closed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.market import timeframes
from core.market.bars import Bars

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Higher:
    """The complete bars of a higher timeframe, and at which of the lower bars each is known.

    bars: (m,) aligned to UTC as `Bars.resample` does; a first one whose beginning is missing is left out
    row: (n,) the last higher bar that has closed by each lower bar's close; -1 before the first
    """

    bars: Bars
    row: Integers

    def expand(self, values: ArrayLike) -> Floats:
        """One value per lower bar, (n,), of values per higher bar, (m,): NaN before the first has closed."""
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (len(self.bars),):
            raise InvalidInput(f"{array.shape} values do not belong to {len(self.bars)} bars of {self.bars.timeframe}.")
        return np.append(array, np.nan)[self.row]  # row -1 is the last: NaN


def higher(bars: Bars, timeframe: str) -> Higher:
    """The higher timeframe of these bars. Raises InvalidInput for one that is lower or no multiple.

    A higher bar is known from the first lower bar on that closes at its end or, where the last ones inside it are
    missing, later: never from the hole itself.
    """
    whole = bars.resample(timeframe)
    length = timeframes.milliseconds(bars.timeframe)
    known = whole.timestamp + timeframes.milliseconds(whole.timeframe)
    first = np.searchsorted(bars.timestamp, known - length)
    counts = np.diff(first, prepend=0, append=len(bars))
    return Higher(whole, np.repeat(np.arange(-1, len(whole)), counts))


def at_least(timeframe: str, ratio: int) -> str:
    """The shortest timeframe that is a multiple of this one and at least `ratio` times as long. Raises InvalidInput."""
    length = timeframes.milliseconds(timeframe)
    for name, each in timeframes.TIMEFRAMES.items():
        if each >= ratio * length and each % length == 0:
            return name
    longest = max(each // length for each in timeframes.TIMEFRAMES.values() if each % length == 0)
    raise InvalidInput(
        f"No timeframe is {ratio} times as long as {timeframe}; at most {longest} times is.", timeframe=timeframe
    )
