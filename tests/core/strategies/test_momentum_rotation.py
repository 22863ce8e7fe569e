"""MomentumRotation: whom it holds, in which parts, and how it takes holes and late listings."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from core.market.bars import COLUMNS, Bars
from core.research.backtest import backtest
from core.strategies import MomentumRotation
from core.trading.costs import FREE
from core.trading.strategy import Context
from tests.core.simulation.market import COIN, walk

NAN = np.nan


def closing(name: str, *closes: float, first: int = 0) -> Bars:
    prices = np.array(closes, dtype=np.float64)
    times = (first + np.arange(len(prices))) * 3_600_000
    columns = (prices, prices, prices, prices, np.full(len(prices), 1e9))
    return Bars.checked(replace(COIN, base=name), "1h", times, *columns)


def shares(strategy: MomentumRotation, bars: Mapping[str, Bars]) -> dict[str, list[float]]:
    return {name: each.exposure.tolist() for name, each in strategy.allocate(bars, Context()).items()}


def test_the_best_of_the_lookback_share_the_equity_and_others_are_left() -> None:
    # rebalanced at bars 0, 3 and 6; over two bars A rises 20 % then 0 %, B 10 % then 30 %, C falls
    bars = {
        "A": closing("A", 100, 100, 110, 120, 120, 120, 120),
        "B": closing("B", 100, 100, 105, 110, 110, 120, 143),
        "C": closing("C", 100, 100, 99, 98, 97, 96, 97.5),
    }
    found = shares(MomentumRotation(2, 3, 2), bars)
    np.testing.assert_array_equal(found["A"], [NAN, NAN, NAN, 0.5, NAN, NAN, 0.0])
    np.testing.assert_array_equal(found["B"], [NAN, NAN, NAN, 0.5, NAN, NAN, 0.5])
    np.testing.assert_array_equal(found["C"], [NAN, NAN, NAN, 0.0, NAN, NAN, 0.5])  # + 0.5 % is more than 0 %
    strict = shares(MomentumRotation(2, 3, 2, least=0.1), bars)
    np.testing.assert_array_equal(strict["C"], [NAN, NAN, NAN, 0.0, NAN, NAN, 0.0])
    part = shares(MomentumRotation(2, 3, 1, invested=0.4), bars)
    np.testing.assert_array_equal(part["A"], [NAN, NAN, NAN, 0.4, NAN, NAN, 0.0])


def test_of_equals_the_first_is_held() -> None:
    bars = {name: closing(name, 100, 110, 120, 130) for name in ("A", "B")}
    found = shares(MomentumRotation(1, 3, 1), bars)
    assert (found["A"][3], found["B"][3]) == (1.0, 0.0)


def test_a_late_listing_joins_once_it_has_its_lookback() -> None:
    bars = {"A": closing("A", *[100.0] * 10), "B": closing("B", *np.linspace(100, 200, 7), first=3)}
    found = shares(MomentumRotation(2, 3, 1), bars)
    np.testing.assert_array_equal(found["A"], [NAN, NAN, NAN, 1.0, NAN, NAN, 0.0, NAN, NAN, 0.0])
    np.testing.assert_array_equal(found["B"], [0.0, NAN, NAN, 1.0, NAN, NAN, 1.0])


def test_in_a_hole_the_last_close_counts_and_the_next_bar_trades() -> None:
    whole = closing("A", 100, 101, 110, 115, 116, 117, 118)
    kept = np.array([0, 1, 2, 4, 5, 6])  # the bar of the choice is missing
    holed = replace(whole, **{name: getattr(whole, name)[kept] for name in COLUMNS})
    bars = {"A": holed, "B": closing("B", 100, 100, 100, 101, 101, 101, 101)}
    found = shares(MomentumRotation(2, 3, 1), bars)
    np.testing.assert_array_equal(found["A"], [NAN, NAN, NAN, 1.0, NAN, 1.0])
    np.testing.assert_array_equal(found["B"], [NAN, NAN, NAN, 0.0, NAN, NAN, 0.0])


def test_what_no_longer_trades_is_not_chosen() -> None:
    bars = {"A": closing("A", 100, 200, 300), "B": closing("B", *[100.0] * 10)}
    found = shares(MomentumRotation(2, 3, 1), bars)
    assert found["B"][3] == 0.0  # its last close is two bars old
    assert found["B"][6] == 1.0


def test_weights_are_of_the_whole_equity() -> None:
    bars = {
        "A": closing("A", 100, 100, 110, 120, 120, 120),
        "B": closing("B", 100, 100, 105, 110, 110, 110),
        "C": closing("C", 100, 100, 99, 98, 97, 96),
    }
    result = backtest(MomentumRotation(2, 3, 2), bars, 1_000.0, FREE)
    worth = (result.fills["price"] * result.fills["quantity"]).tolist()
    assert worth == pytest.approx([500.0, 500.0])
    assert result.fills["symbol"].tolist() == ["A", "B"]


def test_no_weight_depends_on_later_bars() -> None:
    rng = np.random.default_rng(5)
    bars: dict[str, Bars] = {}
    for k in range(4):
        each = walk(300, k, instrument=replace(COIN, base=f"C{k}"))[30 * k :]
        kept = np.flatnonzero(rng.random(len(each)) > 0.2)
        bars[f"C{k}"] = replace(each, **{name: getattr(each, name)[kept] for name in COLUMNS})
    strategy = MomentumRotation(20, 7, 2)
    whole = strategy.allocate(bars, Context())
    for cut in range(0, 300, 11):
        part = {name: each.between(None, cut * 60_000) for name, each in bars.items()}
        for name, signals in strategy.allocate(part, Context()).items():
            np.testing.assert_array_equal(signals.exposure, whole[name].exposure[: len(part[name])])
