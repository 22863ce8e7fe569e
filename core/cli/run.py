"""`orchestrator run`: every role in one process, until it is told to stop."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note

if TYPE_CHECKING:
    from core.app import App
    from core.settings import Settings

LOG_BYTES = 10_000_000  # a longer log is set aside at the next start


def run(
    role: Annotated[
        list[str] | None, typer.Option("--role", help="Only these roles; may be given several times.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document when everything is up.")] = False,
) -> None:
    """Start every role, print where the web app is, and chat when on a terminal."""
    from core import settings as configuration

    os.umask(0o077)  # what is kept is for this user only, also in a folder that others may look into
    settings = configuration.load()
    for warning in configuration.warnings():
        note(warning)
    chatting = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    start_logs(settings, to_file=chatting)
    in_loop(_serve(settings, role or [], chatting, as_json))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is stopped: one Ctrl-C more is no failure


def in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs the work on uvloop where that is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def start_logs(settings: "Settings", *, to_file: bool) -> Path | None:
    """Logs go to stderr, or beside a chat to a file in the data folder; the file when it is one."""
    from core import telemetry

    if not to_file:
        telemetry.configure(settings.log.level, settings.log.format, settings.secrets())
        return None
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.data_dir / "orchestrator.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", buffering=1)
    telemetry.configure(settings.log.level, "json", settings.secrets(), stream)
    return path


async def _serve(settings: "Settings", roles: list[str], chatting: bool, as_json: bool) -> None:
    from core.app import build
    from core.jobs import end_task

    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    app = build(settings, roles=roles)
    starting = asyncio.create_task(app.start())
    stopping = asyncio.create_task(told_to_stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            await end_task(starting)
            return
        await starting
        warm_kernels()
        facts = await describe(app)
        if as_json:
            emit(facts)
        else:
            sys.stdout.write(banner(facts, chatting))
        sys.stdout.flush()
        await (_chat(app, stopping) if chatting else stopping)
    finally:
        stopping.cancel()
        await app.stop()
    note("Stopped.")


def warm_kernels() -> None:
    """Loads the simulation kernels (or, once per installation, compiles them) beside the chat, so that nobody waits.

    A daemon thread: a stop does not wait for a compilation.
    """
    from core.research.warm import warm

    threading.Thread(target=warm, name="warm-kernels", daemon=True).start()


async def _chat(app: "App", stopping: "asyncio.Task[Any]") -> None:
    """The console chat, until its user leaves it or a signal arrives; without one installed, until a signal arrives."""
    from core.app import surface_named

    build = surface_named("console")
    if build is None:
        await stopping
        return
    console = build(app.services, app.conversation)
    chat = asyncio.create_task(console.run(), name="console")
    try:
        await asyncio.wait({chat, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if chat.done():
            await chat
    finally:
        chat.cancel()
        await asyncio.gather(chat, return_exceptions=True)


async def describe(app: "App") -> dict[str, Any]:
    """What a person needs to know right after the start."""
    users, market = app.services.users, app.services.market
    login = f"{app.url}/login?token={await users.login_link()}" if app.url else None
    return {
        "version": app.services.app_info["version"],
        "url": app.url or None,
        "login": login,
        "owner_code": await users.owner_code(),
        "market": market.source_name,
        "simulated": market.simulated,
        "market_wanted": app.settings.market.source,
        "telegram": "telegram" in app.surfaces and "telegram" not in {**app.troubles, **app.waiting},
        "troubles": app.troubles,
        "waiting": app.waiting,
        "data_dir": str(app.settings.data_dir),
        "roles": app.running,
        "pid": os.getpid(),
    }


def banner(facts: dict[str, Any], chatting: bool = False) -> str:
    """The facts as aligned lines."""
    rows: list[tuple[str, str]] = []
    if facts["login"]:
        rows.append(("Web app", str(facts["login"])))
        rows.append(("", "signs you in once, within 15 minutes; `login` in the chat makes another link"))
    else:
        rows.append(("Web app", "off (the role gateway was not asked for)"))
    if facts["owner_code"]:
        rows.append(("Owner code", str(facts["owner_code"])))
        rows.append(("", "whoever sends it to the bot first becomes the owner; it works once"))
    if not facts["simulated"]:
        rows.append(("Market", f"live public prices of {facts['market']}, paper trading"))
    elif facts["market_wanted"] == "sandbox":
        rows.append(("Market", "SIMULATED prices of the built-in sandbox market"))
    else:
        rows.append(("Market", "SIMULATED prices of the built-in sandbox market: no live prices could be reached"))
    told = {name: f"not up: {why}" for name, why in facts["troubles"].items()} | facts["waiting"]
    telegram = "on" if facts["telegram"] else "off; set ORCHESTRATOR_TELEGRAM__TOKEN to switch it on"
    rows += [(name.capitalize(), why) for name, why in ({"telegram": telegram} | told).items()]
    rows.append(("Data", facts["data_dir"]))
    rows.append(("Stop", "quit" if chatting else "Ctrl-C"))
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    return f"CryptoOrchestrator {facts['version']}\n\n" + "\n".join(lines) + "\n\n"
