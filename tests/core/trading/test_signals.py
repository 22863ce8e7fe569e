"""Signals.at: those of some bars read, trade and fail as arrays of all bars would."""

import pickle
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput
from core.research import tape
from core.research.backtest import backtest
from core.strategies import SmaCross
from core.trading.strategy import Context, Signals
from tests.core.research.test_backtest import Given
from tests.core.simulation.market import walk


def test_signals_of_some_bars_read_as_arrays_of_all() -> None:
    few = Signals.at(5, [1, 3], [1.0, 0.0], stop=[9.0, np.nan], trail=0.1)
    np.testing.assert_array_equal(few.exposure, [np.nan, 1.0, np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(few.stop, [np.nan, 9.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(few.trail, [np.nan, 0.1, np.nan, 0.1, np.nan])
    assert few.limit is None
    assert few.take_profit is None
    assert few.exposure is few.exposure
    assert few.sparse is None  # from then on the arrays are what counts
    with pytest.raises(AttributeError, match="Signals have no entry"):
        few.entry  # type: ignore[attr-defined]  # noqa: B018  (reading it is what is tested)


def test_copies_and_changes_keep_what_they_say() -> None:
    few = Signals.at(5, [1, 3], [1.0, 0.0], stop=[9.0, np.nan])
    other = replace(few, exposure=np.zeros(5))
    np.testing.assert_array_equal(other.exposure, np.zeros(5))
    np.testing.assert_array_equal(other.stop, few.stop)
    for copied in (copy(few), pickle.loads(pickle.dumps(few))):
        np.testing.assert_array_equal(copied.exposure, few.exposure)


@pytest.mark.parametrize("rows", [[3, 1], [1, 1], [-1, 2], [4, 5], [[1], [2]], [0.5, 1.0], ["a"], [np.nan]])
def test_rows_ascend_within_the_bars(rows: Any) -> None:
    with pytest.raises(
        InvalidInput, match="The rows of signals must be whole numbers that ascend, from 0 to at most 4"
    ):
        Signals.at(5, rows, 1.0)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Signals.at(5, [[1], [1, 2]], 1.0), "whole numbers that ascend, from 0 to at most 4"),
        (lambda: Signals.at(0, [0], 1.0), "whole numbers that ascend, and of no bars there are none"),
        (lambda: Signals.at(-1, [], 1.0), "a whole number of bars from 0 on, not of -1"),
        (lambda: Signals.at("5", [], 1.0), "a whole number of bars from 0 on, not of '5'"),
        (lambda: Signals.at(5, [1], None), "Signals need an exposure"),
        (lambda: Signals.at(5, [1], ["a"]), "The values of exposure must be numbers, one for each of the 1 rows"),
        (lambda: Signals.at(5, [1, 2], [[1.0], [0.0]]), r"There are \(2, 1\) values of exposure for 2 rows"),
        (lambda: backtest(Given(Signals(["x"] * 60)), walk(60, 1)), "values of exposure that are not all numbers"),
    ],
)
def test_what_cannot_be_signals_is_refused_in_words(made: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        made()


def test_a_mask_is_told_how_to_become_rows() -> None:
    with pytest.raises(InvalidInput, match="must be whole numbers") as refused:
        Signals.at(2, np.array([True, False]), 1.0)
    assert "flatnonzero" in refused.value.sentence()


def test_what_a_strategy_changes_in_the_arrays_of_another_is_what_is_traded() -> None:
    bars = walk(500, 4)
    changed = SmaCross(5, 20).signals(bars, Context())
    assert len(backtest(Given(changed), bars).trades) > 5
    changed.exposure[:] = np.nan
    changed.exposure[-1] = 1.0
    assert len(backtest(Given(changed), bars).trades) == 0


def test_arrays_given_may_be_used_again() -> None:
    rows, values = np.array([1, 3]), np.array([1.0, 0.0])
    few = Signals.at(5, rows, values)
    rows[:], values[:] = 4, 0.5
    np.testing.assert_array_equal(few.exposure, [np.nan, 1.0, np.nan, 0.0, np.nan])


@pytest.mark.parametrize("told", [None, lambda done: None])
def test_wrong_values_are_refused_only_where_they_would_be_used(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "LEAST", 100)
    bars = walk(500, 4)
    exposure, stop = np.full(500, np.nan), np.full(500, np.nan)
    exposure[[150, 400]] = 1.0, 0.0
    stop[[99, 450]] = 0.0  # while flat, in the last row of a part of the run too
    limit = np.where(np.isnan(exposure), 0.0, np.nan)
    assert len(backtest(Given(Signals(exposure, limit, stop)), bars, progress=told).trades) == 1
    stop[200] = 0.0
    with pytest.raises(InvalidInput, match="gave a stop of 0"):
        backtest(Given(Signals(exposure, limit, stop)), bars, progress=told)


def test_there_is_one_value_for_each_row() -> None:
    with pytest.raises(InvalidInput, match=r"There are \(3,\) values of stop for 2 rows of signals"):
        Signals.at(5, [1, 2], 1.0, stop=[1.0, 2.0, 3.0])
    with pytest.raises(InvalidInput, match="gave signals for 4 bars, and there are 60"):
        backtest(Given(lambda bars: Signals.at(4, [1], 1.0)), walk(60, 1))


def test_no_rows_at_all_trade_nothing() -> None:
    assert len(backtest(Given(lambda bars: Signals.at(len(bars), [], 1.0)), walk(60, 1)).trades) == 0


@pytest.mark.parametrize("start", [0, 100, 201])
def test_signals_of_some_bars_trade_as_those_of_all(start: int) -> None:
    bars = walk(500, 4)
    rows = np.array([0, 10, 11, 200, 300, 420, 499])
    few = Signals.at(500, rows, [1.0, np.nan, 0.5, 0.0, 1.0, np.nan, 0.0], stop=bars.close[rows] * 0.98)
    whole = Signals(few.exposure, stop=few.stop)
    found = [backtest(Given(each), bars, start=int(bars.timestamp[start])) for each in (few, whole)]
    np.testing.assert_array_equal(found[0].equity, found[1].equity)
    assert found[0].trades.equals(found[1].trades)
    assert len(found[0].trades) >= 1
