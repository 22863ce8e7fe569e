"""An order is written down first, sent once, and looked up when its outcome is not known."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.engine.execution import LOOKUP_EVERY, UNSENT, Execution
from core.errors import Conflict, InvalidInput, OrderRefused, OutcomeUnknown
from core.money import ZERO
from core.store.outbox import SqlOutbox
from core.trading.costs import Costs
from core.trading.exchange import RECEIVE_WINDOW, Acknowledgement, Capabilities, Look, demand_last
from core.trading.orders import Iceberg, Limit, Market, Order, OrderRequest, OrderStatus, Side
from core.trading.portfolio import Fill, fold
from tests.trading import ACCOUNT, BTC, EPOCH, ETH, Room, synthetic_bars


class LossyVenue:
    """Takes the order, then loses its answer.

    answers: whether it can be asked; slow: lookups after which it knows what it took; fills: of what it took, as told
    when asked; silent: lookups of fills that fail first
    """

    capabilities = Capabilities(frozenset({"Market", "Limit"}), paper=False)

    def __init__(self, *, loses: bool = True, accepts: bool = True, answers: bool = True) -> None:
        self.loses, self.accepts, self.answers = loses, accepts, answers
        self.received: list[str] = []
        self.lookups: list[str] = []
        self.held: dict[str, Order] = {}
        self.slow, self.silent = 0, 0
        self.done: list[Fill] = []
        self.states: list[OrderStatus] = []
        self.record: Any = None

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        demand_last(last)
        self.received.append(request.id)
        written = await self.record.order(request.id)
        self.states.append(written.status)
        if self.accepts:
            self.held[request.id] = Order(
                request, OrderStatus.FILLED if self.done else OrderStatus.OPEN,
                sum((fill.quantity for fill in self.done), ZERO), fees=sum((fill.fee for fill in self.done), ZERO),
            )  # fmt: skip
        if self.loses:
            raise OutcomeUnknown("The venue did not answer within 10 seconds.")
        fill = Fill(f"{request.id}/1", request.id, ACCOUNT, request.ledger, request.instrument.key, request.side,
                    Decimal(100), request.quantity or ZERO, ZERO, written.updated)  # fmt: skip
        return Acknowledgement(request.id, [fill])

    async def cancel(self, order_id: str) -> bool:
        order = self.held.get(order_id)
        if order is None or order.status.final:
            return False
        if not self.answers:
            raise OutcomeUnknown("The venue is down.")
        self.held[order_id] = replace(order, status=OrderStatus.CANCELLED, reason="Cancelled on request.")
        return True

    async def find(self, order_id: str) -> Order | None:
        self.lookups.append(order_id)
        if not self.answers:
            raise OutcomeUnknown("The venue is down.")
        return None if len(self.lookups) <= self.slow else self.held.get(order_id)

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        self.silent -= 1
        if self.silent >= 0:
            raise OutcomeUnknown("The venue tells no trades now.")
        return [fill for fill in self.done if fill.order == order_id]

    async def open_orders(self) -> Sequence[Order]:
        return list(self.held.values())

    async def balances(self) -> dict[str, Decimal]:
        return {}

    async def costs(self, instrument: Any) -> Costs:
        return Costs()

    def fills(self) -> AsyncIterator[Fill]:
        raise OrderRefused("This venue has no stream.")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = await Room(tmp_path, [synthetic_bars(1, 50), synthetic_bars(2, 50, ETH, 2_000.0)]).open()
    yield room
    await room.close()


def over(room: Room, venue: LossyVenue) -> Execution:
    venue.record = room.record
    return Execution(room.record, room.engine.book, lambda account: venue, room.clock, room.engine.lease)


def buy(name: str = "one", instrument: Any = BTC) -> OrderRequest:
    return OrderRequest(name, ACCOUNT, instrument, Side.BUY, Market(), quantity=Decimal("0.1"))


async def settled(room: Room) -> None:
    """Lets whatever runs come to its next wait on the clock."""
    for _ in range(20):
        await asyncio.sleep(0.001)
    await room.record.accounts()


async def while_waiting(clock: SimulatedClock, doing: Any) -> Any:
    """The result, with the clock moved on whenever somebody waits on it."""
    task = asyncio.ensure_future(doing)
    while not task.done():
        await asyncio.sleep(0.001)
        await clock.advance(1.0)
    return await task


async def test_an_order_is_written_down_before_it_is_sent(room: Room) -> None:
    venue = LossyVenue(loses=False)
    order = await over(room, venue).submit(buy(), lambda: Decimal(10))
    assert venue.states == [OrderStatus.SENDING]
    assert order.status is OrderStatus.FILLED
    assert order.average_price == Decimal(100)
    assert room.engine.book.portfolio(ACCOUNT, "manual").balances["BTC"] == Decimal("0.1")
    assert await room.engine.book.differences(ACCOUNT) == []


async def test_a_lost_answer_is_looked_up_and_the_order_never_sent_again(room: Room) -> None:
    venue = LossyVenue()
    order = await over(room, venue).submit(buy(), lambda: Decimal(10))
    assert venue.received == ["one"]
    assert venue.lookups == ["one"]
    assert order.status is OrderStatus.OPEN
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(9_990)


def fill(quantity: str, name: str = "a", order: str = "one") -> Fill:
    return Fill(f"{order}/{name}", order, ACCOUNT, "manual", BTC.key, Side.BUY, Decimal(100), Decimal(quantity),
                Decimal("0.01"), from_ms(EPOCH))  # fmt: skip


async def notices(room: Room) -> list[str]:
    """What the owner of the account was told."""
    waiting = await SqlOutbox(room.store).waiting(room.clock.now(), 1_000)
    return [each.document["text"] for each in waiting if each.kind == "AccountNotice"]


async def test_an_order_the_venue_does_not_know_may_still_arrive_until_the_receive_window_is_past(room: Room) -> None:
    venue = LossyVenue(accepts=False)
    execution = over(room, venue)
    sent = room.clock.now()
    task = asyncio.ensure_future(execution.submit(buy(), lambda: Decimal(10)))
    while (room.clock.now() - sent).total_seconds() < RECEIVE_WINDOW - 1:
        await settled(room)
        assert not task.done()
        waiting = await room.record.order("one")
        assert waiting is not None
        assert waiting.status in (OrderStatus.UNKNOWN, OrderStatus.SENDING, OrderStatus.RECORDED)
        if waiting.status is OrderStatus.UNKNOWN:
            assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(9_990)
            with pytest.raises(Conflict, match="BTC/USDT is held"):
                await execution.submit(buy("two"), lambda: Decimal(10))
        await room.clock.advance(1.0)
    order = await while_waiting(room.clock, task)
    assert (order.status, order.reason) == (
        OrderStatus.REJECTED,
        "The venue never received it: order again if you still want it. "
        "What happened when it was sent: The venue did not answer within 10 seconds.",
    )
    assert venue.received == ["one"]
    assert len(venue.lookups) >= 4
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(10_000)
    assert await notices(room) == [
        "Order #1 (buy 0.1 BTC/USDT): rejected. The venue never received it: order again if you still want it. "
        "What happened when it was sent: The venue did not answer within 10 seconds."
    ]


async def test_a_venue_that_never_knew_the_order_for_sure_ends_it_at_once(room: Room) -> None:
    venue = LossyVenue(accepts=False)
    venue.capabilities = replace(venue.capabilities, receive_window=0.0)
    task = asyncio.ensure_future(over(room, venue).submit(buy(), lambda: Decimal(10)))
    order = await asyncio.wait_for(task, 5)  # on a clock that stands still
    assert order.status is OrderStatus.REJECTED
    assert len(venue.lookups) == 1


@pytest.mark.parametrize("slow", [1, 2])
async def test_an_order_that_the_venue_knows_only_later_is_kept(room: Room, slow: int) -> None:
    venue = LossyVenue()
    venue.slow = slow
    order = await while_waiting(room.clock, over(room, venue).submit(buy(), lambda: Decimal(10)))
    assert order.status is OrderStatus.OPEN
    assert len(venue.lookups) == slow + 1
    assert venue.received == ["one"]
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(9_990)
    assert await notices(room) == []


async def test_an_order_found_filled_is_filled_in_the_journal_too(room: Room) -> None:
    venue = LossyVenue()
    venue.done, venue.silent = [fill("0.04"), fill("0.06", "b")], 1
    order = await while_waiting(room.clock, over(room, venue).submit(buy(), lambda: Decimal(10)))
    assert (order.status, order.filled, order.fees) == (OrderStatus.FILLED, Decimal("0.1"), Decimal("0.02"))
    assert order.average_price == Decimal(100)
    assert await room.fills() == venue.done
    balances = room.engine.book.portfolio(ACCOUNT, "manual").balances
    assert balances == {"USDT": Decimal("9989.98"), "BTC": Decimal("0.1")}
    assert balances == fold(await room.record.entries(ACCOUNT)).balances
    assert await room.engine.book.differences(ACCOUNT) == []
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal("9989.98")
    assert (await over(room, venue).reconcile(), len(await room.fills())) == ([], 2)


async def test_an_order_found_filled_waits_for_all_of_its_fills(room: Room) -> None:
    venue = LossyVenue()
    venue.done = [fill("0.04"), fill("0.06", "b")]
    execution = over(room, venue)
    told, venue.fills_of = venue.fills_of, lambda order_id: nothing()  # type: ignore[method-assign]
    order = await while_waiting(room.clock, execution.submit(buy(), lambda: Decimal(10)))
    assert (order.status, order.filled, await room.fills()) == (OrderStatus.UNKNOWN, ZERO, [])
    venue.fills_of = told  # type: ignore[method-assign]
    assert [each.status for each in await execution.reconcile()] == [OrderStatus.FILLED]
    assert len(await room.fills()) == 2


async def nothing() -> Sequence[Fill]:
    return []


async def test_an_order_found_cancelled_after_a_part_keeps_the_part(room: Room) -> None:
    venue = LossyVenue()
    venue.done = [fill("0.04")]
    execution = over(room, venue)
    venue.answers = False
    await while_waiting(room.clock, execution.submit(buy(), lambda: Decimal(10)))
    venue.held["one"] = replace(venue.held["one"], status=OrderStatus.PARTIAL)
    venue.answers = True
    assert [each.status for each in await execution.reconcile()] == [OrderStatus.PARTIAL]
    assert room.engine.book.reserved(ACCOUNT, "manual", "USDT") == Decimal(6)
    open_order = room.engine.book.order("one")
    assert open_order is not None
    after = await execution.cancel(open_order)
    assert (after.status, after.filled) == (OrderStatus.CANCELLED, Decimal("0.04"))
    assert await room.fills() == [fill("0.04")]
    assert room.engine.book.reserved(ACCOUNT, "manual", "USDT") == 0
    assert await room.engine.book.differences(ACCOUNT) == []


async def test_a_venue_that_is_down_is_asked_again_in_the_background_until_it_answers(room: Room) -> None:
    venue = LossyVenue(answers=False)
    execution = over(room, venue)
    order = await while_waiting(room.clock, execution.submit(buy(), lambda: Decimal(10)))
    assert order.status is OrderStatus.UNKNOWN
    execution.start()
    try:
        for _ in range(4):
            await room.clock.advance(LOOKUP_EVERY)
            await settled(room)
        asked = len(venue.lookups)
        assert asked > 5
        assert await notices(room) == [
            "Order #1 (buy 0.1 BTC/USDT): unknown. The venue does not say what became of it; BTC/USDT is held."
        ]
        venue.answers, venue.held = True, {}
        while room.engine.book.order("one") is not None:
            await room.clock.advance(LOOKUP_EVERY)
            await settled(room)
    finally:
        await execution.stop()
    found = await room.record.order("one")
    assert found is not None
    assert found.status is OrderStatus.REJECTED
    assert venue.received == ["one"]
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(10_000)


async def test_other_instruments_are_traded_while_one_is_looked_up(room: Room) -> None:
    venue = LossyVenue(accepts=False)
    execution = over(room, venue)
    task = asyncio.ensure_future(execution.submit(buy(), lambda: Decimal(10)))
    for _ in range(5_000):  # until it waits to look again
        await asyncio.sleep(0.001)
        if venue.lookups:
            break
    assert venue.lookups == ["one"]
    venue.loses = False
    assert (await execution.submit(buy("two", ETH), lambda: Decimal(10))).status is OrderStatus.FILLED
    assert not task.done()
    await while_waiting(room.clock, task)


async def test_cancelling_everything_reaches_orders_that_were_on_their_way(room: Room) -> None:
    engine = room.engine
    request = OrderRequest("late", ACCOUNT, BTC, Side.BUY, Limit(Decimal(100)), quantity=Decimal("0.1"))
    sending = asyncio.ensure_future(engine.execution.submit(request, lambda: Decimal(11)))
    await asyncio.sleep(0)  # it holds the account and is not in the book yet
    cancelled, _ = await asyncio.gather(engine.execution.cancel_all(ACCOUNT), sending)
    assert [each.id for each in cancelled] == ["late"]
    assert engine.book.open_orders() == []
    assert engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(10_000)


async def test_an_order_that_cannot_be_cancelled_keeps_no_other_open(room: Room) -> None:
    venue = LossyVenue()
    execution = over(room, venue)
    for name, instrument in (("one", BTC), ("two", ETH)):
        await while_waiting(room.clock, execution.submit(buy(name, instrument), lambda: Decimal(10)))
    whole = venue.cancel

    async def stubborn(order_id: str) -> bool:
        if order_id == "one":
            raise OutcomeUnknown("The venue did not answer.")
        return await whole(order_id)

    venue.cancel = stubborn  # type: ignore[method-assign]
    assert [each.id for each in await execution.cancel_all(ACCOUNT)] == ["two"]
    assert [each.id for each in room.engine.book.open_orders()] == ["one"]


async def test_a_paper_order_that_could_not_be_placed_frees_its_reservation_at_once(room: Room) -> None:
    execution, venue = room.engine.execution, room.engine.venue
    whole = venue.place

    async def broken(request: OrderRequest, last: Look | None = None) -> Order:
        raise OSError("disk I/O error")

    venue.place = broken  # type: ignore[method-assign]
    order = await execution.submit(buy(), lambda: Decimal(10))
    assert order.status is OrderStatus.REJECTED
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(10_000)
    venue.place = whole  # type: ignore[method-assign]
    assert (await execution.submit(buy("two"), lambda: Decimal(10))).status is OrderStatus.OPEN


async def test_a_venue_that_stays_silent_holds_the_instrument_and_tells_the_user(room: Room) -> None:
    venue = LossyVenue(answers=False)
    execution = over(room, venue)
    order = await while_waiting(room.clock, execution.submit(buy(), lambda: Decimal(10)))
    assert order.status is OrderStatus.UNKNOWN
    assert venue.received == ["one"]
    assert len(venue.lookups) == 5
    with pytest.raises(Conflict, match="#1 is not known; BTC/USDT is held"):
        await execution.submit(buy("two"), lambda: Decimal(10))
    assert venue.received == ["one"]
    venue.loses = False
    assert (await execution.submit(buy("three", ETH), lambda: Decimal(10))).status is OrderStatus.FILLED
    venue.answers = True
    assert [each.status for each in await execution.reconcile()] == [OrderStatus.OPEN]
    assert venue.received == ["one", "three"]


async def test_the_unknown_is_looked_up_after_a_restart_and_still_not_sent_again(room: Room) -> None:
    venue = LossyVenue(answers=False)
    await while_waiting(room.clock, over(room, venue).submit(buy(), lambda: Decimal(10)))
    await room.crash()
    room.engine.execution._exchange_for = lambda account: venue
    venue.answers = True
    room.options["exchange_for"] = lambda account: venue
    await room.open()
    found = await room.record.order("one")
    assert found is not None
    assert found.status is OrderStatus.OPEN
    assert venue.received == ["one"]


async def test_an_order_recorded_but_not_sent_ends_at_the_next_start(room: Room) -> None:
    async with room.record.unit() as unit:
        await unit.add_order(Order(buy()), Decimal(10))
    await room.crash()
    await room.open()
    found = await room.record.order("one")
    assert found is not None
    assert (found.status, found.reason) == (OrderStatus.REJECTED, UNSENT)
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(10_000)


async def test_the_same_id_gives_the_same_order_even_when_both_come_at_once(room: Room) -> None:
    venue = LossyVenue(loses=False)
    execution = over(room, venue)
    first, second = await asyncio.gather(*(execution.submit(buy(), lambda: Decimal(10)) for _ in range(2)))
    assert first == second
    assert venue.received == ["one"]


async def test_what_speaks_against_an_order_leaves_nothing_behind(room: Room) -> None:
    def refuse() -> Decimal:
        raise Conflict("No.")

    with pytest.raises(Conflict):
        await room.engine.execution.submit(buy(), refuse)
    assert await room.record.orders(ACCOUNT) == []


async def test_without_the_lease_nothing_is_sent(room: Room) -> None:
    venue = LossyVenue(loses=False)
    execution = over(room, venue)
    room.engine.lease._until = 0
    with pytest.raises(Conflict, match="no longer holds the right to trade"):
        await execution.submit(buy(), lambda: Decimal(10))
    assert venue.received == []
    found = await room.record.order("one")
    assert found is not None
    assert found.status is OrderStatus.REJECTED


async def test_a_cancel_that_races_a_fill_ends_in_one_of_the_two(room: Room) -> None:
    from core.events import Bar

    engine = room.engine
    for turn in range(10):
        request = OrderRequest(f"race-{turn}", ACCOUNT, BTC, Side.BUY, Limit(Decimal(100)), quantity=Decimal("0.1"))
        order = await engine.execution.submit(request, lambda: Decimal(11))
        await room.clock.advance(1)
        tick = Bar(room.clock.now_ms(), 90.0, 90.0, 90.0, 90.0, float("nan"))
        racers = [engine.execution.cancel(order), engine.venue.on_market({BTC: tick})]
        await asyncio.gather(*(racers if turn % 2 else reversed(racers)))
        after = await room.record.order(request.id)
        assert after is not None
        filled = [fill for fill in await room.fills() if fill.order == request.id]
        assert (after.status, len(filled)) in {(OrderStatus.CANCELLED, 0), (OrderStatus.FILLED, 1)}
    statuses = {order.status for order in await room.record.orders(ACCOUNT)}
    assert statuses == {OrderStatus.CANCELLED, OrderStatus.FILLED}
    assert await engine.book.differences(ACCOUNT) == []


async def test_the_orders_of_the_last_minute_are_remembered_over_a_restart(room: Room) -> None:
    execution = over(room, LossyVenue(loses=False))
    for name in ("one", "two"):
        await execution.submit(replace(buy(name), created=room.clock.now()), lambda: Decimal(10))
        await room.clock.advance(20.0)
    await execution.submit(replace(buy("child"), created=room.clock.now(), parent="one"), lambda: Decimal(10))
    await room.crash()
    await room.open()
    assert room.engine.book.recent(ACCOUNT) == 2
    await room.clock.advance(25.0)
    assert room.engine.book.recent(ACCOUNT) == 1


async def test_a_part_of_another_order_is_not_replaced(room: Room) -> None:
    venue = LossyVenue()
    execution = over(room, venue)
    part = replace(buy("whole.1"), type=Limit(Decimal(90)), parent="whole")
    order = await execution.submit(part, lambda: Decimal(10))
    with pytest.raises(InvalidInput, match="is a part of another order"):
        await execution.replace(order, replace(part, id="other", replaces=order.id))
    assert venue.received == ["whole.1"]


async def test_a_composite_order_that_has_ended_is_not_cancelled_by_an_old_image_of_it(room: Room) -> None:
    desk, engine = room.engine.desk, room.engine
    request = replace(buy("whole"), type=Iceberg(Decimal(1), Decimal("0.05")), created=room.clock.now())
    await engine.execution.submit(request, lambda: Decimal(10))
    before = await desk.order(ACCOUNT, "whole")
    assert before.status is OrderStatus.OPEN
    await engine.execution.cancel(before)
    ended = await desk.order(ACCOUNT, "whole")
    filled = replace(ended, status=OrderStatus.FILLED, filled=Decimal("0.1"))
    await engine.execution.settle(filled)
    await engine.synthetics.cancel(before)
    assert (await desk.order(ACCOUNT, "whole")).filled == Decimal("0.1")
