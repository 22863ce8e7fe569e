"""Migrations on start, under a lock, so that two processes starting at once migrate once."""

import asyncio
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.errors import ConfigError, Unavailable

FOLDER = Path(__file__).parent / "migrations"
LOCK_KEY = 7_202_611_230_001  # any constant of our own: PostgreSQL's advisory lock for migrating

PATIENCE = 300.0  # seconds to wait for another process that migrates


def configuration(connection: Connection | None = None) -> Any:
    """Alembic's configuration, without an ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def revisions() -> list[str]:
    """Every revision this program knows, newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()]


def present(connection: Connection) -> str | None:
    """The revision the database stands at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


async def migrate(engine: AsyncEngine, path: Path | None) -> None:
    """Brings the schema to the newest revision. Raises ConfigError when the schema is newer than this program."""
    if path is None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            await connection.run_sync(upgrade)
        return
    lock = FileLock(f"{path}.migrating", timeout=PATIENCE, thread_local=False)
    try:
        await asyncio.to_thread(lock.acquire)
    except Timeout:
        raise Unavailable(
            "Another process is still bringing the database up to date.", hint="Try again soon."
        ) from None
    try:
        async with engine.connect() as connection:
            await connection.execution_options(writing=True)
            async with connection.begin():
                await connection.run_sync(upgrade)
    finally:
        lock.release()


def upgrade(connection: Connection) -> None:
    """Runs what is missing, inside the caller's transaction."""
    from alembic import command

    known, now = revisions(), present(connection)
    if now is not None and now not in known:
        raise ConfigError(
            f"The database is at revision {now}, which is newer than this program knows (up to {known[0]}).",
            hint="Install the version that wrote it, or point ORCHESTRATOR_DATABASE_URL to another database.",
        )
    if now != known[0]:
        command.upgrade(configuration(connection), "head")
