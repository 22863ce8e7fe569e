"""Measures against figures that were published.

Bacon, "Practical Portfolio Performance Measurement and Attribution" (2008, 2nd edition), ch. 4: the 24 monthly returns
of its example in percent, and the sums of its worked tables.
"""

import math

import numpy as np
import pytest

from core.analytics import measures

PERCENT = (0.3, 2.6, 1.1, -1.0, 1.5, 2.5, 1.6, 6.7, -1.4, 4.0, -0.5, 8.1, 4.0, -3.7, -6.1, 1.7, -4.9, -2.2, 7.0, 5.8)
PERCENT += (-6.5, 2.4, -0.5, -0.9)
MARKET = (0.2, 2.5, 1.8, -1.1, 1.4, 1.8, 1.4, 6.5, -1.5, 4.2, -0.6, 8.3, 3.9, -3.8, -6.2, 1.5, -4.8, 2.1, 6.0, 5.6)
MARKET += (-6.7, 1.9, -0.3, 0.0)
RETURNS, BENCHMARK = np.array(PERCENT) / 100, np.array(MARKET) / 100
MONTHS = 12.0


def test_variability_of_bacons_portfolio() -> None:
    assert np.mean(RETURNS) == pytest.approx(0.009, rel=1e-12)
    assert measures.volatility(RETURNS, 1.0) == pytest.approx(math.sqrt(0.035974 / 23), rel=1e-12)
    assert measures.volatility(RETURNS, MONTHS) == pytest.approx(math.sqrt(0.035974 / 23 * 12), rel=1e-12)
    assert measures.sharpe_ratio(RETURNS, 1.0) == pytest.approx(0.009 / math.sqrt(0.035974 / 23), rel=1e-12)


def test_skew_and_kurtosis_of_bacons_portfolio() -> None:
    deviation = math.sqrt(359.74 / 24)
    assert measures.skewness(RETURNS) == pytest.approx(-114.99 / 24 / deviation**3, rel=1e-4)
    assert measures.kurtosis(RETURNS) == pytest.approx(13116.28 / 24 / deviation**4 - 3.0, abs=2e-6)
    assert measures.kurtosis(RETURNS) + 3.0 == pytest.approx(2.43, abs=0.005)


def test_what_bacons_portfolio_lacks_to_half_a_percent() -> None:
    assert measures.downside_deviation(RETURNS, 1.0, required=0.005) == pytest.approx(0.0255, abs=5e-5)
    assert measures.omega_ratio(RETURNS, required=0.005) == pytest.approx(42.5 / 32.9, rel=1e-12)
    assert measures.omega_ratio(RETURNS) == pytest.approx(1.78, abs=0.005)  # its Bernardo and Ledoit ratio
    monthly = (1.0 + 0.005) ** 12 - 1.0
    assert measures.sortino_ratio(RETURNS, MONTHS, monthly) / math.sqrt(12) == pytest.approx(0.157, abs=5e-4)  # kappa 2


def test_bacons_portfolio_beside_its_benchmark() -> None:
    spread = float(np.sum((BENCHMARK - BENCHMARK.mean()) ** 2))
    assert measures.beta(RETURNS, BENCHMARK) == pytest.approx(0.033844 / spread, rel=1e-10)


def test_drawdowns_of_bacons_portfolio() -> None:
    equity = measures.equity_of(RETURNS)[1:]  # the months' ends, as the book counts them
    assert measures.average_drawdown(equity) == pytest.approx(0.04, abs=0.002)  # its pain index
    growth = measures.cagr(RETURNS, MONTHS)
    assert growth / measures.ulcer_index(equity) == pytest.approx(1.70, abs=0.01)  # its Martin ratio
    assert growth / measures.average_drawdown(equity) == pytest.approx(2.66, abs=0.08)  # its pain ratio


def test_the_two_examples_of_kurtosis_that_encyclopedias_use() -> None:
    outlier = [0.0, 3, 4, 1, 2, 3, 0, 2, 1, 3, 2, 0, 2, 2, 3, 2, 5, 2, 3, 999]
    assert measures.kurtosis(outlier) + 3.0 == pytest.approx(18.051426543784185, rel=1e-12)
    heights = np.repeat([61.0, 64.0, 67.0, 70.0, 73.0], [5, 18, 42, 27, 8])  # Spiegel and Stephens (1999)
    assert measures.skewness(heights) == pytest.approx(-0.10815437112298999, rel=1e-12)
    assert measures.kurtosis(heights) + 3.0 == pytest.approx(2.741758968539624, rel=1e-12)


def test_the_ulcer_index_of_a_fall_and_its_recovery() -> None:
    # Martin and McCann (1989): the root of the mean of the squared percentages below the high.
    equity = [100.0, 90.0, 80.0, 90.0, 100.0]
    assert measures.ulcer_index(equity) == pytest.approx(math.sqrt((0.0 + 100 + 400 + 100 + 0) / 5) / 100, rel=1e-12)
    assert measures.martin_ratio([100.0, 90.0, 110.0], 2.0) == pytest.approx(0.1 / math.sqrt(0.01 / 3), rel=1e-12)


def test_an_even_bet_at_two_to_one_is_staked_as_kelly_has_it() -> None:
    # Kelly (1956): p - q / b with p = q = 1/2 and b = 2
    assert measures.kelly_fraction([2.0, -1.0]) == pytest.approx(0.25)
    assert measures.sqn([2.0, -1.0, 2.0, -1.0]) == pytest.approx(0.5 / math.sqrt(3.0) * 2.0)
