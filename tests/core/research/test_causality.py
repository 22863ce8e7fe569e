"""Strategies that peek are caught and named; those that do not pass; the warm-up is measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.indicators import atr, ema, sma
from core.market.bars import Bars
from core.market.timeframes import milliseconds
from core.research.causality import causality
from core.strategies import SmaCross, load
from core.trading.intents import Aim
from core.trading.strategy import Context, Parameter, Signals
from tests.core.simulation.market import walk

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """What the strategies below have in common."""

    name: ClassVar[str] = "made"
    summary: ClassVar[str] = "For tests."
    parameters: ClassVar[dict[str, Parameter]] = {}

    def warmup(self) -> int:
        return 20


class Honest(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        exposure = np.where(bars.close > sma(bars.close, 20), 1.0, 0.0)
        return Signals(exposure, stop=bars.close - atr(bars.high, bars.low, bars.close, 10) * 3 + 1e-9)


class Tomorrow(Made):
    """shift(-1)"""

    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals(np.where(np.append(bars.close[1:], np.nan) > bars.close, 1.0, 0.0))


class RareTomorrow(Made):
    """shift(-1) at a handful of bars only, with the last one left blank"""

    def signals(self, bars: Bars, context: Context) -> Signals:
        exposure = np.full(len(bars), np.nan)
        jump = np.append(bars.close[1:] / bars.close[:-1], 1.0)
        exposure[jump > 1.028] = 1.0
        return Signals(exposure)


class Centred(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        import pandas

        middle = pandas.Series(bars.close).rolling(21, center=True).mean().to_numpy()
        return Signals(np.where(bars.close > middle, 1.0, 0.0))


class Normalised(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals(bars.close / bars.close.max())


class LateStop(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        honest = Honest().signals(bars, context)
        lows = np.minimum(bars.low, np.append(bars.low[3:], [bars.low[-1]] * 3))
        return Signals(honest.exposure, stop=lows * 0.99)


class HigherPeek(Made):
    """The close of a four-hour bar, used since its first hour."""

    def signals(self, bars: Bars, context: Context) -> Signals:
        length = 4 * milliseconds("1h")
        groups = bars.timestamp // length
        coarse = bars.resample("4h")
        place = np.searchsorted(coarse.timestamp // length, groups)
        closes = np.append(coarse.close, np.nan)[np.minimum(place, len(coarse))]
        return Signals(np.where(closes > bars.open, 1.0, 0.0))


class HigherHonest(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        coarse = bars.resample("4h")
        closed = np.searchsorted(coarse.timestamp + 3 * milliseconds("1h"), bars.timestamp, side="right") - 1
        average = np.append(ema(coarse.close, 5), np.nan)
        return Signals(np.where(bars.close > average[closed], 1.0, 0.0))


class Moody(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals(np.random.default_rng().uniform(0, 1, len(bars)))


class SlowToSettle(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals(np.clip(ema(bars.close, 80) / bars.close - 0.5, 0.0, 1.0))


class Counting(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals(np.arange(len(bars)) % 7 / 7.0)


class Broken(Made):
    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals(np.full(len(bars), 1.0 / (len(bars) - len(bars))))


class OtherPeek(Made):
    """The other instrument's next close."""

    def signals(self, bars: Bars, context: Context) -> Signals:
        other = next(iter(context.others.values()))
        later = np.searchsorted(other.timestamp, bars.timestamp) + 1
        return Signals(np.where(np.append(other.close, 0.0)[np.minimum(later, len(other))] > 100.0, 1.0, 0.0))


class Portfolio(Made):
    def allocate(self, bars: dict[str, Bars], context: Context) -> dict[str, Signals]:
        return {name: Signals(np.where(each.close > sma(each.close, 20), 0.5, 0.0)) for name, each in bars.items()}


class PortfolioPeek(Made):
    """Ranks by the whole history."""

    def allocate(self, bars: dict[str, Bars], context: Context) -> dict[str, Signals]:
        best = max(bars, key=lambda name: float(bars[name].close[-1] / bars[name].close[0]))
        return {name: Signals(np.full(len(each), 1.0 if name == best else 0.0)) for name, each in bars.items()}


class Buyer(Made):
    """Buys below an average that it is given for each bar, sells above; asked bar by bar."""

    def indicators(self, bars: Bars) -> dict[str, Floats]:
        return {"middle": sma(bars.close, 20)}

    def on_bar(self, view: Any) -> list[Any]:
        wish = 1.0 if view.close < view.value("middle") else 0.0
        return [Aim(exposure=wish)] if (view.position > 0.0) != (wish > 0.0) else []


class IndicatorPeek(Buyer):
    """Its average is that of two bars later."""

    def indicators(self, bars: Bars) -> dict[str, Floats]:
        return {"ahead": np.append(bars.close[2:], [np.nan, np.nan]), "middle": sma(bars.close, 20)}


class OrderPeek(Buyer):
    """Reads the end of the history behind the back of the view."""

    def indicators(self, bars: Bars) -> dict[str, Floats]:
        object.__setattr__(self, "last", float(bars.close[-1]))
        return super().indicators(bars)

    def on_bar(self, view: Any) -> list[Any]:
        return [Aim(exposure=0.5)] if view.close < getattr(self, "last", 0.0) else [Aim(exposure=0.0)]


@pytest.fixture(scope="module")
def bars() -> Bars:
    return walk(1_200, 8, timeframe="1h")


@pytest.fixture(scope="module")
def several() -> dict[str, Bars]:
    return {f"COIN{i}/USDT": walk(900, i, timeframe="1h") for i in range(3)}


@pytest.mark.parametrize("strategy", [Honest(), HigherHonest(), SmaCross(5, 20), Buyer()])
def test_a_strategy_that_looks_back_only_is_causal(strategy: Any, bars: Bars) -> None:
    found = causality(strategy, bars)
    assert found.causal, found.sentence
    assert found.peek is None
    assert "sees no future: 60 cuts through 1,200 bars" in found.sentence
    assert found.document()["causal"] is True


@pytest.mark.parametrize(
    ("strategy", "column", "test", "ahead"),
    [
        (Tomorrow(), "exposure", "prefix", 1),
        (RareTomorrow(), "exposure", "prefix", 1),
        (Centred(), "exposure", "prefix", 10),
        (Normalised(), "exposure", "prefix", 200),
        (LateStop(), "stop", "prefix", 3),
        (HigherPeek(), "exposure", "prefix", 3),
        (IndicatorPeek(), "ahead", "prefix", 2),
        (OrderPeek(), "orders", "prefix", 200),
    ],
)
def test_a_strategy_that_peeks_is_caught_and_named(
    strategy: Any, column: str, test: str, ahead: int, bars: Bars
) -> None:
    found = causality(strategy, bars)
    assert not found.causal
    assert found.peek is not None
    assert found.peek.column == column
    assert found.peek.test == test
    assert found.peek.ahead == ahead if ahead < 100 else found.peek.ahead > ahead
    assert f"sees the future: its {column} of COIN/USDT at 1970-" in found.sentence
    assert found.document()["peek"]["column"] == column


def test_the_first_bar_that_changed_is_told(bars: Bars) -> None:
    found = causality(Tomorrow(), bars, cuts=len(bars))
    known = np.where(np.append(bars.close[1:], np.nan) > bars.close, 1.0, 0.0)
    first = 20 + int(np.argmax(known[20:] == 1.0))  # from the end of the warm-up on
    assert found.peek is not None
    assert found.peek.bar == found.peek.cut == int(bars.timestamp[first])
    assert (found.peek.known, found.peek.unknown) == ("1", "0")


def test_what_a_shortened_history_hides_another_future_shows(bars: Bars) -> None:
    class Guarded(Made):
        """Peeks only while the history has its full length."""

        def signals(self, bars: Bars, context: Context) -> Signals:
            ahead = np.append(bars.close[1:], np.nan) > bars.close
            return Signals(np.where(ahead, 1.0, 0.0) if len(bars) == 1_200 else Tomorrowless.known(bars))

    class Tomorrowless:
        whole = Tomorrow().signals(bars, Context()).exposure

        @classmethod
        def known(cls, shorter: Bars) -> Floats:
            return cls.whole[: len(shorter)]

    found = causality(Guarded(), bars)
    assert found.peek is not None
    assert found.peek.test == "perturbation"
    assert "with other bars after" in found.sentence


def test_chance_is_no_decision(bars: Bars) -> None:
    found = causality(Moody(), bars)
    assert not found.causal
    assert "decides differently on the same bars" in found.sentence


def test_peeking_at_another_instrument_is_caught(several: dict[str, Bars]) -> None:
    found = causality(OtherPeek(), several)
    assert not found.causal


def test_portfolios_are_tested_whole(several: dict[str, Bars]) -> None:
    assert causality(Portfolio(), several).causal
    found = causality(PortfolioPeek(), several)
    assert not found.causal
    assert found.symbols == tuple(several)


def test_portfolios_whose_instruments_begin_and_end_apart_are_cut_by_time() -> None:
    held = {"A/USDT": walk(500, 1, timeframe="1h"), "B/USDT": walk(420, 2, timeframe="1h")[90:]}
    assert causality(Portfolio(), held).causal


def test_the_warm_up_is_measured(bars: Bars) -> None:
    honest = causality(SmaCross(5, 20), bars).warm_up
    assert honest is not None
    assert honest.enough
    slow = causality(SlowToSettle(), bars).warm_up
    assert slow is not None
    assert slow.needed is not None
    assert slow.needed > slow.declared == 20
    assert "let it see more bars" in slow.sentence
    never = causality(Counting(), bars, seed=1).warm_up
    assert never is not None
    assert never.needed is None
    assert "depends on where it begins" in never.sentence


def test_a_seed_decides_the_cuts(bars: Bars) -> None:
    one, again = (causality(Centred(), bars, seed=4).document() for _ in range(2))
    one["seconds"] = again["seconds"] = 0.0
    assert one == again


def test_progress_goes_from_the_beginning_to_the_end(bars: Bars) -> None:
    told: list[float] = []
    causality(Honest(), bars, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 100


def test_a_strategy_that_fails_is_told_with_its_place(bars: Bars) -> None:
    with pytest.raises(InvalidInput, match=r"made failed in .*test_causality\.py, line \d+: ZeroDivisionError"):
        causality(Broken(), bars)


def test_too_few_bars_and_impossible_cuts_are_refused(bars: Bars) -> None:
    with pytest.raises(InvalidInput, match="needs 23 bars for this test, and COIN/USDT has 15"):
        causality(Honest(), bars[:15])
    with pytest.raises(InvalidInput, match="0 cuts"):
        causality(Honest(), bars, 0)
    assert causality(Honest(), bars[:23]).causal


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["sma_cross", "trend_pullback", "rsi_limit", "dca"])
def test_bars_with_the_holes_of_a_real_market_show_no_peek_where_there_is_none(name: str, shared_data: Path) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / "BTCUSDT.parquet")[:1_500]
    assert causality(load(name), bars, 15).causal
