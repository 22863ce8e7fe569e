"""The paper venue: one transaction per step, and memory that is never ahead of the record."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput, OrderRefused
from core.events import Bar, FillRecorded, OrderChanged
from core.exchanges.paper import Batch
from core.exchanges.record import Change
from core.simulation.account import SignalRow
from core.store.outbox import SqlOutbox
from core.trading.costs import Costs
from core.trading.orders import Bracket, Limit, Market, OrderRequest, OrderStatus, Side, Stop, TrailingStop
from core.trading.portfolio import Transfer
from tests.trading import ACCOUNT, BTC, EPOCH, HOUR, Room, synthetic_bars


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = await Room(tmp_path, [synthetic_bars(1, 50)], Costs(volume_share=0.1)).open()
    yield room
    await room.close()


def order(name: str, kind: Any = None, side: Side = Side.BUY, quantity: str = "0.1") -> OrderRequest:
    return OrderRequest(name, ACCOUNT, BTC, side, kind or Market(), quantity=Decimal(quantity))


async def bar(room: Room, price: float, volume: float = 100.0) -> None:
    start = room.clock.now_ms() // HOUR * HOUR
    room.clock.set(room.clock.now() + timedelta(hours=1))
    await room.engine.venue.on_market({BTC: Bar(start, price, price, price, price, volume)})


class Broken:
    """A record whose next transactions fail at their very end, as a full disk would have it."""

    def __init__(self, room: Room) -> None:
        self.room, self.whole = room, room.record.unit

    def __enter__(self) -> None:
        @asynccontextmanager
        async def unit() -> AsyncIterator[Any]:
            async with self.whole() as inside:
                yield inside
                raise OSError("No space left on device")

        self.room.record.unit = unit  # type: ignore[method-assign]

    def __exit__(self, *failed: object) -> None:
        self.room.record.unit = self.whole  # type: ignore[method-assign]


async def test_a_step_that_cannot_be_committed_did_not_happen(room: Room) -> None:
    venue = room.engine.venue
    await venue.place(order("one"))
    state = await room.record.ledger(ACCOUNT, "manual")
    with Broken(room), pytest.raises(OSError, match="No space"):
        await bar(room, 30_000.0)
    assert await room.fills() == []
    assert venue.cash(ACCOUNT, "manual") == 10_000
    assert [each.id for each in venue.open_orders()] == ["one"]
    assert await room.record.ledger(ACCOUNT, "manual") == state
    await bar(room, 31_000.0)
    assert [fill.price for fill in await room.fills()] == [Decimal("31015.50")]
    assert await room.engine.book.differences(ACCOUNT) == []


async def test_an_order_or_a_cancel_that_cannot_be_committed_did_not_happen(room: Room) -> None:
    venue = room.engine.venue
    await venue.place(order("kept", Limit(Decimal(100))))
    with Broken(room):
        with pytest.raises(OSError, match="No space"):
            await venue.place(order("lost"))
        with pytest.raises(OSError, match="No space"):
            await venue.cancel("kept")
        moved = Transfer("t", ACCOUNT, "run", "USDT", Decimal(5), room.clock.now())
        with pytest.raises(OSError, match="No space"):
            await venue.transfer([moved])
    assert [each.id for each in venue.open_orders()] == ["kept"]
    assert await room.record.order("lost") is None
    await bar(room, 90.0)
    assert [fill.order for fill in await room.fills()] == ["kept"]
    with pytest.raises(OrderRefused, match="'run' of account 'trader-1' is not open"):
        await venue.carry_out(Batch(ACCOUNT, "run"))


async def test_a_small_volume_fills_an_order_in_parts_under_one_number(room: Room) -> None:
    await room.engine.venue.place(order("one", quantity="0.25"))
    for _ in range(3):
        await bar(room, 30_000.0, volume=1.0)
    assert [fill.quantity for fill in await room.fills()] == [Decimal("0.1"), Decimal("0.1"), Decimal("0.05")]
    found = await room.record.order("one")
    assert found is not None
    assert (found.status, found.filled, found.number) == (OrderStatus.FILLED, Decimal("0.25"), 1)


async def test_a_bar_that_comes_twice_counts_once(room: Room) -> None:
    await room.engine.venue.place(order("one", quantity="0.25"))
    same = Bar(EPOCH, 3e4, 3e4, 3e4, 3e4, 1.0)
    for _ in range(3):
        await room.engine.venue.on_market({BTC: same})
    assert len(await room.fills()) == 1


async def test_a_stop_and_a_target_that_share_the_exit_are_two_orders_within_their_sizes(room: Room) -> None:
    await room.engine.venue.place(order("one", Bracket(Market(), Decimal(29_000), Decimal(31_000)), quantity="0.25"))
    await bar(room, 30_000.0)
    await bar(room, 31_500.0, volume=1.0)  # the target sells a part
    await bar(room, 28_500.0)  # the stop sells the rest
    entry, target, stop = await room.record.orders(ACCOUNT)
    assert entry.status is OrderStatus.FILLED
    assert (target.filled, target.status) == (Decimal("0.1"), OrderStatus.CANCELLED)
    assert (stop.filled, stop.status) == (Decimal("0.15"), OrderStatus.FILLED)
    assert (target.request.type, stop.request.type) == (Limit(Decimal(31_000)), Stop(Decimal(29_000)))
    for each in (entry, target, stop):
        assert each.request.quantity is not None
        assert each.filled <= each.request.quantity
    assert room.engine.venue.waiting() == {}
    assert room.engine.venue.open_orders() == []


async def test_an_exit_is_kept_with_its_own_level_and_not_with_the_price_it_got(room: Room) -> None:
    venue = room.engine.venue
    await venue.place(order("one", Bracket(Market(), Decimal(29_000))))
    await bar(room, 30_000.0)
    await venue.carry_out(Batch(ACCOUNT, "manual", protect=((BTC, SignalRow(stop=29_500.0)),)))
    await bar(room, 29_100.0)
    await venue.place(order("two", Bracket(Market(), trail=Decimal("0.05"))))
    await bar(room, 30_000.0)
    await bar(room, 28_000.0)
    _, stop, _, trail = await room.record.orders(ACCOUNT)
    assert stop.request.type == Stop(Decimal(29_500))
    assert stop.average_price is not None
    assert stop.average_price < 29_100
    assert trail.request.type == TrailingStop(fraction=Decimal("0.05"))


async def test_a_stop_that_comes_with_its_entry_in_one_bar_has_its_level(room: Room) -> None:
    await room.engine.venue.place(order("one", Bracket(Limit(Decimal(30_000)), Decimal(29_000))))
    start = room.clock.now_ms() // HOUR * HOUR
    room.clock.set(room.clock.now() + timedelta(hours=1))
    await room.engine.venue.on_market({BTC: Bar(start, 3.1e4, 3.1e4, 2.8e4, 2.85e4, 100.0)})
    _, stop = await room.record.orders(ACCOUNT)
    assert stop.request.type == Stop(Decimal(29_000))


async def test_who_listens_hears_each_commit_once_and_the_outbox_holds_its_events(room: Room) -> None:
    heard: list[Change] = []
    room.engine.venue.listen(heard.append)
    await room.engine.venue.place(order("one"))
    await bar(room, 30_000.0)
    assert [len(change.entries) for change in heard] == [0, 1]
    kinds = [envelope.kind for envelope in await SqlOutbox(room.store).waiting(room.clock.now(), 100)]
    assert kinds.count(FillRecorded.__name__) == 1
    assert kinds.count(OrderChanged.__name__) == 2


async def test_ledgers_do_not_pay_out_more_than_they_hold(room: Room) -> None:
    away = Transfer("t", ACCOUNT, "manual", "USDT", Decimal(-10_001), room.clock.now())
    with pytest.raises(InvalidInput, match="cannot pay out"):
        await room.engine.venue.transfer([away])
    assert room.engine.venue.cash(ACCOUNT, "manual") == 10_000
    assert (await room.engine.desk.portfolio(ACCOUNT)).cash == 10_000


async def test_waiting_names_instruments_since_they_last_saw_the_market(room: Room) -> None:
    venue = room.engine.venue
    assert venue.waiting() == {}
    await venue.place(order("one", Limit(Decimal(100))))
    assert venue.waiting() == {BTC: EPOCH}
    await bar(room, 30_000.0)
    assert venue.waiting() == {BTC: EPOCH + 1}
    await room.crash()
    await room.open()
    assert room.engine.venue.waiting() == {BTC: EPOCH + 1}
