"""What one equity path among many comes to, in one pass and without keeping it."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FIGURES = ("final_equity", "max_drawdown", "sharpe", "lowest_equity")


@kernel
def figures_of(equity: Floats, cash: float, marks: Integers, figures: Floats, kept: Floats) -> None:
    """Writes FIGURES into figures (4,) and the equity at the marks into kept (marks,).

    equity: (n,) that began with `cash`; the Sharpe ratio is per period, NaN without variation; returns after the
    equity has become 0 are 0
    """
    n = len(equity)
    peak, before, lowest, deepest = cash, cash, cash, 0.0
    mean, square = 0.0, 0.0
    for i in range(n):
        value = equity[i]
        peak = max(peak, value)
        lowest = min(lowest, value)
        deepest = max(deepest, 1.0 - value / peak)
        change = value / before - 1.0 if before > 0.0 else 0.0
        step = change - mean
        mean += step / (i + 1)
        square += step * (change - mean)
        before = value
    deviation = np.sqrt(square / (n - 1)) if n > 1 else 0.0
    figures[0] = before
    figures[1] = deepest
    figures[2] = mean / deviation if deviation > 1e-14 else np.nan
    figures[3] = lowest
    for k in range(len(marks)):
        kept[k] = equity[marks[k]]


@kernel
def ordered_path(returns: Floats, order: Integers, cash: float, equity: Floats) -> None:
    """Writes into equity (n,) what the returns come to in this order; it stays at 0 once there."""
    value = cash
    for i in range(len(order)):
        value = max(0.0, value * (1.0 + returns[order[i]]))
        equity[i] = value
