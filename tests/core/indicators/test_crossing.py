"""Crossings equal exact arithmetic on the decimals, whatever the prices look like."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.indicators.crossing import crossings, latch, sma_cross


def exactly(prices: list[float], fast: int, slow: int) -> list[float]:
    """The same from its definition, in fractions of the shortest decimals."""
    exact = [Fraction(repr(price)) for price in prices]
    out, before = [], None
    for t in range(len(prices)):
        above = None
        if t + 1 >= slow:
            above = sum(exact[t + 1 - fast : t + 1]) / fast > sum(exact[t + 1 - slow : t + 1]) / slow
        out.append(np.nan if before is None or above == before else float(above))
        before = above
    return out


ties = st.integers(0, 4).map(lambda k: 100 + k / 10)
thirds = st.integers(1, 4).map(lambda k: k / 3)
tiny = st.integers(1, 5).map(lambda k: k * 1e-8)
wide = st.floats(1e-9, 1e9)
mixed = st.one_of(ties, thirds, wide)
windows = st.sampled_from([(1, 2), (2, 3), (2, 4), (3, 7), (5, 20)])


@given(st.one_of(*(st.lists(each, max_size=60) for each in (ties, thirds, tiny, wide, mixed))), windows)
def test_crossings_of_averages_are_decided_exactly(prices: list[float], window: tuple[int, int]) -> None:
    found = sma_cross(np.array(prices, dtype=float), *window)
    np.testing.assert_array_equal(found, exactly(prices, *window))


@given(st.lists(st.one_of(ties, thirds), min_size=12, max_size=60), st.integers(1, 59))
def test_what_comes_later_changes_no_crossing(prices: list[float], cut: int) -> None:
    whole = sma_cross(np.array(prices), 2, 5)
    np.testing.assert_array_equal(sma_cross(np.array(prices[:cut]), 2, 5), whole[:cut])


def test_equal_is_not_above() -> None:
    prices = np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2])
    found = sma_cross(prices, 2, 3)
    assert np.flatnonzero(found == 1.0).tolist() == [6]
    assert np.flatnonzero(found == 0.0).tolist() == [8]


def test_the_first_bar_with_both_averages_is_no_crossing() -> None:
    assert np.isnan(sma_cross(np.array([1.0, 2.0, 3.0, 4.0]), 1, 2)).all()


def test_many_bars_with_long_decimals_are_decided_quickly_and_exactly() -> None:
    prices = np.random.default_rng(3).integers(1, 4, 3000) / 3
    np.testing.assert_array_equal(sma_cross(prices, 5, 20), exactly(prices.tolist(), 5, 20))


def test_latch_gives_each_change_once() -> None:
    on, off = np.array([0, 1, 1, 0, 0, 1], bool), np.array([1, 0, 0, 1, 1, 1], bool)
    np.testing.assert_array_equal(latch(on, off), [np.nan, 1, np.nan, 0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 3, 1], [2, 2, 2], [np.nan, 1, 0]),
        ([np.nan, 3], [2, 2], [np.nan] * 2),
        ([1, 3, np.nan, 1, 3], [2] * 5, [np.nan, 1, np.nan, np.nan, 1]),
        ([1, np.inf, -np.inf], [2] * 3, [np.nan, 1, 0]),
        ([], [], []),
        ([1], [2], [np.nan]),
        ([1, 3], 2, [np.nan, 1]),
    ],
)
def test_crossings_of_lines(a: list[float], b: list[float], expected: list[float]) -> None:
    np.testing.assert_array_equal(crossings(np.array(a, float), np.array(b, float)), expected)
