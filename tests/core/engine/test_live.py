"""A live account: opened with what its venue holds, armed, traded within its caps, and held against the venue."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.engine.arming import Caps
from core.engine.engine import Engine
from core.engine.live import LiveVenues
from core.engine.reconciliation import Reconciliation
from core.errors import Conflict, Forbidden, InvalidInput, NotFound, OrderRefused, RiskRefused, Unavailable
from core.store.outbox import SqlOutbox
from core.trading.exchange import ELSEWHERE
from core.trading.orders import Limit, OrderStatus, Side, Stop
from core.trading.portfolio import fold
from tests.core.engine.test_desk import Dial
from tests.core.engine.venue import Venue
from tests.trading import BTC, Room, synthetic_bars

D = Decimal
LIVE = "sam@file"
CAPS = Caps(D(5_000), D(10_000), D(500))


class Pocket:
    """A vault with the keys of one person at one venue."""

    async def keys(self, user: str, venue: str) -> Any:
        return "keys" if (user, venue) == ("sam", "file") else None

    async def venues(self, user: str) -> list[str]:
        return ["file"] if user == "sam" else []


@dataclass
class Hall:
    room: Room
    dial: Dial
    venue: Venue

    @property
    def engine(self) -> Engine:
        return self.room.engine

    async def arm(self, caps: Caps = CAPS, hours: int = 8) -> None:
        await self.engine.desk.arm(LIVE, caps, hours)

    async def draft(self, quantity: str = "0.1", side: str = "buy", **options: Any) -> Any:
        return await self.engine.desk.draft(LIVE, side, BTC, quantity=D(quantity), **options)

    async def trade(self, quantity: str = "0.1", side: str = "buy", **options: Any) -> Any:
        request = await self.draft(quantity, side, **options)
        return await self.engine.desk.submit(request, await self.engine.desk.preview(request))

    async def look(self, times: int = 1) -> bool:
        agreed = False
        for _ in range(times):
            agreed = await self.engine.reconciliation.look(LIVE)
        return agreed

    async def told(self) -> list[str]:
        waiting = await SqlOutbox(self.room.store).waiting(self.room.clock.now(), 1_000)
        return [each.document["text"] for each in waiting if each.kind == "AccountNotice"]

    async def agrees(self) -> None:
        """The journal, the image in memory and the venue say the same, to the last digit."""
        journal = {a: n for a, n in fold(await self.room.record.entries(LIVE)).balances.items() if n}
        assert journal == await self.venue.balances()
        assert await self.engine.book.differences(LIVE) == []


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    room = Room(tmp_path, [synthetic_bars(1, 5)])
    venue = Venue(room.clock, {"USDT": D(20_000), "BTC": D("0.5"), "XYZ": D(7)}, D(30_000))
    room.options = {"live": LiveVenues(Pocket(), lambda account, name, keys: venue)}
    dial = Dial(room.clock)
    await room.open()
    room.engine.feed._sources["file"].data = dial
    yield Hall(room, dial, venue)
    await room.close()


async def test_an_account_opens_with_what_the_venue_holds_and_profit_counts_from_there(hall: Hall) -> None:
    view = await hall.engine.desk.portfolio(LIVE)
    assert (view.mode, view.currency, view.cash, view.equity) == ("LIVE", "USDT", D(20_000), D(35_000))
    assert [(each.quantity, each.entry_price) for each in view.positions] == [(D("0.5"), D(30_000))]
    hall.dial.prices[BTC] = D(31_000)
    await hall.engine.feed.poke(BTC)
    profit = await hall.engine.desk.profit(LIVE)
    assert (profit.mode, profit.total, profit.unrealised, profit.realised) == ("LIVE", D(500), D(500), 0)
    await hall.agrees()


async def test_without_keys_there_is_no_live_account(hall: Hall) -> None:
    with pytest.raises(NotFound, match="no keys for kraken"):
        await hall.engine.desk.open("sam@kraken")
    with pytest.raises(NotFound, match="no keys for file"):
        await hall.engine.desk.open("eve@file")
    await hall.engine.desk.open(LIVE)
    with pytest.raises(InvalidInput, match="only a paper account"):
        await hall.engine.desk.reset(LIVE)


async def test_nothing_is_bought_before_the_account_is_armed_and_nothing_is_left_behind(hall: Hall) -> None:
    request = await hall.draft()
    with pytest.raises(Forbidden, match="not armed for live trading"):
        await hall.engine.desk.submit(request)
    assert (hall.venue.received, await hall.engine.desk.orders(LIVE, open_only=False)) == ([], [])
    assert hall.engine.desk.account_for("sam", "file") == "sam"
    await hall.arm()
    assert hall.engine.desk.account_for("sam", "file") == LIVE
    order = await hall.trade()
    assert (order.status, order.filled, order.average_price) == (OrderStatus.FILLED, D("0.1"), D(30_000))
    await hall.agrees()


async def test_a_preview_says_live_and_uses_the_fees_of_the_venue(hall: Hall) -> None:
    await hall.arm()
    preview = await hall.engine.desk.preview(await hall.draft())
    assert (preview.mode, preview.fee, preview.price, preview.simulated) == ("LIVE", D("3.000"), D(30_000), True)


async def test_arming_runs_out_and_is_told_once_and_sales_still_pass(hall: Hall) -> None:
    await hall.arm(hours=1)
    hall.room.clock.set(hall.room.clock.now() + timedelta(hours=1))
    await hall.engine._tend()
    await hall.engine._tend()
    assert [text for text in await hall.told() if "ran out" in text] != []
    assert len([text for text in await hall.told() if "ran out" in text]) == 1
    with pytest.raises(Forbidden):
        await hall.trade()
    assert (await hall.trade("0.2", "sell")).status is OrderStatus.FILLED
    await hall.agrees()


async def test_a_restart_neither_arms_nor_disarms(hall: Hall) -> None:
    await hall.arm()
    await hall.room.crash()
    await hall.room.open()
    assert hall.engine.desk.account_for("sam", "file") == LIVE
    await hall.engine.arming.disarm(LIVE)
    await hall.room.crash()
    await hall.room.open()
    assert hall.engine.desk.account_for("sam", "file") == "sam"


async def test_a_code_is_needed_to_arm(hall: Hall) -> None:
    with pytest.raises(Forbidden, match="not right"):
        await hall.engine.arming.prove("sam", "000000")


@pytest.mark.parametrize("caps", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (2, 1, 1)])
async def test_empty_or_contradictory_caps_are_refused(caps: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="cap on"):
        Caps(*map(D, caps))


async def test_caps_refuse_with_numbers(hall: Hall) -> None:
    await hall.arm()
    with pytest.raises(
        RiskRefused, match=r"cap on one order limit allows 5,000.00 USDT, and this would be 6,003.00 USDT"
    ):
        await hall.trade("0.2")
    await hall.trade("0.16")
    await hall.trade("0.1", limit=D(29_000))
    with pytest.raises(
        RiskRefused, match=r"cap on exposure limit allows 10,000.00 USDT, and this would be 12,505.30 USDT"
    ):
        await hall.trade("0.16")
    assert len(hall.venue.received) == 2


async def test_a_day_may_cost_only_so_much(hall: Hall) -> None:
    await hall.arm()
    hall.dial.prices[BTC] = D(28_900)  # half a coin that was there before lost 550
    await hall.engine.feed.poke(BTC)
    with pytest.raises(
        RiskRefused, match=r"cap on a day's loss limit allows 500.00 USDT, and this would be 550.00 USDT"
    ):
        await hall.trade()
    assert (await hall.trade("0.1", "sell")).status is OrderStatus.FILLED
    hall.room.clock.set(hall.room.clock.now() + timedelta(days=1))
    await hall.arm()
    await hall.engine.feed.poke(BTC)
    assert (await hall.trade("0.01")).status is OrderStatus.FILLED


async def test_the_price_that_can_be_had_must_lie_in_the_previewed_band(hall: Hall) -> None:
    await hall.arm()
    request = await hall.draft()
    preview = await hall.engine.desk.preview(request)
    whole = hall.dial.quote

    async def wide(instrument: Any) -> Any:
        return replace(await whole(instrument), ask=D(30_400))

    hall.dial.quote = wide  # type: ignore[method-assign]
    with pytest.raises(Conflict, match=r"moved to 30,400.00, outside 29,700.00 to 30,300.00"):
        await hall.engine.desk.submit(request, preview)
    assert hall.venue.received == []


async def test_an_amount_to_spend_becomes_what_it_surely_buys(hall: Hall) -> None:
    await hall.arm()
    request = await hall.engine.desk.draft(LIVE, "buy", BTC, spend=D(1_000))
    await hall.engine.desk.submit(request, await hall.engine.desk.preview(request))
    assert hall.venue.received[0].quantity == D("0.03330")
    assert hall.venue.held["USDT"] >= 19_000
    await hall.agrees()


async def test_a_lost_answer_of_a_live_order_is_looked_up_and_not_sent_again(hall: Hall) -> None:
    await hall.arm()
    hall.venue.loses = True
    order = await hall.trade()
    assert (order.status, len(hall.venue.received)) == (OrderStatus.FILLED, 1)
    await hall.agrees()


async def test_fills_are_taken_in_once_however_they_arrive(hall: Hall) -> None:
    await hall.arm()
    order = await hall.trade("0.1", limit=D(29_000))
    first = hall.venue.fill(order.id, D("0.03"), D(29_000))
    second = hall.venue.fill(order.id, D("0.02"), D(29_000))
    for fill in (second, first, second):
        await hall.engine.execution.take(fill)
    now = await hall.engine.desk.order(LIVE, order.number)
    assert (now.status, now.filled) == (OrderStatus.PARTIAL, D("0.05"))
    assert hall.engine.book.reserved(LIVE, "manual", "USDT") == D("1451.45")
    await hall.look()
    third = hall.venue.fill(order.id, D("0.05"), D(28_990))
    assert await hall.look(2)
    await hall.engine.execution.take(third)
    now = await hall.engine.desk.order(LIVE, order.number)
    assert (now.status, now.filled, len(await hall.engine.desk.fills(LIVE))) == (OrderStatus.FILLED, D("0.1"), 3)
    await hall.agrees()


async def test_an_order_cancelled_at_the_venue_ends_with_that_reason_and_is_told_once(hall: Hall) -> None:
    await hall.arm()
    order = await hall.trade("0.1", limit=D(29_000))
    hall.venue.fill(order.id, D("0.04"), D(29_000))
    await hall.venue.cancel(order.id)
    await hall.look(3)
    now = await hall.engine.desk.order(LIVE, order.number)
    assert (now.status, now.filled, now.reason) == (
        OrderStatus.CANCELLED, D("0.04"), "It was cancelled at file, not from here.",
    )  # fmt: skip
    assert len([text for text in await hall.told() if "It was cancelled at file" in text]) == 1
    assert hall.engine.book.free(LIVE, "manual", "USDT") == hall.venue.held["USDT"]
    await hall.agrees()


async def test_what_is_done_by_hand_elsewhere_is_recognised_told_once_and_not_fought(hall: Hall) -> None:
    await hall.arm()
    await hall.look()
    hall.venue.by_hand("file:77", Side.BUY, D("0.2"), D(29_500), LIVE, BTC)
    await hall.look(3)
    assert hall.engine.book.free(LIVE, "manual", "USDT") == D(14_100)
    hall.venue.fill("file:77", D("0.2"), D(29_500))
    await hall.look(3)
    view = await hall.engine.desk.portfolio(LIVE)
    assert view.positions[0].quantity == D("0.7")
    assert view.positions[0].entry_price == (D(15_000) + D(5_900)) / D("0.7")
    told = [text for text in await hall.told() if "outside of this product" in text]
    assert told == [
        "An order was placed at file outside of this product: buy 0.2 BTC/USDT. It is left alone.",
        "At file, outside of this product: bought 0.2 BTC/USDT at 29,500.",
    ]
    assert hall.venue.received == []
    await hall.agrees()


async def test_a_balance_that_changed_elsewhere_is_journaled_when_two_looks_agree(hall: Hall) -> None:
    await hall.engine.desk.open(LIVE)
    hall.venue.held["BTC"] -= D("0.2")
    hall.venue.held["USDT"] += D(100)
    await hall.look()
    assert (await hall.engine.desk.portfolio(LIVE)).cash == D(20_000)
    await hall.look(3)
    view, profit = await hall.engine.desk.portfolio(LIVE), await hall.engine.desk.profit(LIVE)
    assert (view.cash, view.positions[0].quantity, profit.total) == (D(20_100), D("0.3"), 0)
    told = [text for text in await hall.told() if "balances at file changed" in text]
    assert told == ["The balances at file changed outside of this product: -0.2 BTC, +100 USDT."]
    await hall.agrees()
    await hall.room.crash()
    await hall.room.open()
    assert await hall.look()
    assert len([text for text in await hall.told() if "balances at file changed" in text]) == 1


async def test_an_order_given_up_that_arrives_too_late_is_cancelled_and_told(hall: Hall) -> None:
    await hall.arm()
    order = await hall.trade("0.1", limit=D(29_000))
    ended = replace(
        order, status=OrderStatus.REJECTED, reason="The venue never received it: order again if you still want it."
    )
    await hall.engine.execution.settle(ended)
    await hall.look()
    assert hall.venue.orders[order.id].status is OrderStatus.CANCELLED
    assert any("reached the venue too late" in text for text in await hall.told())


async def test_panic_cancels_and_sells_also_when_the_account_is_not_armed(hall: Hall) -> None:
    await hall.arm()
    order = await hall.trade("0.1", limit=D(29_000))
    await hall.engine.arming.disarm(LIVE)
    done = await hall.engine.desk.panic(LIVE)
    assert done.cancelled == (order.number,)
    await hall.engine.desk.flatten(LIVE)
    assert hall.venue.held["BTC"] == 0
    await hall.agrees()


async def test_panic_looks_at_an_account_at_which_this_process_has_not_looked_yet(hall: Hall) -> None:
    await hall.arm()
    await hall.trade("0.1")
    await hall.engine.arming.disarm(LIVE)
    await hall.look(2)
    await hall.room.close()
    hall.venue.fill(by_hand(hall), D("0.2"), D(30_000))
    look, looked = Reconciliation.look_at_all, []

    async def nobody(self: Any) -> None:
        looked.append(self)

    Reconciliation.look_at_all = nobody  # type: ignore[method-assign]  # the venue was away when this process began
    try:
        await hall.room.open()
    finally:
        Reconciliation.look_at_all = look  # type: ignore[method-assign]
    hall.engine.feed._sources["file"].data = hall.dial
    assert looked
    done = await hall.engine.desk.panic("sam")
    assert {each.account: [held.quantity for held in each.positions] for each in done.accounts}[LIVE] == [D("0.8")]


def by_hand(hall: Hall) -> str:
    """The id of an order that somebody placed at the venue itself."""
    hall.venue.by_hand("file:90", Side.BUY, D("0.2"), D(30_000), LIVE, BTC)
    return "file:90"


async def test_an_order_at_the_venue_is_never_told_as_lost_when_the_database_is_locked(hall: Hall) -> None:
    await hall.arm()
    save, outcomes = hall.engine.execution._outcomes.save, hall.engine.execution._outcomes
    locked: list[str] = []

    async def refused(order: Any, **rest: Any) -> Any:
        if order.status is not OrderStatus.SENDING and len(locked) < 3:
            locked.append(order.status.value)
            raise Unavailable("The database does not answer: database is locked.")
        return await save(order, **rest)

    outcomes.save = refused  # type: ignore[method-assign]
    trading = asyncio.ensure_future(hall.trade("0.1"))
    for _ in range(400):
        await asyncio.sleep(0.0005)
        if trading.done():
            break
        await hall.room.clock.advance(0.5)
    order = await trading
    assert len(locked) == 3
    assert len(hall.venue.received) == 1
    assert order.status is OrderStatus.FILLED
    await hall.agrees()


async def test_disarming_that_could_not_be_written_down_holds_and_is_written_later(hall: Hall) -> None:
    await hall.arm()
    keep, arming = hall.engine.arming._keep, hall.engine.arming

    async def locked(*_: Any, **__: Any) -> None:
        raise Unavailable("The database does not answer: database is locked.")

    arming._keep = locked  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await arming.disarm(LIVE)
    assert arming.of(LIVE) is None
    arming._keep = keep  # type: ignore[method-assign]
    await arming.expire()
    await arming.load()
    assert arming.of(LIVE) is None
    assert [text for text in await hall.told() if "is disarmed" in text]


# -- replacing ----------------------------------------------------------------------------------------------------


async def resting(hall: Hall) -> Any:
    await hall.arm()
    return await hall.trade("0.1", limit=D(29_000))


async def test_a_replaced_order_is_cancelled_first_and_only_the_rest_is_sent(hall: Hall) -> None:
    old = await resting(hall)
    hall.venue.fill(old.id, D("0.03"), D(29_000))
    request = await hall.engine.desk.redraft(LIVE, old.number, price=D(29_100))
    hall.venue.before_cancel = lambda: hall.venue.fill(old.id, D("0.01"), D(29_000))
    new = await hall.engine.desk.replace(request)
    assert (new.status, new.request.quantity, new.request.type) == (OrderStatus.OPEN, D("0.06"), Limit(D(29_100)))
    assert (await hall.engine.desk.order(LIVE, old.number)).status is OrderStatus.CANCELLED
    assert hall.engine.book.reserved(LIVE, "manual", "USDT") == D("0.06") * D(29_100) * D("1.001")
    assert await hall.engine.desk.replace(request) == new
    assert len(hall.venue.received) == 2
    await hall.look()
    await hall.agrees()


async def test_an_order_that_filled_while_it_was_to_be_replaced_sends_nothing(hall: Hall) -> None:
    old = await resting(hall)
    request = await hall.engine.desk.redraft(LIVE, old.number, price=D(29_100))
    hall.venue.before_cancel = lambda: hall.venue.fill(old.id, D("0.1"), D(29_000))
    new = await hall.engine.desk.replace(request)
    assert (new.status, new.reason) == (OrderStatus.REJECTED, "Order #1 was filled meanwhile, so nothing was sent.")
    assert len(hall.venue.received) == 1
    await hall.agrees()


async def test_a_replacement_refused_after_the_cancel_says_both(hall: Hall) -> None:
    old = await resting(hall)
    request = await hall.engine.desk.redraft(LIVE, old.number, price=D(29_100))
    await hall.engine.desk.open(LIVE)

    async def refuse(placed: Any, last: Any = None) -> Any:
        raise OrderRefused("The market is closed.")

    hall.venue.place = refuse  # type: ignore[method-assign]
    with pytest.raises(OrderRefused, match=r"Order #1 is cancelled, and the one in its place was refused: The market"):
        await hall.engine.desk.replace(request)
    assert hall.engine.book.reserved(LIVE, "manual", "USDT") == 0


async def test_a_replacement_cut_short_by_a_crash_never_leaves_both_at_work(hall: Hall) -> None:
    old = await resting(hall)
    request = await hall.engine.desk.redraft(LIVE, old.number, price=D(29_100))

    async def dies(order_id: str) -> bool:
        raise KeyboardInterrupt

    whole, hall.venue.cancel = hall.venue.cancel, dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await hall.engine.desk.replace(request)
    free = hall.engine.book.free(LIVE, "manual", "USDT")
    assert free == D(20_000) - D("0.1") * D(29_100) * D("1.001")  # of the two the larger, once
    hall.venue.cancel = whole  # type: ignore[method-assign]
    await hall.room.crash()
    await hall.room.open()
    assert [each.number for each in await hall.engine.desk.orders(LIVE)] == [old.number]
    assert (await hall.engine.desk.order(LIVE, 2)).status is OrderStatus.REJECTED
    assert len(hall.venue.received) == 1


async def test_orders_elsewhere_are_no_orders_of_ours(hall: Hall) -> None:
    await hall.engine.desk.open(LIVE)
    hall.venue.by_hand("file:78", Side.SELL, D("0.2"), D(39_500), LIVE, BTC)
    await hall.look(2)
    assert hall.engine.book.free(LIVE, "manual", "BTC") == D("0.3")
    assert await hall.engine.desk.cancel_all(LIVE) == []
    assert hall.venue.orders["file:78"].request.ledger == ELSEWHERE
    assert not hall.venue.orders["file:78"].status.final


def refusing(hall: Hall, *triggers: int) -> None:
    """The venue takes no stops at these prices from now on."""
    whole = hall.venue.place

    async def place(request: Any, last: Any = None) -> Any:
        if isinstance(request.type, Stop) and request.type.trigger in triggers:
            raise OrderRefused("The stop would trigger at once.")
        return await whole(request, last)

    hall.venue.place = place  # type: ignore[method-assign]


async def test_a_stop_refused_in_the_place_of_another_leaves_that_one(hall: Hall) -> None:
    await hall.arm()
    await hall.engine.desk.protect(LIVE, BTC, stop=D(28_000))
    refusing(hall, 29_000)
    with pytest.raises(Conflict, match="The new order was refused: The stop would trigger at once") as refused:
        await hall.engine.desk.protect(LIVE, BTC, stop=D(29_000))
    assert refused.value.hint == "Your BTC is protected as it was before."
    assert (await hall.engine.desk.portfolio(LIVE)).positions[0].stop == D(28_000)
    assert [each.request.type for each in await hall.engine.desk.orders(LIVE)] == [Stop(D(28_000))]


async def test_a_position_that_nothing_protects_any_more_is_told(hall: Hall) -> None:
    await hall.arm()
    await hall.engine.desk.protect(LIVE, BTC, stop=D(28_000))
    refusing(hall, 28_000, 29_000)
    with pytest.raises(Conflict, match="and so was the old one"):
        await hall.engine.desk.protect(LIVE, BTC, stop=D(29_000))
    assert await hall.engine.desk.orders(LIVE) == []
    assert len([text for text in await hall.told() if "Nothing protects it now" in text]) == 1


async def test_a_crash_between_two_stops_is_told_at_the_start(hall: Hall) -> None:
    await hall.arm()
    await hall.engine.desk.protect(LIVE, BTC, stop=D(28_000))

    async def dies(request: Any) -> Any:
        raise KeyboardInterrupt

    hall.engine.desk.protecting._submit = dies
    with pytest.raises(KeyboardInterrupt):
        await hall.engine.desk.protect(LIVE, BTC, stop=D(29_000))
    for _ in range(2):
        await hall.room.crash()
        await hall.room.open()
    assert [text for text in await hall.told() if "Nothing protects it now" in text] == [
        "The stop of your BTC was being changed when the process ended. Nothing protects it now: set it again."
    ]


async def test_what_orders_elsewhere_bind_is_not_free_from_the_first_moment_and_after_a_restart(hall: Hall) -> None:
    hall.venue.by_hand("file:78", Side.SELL, D("0.2"), D(39_500), LIVE, BTC)
    await hall.engine.desk.open(LIVE)
    assert hall.engine.book.free(LIVE, "manual", "BTC") == D("0.3")
    await hall.look()
    hall.engine.book.bind_elsewhere(LIVE, {})
    await hall.engine.reconciliation.load()
    assert hall.engine.book.free(LIVE, "manual", "BTC") == D("0.3")


async def test_an_account_whose_fills_never_stop_is_not_opened_and_holds_up_nobody_for_ever(hall: Hall) -> None:
    balances, fills = hall.venue.balances, hall.venue.recent_fills

    async def filling(since: int) -> Any:
        hall.venue.by_hand(f"file:{len(hall.venue.orders)}", Side.BUY, D(1), D(30_000), LIVE, BTC)
        hall.venue.fill(f"file:{len(hall.venue.orders) - 1}", D("0.001"), D(30_000))
        return await fills(since)

    hall.venue.recent_fills = filling  # type: ignore[method-assign]
    opening = asyncio.ensure_future(hall.engine.desk.open(LIVE))
    for _ in range(400):
        await asyncio.sleep(0.0005)
        if opening.done():
            break
        await hall.room.clock.advance(0.1)
    with pytest.raises(Unavailable, match="fills orders all the time"):
        await opening
    hall.venue.recent_fills = fills  # type: ignore[method-assign]
    await hall.engine.desk.open(LIVE)
    assert (await hall.venue.balances()) == await balances()
    await hall.agrees()


async def test_a_stop_that_the_venue_keeps_says_so_and_only_one_over_everything_protects(hall: Hall) -> None:
    await hall.arm()
    preview = await hall.engine.desk.preview(await hall.draft("0.1", "sell", stop=D(29_000)))
    assert not any("live in this process" in warning for warning in preview.warnings)
    await hall.trade("0.1", "sell", stop=D(29_000))
    assert (await hall.engine.desk.portfolio(LIVE)).positions[0].stop is None
    await hall.engine.desk.protect(LIVE, BTC, stop=D(28_000))
    assert (await hall.engine.desk.portfolio(LIVE)).positions[0].stop == D(28_000)
    assert [type(each.request.type).__name__ for each in await hall.engine.desk.orders(LIVE)] == ["Stop"]
    with pytest.raises(InvalidInput, match="a trail, or a stop and a target"):
        await hall.engine.desk.protect(LIVE, BTC, stop=D(28_000), trail=D("0.05"))
    await hall.engine.desk.protect(LIVE, BTC)
    assert await hall.engine.desk.orders(LIVE) == []
