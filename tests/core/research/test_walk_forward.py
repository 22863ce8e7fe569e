"""walk_forward(): windows that do not overlap, choices that see no future, one continuous run."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.clock import from_ms, to_ms
from core.errors import AppError
from core.jobs import Cancelled
from core.market.timeframes import HOUR, MINUTE
from core.research.backtest import backtest
from core.research.stitched import Leg, Stitched
from core.research.sweep import sweep
from core.research.walk_forward import walk_forward
from core.research.windows import Window, length_of, windows
from core.strategies import Donchian, SmaCross
from core.trading.costs import FREE
from tests.core.simulation.market import walk

GRID = {"fast": [2, 5, 9], "slow": [8, 20, 40]}
OPTIONS: dict[str, Any] = {"train": 400, "test": 150}


def test_windows_roll_or_stay_anchored_and_the_test_parts_follow_each_other() -> None:
    times = np.arange(1000) * MINUTE
    rolling = windows(times, 400, 200, False, MINUTE)
    assert rolling == [Window(0, 0, 400, 600), Window(1, 200, 600, 800), Window(2, 400, 800, 1000)]
    anchored = windows(times, 400, 200, True, MINUTE)
    assert [each.first for each in anchored] == [0, 0, 0]
    assert [(each.cut, each.end) for each in anchored] == [(each.cut, each.end) for each in rolling]


def test_a_short_rest_belongs_to_the_last_window_and_a_long_one_is_a_window() -> None:
    assert windows(np.arange(1050) * MINUTE, 400, 200, False, MINUTE)[-1] == Window(2, 400, 800, 1050)
    assert windows(np.arange(1100) * MINUTE, 400, 200, False, MINUTE)[-1] == Window(3, 600, 1000, 1100)


def test_lengths_are_bars_or_durations() -> None:
    assert length_of(500, HOUR, "test") == 500
    assert length_of("500", HOUR, "test") == 500
    assert length_of("180d", HOUR, "test") == 4320
    assert length_of("1.5d", HOUR, "test") == 36
    assert length_of("6mo", 24 * HOUR, "test") == 180


def test_each_choice_is_the_best_of_a_sweep_over_the_training_part_alone() -> None:
    bars = walk(1000, 3)
    found = walk_forward(SmaCross, bars, GRID, **OPTIONS)
    assert len(found) == 4
    for step in found.steps:
        alone = sweep(SmaCross, bars, GRID, start=step.start, end=step.cut)
        assert step.strategy == alone.best.strategy
        assert step.inside["sharpe"] == alone.best.stats["sharpe"]
        assert step.trials == len(alone)


def test_what_comes_later_changes_nothing_before() -> None:
    bars = walk(1000, 3)
    changed = bars[:700].followed_by(walk(1000, 4)[700:])
    one, two = (walk_forward(SmaCross, each, GRID, **OPTIONS) for each in (bars, changed))
    assert [each.parameters for each in one.steps[:3]] == [each.parameters for each in two.steps[:3]]
    kept = int(np.searchsorted(one.timestamps, bars.timestamp[700]))
    np.testing.assert_array_equal(one.equity[:kept], two.equity[:kept])


def test_the_stitched_run_is_one_backtest_over_all_test_parts() -> None:
    bars = walk(1000, 3)
    found = walk_forward(SmaCross, bars, GRID, costs=FREE, **OPTIONS)
    assert found.timestamps[0] == bars.timestamp[399]  # on whose close the first window decides
    assert found.timestamps[-1] == bars.timestamp[-1]
    assert found.equity[0] == 10_000.0
    assert found.stats["final_equity"] == found.equity[-1]
    growth = np.prod([1.0 + step.outside["total_return"] for step in found.steps])
    assert growth == pytest.approx(found.equity[-1] / 10_000.0)


def test_with_one_choice_throughout_the_stitched_run_is_the_plain_backtest() -> None:
    bars = walk(1000, 3)
    found = walk_forward(SmaCross, bars, {"fast": [3], "slow": [12]}, **OPTIONS)
    plain = backtest(SmaCross(3, 12), bars, start=int(bars.timestamp[399]))
    first = int(np.flatnonzero(plain.equity != 10_000.0)[0])
    entered = found.result.raw_fills[0]
    assert entered[0] <= plain.raw_fills[0][0]  # a position that the strategy already wants is taken at the start
    assert len(found.result.raw_fills) - len(plain.raw_fills) in (0, 1)
    assert first > 0


def test_a_position_goes_on_over_a_boundary_where_the_new_parameters_want_it_too() -> None:
    bars = walk(600, 5)
    times = bars.timestamp
    start, cut, end = (int(times[row]) for row in (100, 300, 599))
    legs = (Leg(SmaCross(3, 12), start, cut), Leg(SmaCross(3, 12), cut, end))
    two = backtest(Stitched(legs), bars, start=start)
    one = backtest(Stitched((Leg(SmaCross(3, 12), start, end),)), bars, start=start)
    np.testing.assert_allclose(two.equity, one.equity, rtol=1e-9)


def test_protected_positions_are_closed_at_a_boundary() -> None:
    bars = replace(walk(800, 6), volume=np.zeros(800))  # nothing is capped
    chosen = Donchian(3, 200, 20.0, 5)
    start, end = int(bars.timestamp[100]), int(bars.timestamp[799])
    alone = backtest(Stitched((Leg(chosen, start, end),)), bars, start=start)
    long = next(trade for trade in alone.round_trips if trade.bars > 20)
    row = int(np.searchsorted(bars.timestamp, to_ms(long.entry_time))) + 10
    cut = int(bars.timestamp[row])
    result = backtest(Stitched((Leg(chosen, start, cut), Leg(chosen, cut, end))), bars, start=start)
    sold = [trade for trade in result.round_trips if trade.entry_time == long.entry_time]
    assert sold[0].exit_time == from_ms(int(bars.timestamp[row + 1]))
    assert sold[0].exit_reason == "exit"


def test_the_choices_are_told_with_their_stability_and_their_worth() -> None:
    found = walk_forward(SmaCross, walk(1500, 9), GRID, train="8h", test="3h", anchored=True, metric="total_return")
    assert found.stability["fast"]["values"] == [each.parameters["fast"] for each in found.steps]
    assert found.stability["slow"]["distinct"] >= 1
    assert found.correlation is None or -1.0 <= found.correlation <= 1.0
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["anchored"] is True
    assert len(document["windows"]) == len(found) == len(found.to_pandas())
    assert document["windows"][0]["test_end"] == document["windows"][1]["test_start"]
    assert "Out of sample" in document["overfitting"]["sentence"]
    assert found.frames()["equity"]["equity"][-1] == found.stats["final_equity"]


def test_an_interruption_keeps_the_windows_that_were_done() -> None:
    def told(fraction: float) -> None:
        if fraction > 0.6:
            raise Cancelled("Enough.")

    found = walk_forward(SmaCross, walk(1000, 3), GRID, progress=told, **OPTIONS)
    assert found.partial
    assert 0 < len(found) < 4
    assert found.timestamps[-1] < 1000 * MINUTE


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"train": 900}, "1,000 bars are too few for two windows of 900 bars to learn from and 150 to trade"),
        ({"train": "soon"}, "'soon' is no length of the training part"),
        ({"test": 3}, "The test part of 3 has 3 bars; 10 are the least"),
        ({"train": 20}, "needs more than 21 bars with any of these parameters"),
        ({"metric": "luck"}, "There is no metric"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    grid = {"slow": [20, 40], "fast": [3]} if options.get("train") == 20 else GRID
    with pytest.raises(AppError) as refused:
        walk_forward(SmaCross, walk(1000, 3), grid, **(OPTIONS | options))
    assert sentence in refused.value.sentence()
