"""Tests of families of strategies: as arch computes them, uniform under the null, and powerful against a true one."""

import numpy as np
import pytest

from core.analytics import families
from core.analytics.families import reality_check, superior_predictive_ability
from core.errors import InvalidInput


def noise(seed: int, n: int = 300, strategies: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (n, strategies))


@pytest.mark.parametrize("better", [0.0, 0.0006, 0.0012])
def test_the_p_values_are_those_of_arch(better: float) -> None:
    from arch.bootstrap import SPA

    excess = noise(1, 400, 20)
    excess[:, 2] += better
    excess[:, 5:9] -= 0.01
    peer = SPA(np.zeros(400), -excess, block_size=5, reps=2000, seed=1)
    peer.compute()
    ours = superior_predictive_ability(excess, 2000, block=5, studentised=False)
    for name in ("lower", "consistent", "upper"):
        assert getattr(ours, name) == pytest.approx(float(peer.pvalues[name]), abs=0.045)  # two draws of 2,000
    checked = reality_check(excess, 2000, block=5)
    assert checked.p_value == pytest.approx(float(peer.pvalues["upper"]), abs=0.045)


@pytest.mark.parametrize("block", [1, 7, 40])
def test_standard_errors_are_those_of_arch(block: int) -> None:
    from arch.bootstrap import SPA

    excess = np.cumsum(noise(6, 120, 3), axis=0) * 0.1 + noise(7, 120, 3)
    peer = SPA(np.zeros(120), -excess, block_size=block, reps=1, seed=1)
    peer._compute_variance()
    assert families._variance(excess, float(block)) == pytest.approx(peer._loss_diff_var, rel=1e-9)


def test_the_bounds_enclose_the_consistent_p_value() -> None:
    for seed in range(10):
        excess = noise(seed)
        excess[:, :3] -= 0.002
        found = superior_predictive_ability(excess, 300)
        assert found.lower <= found.consistent <= found.upper


def test_p_values_of_strategies_without_skill_are_about_uniform() -> None:
    checked = [reality_check(noise(seed, 200, 5), 200, seed).p_value for seed in range(200)]
    tested = [superior_predictive_ability(noise(seed, 200, 5), 200, seed).consistent for seed in range(200)]
    for values in (checked, tested):
        assert np.mean(values) == pytest.approx(0.5, abs=0.08)
        assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=0.06)


def test_a_true_one_is_found_among_many() -> None:
    excess = noise(2, 600, 50)
    excess[:, 31] += 0.002
    assert reality_check(excess).p_value < 0.01
    found = superior_predictive_ability(excess)
    assert found.consistent < 0.01
    assert found.best == 31


def test_wild_losers_do_not_hide_a_winner_from_the_test_of_superior_ability() -> None:
    excess = noise(3, 400, 12)
    excess[:, 0] += 0.0015
    excess[:, 1:] = excess[:, 1:] * 20 - 0.05
    assert reality_check(excess).p_value > 0.3
    assert superior_predictive_ability(excess).consistent < 0.02


def test_a_strategy_that_equals_the_benchmark_is_no_evidence() -> None:
    assert np.isnan(reality_check(np.zeros((50, 2))).p_value)
    assert np.isnan(superior_predictive_ability(np.zeros((50, 2))).consistent)
    mixed = np.column_stack([np.zeros(300), noise(4, 300, 1)[:, 0] + 0.003])
    found = superior_predictive_ability(mixed)
    assert found.best == 1
    assert found.consistent < 0.01


def test_too_little_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="at least 4 periods"):
        reality_check(np.zeros((2, 3)))
    with pytest.raises(InvalidInput, match="below one period"):
        reality_check(noise(1), block=0)
    with pytest.raises(InvalidInput, match="0 samples"):
        superior_predictive_ability(noise(1), 0)
