"""Studies: where Optuna keeps what it has tried, beside the product's own database."""

import importlib
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.errors import Unavailable

SCHEMA = "optuna"  # of its own within a PostgreSQL database


def optuna() -> Any:
    """The library, imported where it is used, without its messages: what a user needs to know is told by the verbs."""
    library = importlib.import_module("optuna")
    library.logging.set_verbosity(library.logging.ERROR)
    return library


def address(database: str, data_dir: Path) -> str:
    """Optuna's own database beside that of the product: a file in `data_dir`, or a schema within PostgreSQL."""
    if not database.startswith("postgresql"):
        return f"sqlite:///{data_dir / 'optuna.db'}"
    head, _, rest = database.partition("://")
    plain = f"{head.split('+')[0]}+psycopg://{rest}"
    return f"{plain}{'&' if '?' in plain else '?'}options={quote(f'-csearch_path={SCHEMA}', safe='')}"


def storage(url: str) -> Any:
    """Optuna's storage there, made when it is not there yet. Raises Unavailable."""
    library = optuna()
    options: dict[str, Any] = {}
    try:
        if url.startswith("postgresql"):
            _make_schema(url)
        else:
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            options = {"creator": partial(_connected, url.removeprefix("sqlite:///"))}
        return library.storages.RDBStorage(url, engine_kwargs=options)
    except Exception as refused:  # of SQLAlchemy, psycopg or the disk, which this layer does not import
        where = url.rpartition("@")[2].partition("?")[0].removeprefix("sqlite:///")
        first = str(refused).strip().splitlines()[0] if str(refused).strip() else type(refused).__name__
        raise Unavailable(f"The studies at {where} cannot be opened: {first.rstrip('.')}.") from None


def _connected(path: str) -> sqlite3.Connection:
    """SQLite as the product's own database uses it: each of Optuna's many small commits need not reach the disk."""
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _make_schema(url: str) -> None:
    psycopg = importlib.import_module("psycopg")
    plain = url.replace("+psycopg", "", 1).rpartition("options=")[0].rstrip("?&")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
