"""What every Exchange promises, shown on the paper venue (which also survives being rebuilt between two calls)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InvalidInput, OrderRefused
from core.events import Bar
from core.trading.orders import (
    Bracket,
    Limit,
    Market,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TimeInForce,
    TrailingStop,
)  # fmt: skip
from tests.trading import ACCOUNT, BTC, EPOCH, Room, synthetic_bars

ONE = Decimal("0.01")
count = iter(range(10**6))


def request(side: Side = Side.BUY, kind: OrderType | None = None, **changes: object) -> OrderRequest:
    made = OrderRequest(f"order-{next(count)}", ACCOUNT, BTC, side, kind or Market(), quantity=ONE)
    return replace(made, **changes) if changes else made  # type: ignore[arg-type]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = await Room(tmp_path, [synthetic_bars(1, 50)]).open()
    yield room
    await room.close()


async def price(room: Room, value: float, seconds: int = 1) -> None:
    """The market trades at `value`, a second later."""
    room.clock.set(room.clock.now() + timedelta(seconds=seconds))
    await room.engine.venue.on_market({BTC: Bar(room.clock.now_ms(), value, value, value, value, float("nan"))})


async def test_a_market_order_fills_at_the_next_price_with_slippage_and_fee(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request()
    await exchange.place(asked)
    assert [order.id for order in await exchange.open_orders()] == [asked.id]
    await price(room, 30_000.0)
    order = await exchange.find(asked.id)
    assert order is not None
    assert order.status is OrderStatus.FILLED
    assert order.average_price == Decimal("30015")  # 5 bp against the buyer
    assert float(order.fees) == pytest.approx(0.30015)
    assert await exchange.open_orders() == []
    assert (await exchange.balances())["BTC"] == ONE


async def test_an_order_sees_no_price_from_before_it_was_placed(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    room.clock.set(room.clock.now() + timedelta(minutes=5))
    asked = request()
    await exchange.place(asked)
    await room.engine.venue.on_market({BTC: Bar(EPOCH, 1e4, 1e4, 1e4, 1e4, 100.0)})  # opened five minutes earlier
    order = await exchange.find(asked.id)
    assert order is not None
    assert order.status is OrderStatus.OPEN


async def test_the_same_id_cannot_be_placed_twice(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request()
    await exchange.place(asked)
    with pytest.raises(OrderRefused, match="placed before"):
        await exchange.place(asked)
    await price(room, 30_000.0)
    with pytest.raises(OrderRefused, match="placed before"):
        await exchange.place(asked)
    assert len(await room.fills()) == 1


async def test_cancelling_is_true_once(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request(kind=Limit(Decimal(20_000)))
    await exchange.place(asked)
    assert await exchange.cancel(asked.id) is True
    assert await exchange.cancel(asked.id) is False
    await price(room, 10_000.0)
    assert await room.fills() == []
    assert await exchange.cancel("never") is False


async def test_what_was_never_placed_is_not_found(room: Room) -> None:
    assert await room.engine.venue.account(ACCOUNT).find("never") is None


@pytest.mark.parametrize(
    ("kind", "prices", "expected"),
    [
        (Limit(Decimal(29_000)), [29_500.0, 29_000.0, 28_900.0], "28900"),  # touched at 29,000: not filled there
        (Stop(Decimal(31_000)), [30_000.0, 31_500.0], "31515.75"),
        (StopLimit(Decimal(31_000), Decimal(31_100)), [30_000.0, 31_500.0, 31_050.0], "31050"),
        (TrailingStop(fraction=Decimal("0.05")), [30_000.0, 28_000.0, 29_500.0], "29514.75"),
        (TrailingStop(distance=Decimal(1_000)), [30_000.0, 28_000.0, 29_100.0], "29114.55"),
    ],
)
async def test_every_resting_type_fills_where_it_should(
    room: Room, kind: OrderType, prices: list[float], expected: str
) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request(kind=kind)
    await exchange.place(asked)
    for value in prices[:-1]:
        await price(room, value)
        assert await room.fills() == []
    await price(room, prices[-1])
    order = await exchange.find(asked.id)
    assert order is not None
    assert order.status is OrderStatus.FILLED
    assert order.average_price == Decimal(expected)


async def test_a_bracket_sells_at_its_stop_as_an_order_of_its_own(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request(kind=Bracket(Market(), stop=Decimal(29_000), target=Decimal(31_000)))
    await exchange.place(asked)
    await price(room, 30_000.0)
    await room.crash()
    await room.open()  # the protection lives on
    await price(room, 28_500.0)
    orders = await room.record.orders(ACCOUNT)
    assert [(each.request.side, each.status, each.filled) for each in orders] == [
        (Side.BUY, OrderStatus.FILLED, ONE),
        (Side.SELL, OrderStatus.FILLED, ONE),
    ]
    assert orders[1].id.startswith(f"{asked.id}:stop")
    assert orders[1].reason == "The protective stop was reached."
    assert (await room.engine.venue.account(ACCOUNT).balances())["BTC"] == 0


async def test_an_immediate_order_that_cannot_fill_at_once_ends(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request(kind=Limit(Decimal(20_000)), time_in_force=TimeInForce.IOC)
    await exchange.place(asked)
    await price(room, 30_000.0)
    order = await exchange.find(asked.id)
    assert order is not None
    assert order.status is OrderStatus.CANCELLED
    assert order.reason == "It could not be filled at once, as its time in force demanded."


async def test_an_order_expires_at_its_time(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    expires = room.clock.now() + timedelta(seconds=2)
    asked = request(kind=Limit(Decimal(20_000)), time_in_force=TimeInForce.GTD, expires=expires)
    await exchange.place(asked)
    await price(room, 30_000.0, seconds=5)
    order = await exchange.find(asked.id)
    assert order is not None
    assert order.status is OrderStatus.EXPIRED


async def test_fills_are_told_as_they_happen(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    stream = exchange.fills()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    asked = request()
    await exchange.place(asked)
    await price(room, 30_000.0)
    assert (await waiting).order == asked.id
    await stream.aclose()  # type: ignore[attr-defined]


async def test_an_order_for_another_account_is_refused(room: Room) -> None:
    with pytest.raises(OrderRefused, match="somebody"):
        await room.engine.venue.account(ACCOUNT).place(replace(request(), account="somebody"))


async def test_an_impossible_order_is_refused_and_leaves_nothing(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    asked = request(time_in_force=TimeInForce.GTD)
    with pytest.raises(InvalidInput, match="time at which it expires"):
        await exchange.place(asked)
    assert await exchange.find(asked.id) is None
    assert await exchange.open_orders() == []
    await exchange.place(request())  # and the ledger works on
    await price(room, 30_000.0)
    assert len(await room.fills()) == 1


async def test_every_declared_capability_is_an_order_type(room: Room) -> None:
    exchange = room.engine.venue.account(ACCOUNT)
    assert exchange.capabilities.paper
    assert exchange.capabilities.order_types == {
        kind.__name__ for kind in (Market, Limit, Stop, StopLimit, TrailingStop, Bracket)
    }
    assert (await exchange.costs(BTC)).taker_fee == 0.001
