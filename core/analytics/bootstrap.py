"""The stationary bootstrap: how far a measure of returns may lie from what one history shows.

Blocks of random length keep what neighbouring periods have to do with each other (volatility that clusters, trends).
A series longer than LONGEST is first compounded into equal runs of periods, so that minutes cost as little as days;
what is shorter than such a run keeps its structure whole. Sample i of a seed is the same wherever it is drawn.
Sources: Politis and Romano (1994); Politis and White (2004) with the correction of Patton, Politis and White (2009).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.indicators.compiled import inlined, kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Measure = Callable[[Floats, float], float]  # of returns and periods per year, as those of core.analytics.measures

LONGEST = 5_000  # periods that are resampled; a longer series is compounded into runs
LEAST = 4  # periods below which nothing can be said
NAN = float("nan")


def bootstrap_interval(
    returns: ArrayLike,
    measure: Measure | str = "sharpe",
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    *,
    periods_per_year: float = 1.0,
    block: float | None = None,
) -> tuple[float, float]:
    """Between which values the measure lies with this confidence: percentiles over resampled histories.

    measure: "sharpe", or a function of (returns, periods_per_year) such as measures.sortino_ratio
    periods_per_year: 1 gives a ratio per period
    block: average length in periods; chosen from the autocorrelation when not given
    Returns (low, high), NaN below four periods or without variation. Raises InvalidInput.
    """
    known, run = aggregated(returns)
    _check(level, samples, periods_per_year)
    if len(known) < LEAST or not np.ptp(known) > 0.0:
        return NAN, NAN
    rows = known[:, None]
    length = _length(known, block, run)
    values = _sampled(rows, _measure(measure), periods_per_year / run, length, samples, seed)[:, 0]
    found = values[np.isfinite(values)]
    if len(found) < samples / 2:
        return NAN, NAN
    low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    measure: Measure | str = "sharpe",
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    *,
    periods_per_year: float = 1.0,
    block: float | None = None,
) -> tuple[float, float, float, float]:
    """The difference of a measure between two series of the same periods: (difference, low, high, p_value).

    Both are resampled together, so that what moves both does not count as a difference. p_value: how often chance
    alone makes one at least as large, in either direction. NaN where the measure is not defined. Raises InvalidInput
    when the lengths differ.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise InvalidInput(
            f"Two series are compared period by period, and these have {first.size:,} and {second.size:,} periods."
        )
    _check(level, samples, periods_per_year)
    rows, run = aggregated(np.column_stack([first, second]))
    if len(rows) < LEAST:
        return NAN, NAN, NAN, NAN
    year, chosen = periods_per_year / run, _measure(measure)
    difference = chosen(rows[:, 0], year) - chosen(rows[:, 1], year)
    if not np.isfinite(difference):
        return NAN, NAN, NAN, NAN
    if np.array_equal(rows[:, 0], rows[:, 1]):
        return 0.0, 0.0, 0.0, 1.0
    length = max(_length(rows[:, column], block, run) for column in (0, 1))
    values = _sampled(rows, chosen, year, length, samples, seed)
    drawn = values[:, 0] - values[:, 1]
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < samples / 2:
        return float(difference), NAN, NAN, NAN
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    beyond = int(np.count_nonzero(np.abs(drawn - difference) >= abs(difference)))
    return float(difference), float(low), float(high), (beyond + 1) / (len(drawn) + 1)


def optimal_block_length(returns: ArrayLike) -> float:
    """The average block length that estimates the variance of a mean best; 1 for constant returns.

    Source: Politis and White (2004), corrected by Patton, Politis and White (2009).
    """
    known = np.asarray(returns, dtype=np.float64)
    known = known[~np.isnan(known)]
    n = len(known)
    centred = known - known.mean() if n else known
    if n < LEAST or not np.ptp(known) > 0.0:
        return 1.0
    most = float(np.ceil(min(3.0 * np.sqrt(n), n / 3.0)))
    row = max(5, int(np.log10(n)))  # so many insignificant autocorrelations in a row end the search
    last = min(int(np.ceil(np.sqrt(n))) + row, n - 2)
    bound = 2.0 * np.sqrt(np.log10(n) / n)
    covariance, correlation = np.zeros(last + 1), np.zeros(last + 1)
    ended = None
    for lag in range(last + 1):
        product = float(centred[lag:] @ centred[: n - lag])
        later, earlier = centred[lag + 1 :], centred[: n - lag - 1]
        scale = float(np.sqrt((later @ later) * (earlier @ earlier)))
        covariance[lag] = product / n
        correlation[lag] = abs(product) / scale if scale > 0.0 else 0.0
        if ended is None and lag >= row and np.all(correlation[lag - row : lag] < bound):
            ended = lag - row
    reach = min(last, 2 * max(ended, 1) if ended is not None else last)
    lags = np.arange(1, reach + 1)
    taper = np.where(lags / reach <= 0.5, 1.0, 2.0 * (1.0 - lags / reach))
    slope = float(2.0 * np.sum(taper * lags * covariance[1 : reach + 1]))
    spectrum = float(covariance[0] + 2.0 * np.sum(taper * covariance[1 : reach + 1]))
    if spectrum == 0.0:
        return 1.0
    return float(min(most, (slope**2 / spectrum**2) ** (1 / 3) * n ** (1 / 3)))


def aggregated(returns: ArrayLike, longest: int = LONGEST) -> tuple[Floats, int]:
    """Returns (n,) or (n, series) without the periods that any series lacks, compounded into at most `longest` runs.

    Returns (returns of the runs, periods in a run); the oldest periods that fill no run are left out.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise InvalidInput(f"Returns are one series or the columns of a table, not an array of {values.ndim} axes.")
    missing = np.isnan(values) if values.ndim == 1 else np.isnan(values).any(axis=1)
    known = values[~missing] if missing.any() else values
    run = -(-len(known) // longest)
    if run <= 1:
        return np.ascontiguousarray(known), 1
    edges = np.arange(len(known) % run, len(known), run)
    return np.multiply.reduceat(1.0 + known, edges, axis=0) - 1.0, run


def resampled(n: int, length: float, samples: int, seed: int, first: int = 0) -> Floats:
    """How often each of n periods is drawn in the samples from `first` on: (samples, n); blocks of about `length`."""
    return _drawn(n, 1.0 / max(1.0, length), first, samples, _key(seed))


def indices(n: int, length: float, sample: int, seed: int) -> Integers:
    """(n,) the periods of one sample, in order."""
    return _order(n, 1.0 / max(1.0, length), sample, _key(seed))


def _sampled(rows: Floats, measure: Measure, year: float, length: float, samples: int, seed: int) -> Floats:
    """(samples, series) the measure of each resampled series."""
    if measure is _sharpe:
        chance = 1.0 / max(1.0, length)
        return (
            np.asarray(_sharpes(rows - rows.mean(axis=0), rows.mean(axis=0), chance, samples, _key(seed))) * year**0.5
        )
    found = np.empty((samples, rows.shape[1]))
    for sample in range(samples):
        drawn = rows[indices(len(rows), length, sample, seed)]
        for column in range(rows.shape[1]):
            found[sample, column] = measure(np.ascontiguousarray(drawn[:, column]), year)
    return found


def _sharpe(returns: Floats, periods_per_year: float) -> float:
    deviation = float(np.std(returns, ddof=1))
    if not deviation > 1e-12 * float(np.max(np.abs(returns))):
        return NAN
    return float(np.mean(returns)) / deviation * float(periods_per_year**0.5)


def _measure(measure: Measure | str) -> Measure:
    if callable(measure):
        return measure
    if measure == "sharpe":
        return _sharpe
    from core.analytics import measures

    found: Any = getattr(measures, measure, None) or getattr(measures, f"{measure}_ratio", None)
    if not callable(found):
        raise InvalidInput(f"'{measure}' is no measure of returns; sharpe, sortino, cagr and volatility are some.")
    chosen: Measure = found
    return chosen


def _length(known: Floats, block: float | None, run: int) -> float:
    """The block length in runs: as given in periods, or chosen for the returns and for their squares."""
    if block is not None:
        if not block >= 1.0:
            raise InvalidInput(f"A block length of {block} is below one period.")
        return max(1.0, block / run)
    return max(1.0, optimal_block_length(known), optimal_block_length(known**2))


def _check(level: float, samples: int, periods_per_year: float) -> None:
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"A confidence of {level} is not between 0 and 1; 0.95 is 95 %.")
    if not 1 <= samples <= 1_000_000:
        raise InvalidInput(f"{samples} samples are not between 1 and 1,000,000; 1,000 are usual.")
    if not periods_per_year > 0.0:
        raise InvalidInput(f"{periods_per_year} periods per year are not above 0.")


def _key(seed: int) -> Any:
    return np.uint64(seed & 0xFFFFFFFFFFFFFFFF)


@inlined
def _mixed(bits: Any) -> Any:
    """64 well-mixed bits. Source: Steele, Lea and Flood (2014), SplitMix64."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


@inlined
def _start(key: Any, sample: int) -> Any:
    """Where the stream of a sample begins."""
    return _mixed(_mixed(key + np.uint64(0x9E3779B97F4A7C15)) + np.uint64(sample) * np.uint64(0xD1B54A32D192ED03))


@inlined
def _block(bits: Any, n: int, rate: float, left: int) -> tuple[int, int]:
    """(first period, periods) of a block from 64 random bits; at most `left` periods.

    rate: logarithm of the chance that a block goes on, minus infinity for blocks of one period
    """
    first = int(np.float64(bits & np.uint64(0xFFFFFFFF)) * (n / 4294967296.0))
    if rate == -np.inf:
        return first, 1
    periods = 1.0 + np.floor(np.log((np.float64(bits >> np.uint64(32)) + 0.5) / 4294967296.0) / rate)
    return first, left if periods >= left else int(periods)


@kernel
def _order(n: int, chance: float, sample: int, key: Any) -> Integers:
    found = np.empty(n, np.int64)
    state, rate, done = _start(key, sample), np.log1p(-chance), 0
    while done < n:
        state += np.uint64(0x9E3779B97F4A7C15)
        first, periods = _block(_mixed(state), n, rate, n - done)
        for i in range(periods):
            row = first + i
            found[done + i] = row if row < n else row - n
        done += periods
    return found


@kernel
def _drawn(n: int, chance: float, first: int, samples: int, key: Any) -> Floats:
    found = np.zeros((samples, n))
    rate = np.log1p(-chance)
    for sample in range(samples):
        state, done = _start(key, first + sample), 0
        while done < n:
            state += np.uint64(0x9E3779B97F4A7C15)
            begin, periods = _block(_mixed(state), n, rate, n - done)
            for i in range(periods):
                row = begin + i
                found[sample, row if row < n else row - n] += 1.0
            done += periods
    return found


@kernel
def _sharpes(centred: Floats, mean: Floats, chance: float, samples: int, key: Any) -> Floats:
    """(samples, series) mean per standard deviation of each sample. centred: (n, series) returns less their mean."""
    n, series = centred.shape
    sums, squares = np.zeros((2 * n + 1, series)), np.zeros((2 * n + 1, series))  # up to each period of two rounds
    for i in range(2 * n):
        for column in range(series):
            value = centred[i if i < n else i - n, column]
            sums[i + 1, column] = sums[i, column] + value
            squares[i + 1, column] = squares[i, column] + value * value
    found = np.empty((samples, series))
    total, square = np.empty(series), np.empty(series)
    rate = np.log1p(-chance)
    for sample in range(samples):
        total[:] = 0.0
        square[:] = 0.0
        state, done = _start(key, sample), 0
        while done < n:
            state += np.uint64(0x9E3779B97F4A7C15)
            first, periods = _block(_mixed(state), n, rate, n - done)
            for column in range(series):
                total[column] += sums[first + periods, column] - sums[first, column]
                square[column] += squares[first + periods, column] - squares[first, column]
            done += periods
        for column in range(series):
            variance = (square[column] - total[column] * total[column] / n) / (n - 1)
            if variance > 1e-12 * squares[n, column] / n:
                found[sample, column] = (mean[column] + total[column] / n) / np.sqrt(variance)
            else:
                found[sample, column] = np.nan
    return found
