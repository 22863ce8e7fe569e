"""Events committed are delivered, also by the process that comes after a killed one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.bus import Bus
from core.clock import SystemClock
from core.events import AccountNotice
from core.outbox import Relay
from core.store.outbox import SqlOutbox
from core.store.registry import CODEC
from core.store.sql import Store

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await store.open()
    yield store
    await store.close()


def relay_of(store: Store, bus: Bus) -> Relay:
    relay = Relay(SqlOutbox(store), CODEC, bus.deliver, SystemClock())
    store.on_emit(relay.wake)
    return relay


async def emit(store: Store, *idents: str) -> None:
    async with store.unit() as unit:
        for ident in idents:
            unit.emit(AccountNotice(ident, "owner", NOW, "text"))


async def test_an_event_reaches_the_bus_as_soon_as_it_is_committed(store: Store) -> None:
    bus, heard = Bus(), asyncio.Queue[str]()

    async def hear(event: AccountNotice) -> None:
        heard.put_nowait(event.id)

    bus.subscribe(AccountNotice, hear)
    relay = relay_of(store, bus)
    await relay.start()
    try:
        await emit(store, "n1", "n2")
        # Well under the interval at which the relay looks by itself.
        assert [await asyncio.wait_for(heard.get(), 1.5) for _ in range(2)] == ["n1", "n2"]
    finally:
        await relay.stop()


async def test_what_a_dead_process_committed_is_delivered_by_the_next(store: Store, tmp_path: Path) -> None:
    await emit(store, "n1")  # no relay ran: the process died between commit and delivery
    await store.close()
    again, bus, heard = Store(f"sqlite+aiosqlite:///{tmp_path}/test.db"), Bus(), []
    await again.open()

    async def hear(event: AccountNotice) -> None:
        heard.append(event)

    bus.subscribe(AccountNotice, hear)
    relay = relay_of(again, bus)
    assert await relay.drain() == 1
    assert heard == [AccountNotice("n1", "owner", NOW, "text")]
    assert await relay.drain() == 0
    await again.close()


async def test_an_event_waiting_for_its_time_holds_back_later_ones_of_its_account(store: Store) -> None:
    outbox, later = SqlOutbox(store), NOW.replace(year=2998)
    async with store.unit() as unit:
        for ident, account in (("a1", "a"), ("b1", "b"), ("a2", "a")):
            unit.emit(AccountNotice(ident, account, NOW, ""))
    first = (await outbox.waiting(later, 10))[0]
    await outbox.failed(first.position, 1, later + timedelta(seconds=1))
    assert [envelope.document["id"] for envelope in await outbox.waiting(later, 10)] == ["b1"]
    due = await outbox.waiting(later + timedelta(seconds=1), 10)
    assert [(envelope.document["id"], envelope.attempts) for envelope in due] == [("a1", 1), ("b1", 0), ("a2", 0)]
    await outbox.parked(first.position, 10, "broken")
    assert [envelope.document["id"] for envelope in await outbox.waiting(later, 10)] == ["b1", "a2"]
    assert await outbox.counts() == (2, 1)
