"""Step strategies in a backtest: what they see, what they ask for, and what is refused in a sentence."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import AppError, InvalidInput
from core.market.bars import Bars
from core.market.funding import Funding
from core.research.backtest import backtest
from core.simulation import fields
from core.strategies import BuyAndHold, load
from core.trading.costs import FREE, Costs
from core.trading.intents import (
    Aim,
    Cancel,
    CancelAll,
    Close,
    Intent,
    Place,
    Protect,
    Unprotect,
    View,
)
from core.trading.sizing import FixedCash, FixedQuantity, Fraction, Kelly, Sizing, VolatilityTarget
from core.trading.strategy import Context, Parameter, Signals, SignalStrategy, StepStrategy, strategy
from core.trading.tickets import Ticket
from tests.core.simulation.market import COIN, GRIDDED, walk
from tests.property.test_simulation import Random, costs, seeds


@dataclass(frozen=True)
class Mirror:
    """Asks bar by bar for what a signal strategy gave for all bars at once."""

    signals_of: SignalStrategy
    share: int = 1
    name: ClassVar[str] = "mirror"
    summary: ClassVar[str] = "Mirrors signals."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def indicators(self, bars: Bars) -> dict[str, Any]:
        made = self.signals_of.signals(bars, Context())
        names = ("exposure", "limit", "stop", "take_profit", "trail")
        return {name: array for name in names if (array := getattr(made, name)) is not None}

    def on_bar(self, view: View) -> Iterable[Intent]:
        exposure, *rest = (view.value(name) for name in ("exposure", "limit", "stop", "take_profit", "trail"))
        yield Aim(exposure / self.share, *rest)


@dataclass(frozen=True)
class Asks:
    """Asks for these intents at the bars of these numbers, and keeps what it saw."""

    script: Mapping[int, Any]
    seen: list[Any]
    name: ClassVar[str] = "asks"
    summary: ClassVar[str] = "Asks."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def on_bar(self, view: View) -> Iterable[Intent] | None:
        self.seen.append(
            (view.count, view.position, view.orders, view.fills, view.cash, view.equity, view.protection, view.close)
        )
        given: Any = self.script.get(view.count - 1)
        return given(view) if callable(given) else given


def flat_bars(prices: list[tuple[float, float, float, float]], instrument: Any = COIN) -> Bars:
    columns = np.array(prices).T
    n = len(prices)
    return Bars.checked(instrument, "1h", np.arange(n) * 3_600_000, *columns, np.full(n, 1e9))


TOTALS = (
    fields.A_CASH, fields.A_FEES, fields.A_REFS, fields.A_EXPOSED, fields.A_TURNOVER, fields.A_FUNDING,
    fields.A_INTEREST,
)  # fmt: skip
QUIET = flat_bars([(100.0, 101.0, 99.0, 100.0)] * 10)


@settings(max_examples=40)
@given(seeds, st.sampled_from([COIN, GRIDDED]), costs)
def test_a_step_strategy_that_mirrors_signals_fills_as_they_do(seed: int, coin: Any, rules: Costs) -> None:
    bars = walk(150, seed, instrument=coin)
    wanted, found = (backtest(each, bars, 2_000.0, rules) for each in (Random(seed), Mirror(Random(seed))))
    np.testing.assert_array_equal(found.raw_fills, wanted.raw_fills)
    np.testing.assert_array_equal(found.equity, wanted.equity)
    for column in TOTALS:
        assert found.account[column] == wanted.account[column]


@settings(max_examples=15)
@given(seeds, costs)
def test_it_does_so_on_several_instruments_with_holes_and_with_detail(seed: int, rules: Costs) -> None:
    rng = np.random.default_rng(seed)
    names = ("timestamp", "open", "high", "low", "close", "volume")
    minutes = {f"COIN{k}": walk(600, seed + k, instrument=replace(COIN, base=f"COIN{k}")) for k in range(3)}
    whole = {name: each.resample("5m") for name, each in minutes.items()}
    for name, each in whole.items():
        kept = np.flatnonzero(rng.random(len(each)) > 0.1)
        whole[name] = replace(each, **{column: getattr(each, column)[kept] for column in names})
    for detail in (None, minutes):
        wanted = backtest(Random(seed), whole, 2_000.0, rules, detail=detail)
        found = backtest(Mirror(Random(seed), 3), whole, 2_000.0, rules, detail=detail)
        np.testing.assert_array_equal(found.raw_fills, wanted.raw_fills)
        np.testing.assert_array_equal(found.equity, wanted.equity)
        np.testing.assert_array_equal(found.timestamps, wanted.timestamps)
    lone = next(iter(whole.values()))
    later = int(lone.timestamp[40])
    wanted, found = (
        backtest(each, lone, 2_000.0, rules, detail=minutes["COIN0"], start=later)
        for each in (Random(seed), Mirror(Random(seed)))
    )
    np.testing.assert_array_equal(found.equity, wanted.equity)


def test_plain_tickets_fill_as_signals_of_exposure_do() -> None:
    bars = walk(200, 5)
    exposure = Random(5).signals(bars, Context()).exposure

    @strategy
    class Plain:
        def signals(self, bars: Bars, context: Context) -> Signals:
            return Signals(exposure)

    def ask(view: View) -> Iterable[Intent]:
        wish = float(exposure[view.count - 1])
        if not np.isnan(wish):
            yield CancelAll()
            yield Place(Ticket("market", 0, exposure=wish))

    asking = Asks(dict.fromkeys(range(200), ask), [])
    wanted, found = backtest(plain_of(Plain), bars), backtest(asking, bars)
    np.testing.assert_array_equal(found.fills["price"], wanted.fills["price"])
    np.testing.assert_array_equal(found.fills["quantity"], wanted.fills["quantity"])
    np.testing.assert_array_equal(found.equity, wanted.equity)


def plain_of(kind: type) -> SignalStrategy:
    made: SignalStrategy = kind()
    return made


def test_a_view_tells_of_orders_fills_and_money_as_they_stand() -> None:
    limit = Ticket("limit", 1, quantity=2.0, limit=99.5, stop=90.0)
    rests = Ticket("limit", 1, spend=100.0, limit=50.0)
    asking = Asks({0: [Place(limit, "first"), Place(rests, "deep")], 3: [Cancel(2)], 5: [Close()]}, [])
    result = backtest(asking, QUIET, 1_000.0, FREE)
    seen = asking.seen
    assert [row[0] for row in seen] == list(range(1, 11))
    assert seen[0][1:5] == (0.0, (), (), 1_000.0)
    count, position, orders, fills, cash, equity, protection, _ = seen[1]
    assert (count, position, cash, equity) == (2, 2.0, 1_000.0 - 2 * 99.5, 1_001.0)
    assert [(each.ref, each.label, each.remaining, each.ticket.limit) for each in orders] == [(2, "deep", 100.0, 50.0)]
    assert [(each.label, each.price, each.quantity, each.reason) for each in fills] == [("first", 99.5, 2.0, "entry")]
    assert protection.stop == 90.0
    assert seen[2][3] == ()
    assert seen[4][2] == ()  # cancelled at the close before
    assert seen[6][1] == 0.0
    assert [fill.reason for fill in seen[6][3]] == ["exit"]
    assert result.stats["trades"] == 1
    assert result.stats["final_equity"] == 1_001.0


def test_protection_is_set_moved_and_removed() -> None:
    bars = flat_bars([(100.0, 100.5, 99.5, 100.0)] * 4 + [(100.0, 100.5, 89.0, 95.0)] * 3)
    buy = [Place(Ticket("market", 1, quantity=1.0))]
    kept = backtest(Asks({0: buy, 1: [Protect(stop=90.0, target=120.0)]}, []), bars, 1_000.0, FREE)
    assert [(row.reason, row.price) for row in kept.fills.itertuples()] == [("entry", 100.0), ("stop", 90.0)]
    asking = Asks({0: buy, 1: [Protect(stop=90.0)], 2: [Unprotect()]}, [])
    assert backtest(asking, bars, 1_000.0, FREE).fills["reason"].tolist() == ["entry"]
    asking = Asks({0: [Protect(stop=90.0)]}, [])  # nothing is held
    assert len(backtest(asking, bars, 1_000.0, FREE).fills) == 0


def test_cancelling_comes_first_whatever_the_order_of_the_intents() -> None:
    new = Place(Ticket("limit", 1, quantity=1.0, limit=10.0), "new")
    asking = Asks({0: [Place(Ticket("limit", 1, quantity=1.0, limit=9.0), "old")], 1: [new, CancelAll()]}, [])
    backtest(asking, QUIET, 1_000.0, FREE)
    assert [each.label for each in asking.seen[2][2]] == ["new"]


def test_one_instrument_can_be_traded_from_the_bar_of_another() -> None:
    two = {"A": flat_bars([(100.0, 101.0, 99.0, 100.0)] * 5, replace(COIN, base="A")),
           "B": flat_bars([(50.0, 51.0, 49.0, 50.0)] * 5, replace(COIN, base="B"))}  # fmt: skip

    def ask(view: View) -> Iterable[Intent]:
        if view.symbol == "A":
            assert list(view.market) == ["A", "B"]
            assert view.market["A"].count == view.count
            yield Place(Ticket("market", 1, quantity=2.0), symbol="B")

    result = backtest(Asks({0: ask}, []), two, 1_000.0, FREE)
    assert result.fills[["symbol", "quantity", "price"]].values.tolist() == [["B", 2.0, 50.0]]


def test_it_is_first_asked_when_it_has_its_bars_and_earlier_ones_only_warm_it_up() -> None:
    @dataclass(frozen=True)
    class Patient(Asks):
        def warmup(self) -> int:
            return 4

    asking = Patient({}, [])
    backtest(asking, QUIET)
    assert [row[0] for row in asking.seen] == [4, 5, 6, 7, 8, 9, 10]
    later = Patient({}, [])
    backtest(later, QUIET, start=int(QUIET.timestamp[6]))
    assert [row[0] for row in later.seen] == [7, 8, 9, 10]


def test_the_past_is_seen_without_a_copy_and_the_future_is_not() -> None:
    def look(view: View) -> None:
        assert len(view.bars) == view.count == 4
        assert view.bars.close.base is not None
        assert view.column("close").tolist() == QUIET.close[:4].tolist()
        assert view.column("high", 2).tolist() == [101.0, 101.0]
        assert view.time == QUIET.timestamp[3]
        assert (view.open, view.high, view.low, view.volume) == (100.0, 101.0, 99.0, 1e9)
        assert not view.bars.close.flags.writeable

    backtest(Asks({3: look}, []), QUIET)


def test_memory_is_kept_from_bar_to_bar_for_each_instrument() -> None:
    found: list[tuple[str, int]] = []

    def count(view: View) -> None:
        view.memory["seen"] = view.memory.get("seen", 0) + 1
        found.append((view.symbol, view.memory["seen"]))

    two = {name: flat_bars([(100.0, 101.0, 99.0, 100.0)] * 3, replace(COIN, base=name)) for name in ("A", "B")}
    backtest(Asks(dict.fromkeys(range(3), count), []), two)
    assert found == [("A", 1), ("B", 1), ("A", 2), ("B", 2), ("A", 3), ("B", 3)]


def test_other_costs_run_the_strategy_anew() -> None:
    asking = Asks({0: [Place(Ticket("market", 0, exposure=1.0))], 5: [Close()]}, [])
    result = backtest(asking, QUIET, 1_000.0, Costs(slippage=0.0))
    dearer = result.rerun(Costs(taker_fee=0.01, slippage=0.0))
    assert dearer.stats["fees_paid"] > 9 * result.stats["fees_paid"]
    assert result.rerun(result.costs).equity.tolist() == result.equity.tolist()


def test_progress_is_told_and_what_it_raises_ends_the_run() -> None:
    bars = walk(25_000, 1)
    told: list[float] = []
    backtest(Asks({}, []), bars, progress=told.append)
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert len(told) >= 4

    class Enough(Exception):
        pass

    def stop(done: float) -> None:
        if done > 0.4:
            raise Enough

    with pytest.raises(Enough):
        backtest(Asks({}, []), bars, progress=stop)


def test_a_user_s_class_becomes_a_step_strategy_and_a_portfolio() -> None:
    @strategy
    class Twice:
        """Buys twice."""

        amount = Parameter(100.0, 1.0, 1e6)

        def on_bar(self, view: View) -> Iterable[Intent]:
            if view.count <= 2:
                yield Place(Ticket("market", 1, spend=self.amount))  # type: ignore[arg-type]

    made: StepStrategy = Twice()  # type: ignore[assignment]
    assert isinstance(made, StepStrategy)
    assert (made.name, made.summary, made.warmup()) == ("twice", "Buys twice.", 1)
    assert len(backtest(made, QUIET).fills) == 2
    with pytest.raises(InvalidInput, match="needs one of signals and on_bar, not both"):
        strategy(type("Both", (), {"signals": lambda *_: None, "on_bar": lambda *_: None}))


def refuse(view: View) -> list[Intent]:
    return [Place(Ticket("market", 1, spend=-5.0))]


def fail(view: View) -> None:
    raise ValueError("no\nidea")


WRONG: list[tuple[Any, str]] = [
    (refuse, r"asks failed in .*test_steps.py, line \d+: The spend -5.0"),
    (fail, r"asks failed in .*test_steps.py, line \d+: ValueError: no idea"),
    (5, r"asks failed in .*: TypeError: 'int' object is not iterable"),
    (["buy"], "asks asked for 'buy', which is no intent; intents are Place, Cancel"),
    ([Place("all")], "needs a Ticket"),  # type: ignore[arg-type]
    ([Place(Ticket("market", 1, quantity=1.0, ref=3))], "give the order a label instead"),
    ([Cancel("first")], "Cancel takes the reference of an order, not 'first'"),  # type: ignore[arg-type]
    ([CancelAll("ETH")], "'ETH' is not traded here; there are COIN/USDT"),
    (lambda view: [Place(Ticket("market", 1, quantity=float("nan")))], "quantity nan is not a positive number"),
    (lambda view: [Place(Ticket("market", 2, quantity=1.0))], "side 2 is neither"),
    (lambda view: [Protect(stop=-1.0)], "stop -1.0 is not a positive price"),
    (lambda view: [Protect(trail=2.0)], "trail 2.0 is not a fraction"),
    (lambda view: [Aim(2.0)], "exposure 2.0 is outside -1 to 1"),
    (lambda view: [Aim(1.0, limit=0.0)], "limit 0.0 is not a positive price"),
    (lambda view: view.column("colour"), "There is no column 'colour'"),
    (lambda view: [view.value("rsi")], r"gave no 'rsi'; it gave none"),
    (lambda view: view.memory.update(bars=view.bars), "keeps in its memory what cannot be stored"),
    (lambda view: view.memory.update({3: 1}), "keeps in its memory what cannot be stored"),
]


@pytest.mark.parametrize(("given", "sentence"), WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_what_a_step_strategy_asks_wrongly_is_told_in_one_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(AppError, match=sentence) as refused:
        backtest(Asks({2: given}, []), QUIET)
    assert "\n" not in refused.value.sentence()


def test_indicators_of_a_wrong_length_are_refused() -> None:
    @dataclass(frozen=True)
    class Short(Asks):
        def indicators(self, bars: Bars) -> dict[str, Any]:
            return {"a": bars.close[1:]}

    with pytest.raises(InvalidInput, match=r"asks gave \(9,\) values of a for 10 bars"):
        backtest(Short({}, []), QUIET)


def test_every_row_of_a_step_run_is_one_of_the_kernel_s() -> None:
    too_much = Asks({0: [Place(Ticket("market", 1, quantity=1e6))]}, [])
    result = backtest(too_much, QUIET, 1_000.0, FREE)
    assert result.raw_fills.shape[1] == fields.FILL
    held = backtest(BuyAndHold(), QUIET, 1_000.0, FREE)
    assert result.equity[-1] <= held.equity[-1] + 1e-9


SIZES = [None, FixedCash(500.0), FixedQuantity(3.0), Fraction(0.4), VolatilityTarget(0.5, 10), Kelly(0.5, 3)]


@pytest.mark.parametrize("sizing", SIZES, ids=[type(each).__name__ for each in SIZES])
def test_sizes_and_funding_are_the_same_in_steps_as_in_one_run(sizing: Sizing | None) -> None:
    coin = replace(COIN, kind="perpetual")
    minutes = walk(1_500, 4, instrument=coin)
    funding = Funding(np.arange(0, 1_500, 60) * 60_000, np.linspace(-0.001, 0.002, 25))
    rules = Costs(leverage=2.0)
    for bars, detail in ((minutes, None), (minutes.resample("5m"), minutes)):
        wanted, found = (
            backtest(each, bars, 2_000.0, rules, detail=detail, sizing=sizing, funding=funding)
            for each in (Random(4), Mirror(Random(4)))
        )
        np.testing.assert_array_equal(found.raw_fills, wanted.raw_fills)
        np.testing.assert_array_equal(found.equity, wanted.equity)
        if isinstance(sizing, Kelly):
            continue  # without an edge it never holds anything
        assert len(wanted.fills) > 20
        assert wanted.account[fields.A_FUNDING] != 0.0
        unfunded = backtest(Random(4), bars, 2_000.0, rules, detail=detail, sizing=sizing)
        assert unfunded.account[fields.A_FUNDING] != wanted.account[fields.A_FUNDING]


def test_funding_of_what_is_not_traded_or_no_perpetual_is_refused() -> None:
    funding = Funding(np.array([0]), np.array([0.001]))
    with pytest.raises(InvalidInput, match=r"COIN/USDT is no perpetual, so it has no funding\."):
        backtest(BuyAndHold(), QUIET, funding=funding)
    with pytest.raises(InvalidInput, match=r"There is funding of ETH, and COIN/USDT is traded\."):
        backtest(BuyAndHold(), QUIET, funding={"ETH": funding})
    with pytest.raises(InvalidInput, match="must be given by symbol"):
        backtest(BuyAndHold(), {"A": QUIET, "B": QUIET}, funding=funding)


def test_the_example_of_the_guide_runs_as_it_stands(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text()
    (example,) = re.findall(r"```python\n(from core\.trading\.intents.*?)```", guide, re.DOTALL)
    (tmp_path / "ladder.py").write_text(example)
    result = backtest(load(f"{tmp_path}/ladder.py:Ladder"), walk(500, 3, timeframe="1h"))
    assert result.stats["trades"] > 5
    assert set(result.fills["side"]) == {"buy", "sell"}
