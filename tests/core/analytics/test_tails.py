"""Value at risk and what lies beyond it, by each method."""

import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analytics import measures
from core.analytics.garch import LEAST
from core.errors import InvalidInput
from core.market.bars import Bars

METHODS = ("historical", "gaussian", "cornish-fisher", "garch")
NORMAL = NormalDist()


def simulated_garch(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(returns, the volatility that each was drawn with)"""
    rng = np.random.default_rng(seed)
    returns, spread = np.zeros(n), np.zeros(n)
    variance = 1e-4
    for t in range(n):
        spread[t] = math.sqrt(variance)
        returns[t] = spread[t] * rng.standard_normal()
        variance = 2e-6 + 0.10 * returns[t] ** 2 + 0.88 * variance
    return returns, spread


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, st.integers(1, 400), elements=st.floats(-1, 1)), st.sampled_from([0.9, 0.95, 0.975, 0.99]))
def test_the_historical_value_at_risk_is_the_quantile(returns: np.ndarray, level: float) -> None:
    expected = max(0.0, -float(np.quantile(returns, 1.0 - level)))
    assert measures.value_at_risk(returns, level) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    worst = np.sort(returns)[: math.floor((len(returns) - 1) * (1.0 - level) + 1e-9) + 1]
    expected = max(0.0, -float(np.mean(worst)))
    assert measures.conditional_value_at_risk(returns, level) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", ["random", "sorted", "falling", "ties", "waves"])
def test_the_quantile_of_a_long_series_is_exact_whatever_its_order(kind: str) -> None:
    n = 200_000
    values = np.random.default_rng(2).standard_t(3, n)
    if kind == "sorted":
        values = np.sort(values)
    elif kind == "falling":
        values = np.sort(values)[::-1].copy()
    elif kind == "ties":
        values = np.round(values)
    elif kind == "waves":  # every 24th value, which the sample consists of, is high
        values[:: n // 8_192] += 100.0
    for level in (0.5, 0.95, 0.9999, 0.99999999):
        expected = max(0.0, -float(np.quantile(values, 1.0 - level)))
        assert measures.value_at_risk(values, level) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_of_normal_returns_all_methods_say_nearly_the_same() -> None:
    returns = np.random.default_rng(1).normal(0.0, 0.01, 20_000)
    for method in METHODS:
        assert measures.value_at_risk(returns, method=method) == pytest.approx(0.01645, rel=0.03)
        assert measures.conditional_value_at_risk(returns, method=method) == pytest.approx(0.02063, rel=0.03)


def test_the_gaussian_tail_is_that_of_the_normal_distribution() -> None:
    returns = np.array([0.03, -0.02, 0.01, -0.04, 0.02])
    mean, deviation = returns.mean(), returns.std(ddof=1)
    point = NORMAL.inv_cdf(0.05)
    assert measures.value_at_risk(returns, 0.95, "gaussian") == pytest.approx(-(mean + deviation * point), rel=1e-12)
    beyond = -mean + deviation * NORMAL.pdf(point) / 0.05
    assert measures.conditional_value_at_risk(returns, 0.95, "gaussian") == pytest.approx(beyond, rel=1e-12)


def test_the_cornish_fisher_tail_is_the_integral_of_its_quantiles() -> None:
    returns = np.random.default_rng(4).gamma(9.0, 0.01, 5_000) * -1 + 0.1
    skew, kurtosis = measures.skewness(returns), measures.kurtosis(returns)
    assert measures.cornish_fisher_holds(skew, kurtosis)
    mean, deviation = returns.mean(), returns.std(ddof=1)

    def quantile(z: np.ndarray) -> np.ndarray:
        bent = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
        return mean + deviation * bent

    point = NORMAL.inv_cdf(0.01)
    told = measures.value_at_risk(returns, 0.99, "cornish-fisher")
    assert told == pytest.approx(-quantile(np.array(point)), rel=1e-12)
    z = np.linspace(-12.0, point, 200_001)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    expected = -np.trapezoid(quantile(z) * density, z) / 0.01
    assert measures.conditional_value_at_risk(returns, 0.99, "cornish-fisher") == pytest.approx(expected, rel=1e-7)
    assert told > measures.value_at_risk(returns, 0.99, "gaussian")  # the losses are the long tail


@pytest.mark.parametrize("skew", [-2.0, -0.6, 0.0, 0.4, 1.5])
@pytest.mark.parametrize("kurtosis", [-1.0, -0.05, 0.0, 0.3, 3.0, 8.0, 20.0, 60.0])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_expansion_holds_where_its_tail_has_the_probability_it_should(
    skew: float, kurtosis: float, level: float
) -> None:
    z = np.linspace(-8.0, 8.0, 400_001)
    weights = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    bent = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    value = np.interp(NORMAL.inv_cdf(1.0 - level), z, bent)
    below = float(np.sum(weights[bent < value]))
    holds = measures.cornish_fisher_holds(skew, kurtosis, level)
    assert holds == (abs(below / (1.0 - level) - 1.0) < 0.0025)


def test_tails_too_fat_for_the_expansion_have_no_cornish_fisher_value() -> None:
    returns = np.random.default_rng(1).standard_t(2, 5_000) * 0.01
    assert measures.kurtosis(returns) > 30.0
    assert math.isnan(measures.value_at_risk(returns, method="cornish-fisher"))
    assert math.isnan(measures.conditional_value_at_risk(returns, method="cornish-fisher"))


def test_the_filtered_value_at_risk_is_exceeded_as_often_as_it_says() -> None:
    """One step ahead over a stretch it has not seen, where the unfiltered one lags what volatility does."""
    returns, _ = simulated_garch(1_000, seed=11)
    days = range(500, 1_000, 2)
    exceeded = sum(-returns[t] > measures.value_at_risk(returns[t - 500 : t], 0.95, "garch") for t in days)
    # 12.5 are expected of 250; the bounds are those of a binomial test at 99 %
    assert 4 <= exceeded <= 22


def test_the_filtered_value_at_risk_follows_the_volatility_that_comes_next() -> None:
    returns, spread = simulated_garch(3_000, seed=3)
    cuts = range(1_500, 3_000, 100)
    told = np.array([measures.value_at_risk(returns[:t], 0.95, "garch") for t in cuts])
    plain = np.array([measures.value_at_risk(returns[:t], 0.95) for t in cuts])
    true = np.array([spread[t] for t in cuts]) * -NORMAL.inv_cdf(0.05)
    assert np.mean(np.abs(told / true - 1.0)) < 0.10
    assert np.mean(np.abs(plain / true - 1.0)) > 0.15
    assert measures.value_at_risk(returns, 0.95, "garch") == measures.value_at_risk(returns, 0.95, "garch")


def test_what_cannot_be_fitted_has_no_filtered_value_at_risk() -> None:
    rng = np.random.default_rng(1)
    for returns in (rng.normal(0, 0.01, LEAST - 1), np.full(500, 0.001), np.zeros(500), np.array([])):
        assert math.isnan(measures.value_at_risk(returns, method="garch"))
        assert math.isnan(measures.conditional_value_at_risk(returns, method="garch"))


def test_the_filtered_value_at_risk_scales_with_the_returns() -> None:
    returns, _ = simulated_garch(800, seed=5)
    told = measures.value_at_risk(returns, 0.95, "garch")
    assert measures.value_at_risk(returns * 1e-4, 0.95, "garch") == pytest.approx(told * 1e-4, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("returns", [[], [math.nan], [0.01], [0.0] * 10, [0.02] * 200, [-0.02] * 200])
def test_a_series_that_says_little_raises_nothing(method: str, returns: list[float]) -> None:
    value = measures.value_at_risk(returns, 0.95, method)  # type: ignore[arg-type]
    beyond = measures.conditional_value_at_risk(returns, 0.95, method)  # type: ignore[arg-type]
    assert math.isnan(value) or value >= 0.0
    assert math.isnan(beyond) or beyond >= 0.0


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InvalidInput, match="historical, gaussian, cornish-fisher, garch"):
        measures.value_at_risk([0.1], method="normal")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"1\.0"):
        measures.conditional_value_at_risk([0.1], 1.0)


def test_the_tail_ratio_and_common_sense() -> None:
    returns = np.concatenate([np.full(90, 0.001), np.full(10, -0.01), np.full(10, 0.03)])
    assert measures.tail_ratio(returns) == pytest.approx(3.0)
    profit_factor = measures.profit_factor(returns)
    assert measures.common_sense_ratio(returns) == pytest.approx(3.0 * profit_factor)
    assert math.isnan(measures.tail_ratio([0.0, 0.0, 0.0]))


@pytest.mark.realdata
def test_hourly_bitcoin_exceeds_its_filtered_value_at_risk_as_often_as_it_should(shared_data: Path) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / "BTCUSDT.parquet")
    returns = measures.returns_of(bars.close)[1:]
    hours = range(1_000, len(returns), len(returns) // 120)
    told = [measures.value_at_risk(returns[t - 1_000 : t], 0.95, "garch") for t in hours]
    exceeded = int(np.sum(-returns[list(hours)] > told))
    # a twentieth is expected; the bounds are those of a binomial test at 99 %
    assert 1 <= exceeded <= 13


@pytest.mark.realdata
def test_every_method_has_a_figure_for_hourly_bitcoin(shared_data: Path) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / "BTCUSDT.parquet")
    returns = measures.returns_of(bars.close)[1:]
    for method in METHODS:
        risk = measures.value_at_risk(returns, 0.99, method)  # type: ignore[arg-type]
        beyond = measures.conditional_value_at_risk(returns, 0.99, method)  # type: ignore[arg-type]
        assert 0.005 < risk < beyond < 0.10
