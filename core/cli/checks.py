"""What `orchestrator doctor` looks at: one function per piece, each answering with a Check."""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import re
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import AppError

if TYPE_CHECKING:
    from core.exchanges.health import Health
    from core.exchanges.observed import ObservedData
    from core.settings import Settings
    from core.store.sql import Store

ROOT = Path(__file__).resolve().parents[2]
REACH_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Check:
    """One piece. cure: what to do, None when nothing needs doing."""

    name: str
    state: Literal["ok", "warn", "broken"]
    detail: str
    cure: str | None = None


async def all_checks() -> list[Check]:
    """Every check, in the order in which trouble would stop a start."""
    from core import settings as configuration
    from core import telemetry

    checks = [python(), packages()]
    try:
        settings = configuration.load()
    except AppError as wrong:
        return [*checks, Check("settings", "broken", wrong.sentence(), "Correct that setting.")]
    telemetry.configure("error", secrets=settings.secrets())  # each check says by itself what it found
    warnings = configuration.warnings()
    cure = "Take these out, or correct their names; everything else is read." if warnings else None
    checks.append(Check("settings", "warn" if warnings else "ok", " ".join(warnings) or "read", cure))
    checks.append(data_folder(settings))
    questions: list[Callable[[Settings], Awaitable[list[Check]]]] = [database, cache, market, telegram]
    answers = await asyncio.gather(*(question(settings) for question in questions))
    checks += [check for answer in answers for check in answer]
    return [*checks, port(settings), clock(), drawing(), dashboards(), kernels()]


def python() -> Check:
    """The interpreter; one that is too old does not get this far."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"{version} at {sys.executable}")


def packages() -> Check:
    """Installed versions against the lock."""
    lock = ROOT / "requirements" / "base.txt"
    if not lock.exists():
        return Check("packages", "warn", "the lock is not here, so versions were not compared")
    wrong = [f"{name} {have or 'is missing'} ({want} is locked)" for name, want, have in locked(lock) if have != want]
    if not wrong:
        return Check("packages", "ok", "as locked")
    missing = any("is missing" in text for text in wrong)
    more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
    state: Literal["broken", "warn"] = "broken" if missing else "warn"
    return Check("packages", state, ", ".join(wrong[:4]) + more, "Run `make install`.")


def locked(lock: Path) -> Iterator[tuple[str, str, str | None]]:
    """(name, locked version, installed version) of each line that holds for this platform."""
    from packaging.markers import Marker

    for line in lock.read_text().splitlines():
        found = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)\s*(?:;\s*(.+))?$", line.partition(" #")[0].strip())
        if found is None or (found[3] and not Marker(found[3]).evaluate()):
            continue
        try:
            have: str | None = importlib.metadata.version(found[1])
        except importlib.metadata.PackageNotFoundError:
            have = None
        yield found[1], found[2], have


def data_folder(settings: "Settings") -> Check:
    """Whether what is kept can be written."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=settings.data_dir):
            pass
    except OSError as failed:
        return Check(
            "data folder", "broken", f"{settings.data_dir}: {failed.strerror}",
            "Give it to this user, or set ORCHESTRATOR_DATA_DIR to a folder that can be written.",
        )  # fmt: skip
    return Check("data folder", "ok", str(settings.data_dir))


async def database(settings: "Settings") -> list[Check]:
    """Whether the database answers with the schema of this version, and what waits in its outbox."""
    from core.store.outbox import SqlOutbox
    from core.store.sql import Store

    try:
        store = Store(settings.database)
        await asyncio.wait_for(store.open(), REACH_SECONDS * 3)
    except AppError as failed:
        return [Check("database", "broken", failed.message, failed.hint)]
    except Exception as failed:  # the outermost frame of a check: any driver error is an answer
        hint = "Check that it runs and that ORCHESTRATOR_DATABASE_URL is right."
        return [Check("database", "broken", f"{type(failed).__name__}: {failed}".splitlines()[0], hint)]
    try:
        waiting, parked = await SqlOutbox(store).counts()
        checks = [Check("database", "ok", store.shown())]
        if parked:
            cure = "The log says which receiver fails ('event parked'); report it with that line."
            checks.append(Check("outbox", "warn", f"{parked} events were set aside, {waiting} wait", cure))
        else:
            checks.append(Check("outbox", "ok", f"{waiting} events wait for delivery"))
        return [*checks, await ledgers(store)]
    finally:
        await store.close()


async def ledgers(store: "Store") -> Check:
    """Whether every simulated ledger holds what the journal's fills and transfers add up to, and filled orders too."""
    from core.engine.audit import discrepancies
    from core.store.trading import SqlTradingStore

    wrong, counted = await discrepancies(SqlTradingStore(store))
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        cure = "Do not trade on; restore the last backup, and report these lines."
        return Check("ledgers", "broken", "; ".join(wrong[:3]) + more, cure)
    return Check("ledgers", "ok", f"balances equal the fold of fills in {counted} ledgers")


async def cache(settings: "Settings") -> list[Check]:
    """Whether the shared cache answers, when one is set."""
    from core.cache import RedisCache

    if settings.redis_url is None:
        return [Check("cache", "ok", "in memory")]
    shared = RedisCache(settings.redis_url.get_secret_value())
    try:
        await shared.ping()
    except AppError as failed:
        return [Check("cache", "broken", failed.message, failed.hint)]
    finally:
        await shared.close()
    return [Check("cache", "ok", "the server of ORCHESTRATOR_REDIS_URL answers")]


async def market(settings: "Settings") -> list[Check]:
    """Whether the public prices of every configured venue can be reached, and how its clock stands to ours."""
    from core.app.sources import chosen_sources, policy_of
    from core.bus import Bus
    from core.clock import SystemClock
    from core.exchanges.router import Router

    clock = SystemClock()
    router = Router(chosen_sources(settings, clock), clock, Bus(), policy_of(settings))
    first, *others = router.sources
    if first.simulated and not any(not each.simulated for each in others):
        return [Check("market", "ok", "the built-in sandbox, SIMULATED")]
    try:
        asked = [each for each in router.sources if not each.simulated]
        await asyncio.gather(*(_looked_at(each) for each in asked))
        return [_venue(router.health(each.name), "market" if each is first else f"venue {each.name}") for each in asked]
    finally:
        for each in router.sources:
            await each.close()


async def _looked_at(venue: "ObservedData") -> None:
    with contextlib.suppress(AppError, OSError, TimeoutError):  # its health knows
        await asyncio.wait_for(venue.look(), REACH_SECONDS)


def _venue(health: "Health", name: str) -> Check:
    cure = health.hint or "Without a network that is expected: the SIMULATED sandbox market is traded instead."
    if health.state == "healthy" and health.p50 is not None:
        clock = "" if health.skew is None else f", its clock {health.skew:+.1f} s from ours"
        return Check(name, "ok", f"{health.venue} answers in {health.p50:.2f} s{clock}")
    if health.state == "unknown":
        return Check(name, "warn", f"{health.venue} does not answer", cure)
    return Check(name, "warn", f"{health.venue}: {health.reason}", cure)


async def telegram(settings: "Settings") -> list[Check]:
    """Whether the bot's token is valid."""
    if settings.telegram.token is None:
        return [Check("telegram", "ok", "off: no token is set")]
    if settings.telegram.mode != "polling":
        detail = f"the mode {settings.telegram.mode} is not available in this version"
        return [Check("telegram", "broken", detail, "Set ORCHESTRATOR_TELEGRAM__MODE=polling.")]
    import httpx

    address = f"{settings.telegram.api_url}/bot{settings.telegram.token.get_secret_value()}/getMe"
    try:
        async with httpx.AsyncClient(timeout=REACH_SECONDS) as client:
            answer = await client.get(address)
    except httpx.HTTPError as failed:  # its text may hold the address, and so the token
        return [Check("telegram", "warn", f"not reachable ({type(failed).__name__})", "Check the network.")]
    if answer.status_code == 200:
        return [Check("telegram", "ok", f"@{answer.json()['result'].get('username', '?')}")]
    cure = "Take the token from @BotFather again and set ORCHESTRATOR_TELEGRAM__TOKEN."
    return [Check("telegram", "broken", f"the token is refused (HTTP {answer.status_code})", cure)]


def port(settings: "Settings") -> Check:
    """Whether the web app can listen, or does already."""
    from core.app.instance import running

    card = running(settings.data_dir)
    if card is not None:
        return Check("web app", "ok", f"running at {card.url or 'no address'} (process {card.pid})")
    host, number = settings.gateway.host, settings.gateway.port
    try:
        socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as failed:
        cure = "Set ORCHESTRATOR_GATEWAY__PORT to a free port."
        return Check("web app", "broken", f"{host}:{number}: {(failed.strerror or 'cannot be used').lower()}", cure)
    return Check("web app", "ok", f"{host}:{number} is free")


def clock() -> Check:
    """Whether the machine's clock can be right: not before this file was written."""
    now, written = datetime.now(UTC), datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < written or now.year > written.year + 20:
        return Check("clock", "broken", f"{now:%Y-%m-%d %H:%M} UTC cannot be right", "Set the clock (NTP).")
    return Check("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def drawing() -> Check:
    """Whether charts can be drawn."""
    try:
        from matplotlib.font_manager import findfont
    except ImportError as failed:
        return Check("charts", "broken", str(failed), "Run `make install`.")
    return Check("charts", "ok", Path(findfont("DejaVu Sans")).name)


def dashboards() -> Check:
    """Whether Voilà is there."""
    if importlib.util.find_spec("voila") is None:
        return Check("dashboards", "broken", "Voilà is not installed", "Run `make install`.")
    return Check("dashboards", "ok", f"Voilà {importlib.metadata.version('voila')}")


def kernels() -> Check:
    """Whether compiled kernels can be kept between runs."""
    try:
        from core.indicators.compiled import cache_folder
    except ImportError as failed:
        return Check("kernels", "broken", str(failed), "Run `make install`.")
    folder = cache_folder()
    if folder.is_relative_to(tempfile.gettempdir()) and "NUMBA_CACHE_DIR" not in os.environ:
        cure = "Set NUMBA_CACHE_DIR to a folder that can be written."
        return Check("kernels", "warn", "no folder keeps them: they are compiled at each start", cure)
    return Check("kernels", "ok", f"kept in {folder}")
