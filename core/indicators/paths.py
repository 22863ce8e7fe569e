"""Kernels of what begins anew with each session."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import kernel
from core.indicators.described import Floats


@kernel
def session_vwap(sessions: NDArray[np.int64], prices: Floats, volume: Floats) -> Floats:
    """The volume-weighted average since the session began; the price itself while nothing was traded."""
    out = np.empty(len(prices))
    paid, traded = 0.0, 0.0
    for t in range(len(prices)):
        if t > 0 and sessions[t] != sessions[t - 1]:
            paid, traded = 0.0, 0.0
        paid += prices[t] * volume[t]
        traded += volume[t]
        out[t] = paid / traded if traded > 0.0 else prices[t]
    return out


@kernel
def previous_sessions(
    sessions: NDArray[np.int64], whole: bool, high: Floats, low: Floats, close: Floats
) -> tuple[Floats, Floats, Floats]:
    """(high, low, close) of the session before. The first counts if it is whole: if the first bar begins it."""
    n = len(high)
    top, bottom, last = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    before_high, before_low, before_close = np.nan, np.nan, np.nan
    now_high, now_low, counts = high[0], low[0], whole
    for t in range(n):
        if t > 0 and sessions[t] != sessions[t - 1]:
            if counts:
                before_high, before_low, before_close = now_high, now_low, close[t - 1]
            counts = True
            now_high, now_low = high[t], low[t]
        now_high, now_low = max(now_high, high[t]), min(now_low, low[t])
        top[t], bottom[t], last[t] = before_high, before_low, before_close
    return top, bottom, last
