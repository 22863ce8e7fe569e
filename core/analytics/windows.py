"""windows: what every window of a series adds up to, in time that does not depend on the window's length.

The series is cut into blocks as long as the window. A window is then the end of one block and the beginning of the
next, and both are known from running through each block once in either direction (van Herk 1992). Parts are put
together by Chan's formulas, and nothing is ever subtracted from a sum: no window inherits an error of another.
"""

import numpy as np

from core.analytics.series import Floats
from core.indicators.compiled import inlined, kernel

# of one series: W_DOWN is the sum of the squares of the negative values
W_COUNT, W_MEAN, W_SQUARES, W_DOWN, W_GROWTH = 0, 1, 2, 3, 4
# of two series
P_COUNT, P_LEFT, P_RIGHT, P_LEFT_SQUARES, P_RIGHT_SQUARES, P_PRODUCTS = 0, 1, 2, 3, 4, 5


@inlined
def _join(left: Floats, right: Floats, both: Floats) -> None:
    count = left[W_COUNT] + right[W_COUNT]
    share = right[W_COUNT] / count if count > 0.0 else 0.0
    off = right[W_MEAN] - left[W_MEAN]
    both[W_MEAN] = left[W_MEAN] + off * share
    both[W_SQUARES] = left[W_SQUARES] + right[W_SQUARES] + off * off * left[W_COUNT] * share
    both[W_DOWN] = left[W_DOWN] + right[W_DOWN]
    both[W_GROWTH] = left[W_GROWTH] * right[W_GROWTH]
    both[W_COUNT] = count


@inlined
def _single(value: float, threshold: float, state: Floats) -> None:
    known = not np.isnan(value)
    excess = value - threshold if known else 0.0
    state[W_COUNT] = 1.0 if known else 0.0
    state[W_MEAN] = excess
    state[W_SQUARES] = 0.0
    state[W_DOWN] = min(excess, 0.0) ** 2
    state[W_GROWTH] = 1.0 + value if known else 1.0


@kernel
def moments(values: Floats, window: int, threshold: float) -> Floats:
    """(n, 5) of W_: the known values above the threshold in each window; NaN before the first is whole."""
    n = len(values)
    found = np.full((n, 5), np.nan)
    ends = np.empty((window, 5))
    one, begun = np.empty(5), np.empty(5)
    for first in range(0, n - window + 1, window):
        middle = first + window
        _single(values[middle - 1], threshold, ends[window - 1])
        for o in range(window - 2, -1, -1):
            _single(values[first + o], threshold, one)
            _join(ends[o + 1], one, ends[o])
        found[middle - 1] = ends[0]
        begun[:] = 0.0
        begun[W_GROWTH] = 1.0
        for o in range(1, min(window, n - middle + 1)):
            _single(values[middle + o - 1], threshold, one)
            _join(begun, one, begun)
            _join(ends[o], begun, found[middle + o - 1])
    return found


@inlined
def _join_pairs(left: Floats, right: Floats, both: Floats) -> None:
    count = left[P_COUNT] + right[P_COUNT]
    share = right[P_COUNT] / count if count > 0.0 else 0.0
    weight = left[P_COUNT] * share
    across, along = right[P_LEFT] - left[P_LEFT], right[P_RIGHT] - left[P_RIGHT]
    both[P_LEFT] = left[P_LEFT] + across * share
    both[P_RIGHT] = left[P_RIGHT] + along * share
    both[P_LEFT_SQUARES] = left[P_LEFT_SQUARES] + right[P_LEFT_SQUARES] + across * across * weight
    both[P_RIGHT_SQUARES] = left[P_RIGHT_SQUARES] + right[P_RIGHT_SQUARES] + along * along * weight
    both[P_PRODUCTS] = left[P_PRODUCTS] + right[P_PRODUCTS] + across * along * weight
    both[P_COUNT] = count


@inlined
def _pair(left: float, right: float, state: Floats) -> None:
    known = not (np.isnan(left) or np.isnan(right))
    state[:] = 0.0
    if known:
        state[P_COUNT] = 1.0
        state[P_LEFT] = left
        state[P_RIGHT] = right


@kernel
def pairs(left: Floats, right: Floats, window: int) -> Floats:
    """(n, 6) of P_: the periods of each window in which both values are known; NaN before the first is whole."""
    n = len(left)
    found = np.full((n, 6), np.nan)
    ends = np.empty((window, 6))
    one, begun = np.empty(6), np.empty(6)
    for first in range(0, n - window + 1, window):
        middle = first + window
        _pair(left[middle - 1], right[middle - 1], ends[window - 1])
        for o in range(window - 2, -1, -1):
            _pair(left[first + o], right[first + o], one)
            _join_pairs(ends[o + 1], one, ends[o])
        found[middle - 1] = ends[0]
        begun[:] = 0.0
        for o in range(1, min(window, n - middle + 1)):
            _pair(left[middle + o - 1], right[middle + o - 1], one)
            _join_pairs(begun, one, begun)
            _join_pairs(ends[o], begun, found[middle + o - 1])
    return found


@inlined
def _fall(high: float, low: float) -> float:
    return (high - low) / high if high > 0.0 and low < high else 0.0


@kernel
def drawdowns(equity: Floats, window: int) -> Floats:
    """(n,) the deepest drawdown inside each window, a positive fraction; NaN before the first is whole."""
    n = len(equity)
    found = np.full(n, np.nan)
    highs, lows, falls = np.empty(window), np.empty(window), np.empty(window)
    for first in range(0, n - window + 1, window):
        middle = first + window
        high, low, fall = -np.inf, np.inf, 0.0
        for o in range(window - 1, -1, -1):
            value = equity[first + o]
            if not np.isnan(value):
                fall = max(fall, _fall(value, low))
                high, low = max(high, value), min(low, value)
            highs[o], lows[o], falls[o] = high, low, fall
        found[middle - 1] = falls[0]
        high, low, fall = -np.inf, np.inf, 0.0
        for o in range(1, min(window, n - middle + 1)):
            value = equity[middle + o - 1]
            if not np.isnan(value):
                high, low = max(high, value), min(low, value)
                fall = max(fall, _fall(high, value))
            found[middle + o - 1] = max(falls[o], fall, _fall(highs[o], low))
    return found
