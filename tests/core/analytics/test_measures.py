"""Measures against small cases worked by hand, and their behaviour at the edges."""

import math

import numpy as np
import pytest

from core.analytics import measures
from core.errors import InvalidInput

RETURNS = np.array([0.10, -0.05, 0.02, -0.01])
EQUITY = np.array([100.0, 120.0, 90.0, 108.0, 130.0, 117.0])


def test_total_and_annual_return() -> None:
    total = 1.1 * 0.95 * 1.02 * 0.99 - 1
    assert measures.total_return(RETURNS) == pytest.approx(total)
    assert measures.cagr(RETURNS, 8) == pytest.approx((1 + total) ** 2 - 1)
    assert measures.cagr(np.array([-1.0]), 365) == -1.0


def test_ratios() -> None:
    mean, deviation = RETURNS.mean(), RETURNS.std(ddof=1)
    assert measures.sharpe_ratio(RETURNS, 365) == pytest.approx(mean / deviation * math.sqrt(365))
    assert measures.volatility(RETURNS, 365) == pytest.approx(deviation * math.sqrt(365))
    downside = math.sqrt((0.05**2 + 0.01**2) / 4)
    assert measures.sortino_ratio(RETURNS, 365) == pytest.approx(mean / downside * math.sqrt(365))
    assert measures.sharpe_ratio(RETURNS, 365, risk_free=0.05) < measures.sharpe_ratio(RETURNS, 365)


def test_drawdowns_are_positive_fractions() -> None:
    np.testing.assert_allclose(measures.drawdowns(EQUITY), [0, 0, 0.25, 0.1, 0, 0.1])
    assert measures.max_drawdown(EQUITY) == pytest.approx(0.25)
    assert measures.max_drawdown_duration(EQUITY) == 2
    assert measures.max_drawdown([3.0, 2.0, 1.0]) == pytest.approx(2 / 3)
    growth = EQUITY[-1] / EQUITY[0] - 1
    assert measures.calmar_ratio(EQUITY, 5) == pytest.approx(growth / 0.25)


def test_value_at_risk_and_its_tail() -> None:
    returns = np.arange(-50, 51) / 1000
    assert measures.value_at_risk(returns) == pytest.approx(0.045)
    assert measures.conditional_value_at_risk(returns) == pytest.approx(np.mean(np.arange(45, 51)) / 1000)
    assert measures.value_at_risk([0.01, 0.02]) == 0.0


def test_trade_measures() -> None:
    profits = [10.0, -5.0, 20.0, -5.0]
    assert measures.win_rate(profits) == 0.5
    assert measures.profit_factor(profits) == 3.0
    assert measures.expectancy(profits) == 5.0
    assert math.isnan(measures.profit_factor([1.0]))


ANNUAL = ("cagr", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio")
PLAIN = ("value_at_risk", "conditional_value_at_risk", "win_rate", "profit_factor", "expectancy")


@pytest.mark.parametrize("name", ANNUAL + PLAIN)
def test_nothing_gives_nan(name: str) -> None:
    arguments = (365.0,) if name in ANNUAL else ()
    assert math.isnan(getattr(measures, name)(np.array([]), *arguments))


@pytest.mark.parametrize("name", ["sharpe_ratio", "sortino_ratio"])
def test_a_constant_series_has_no_ratio(name: str) -> None:
    assert math.isnan(getattr(measures, name)(np.full(50, 0.001), 365.0))
    assert math.isnan(getattr(measures, name)(np.zeros(50), 365.0))


def test_nan_is_ignored() -> None:
    holed = np.insert(RETURNS, 2, np.nan)
    assert measures.sharpe_ratio(holed, 365) == measures.sharpe_ratio(RETURNS, 365)
    assert measures.total_return(holed) == measures.total_return(RETURNS)


def test_returns_of_an_equity_that_became_nothing() -> None:
    np.testing.assert_allclose(measures.returns_of([100.0, 50.0, 0.0, 10.0]), [0, -0.5, -1, 0])


def test_wrong_input_is_refused() -> None:
    for call in (
        lambda: measures.value_at_risk(RETURNS, 1.5),
        lambda: measures.sharpe_ratio(RETURNS, 0.0),
        lambda: measures.total_return(RETURNS.reshape(2, 2)),
    ):
        with pytest.raises(InvalidInput):
            call()
