"""What the functions of formulas do with arrays. Every value at bar t comes from bars up to t.

Numbers are (n,) float64, NaN where unknown; truths are (n,) bool, false where a number they compare is unknown.
Windows are cut into blocks, so that each costs the same whatever its length, nothing is ever subtracted, and a NaN
makes unknown only the windows that hold it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


def finite(values: Any) -> Any:
    """The values, NaN in place of what is no finite number."""
    if isinstance(values, np.ndarray):
        values[~np.isfinite(values)] = np.nan
        return values
    return values if np.isfinite(values) else np.nan


def previous(values: Any, bars: int) -> Any:
    """What the value was that many bars before."""
    if bars == 0:
        return values
    result = np.zeros_like(values) if values.dtype == np.bool_ else np.full(len(values), np.nan)
    if bars < len(values):
        result[bars:] = values[:-bars]
    return result


def known_before(values: Floats) -> Truths:
    """Where this bar's value and that of the bar before are known."""
    known = ~np.isnan(values)
    known[1:] &= known[:-1].copy()
    known[:1] = False
    return known


def cross(line: Any, other: Any) -> Truths:
    """True where `line` comes to lie above `other`: above it now, not above it on the bar before, all four known."""
    gap = np.asarray(line - other)
    above = gap > 0.0
    result = above.copy()
    result[1:] &= ~above[:-1]
    return result & known_before(gap)


def _blocks(values: Floats, n: int) -> Floats:
    """Blocks of n values, one per row; the last one filled up with NaN."""
    rows = -(-len(values) // n)
    padded = np.full(rows * n, np.nan)
    padded[: len(values)] = values
    return padded.reshape(rows, n)


def _windows(blocks: Floats, n: int, join: Any, later: Floats | None = None) -> Floats:
    """join over each window of n values: the end of the block before, and the beginning of this one.

    later: the values as the windows that end in the next block see them, where that differs
    """
    begun = join.accumulate(blocks, axis=1)
    source = blocks if later is None else later
    ended = join.accumulate(source[:, ::-1], axis=1)[:, ::-1]
    result = np.full(blocks.shape, np.nan)
    result[:, -1] = begun[:, -1]
    result[1:, :-1] = join(ended[:-1, 1:], begun[1:, :-1])
    return result.reshape(-1)


def highest(values: Floats, n: int) -> Floats:
    """The highest of the last n values."""
    return values.copy() if n == 1 else _windows(_blocks(values, n), n, np.maximum)[: len(values)]


def lowest(values: Floats, n: int) -> Floats:
    """The lowest of the last n values."""
    return values.copy() if n == 1 else _windows(_blocks(values, n), n, np.minimum)[: len(values)]


def total(values: Floats, n: int) -> Floats:
    """The sum of the last n values."""
    return values.copy() if n == 1 else finite(_windows(_blocks(values, n), n, np.add)[: len(values)])


def mean(values: Floats, n: int) -> Floats:
    """The mean of the last n values."""
    return total(values, n) / n


def stdev(values: Floats, n: int) -> Floats:
    """The population standard deviation of the last n values, 0 for equal ones.

    Deviations are taken from the first value of the block in which a window ends, which is in every such window.
    """
    if n == 1:
        return values - values
    blocks = _blocks(values, n)
    anchors = blocks[:, :1]
    here = blocks - anchors
    later = np.empty_like(blocks)
    later[:-1] = blocks[:-1] - anchors[1:]
    later[-1:] = np.nan
    first = _windows(here, n, np.add, later) / n
    second = _windows(here * here, n, np.add, later * later) / n
    return finite(np.sqrt(np.maximum(second - first * first, 0.0)))[: len(values)]


def count(truths: Truths, n: int) -> Floats:
    """How many of the last n are true."""
    sums = np.cumsum(truths, dtype=np.int64)
    result = np.full(len(truths), np.nan)
    result[n - 1 :] = sums[n - 1 :]
    result[n:] -= sums[:-n]
    return result


def rising(values: Floats, n: int) -> Truths:
    """Whether each of the last n values is above the one before it."""
    return np.asarray(count(values > previous(values, 1), n) == n)


def falling(values: Floats, n: int) -> Truths:
    """Whether each of the last n values is below the one before it."""
    return np.asarray(count(values < previous(values, 1), n) == n)


def bars_since(truths: Truths) -> Floats:
    """Bars since it was last true, 0 where it is; NaN before the first time."""
    at = np.arange(len(truths))
    last = np.maximum.accumulate(np.where(truths, at, -1))
    return np.where(last >= 0, at - last, np.nan).astype(np.float64)


def since_highest(values: Floats, n: int) -> Floats:
    """Bars since the highest of the last n values, the latest one where several are equally high."""
    size = len(values)
    result = np.full(size, np.nan)
    if n > size:
        return result
    comparable = np.where(np.isnan(values), -np.inf, values)
    best = np.arange(size)  # of the `width` values that end at each bar
    width = 1
    while width < n:
        step = min(width, n - width)
        earlier, now = best[:-step], best[step:]
        best = np.append(best[:step], np.where(comparable[now] >= comparable[earlier], now, earlier))
        width += step
    result[n - 1 :] = np.arange(n - 1, size) - best[n - 1 :]
    result[count(np.isnan(values), n) > 0.0] = np.nan
    return result


def since_lowest(values: Floats, n: int) -> Floats:
    """Bars since the lowest of the last n values, the latest one where several are equally low."""
    return since_highest(-values, n)


def fill(values: Floats) -> Floats:
    """The last known value."""
    at = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[at]


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """One or the other, bar by bar."""
    return np.where(condition, yes, no)


def unequal(one: Any, other: Any) -> Any:
    """Known and different: as every comparison, false where a side is unknown."""
    return (one < other) | (one > other)


def rounded(values: Any, digits: int) -> Any:
    """To that many digits behind the point, halves to the even digit."""
    return finite(np.round(values, digits))


def remainder(one: Any, other: Any) -> Any:
    """What a division leaves, with the sign of the divisor; NaN for a divisor of 0."""
    return finite(np.mod(one, other))
