"""Store: one database, SQLite or PostgreSQL, and its transactions; what a unit emits commits with what it wrote."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, Executable, event, insert
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.clock import Clock, SystemClock
from core.errors import ConfigError, Unavailable
from core.events import DurableEvent
from core.store.migrate import migrate
from core.store.registry import CODEC, concerns
from core.store.schema.outbox import outbox

BUSY_SECONDS = 20  # how long a writer waits for another process's transaction


class Unit:
    """One transaction. `execute` runs a statement; `emit` lays an event into the outbox with it."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._events: list[DurableEvent] = []

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Runs the statement (with one mapping, or many)."""
        return await self.connection.execute(statement, parameters)

    async def rows(self, statement: Executable) -> list[dict[str, Any]]:
        """All rows, by column name."""
        return [row._asdict() for row in await self.connection.execute(statement)]

    async def first(self, statement: Executable) -> dict[str, Any] | None:
        """The first row, or None."""
        row = (await self.connection.execute(statement)).first()
        return None if row is None else row._asdict()

    async def value(self, statement: Executable) -> Any:
        """The first column of the first row, or None."""
        return (await self.connection.execute(statement)).scalar()

    def emit(self, happened: DurableEvent) -> None:
        """Leaves the event for the relay; it is published if and only if this unit commits."""
        self._events.append(happened)

    async def flush(self) -> bool:
        """Writes what was emitted; True when there was anything."""
        if not self._events:
            return False
        rows = [
            {
                "id": happened.id, "account": concerns(happened), "kind": type(happened).__name__,
                "payload": json.dumps(CODEC.encode(happened), allow_nan=False), "created": self.now, "attempts": 0,
                "due": self.now,
            }
            for happened in self._events
        ]  # fmt: skip
        for row in rows:  # one by one: positions are given in the order of the events
            await self.connection.execute(insert(outbox), row)
        self._events.clear()
        return True


class Store:
    """The database behind a URL: `sqlite+aiosqlite:///file` or `postgresql+asyncpg://…`."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        try:
            self._url = make_url(url)
        except ArgumentError:
            raise ConfigError(
                "The database address is not a URL.",
                hint="Write sqlite+aiosqlite:////path/to/file.db or postgresql+asyncpg://user:password@host/name.",
            ) from None
        if self._url.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            raise ConfigError(
                f"The database address starts with {self._url.drivername}://, which is not supported.",
                hint="Use sqlite+aiosqlite:/// or postgresql+asyncpg://.",
            )
        self._clock = clock or SystemClock()
        self._engine: AsyncEngine | None = None
        self._writing = asyncio.Lock()  # SQLite has one writer: ours queue here, in order, instead of polling the file
        self._writer: asyncio.Task[Any] | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of an SQLite store."""
        return Path(self._url.database) if self.is_sqlite and self._url.database else None

    def shown(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def engine(self) -> AsyncEngine:
        if self._engine is None:
            raise RuntimeError("the store is not open")
        return self._engine

    async def open(self, *, migrating: bool = True) -> None:
        """Connects and brings the schema up to date. Raises Unavailable, or ConfigError on a newer schema."""
        if self._engine is not None:
            return
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = sqlite_engine(self._url) if self.is_sqlite else postgresql_engine(self._url)
        try:
            if migrating:
                await migrate(self._engine, self.path)
            else:
                async with self._engine.connect():
                    pass
        except (OSError, DBAPIError) as failed:
            await self.close()
            reason = str(getattr(failed, "orig", None) or failed).splitlines()[0].rpartition(": ")[2].rstrip(".")
            raise Unavailable(
                f"The database {self.shown()} cannot be used: {reason}.",
                hint="Check that it runs and that ORCHESTRATOR_DATABASE_URL is right.",
            ) from failed
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Closes every connection."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    def on_emit(self, listener: Callable[[], None]) -> None:
        """Calls the listener after each commit that left events in the outbox."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """One writing transaction: commits on exit, rolls back on any exception. Raises Unavailable (`answering`)."""
        task = asyncio.current_task()
        if self._writer is task and task is not None:
            raise RuntimeError("a unit was opened inside another unit of the same task: it would wait for itself")
        if self.is_sqlite:
            await self._writing.acquire()
            self._writer = task
        try:
            with answering():
                async with self.engine.connect() as connection:
                    await connection.execution_options(writing=True)
                    async with connection.begin():
                        unit = Unit(connection, self._clock.now())
                        yield unit
                        emitted = await unit.flush()
        finally:
            if self.is_sqlite:
                self._writer = None
                self._writing.release()
        if emitted:
            for listener in self._listeners:
                listener()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Unit]:
        """One reading transaction: a consistent view that never waits for writers. Raises Unavailable."""
        with answering():
            async with self.engine.connect() as connection, connection.begin():
                yield Unit(connection, self._clock.now())


@contextmanager
def answering() -> Iterator[None]:
    """Raises Unavailable where the database does not answer: locked for too long, gone, its disk full."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as failed:
        reason = str(getattr(failed, "orig", None) or failed).splitlines()[0].rpartition(": ")[2].rstrip(".")
        raise Unavailable(
            f"The database does not answer: {reason}.",
            hint="If it stays so, look whether another program holds the database. `orders` shows what was placed.",
        ) from failed


def sqlite_engine(url: Any) -> AsyncEngine:
    """An engine whose connections wait for each other and lose nothing at a power cut.

    WAL lets readers work beside the writer. synchronous=FULL: an order is written down before it is sent, so a commit
    must be on the disk when it returns. Writers BEGIN IMMEDIATE, so that two of them wait instead of failing half-way.
    """
    engine = create_async_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=5, max_overflow=10)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}",
        ):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def postgresql_engine(url: Any) -> AsyncEngine:
    """A pooled engine that notices connections the server has dropped."""
    return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True, pool_recycle=1800)
