"""The kill switch: over every account of a person, whatever a venue does, and until it is lifted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.engine.arming import Caps
from core.engine.engine import Engine
from core.engine.live import LiveVenues
from core.errors import AppError, Conflict, OrderRefused, RiskRefused, Unavailable
from core.market.instrument import Instrument
from core.store.outbox import SqlOutbox
from core.trading.exchange import demand_last
from core.trading.orders import Order, OrderStatus, Side
from core.trading.portfolio import Fill
from tests.core.engine.test_desk import Dial
from tests.core.engine.venue import Venue
from tests.trading import BTC, Room, Whims, synthetic_bars

D = Decimal
SAM, FILE, MOON = "sam", "sam@file", "sam@moon"
MOON_BTC = replace(BTC, venue="moon")
CAPS = Caps(D(50_000), D(90_000), D(5_000))


class Pocket:
    """A vault with the keys of one person at two venues."""

    async def keys(self, user: str, venue: str) -> Any:
        return "keys" if user == SAM and venue in ("file", "moon") else None

    async def venues(self, user: str) -> list[str]:
        return ["file", "moon"] if user == SAM else []


class Moody(Venue):
    """silent: answers nothing until it is set; failing: answers with an error; waiting: holds up what is placed

    kept: how many it held up so far; paced: before they leave, not on their way
    """

    failing = paced = False
    kept = 0
    silent: asyncio.Event | None = None
    waiting: asyncio.Event | None = None

    async def _mood(self) -> None:
        if self.silent is not None:
            await self.silent.wait()
        if self.failing:
            raise Unavailable("moon cannot be reached.")

    async def place(self, request: Any, last: Any = None) -> Any:
        if self.waiting is not None:
            if not self.paced:
                demand_last(last)
                last = None
            self.kept += 1
            await self.waiting.wait()
        return await super().place(request, last)

    async def cancel(self, order_id: str) -> bool:
        await self._mood()
        return await super().cancel(order_id)

    async def find(self, order_id: str) -> Order | None:
        await self._mood()
        return await super().find(order_id)

    async def fills_of(self, order_id: str) -> Any:
        await self._mood()
        return await super().fills_of(order_id)


@dataclass
class Hall:
    room: Room
    venues: dict[str, Moody]

    @property
    def engine(self) -> Engine:
        return self.room.engine

    async def rests(self, account: str, instrument: Instrument = BTC, quantity: str = "0.1") -> Order:
        """A limit order far below the market."""
        desk = self.engine.desk
        return await desk.submit(await desk.draft(account, "buy", instrument, quantity=D(quantity), limit=D(20_000)))

    async def meanwhile(self, work: Any, seconds: float = 30.0) -> Any:
        """What the work comes to while time passes."""
        task = asyncio.ensure_future(work)
        for _ in range(int(seconds * 2)):
            for _ in range(30):
                await asyncio.sleep(0.0005)
                if task.done():
                    return await task
            await self.room.clock.advance(0.5)
        raise AssertionError("it never ended")

    async def until(self, happened: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if happened():
                return
            await asyncio.sleep(0.0005)
        raise AssertionError("it never happened")

    async def told(self) -> list[str]:
        waiting = await SqlOutbox(self.room.store).waiting(self.room.clock.now(), 1_000)
        return [each.document["text"] for each in waiting if each.kind == "AccountNotice"]


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    room = Room(tmp_path, [synthetic_bars(1, 5)])
    venues = {name: Moody(room.clock, {"USDT": D(20_000), "BTC": D("0.5")}, D(30_000)) for name in ("file", "moon")}
    room.options = {"live": LiveVenues(Pocket(), lambda account, name, keys: venues[name])}
    await room.open()
    dial = room.engine.feed._sources["file"].data = Dial(room.clock)
    dial.prices[MOON_BTC] = D(30_000)
    moon = room.engine.feed._sources["file"]
    room.engine.feed._sources["moon"] = moon
    desk = room.engine.desk
    await desk.open(SAM)
    for account in (FILE, MOON):
        await desk.arm(account, CAPS, 8)
    yield Hall(room, venues)
    await room.close()


async def test_panic_clears_every_account_and_holds_for_all_of_them(hall: Hall) -> None:
    desk = hall.engine.desk
    for account, instrument in ((SAM, BTC), (FILE, BTC), (FILE, BTC), (MOON, MOON_BTC)):
        await hall.rests(account, instrument)
    other = await hall.rests("trader-1")
    done = await desk.panic(FILE)
    assert [(each.account, len(each.cancelled), each.left, each.trouble) for each in done.accounts] == [
        (SAM, 1, (), None),
        (FILE, 2, (), None),
        (MOON, 1, (), None),
    ]
    assert [order.id for order in hall.engine.book.open_orders()] == [other.id]
    for account, instrument in ((SAM, BTC), (FILE, BTC), (MOON, MOON_BTC)):
        with pytest.raises(RiskRefused, match="kill switch"):
            await hall.rests(account, instrument)
    assert (await hall.rests("trader-1")).status is OrderStatus.OPEN
    sale = await desk.draft(FILE, "sell", BTC, fraction=D(1))
    assert (await desk.submit(sale)).status is OrderStatus.FILLED
    await hall.room.crash()
    await hall.room.open()
    assert [await hall.engine.desk.halted(each) for each in (SAM, FILE, MOON, "trader-1")] == [True, True, True, False]
    await hall.engine.desk.resume(MOON)
    assert not await hall.engine.desk.halted(FILE)


async def test_a_venue_that_never_answers_holds_up_no_other_and_is_cleared_once_it_does(hall: Hall) -> None:
    desk, moon = hall.engine.desk, hall.venues["moon"]
    await hall.rests(FILE)
    stuck = await hall.rests(MOON, MOON_BTC)
    moon.failing = True
    done = await hall.meanwhile(desk.panic(SAM))
    assert [(each.account, len(each.cancelled), each.left) for each in done.accounts] == [
        (SAM, 0, ()), (FILE, 1, ()), (MOON, 0, (stuck.number,)),
    ]  # fmt: skip
    moon.failing, moon.silent = False, asyncio.Event()
    began = hall.room.clock.now()
    again = await hall.meanwhile(desk.panic(SAM))
    assert (hall.room.clock.now() - began).total_seconds() < 10
    assert again.accounts[2].left == (stuck.number,)
    assert "no answer within 6 seconds" in str(again.accounts[2].trouble)
    assert again.accounts[1].trouble is None
    moon.silent.set()
    await hall.meanwhile(over(hall, stuck), 120)
    assert moon.orders[stuck.id].status is OrderStatus.CANCELLED
    assert [text for text in await hall.told() if "Panic on LIVE moon is complete: order #" in text]


async def test_what_a_panic_could_not_cancel_is_cancelled_after_a_restart_and_nobody_else_is_blamed(hall: Hall) -> None:
    moon = hall.venues["moon"]
    stuck, safe = await hall.rests(MOON, MOON_BTC), await hall.rests(FILE)
    moon.failing = True
    await hall.meanwhile(hall.engine.desk.panic(SAM))
    assert not any("all orders are cancelled" in text for text in await hall.told())
    await hall.engine.desk.emergency.stop()
    await hall.room.crash()
    moon.failing = False
    await hall.room.open()
    hall.room.engine.feed._sources["moon"] = hall.room.engine.feed._sources["file"]
    await hall.meanwhile(over(hall, stuck), 120)
    assert moon.orders[stuck.id].status is OrderStatus.CANCELLED
    assert not any("not from here" in text for text in await hall.told())
    assert not hall.engine.execution.unwanted(stuck.id)
    assert safe.id not in {order.id for order in hall.engine.book.open_orders()}


async def over(hall: Hall, order: Order) -> None:
    while hall.engine.book.order(order.id) is not None or not any("complete" in text for text in await hall.told()):
        await hall.room.clock.sleep(0.5)


async def test_after_trading_is_resumed_nothing_more_is_cancelled(hall: Hall) -> None:
    moon = hall.venues["moon"]
    stuck = await hall.rests(MOON, MOON_BTC)
    moon.failing = True
    await hall.meanwhile(hall.engine.desk.panic(SAM))
    await hall.engine.desk.resume(SAM)
    moon.failing = False
    for _ in range(200):
        await hall.room.clock.advance(1)
    await asyncio.sleep(0.01)
    assert moon.orders[stuck.id].status is OrderStatus.OPEN


async def test_an_order_that_waits_for_its_turn_is_not_sent_and_one_on_its_way_is_cancelled(hall: Hall) -> None:
    file, desk = hall.venues["file"], hall.engine.desk
    file.waiting = asyncio.Event()
    sending = asyncio.ensure_future(hall.rests(FILE))
    await hall.until(lambda: file.kept == 1)
    late = asyncio.ensure_future(hall.rests(FILE))
    for _ in range(20):
        await asyncio.sleep(0)
    stopping = asyncio.ensure_future(desk.panic(SAM))
    for _ in range(20):
        await asyncio.sleep(0)
    file.waiting.set()
    done = await hall.meanwhile(stopping)
    results = await asyncio.gather(sending, late, return_exceptions=True)
    assert isinstance(results[0], Order)
    assert isinstance(results[1], AppError)
    assert len(file.orders) == 1
    assert all(each.status is OrderStatus.CANCELLED for each in file.orders.values())
    assert done.cancelled == (results[0].number,)
    assert hall.engine.book.open_orders(FILE) == []


async def test_an_order_that_waits_at_the_venues_pace_does_not_leave_after_panic(hall: Hall) -> None:
    file, desk = hall.venues["file"], hall.engine.desk
    file.waiting, file.paced = asyncio.Event(), True
    sending = asyncio.ensure_future(hall.rests(FILE))
    await hall.until(lambda: file.kept == 1)
    done = await hall.meanwhile(desk.panic(SAM))  # it does not wait for the order longer than a while
    assert any(each.trouble for each in done.accounts)
    file.waiting.set()
    with pytest.raises(OrderRefused, match="kill switch"):
        await sending
    assert file.received == []
    assert hall.engine.book.open_orders(FILE) == []


async def test_panic_while_an_order_is_written_down_keeps_it_from_leaving(hall: Hall) -> None:
    saved, execution = asyncio.Event(), hall.engine.execution
    save = execution._outcomes.save

    async def slowly(order: Order, **rest: Any) -> Order:
        if order.status is OrderStatus.SENDING:
            saved.set()
            await asyncio.sleep(0.01)
            hall.engine.book.set_account(replace(hall.engine.book.account(FILE), halted=True))
        return await save(order, **rest)

    execution._outcomes.save = slowly
    with pytest.raises(OrderRefused, match="kill switch"):
        await hall.rests(FILE)
    assert saved.is_set()
    assert hall.venues["file"].received == []


async def test_what_the_journal_lacks_does_not_let_a_buy_pass_as_reducing(hall: Hall) -> None:
    """A sale by hand of coins whose deposit is not journaled yet leaves a position below zero: nobody is short."""
    engine, now = hall.engine, hall.room.clock.now()
    sold = Fill("file:x", "file:hand", FILE, "manual", BTC.key, Side.SELL, D(30_000), D("0.9"), D(0), now)
    async with engine.record.unit() as unit:
        await unit.record(sold)
    engine.book.take([sold])
    assert engine.book.portfolio(FILE, "manual").positions[BTC.key].quantity < 0
    request = await engine.desk.draft(FILE, "buy", BTC, quantity=D("0.1"), limit=D(29_000))
    await engine.desk.preview(request)
    await hall.meanwhile(engine.desk.panic(SAM))
    with pytest.raises(RiskRefused, match="kill switch"):
        await engine.desk.preview(request)
    with pytest.raises(RiskRefused, match="kill switch"):
        await engine.desk.submit(request)
    with pytest.raises(RiskRefused, match="kill switch"):
        engine.gate.demand(request)
    assert hall.venues["file"].received == []


async def test_panic_while_trading_is_being_resumed_wins(hall: Hall) -> None:
    desk = hall.engine.desk
    await desk.panic(SAM)
    resumed, _ = await asyncio.gather(desk.resume(SAM), desk.panic(SAM), return_exceptions=True)
    assert isinstance(resumed, Conflict)
    assert await desk.halted(SAM)
    await hall.room.crash()
    await hall.room.open()
    assert await hall.engine.desk.halted(SAM)


async def test_two_panics_at_once_do_what_one_does(hall: Hall) -> None:
    for account, instrument in ((SAM, BTC), (FILE, BTC), (MOON, MOON_BTC)):
        await hall.rests(account, instrument)
    desk = hall.engine.desk
    both = await hall.meanwhile(asyncio.gather(desk.panic(SAM), desk.panic(MOON)))
    assert all(each.left == () for done in both for each in done.accounts)
    assert not any(each.trouble for done in both for each in done.accounts)
    assert hall.engine.book.open_orders() == []
    assert len([text for text in await hall.told() if "kill switch is on" in text]) == 1
    for account in (SAM, FILE, MOON):
        assert await hall.engine.book.differences(account) == []


async def test_a_reset_under_way_does_not_lift_a_panic(hall: Hall) -> None:
    desk = hall.engine.desk
    await asyncio.gather(desk.reset(SAM, D(500)), desk.panic(SAM))
    assert await desk.halted(SAM)
    await hall.room.crash()
    await hall.room.open()
    assert hall.engine.book.halted(SAM)
    state = hall.engine.book.account(SAM)
    assert state is not None
    assert (state.epoch, state.halted) == (1, True)


async def test_the_switch_of_any_account_counts_for_all_of_them(hall: Hall) -> None:
    state = hall.engine.book.account(FILE)
    assert state is not None
    hall.engine.book.set_account(replace(state, halted=True))
    with pytest.raises(RiskRefused, match="kill switch"):
        await hall.rests(SAM)
    with pytest.raises(RiskRefused, match="kill switch"):
        await hall.rests(MOON, MOON_BTC)
    with pytest.raises(Conflict, match="stopped by panic"):
        await hall.engine.trader.start(SAM, Whims(1), BTC, "1h", D(1_000))


async def test_a_switch_that_cannot_be_written_down_holds_and_says_so(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.rests(FILE)
    emergency = hall.engine.desk.emergency

    async def full(*given: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(emergency, "_write", full)
    done = await hall.engine.desk.panic(SAM)
    assert done.unwritten is not None
    assert len(done.cancelled) == 1
    assert await hall.engine.desk.halted(FILE)


async def test_orders_of_the_last_minute_count_after_a_restart(hall: Hall) -> None:
    for _ in range(3):
        await hall.rests(SAM)
    await hall.rests(FILE)
    await hall.room.crash()
    await hall.room.open()
    means = hall.engine.desk.means
    assert (means.recent(SAM), means.recent(FILE)) == (3, 1)
    await hall.room.clock.advance(61)
    assert means.recent(SAM) == 0
