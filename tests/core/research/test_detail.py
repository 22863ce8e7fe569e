"""Detail: bars of a lower timeframe decide the order of prices inside the strategy's bars."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import Result, backtest
from core.simulation import fields
from core.simulation.account import SignalRow, SimulatedAccount, fill_of
from core.strategies import BuyAndHold, SmaCross
from core.trading.costs import FREE, Costs
from core.trading.strategy import Context, Signals
from tests.core.research.test_backtest import Given
from tests.core.simulation.market import COIN, rows, walk
from tests.property.test_simulation import Random, coins, costs, seeds

HOUR = 3_600_000
OTHER = Instrument("test", "OTHER", "USDT")


def without(bars: Bars, *gone: int) -> Bars:
    """The bars less those at these places."""
    kept = ~np.isin(np.arange(len(bars)), gone)
    columns = ("timestamp", "open", "high", "low", "close", "volume")
    return replace(bars, **{name: getattr(bars, name)[kept] for name in columns})


def fills_of(result: Result) -> list[object]:
    return [fill_of(row) for row in result.raw_fills[result.raw_fills[:, fields.F_QUANTITY] > 0]]


@settings(max_examples=30)
@given(seeds, coins, costs)
def test_detail_equal_to_the_bars_changes_nothing(seed: int, coin: Instrument, rules: Costs) -> None:
    bars = walk(150, seed, instrument=coin)
    other = walk(150, seed + 1, instrument=replace(coin, base="OTHER"))[20:]
    for given_bars in (bars, {"A": bars, "B": other}):
        plain = backtest(Random(seed), given_bars, 2_000.0, rules)
        detailed = backtest(Random(seed), given_bars, 2_000.0, rules, detail=given_bars)
        np.testing.assert_array_equal(plain.equity, detailed.equity)
        np.testing.assert_array_equal(plain.timestamps, detailed.timestamps)
        np.testing.assert_array_equal(plain.raw_fills, detailed.raw_fills)
        assert plain.stats == detailed.stats


@settings(max_examples=25)
@given(seeds, coins, costs)
def test_minutes_under_hours_fill_as_an_account_stepped_by_minutes(seed: int, coin: Instrument, rules: Costs) -> None:
    minutes = walk(60 * 24, seed, instrument=coin)
    hours = minutes.resample("1h")
    strategy = Random(seed)
    result = backtest(strategy, hours, 2_000.0, rules, detail=minutes)
    signals = strategy.signals(hours, Context())
    columns = (signals.exposure, signals.limit, signals.stop, signals.take_profit, signals.trail)
    account = SimulatedAccount(2_000.0, rules)
    account.add(coin)
    fills, equity = [], []
    for t, bar in enumerate(rows(minutes)):
        fills += account.step({0: bar})
        if t % 60 == 59:
            equity.append(account.equity())
            row = SignalRow(*(float(column[t // 60]) for column in columns if column is not None))
            account.apply(0, account.decide(0, row))
    assert fills == fills_of(result)
    assert equity == result.equity.tolist()
    assert result.timestamps.tolist() == hours.timestamp.tolist()


@settings(max_examples=15)
@given(seeds, costs)
def test_a_portfolio_fills_as_an_account_stepped_by_minutes(seed: int, rules: Costs) -> None:
    minutes = {"A": walk(60 * 12, seed), "B": walk(60 * 12, seed + 7, instrument=OTHER)}
    hours = {name: each.resample("1h") for name, each in minutes.items()}
    strategy = Random(seed)
    result = backtest(strategy, hours, 2_000.0, rules, detail=minutes)
    found = [strategy.signals(each, Context()) for each in hours.values()]
    account = SimulatedAccount(2_000.0, rules)
    account.add(COIN)
    account.add(OTHER)
    fills, equity = [], []
    for t, bars in enumerate(zip(*(rows(each) for each in minutes.values()), strict=True)):
        fills += account.step(dict(enumerate(bars)))
        if t % 60 == 59:
            equity.append(account.equity())
            for i, each in enumerate(found):
                columns = (each.exposure / 2, each.limit, each.stop, each.take_profit, each.trail)
                row = SignalRow(*(float(column[t // 60]) for column in columns if column is not None))
                account.apply(i, account.decide(i, row))
    assert fills == fills_of(result)
    assert equity == result.equity.tolist()


def hours_that_reach_stop_and_target() -> tuple[Bars, Bars]:
    """Three hours; in the last, the detail (30 minutes) is at the target before it is at the stop."""
    prices = [(100, 101, 99, 100), (100, 101, 99, 100), (100, 101, 99, 100), (100, 101, 99, 100)]
    prices += [(100, 111, 99, 105), (105, 106, 89, 95)]
    opened, high, low, close = (np.array(column, dtype=float) for column in zip(*prices, strict=True))
    detail = Bars.checked(COIN, "30m", np.arange(6) * HOUR // 2, opened, high, low, close, np.full(6, 1e6))
    return detail.resample("1h"), detail


def bracket(bars: Bars) -> Signals:
    first = np.where(np.arange(len(bars)) == 0, 1.0, np.nan)
    return Signals(first, stop=first * 90.0, take_profit=first * 110.0)


def test_a_target_that_comes_before_the_stop_is_what_fills() -> None:
    hours, detail = hours_that_reach_stop_and_target()
    assert backtest(Given(bracket), hours, costs=FREE).round_trips[0].exit_reason == "stop"
    found = backtest(Given(bracket), hours, costs=FREE, detail=detail)
    assert found.round_trips[0].exit_reason == "target"
    assert found.round_trips[0].exit_time is not None
    assert found.round_trips[0].exit_time.timestamp() * 1000 == 2 * HOUR
    assert found.round_trips[0].bars == 1
    assert len(found.equity) == len(found.returns) == 3


def test_where_the_detail_has_a_hole_the_bar_is_matched_whole_and_counted() -> None:
    hours, detail = hours_that_reach_stop_and_target()
    hours = hours.followed_by(replace(hours, timestamp=hours.timestamp + 3 * HOUR))
    detail = detail.followed_by(replace(detail, timestamp=detail.timestamp + 3 * HOUR))
    found = backtest(Given(bracket), hours, costs=FREE, detail=without(detail, 4))
    assert found.round_trips[0].exit_reason == "stop"
    assert found.warnings == ["1 of 6 bars of COIN/USDT were matched whole, because the 30m detail has a hole there."]


def test_a_hole_of_one_instrument_keeps_that_bar_of_all_whole() -> None:
    minutes = {"A": walk(300, 1), "B": walk(300, 2, instrument=OTHER)}
    hours = {name: each.resample("1h") for name, each in minutes.items()}
    found = backtest(BuyAndHold(), hours, detail=minutes | {"B": without(minutes["B"], 90, 91, 200)})
    assert [warning.split(" were")[0] for warning in found.warnings] == ["2 of 5 bars of A", "2 of 5 bars of B"]
    assert len(found.equity) == 5


def test_a_rerun_and_the_baseline_are_matched_by_the_detail_too() -> None:
    minutes = walk(60 * 48, 3)
    hours = minutes.resample("1h")
    found = backtest(SmaCross(2, 5), hours, detail=minutes)
    again = found.rerun(found.costs)
    np.testing.assert_array_equal(again.raw_fills, found.raw_fills)
    np.testing.assert_array_equal(found.buy_and_hold, backtest(BuyAndHold(), hours, detail=minutes).equity)
    assert found.document()["detail"][0]["timeframe"] == "1m"
    assert backtest(SmaCross(2, 5), hours, detail=minutes, start=HOUR * 10).timestamps[0] == HOUR * 10


def _hours() -> Bars:
    return walk(60 * 20, 5).resample("1h")


WRONG: dict[str, tuple[Callable[[], Result], str]] = {
    "too short": (lambda: backtest(BuyAndHold(), _hours(), detail=walk(60 * 19, 5)), "does not cover"),
    "too late": (lambda: backtest(BuyAndHold(), _hours(), detail=walk(60 * 20, 5)[1:]), "does not cover"),
    "empty": (lambda: backtest(BuyAndHold(), _hours(), detail=walk(9, 5)[:0]), "is empty"),
    "coarser": (lambda: backtest(BuyAndHold(), _hours(), detail=walk(60, 5, timeframe="4h")), "do not divide"),
    "off the grid": (
        lambda: backtest(
            BuyAndHold(), _hours()[1:], detail=replace(walk(60 * 20, 5), timestamp=np.arange(1200) * 60_000 + 5_000)
        ),
        "01:00:05.* off the grid",
    ),
    "another market": (
        lambda: backtest(BuyAndHold(), _hours(), detail=walk(60 * 20, 6)),
        "another market",
    ),
    "not by symbol": (
        lambda: backtest(BuyAndHold(), {"A": _hours(), "B": _hours()}, detail=walk(60 * 20, 5)),
        "by symbol",
    ),
    "one lacks it": (
        lambda: backtest(BuyAndHold(), {"A": _hours(), "B": _hours()}, detail={"A": walk(60 * 20, 5)}),
        "B lacks it",
    ),
    "of nothing": (lambda: backtest(BuyAndHold(), {"A": _hours()}, detail={"C": walk(60 * 20, 5)}), "no bars of C"),
    "two timeframes": (
        lambda: backtest(BuyAndHold(), {"A": _hours(), "B": _hours()}, detail={"A": walk(60 * 20, 5), "B": _hours()}),
        "one timeframe",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_detail_that_does_not_fit_is_refused_in_one_sentence(name: str) -> None:
    attempt, words = WRONG[name]
    with pytest.raises(InvalidInput, match=words) as refused:
        attempt()
    assert "\n" not in refused.value.sentence()
