"""What cannot be backtested: one clear sentence each, for bars from files and for those built in Python."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import AppError, BadData, InvalidInput
from core.market.bars import COLUMNS, Bars
from core.market.higher import higher
from core.research.backtest import backtest
from core.strategies import BuyAndHold, Grid, MomentumRotation, SmaCross, TrendPullback, load
from core.trading.costs import Costs
from core.trading.strategy import Signals, strategy
from tests.core.simulation.market import COIN, walk

GOOD = walk(60, 1, timeframe="1h")


def spoilt(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The columns of good bars with something wrong at row 7."""
    columns = {name: getattr(GOOD, name).copy() for name in COLUMNS}
    change(columns)
    return columns


def put(name: str, value: float) -> Callable[[dict[str, Any]], None]:
    def change(columns: dict[str, Any]) -> None:
        columns[name][7] = value

    return change


def swap(columns: dict[str, Any]) -> None:
    columns["timestamp"][[7, 8]] = columns["timestamp"][[8, 7]]


SPOILT: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "not a number": (put("close", np.nan), "close is missing or not a number"),
    "negative price": (put("low", -1.0), "low -1 is not a price; prices are above 0"),
    "negative volume": (put("volume", -1.0), "volume -1 is negative"),
    "infinite": (put("high", np.inf), "high is infinite"),
    "twice": (put("timestamp", 6 * 3_600_000), r"the time 1970-01-01T06:00:00Z stands there twice"),
    "unsorted": (swap, "rows must be oldest first"),
    "off the grid": (put("timestamp", 7 * 3_600_000 + 5), "is not the open of a 1h bar"),
    "high below low": (put("high", 0.5), "high 0.5 is below"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_impossible_bars_built_in_python_are_refused_with_the_row(name: str) -> None:
    change, sentence = SPOILT[name]
    bars = Bars(COIN, "1h", **spoilt(change))
    for kind in (BuyAndHold(), Grid(), MomentumRotation(2, 2, 1)):
        with pytest.raises(BadData, match=rf"COIN/USDT row [78] \(counting from 0\): .*{sentence}") as refused:
            backtest(kind, bars)
        assert "\n" not in refused.value.sentence()
    with pytest.raises(BadData, match=sentence):
        backtest(BuyAndHold(), replace(GOOD, **spoilt(change)))  # changed after it was looked at


@pytest.mark.parametrize("name", SPOILT)
def test_impossible_bars_in_a_file_are_refused_with_file_and_row(name: str, tmp_path: Path) -> None:
    change, _ = SPOILT[name]
    path = tmp_path / "COINUSDT-1h.csv"
    columns = spoilt(change)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines))
    with pytest.raises(AppError, match=r"COINUSDT-1h\.csv") as refused:
        Bars.read(path, timeframe="1h")
    assert "\n" not in refused.value.sentence()


def test_bars_are_looked_at_once() -> None:
    bars = Bars(COIN, "1h", *(getattr(GOOD, name) for name in COLUMNS))
    assert not bars.possible
    backtest(BuyAndHold(), bars)
    assert bars.possible
    assert bars[3:9].possible
    assert not replace(bars, close=bars.close * 1.0).possible


@strategy
class Nonsense:
    """Returns no signals."""

    def signals(self, bars: Bars, context: Any) -> Any:
        return bars.close


@strategy
class Elsewhere:
    """Speaks of other instruments."""

    def allocate(self, bars: Any, context: Any) -> Any:
        return {"ETH": Signals(np.zeros(3))}


@strategy
class Breaks:
    """Fails."""

    def allocate(self, bars: Any, context: Any) -> Any:
        return bars["nowhere"]


def run_of(kind: Any, bars: Any = GOOD, **given: Any) -> Callable[[], Any]:
    return lambda: backtest(kind, bars, **given)


MINUTES = walk(60, 1, instrument=replace(COIN, base="B"))
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown strategy": (lambda: load("grids"), r"There is no strategy 'grids'\. Did you mean grid"),
    "unknown parameter": (lambda: load("grid", {"level": 3}), r"grid has no parameter 'level'\. Did you mean levels\?"),
    "out of range": (lambda: load("grid", {"spacing": 2}), "spacing takes a number from 0.0001 to 0.5, not 2"),
    "out of range in Python": (lambda: Grid(levels=0), "levels takes a whole number from 1 to 200, not 0"),
    "no number": (lambda: load("dca", {"cash": "lots"}), "cash takes a number from 1.0 to"),
    "fast above slow": (lambda: TrendPullback(fast=20), "fast 20 must be below slow 12"),
    "too few bars": (run_of(SmaCross(20, 60)), "sma_cross needs more than 61 bars and COIN/USDT has 60"),
    "too few for a portfolio": (run_of(MomentumRotation(70)), "momentum_rotation needs more than 71 bars"),
    "no bars": (run_of(BuyAndHold(), {}), "needs the bars of at least one instrument"),
    "no Bars": (run_of(BuyAndHold(), {"A": [1, 2]}), "needs the bars of at least one instrument"),
    "mixed timeframes": (run_of(BuyAndHold(), {"A": GOOD, "B": MINUTES}), "one timeframe; these have 1h, 1m"),
    "cash not a number": (run_of(Grid(), cash=float("nan")), "Starting cash must be above 0 and below 1e15, not nan"),
    "no cash": (run_of(Grid(), cash=0.0), "Starting cash must be above 0"),
    "cash in words": (run_of(BuyAndHold(), cash="much"), "Starting cash must be above 0 and below 1e15, not much"),
    "no signals": (run_of(Nonsense()), "nonsense gave ndarray in the place of Signals"),
    "other instruments": (run_of(Elsewhere()), "elsewhere gave signals of ETH; it was asked about COIN/USDT"),
    "broken portfolio": (run_of(Breaks()), r"breaks failed in .*, line \d+: KeyError: 'nowhere'"),
    "lower timeframe": (lambda: higher(GOOD, "15m"), "Bars of 1h cannot become 15m bars; they can become 2h"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_clear_sentence(name: str) -> None:
    attempt, sentence = WRONG[name]
    with pytest.raises(AppError) as refused:
        attempt()
    told = refused.value.sentence()
    assert re.search(sentence, told), told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("exposure", 1.5, "an exposure of 1.5 for UP/USDT at 1970-01-01 07:00; an exposure lies between -1 and 1"),
        ("stop", -3.0, "a stop of -3 for UP/USDT at 1970-01-01 07:00; a price lies above 0"),
        ("limit", 0.0, "a limit of 0 for UP/USDT at 1970-01-01 07:00; a price lies above 0"),
        ("take_profit", np.inf, "a take profit of inf for UP/USDT at 1970-01-01 07:00; a price lies above 0"),
        ("trail", 2.0, "a trail of 2 for UP/USDT at 1970-01-01 07:00; a trail is a fraction between 0 and 1"),
    ],
)
@pytest.mark.parametrize("instruments", [1, 2])
def test_a_signal_that_cannot_be_meant_is_named_with_its_time(
    column: str, value: float, told: str, instruments: int
) -> None:
    @strategy
    class Wild:
        """One wrong value at row 7."""

        def signals(self, bars: Bars, context: Any) -> Signals:
            arrays = {"exposure": np.full(len(bars), np.nan), column: np.full(len(bars), np.nan)}
            arrays["exposure"][7] = 1.0
            arrays[column][7] = value
            return Signals(**arrays)

    bars = {f"{base}/USDT": replace(GOOD, instrument=replace(COIN, base=base)) for base in ("UP", "DOWN")}
    with pytest.raises(AppError, match=re.escape(told)):
        backtest(Wild(), dict(list(bars.items())[:instruments]))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("sma_cross", "'sma_cross' is a strategy's name, not a strategy; give load(\"sma_cross\", {})."),
        (SmaCross, "SmaCross is a class, not a strategy with its parameters; give SmaCross()."),
        (7, "7 is not a strategy: it has none of the methods signals(self, bars, context), on_bar(self, view)"),
    ],
)
def test_what_is_easily_taken_for_a_strategy_is_refused_with_what_to_give(given: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)):
        backtest(given, GOOD)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"taker_fee": "x"}, "taker_fee 'x' is not a number (0.001 is 10 basis points)."),
        ({"slippage": None}, "slippage None is not a number"),
        ({"latency": "2"}, "latency '2' is not a number (whole bars)."),
        ({"leverage": [3]}, "leverage [3] is not a number (1 is none)."),
    ],
)
def test_costs_that_are_no_numbers_are_refused_with_the_value(given: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)):
        Costs(**given)
