"""A gateway on the sandbox market with a real store of people, and a conversation that answers by rote."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn

from core.accounts import UserService
from core.bus import Bus
from core.cache import MemoryCache
from core.clock import SystemClock
from core.engine.feed import Feed
from core.engine.preferences import Preferences
from core.exchanges.router import Router
from core.exchanges.sandbox import SandboxData
from core.jobs import Jobs
from core.notify import Notifier
from core.reply import Choice, Choices, Confirm, Facts, Progress, Table, Text
from core.settings import Gateway, Settings
from core.store.accounts import SqlAccounts
from core.store.deliveries import SqlDeliveries
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from dashboards.gateway.access import COOKIE
from dashboards.gateway.app import Server, Surface, bind, create_app

LOCAL_TOKEN = "the-token-of-this-machine"


@dataclass
class RoteConversation:
    """Answers a few lines; `slow` reports progress and waits until `release` is set, `hold` waits without progress."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[tuple[str, Any]] = field(default_factory=list)

    async def answer(self, line: str, caller: Any, progress: Any = None) -> list[Any]:
        self.heard.append((line, caller))
        match line.split():
            case ["price", *_]:
                return [Facts("BTC/USDT", (("Last", "64,210.50 USDT"), ("24 h", "+1.20 %")), "SIMULATED")]
            case ["slow"]:
                await progress(Progress("Backtesting", 0.25, 12.0))
                await self.release.wait()
                return [Text("The backtest is done.")]
            case ["hold"]:
                await self.release.wait()
                return [Text("Held.")]
            case ["cancel"]:
                return [Text("Cancelled.")]
            case ["buy", *_]:
                facts = (("Price", "64,210.50"), ("Fee", "0.64"))
                return [Confirm("k7", "Buy 0.01 BTC?", facts, "PAPER", ("The market is thin.",), 60)]
            case ["break"]:
                raise RuntimeError("secret detail")
            case ["markup"]:
                return [Text("<img src=x onerror=alert(1)>"), Table("<b>T</b>", ("a", "b"), (("<i>1</i>", "2"),), (1,))]
            case _:
                return [Text(f"You said {line}."), Choices("What next?", (Choice("Price", "price btc"),))]


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Any]:
    clock, bus, jobs = SystemClock(), Bus(), Jobs(2)
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}", clock)
    await store.open()
    users = UserService(SqlAccounts(store), clock, MemoryCache(clock))
    await users.prepare()
    venues = Router([SandboxData(clock)], clock, bus)
    market = Feed(venues.sources, clock, bus)
    await market.choose()
    notifier = Notifier(SqlDeliveries(store), users, SqlTradingStore(store), clock, bus, [])
    yield SimpleNamespace(
        settings=Settings(data_dir=tmp_path, gateway=Gateway(port=0)), clock=clock, bus=bus, store=store, users=users,
        market=market, venues=venues, preferences=Preferences(SqlTradingStore(store), venues.names),
        desk=SimpleNamespace(account_for=lambda user, venue: user), jobs=jobs, notifier=notifier,
        app_info={"version": "0.0.test", "local_token": LOCAL_TOKEN},
    )  # fmt: skip
    await jobs.close()
    await store.close()


@pytest.fixture
def conversation() -> RoteConversation:
    return RoteConversation()


@pytest.fixture
async def session(services: Any) -> str:
    """A session token of the owner."""
    token: str = await services.users.open_session(await services.users.owner())
    return token


@pytest.fixture
async def stranger(services: Any, conversation: RoteConversation) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a session."""
    app = create_app(services, conversation)
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.fixture
def owner(stranger: httpx.AsyncClient, session: str) -> httpx.AsyncClient:
    """The same client, signed in."""
    stranger.cookies.set(COOKIE, session)
    return stranger


@pytest.fixture
async def served(services: Any, conversation: RoteConversation) -> AsyncIterator[str]:
    """host:port of a served application without dashboards, for sockets."""
    listener = bind("127.0.0.1", 0)
    server = Server(uvicorn.Config(create_app(services, conversation), log_config=None))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task


@pytest.fixture
async def gateway(services: Any, conversation: RoteConversation) -> AsyncIterator[Surface]:
    """The whole surface on a free port, with its Voilà process."""
    surface = Surface(services, conversation)
    await surface.start()
    yield surface
    await surface.stop()
