"""No secret leaves through a log line, by whatever way it came in."""

import asyncio
import gc
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from core import telemetry

SECRET = "s3cr3t-value"
BOT = "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure("debug", "json", [SECRET], stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def raise_with_secret() -> None:
    raise OSError(f"cannot reach https://host/{SECRET}/x")


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_way_of_logging_shows_a_secret(log: io.StringIO, style: str) -> None:
    telemetry.configure("debug", style, [SECRET], log)  # type: ignore[arg-type]
    ours, theirs = structlog.get_logger("test"), logging.getLogger("some.library")
    ours.info(f"in the text {SECRET}", address=f"postgresql://ann:{SECRET}@host/db", deep={"list": [SECRET]})
    ours.info("under a name", api_key="abcd1234", password="efgh5678", TOKEN="ijkl9012")
    ours.info("by its shape", url=f"https://api.telegram.org/bot{BOT}/getMe", dsn="redis://:mnop3456@host:1/0")
    theirs.warning("from a library: %s and %s", SECRET, BOT)
    try:
        raise_with_secret()
    except OSError:
        ours.exception("in a traceback")
        theirs.exception("in a library's traceback")
    text = log.getvalue()
    hidden = (SECRET, "abcd1234", "efgh5678", "ijkl9012", "mnop3456", BOT.partition(":")[2])
    assert [secret for secret in hidden if secret in text] == []
    assert text.count("Traceback") == 2


def test_lines_are_json_with_time_level_and_source(log: io.StringIO) -> None:
    structlog.get_logger("feed").warning("source slow", seconds=1.5)
    entry = json.loads(log.getvalue())
    assert (entry["event"], entry["level"], entry["logger"], entry["seconds"]) == (
        "source slow",
        "warning",
        "feed",
        1.5,
    )
    assert entry["timestamp"].endswith("Z")


def test_chatty_libraries_are_held_to_warnings(log: io.StringIO) -> None:
    logging.getLogger("httpx").info(f"POST https://api.telegram.org/bot{BOT}/sendMessage")
    assert log.getvalue() == ""


@pytest.mark.parametrize("style", ["json", "console"])
def test_where_people_read_along_a_failure_is_one_line_without_where_it_was(
    log: io.StringIO, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back afterwards
    telemetry.configure("error", style, [], log, tracebacks=False)  # type: ignore[arg-type]

    async def forgotten() -> None:
        inside = "what stood in a local"
        raise TypeError(f"argument of type {type(inside).__name__}\nand more")

    async def leaves() -> None:
        task = asyncio.ensure_future(forgotten())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(leaves())
    try:
        raise_with_secret()
    except OSError:
        structlog.get_logger("ours").exception("not done")
    sys.unraisablehook(type("Ignored", (), {"exc_value": RuntimeError("Event loop is closed")})())
    text = log.getvalue()
    assert "Task exception was never retrieved" in text
    assert "TypeError: argument of type str" in text
    assert "cannot reach" in text
    assert len(text.splitlines()) == 2
    assert not any(part in text for part in ("Traceback", "what stood", "forgotten()", "Event loop is closed"))
