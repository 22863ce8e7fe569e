"""An order is written down first, sent once, and looked up when its outcome is not known."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.clock import SimulatedClock
from core.engine.execution import UNSENT, Execution
from core.errors import Conflict, OrderRefused, OutcomeUnknown
from core.money import ZERO
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Capabilities
from core.trading.orders import Limit, Market, Order, OrderRequest, OrderStatus, Side
from core.trading.portfolio import Fill
from tests.trading import ACCOUNT, BTC, ETH, Room, synthetic_bars


class LossyVenue:
    """Takes the order, then loses its answer. knows: what it says when asked; None: it never had it."""

    capabilities = Capabilities(frozenset({"Market", "Limit"}), paper=False)

    def __init__(self, *, loses: bool = True, accepts: bool = True, answers: bool = True) -> None:
        self.loses, self.accepts, self.answers = loses, accepts, answers
        self.received: list[str] = []
        self.lookups: list[str] = []
        self.held: dict[str, Order] = {}
        self.states: list[OrderStatus] = []
        self.record: Any = None

    async def place(self, request: OrderRequest) -> Acknowledgement:
        self.received.append(request.id)
        written = await self.record.order(request.id)
        self.states.append(written.status)
        if self.accepts:
            self.held[request.id] = Order(request, OrderStatus.OPEN)
        if self.loses:
            raise OutcomeUnknown("The venue did not answer within 10 seconds.")
        fill = Fill(f"{request.id}/1", request.id, ACCOUNT, request.ledger, request.instrument.key, request.side,
                    Decimal(100), request.quantity or ZERO, ZERO, written.updated)  # fmt: skip
        return Acknowledgement(request.id, [fill])

    async def cancel(self, order_id: str) -> bool:
        return self.held.pop(order_id, None) is not None

    async def find(self, order_id: str) -> Order | None:
        self.lookups.append(order_id)
        if not self.answers:
            raise OutcomeUnknown("The venue is down.")
        return self.held.get(order_id)

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


async def test_an_order_that_never_arrived_ends_and_frees_its_reservation(room: Room) -> None:
    venue = LossyVenue(accepts=False)
    order = await over(room, venue).submit(buy(), lambda: Decimal(10))
    assert venue.received == ["one"]
    assert order.status is OrderStatus.REJECTED
    assert order.reason == "The venue never received it."
    assert room.engine.book.free(ACCOUNT, "manual", "USDT") == Decimal(10_000)


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
    room.engine.execution._exchange_for = lambda account: venue  # type: ignore[assignment, return-value]
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
