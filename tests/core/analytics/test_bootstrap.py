"""The stationary bootstrap: block lengths as arch finds them, intervals that cover, a fair test of two series."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from core.analytics import bootstrap, measures
from core.errors import InvalidInput

Floats = NDArray[np.float64]


def autoregressive(n: int, seed: int, persistence: float = 0.6) -> Floats:
    shocks = np.random.default_rng(seed).normal(0.0, 0.01, n)
    for i in range(1, n):
        shocks[i] += persistence * shocks[i - 1]
    return shocks


@pytest.mark.parametrize("persistence", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("n", [60, 500, 3000])
def test_block_lengths_are_those_of_arch(n: int, persistence: float) -> None:
    from arch.bootstrap import optimal_block_length

    series = autoregressive(n, n, persistence)
    expected = float(optimal_block_length(series)["stationary"].iloc[0])
    assert bootstrap.optimal_block_length(series) == pytest.approx(expected, rel=1e-9)


def test_blocks_have_the_length_that_is_asked_for() -> None:
    order = bootstrap.indices(200_000, 12.5, 0, 7)
    breaks = np.count_nonzero(np.diff(order) % 200_000 != 1)
    assert len(order) / breaks == pytest.approx(12.5, rel=0.03)
    assert np.bincount(order // 20_000, minlength=10) == pytest.approx(np.full(10, 20_000), rel=0.12)


def test_counts_are_those_of_the_order_drawn() -> None:
    counts = bootstrap.resampled(50, 4.0, 6, 3)
    for sample in range(6):
        drawn = np.bincount(bootstrap.indices(50, 4.0, sample, 3), minlength=50)
        assert np.array_equal(counts[sample], drawn)
    assert np.array_equal(bootstrap.resampled(50, 4.0, 2, 3, 4), counts[4:])


def test_the_quick_sharpe_ratio_is_that_of_the_resampled_returns() -> None:
    returns = autoregressive(300, 1)
    quick = bootstrap.bootstrap_interval(returns, "sharpe", samples=200, seed=5)
    plain = bootstrap.bootstrap_interval(returns, measures.sharpe_ratio, samples=200, seed=5)
    assert quick == pytest.approx(plain, rel=1e-9)


def test_a_seed_decides_the_interval() -> None:
    returns = autoregressive(300, 2)
    first = bootstrap.bootstrap_interval(returns, seed=1)
    assert first == bootstrap.bootstrap_interval(returns, seed=1)
    assert first != bootstrap.bootstrap_interval(returns, seed=2)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = 0.1
    covered = 0
    for seed in range(300):
        returns = np.random.default_rng(seed).normal(truth * 0.01, 0.01, 250)
        low, high = bootstrap.bootstrap_interval(returns, level=0.9, samples=400, seed=seed)
        covered += low < truth < high
    assert 0.83 < covered / 300 < 0.96


def test_any_measure_of_returns_has_an_interval() -> None:
    returns = autoregressive(200, 3) + 0.001
    for measure in ("sortino", "volatility", "cagr", measures.sortino_ratio):
        low, high = bootstrap.bootstrap_interval(returns, measure, samples=200, periods_per_year=365.0)
        assert low < high
    drop = bootstrap.bootstrap_interval(
        returns, lambda sample, _: measures.max_drawdown(np.cumprod(1.0 + sample)), samples=200
    )
    assert 0.0 < drop[0] < drop[1] < 1.0


@pytest.mark.parametrize("returns", [[], [0.1, 0.2], [0.01] * 60, [math.nan] * 60])
def test_what_cannot_be_said_is_nothing(returns: list[float]) -> None:
    assert all(math.isnan(edge) for edge in bootstrap.bootstrap_interval(returns))


def test_a_rare_trade_gives_no_error() -> None:
    returns = np.zeros(500)
    returns[250] = 0.05
    low, high = bootstrap.bootstrap_interval(returns)
    assert (low <= high) or (math.isnan(low) and math.isnan(high))


def test_two_equal_series_do_not_differ() -> None:
    returns = autoregressive(100, 4)
    assert bootstrap.paired_bootstrap(returns, returns) == (0.0, 0.0, 0.0, 1.0)


def test_a_clear_difference_is_found_and_has_its_sign() -> None:
    market = np.random.default_rng(5).normal(0.0, 0.01, 1000)
    better = market + np.random.default_rng(6).normal(0.001, 0.002, 1000)
    difference, low, high, chance = bootstrap.paired_bootstrap(better, market)
    assert 0.0 < low < difference < high
    assert chance < 0.01
    assert bootstrap.paired_bootstrap(market, better)[0] == pytest.approx(-difference)


def test_series_that_do_not_differ_give_uniform_p_values() -> None:
    from scipy import stats

    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        shared = rng.normal(0.0, 0.01, 250)
        first, second = (shared + rng.normal(0.0, 0.005, 250) for _ in range(2))
        values.append(bootstrap.paired_bootstrap(first, second, samples=300, seed=seed)[3])
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_periods_that_either_lacks_are_left_out() -> None:
    first, second = autoregressive(200, 7), autoregressive(200, 8)
    holed = first.copy()
    holed[:20] = math.nan
    assert bootstrap.paired_bootstrap(holed, second) == bootstrap.paired_bootstrap(first[20:], second[20:])


def test_wrong_input_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="3 and 2 periods"):
        bootstrap.paired_bootstrap([0.1, 0.2, 0.3], [0.1, 0.2])
    with pytest.raises(InvalidInput, match="not between 0 and 1"):
        bootstrap.bootstrap_interval([0.1, 0.2], level=95)
    with pytest.raises(InvalidInput, match="0 samples"):
        bootstrap.bootstrap_interval([0.1, 0.2], samples=0)
    with pytest.raises(InvalidInput, match="'sharp' is no measure"):
        bootstrap.bootstrap_interval(autoregressive(30, 1), "sharp")
    with pytest.raises(InvalidInput, match="below one period"):
        bootstrap.bootstrap_interval(autoregressive(30, 1), block=0.5)
