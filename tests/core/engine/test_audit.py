"""The record says the same everywhere; where it does not, the audit names it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.engine.audit import discrepancies
from core.events import Bar
from core.trading.orders import Market, Order, OrderRequest, OrderStatus, Side
from core.trading.portfolio import Transfer
from tests.trading import ACCOUNT, BTC, Room, synthetic_bars


def buy(name: str) -> OrderRequest:
    return OrderRequest(name, ACCOUNT, BTC, Side.BUY, Market(), quantity=Decimal("0.1"))


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = await Room(tmp_path, [synthetic_bars(1, 50)]).open()
    await room.engine.venue.place(buy("one"))
    room.clock.set(room.clock.now() + timedelta(seconds=1))
    await room.engine.venue.on_market({BTC: Bar(room.clock.now_ms(), 3e4, 3e4, 3e4, 3e4, float("nan"))})
    yield room
    await room.close()


async def test_a_sound_record_has_no_discrepancies(room: Room) -> None:
    assert await discrepancies(room.record) == ([], 1)


async def test_cash_that_no_ledger_holds_is_named(room: Room) -> None:
    async with room.record.unit() as unit:
        await unit.record(Transfer("t", ACCOUNT, "manual", "USDT", Decimal(5), room.clock.now()))
    wrong, _ = await discrepancies(room.record)
    assert wrong == [
        "ledger manual of trader-1 holds 6995.4985 USDT, and its journal gives 7000.4985",
    ]


async def test_an_order_that_says_another_amount_than_its_fills_is_named(room: Room) -> None:
    order = await room.record.order("one")
    assert order is not None
    async with room.record.unit() as unit:
        await unit.save_order(replace(order, filled=Decimal("0.2")))
    wrong, _ = await discrepancies(room.record)
    assert wrong == ["order #1 of trader-1 is filled by 0.2, and its fills add up to 0.1"]


async def test_an_order_without_any_of_its_fills_is_named(room: Room) -> None:
    async with room.record.unit() as unit:
        order = Order(buy("two"), OrderStatus.FILLED, Decimal("0.1"), Decimal(30_000))
        await unit.save_order(await unit.add_order(order))
    wrong, _ = await discrepancies(room.record)
    assert wrong == ["order #2 of trader-1 is filled by 0.1, and its fills add up to 0"]
