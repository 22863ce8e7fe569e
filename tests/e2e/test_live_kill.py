"""kill -9 in the middle of a burst of live orders: venue and database agree afterwards, and nothing is doubled."""

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.exchanges.identity import client_id
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.orders import OrderStatus
from core.trading.portfolio import Fill, fold
from tests.e2e.live_child import ACCOUNT, KEY, SECRET, VENUE, engine_of
from tests.simulators.venues.server import Loopback

ROOT = Path(__file__).resolve().parents[2]
BURST = 200
LOOKS = 12


async def burst(database: Path, base: str, seed: int, orders: int, kill_after: int | None) -> list[str]:
    """What a trading process said until it ended, or was killed after so many acknowledged orders."""
    words = [sys.executable, "-m", "tests.e2e.live_child", str(database), base, str(seed), str(orders)]
    child = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    errors = asyncio.ensure_future(child.stderr.read())
    lines: list[str] = []
    async for line in child.stdout:
        lines.append(line.decode().strip())
        if kill_after is not None and len([each for each in lines if each.startswith("ack")]) >= kill_after:
            await asyncio.sleep(random.Random(seed).random() * 0.02)  # anywhere between two lines
            child.kill()
            kill_after = None
    await child.wait()
    complaints = (await errors).decode()
    assert any(each.startswith("ack") for each in lines), (lines[-5:], complaints[-3000:])
    return lines


@pytest.mark.slow
async def test_a_burst_of_live_orders_survives_kill_9(tmp_path: Path) -> None:
    database = tmp_path / "trading.db"
    async with Loopback() as venues:
        venue = venues[VENUE]
        venue.list("BTC/USDT")
        user = venue.user(KEY, SECRET, balances={"USDT": "1000000", "BTC": "20"})
        venue.quote("BTC/USDT", "60000", "60000.01", "100")
        said: list[str] = []
        for turn, kill_after in enumerate((30, 60)):
            said += await burst(database, venues.base, turn, BURST, kill_after)
        said += await burst(database, venues.base, 9, 20, None)
        assert said[-1] == "stopped"
        await check(database, venues.base, venue, user, said)


async def check(database: Path, base: str, venue: object, user: object, said: list[str]) -> None:
    store = Store(f"sqlite+aiosqlite:///{database}", SystemClock())
    await store.open()
    engine = engine_of(store, base)
    record = SqlTradingStore(store)
    await engine.restore()
    try:
        await engine.feed.choose()
        for _ in range(LOOKS):
            await engine.execution.reconcile()
            if await engine.reconciliation.look(ACCOUNT):
                break
        orders = {order.id: order for order in await record.orders(ACCOUNT)}
        acknowledged = [line.split()[1] for line in said if line.startswith("ack ")]
        assert len(acknowledged) >= 110
        assert set(acknowledged) <= set(orders), "an acknowledged order was lost"
        assert {order.status for order in orders.values()}.isdisjoint({OrderStatus.SENDING, OrderStatus.UNKNOWN})
        there = Counter(each.ticket.client_id for each in venue.orders)  # type: ignore[attr-defined]
        assert set(there.values()) == {1}, "an order was sent twice"
        ours = {client_id(order.id, VENUE): order for order in orders.values()}
        assert set(there) <= set(ours)
        for each in venue.orders:  # type: ignore[attr-defined]
            order = ours[each.ticket.client_id]
            assert order.filled == each.filled, (order, each)
            assert order.status.final == (each.status not in ("pending", "open")), (order, each)
        sent = {key for key, order in ours.items() if order.status is not OrderStatus.REJECTED}
        assert sent <= set(there)
        entries = await record.entries(ACCOUNT)
        fills = [entry for entry in entries if isinstance(entry, Fill)]
        assert len({fill.id for fill in fills}) == len(fills)
        held = {asset: amount for asset, amount in venue.balances(user).items() if amount}  # type: ignore[attr-defined]
        assert {a: n for a, n in fold(entries).balances.items() if n} == held
        assert await engine.book.differences(ACCOUNT) == []
        changed = [entry for entry in entries if not isinstance(entry, Fill) and entry.note.startswith("changed")]
        assert changed == [], "money moved that nobody traded"
    finally:
        await engine.stop()
        await store.close()
