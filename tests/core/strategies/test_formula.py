"""Strategies of formulas: what they do at each bar, how they are made, copied and found."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from core.errors import AppError, InvalidInput, NotFound
from core.indicators.formula import FormulaError
from core.market.bars import Bars
from core.research.backtest import backtest
from core.strategies import EmaCross, load
from core.strategies.formula import formula_strategy, shelf_in, source_of
from core.strategies.loading import own
from core.trading.strategy import Context, Signals, describe
from tests.core.market.made import BTC, START, bars

MARKET = bars(600, seed=5)
NAN = np.nan


def closes(*prices: float) -> Bars:
    close = np.array(prices, dtype=float)
    times = START + np.arange(len(close)) * 3_600_000
    return Bars.checked(BTC, "1h", times, close, close, close, close, np.ones(len(close)))


def signals(text: str, market: Bars, **parameters: float) -> Signals:
    return formula_strategy(text)(**parameters).signals(market, Context())


def same(found: np.ndarray | None, expected: list[float]) -> bool:
    return found is not None and np.array_equal(found, expected, equal_nan=True)


def test_a_rule_is_held_while_it_is_true() -> None:
    found = signals("close > 5", closes(4, 6, 7, 5, 4, 8, 9))
    assert same(found.exposure, [NAN, 1, NAN, 0, NAN, 1, NAN])
    assert found.stop is None


def test_nothing_is_asked_for_in_the_warm_up() -> None:
    found = signals("not (sma(close, 3) > 5)", closes(1, 1, 1, 1, 9, 9, 9, 1, 1))
    assert same(found.exposure, [NAN, NAN, 1, NAN, NAN, 0, NAN, NAN, 1])


def test_entry_and_exit_are_remembered_between() -> None:
    found = signals("entry: close > 8; exit: close < 3", closes(9, 5, 2, 2, 9, 9, 4, 1))
    assert same(found.exposure, [1, NAN, 0, NAN, 1, NAN, NAN, 0])


def test_both_at_once_change_nothing() -> None:
    found = signals("entry: close > 5; exit: close > 7", closes(4, 8, 6, 8, 4))
    assert same(found.exposure, [NAN, NAN, 1, 0, NAN])


def test_an_entry_without_an_exit_lasts_while_it_is_true_unless_it_is_protected() -> None:
    market = closes(4, 6, 4, 6, 6)
    assert same(signals("entry: close > 5", market).exposure, [NAN, 1, 0, 1, NAN])
    assert same(signals("entry: close > 5; stop: 10%", market).exposure, [NAN, 1, NAN, 1, NAN])


def test_shorts_and_longs_turn_into_each_other() -> None:
    market = closes(5, 8, 5, 2, 5, 8)
    assert same(signals("entry: close > 7; short: close < 3", market).exposure, [NAN, 1, NAN, -1, NAN, 1])
    text = "entry: close > 7; exit: close < 6; short: close < 3; cover: close > 4"
    assert same(signals(text, market).exposure, [NAN, 1, 0, -1, 0, 1])


def test_an_exit_does_not_end_what_was_sold_short() -> None:
    found = signals("short: close < 3; exit: close > 4; entry: close > 100", closes(2, 5, 2))
    assert same(found.exposure, [-1, NAN, NAN])


def test_protection_is_set_at_entries_and_mirrored_for_shorts() -> None:
    text = "entry: close > 7; short: close < 3; stop: close * 0.9; target: 20%; trail: 5%; exposure: 0.5; limit: 1%"
    found = signals(text, closes(5, 10, 5, 2))
    assert same(found.exposure, [NAN, 0.5, NAN, -0.5])
    assert found.stop is not None
    assert found.stop[[1, 3]] == pytest.approx([9.0, 2.2])
    assert found.take_profit is not None
    assert found.take_profit[[1, 3]] == pytest.approx([12.0, 1.6])
    assert found.limit is not None
    assert found.limit[[1, 3]] == pytest.approx([9.9, 2.02])
    assert same(found.trail, [NAN, 0.05, NAN, 0.05])
    assert np.isnan(found.stop[[0, 2]]).all()


def test_there_is_no_entry_without_its_protection() -> None:
    market = closes(4, 6, 4, 6)
    assert np.isnan(signals("entry: close > 5; stop: close + 1", market).exposure).all()  # on the wrong side
    assert np.isnan(signals("entry: close > 5; stop: sma(close, 9)", market).exposure).all()  # unknown
    assert np.isnan(signals("entry: close > 5; exposure: close", market).exposure).all()  # more than everything
    assert np.isnan(signals("entry: close > 5; trail: close", market).exposure).all()


def test_the_formula_of_a_shipped_strategy_trades_as_it_does() -> None:
    text = "entry: cross(ema(close, 12), ema(close, 26)); exit: crossunder(ema(close, 12), ema(close, 26))"
    mine, shipped = backtest(formula_strategy(text)(), MARKET), backtest(EmaCross(), MARKET)
    assert mine.stats["trades"] >= 3
    assert np.array_equal(mine.equity, shipped.equity)


def test_its_parameters_are_those_of_a_strategy() -> None:
    kind = formula_strategy(
        "param fast = 12 [2 .. 50 step 2]; param level = 0.5 [0 .. 1]; ema(close, fast) * level > 30", "mine"
    )
    assert (kind.name, kind.__name__) == ("mine", "Mine")
    assert describe(kind(fast=5)) == {"name": "mine", "parameters": {"fast": 5, "level": 0.5}}
    assert kind.parameters["fast"].kind is int
    assert kind.parameters["level"].kind is float
    assert kind.parameters["fast"].step == 2
    with pytest.raises(InvalidInput, match="from 2 to 50"):
        kind(fast=51)


def test_a_value_that_an_indicator_refuses_is_refused_when_the_strategy_is_made() -> None:
    kind = formula_strategy("param fast = 5 [2 .. 50]; macd(close, fast, 26) > 0")
    with pytest.raises(FormulaError, match="must be below slow"):
        kind(fast=30)


def test_more_bars_are_needed_for_a_higher_timeframe() -> None:
    assert formula_strategy("close > sma(close, 50)")().warmup() == 50
    assert formula_strategy('close > at("4h", sma(close, 50))')().warmup() >= 200


def test_a_number_is_no_strategy() -> None:
    with pytest.raises(InvalidInput, match="needs a rule that is true or false"):
        formula_strategy("close")


def test_it_is_the_same_in_another_process() -> None:
    kind = formula_strategy("param n = 5 [2 .. 9]; close > sma(close, n)", "mine")
    assert pickle.loads(pickle.dumps(kind)) is kind
    copied = pickle.loads(pickle.dumps(kind(n=7)))
    assert copied == kind(n=7)
    assert copied != kind(n=8)
    assert np.array_equal(
        copied.signals(MARKET, Context()).exposure, kind(n=7).signals(MARKET, Context()).exposure, equal_nan=True
    )


def test_a_saved_formula_is_found_by_its_name(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path / "formulas")
    shelf.save("average", "param n = 20 [2 .. 50]; sma(close, n)")
    shelf.save("dip", "param k = 1.0 [0 .. 2]; close < average(n=10) * k")
    folder = tmp_path / "strategies"
    found = load("dip", {"k": "0.99"}, folder)
    assert (found.name, found.k) == ("dip", 0.99)  # type: ignore[union-attr]
    assert list(own(folder)[0]) == ["dip"]
    with pytest.raises(InvalidInput, match="gives a number"):
        load("average", folder=folder)
    with pytest.raises(NotFound, match="no strategy 'dipp'") as refused:
        load("dipp", folder=folder)
    assert "dip" in refused.value.sentence()


def test_a_formula_may_stand_where_a_name_does(tmp_path: Path) -> None:
    shelf_in(tmp_path / "formulas").save("average", "sma(close, 20)")
    found = load("formula: param k = 1.0 [0 .. 2]; close < average * k", {"k": 0.5}, tmp_path / "strategies")
    assert describe(found) == {"name": "formula", "parameters": {"k": 0.5}}
    with pytest.raises(FormulaError, match="There is no 'avrage'"):
        load("formula: close < avrage", folder=tmp_path / "strategies")


def test_what_was_started_outlives_the_saved_formula(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path / "formulas")
    shelf.save("average", "sma(close, 20)")
    shelf.save("dip", "param k = 1.0 [0 .. 2]; close < average * k")
    source = source_of(type(load("dip", folder=tmp_path / "strategies")))  # type: ignore[arg-type]
    shelf.remove("dip")
    shelf.save("average", "sma(close, 5)", replace=True)
    again = load(source, {"k": 0.5}, tmp_path / "strategies")
    assert (again.name, again.warmup()) == ("dip", 20)


@pytest.mark.parametrize("source", ["formula:{", "formula:{}", 'formula:{"name": 1, "text": "close >", "uses": {}}'])
def test_a_damaged_source_is_one_sentence(source: str, tmp_path: Path) -> None:
    with pytest.raises(AppError):
        load(source, folder=tmp_path / "strategies")


def test_a_formula_that_no_longer_works_does_not_hide_the_others(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path / "formulas")
    shelf.save("good", "close > open")
    (tmp_path / "formulas" / "torn.json").write_text("{")
    (tmp_path / "formulas" / "old.json").write_text('{"text": "gone(close) > 1", "owner": "", "saved": ""}')
    found, failed = own(tmp_path / "strategies")
    assert list(found) == ["good"]
    assert len(failed) == 2
    assert "There is no 'gone'" in failed[0]
    assert "is no saved formula" in failed[1]
