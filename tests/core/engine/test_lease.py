"""One process trades: the lease is kept alive, lost when it cannot be, and waited for after a crash."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import SimulatedClock
from core.engine.lease import Lease
from core.errors import Conflict, Unavailable
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


class Locked(SqlTradingStore):
    """A record whose database is locked now and then."""

    locked = False

    async def renew_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        if self.locked:
            raise Unavailable("The database does not answer: database is locked.")
        return await super().renew_lease(name, owner, now, seconds)


class Ears:
    """What was told, and how often all had to come to rest."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.rests = 0

    async def hear(self, text: str) -> None:
        self.told.append(text)

    async def rest(self) -> None:
        self.rests += 1


async def test_a_database_locked_for_longer_than_the_lease_does_not_end_the_heartbeat(tmp_path: Path) -> None:
    clock, ears = SimulatedClock(START), Ears()
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/lease.db", clock)
    await store.open()
    record = Locked(store)
    lease = Lease(record, clock, tell=ears.hear, over=ears.rest)
    await lease.take()
    record.locked = True
    await moved(clock, 40)
    with pytest.raises(Conflict, match="no longer holds"):
        lease.demand()
    record.locked = False
    await moved(clock, 10)
    lease.demand()
    assert len(ears.told) == 1
    assert "could not prove its right to trade" in ears.told[0]
    assert ears.rests == 0
    await lease.drop()
    await store.close()


async def test_a_process_whose_lease_another_one_took_rests_and_never_trades_again(tmp_path: Path) -> None:
    """Not even when the other one is gone: what is in memory here is from before it."""
    clock, ears = SimulatedClock(START), Ears()
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/lease.db", clock)
    await store.open()
    record = Locked(store)
    first, second = Lease(record, clock, tell=ears.hear, over=ears.rest), Lease(SqlTradingStore(store), clock, wait=0)
    await first.take()
    record.locked = True  # for this process only: its disk hangs
    await moved(clock, 20)
    await second.take()
    await second.drop()
    record.locked = False
    await moved(clock, 30)
    assert not first.held
    with pytest.raises(Conflict):
        first.demand()
    assert ears.rests == 1
    assert len(ears.told) == 1
    assert "Another process has taken over" in ears.told[0]
    await second.take()
    await first.drop()
    second.demand()
    await moved(clock, 20)
    second.demand()
    await second.drop()
    await store.close()


async def test_a_locked_database_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.sql.BUSY_SECONDS", 0)
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/lease.db")
    await store.open()
    record = SqlTradingStore(store)
    holder = sqlite3.connect(tmp_path / "lease.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match=r"The database does not answer: database is locked\."):
        await record.take_lease("trader", "me", START, 15)
    holder.execute("ROLLBACK")
    holder.close()
    assert await record.take_lease("trader", "me", START, 15)
    await store.close()
