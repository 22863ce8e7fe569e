"""Crossings decided as exact arithmetic on the given decimals would decide them, and states from on/off conditions."""

from decimal import Decimal
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import kernel
from core.indicators.shared import once

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
States = NDArray[np.int8]

BELOW, ABOVE, DOUBTFUL = 0, 1, 2  # BELOW is "not above": equal counts as below
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
def _sums_cross(sums: Integers, fast: int, slow: int, doubt: float, above: States, exposure: Floats) -> int:
    """Compares slow * (sum over fast) with fast * (sum over slow); returns how many bars stay doubtful.

    From running sums it is the same three products on every bar, so that many go at once.
    """
    n = len(above)
    first = min(slow - 1, n)
    above[:first] = 0
    exposure[: min(slow, n)] = np.nan
    count = n - first
    if count == 0:
        return 0
    newest, fast_start, slow_start = sums[slow:], sums[slow - fast :], sums
    state, change = above[first:], exposure[first:]
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
    for i in range(1, count):
        change[i] = np.nan if state[i] == state[i - 1] else float(state[i])
    return doubtful


@kernel
def _edges(above: States, first: int, exposure: Floats) -> None:
    """1.0 where the state becomes above, 0.0 where it stops, NaN elsewhere."""
    for t in range(len(above)):
        exposure[t] = np.nan
        if t > first and above[t] != above[t - 1]:
            exposure[t] = float(above[t])


@kernel
def latch(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> Floats:
    """1.0 where `on` turns a flat state long, 0.0 where `off` ends it, NaN elsewhere. Both at once change nothing."""
    exposure = np.full(len(on), np.nan)
    long = False
    for t in range(len(on)):
        if not long and on[t] and not off[t]:
            long = True
            exposure[t] = 1.0
        elif long and off[t] and not on[t]:
            long = False
            exposure[t] = 0.0
    return exposure


@kernel
def _crossings(line: Floats, other: Floats) -> Floats:
    n = len(line)
    exposure = np.empty(n)
    if n:
        exposure[0] = np.nan
    for t in range(1, n):
        above, before = line[t] > other[t], line[t - 1] > other[t - 1]
        known = not (np.isnan(line[t]) | np.isnan(other[t]) | np.isnan(line[t - 1]) | np.isnan(other[t - 1]))
        exposure[t] = (1.0 if above else 0.0) if (above != before) & known else np.nan
    return exposure


def crossings(line: Floats, other: Floats) -> Floats:
    """1.0 where `line` comes to lie above `other`, 0.0 where it no longer does, NaN elsewhere and beside NaNs."""
    exposure: Floats = _crossings(np.ascontiguousarray(line), np.ascontiguousarray(np.broadcast_to(other, len(line))))
    return exposure


def sma_cross(prices: Floats, fast: int, slow: int) -> Floats:
    """1.0 where the fast average comes to lie above the slow one, 0.0 where it no longer does, NaN elsewhere.

    prices: (n,) positive and finite. 1 <= fast < slow. Equal is not above. On the first bar that has both averages
    nothing is known about the bar before, so it is never a crossing. Decimals of few digits are summed as integers;
    other prices in fixed point with a proven bound, and a bar within the bound by exact integers of the shortest
    decimals of its doubles. Inside a `shared` block the sums are kept for the next pair of windows.
    """
    above = np.empty(len(prices), np.int8)
    exposure = np.empty(len(prices))
    sums, doubt = _shared_sums(prices, fast * slow)
    doubtful = _sums_cross(sums, fast, slow, float(doubt[0]), above, exposure)
    if doubtful:
        _settle(prices, fast, slow, above)
        _edges(above, slow - 1, exposure)
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
