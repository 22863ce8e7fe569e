"""Bars that might have been: another future after a bar, or the same history with noise on its prices."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.market.bars import Bars

Floats = NDArray[np.float64]
QUIETEST = 1e-4  # of the returns of another future, where the past hardly moves


def another_future(bars: Bars, known: int, seed: int) -> Bars:
    """The same first `known` bars, then a random walk as restless as they are; the times stay."""
    later = len(bars) - known
    if later <= 0:
        return bars
    rng = np.random.default_rng([seed, known, later])
    changes = np.diff(np.log(bars.close[:known])) if known > 2 else np.zeros(1)
    restless = max(QUIETEST, float(np.std(changes)))
    start = float(bars.close[known - 1]) if known else float(bars.open[0])
    close = start * np.exp(np.cumsum(rng.normal(0.0, restless, later)))
    opened = np.append(start, close[:-1]) * np.exp(rng.normal(0.0, restless / 10.0, later))
    reach = np.exp(np.abs(rng.normal(0.0, restless / 2.0, (2, later))))
    volume = np.append(bars.volume[:known], rng.permutation(bars.volume)[:later] * rng.uniform(0.3, 3.0, later))
    return replace(
        bars,
        open=np.append(bars.open[:known], opened),
        high=np.append(bars.high[:known], np.maximum(opened, close) * reach[0]),
        low=np.append(bars.low[:known], np.minimum(opened, close) / reach[1]),
        close=np.append(bars.close[:known], close),
        volume=volume,
    )


def noisy(bars: Bars, noise: float, seed: int) -> Bars:
    """The same bars with every bar's move changed at random, by about `noise` times the bar's range.

    The changes add up and are pinned to the last close, so that the market begins and ends where it did: noise that
    fades from bar to bar would be prices that revert, which a strategy could trade. An open moves with the close before
    it; high and low still enclose open and close, and every price stays positive.
    """
    n = len(bars)
    if n == 0:
        return bars
    rng = np.random.default_rng(seed)
    changes = noise * np.log(bars.high / bars.low) * np.clip(rng.normal(0.0, 1.0, n), -4.0, 4.0)
    weight = np.cumsum(changes**2)
    shift = np.cumsum(changes)
    if weight[-1] > 0.0:
        shift -= shift[-1] * (weight / weight[-1])
    before = np.append(0.0, shift[:-1])
    middle = (shift + before) / 2.0
    opened, close = bars.open * np.exp(before), bars.close * np.exp(shift)
    return replace(
        bars,
        open=opened,
        close=close,
        high=np.maximum(bars.high * np.exp(middle), np.maximum(opened, close)),
        low=np.minimum(bars.low * np.exp(middle), np.minimum(opened, close)),
    )
