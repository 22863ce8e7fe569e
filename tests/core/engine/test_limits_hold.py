"""Limits hold where orders race each other, over strategies and orders by hand, and after a restart."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import Conflict, RiskRefused
from core.risk.limits import PAPER
from core.trading.orders import Order
from tests.trading import ACCOUNT, BTC, Room, synthetic_bars

D = Decimal


async def opened(folder: Path, limits: object) -> Room:
    room = await Room(folder, [synthetic_bars(1, 40)], options={"limits": limits}).open()
    await room.play(0, 3)
    return room


async def test_two_orders_that_race_cannot_exceed_a_limit_together(tmp_path: Path) -> None:
    room = await opened(tmp_path, replace(PAPER, total_exposure=D("0.5")))
    desk = room.engine.desk
    drafts = [await desk.draft(ACCOUNT, "buy", BTC, spend=D(2_000)) for _ in range(5)]
    for draft in drafts:
        await desk.preview(draft)
    results = await asyncio.gather(*(desk.submit(each) for each in drafts), return_exceptions=True)
    assert sum(isinstance(each, Order) for each in results) == 2
    assert sum(isinstance(each, RiskRefused) for each in results) == 3
    assert all("50 % of the" in str(each) for each in results if isinstance(each, RiskRefused))
    await room.close()


async def test_what_is_set_holds_after_a_restart_and_a_change_meanwhile_is_refused(tmp_path: Path) -> None:
    room = await opened(tmp_path, PAPER)
    rules = room.engine.rules
    tight = replace(PAPER, order_notional=D(100), instruments=("BTC",))
    await rules.set_limits(ACCOUNT, tight, PAPER)
    with pytest.raises(Conflict, match="changed meanwhile"):
        await rules.set_limits(ACCOUNT, PAPER, PAPER)
    await room.crash()
    await room.open()
    assert room.engine.rules.limits(ACCOUNT) == tight
    assert room.engine.rules.limits("somebody-else") == PAPER
    desk = room.engine.desk
    with pytest.raises(RiskRefused, match=r"The order notional limit allows 100.00 USDT"):
        await desk.preview(await desk.draft(ACCOUNT, "buy", BTC, spend=D(2_000)))
    await room.close()


async def test_a_loss_since_midnight_stops_buys_and_lets_sales_pass(tmp_path: Path) -> None:
    room = await opened(tmp_path, replace(PAPER, daily_loss=D("0.0001")))
    desk = room.engine.desk
    first = await desk.draft(ACCOUNT, "buy", BTC, spend=D(9_000))
    await desk.submit(first)  # costs alone are more than a ten-thousandth
    with pytest.raises(RiskRefused, match=r"since 00:00 UTC, and the daily loss limit is 0.01 %"):
        await desk.preview(await desk.draft(ACCOUNT, "buy", BTC, spend=D(500)))
    sale = await desk.draft(ACCOUNT, "sell", BTC, fraction=D(1))
    assert (await desk.submit(sale)).status.final
    await room.close()
