"""Every Store and Cache, under one name each."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.store.sql import Store
from tests.servers import postgresql_server, postgresql_url, valkey_url

__all__ = ["postgresql_server", "postgresql_url", "valkey_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: Any, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/a folder/test.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store of each kind."""
    store = Store(database_url)
    await store.open()
    yield store
    await store.close()
