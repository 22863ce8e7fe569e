"""Rolling measures are the measures of every window."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analytics import measures
from core.errors import InvalidInput

YEAR = 365.0
Function = Callable[..., float]
SINGLE: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], Callable[[np.ndarray], float]]] = {
    "return": (measures.rolling_return, measures.total_return),
    "volatility": (lambda r, w: measures.rolling_volatility(r, w, YEAR), lambda r: measures.volatility(r, YEAR)),
    "sharpe": (
        lambda r, w: measures.rolling_sharpe(r, w, YEAR, 0.05),
        lambda r: measures.sharpe_ratio(r, YEAR, 0.05),
    ),
    "sortino": (lambda r, w: measures.rolling_sortino(r, w, YEAR), lambda r: measures.sortino_ratio(r, YEAR)),
    "drawdown": (lambda r, w: measures.rolling_max_drawdown(1.0 + r, w), lambda r: measures.max_drawdown(1.0 + r)),
}


def each_window(measure: Function, window: int, *series: np.ndarray) -> np.ndarray:
    found = np.full(len(series[0]), math.nan)
    for last in range(window, len(found) + 1):
        found[last - 1] = measure(*(each[last - window : last] for each in series))
    return found


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("window", [2, 3, 50, 299, 300, 301])
def test_a_rolling_measure_is_the_measure_of_each_window(name: str, window: int) -> None:
    rolled, measure = SINGLE[name]
    rng = np.random.default_rng(9)
    returns = rng.normal(0.0, 0.01, 300)
    returns[40:60] = math.nan
    returns[100:140] = 0.004  # windows without variation
    np.testing.assert_allclose(rolled(returns, window), each_window(measure, window, returns), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(0, 60), elements=st.floats(0.1, 10.0)), st.integers(2, 12))
def test_the_rolling_drawdown_of_any_curve_is_that_of_each_window(equity: np.ndarray, window: int) -> None:
    told = measures.rolling_max_drawdown(equity, window)
    np.testing.assert_array_equal(told, each_window(measures.max_drawdown, window, equity))


@pytest.mark.parametrize("window", [3, 40, 250])
def test_rolling_beta_and_correlation_are_those_of_each_window(window: int) -> None:
    rng = np.random.default_rng(2)
    market = rng.normal(0.0, 0.01, 300)
    own = 0.7 * market + rng.normal(0.0, 0.005, 300)
    own[20:30], market[25:35] = math.nan, math.nan
    market[100:160] = 0.001

    def correlation(left: np.ndarray, right: np.ndarray) -> float:
        known = ~(np.isnan(left) | np.isnan(right))
        left, right = left[known], right[known]
        if len(left) < 3 or np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
            return math.nan
        return float(np.corrcoef(left, right)[0, 1])

    told = measures.rolling_beta(own, market, window)
    np.testing.assert_allclose(told, each_window(measures.beta, window, own, market), rtol=1e-9, atol=1e-12)
    told = measures.rolling_correlation(own, market, window)
    np.testing.assert_allclose(told, each_window(correlation, window, own, market), rtol=1e-9, atol=1e-12)


def test_a_storm_leaves_no_trace_in_the_windows_after_it() -> None:
    calm = np.tile([1e-6, -1e-6, 2e-6], 100)
    stormy = np.concatenate(([1e6, -1e6, 3e5], calm))
    told = measures.rolling_volatility(stormy, 30, 1.0)[3 + 29 :]
    np.testing.assert_allclose(told, measures.rolling_volatility(calm, 30, 1.0)[29:], rtol=1e-12)


def test_any_measure_rolls_by_name_or_as_a_function() -> None:
    returns = np.random.default_rng(6).normal(0.0, 0.01, 120)
    market = np.random.default_rng(7).normal(0.0, 0.01, 120)
    by_name = measures.rolling("value_at_risk", returns, 30, level=0.9)
    expected = each_window(lambda part: measures.value_at_risk(part, 0.9), 30, returns)
    np.testing.assert_array_equal(by_name, expected)
    np.testing.assert_array_equal(measures.rolling(np.median, returns, 5), each_window(np.median, 5, returns))
    np.testing.assert_array_equal(
        measures.rolling(measures.sharpe_ratio, returns, 30, periods_per_year=YEAR),
        measures.rolling_sharpe(returns, 30, YEAR),
    )
    np.testing.assert_allclose(
        measures.rolling("information_ratio", returns, 30, market, periods_per_year=YEAR),
        each_window(lambda own, other: measures.information_ratio(own, other, YEAR), 30, returns, market),
    )
    np.testing.assert_array_equal(
        measures.rolling("beta", returns, 30, market), measures.rolling_beta(returns, market, 30)
    )


def test_a_series_shorter_than_the_window_is_all_unknown() -> None:
    for series in (np.empty(0), np.array([0.01]), np.array([0.01, 0.02])):
        for told in (
            measures.rolling_volatility(series, 3, YEAR),
            measures.rolling_max_drawdown(series, 3),
            measures.rolling_beta(series, series, 3),
            measures.rolling("omega_ratio", series, 3),
        ):
            assert told.shape == series.shape
            assert np.isnan(told).all()


def test_a_wrong_window_or_name_is_refused() -> None:
    for window in (1, 0, -3, 2.5):
        with pytest.raises(InvalidInput, match=str(window)):
            measures.rolling_sharpe([0.1, 0.2], window, YEAR)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="sharp_ratio"):
        measures.rolling("sharp_ratio", [0.1, 0.2], 2)
    with pytest.raises(InvalidInput, match="benchmark"):
        measures.rolling("beta", [0.1, 0.2], 2, [0.1])
    with pytest.raises(InvalidInput, match="2 periods"):
        measures.rolling_beta([0.1, 0.2], [0.1], 2)
