"""The composition root: build(settings) -> App. The only place that knows who needs whom."""

import asyncio
import importlib.metadata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import structlog

from core.accounts import UserService
from core.alerts import AlertService
from core.app.attended import Attended
from core.app.chores import Chores
from core.app.instance import Instance
from core.app.live import live_venues
from core.app.sources import chosen_sources, policy_of
from core.bus import Bus
from core.cache import Cache, RedisCache, cache_at
from core.clock import Clock, SystemClock
from core.commands.context import Services
from core.engine.engine import Engine
from core.engine.means import Best
from core.engine.opportunities import Opportunities
from core.engine.preferences import Preferences
from core.errors import AppError, ConfigError
from core.exchanges.arbitrage import Arbitrage
from core.exchanges.books import BookHub
from core.exchanges.pace import pace_at
from core.exchanges.router import Router
from core.exchanges.venues import profile_of
from core.jobs import Jobs
from core.market.history import History
from core.market.instrument import Instrument
from core.money import decimal_of
from core.notify import Notifier
from core.outbox import Relay
from core.settings import ROLES, Settings
from core.store.accounts import SqlAccounts
from core.store.alerts import SqlAlerts
from core.store.deliveries import SqlDeliveries
from core.store.leases import free_leases
from core.store.outbox import SqlOutbox
from core.store.registry import CODEC
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.strategies import load as load_strategy
from core.trading.costs import Costs
from core.trading.exchange import MarketData
from core.trading.orders import Side

SURFACES = "orchestrator.surfaces"  # entry points
PUSHED = ("telegram", "discord")  # surfaces that are written to; the others are looked at
VITAL = ("gateway",)  # a surface without which the product does not start
STOP_SECONDS = 4.0  # for all parts together


class Surface(Protocol):
    """A way in: a chat, the web app."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Something that starts and stops with the product."""

    name: str
    start: Callable[[], Awaitable[Any]]
    stop: Callable[[], Awaitable[Any]]


class App:
    """The product in one process. `start` brings the parts up in order, `stop` takes them down in reverse."""

    def __init__(self, services: Services, parts: Sequence[Part], instance: Instance, roles: Sequence[str]) -> None:
        self.services = services
        self.conversation = Attended(services)
        self.roles = tuple(roles)
        self.surfaces: dict[str, Surface] = {}
        self.troubles: dict[str, str] = {}  # surface: why it is not up
        self._parts, self._instance = parts, instance
        self._up: list[Part] = []
        self._held = False
        self._log = structlog.get_logger("app")

    @property
    def settings(self) -> Settings:
        return self.services.settings

    @property
    def url(self) -> str:
        """Where the web app is; empty without the gateway."""
        return str(getattr(self.surfaces.get("gateway"), "url", ""))

    @property
    def local_url(self) -> str:
        """Where programs on this machine reach it, whatever stands in front; empty without the gateway."""
        return str(getattr(self.surfaces.get("gateway"), "local_url", "")) or self.url

    @property
    def running(self) -> list[str]:
        """The roles that are up."""
        return [role for role in self.roles if role not in self.troubles]

    @property
    def waiting(self) -> dict[str, str]:
        """surface: what it waits for, of those that are up but do not work at the moment."""
        told = {name: getattr(surface, "waiting", None) for name, surface in self.surfaces.items()}
        return {name: why for name, why in told.items() if why and name not in self.troubles}

    async def start(self) -> None:
        """Takes the data folder and starts every part. Whatever fails, what was started is stopped again."""
        self._instance.take()
        self._held = True
        try:
            for part in self._parts:
                self._up.append(part)
                await part.start()
            for name in self.roles:
                await self._open(name)
            self._instance.announce(self.local_url, self.url)
        except BaseException:
            await self.stop()
            raise
        self._log.info("started", roles=self.running, market=self.services.market.source_name)

    async def stop(self) -> None:
        """Stops every part in reverse. Transactions in flight finish; what is undelivered stays for the next start."""
        if not self._held:
            return
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        up, self._up = self._up, []
        # Surfaces first and side by side: each may have people to say goodbye to.
        await asyncio.gather(*(self._close(part, deadline) for part in up if part.name in self.surfaces))
        for part in reversed(up):
            if part.name not in self.surfaces:
                await self._close(part, deadline)
        self.surfaces.clear()
        self._instance.release()
        self._held = False
        self._log.info("stopped")

    async def _close(self, part: Part, deadline: float) -> None:
        left = max(0.3, deadline - asyncio.get_running_loop().time())
        try:
            await asyncio.wait_for(part.stop(), left)
        except TimeoutError:
            self._log.warning("part did not stop in time", part=part.name)
        except Exception:  # the outermost frame: one part's trouble must not keep the others up
            self._log.exception("part did not stop cleanly", part=part.name)

    async def _open(self, name: str) -> None:
        build = surface_named(name)
        if build is None:
            if name in (*PUSHED, *VITAL):
                self.troubles[name] = "This version has no such surface."
            return
        try:
            surface: Surface = build(self.services, self.conversation)
            self.surfaces[name] = surface
            self._up.append(Part(name, surface.start, surface.stop))
            await surface.start()
        except AppError as failed:
            if name in VITAL:
                raise
            self.troubles[name] = failed.sentence()
            self._log.error("surface is not up", surface=name, reason=failed.sentence())


def surface_named(name: str) -> Callable[..., Any] | None:
    """The surface that an installed package offers under this name."""
    for entry in importlib.metadata.entry_points(group=SURFACES, name=name):
        build: Callable[..., Any] = entry.load()
        return build
    return None


def roles_of(settings: Settings, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The roles of this process. Raises ConfigError for unknown ones, or a split that these settings cannot carry."""
    unknown = [role for role in wanted if role not in ROLES]
    if unknown:
        raise ConfigError(f"'{unknown[0]}' is not a role.", hint=f"The roles are {', '.join(ROLES)}.")
    if wanted and "trader" not in wanted:
        if not settings.is_spread:
            raise ConfigError(
                f"The role {wanted[0]} without the trader splits the product over processes: that needs PostgreSQL "
                "and Redis.",
                hint="Set ORCHESTRATOR_DATABASE_URL and ORCHESTRATOR_REDIS_URL, or add --role trader.",
            )
        raise ConfigError(
            f"The role {wanted[0]} runs in the trader's process in this version.", hint="Add --role trader."
        )
    without = {
        name
        for name, token in (("telegram", settings.telegram.token), ("discord", settings.discord.token))
        if not token
    }
    for name in without & set(wanted):
        raise ConfigError(f"The role {name} needs a token.", hint=f"Set ORCHESTRATOR_{name.upper()}__TOKEN.")
    return tuple(role for role in ROLES if role in (wanted or ROLES) and role not in without)


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    roles: Sequence[str] = (),
    sources: Sequence[MarketData] | None = None,
) -> App:
    """Wires the product; nothing runs until `start`. sources: market data instead of what the settings choose."""
    chosen = roles_of(settings, roles)
    clock = clock or SystemClock()
    bus, jobs, instance = Bus(), Jobs(), Instance(settings.data_dir)
    redis = settings.redis_url
    shared = redis.get_secret_value() if redis else None
    cache: Cache = cache_at(shared)
    pace = pace_at(shared, clock)
    store = Store(settings.database, clock)
    admins = {"telegram": [str(one) for one in settings.telegram.admins]}
    users = UserService(SqlAccounts(store), clock, cache, admins)
    alerts = AlertService(SqlAlerts(store), clock, bus)
    record = SqlTradingStore(store)
    load = partial(load_strategy, folder=settings.data_dir / "strategies")
    router = Router(sources or chosen_sources(settings, clock, pace), clock, bus, policy_of(settings))
    preferences = Preferences(record, router.names)
    live = live_venues(settings, clock, record, pace, router.observed)
    engine = Engine(record, router.sources, clock, bus, load=load, live=live, factor=_factor(users))
    books = BookHub({source.name: source for source in router.sources}, clock, costs=_schedule)
    arbitrage = Arbitrage(books, clock, bus)
    opportunities = Opportunities(record, bus)
    engine.desk.means.look_into(_best(books))
    engine.feed.watch_for(alerts.watched)
    notifier = Notifier(SqlDeliveries(store), users, record, clock, bus, [name for name in PUSHED if name in chosen])
    relay = Relay(SqlOutbox(store), CODEC, bus.deliver, clock)
    store.on_emit(relay.wake)
    services = Services(
        settings=settings, clock=clock, bus=bus, store=store, users=users, market=engine.feed, desk=engine.desk,
        strategies=engine.trader, alerts=alerts, jobs=jobs, history=History(settings.data_dir / "history"),
        notifier=notifier, venues=router, preferences=preferences, books=books, arbitrage=arbitrage,
        opportunities=opportunities,
        app_info={"version": version(), "local_token": instance.token, "roles": chosen},
    )  # fmt: skip
    chores = Chores(clock)
    chores.every(30, "heartbeat", _calling(instance.beat))
    chores.hourly(7, "expired links and sessions", users.clean)
    chores.hourly(17, "old deliveries", notifier.clean)
    chores.hourly(0, "equity", engine.desk.snapshot)
    parts = [
        Part("store", store.open, store.close),
        Part("leases", _freeing(store, settings), _nothing),
        Part("cache", _pinging(cache), cache.close),
        Part("jobs", _nothing, jobs.close),
        Part("users", users.prepare, _nothing),
        Part("notifier", _nothing, notifier.stop),
        Part("alerts", alerts.start, alerts.stop),
        Part("pace", _nothing, pace.close),
        Part("preferences", preferences.load, _nothing),
        Part("engine", engine.start, engine.stop),
        Part("venues", router.start, router.stop),
        Part("books", _nothing, books.stop),
        Part("opportunities", opportunities.start, opportunities.stop),
        Part("arbitrage", _nothing, arbitrage.stop),
        Part("outbox", relay.start, relay.stop),
    ]
    if "scheduler" in chosen:
        parts.append(Part("scheduler", chores.start, chores.stop))
    return App(services, parts, instance, chosen)


def version() -> str:
    """The installed version."""
    try:
        return importlib.metadata.version("crypto-orchestrator")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _schedule(venue: str) -> Costs:
    """What a new account pays at the venue."""
    tiers = profile_of(venue).tiers
    return Costs(taker_fee=tiers[0].taker, maker_fee=tiers[0].maker) if tiers else Costs()


def _best(books: BookHub) -> Best:
    """The price at the top of a live book; None of one that is not followed, or cannot be trusted now."""

    def best(instrument: Instrument, side: Side) -> Decimal | None:
        book = None if books.stale(instrument) else books.book(instrument)
        level = None if book is None else book.ask if side is Side.BUY else book.bid
        return None if level is None else decimal_of(level[0])

    return best


async def _nothing() -> None:
    """A part that has nothing to do at this moment."""


def _calling(function: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        function()

    return call


def _factor(users: UserService) -> Callable[[str, str], Awaitable[bool]]:
    """Whether a code is a person's second factor now."""

    async def proved(user_id: str, code: str) -> bool:
        user = await users.user(user_id)
        return user is not None and await users.check_totp(user, code)

    return proved


def _freeing(store: Store, settings: Settings) -> Callable[[], Awaitable[None]]:
    """After a kill -9 its lease need not be waited for: the lock of the data folder proves its holder dead."""

    async def free() -> None:
        if settings.database_url is None:
            await free_leases(store)

    return free


def _pinging(cache: Cache) -> Callable[[], Awaitable[None]]:
    """A shared cache that does not answer is told at the start, not at the first use."""
    return cache.ping if isinstance(cache, RedisCache) else _nothing
