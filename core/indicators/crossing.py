"""Crossings decided as exact arithmetic on the given decimals would decide them, and states from on/off conditions.

Each comes in two forms: an exposure per bar, NaN where nothing changes, and (rows, exposures) of the changes alone.
"""

from decimal import Decimal
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import kernel
from core.indicators.shared import once

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
States = NDArray[np.int8]
Changes = tuple[Integers, Floats]  # rows in ascending order, and what the exposure becomes there

BELOW, ABOVE, DOUBTFUL, UNKNOWN = 0, 1, 2, -1  # BELOW is "not above": equal counts as below
MOST = 2.0**62  # sums of units times a window stay below it
DIGITS = 1e15  # a decimal of at most fifteen digits is the shortest one of its double


@kernel
def _units(prices: Floats, most: float, units: Integers) -> float:
    """Writes prices as whole units; returns how many units each may be off from its decimal: 0 for few digits."""
    highest = 0.0
    for price in prices:
        highest = max(highest, price)
    scale = 1.0
    for _ in range(12):
        if highest * scale >= most or highest * scale >= DIGITS:
            break
        exact = True
        for t in range(len(prices)):
            unit = np.rint(prices[t] * scale)
            if unit / scale != prices[t]:
                exact = False
                break
            units[t] = np.int64(unit)
        if exact:
            return 0.0
        scale *= 10.0
    if not highest > 0.0:
        return 0.0
    power = 2.0 ** (np.floor(np.log2(most)) - np.ceil(np.log2(highest)) - 1.0)
    for t in range(len(prices)):
        units[t] = np.int64(np.rint(prices[t] * power))
    return 0.5 + highest * power * 2.0**-52  # rounding to units, and the double's own distance from its decimal


@kernel
def _sums(prices: Floats, most: float, sums: Integers) -> float:
    """Writes the running sums of the prices in units, (n + 1,), that may wrap around; returns as `_units` does."""
    doubt = _units(prices, most, sums[1:])
    sums[0] = 0
    for t in range(1, len(sums)):
        sums[t] += sums[t - 1]
    return doubt


@kernel
def _sums_above(sums: Integers, fast: int, slow: int, doubt: float, above: States) -> int:
    """Writes whether slow * (sum over fast) > fast * (sum over slow); returns how many bars stay doubtful.

    From running sums it is the same three products on every bar, so that many go at once.
    """
    n = len(above)
    first = min(slow - 1, n)
    above[:first] = 0
    count = n - first
    if count == 0:
        return 0
    newest, fast_start, slow_start = sums[slow:], sums[slow - fast :], sums
    state = above[first:]
    limit = np.int64(np.ceil(2.0 * fast * slow * doubt))
    rest = slow - fast
    doubtful = 0
    if doubt > 0.0:
        for i in range(count):
            gap = rest * newest[i] - slow * fast_start[i] + fast * slow_start[i]
            unsure = -limit <= gap <= limit
            state[i] = 2 if unsure else (1 if gap > limit else 0)
            doubtful += unsure
    else:
        for i in range(count):
            state[i] = rest * newest[i] - slow * fast_start[i] + fast * slow_start[i] > 0
    return doubtful


@kernel
def _edges(above: States, first: int) -> Changes:
    """Where a state of 0 or 1 becomes the other in one bar, from first + 1 on."""
    now, before = above[first + 1 :], above[first:]
    words = np.zeros((len(now) + 7) // 8, np.uint64)
    changed = words.view(np.int8)
    for k in range(len(now)):  # many at once, and eight that are all alike are one word of 0
        changed[k] = (now[k] ^ before[k]) & ~((now[k] | before[k]) >> 7) & 1  # UNKNOWN is negative
    count = 0
    for k in range(len(now)):
        count += changed[k]
    rows, exposure = np.empty(count + 1, np.int64), np.empty(count + 1)
    count = 0
    for word in range(len(words)):
        if words[word] != 0:
            for k in range(8 * word, 8 * word + 8):
                rows[count] = first + 1 + k
                count += changed[k]
    for place in range(count):
        exposure[place] = float(above[rows[place]])
    return rows[:count], exposure[:count]


@kernel
def latched(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> Changes:
    """The changes of `latch`."""
    rows, exposure = np.empty(len(on), np.int64), np.empty(len(on))
    count = 0
    long = False
    for t in range(len(on)):
        if on[t] != off[t] and on[t] != long:
            long = on[t]
            rows[count], exposure[count] = t, 1.0 if long else 0.0
            count += 1
    return rows[:count].copy(), exposure[:count].copy()


def latch(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> Floats:
    """1.0 where `on` turns a flat state long, 0.0 where `off` ends it, NaN elsewhere. Both at once change nothing."""
    return spread(len(on), latched(on, off))


@kernel
def _states(line: Floats, other: Floats, above: States) -> None:
    for t in range(len(line)):
        known = (line[t] == line[t]) & (other[t] == other[t])
        above[t] = (line[t] > other[t]) if known else UNKNOWN


def crossed(line: Floats, other: Floats | float) -> Changes:
    """The changes of `crossings`."""
    above = np.empty(len(line), np.int8)
    _states(np.ascontiguousarray(line), np.ascontiguousarray(np.broadcast_to(other, len(line))), above)
    changes: Changes = _edges(above, 0)
    return changes


def crossings(line: Floats, other: Floats | float) -> Floats:
    """1.0 where `line` comes to lie above `other`, 0.0 where it no longer does, NaN elsewhere and beside NaNs."""
    return spread(len(line), crossed(line, other))


def sma_crossed(prices: Floats, fast: int, slow: int) -> Changes:
    """The changes of `sma_cross`."""
    above = np.empty(len(prices), np.int8)
    sums, doubt = _shared_sums(prices, fast * slow)
    if _sums_above(sums, fast, slow, float(doubt[0]), above):
        _settle(prices, fast, slow, above)
    changes: Changes = _edges(above, slow - 1)
    return changes


def sma_cross(prices: Floats, fast: int, slow: int) -> Floats:
    """1.0 where the fast average comes to lie above the slow one, 0.0 where it no longer does, NaN elsewhere.

    prices: (n,) positive and finite. 1 <= fast < slow. Equal is not above. On the first bar that has both averages
    nothing is known about the bar before, so it is never a crossing. Decimals of few digits are summed as integers;
    other prices in fixed point with a proven bound, and a bar within the bound by exact integers of the shortest
    decimals of its doubles. Inside a `shared` block the sums are kept for the next pair of windows.
    """
    return spread(len(prices), sma_crossed(prices, fast, slow))


def spread(bars: int, changes: Changes) -> Floats:
    """(bars,) the changes in their rows, NaN elsewhere."""
    rows, values = changes
    exposure = np.full(bars, np.nan)
    exposure[rows] = values
    return exposure


def _shared_sums(prices: Floats, windows: int) -> tuple[Integers, Floats]:
    """(running sums (n + 1,), doubt (1,)), the same for all pairs with a product of windows of about this size."""
    size = 1 << (4 * -(-(windows - 1).bit_length() // 4))  # the next power of 16

    def compute() -> tuple[Integers, Floats]:
        sums = np.empty(len(prices) + 1, np.int64)
        doubt = _sums(prices, MOST / size, sums)
        return sums, np.array([doubt])

    return once("units summed", (prices,), size, compute)


def _settle(prices: Floats, fast: int, slow: int, above: States) -> None:
    """Decides the doubtful bars with Python's own integers."""
    doubtful = np.nonzero(above == DOUBTFUL)[0]
    first = int(doubtful[0]) - slow + 1
    decimals = [Decimal(repr(price)) for price in prices[first : int(doubtful[-1]) + 1].tolist()]
    places = max(0, -min(int(number.as_tuple().exponent) for number in decimals))
    sums = [0, *accumulate(int(number.scaleb(places)) for number in decimals)]
    for t in doubtful.tolist():
        end = t - first + 1
        gap = slow * (sums[end] - sums[end - fast]) - fast * (sums[end] - sums[end - slow])
        above[t] = ABOVE if gap > 0 else BELOW
