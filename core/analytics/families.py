"""Tests of a family of strategies: is the best of them better than the benchmark, or the luckiest of many?

excess: (n, strategies), each strategy's return less the benchmark's in each period. The null hypothesis is that none
is better on average. Histories are resampled by the stationary bootstrap of `core.analytics.bootstrap`.
Sources: White (2000), A Reality Check for Data Snooping; Hansen (2005), A Test for Superior Predictive Ability.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.analytics.bootstrap import aggregated, optimal_block_length, resampled
from core.errors import InvalidInput

Floats = NDArray[np.float64]
CHUNK = 100  # samples that are drawn together
MOST_LENGTHS = 50  # strategies whose autocorrelation decides the block length


@dataclass(frozen=True, slots=True)
class RealityCheck:
    """White's reality check. best: the strategy with the largest mean excess; p_value: NaN when nothing varies."""

    statistic: float
    p_value: float
    best: int


@dataclass(frozen=True, slots=True)
class SuperiorAbility:
    """Hansen's test. consistent is the p-value to read; lower and upper bound it; NaN when nothing varies."""

    statistic: float
    lower: float
    consistent: float
    upper: float
    best: int


def reality_check(excess: ArrayLike, samples: int = 1000, seed: int = 0, *, block: float | None = None) -> RealityCheck:
    """White's reality check: the chance that luck alone makes the best mean excess at least as large."""
    rows = _rows(excess)
    means = rows.mean(axis=0)
    best, scale = int(np.argmax(means)), float(np.sqrt(len(rows)))
    if not np.ptp(rows, axis=0).any():
        return RealityCheck(scale * float(means[best]), float("nan"), best)
    drawn = _resampled_means(rows, _block(rows, block), samples, seed) - means
    reached = int(np.count_nonzero(drawn.max(axis=1) >= means[best]))
    return RealityCheck(scale * float(means[best]), (reached + 1) / (samples + 1), best)


def superior_predictive_ability(
    excess: ArrayLike, samples: int = 1000, seed: int = 0, *, block: float | None = None, studentised: bool = True
) -> SuperiorAbility:
    """Hansen's test: as the reality check, but poor and wildly varying strategies no longer hide a good one.

    studentised: each mean excess is divided by its standard error
    """
    rows = _rows(excess)
    n, means, length = len(rows), rows.mean(axis=0), _block(rows, block)
    moves = np.ptp(rows, axis=0) > 0.0
    if not moves.any():
        return SuperiorAbility(float("nan"), float("nan"), float("nan"), float("nan"), int(np.argmax(means)))
    index = np.flatnonzero(moves)
    rows, means = rows[:, moves], means[moves]
    error = np.sqrt(_variance(rows, length) / n)  # of each mean
    weight = 1.0 / error if studentised else np.ones_like(error)
    best = int(np.argmax(means * weight))
    statistic = float((means * weight)[best])
    threshold = -error * np.sqrt(2.0 * np.log(np.log(max(n, 3))))
    drawn = _resampled_means(rows, length, samples, seed)
    values = []
    for centre in (np.maximum(means, 0.0), np.where(means >= threshold, means, 0.0), means):
        # Hansen's statistic is not below 0, as doing nothing is always open
        reached = int(np.count_nonzero(np.maximum(((drawn - centre) * weight).max(axis=1), 0.0) >= max(statistic, 0.0)))
        values.append((reached + 1) / (samples + 1))
    lower, consistent, upper = values
    return SuperiorAbility(statistic, lower, consistent, upper, int(index[best]))


def _rows(excess: ArrayLike) -> Floats:
    rows, _ = aggregated(excess)
    if rows.ndim == 1:
        rows = rows[:, None]
    if len(rows) < 4 or rows.shape[1] == 0:
        raise InvalidInput(
            f"A family test needs at least 4 periods of one strategy, not {len(rows)} of {rows.shape[1]}."
        )
    return rows


def _block(rows: Floats, block: float | None) -> float:
    """As given, or the average over the strategies of the best lengths."""
    if block is not None:
        if not block >= 1.0:
            raise InvalidInput(f"A block length of {block} is below one period.")
        return float(block)
    step = -(-rows.shape[1] // MOST_LENGTHS)
    return max(1.0, float(np.mean([optimal_block_length(column) for column in rows.T[::step]])))


def _resampled_means(rows: Floats, length: float, samples: int, seed: int) -> Floats:
    """(samples, strategies) mean excess in each resampled history."""
    if not 1 <= samples <= 1_000_000:
        raise InvalidInput(f"{samples} samples are not between 1 and 1,000,000; 1,000 are usual.")
    n = len(rows)
    found = np.empty((samples, rows.shape[1]))
    for first in range(0, samples, CHUNK):
        part = min(CHUNK, samples - first)
        found[first : first + part] = resampled(n, length, part, seed, first) @ rows / n
    return found


def _variance(rows: Floats, length: float) -> Floats:
    """(strategies,) of sqrt(n) times the mean under the stationary bootstrap. Source: Politis and Romano (1994)."""
    n, stay = len(rows), 1.0 - 1.0 / length
    lags = np.arange(n)
    weight = 2.0 * ((1.0 - lags / n) * stay**lags + (lags / n) * stay ** (n - lags))
    weight[0] = 1.0
    variance = np.empty(rows.shape[1])
    for first in range(0, rows.shape[1], CHUNK):
        part = rows[:, first : first + CHUNK]
        centred = part - part.mean(axis=0)
        spectrum = np.fft.rfft(centred, 2 * n, axis=0)  # twice as long, so that the end does not meet the beginning
        covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, 2 * n, axis=0)[:n] / n
        # may be negative by chance where neighbours cancel each other
        variance[first : first + CHUNK] = np.maximum(weight @ covariance, 1e-6 * covariance[0])
    return variance
