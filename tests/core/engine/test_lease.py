"""One process trades: the lease is kept alive, lost when it cannot be, and waited for after a crash."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import SimulatedClock
from core.engine.lease import Lease
from core.errors import Conflict
from core.store.sql import Store
from core.store.trading import SqlTradingStore

START = datetime(2025, 1, 1, tzinfo=UTC)


async def moved(clock: SimulatedClock, seconds: float) -> None:
    """The clock moves on while the heartbeat's transactions get real time to finish."""
    for _ in range(int(seconds)):
        await clock.advance(1.0)
        await asyncio.sleep(0.01)


async def test_a_lease_is_kept_alive_and_refused_to_others_until_it_is_dropped(tmp_path: Path) -> None:
    clock = SimulatedClock(START)
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/lease.db", clock)
    await store.open()
    record = SqlTradingStore(store)
    first, second = Lease(record, clock, wait=0.0), Lease(record, clock, wait=0.0)
    await first.take()
    await moved(clock, 60)
    assert first.held
    with pytest.raises(Conflict, match="Another process is trading"):
        await second.take()
    with pytest.raises(Conflict, match="no longer holds"):
        second.demand()
    await first.drop()
    assert not first.held
    await second.take()
    second.demand()
    await second.drop()
    await store.close()


async def test_the_lease_of_a_dead_process_is_waited_for_and_taken(tmp_path: Path) -> None:
    clock = SimulatedClock(START)
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/lease.db", clock)
    await store.open()
    record = SqlTradingStore(store)
    assert await record.take_lease("trader", "dead", clock.now(), 15.0)
    lease = Lease(record, clock, wait=20.0)
    taking = asyncio.ensure_future(lease.take())
    await moved(clock, 10)
    assert not taking.done()
    await moved(clock, 10)
    await taking
    assert lease.held
    assert not await record.take_lease("trader", "dead", clock.now(), 15.0)
    await lease.drop()
    await store.close()
