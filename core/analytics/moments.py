"""moments: sums of returns in two passes, as kernels that the measures and the summary share.

Each pass keeps LANES running sums side by side, which vectorises without reordering an addition (the same answer on
every machine) and rounds about as little as pairwise summation. The second pass is centred on the mean and corrected by
what centring left (Chan, Golub and LeVeque 1983), so that a constant series has a deviation of 0.
"""

import math
from typing import Any

import numpy as np

from core.analytics.series import NAN, Floats
from core.analytics.series import ratio as plain_ratio
from core.indicators.compiled import inlined, kernel

LANES = 256
# rows of the lanes
SUM, DOWN, GROWTH = 0, 1, 2
FIRST, SECOND, THIRD, FOURTH = 0, 1, 2, 3
# what `moments` answers
M_COUNT, M_MEAN, M_DEVIATION, M_DOWNSIDE, M_GROWTH, M_SKEW, M_KURTOSIS = 0, 1, 2, 3, 4, 5, 6
MOMENTS = 7

ratio: Any = inlined(plain_ratio)


@inlined
def start(lanes: Floats) -> None:
    """Empties the lanes of the first pass."""
    lanes[SUM, :] = 0.0
    lanes[DOWN, :] = 0.0
    lanes[GROWTH, :] = 1.0


@inlined
def sums(block: Floats, count: int, threshold: float, lanes: Floats) -> None:
    """The first pass over at most LANES returns: excess above the threshold, its negative squares, growth."""
    for i in range(count):
        excess = block[i] - threshold
        below = excess if excess < 0.0 else 0.0
        lanes[SUM, i] += excess
        lanes[DOWN, i] += below * below
        lanes[GROWTH, i] *= 1.0 + block[i]


@inlined
def powers(block: Floats, count: int, threshold: float, mean: float, lanes: Floats) -> None:
    """The second pass over at most LANES returns: powers of what the excess differs from its mean."""
    for i in range(count):
        off = block[i] - threshold - mean
        square = off * off
        lanes[FIRST, i] += off
        lanes[SECOND, i] += square
        lanes[THIRD, i] += square * off
        lanes[FOURTH, i] += square * square


@inlined
def total(lanes: Floats, row: int) -> float:
    result = 0.0
    for i in range(LANES):
        result += lanes[row, i]
    return result


@inlined
def product(lanes: Floats, row: int) -> float:
    result = 1.0
    for i in range(LANES):
        result *= lanes[row, i]
    return result


@inlined
def finish(n: int, mean: float, lanes: Floats, found: Floats) -> None:
    """Mean, sample deviation, population skew and excess kurtosis out of the second pass."""
    left = total(lanes, FIRST) / n
    second = total(lanes, SECOND) / n
    variance = max(0.0, second - left * left)
    found[M_MEAN] = mean + left
    found[M_DEVIATION] = math.sqrt(variance * n / (n - 1.0)) if n > 1 else NAN
    if math.sqrt(variance) > 1e-15 * max(1.0, abs(mean)):
        third = total(lanes, THIRD) / n - 3.0 * left * second + 2.0 * left**3
        fourth = (
            total(lanes, FOURTH) / n - 4.0 * left * total(lanes, THIRD) / n + 6.0 * left**2 * second - 3.0 * left**4
        )
        found[M_SKEW] = third / variance**1.5
        found[M_KURTOSIS] = fourth / variance**2 - 3.0
    else:
        found[M_SKEW] = NAN
        found[M_KURTOSIS] = NAN


@kernel
def moments(returns: Floats, threshold: float) -> Floats:
    """(MOMENTS,) of the returns above a threshold per period; growth is of the returns themselves.

    returns: (n,) without NaN; the mean is NaN where they hold one. Deviation: sample. Downside: root mean square of the
    negative excess. Skew and excess kurtosis: population, NaN without variation.
    """
    n = len(returns)
    found = np.full(MOMENTS, np.nan)
    found[M_COUNT] = n
    if n == 0:
        found[M_GROWTH] = 1.0
        return found
    lanes = np.empty((4, LANES))
    start(lanes)
    for low in range(0, n, LANES):
        count = min(LANES, n - low)
        sums(returns[low : low + count], count, threshold, lanes)
    mean = total(lanes, SUM) / n
    found[M_DOWNSIDE] = math.sqrt(total(lanes, DOWN) / n)
    found[M_GROWTH] = product(lanes, GROWTH)
    lanes[:] = 0.0
    for low in range(0, n, LANES):
        count = min(LANES, n - low)
        powers(returns[low : low + count], count, threshold, mean, lanes)
    finish(n, mean, lanes, found)
    return found


@kernel
def growth_of(returns: Floats) -> float:
    """The factor by which the returns compound; as in `moments`, without the rest of it."""
    lanes = np.ones(LANES)
    for low in range(0, len(returns), LANES):
        block = returns[low : low + LANES]
        for i in range(len(block)):
            lanes[i] *= 1.0 + block[i]
    result = 1.0
    for i in range(LANES):
        result *= lanes[i]
    return result


@inlined
def annual_growth(growth: float, n: int, periods_per_year: float) -> float:
    """Compound annual growth rate of n periods that grew by the factor `growth`."""
    if n == 0:
        return NAN
    if growth <= 0.0:
        return -1.0
    exponent = math.log(growth) * periods_per_year / n
    return math.expm1(exponent) if exponent < 700.0 else NAN
