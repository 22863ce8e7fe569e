"""Cross-validation of a search: the formula written out by hand, a half for noise, nothing for a true winner."""

from itertools import combinations

import numpy as np
import pytest

from core.analytics.overfitting import block_sums, overfitting_from_blocks, probability_of_overfitting
from core.errors import InvalidInput


def test_every_combination_is_judged_as_the_paper_says() -> None:
    returns = np.random.default_rng(1).normal(0.0005, 0.01, (61, 5))
    found = probability_of_overfitting(returns, 6)
    parts = np.split(returns[1:], 6)
    logits, inside, outside = [], [], []
    for members in combinations(range(6), 3):
        past = np.concatenate([parts[i] for i in members])
        future = np.concatenate([parts[i] for i in range(6) if i not in members])
        ours = past.mean(axis=0) / past.std(axis=0, ddof=1)
        theirs = future.mean(axis=0) / future.std(axis=0, ddof=1)
        best = int(ours.argmax())
        rank = (np.count_nonzero(theirs <= theirs[best])) / 6
        logits.append(np.log(rank / (1 - rank)))
        inside.append(ours[best])
        outside.append(theirs[best])
    assert found.combinations == 20
    assert np.sort(found.logits) == pytest.approx(np.sort(logits), abs=1e-12)
    assert np.sort(found.out_of_sample) == pytest.approx(np.sort(outside))
    assert found.probability == np.mean(np.array(logits) <= 1e-12)
    assert found.probability_of_loss == np.mean(np.array(outside) < 0)
    assert found.slope == pytest.approx(np.polyfit(inside, outside, 1)[0])


def test_choosing_among_noise_is_a_toss() -> None:
    probabilities = [
        probability_of_overfitting(np.random.default_rng(seed).normal(0.0, 0.01, (320, 40)), 8).probability
        for seed in range(40)
    ]
    assert np.mean(probabilities) == pytest.approx(0.5, abs=0.08)


def test_a_true_winner_is_no_overfitting() -> None:
    returns = np.random.default_rng(2).normal(0.0, 0.01, (2000, 60))
    returns[:, 17] += 0.002
    found = probability_of_overfitting(returns)
    assert found.combinations == 12_870
    assert found.probability < 0.01
    assert found.probability_of_loss < 0.01
    assert "the choice holds" in found.sentence


def test_what_was_best_by_fitting_the_past_falls_behind() -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(0.0, 0.01, (800, 100))
    for trial in range(100):  # each is good in one part of the past and pays it back in another
        first, second = rng.choice(8, 2, replace=False) * 100
        returns[first : first + 100, trial] += 0.004
        returns[second : second + 100, trial] -= 0.004
    found = probability_of_overfitting(returns, 8)
    assert found.probability > 0.5
    assert found.slope < 0
    assert "no better than drawing one" in found.sentence


def test_trials_may_come_as_sums_of_their_blocks() -> None:
    returns = np.random.default_rng(4).normal(0.0, 0.01, (163, 7))
    parts = [block_sums(returns[:, trial], 16) for trial in range(7)]
    sums, squares = (np.column_stack([part[i] for part in parts]) for i in (0, 1))
    whole = probability_of_overfitting(returns)
    assert overfitting_from_blocks(sums, squares, 160).document() == whole.document()


def test_trials_that_never_trade_give_no_error() -> None:
    found = probability_of_overfitting(np.zeros((64, 3)))
    assert found.probability == 1.0  # none is ever above the median
    assert found.document()["slope"] is None


@pytest.mark.parametrize(
    ("shape", "blocks", "sentence"),
    [
        ((20, 4), 16, "16 blocks need at least 32 periods, and there are 20"),
        ((400, 1), 16, "there is 1; give at least two"),
        ((400, 4), 7, "7 blocks are not an even number from 2 to 20"),
        ((400, 4), 40, "40 blocks"),
        ((400,), 16, "one column for each trial"),
    ],
)
def test_too_little_is_refused_in_a_sentence(shape: tuple[int, ...], blocks: int, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        probability_of_overfitting(np.random.default_rng(5).normal(size=shape), blocks)


def test_missing_returns_are_refused() -> None:
    returns = np.random.default_rng(6).normal(size=(64, 3))
    returns[3, 1] = np.nan
    with pytest.raises(InvalidInput, match="some are NaN"):
        probability_of_overfitting(returns)
