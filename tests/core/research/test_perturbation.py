"""Bars that might have been: possible rows, the past untouched, the same for the same seed."""

import numpy as np
import pytest

from core.market.bars import COLUMNS, Bars
from core.research.perturbation import another_future, noisy
from tests.core.simulation.market import walk


def possible(bars: Bars) -> bool:
    """Whether every row passes the check that files must pass."""
    Bars.checked(bars.instrument, bars.timeframe, *(getattr(bars, name) for name in COLUMNS))
    return True


@pytest.mark.parametrize("known", [1, 2, 100, 299])
def test_another_future_leaves_the_past_as_it_is(known: int) -> None:
    bars = walk(300, 1)
    other = another_future(bars, known, 3)
    assert possible(other)
    assert np.array_equal(other.timestamp, bars.timestamp)
    for name in COLUMNS:
        assert np.array_equal(getattr(other, name)[:known], getattr(bars, name)[:known])
    assert not np.any(other.close[known:] == bars.close[known:])
    assert np.array_equal(other.close, another_future(bars, known, 3).close)


def test_nothing_changes_after_the_last_bar() -> None:
    bars = walk(50, 1)
    assert another_future(bars, 50, 1) is bars


@pytest.mark.parametrize("noise", [0.05, 0.5, 3.0])
def test_noisy_bars_are_possible_and_begin_and_end_where_they_did(noise: float) -> None:
    bars = walk(2_000, 2)
    other = noisy(bars, noise, 7)
    assert possible(other)
    assert other.open[0] == bars.open[0]
    assert other.close[-1] == pytest.approx(bars.close[-1])
    assert not np.array_equal(other.close, noisy(bars, noise, 8).close)


def test_noise_cannot_be_traded() -> None:
    bars = walk(20_000, 2)
    changes = np.diff(np.log(noisy(bars, 0.5, 7).close / bars.close))
    reach = np.log(bars.high / bars.low)[1:]
    assert float(np.std(changes / reach)) == pytest.approx(0.5, rel=0.05)
    assert abs(float(np.corrcoef(changes[1:], changes[:-1])[0, 1])) < 0.03


def test_no_noise_changes_nothing() -> None:
    bars = walk(100, 3)
    other = noisy(bars, 0.0, 1)
    for name in COLUMNS:
        assert np.array_equal(getattr(other, name), getattr(bars, name))
