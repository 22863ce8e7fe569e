"""underwater: the kernels of drawdowns, one look at each equity."""

import numpy as np

from core.analytics.series import Floats
from core.indicators.compiled import borrowed, kernel

BLOCK = 512
LANES = 32


@kernel
def deepest(equity: Floats, start: float) -> tuple[float, int]:
    """(the deepest drawdown, the longest run of periods in one) of an equity that was `start` before.

    start: -inf for a curve without a beginning of its own. A NaN counts as a period of the drawdown around it.
    """
    peak, low = start, start
    depth, run, longest = 0.0, 0, 0
    lanes = np.empty((2, LANES))
    equity, held = borrowed(equity), borrowed(lanes)
    high, deep = held[0], held[1]
    for first in range(0, len(equity), BLOCK):
        block = equity[first : first + BLOCK]
        if run > 0 and len(block) == BLOCK:
            # Most blocks lie below the peak as a whole, which a vector's worth of comparisons at a time can tell.
            high[:] = -np.inf
            deep[:] = np.inf
            for j in range(0, BLOCK, LANES):
                part = block[j : j + LANES]
                for i in range(LANES):
                    value, most, least = part[i], high[i], deep[i]
                    high[i] = value if value > most else most
                    deep[i] = value if value < least else least
            if high.max() < peak:
                run += BLOCK
                low = min(low, deep.min())
                continue
        for value in block:
            if value < peak:
                run += 1
                if value < low:
                    low = value
            elif value >= peak:
                if run > 0 and peak > 0.0:
                    depth = max(depth, (peak - low) / peak)
                    longest = max(longest, run)
                run = 0
                peak = value
                low = value
            elif run > 0:
                run += 1
    if run > 0 and peak > 0.0:
        depth = max(depth, (peak - low) / peak)
        longest = max(longest, run)
    lanes[0, 0] = 0.0  # keeps what is borrowed alive until here
    return depth, longest


@kernel
def depths(equity: Floats) -> tuple[float, float]:
    """(the mean of the drawdowns over all periods, the mean of their squares); NaN for no period.

    Summed in blocks, so that a million of them round no more than a thousand. A NaN is no period here.
    """
    peak = -np.inf
    total, squares, count = 0.0, 0.0, 0
    for first in range(0, len(equity), BLOCK):
        part, square = 0.0, 0.0
        for value in equity[first : first + BLOCK]:
            if value >= peak:
                peak = value
            elif value < peak and peak > 0.0:
                depth = (peak - value) / peak
                part += depth
                square += depth * depth
            count += not np.isnan(value)
        total += part
        squares += square
    return (total / count, squares / count) if count > 0 else (np.nan, np.nan)
