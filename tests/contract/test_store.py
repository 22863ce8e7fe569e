"""What every Store promises, on SQLite and on PostgreSQL."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, inspect, select, text
from sqlalchemy.exc import StatementError

from core.errors import ConfigError
from core.events import AccountNotice
from core.outbox import Envelope
from core.store.migrate import configuration
from core.store.outbox import SqlOutbox
from core.store.schema import Exact, metadata
from core.store.schema.accounts import users
from core.store.sql import Store

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def person(number: int) -> dict[str, object]:
    return {"id": f"u{number}", "name": "Ann", "role": "trader", "active": True, "created": NOW}


def notice(ident: str, account: str = "owner") -> AccountNotice:
    return AccountNotice(ident, account, NOW, f"notice {ident}")


async def test_what_a_failed_unit_wrote_and_emitted_is_gone(store: Store) -> None:
    async def fail() -> None:
        async with store.unit() as unit:
            await unit.execute(insert(users).values(person(1)))
            unit.emit(notice("n1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.reading() as unit:
        assert await unit.rows(select(users)) == []
    assert await SqlOutbox(store).waiting(NOW.replace(year=2999), 10) == []


async def test_events_wait_in_the_order_they_were_emitted(store: Store) -> None:
    woken = []
    store.on_emit(lambda: woken.append(True))
    async with store.unit() as unit:
        await unit.execute(insert(users).values(person(1)))
        for number in range(5):
            unit.emit(notice(f"n{number}"))
        assert woken == []
    waiting: list[Envelope] = list(await SqlOutbox(store).waiting(NOW.replace(year=2999), 10))
    assert [envelope.document["id"] for envelope in waiting] == ["n0", "n1", "n2", "n3", "n4"]
    assert woken == [True]


async def test_many_writers_at_once_all_commit(store: Store) -> None:
    async def add(number: int) -> None:
        async with store.unit() as unit:
            known = await unit.value(select(users.c.id).where(users.c.id == f"u{number}"))
            assert known is None
            await unit.execute(insert(users).values(person(number)))

    await asyncio.gather(*(add(number) for number in range(25)))
    async with store.reading() as unit:
        assert len(await unit.rows(select(users))) == 25


async def test_two_stores_on_one_database_write_without_failing(store: Store, database_url: str) -> None:
    other = Store(database_url)
    await other.open()

    async def add(where: Store, number: int) -> None:
        async with where.unit() as unit:
            await unit.rows(select(users))  # a reader that becomes a writer, the classical SQLite deadlock
            await unit.execute(insert(users).values(person(number)))

    await asyncio.gather(*(add(store if number % 2 else other, number) for number in range(20)))
    async with other.reading() as unit:
        assert len(await unit.rows(select(users))) == 20
    await other.close()


async def test_a_unit_inside_a_unit_is_refused_where_it_would_wait_for_itself(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await store.open()
    async with store.unit():
        with pytest.raises(RuntimeError, match="inside another unit"):
            async with store.unit():
                pass
    await store.close()


async def test_money_reads_back_digit_by_digit(store: Store) -> None:
    table = Table("exact_test", MetaData(), Column("value", Exact), Column("name", Text))
    values = [Decimal("0.1"), Decimal("0.10"), Decimal("1E-18"), Decimal("123456789012345678901234567890.000000000001")]
    async with store.unit() as unit:
        await unit.connection.run_sync(table.create)
        for value in values:
            await unit.execute(insert(table).values(value=value))
    async with store.reading() as unit:
        read = [row["value"] for row in await unit.rows(select(table))]
    assert [str(value) for value in read] == [str(value) for value in values]


async def test_money_given_as_a_float_is_refused(store: Store) -> None:
    table = Table("exact_test", MetaData(), Column("value", Exact))

    async def write() -> None:
        async with store.unit() as unit:
            await unit.connection.run_sync(table.create)
            await unit.execute(insert(table).values(value=0.1))

    with pytest.raises(StatementError, match="Decimal, not float"):
        await write()


async def test_migrations_produce_exactly_the_metadata(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def differences(connection: object) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})  # type: ignore[arg-type]
        return list(compare_metadata(context, metadata))

    def names(connection: object) -> set[str]:
        return set(inspect(connection).get_table_names())  # type: ignore[call-overload]

    async with store.reading() as unit:
        assert await unit.connection.run_sync(differences) == []
        assert await unit.connection.run_sync(names) == {*metadata.tables, "alembic_version"}


async def test_migrations_write_the_same_ddl_as_the_metadata(tmp_path: Path) -> None:
    """Partial indexes and defaults too, which the comparison above does not look at."""

    def ddl(connection: Connection) -> set[str]:
        rows = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name <> 'alembic_version'")
        )
        return {" ".join(row[0].split()) for row in rows}

    migrated, made = (Store(f"sqlite+aiosqlite:///{tmp_path}/{name}.db") for name in ("migrated", "made"))
    await migrated.open()
    await made.open(migrating=False)
    async with made.unit() as unit:
        await unit.connection.run_sync(metadata.create_all)
    async with migrated.reading() as one, made.reading() as other:
        assert await one.connection.run_sync(ddl) == await other.connection.run_sync(ddl)
    await migrated.close()
    await made.close()


async def test_opening_again_keeps_what_is_there(store: Store, database_url: str) -> None:
    async with store.unit() as unit:
        await unit.execute(insert(users).values(person(1)))
    await store.close()
    await store.open()
    async with store.reading() as unit:
        row = await unit.first(select(users))
    assert row is not None
    assert row["created"] == NOW


async def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    stores = [Store(database_url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    async with stores[0].reading() as unit:
        assert len(await unit.rows(text("SELECT version_num FROM alembic_version"))) == 1  # type: ignore[arg-type]
    for store in stores:
        await store.close()


async def test_a_program_older_than_the_schema_refuses_in_one_sentence(store: Store, database_url: str) -> None:
    async with store.unit() as unit:
        await unit.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await store.close()
    with pytest.raises(ConfigError, match="revision 9999, which is newer than this program knows"):
        await store.open()
    assert configuration().get_main_option("script_location")


async def test_addresses_are_shown_without_their_password(database_url: str) -> None:
    assert "hunter2" not in Store("postgresql+asyncpg://ann:hunter2@localhost/db").shown()


async def test_other_databases_are_refused() -> None:
    with pytest.raises(ConfigError, match="mysql"):
        Store("mysql://localhost/db")
