"""The trading record on every database: exact money, numbers in order, leases, and all or nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from core.engine.ports import AccountState, Document, EquityPoint, TradingStore
from core.engine.views import Run
from core.errors import NotFound
from core.exchanges.record import LedgerState
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.orders import Bracket, Limit, Order, OrderRequest, OrderStatus, Side
from core.trading.portfolio import Fill, Transfer
from tests.simulation.record import MemoryTradingStore
from tests.trading import BTC

NOW = datetime(2025, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
TINY = Decimal("0.100000000000000000000000000001")


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
async def record(request: Any, tmp_path: Path) -> AsyncIterator[TradingStore]:
    """The record on every database, and the one in memory on which execution is simulated."""
    store: Store | None = None
    record: TradingStore = MemoryTradingStore()
    if request.param != "memory":
        sqlite = f"sqlite+aiosqlite:///{tmp_path}/test.db"
        store = Store(sqlite if request.param == "sqlite" else request.getfixturevalue("postgresql_url"))
        await store.open()
        record = SqlTradingStore(store)
    async with record.unit() as unit:
        await unit.save_account(AccountState("a", opened=NOW))
        await unit.save_account(AccountState("b", opened=NOW))
    yield record
    if store is not None:
        await store.close()


def order(name: str, account: str = "a") -> Order:
    kind = Bracket(Limit(TINY), stop=Decimal("0.1"))
    return Order(OrderRequest(name, account, BTC, Side.BUY, kind, quantity=TINY, created=NOW, expires=NOW), updated=NOW)


def fill(name: str, order_id: str) -> Fill:
    return Fill(name, order_id, "a", "manual", BTC.key, Side.BUY, TINY, TINY, TINY, NOW, True)


async def test_orders_come_back_exactly_under_numbers_of_their_account(record: TradingStore) -> None:
    async with record.unit() as unit:
        written = [await unit.add_order(order(name), TINY) for name in ("one", "two")]
        other = await unit.add_order(order("three", "b"))
    assert [each.number for each in written] == [1, 2]
    assert other.number == 1
    assert await record.order("one") == written[0]
    assert await record.order_by_number("a", 2) == written[1]
    assert await record.orders("a") == written
    assert await record.orders("a", limit=1) == [written[1]]
    assert (await record.reservations())["one"] == TINY
    assert await record.instruments() == {BTC.key: BTC}
    ended = replace(written[0], status=OrderStatus.FILLED, filled=TINY, average_price=TINY, fees=TINY, reason="r")
    async with record.unit() as unit:
        await unit.save_order(ended)
    assert await record.order("one") == ended
    assert await record.orders("a", open_only=True) == [written[1]]
    assert set(await record.reservations()) == {"two", "three"}


async def test_what_is_sent_of_an_order_and_what_it_reserves_may_become_less(record: TradingStore) -> None:
    async with record.unit() as unit:
        written = await unit.add_order(order("one"), Decimal(9))
    less = replace(written, request=replace(written.request, quantity=TINY / 2))
    async with record.unit() as unit:
        await unit.save_order(less, Decimal(4))
    assert await record.order("one") == less
    async with record.unit() as unit:
        await unit.save_order(less)
    assert await record.reservations() == {"one": Decimal(4)}


async def test_the_journal_keeps_its_order_and_every_digit(record: TradingStore) -> None:
    coins = Transfer("c", "a", "manual", "BTC", TINY, NOW, "adopted", BTC.key, TINY)
    in_kind = replace(fill("f1", "one"), fee_asset="BNB", fee_amount=TINY)
    entries = [Transfer("t", "a", "manual", "USDT", TINY, NOW, "note"), coins, in_kind, fill("f2", "one")]
    async with record.unit() as unit:
        for entry in entries:
            await unit.record(entry)
    assert await record.entries("a") == entries
    assert await record.entries("a", ledger="other") == []
    assert await record.fills("a", 1) == [entries[3]]


async def test_the_same_fill_cannot_be_recorded_twice(record: TradingStore) -> None:
    async with record.unit() as unit:
        await unit.record(fill("f", "one"))

    async def again() -> None:
        async with record.unit() as unit:
            await unit.add_order(order("lost"))
            await unit.record(fill("f", "one"))

    with pytest.raises(IntegrityError):
        await again()
    assert len(await record.entries("a")) == 1
    assert await record.order("lost") is None
    async with record.unit() as unit:  # and its number is given again
        assert (await unit.add_order(order("next"))).number == 1


async def test_a_new_epoch_begins_with_an_empty_journal_and_keeps_the_old_one(record: TradingStore) -> None:
    async with record.unit() as unit:
        await unit.record(fill("f", "one"))
        await unit.save_equity(EquityPoint("a", 1, TINY))
        await unit.add_order(order("one"))
    async with record.unit() as unit:
        await unit.save_account(AccountState("a", epoch=1, opened=NOW, halted=True))
        await unit.record(fill("g", "two"))
    assert [entry.id for entry in await record.entries("a")] == ["g"]
    assert [entry.id for entry in await record.entries("a", epoch=0)] == ["f"]
    assert await record.equity("a") == []
    state = await record.account("a")
    assert state is not None
    assert state.halted
    async with record.unit() as unit:
        assert (await unit.add_order(order("two"))).number == 2
        await unit.save_equity(EquityPoint("a", 5, TINY))
        await unit.save_equity(EquityPoint("a", 5, TINY + 1))
    assert await record.equity("a") == [EquityPoint("a", 5, TINY + 1)]


async def test_ledgers_and_runs_come_back_as_they_were(record: TradingStore) -> None:
    ledger = LedgerState("a", "run", {"book": [["0x1.8p+1"]]}, (BTC,), {"1": "one"}, {BTC.key: 5}, {"0": "one"}, {})
    run = Run("r", "a", 0, "sma", {"fast": 3, "slow": 5.5}, BTC, "1h", TINY, "running", NOW)
    async with record.unit() as unit:
        await unit.save_ledger(ledger)
        run = await unit.save_run(run)
        await unit.save_run(replace(run, decided=7))
    assert run.number == 1
    assert await record.ledger("a", "run") == ledger
    assert await record.ledgers() == [ledger]
    assert await record.run("r") == replace(run, decided=7)
    assert await record.runs("b") == []
    async with record.unit() as unit:
        await unit.drop_ledgers("a")
    assert await record.ledgers() == []


async def test_an_account_that_was_never_opened_is_named(record: TradingStore) -> None:

    async def write() -> None:
        async with record.unit() as unit:
            await unit.add_order(order("one", "nobody"))

    with pytest.raises(NotFound, match="no trading account 'nobody'"):
        await write()


async def test_a_lease_has_one_owner_until_it_runs_out(record: TradingStore) -> None:
    assert await record.take_lease("trader", "one", NOW, 10)
    assert not await record.take_lease("trader", "two", NOW + timedelta(seconds=9), 10)
    assert await record.take_lease("trader", "one", NOW + timedelta(seconds=9), 10)
    assert not await record.take_lease("trader", "two", NOW + timedelta(seconds=15), 10)
    assert await record.take_lease("trader", "two", NOW + timedelta(seconds=20), 10)
    assert await record.renew_lease("trader", "two", NOW + timedelta(seconds=90), 10)  # late, and its own all the time
    assert not await record.renew_lease("trader", "one", NOW + timedelta(seconds=200), 10)
    assert not await record.renew_lease("another", "one", NOW, 10)
    await record.drop_lease("trader", "one")
    assert not await record.take_lease("trader", "one", NOW + timedelta(seconds=20), 10)
    await record.drop_lease("trader", "two")
    assert await record.take_lease("trader", "one", NOW, 10)


async def test_documents_come_back_as_json_in_the_order_in_which_they_were_first_kept(record: TradingStore) -> None:
    first = Document("arming", "one", "a", {"cap": "0.10", "until": 5, "at": (1, 2)})
    second = Document("arming", "two", "b", [])
    async with record.unit() as unit:
        await unit.save_document(first)
        await unit.save_document(second)
        await unit.save_document(Document("limits", "one", "a", None))
        await unit.save_document(replace(first, open=False))
    kept = replace(first, open=False, value={"cap": "0.10", "until": 5, "at": [1, 2]})
    assert await record.documents("arming") == [kept, second]
    assert await record.documents("arming", owner="a") == [kept]
    assert await record.documents("arming", open_only=True) == [second]
    assert await record.document("limits", "one") == Document("limits", "one", "a", None)
    async with record.unit() as unit:
        await unit.drop_document("arming", "one")
    assert await record.document("arming", "one") is None
    assert await record.documents("arming") == [second]


async def test_nothing_of_a_unit_that_fails_is_kept(record: TradingStore) -> None:
    async def fails() -> None:
        async with record.unit() as unit:
            await unit.add_order(order("one"), TINY)
            await unit.record(fill("f", "one"))
            await unit.save_document(Document("limits", "one", "a", None))
            await unit.save_account(AccountState("a", opened=NOW, halted=True))
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await fails()
    assert await record.orders() == []
    assert await record.entries("a") == []
    assert await record.documents("limits") == []
    state = await record.account("a")
    assert state is not None
    assert not state.halted


async def test_what_a_unit_writes_is_seen_by_others_only_when_it_has_committed(record: TradingStore) -> None:
    async with record.unit() as unit:
        await unit.add_order(order("one"), TINY)
        await unit.record(fill("f", "one"))
        assert await record.order("one") is None
        assert await record.fills_of("one") == []
    assert await record.order("one") is not None
    assert [each.id for each in await record.fills_of("one")] == ["f"]
