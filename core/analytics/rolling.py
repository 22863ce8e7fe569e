"""Measures of every window of a series, one per period: (n,) with NaN before the first window is whole.

window: periods, at least 2. A NaN inside a window is left out; the value is NaN where the measure of what remains is.
Those with a name of their own take time in proportion to the series alone, whatever the window.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.analytics import windows
from core.analytics.series import Floats, counted, floats, per_period, yearly
from core.errors import InvalidInput


def rolling_return(returns: ArrayLike, window: int) -> Floats:
    """Compounded return of each window."""
    return _moments(returns, window)[:, windows.W_GROWTH] - 1.0


def rolling_volatility(returns: ArrayLike, window: int, periods_per_year: float) -> Floats:
    """Annualised sample standard deviation of each window."""
    return _deviation(_moments(returns, window)) * np.sqrt(yearly(periods_per_year))


def rolling_sharpe(returns: ArrayLike, window: int, periods_per_year: float, risk_free: float = 0.0) -> Floats:
    """Sharpe ratio of each window, as measures.sharpe_ratio."""
    found = _moments(returns, window, per_period(risk_free, periods_per_year))
    return _ratios(found[:, windows.W_MEAN], _deviation(found)) * np.sqrt(periods_per_year)


def rolling_sortino(returns: ArrayLike, window: int, periods_per_year: float, risk_free: float = 0.0) -> Floats:
    """Sortino ratio of each window, as measures.sortino_ratio."""
    found = _moments(returns, window, per_period(risk_free, periods_per_year))
    with np.errstate(invalid="ignore"):
        downside = np.sqrt(found[:, windows.W_DOWN] / found[:, windows.W_COUNT])
    return _ratios(found[:, windows.W_MEAN], downside) * np.sqrt(periods_per_year)


def rolling_max_drawdown(equity: ArrayLike, window: int) -> Floats:
    """Deepest drawdown inside each window of the equity, measured from the high of the window; a positive fraction."""
    return windows.drawdowns(floats(equity), counted(window))


def rolling_beta(returns: ArrayLike, benchmark: ArrayLike, window: int) -> Floats:
    """Beta of each window, as measures.beta."""
    found = _pairs(returns, benchmark, window)
    least = 1e-15 * np.maximum(1.0, np.abs(found[:, windows.P_RIGHT]))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(found[:, windows.P_RIGHT_SQUARES] / found[:, windows.P_COUNT])
        slope = found[:, windows.P_PRODUCTS] / found[:, windows.P_RIGHT_SQUARES]
    return np.where((found[:, windows.P_COUNT] > 1) & (spread > least), slope, np.nan)


def rolling_correlation(left: ArrayLike, right: ArrayLike, window: int) -> Floats:
    """Pearson's correlation of each window; NaN below three common periods or where either does not vary."""
    found = _pairs(left, right, window)
    count = found[:, windows.P_COUNT]
    varies = count > 2
    with np.errstate(invalid="ignore", divide="ignore"):
        for squares, mean in (
            (windows.P_LEFT_SQUARES, windows.P_LEFT),
            (windows.P_RIGHT_SQUARES, windows.P_RIGHT),
        ):
            least = 1e-15 * np.maximum(1.0, np.abs(found[:, mean]))
            varies &= np.sqrt(found[:, squares] / count) > least
        spread = np.sqrt(found[:, windows.P_LEFT_SQUARES]) * np.sqrt(found[:, windows.P_RIGHT_SQUARES])
        values = np.clip(found[:, windows.P_PRODUCTS] / spread, -1.0, 1.0)
    return np.where(varies, values, np.nan)


def rolling(
    measure: str | Callable[..., float],
    values: ArrayLike,
    window: int,
    benchmark: ArrayLike | None = None,
    **options: Any,
) -> Floats:
    """Any measure of each window: a function of returns (or of equity), or the name of one in core.analytics.measures.

    benchmark: for a measure of two series. options: what else the measure takes, as periods_per_year. Measures that
    have a rolling version of their own are computed by it; another one is called once for every window.
    """
    from core.analytics import measures

    if isinstance(measure, str):
        if measure not in measures.__all__:
            raise InvalidInput(f"No measure '{measure}'; there are {', '.join(measures.__all__)}.")
        measure = vars(measures)[measure]
    series = [floats(values)] + ([] if benchmark is None else [floats(benchmark)])
    if len({len(each) for each in series}) > 1:
        raise InvalidInput(f"{len(series[0])} periods cannot be compared with {len(series[1])} of a benchmark.")
    own = QUICK.get(getattr(measure, "__name__", "")) if getattr(measure, "__module__", "") in HOME else None
    if own is not None:
        return own(*series, window, **options)
    if not callable(measure):
        raise InvalidInput(f"A rolling measure is a name or a function, not {measure!r}.")
    found = np.full(len(series[0]), np.nan)
    for last in range(counted(window, 1), len(found) + 1):
        found[last - 1] = measure(*(each[last - window : last] for each in series), **options)
    return found


HOME = ("core.analytics.ratios", "core.analytics.equity", "core.analytics.relative")
QUICK: dict[str, Callable[..., Floats]] = {
    "total_return": rolling_return,
    "volatility": rolling_volatility,
    "sharpe_ratio": rolling_sharpe,
    "sortino_ratio": rolling_sortino,
    "max_drawdown": rolling_max_drawdown,
    "beta": rolling_beta,
}


def _moments(returns: ArrayLike, window: int, threshold: float = 0.0) -> Floats:
    return windows.moments(floats(returns), counted(window), threshold)


def _pairs(left: ArrayLike, right: ArrayLike, window: int) -> Floats:
    first, second = floats(left), floats(right)
    if len(first) != len(second):
        raise InvalidInput(f"{len(first)} periods cannot be compared with {len(second)}.")
    return windows.pairs(first, second, counted(window))


def _deviation(found: Floats) -> Floats:
    count = found[:, windows.W_COUNT]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 1.0, np.sqrt(found[:, windows.W_SQUARES] / (count - 1.0)), np.nan)


def _ratios(numerators: Floats, denominators: Floats) -> Floats:
    tiny = 1e-15 * np.maximum(1.0, np.abs(numerators))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominators > tiny, numerators / denominators, np.nan)
