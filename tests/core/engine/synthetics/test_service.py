"""Composite orders on the paper engine: what rests, what is watched, what a restart and a reset do."""

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import InvalidInput, OrderRefused
from core.money import ZERO
from core.trading.orders import (
    Grid,
    Iceberg,
    Ladder,
    Market,
    OneCancelsOther,
    Order,
    OrderRequest,
    OrderStatus,
    Side,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip
from core.trading.portfolio import Fill
from tests.core.engine.synthetics.tape import TapeRoom, shown
from tests.trading import ACCOUNT, BTC, EPOCH, HOUR, synthetic_bars

D = Decimal
OCO = OneCancelsOther(D(70_000), D(55_000))


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[TapeRoom]:
    room = await TapeRoom(tmp_path).open()
    yield room
    assert await room.engine.book.differences(ACCOUNT) == []
    await room.close()


async def test_the_stop_rests_at_the_venue_and_the_target_is_watched(room: TapeRoom) -> None:
    await room.buys("1")
    order = await room.places(Side.SELL, OCO, "0.5")
    assert order.status is OrderStatus.OPEN
    assert shown(await room.children()) == [("sell", "Stop", D("0.5"), "open")]
    assert room.free() == D("0.5")  # bound once, by the whole
    await room.moves(65_000, 70_010)
    order = await room.order()
    assert (order.status, order.filled, order.average_price) == (OrderStatus.FILLED, D("0.5"), D(70_010))
    assert shown(await room.children())[0] == ("sell", "Stop", D("0.5"), "cancelled")
    assert room.held() == room.free() == D("0.5")


async def test_a_price_that_turns_before_the_target_fills_brings_the_stop_back(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    room.tape.price = D(70_000)  # touched, not traded through
    await room.moves(70_000, 62_000, 54_000)
    order = await room.order()
    assert (order.status, order.average_price) == (OrderStatus.FILLED, D(54_000))
    assert room.held() == D("0.5")


async def test_a_price_that_gaps_through_the_stop_sells_at_what_there_is(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "1")
    await room.moves(41_000)
    order = await room.order()
    assert (order.status, order.average_price) == (OrderStatus.FILLED, D(41_000))
    assert room.held() == ZERO


async def test_an_order_goes_on_where_it_was_after_a_crash(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.reopen()
    assert shown(await room.children()) == [("sell", "Stop", D("0.5"), "open")]
    await room.moves(71_000)
    await room.reopen()
    await room.moves(71_500)
    assert (await room.order()).status is OrderStatus.FILLED
    assert room.held() == D("0.5")


async def test_cancelling_cancels_the_children_first(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    order = await room.engine.desk.cancel(ACCOUNT, "one")
    assert order.status is OrderStatus.CANCELLED
    assert shown(await room.children()) == [("sell", "Stop", D("0.5"), "cancelled")]
    assert room.free() == D(1)


async def test_a_child_that_is_cancelled_by_hand_ends_the_order_and_is_told(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.engine.desk.cancel(ACCOUNT, "one.1")
    await room.settle()
    assert (await room.order()).status is OrderStatus.CANCELLED
    assert any("Order #2 has ended" in text for text in await room.told())


async def test_a_trailing_stop_waits_for_its_activation(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, TrailingStop(D("0.05"), activation=D(65_000)), "1")
    await room.moves(64_000, 50_000)
    assert await room.children() == []
    await room.moves(65_000, 80_000, 77_000)
    assert (await room.order()).status is OrderStatus.OPEN
    await room.moves(75_900)
    assert (await room.order()).average_price == D(75_900)


async def test_time_slices_are_equal_and_on_time(room: TapeRoom) -> None:
    await room.places(Side.BUY, Twap(40, 4), "0.4")
    sizes = []
    for _ in range(5):
        sizes.append((await room.order()).filled)
        await room.waits(10)
    assert sizes == sorted(sizes)
    assert max(after - before for before, after in pairwise(sizes)) <= D("0.2")
    assert [each.request.quantity for each in await room.children()] == [D("0.1")] * 4
    assert (await room.order()).status is OrderStatus.FILLED


async def test_slices_missed_by_a_restart_are_made_up_for_one_at_a_time(room: TapeRoom) -> None:
    await room.places(Side.BUY, Twap(80, 8), "0.8")
    await room.waits(1)
    await room.crash()
    room.clock.set(room.clock.now().replace(minute=(room.clock.now().minute + 1) % 60))
    await room.open()
    await room.settle()
    most = ZERO
    for _ in range(60):
        before = (await room.order()).filled
        await room.waits(1)
        most = max(most, (await room.order()).filled - before)
    assert most == D("0.1")
    assert (await room.order()).status is OrderStatus.FILLED
    assert {each.request.quantity for each in await room.children()} == {D("0.1")}


async def test_a_limited_slice_order_ends_when_its_time_is_over(room: TapeRoom) -> None:
    await room.places(Side.BUY, Twap(40, 4, D(59_000)), "0.4")
    for _ in range(8):
        await room.waits(10)
    order = await room.order()
    assert order.status is OrderStatus.EXPIRED
    assert order.reason == "Its time is over; for 0.4 BTC the limit of 59,000.00 was not met."
    assert room.free("USDT") == room.held("USDT")


async def test_volume_slices_follow_the_usual_volume_and_keep_their_share(tmp_path: Path) -> None:
    bars = synthetic_bars(3, 24 * 7, volume=2.0)
    room = await TapeRoom(tmp_path, bars=bars, clock=SimulatedClock(from_ms(EPOCH + 24 * 7 * HOUR))).open()
    await room.places(Side.BUY, Vwap(4 * 3_600, 4, D("0.05")), "0.3")
    state = room.engine.synthetics.state("one")
    assert state is not None
    for _ in range(60):
        await room.waits(360)
    children = await room.children()
    caps = state.caps  # type: ignore[union-attr]
    assert len(caps) == 4
    assert all((each.request.quantity or ZERO) <= max(caps) for each in children)
    assert (await room.order()).status is OrderStatus.FILLED
    await room.close()


async def test_an_iceberg_shows_one_part_at_a_time(room: TapeRoom) -> None:
    await room.places(Side.BUY, Iceberg(D(59_000), D("0.1")), "0.25")
    assert shown(await room.children()) == [("buy", "Limit", D("0.1"), "open")]
    await room.moves(58_900, 58_800, 58_700)
    assert [each.request.quantity for each in await room.children()] == [D("0.1"), D("0.1"), D("0.05")]
    assert (await room.order()).status is OrderStatus.FILLED


async def test_a_ladder_protects_what_has_filled_so_far(room: TapeRoom) -> None:
    await room.places(Side.BUY, Ladder((D(59_000), D(57_000)), (D(1), D(3)), D(50_000), D(66_000)), "0.4")
    assert shown(await room.children()) == [("buy", "Limit", D("0.1"), "open"), ("buy", "Limit", D("0.3"), "open")]
    await room.moves(58_900)
    assert shown(await room.children())[2] == ("sell", "Stop", D("0.1"), "open")
    await room.moves(67_000, 67_000)
    order = await room.order()
    assert (order.status, order.reason) == (OrderStatus.FILLED, "The target was reached.")
    assert shown(await room.children())[1] == ("buy", "Limit", D("0.3"), "cancelled")
    assert room.held() == ZERO
    assert room.free("USDT") == room.held("USDT")


async def test_a_grid_sells_one_level_higher_and_buys_again(room: TapeRoom) -> None:
    await room.places(Side.BUY, Grid(D(50_000), D(70_000), 5), "0.4")
    assert [each.request.type.price for each in await room.children()] == [D(50_000), D(55_000)]  # type: ignore[union-attr]
    await room.moves(54_900, 60_100)
    assert shown(await room.children())[2] == ("sell", "Limit", D("0.1"), "filled")
    assert room.held() == ZERO
    before = room.held("USDT")
    await room.moves(54_900, 60_100)
    # The level at 60,000 is in play as well now; each trades at the better price that it met.
    assert room.held("USDT") - before == D("0.1") * (60_100 - 54_900) - D("0.1") * 54_900
    assert room.held() == D("0.1")
    order = await room.engine.desk.cancel(ACCOUNT, "one")
    assert order.status is OrderStatus.CANCELLED
    assert room.free("USDT") == room.held("USDT")


async def test_panic_ends_it_whole_and_a_reset_forgets_it(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.engine.desk.panic(ACCOUNT)
    assert (await room.order()).status is OrderStatus.CANCELLED
    await room.engine.desk.resume(ACCOUNT)
    await room.places(Side.BUY, Grid(D(50_000), D(70_000), 5), "0.4", "two")
    await room.engine.desk.reset(ACCOUNT)
    await room.moves(54_000, 71_000)
    assert room.engine.synthetics.state("two") is None
    await room.reopen()
    assert room.engine.synthetics.state("two") is None
    assert room.held("USDT") == D(10_000)


@pytest.mark.parametrize(
    ("side", "kind", "quantity", "sentence"),
    [
        (Side.BUY, Iceberg(D(59_000), D("0.00005")), "0.1", "The visible part would be 0.00005 BTC"),
        (Side.BUY, Twap(3_600, 100), "0.005", "Take at most 60 slices"),
        (Side.BUY, Ladder((D(61_000),)), "0.1", "must lie below the market"),
        (Side.BUY, Grid(D(61_000), D(70_000), 5), "0.1", "lies outside of the grid"),
        (Side.SELL, OneCancelsOther(D(70_000), D(61_000)), "0.1", "must lie below the market"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_is_placed(
    room: TapeRoom, side: Side, kind: object, quantity: str, sentence: str
) -> None:
    await room.buys("0.5")
    with pytest.raises(InvalidInput) as refused:
        await room.places(side, kind, quantity)  # type: ignore[arg-type]
    assert sentence in refused.value.sentence()
    assert await room.record.order("one") is None
    assert BTC in room.engine.feed.watched()


async def test_an_order_that_was_recorded_and_never_begun_begins_at_the_next_start(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.engine.desk.cancel(ACCOUNT, "one")
    order = await room.places(Side.BUY, Iceberg(D(59_000), D("0.1")), "0.2", "two")
    async with room.record.unit() as unit:  # as if the process had died between the two
        await unit.drop_document("composite", order.id)
    await room.reopen()
    assert room.engine.synthetics.state("two") is not None
    assert shown(await room.children("two")) == [("buy", "Limit", D("0.1"), "open")]


async def test_a_child_that_fills_after_the_end_is_traded_back_and_told(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.moves(70_010, 70_020)
    assert (await room.order()).status is OrderStatus.FILLED
    stop = (await room.children())[0]
    assert stop.status is OrderStatus.CANCELLED
    late = Fill("late", stop.id, ACCOUNT, "manual", BTC.key, Side.SELL, D(55_000), D("0.5"), ZERO, room.clock.now())
    await room.engine.execution.take(late)
    await room.settle()
    await room.moves(60_000)
    assert any("0.5 BTC too much was sold" in text for text in await room.told())
    assert shown(await room.children())[-1] == ("buy", "Market", D("0.5"), "filled")
    order = await room.order()
    assert (order.status, order.filled) == (OrderStatus.FILLED, D("0.5"))
    assert room.held() == D("0.5")


@pytest.mark.parametrize("crash", [False, True])
async def test_two_late_fills_at_once_both_count(room: TapeRoom, monkeypatch: pytest.MonkeyPatch, crash: bool) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.moves(70_000)  # at its target and not through it: the stop has made room for the limit
    execution, synthetics = room.engine.execution, room.engine.synthetics
    with monkeypatch.context() as patched:
        submit = execution.submit

        async def refusing(request: OrderRequest, *rest: Any) -> Order:
            if request.type == Market():
                raise OrderRefused("The balance is too small.")  # it is: the venue sold already, and has not told
            return await submit(request, *rest)

        patched.setattr(execution, "submit", refusing)
        await room.moves(54_900)  # below its stop: the limit is cancelled, and the way out is refused
        stop, limit = (await room.children())[:2]
        assert (stop.status, limit.status) == (OrderStatus.CANCELLED, OrderStatus.CANCELLED)
        wake = synthetics._wake
        patched.setattr(synthetics, "_wake", lambda running: None)
        for child in (stop, limit):
            name, now = f"late-{child.id}", room.clock.now()
            fill = Fill(name, child.id, ACCOUNT, "manual", BTC.key, Side.SELL, D(55_000), D("0.5"), ZERO, now)
            await execution.take(fill)
        if crash:  # just when the first has ended the order
            patched.setattr(synthetics, "_expect_late", lambda child: None)
        patched.setattr(synthetics, "_wake", wake)
        await synthetics.tick()
        await room.settle()
    if crash:
        assert (await room.order()).status is OrderStatus.FILLED
        assert not await room.told()
        await room.reopen()
    await room.moves(60_000, 60_100)
    assert len([text for text in await room.told() if "0.5 BTC too much was sold" in text]) == 1
    assert shown(await room.children())[-1] == ("buy", "Market", D("0.5"), "filled")
    order = await room.order()
    assert (order.status, order.filled) == (OrderStatus.FILLED, D("0.5"))


async def test_a_child_that_filled_after_the_end_and_before_a_crash_is_traded_back_at_the_start(room: TapeRoom) -> None:
    await room.buys("1")
    await room.places(Side.SELL, OCO, "0.5")
    await room.moves(70_010, 70_020)
    stop = (await room.children())[0]
    await room.engine.synthetics.stop()  # the fill is recorded, and nobody hears of it any more
    late = Fill("late", stop.id, ACCOUNT, "manual", BTC.key, Side.SELL, D(55_000), D("0.5"), ZERO, room.clock.now())
    await room.engine.execution.take(late)
    assert room.held() == 0
    await room.reopen()
    await room.moves(60_000)
    for _ in range(2):
        await room.reopen()
    assert len([text for text in await room.told() if "0.5 BTC too much was sold" in text]) == 1
    assert shown(await room.children())[-1] == ("buy", "Market", D("0.5"), "filled")
    assert len(await room.children()) == 3
    assert (await room.order()).status is OrderStatus.FILLED
    assert room.held() == D("0.5")


async def test_a_ladder_cancelled_while_it_holds_coins_says_that_nothing_protects_them(room: TapeRoom) -> None:
    await room.places(Side.BUY, Ladder((D(59_500), D(59_000)), (), D(55_000)), "0.5")
    await room.moves(59_400, 60_000)
    order = await room.engine.desk.cancel(ACCOUNT, "one")
    await room.settle()
    assert order.reason is not None
    assert order.reason.endswith("BTC it holds stay with you, and nothing protects them now.")
    assert any("nothing protects them now" in text for text in await room.told())
