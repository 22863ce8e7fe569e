"""Strategies on paper: ledgers of their own, one decision per bar, and a failure that stays alone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from core.engine.recorded import bar_at
from core.errors import Conflict, InvalidInput, NotFound, Unavailable
from core.events import BarClosed, StrategyChanged
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.money import ZERO
from core.outbox import Relay
from core.risk.limits import PAPER, InsufficientFunds
from core.store.outbox import SqlOutbox
from core.store.registry import CODEC
from core.trading.costs import Costs
from core.trading.exchange import Quote
from core.trading.orders import OrderStatus, Side
from core.trading.portfolio import fold
from core.trading.strategy import Context, Parameter, Signals
from tests.trading import ACCOUNT, BTC, Room, synthetic_bars


@dataclass(frozen=True, slots=True)
class Steady:
    """The same exposure at every close. wrong: raises at the bar of that number."""

    exposure: float = 0.5
    wrong: int = 0
    name: ClassVar[str] = "steady"
    summary: ClassVar[str] = "Holds."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "exposure": Parameter(0.5, -1.0, 1.0, 0.1),
        "wrong": Parameter(0, 0, 99),
    }

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        if self.wrong and len(bars) >= self.wrong:
            raise ValueError("no idea")
        exposure = np.full(len(bars), np.nan)
        exposure[0] = self.exposure
        return Signals(exposure)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path, [synthetic_bars(1, 30)], strategies={"steady": Steady(), "steady-short": Steady(-0.5)})
    await room.open()
    yield room
    await room.close()


async def test_the_slower_of_two_starts_that_exceed_the_cash_is_refused_in_numbers_for_people(room: Room) -> None:
    one, two = (room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(6_000)) for _ in range(2))
    found = await asyncio.gather(one, two, return_exceptions=True)
    [refused] = [each for each in found if isinstance(each, BaseException)]
    assert isinstance(refused, InsufficientFunds)
    assert refused.message == "You have 4,000.00 USDT free, and this needs 6,000.00 USDT."
    assert len(await room.engine.trader.runs(ACCOUNT)) == 1


async def test_two_strategies_on_one_symbol_keep_separate_ledgers(room: Room) -> None:
    trader = room.engine.trader
    long = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
    short = await trader.start(ACCOUNT, Steady(-0.5), BTC, "1h", Decimal(2_000), source="steady-short")
    await room.play(0, 10)
    book = room.engine.book
    held = {run.id: book.portfolio(ACCOUNT, run.ledger).positions[BTC.key].quantity for run in (long, short)}
    assert held[long.id] > 0 > held[short.id]
    assert float(held[long.id] * 30_000) == pytest.approx(2_000, rel=0.1)
    assert float(held[short.id] * 30_000) == pytest.approx(-1_000, rel=0.1)
    assert book.portfolio(ACCOUNT, "manual").balances["USDT"] == Decimal(4_000)
    for run in (long, short):
        entries = await room.record.entries(ACCOUNT, ledger=run.ledger)
        assert fold(entries) == book.portfolio(ACCOUNT, run.ledger)
    view = await room.engine.desk.portfolio(ACCOUNT)
    assert [ledger.name for ledger in view.ledgers] == ["manual", "#1 steady BTC/USDT", "#2 steady BTC/USDT"]
    assert len(view.positions) == 2


async def test_stopping_sells_the_position_and_returns_the_cash(room: Room) -> None:
    trader, book = room.engine.trader, room.engine.book
    run = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
    await room.play(0, 10)
    stopped = await trader.stop(ACCOUNT, "1")
    assert stopped.state == "stopped"
    assert stopped.returned is not None
    assert stopped.reason is not None
    assert "BTC were sold at" in stopped.reason
    assert book.portfolio(ACCOUNT, run.ledger).balances == {"USDT": ZERO, "BTC": ZERO}
    assert book.portfolio(ACCOUNT, "manual").balances["USDT"] == 6_000 + stopped.returned
    await room.play(10, 20)
    assert len(await room.fills(run.ledger)) == 2
    with pytest.raises(Conflict, match="was stopped before"):
        await trader.stop(ACCOUNT, run.id)
    assert await book.differences(ACCOUNT) == []


async def test_stopping_may_keep_the_position_for_later(room: Room) -> None:
    trader, book = room.engine.trader, room.engine.book
    run = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
    await room.play(0, 10)
    kept = await trader.stop(ACCOUNT, run, keep=True)
    assert kept.returned == 0
    assert book.portfolio(ACCOUNT, run.ledger).positions[BTC.key].quantity > 0
    await room.crash()
    await room.open()
    assert room.engine.book.portfolio(ACCOUNT, run.ledger).positions[BTC.key].quantity > 0
    done = await room.engine.trader.stop(ACCOUNT, run.id)
    assert done.returned is not None
    assert done.returned > 0


async def test_a_stop_that_was_cut_short_is_finished_at_the_next_start(room: Room) -> None:
    trader = room.engine.trader
    run = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
    await room.play(0, 10)
    await trader._end(await trader.find(ACCOUNT, run.id), "stopped", None)  # killed right after this
    await room.crash()
    await room.open()
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert found.returned is not None
    assert found.returned > 0
    assert room.engine.book.portfolio(ACCOUNT, run.ledger).balances["USDT"] == 0


async def test_a_strategy_that_fails_is_stopped_and_the_others_go_on(room: Room) -> None:
    trader = room.engine.trader
    room.strategies["broken"] = Steady(wrong=3)
    await trader.start(ACCOUNT, Steady(wrong=3), BTC, "1h", Decimal(1_000), source="broken")
    good = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    told: list[StrategyChanged] = []

    async def hear(event: StrategyChanged) -> None:
        told.append(event)

    room.bus.subscribe(StrategyChanged, hear)
    await room.play(0, 10)
    failed, working = await trader.runs(ACCOUNT)
    assert (failed.state, working.state) == ("failed", "running")
    assert failed.reason == "It was stopped because it failed. ValueError: no idea"
    assert working.decided == int(room.recording[0].timestamp[9])
    assert len(await room.fills(good.ledger)) == 1
    relay = Relay(SqlOutbox(room.store), CODEC, room.bus.publish, room.clock)
    await relay.drain()
    assert [event.state for event in told] == ["started", "started", "failed"]


async def test_a_bar_is_decided_once_however_often_it_is_told(room: Room) -> None:
    run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    await room.play(0, 1)
    bar = bar_at(room.recording[0], 0)
    for _ in range(3):
        await room.engine.trader.on_bar(BarClosed(BTC, "1h", bar))
    assert len(await room.record.orders(ACCOUNT)) == 1
    await room.crash()
    await room.open()
    await room.engine.trader.on_bar(BarClosed(BTC, "1h", bar))
    orders = await room.record.orders(ACCOUNT)
    assert [order.id for order in orders] == [f"{run.id}-{bar.time}-0"]
    assert (await room.engine.trader.find(ACCOUNT, run.id)).state == "running"


async def test_a_bar_of_the_past_is_seen_but_not_acted_on(room: Room) -> None:
    from core.clock import from_ms

    run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    room.clock.set(from_ms(int(room.recording[0].timestamp[5])))
    await room.engine.trader.on_bar(BarClosed(BTC, "1h", bar_at(room.recording[0], 0)))
    assert await room.record.orders(ACCOUNT) == []
    assert len(room.engine.trader._windows[run.id]) == 1


async def test_missed_bars_fill_resting_orders_and_are_not_decided_on(room: Room) -> None:
    from core.clock import from_ms

    run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    await room.play(0, 1)  # decided: the order waits for the next open
    await room.crash()
    room.clock.set(from_ms(int(room.recording[0].timestamp[6])))
    await room.open()  # five hours later
    fills = await room.fills(run.ledger)
    assert [fill.time for fill in fills] == [from_ms(int(room.recording[0].timestamp[1]))]
    await room.engine.feed.turn()
    assert len(await room.record.orders(ACCOUNT)) == 1
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert found.decided == int(room.recording[0].timestamp[5])


async def test_a_refusal_by_the_limits_is_kept_and_the_run_goes_on(tmp_path: Path) -> None:
    room = Room(tmp_path, [synthetic_bars(1, 30)], strategies={"steady": Steady()}, options={"limits": PAPER})
    await room.open()
    try:
        run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
        await room.engine.desk._register.save(
            (await room.engine.desk.open(ACCOUNT)).__class__(ACCOUNT, opened=room.clock.now(), halted=True)
        )
        await room.play(0, 3)
        found = await room.engine.trader.find(ACCOUNT, run.id)
        assert found.state == "running"
        assert await room.record.orders(ACCOUNT) == []
    finally:
        await room.close()


async def test_what_cannot_be_funded_or_priced_is_refused(room: Room) -> None:
    trader = room.engine.trader
    with pytest.raises(InsufficientFunds, match=r"You have 10,000.00 USDT free, and this needs 20,000.00 USDT"):
        await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(20_000))
    with pytest.raises(InvalidInput, match="must be above zero"):
        await trader.start(ACCOUNT, Steady(), BTC, "1h", ZERO)
    with pytest.raises(NotFound, match="There is no run"):
        await trader.stop(ACCOUNT, "9")
    assert await trader.runs(ACCOUNT) == []


async def test_panic_ends_running_strategies_and_a_reset_frees_them(room: Room) -> None:
    await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    await room.play(0, 3)
    done = await room.engine.desk.panic(ACCOUNT)
    assert len(done.stopped) == 1
    assert len(done.positions) == 1
    with pytest.raises(Conflict, match="stopped by panic"):
        await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    view = await room.engine.desk.reset(ACCOUNT)
    assert view.equity == 10_000
    await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    await room.play(3, 6)
    assert [order.request.side for order in await room.engine.desk.orders(ACCOUNT, open_only=False)] == [Side.BUY] * 2
    assert all(order.status is OrderStatus.FILLED for order in await room.record.orders(ACCOUNT))


async def test_a_strategy_of_ones_own_is_found_again_after_a_restart(room: Room, tmp_path: Path) -> None:
    from core.strategies import SmaCross, load

    file = tmp_path / "mine.py"
    lines = ["from core.strategies import BuyAndHold", "class Mine(BuyAndHold):", "    name = 'mine'"]
    file.write_text("\n".join(lines))
    mine = load(f"{file}:Mine", {})
    run = await room.engine.trader.start(ACCOUNT, mine, BTC, "1h", Decimal(1_000))
    assert run.source == f"{file}:Mine"
    assert load(run.source, run.parameters).name == "mine"
    shipped = await room.engine.trader.start(ACCOUNT, SmaCross(fast=2, slow=4), BTC, "1h", Decimal(1_000))
    assert shipped.source == "sma_cross"
    assert load(shipped.source, shipped.parameters) == SmaCross(fast=2, slow=4)


async def test_a_window_that_grew_too_long_moves_its_anchor_once_and_remembers_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.trader.WINDOW", 10)
    run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))
    await room.play(0, 10)
    times = room.recording[0].timestamp
    assert (await room.engine.trader.find(ACCOUNT, run.id)).anchor == times[0]
    await room.play(10, 13)
    assert (await room.engine.trader.find(ACCOUNT, run.id)).anchor == times[5]
    await room.crash()
    await room.open()
    window = room.engine.trader._windows[run.id]
    assert (window.timestamp[0], len(window)) == (times[5], 8)


async def test_a_strategy_joins_where_its_signals_stand_once(tmp_path: Path) -> None:
    room = Room(tmp_path, [synthetic_bars(1, 30)], strategies={"steady": Steady()}, options={"history": 5})
    await room.open()
    try:
        await room.play(0, 10)
        run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(1_000))  # it asked at its first bar
        assert run.decided == room.recording[0].timestamp[9]
        await room.play(10, 12)
        assert len(await room.fills(run.ledger)) == 1
        await room.crash()
        await room.open()
        await room.play(12, 20)
        assert len(await room.record.orders(ACCOUNT)) == 1
    finally:
        await room.close()


async def test_stopping_while_an_order_is_partly_filled_sells_the_part_and_ends_the_rest(tmp_path: Path) -> None:
    room = Room(tmp_path, [synthetic_bars(1, 30, volume=0.2)], Costs(volume_share=0.1), {"steady": Steady()})
    await room.open()
    try:
        run = await room.engine.trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(9_000))
        await room.play(0, 3)
        (entry,) = room.engine.venue.open_orders(ACCOUNT)
        assert entry.status is OrderStatus.PARTIAL
        stopped = await room.engine.trader.stop(ACCOUNT, run.id)
        orders = {each.id: each for each in await room.record.orders(ACCOUNT)}
        part = orders[entry.id]
        assert (part.status, part.filled) == (OrderStatus.CANCELLED, entry.filled)
        (sale,) = [each for each in orders.values() if each.id != entry.id]
        assert (sale.status, sale.filled) == (OrderStatus.FILLED, entry.filled)
        book = room.engine.book
        assert book.portfolio(ACCOUNT, run.ledger).balances == {"USDT": ZERO, "BTC": ZERO}
        assert book.portfolio(ACCOUNT, "manual").balances["USDT"] == 1_000 + (stopped.returned or ZERO)
        assert book.open_orders(ACCOUNT) == []
        assert await book.differences(ACCOUNT) == []
        await room.play(3, 10)
        assert len([fill for fill in await room.fills() if fill.order == entry.id]) == 2
    finally:
        await room.close()


async def test_a_reset_in_the_middle_of_a_decision_ends_the_run_for_good(room: Room) -> None:
    trader = room.engine.trader
    run = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
    await room.play(0, 1)
    room.clock.set(room.clock.now())
    bar = bar_at(room.recording[0], 1)
    await asyncio.gather(trader.on_bar(BarClosed(BTC, "1h", bar)), room.engine.desk.reset(ACCOUNT, Decimal(500)))
    found = await trader.find(ACCOUNT, run.id)
    assert (found.state, found.reason) == ("stopped", "The account was reset.")
    await room.play(2, 6)
    assert (await trader.find(ACCOUNT, run.id)).state == "stopped"
    assert trader.watched() == []
    assert room.engine.book.portfolio(ACCOUNT, "manual").balances == {"USDT": Decimal(500)}
    assert await room.fills() == []
    assert await room.engine.book.differences(ACCOUNT) == []


async def test_a_position_that_is_sold_late_keeps_its_cash_on_the_ledger_until_then(tmp_path: Path) -> None:
    room = Room(tmp_path, [synthetic_bars(1, 30)], Costs(latency=2), {"steady": Steady()})
    await room.open()
    try:
        trader, book = room.engine.trader, room.engine.book
        run = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
        await room.play(0, 8)
        assert book.portfolio(ACCOUNT, run.ledger).positions[BTC.key].quantity > 0
        stopped = await trader.stop(ACCOUNT, run.id)
        assert stopped.returned is not None
        assert book.portfolio(ACCOUNT, run.ledger).balances == {"USDT": ZERO, "BTC": ZERO}
        assert book.open_orders(ACCOUNT) == []
        assert book.portfolio(ACCOUNT, "manual").balances["USDT"] == 6_000 + stopped.returned
    finally:
        await room.close()


async def test_a_stop_that_finds_no_price_after_its_order_is_finished_by_the_next(room: Room) -> None:
    trader, book = room.engine.trader, room.engine.book
    run = await trader.start(ACCOUNT, Steady(), BTC, "1h", Decimal(4_000))
    await room.play(0, 10)
    whole, looks = room.engine.feed.poke, iter([True])

    async def once(instrument: Instrument) -> Quote:
        if not next(looks, False):
            raise Unavailable("The venue is away.")
        return await whole(instrument)

    room.engine.feed.poke = once  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await trader.stop(ACCOUNT, run.id)
    room.engine.feed.poke = whole  # type: ignore[method-assign]
    assert len(book.open_orders(ACCOUNT)) == 1
    stopped = await trader.stop(ACCOUNT, run.id)
    assert book.portfolio(ACCOUNT, run.ledger).balances == {"USDT": ZERO, "BTC": ZERO}
    assert book.portfolio(ACCOUNT, "manual").balances["USDT"] == 6_000 + (stopped.returned or ZERO)
    sales = [each for each in await room.record.orders(ACCOUNT) if each.request.side is Side.SELL]
    assert [each.status for each in sales] == [OrderStatus.CANCELLED, OrderStatus.FILLED]
    assert await book.differences(ACCOUNT) == []
