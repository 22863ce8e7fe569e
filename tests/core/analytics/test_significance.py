"""The significance of Sharpe ratios: the papers' worked examples, calibration under the null, degenerate input."""

import math

import numpy as np
import pytest

from core.analytics import significance
from core.analytics.significance import Moments
from core.errors import InvalidInput

HEDGE_FUND = Moments(24, 0.458, -2.448, 10.164)  # Bailey and López de Prado (2012), section 5
TRIED = Moments(1250, 2.5 / math.sqrt(250), -3.0, 10.0)  # Bailey and López de Prado (2014), a numerical example


def test_the_probabilistic_sharpe_ratio_is_that_of_the_paper() -> None:
    assert significance.probabilistic_sharpe_ratio(Moments(24, 0.458)) == pytest.approx(0.982, abs=5e-4)
    assert significance.probabilistic_sharpe_ratio(HEDGE_FUND) == pytest.approx(0.913, abs=5e-4)


def test_the_deflated_sharpe_ratio_is_that_of_the_paper() -> None:
    variance = 0.5 / 250
    assert significance.expected_maximum_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    assert significance.deflated_sharpe_ratio(TRIED, (100, variance)) == pytest.approx(0.9004, abs=5e-5)
    assert significance.deflated_sharpe_ratio(TRIED, (46, variance)) == pytest.approx(0.9505, abs=5e-5)
    normal = Moments(1250, TRIED.sharpe)
    assert significance.deflated_sharpe_ratio(normal, (88, variance)) == pytest.approx(0.9505, abs=5e-5)


@pytest.mark.parametrize(("year", "years"), [(250, 2.73), (52, 2.83), (12, 3.24)])
def test_the_minimum_track_record_is_that_of_the_paper(year: int, years: float) -> None:
    periods = significance.minimum_track_record(Moments(2, 2 / math.sqrt(year)), 1 / math.sqrt(year))
    assert periods / year == pytest.approx(years, abs=0.005)


def test_trials_are_given_one_by_one_or_by_their_count_and_variance() -> None:
    sharpes = np.random.default_rng(1).normal(0.0, 0.02, 40)
    pair = (40, float(np.var(sharpes, ddof=1)))
    one_by_one = significance.deflated_sharpe_ratio(TRIED, sharpes)
    assert one_by_one == pytest.approx(significance.deflated_sharpe_ratio(TRIED, pair))
    assert significance.deflated_sharpe_ratio(TRIED, [0.1]) == significance.probabilistic_sharpe_ratio(TRIED)


def test_moments_agree_with_those_of_scipy() -> None:
    from scipy import stats

    returns = np.random.default_rng(2).standard_t(5, 500) * 0.01 + 0.001
    found = significance.moments_of(np.append(returns, np.nan))
    assert found.count == 500
    assert found.sharpe == pytest.approx(np.mean(returns) / np.std(returns, ddof=1), rel=1e-12)
    assert found.skewness == pytest.approx(stats.skew(returns), rel=1e-10)
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-10)


def test_the_probabilistic_sharpe_ratio_of_noise_is_uniform() -> None:
    from scipy import stats

    rng = np.random.default_rng(3)
    values = [significance.probabilistic_sharpe_ratio(rng.normal(0.0, 0.01, 300)) for _ in range(400)]
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_the_deflated_sharpe_ratio_of_the_luckiest_of_many_does_not_convince() -> None:
    rng = np.random.default_rng(4)
    fooled = believed = 0
    for _ in range(60):
        trials = rng.normal(0.0, 0.01, (100, 300))
        sharpes = trials.mean(axis=1) / trials.std(axis=1, ddof=1)
        best = trials[sharpes.argmax()]
        fooled += significance.probabilistic_sharpe_ratio(best) > 0.95
        believed += significance.deflated_sharpe_ratio(best, sharpes) > 0.95
    assert fooled > 55
    assert believed < 10


@pytest.mark.parametrize("returns", [[], [0.1], [0.0, 0.0, 0.0], [0.1] * 50, [math.nan] * 9])
def test_what_cannot_be_said_is_nothing(returns: list[float]) -> None:
    assert math.isnan(significance.probabilistic_sharpe_ratio(returns))
    assert math.isnan(significance.deflated_sharpe_ratio(returns, (10, 0.1)))
    assert math.isnan(significance.minimum_track_record(returns))
    facts = significance.overfitting_of(returns)
    assert facts["probabilistic_sharpe"] is None
    assert facts["sharpe_low"] is None
    assert facts["sentence"] == "Too little happened to tell skill from luck."


def test_a_losing_record_is_never_long_enough() -> None:
    assert significance.minimum_track_record(Moments(100, -0.1)) == math.inf
    assert significance.minimum_track_record(Moments(100, 0.1), 0.1) == math.inf


def test_impossible_trials_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 trials are too few"):
        significance.expected_maximum_sharpe(0, 0.1)
    with pytest.raises(InvalidInput, match="below 0"):
        significance.expected_maximum_sharpe(5, -0.1)
    with pytest.raises(InvalidInput, match="not between 0 and 1"):
        significance.minimum_track_record(TRIED, level=95)


def test_more_trials_make_the_same_record_less_convincing() -> None:
    returns = np.random.default_rng(5).normal(0.0008, 0.01, 1500)
    one, many = (significance.overfitting_of(returns, trials=trials, periods_per_year=365.0) for trials in (1, 500))
    assert one["deflated_sharpe"] == one["probabilistic_sharpe"]
    assert many["deflated_sharpe"] < one["deflated_sharpe"]
    assert one["luck_sharpe"] == 0.0 < many["luck_sharpe"]
    assert one["sharpe_low"] < significance.moments_of(returns).sharpe * math.sqrt(365.0) < one["sharpe_high"]
    assert "after 500 trials" in many["sentence"]


def test_a_short_record_is_told_how_long_it_would_have_to_be() -> None:
    returns = np.tile([0.02, -0.018], 15)
    facts = significance.overfitting_of(returns)
    assert facts["minimum_track_record"] > facts["track_record"] == 30
    assert "It would take" in facts["sentence"]


def test_a_long_record_is_compounded_into_runs_and_says_so() -> None:
    returns = np.random.default_rng(6).normal(0.0001, 0.01, 60_000)
    facts = significance.overfitting_of(returns, periods_per_year=8_760.0)
    annual = significance.moments_of(returns).sharpe * math.sqrt(8_760.0)
    assert facts["bars_per_run"] == 12
    assert facts["sharpe_low"] < annual < facts["sharpe_high"]
    width = facts["sharpe_high"] - facts["sharpe_low"]
    assert width == pytest.approx(2 * 1.96 * math.sqrt(8_760 / 60_000), rel=0.15)  # of independent returns
