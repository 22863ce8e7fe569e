"""The summary of an equity curve is what the measures say, one by one."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analytics import measures
from core.analytics.summary import SUMMARY, summarise

YEAR = 525_600.0


def by_measures(equity: np.ndarray, cash: float, year: float) -> dict[str, float]:
    curve = np.concatenate(([cash], equity))
    returns = measures.returns_of(curve)[1:]
    return {
        "total_return": curve[-1] / cash - 1.0,
        "cagr": measures.cagr(returns, year),
        "sharpe": measures.sharpe_ratio(returns, year),
        "sortino": measures.sortino_ratio(returns, year),
        "calmar": measures.calmar_ratio(curve, year),
        "max_drawdown": measures.max_drawdown(curve),
        "max_drawdown_duration": measures.max_drawdown_duration(curve),
        "volatility": measures.volatility(returns, year),
        "skew": measures.skewness(returns),
        "kurtosis": measures.kurtosis(returns),
        "final_equity": curve[-1],
    }


def agrees(equity: np.ndarray, cash: float, year: float = YEAR) -> None:
    summary = dict(zip(SUMMARY, summarise(equity, cash, year), strict=True))
    for name, expected in by_measures(equity, cash, year).items():
        assert summary[name] == pytest.approx(expected, rel=1e-12, abs=0.0, nan_ok=True), name


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 512, 1_025, 10_000])
def test_a_random_curve_is_summarised_as_the_measures_have_it(n: int) -> None:
    rng = np.random.default_rng(n)
    agrees(10_000.0 * np.cumprod(1.0 + rng.standard_t(4, n) * 1e-3), 10_000.0)


@pytest.mark.parametrize(
    "equity",
    [
        [],
        [10_000.0],
        [10_000.0] * 700,
        [0.0] * 5,
        [9_000.0, 0.0, 0.0, 50.0],
        list(10_000.0 * 1.003 ** np.arange(1, 2_000)),
        list(10_000.0 * 0.997 ** np.arange(1, 2_000)),
        [math.nan, 9_000.0, math.nan, 12_000.0, 11_000.0],
        [math.nan] * 3,
    ],
)
def test_curves_without_much_to_tell_are_summarised_as_the_measures_have_it(equity: list[float]) -> None:
    agrees(np.array(equity), 10_000.0, 365.0)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.integers(1, 700), elements=st.floats(0.01, 1e6)),
    st.floats(0.01, 1e6),
    st.floats(1.0, 600_000.0),
)
def test_any_curve_is_summarised_as_the_measures_have_it(equity: np.ndarray, cash: float, year: float) -> None:
    agrees(equity, cash, year)


def test_threads_that_summarise_at_once_find_the_same() -> None:
    rng = np.random.default_rng(3)
    curves = [10_000.0 * np.cumprod(1.0 + rng.normal(0.0, 1e-3, 20_000)) for _ in range(8)]
    alone = [summarise(curve, 10_000.0, YEAR) for curve in curves]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda curve: summarise(curve, 10_000.0, YEAR), curves))
    np.testing.assert_array_equal(alone, together)
