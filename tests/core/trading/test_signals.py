"""Signals.at: those of some bars read, trade and fail as arrays of all bars would."""

import pickle
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput
from core.research.backtest import backtest
from core.trading.strategy import Signals
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


def test_there_is_one_value_for_each_row() -> None:
    with pytest.raises(InvalidInput, match="There are 3 values of stop for 2 rows of signals"):
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
