"""summarise: the statistics that a search ranks by, from an equity curve in two passes."""

import math

import numpy as np

from core.analytics.moments import (
    DOWN,
    GROWTH,
    LANES,
    M_COUNT,
    M_DEVIATION,
    M_DOWNSIDE,
    M_GROWTH,
    M_KURTOSIS,
    M_MEAN,
    M_SKEW,
    MOMENTS,
    SUM,
    annual_growth,
    finish,
    growth_of,
    moments,
    powers,
    product,
    ratio,
    start,
    sums,
    total,
)
from core.analytics.series import Floats
from core.analytics.underwater import deepest
from core.indicators.compiled import borrowed, inlined, kernel

SUMMARY = (
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "max_drawdown_duration",
    "volatility",
    "skew",
    "kurtosis",
    "final_equity",
)


@inlined
def _returns(equity: Floats, low: int, before: float, block: Floats) -> int:
    """Fills the block with the returns from equity[low] on, and answers how many these are."""
    count = min(LANES, len(equity) - low)
    first = 0
    if low == 0:
        block[0] = equity[0] / before - 1.0 if before > 0.0 else 0.0
        first = 1
    was, now, out = equity[low + first - 1 :], equity[low + first :], block[first:]
    for i in range(count - first):
        change = now[i] / was[i] - 1.0
        out[i] = change if was[i] > 0.0 else 0.0
    return count


@kernel
def returns_from(equity: Floats, before: float) -> Floats:
    """(n,) the returns of an equity that was `before` at first; 0 after an equity of 0 or an unknown one."""
    returns = np.empty(len(equity))
    block = np.empty(LANES)
    for low in range(0, len(equity), LANES):
        count = _returns(borrowed(equity), low, before, borrowed(block))
        returns[low : low + count] = block[:count]
    return returns


@kernel
def moments_of_equity(equity: Floats, before: float) -> Floats:
    """`moments` of the returns of an equity that was `before` at first, without holding the returns."""
    n = len(equity)
    held, room = np.empty((4, LANES)), np.empty(LANES)
    equity, lanes, block = borrowed(equity), borrowed(held), borrowed(room)
    start(lanes)
    for low in range(0, n, LANES):
        count = _returns(equity, low, before, block)
        sums(block, count, 0.0, lanes)
    mean = total(lanes, SUM) / n
    if math.isnan(mean):
        returns = returns_from(equity, before)
        return moments(returns[~np.isnan(returns)], 0.0)
    found = np.empty(MOMENTS)
    found[M_COUNT] = n
    found[M_DOWNSIDE] = math.sqrt(total(lanes, DOWN) / n)
    found[M_GROWTH] = product(lanes, GROWTH)
    lanes[:] = 0.0
    for low in range(0, n, LANES):
        count = _returns(equity, low, before, block)
        powers(block, count, 0.0, mean, lanes)
    finish(n, mean, lanes, found)
    held[0, 0] = room[0] = 0.0  # keeps what is borrowed alive until here
    return found


@kernel
def growth_of_equity(equity: Floats, before: float) -> tuple[float, int]:
    """(the factor by which the returns compound, how many are numbers), as `moments_of_equity` finds them."""
    n = len(equity)
    lanes = np.ones(LANES)
    block = np.empty(LANES)
    for low in range(0, n, LANES):
        for i in range(_returns(equity, low, before, block)):
            lanes[i] *= 1.0 + block[i]
    growth = 1.0
    for i in range(LANES):
        growth *= lanes[i]
    if math.isnan(growth):
        returns = returns_from(equity, before)
        known = returns[~np.isnan(returns)]
        return growth_of(known), len(known)
    return growth, n


@kernel
def summarise(equity: Floats, cash: float, periods_per_year: float) -> Floats:
    """(len(SUMMARY),) statistics of an equity curve that began with `cash`, each as core.analytics.measures has it.

    equity: (n,) quote, at each close. NaN where a measure is not defined. Runs without the GIL; about 2 ns per bar.
    """
    found = moments_of_equity(equity, cash)
    depth, longest = deepest(equity, cash)
    yearly = math.sqrt(periods_per_year)
    growth = annual_growth(found[M_GROWTH], int(found[M_COUNT]), periods_per_year)
    final = equity[-1] if len(equity) > 0 else cash
    summary = np.empty(11)
    summary[0] = final / cash - 1.0
    summary[1] = growth
    summary[2] = ratio(found[M_MEAN], found[M_DEVIATION], yearly)
    summary[3] = ratio(found[M_MEAN], found[M_DOWNSIDE], yearly)
    summary[4] = ratio(growth, depth, 1.0)
    summary[5] = depth
    summary[6] = longest
    summary[7] = found[M_DEVIATION] * yearly
    summary[8] = found[M_SKEW]
    summary[9] = found[M_KURTOSIS]
    summary[10] = final
    return summary
