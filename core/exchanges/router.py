"""Router: all configured venues, how each does, and where a question or an order may go when one is out.

A stop, an alert or a strategy at one venue never sees another venue's prices: only what a person asks for may be
answered elsewhere, and the answer says so. Orders never change their venue; at most another one is offered.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import structlog

from core.bus import Bus
from core.clock import Clock
from core.errors import AppError, ExchangeError, NotFound, Unavailable
from core.events import VenueChanged
from core.exchanges.breaker import Breaker
from core.exchanges.health import Health, State, Vitals
from core.exchanges.observed import ObservedData, ObservedExchange, Watch
from core.jobs import end_task
from core.market.instrument import Instrument
from core.trading.exchange import Exchange, MarketData
from core.trading.orders import OrderRequest

T = TypeVar("T")

FAILURES = 3  # questions in a row without an answer after which a venue is left alone for a while
PATIENCE = 8.0  # seconds within which a venue must say what it trades, to be the one that stands in
ORDER: tuple[State, ...] = ("healthy", "degraded", "unknown", "stale", "maintenance", "down", "closed")  # best first
Metric = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens while a venue is out.

    data: 'failover' answers a person's question at the next healthy venue and says so, 'same' does not
    orders: 'refuse' names the venue that is healthy, 'offer' shows the preview of the order there; neither sends it
    look: seconds between two looks at every venue
    """

    data: Literal["failover", "same"] = "failover"
    orders: Literal["refuse", "offer"] = "refuse"
    look: float = 30.0


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """An answer and the instrument it is about. note: says where it comes from, when not from where it was asked"""

    value: T
    instrument: Instrument
    note: str | None = None


class Router:
    """Every configured venue by name.

    datas: public data by preference; timer: seconds for latencies
    """

    def __init__(
        self,
        datas: Sequence[MarketData],
        clock: Clock,
        bus: Bus,
        policy: Policy | None = None,
        *,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.policy = policy or Policy()
        self._clock, self._bus, self._timer = clock, bus, timer
        self._watches: dict[str, Watch] = {}
        self._datas: dict[str, ObservedData] = {}
        self._told: dict[str, State] = {}
        self._changes: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("router")
        for data in datas:
            self._datas.setdefault(data.name, ObservedData(data, self._watch(data.name, data.simulated), clock))

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to look at every venue by itself."""
        self._task = asyncio.create_task(self._run(), name="router")

    async def stop(self) -> None:
        """Ends looking; the data itself is closed by who asks it."""
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # the outermost frame of the watch: the next look comes
                self._log.error("looking at the venues failed", exc_info=error)
            await self._clock.sleep(self.policy.look)

    async def look(self) -> None:
        """Asks every venue for its time, and tells of changes that nothing but time has made."""
        await asyncio.gather(*(self._look_at(name) for name in self._datas))

    async def _look_at(self, name: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE * 2):
                await self._datas[name].look()
        except (AppError, OSError, TimeoutError):
            pass  # the vitals know
        await self._tell(name)

    # -- venues and their health --------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Every configured venue, by preference."""
        return tuple(self._datas)

    @property
    def sources(self) -> tuple[ObservedData, ...]:
        """Public data of every venue, by preference; every question to it is measured."""
        return tuple(self._datas.values())

    def venue(self, name: str) -> ObservedData:
        """Public data of a venue. Raises NotFound with those there are."""
        found = self._datas.get(name.strip().lower())
        if found is None:
            raise NotFound(
                f"No venue is called '{name[:40]}' here.",
                hint=f"There is {', '.join(self._datas)}; others are added by settings "
                "(ORCHESTRATOR_EXCHANGES__NAME__…).",
                venue=name[:40],
            )
        return found

    def observed(self, venue: str, exchange: Exchange) -> ObservedExchange:
        """Trading at the venue, measured; refuses new exposure while the venue is out."""
        return ObservedExchange(exchange, self._watch(venue, False), self._refuse_new)

    def health(self, name: str) -> Health:
        """How a venue does now. Raises NotFound."""
        watch = self._watches.get(name)
        if watch is None:
            raise NotFound(f"No venue is called '{name[:40]}' here.", hint=f"There is {', '.join(self._datas)}.")
        return watch.vitals.health()

    def states(self) -> list[Health]:
        """How every venue does now, by preference."""
        return [self.health(name) for name in self._datas]

    async def healthiest(self, symbol: str, *, beside: Collection[str] = (), trading: bool = False) -> str | None:
        """The real venue that does best and trades the symbol; None when none does.

        beside: venues that are out of the question; trading: only those that would take our orders
        """
        listed = await self._listing(symbol, beside, trading)
        return listed[0].venue if listed else None

    # -- questions people ask -----------------------------------------------------------------------------------------

    async def answered(self, instrument: Instrument, question: Callable[[Instrument], Awaitable[T]]) -> Answered[T]:
        """The answer at the instrument's venue, or at the next healthy one that trades the symbol, which it then says.

        Only for what a person asks to see: never for anything that trades. Raises what the first venue raised.
        """
        known = self._datas.get(instrument.venue)
        if known is None or known.simulated or self.policy.data != "failover":
            return Answered(await question(instrument), instrument)
        here = self.health(instrument.venue)
        if here.out and (other := await self._elsewhere(instrument, here.reason, question)):
            return other
        try:
            return Answered(await question(instrument), instrument)
        except (Unavailable, ExchangeError) as failed:
            now = self.health(instrument.venue)
            reason = now.reason if now.out else failed.message.rstrip(".")
            other = await self._elsewhere(instrument, reason, question)
            if other is None:
                raise
            return other

    async def _elsewhere(
        self, instrument: Instrument, reason: str, question: Callable[[Instrument], Awaitable[T]]
    ) -> Answered[T] | None:
        for listed in await self._listing(instrument.symbol, (instrument.venue,), trading=False):
            try:
                value = await question(listed)
            except AppError:
                continue
            because = reason.removeprefix(f"{instrument.venue} ").removeprefix("it ")
            note = f"{instrument.venue} {because}, so this comes from {listed.venue}."
            return Answered(value, listed, note)
        return None

    async def _listing(self, symbol: str, beside: Collection[str], trading: bool) -> list[Instrument]:
        """The symbol at every real venue that does well enough, best first."""
        candidates = [
            health
            for health in self.states()
            if health.venue not in beside
            and not health.simulated
            and not health.out
            and (health.trading or not trading)
        ]
        candidates.sort(key=lambda health: (ORDER.index(health.state), health.p50 if health.p50 is not None else 1e9))
        found = await asyncio.gather(*(self._listed(health.venue, symbol) for health in candidates))
        return [instrument for instrument in found if instrument is not None]

    async def _listed(self, venue: str, symbol: str) -> Instrument | None:
        try:
            async with asyncio.timeout(PATIENCE):
                listed = await self._datas[venue].instruments()
        except (AppError, OSError, TimeoutError):
            return None
        return next((each for each in listed if each.symbol == symbol), None)

    # -- new orders ---------------------------------------------------------------------------------------------------

    async def demand(self, instrument: Instrument) -> None:
        """Raises Unavailable when new exposure at the instrument's venue is not to be taken now; names another venue.

        `details["other"]` is the instrument's key there. Whatever reduces exposure is not asked here.
        """
        health = self._watches[instrument.venue].vitals.health() if instrument.venue in self._watches else None
        if health is None or not health.out:
            return
        other = await self.healthiest(instrument.symbol, beside=(instrument.venue,), trading=True)
        hint = (
            f"{other} does and trades {instrument.symbol}: name it, as in {other}:{instrument.symbol}, "
            "if you want to trade there."
            if other
            else health.hint
        )
        raise Unavailable(
            f"{instrument.venue} takes no new orders from us now: {health.reason}.",
            hint=hint,
            venue=instrument.venue,
            kind="venue",
            other=f"{other}:{instrument.symbol}" if other else None,
        )

    async def _refuse_new(self, request: OrderRequest) -> None:
        if not request.reduce_only:
            await self.demand(request.instrument)

    # -- telling ------------------------------------------------------------------------------------------------------

    def metrics(self) -> Iterator[Metric]:
        """(name, labels, value) of every figure, as a metrics page shows them."""
        for health in self.states():
            labels = {"venue": health.venue}
            for state in ORDER:
                yield "venue_state", labels | {"state": state}, float(health.state == state)
            for quantile, value in (("0.5", health.p50), ("0.95", health.p95), ("0.99", health.p99)):
                if value is not None:
                    yield "venue_latency_seconds", labels | {"quantile": quantile}, value
            yield "venue_error_ratio", labels, health.errors
            for name, figure in (
                ("venue_answer_age_seconds", health.age),
                ("venue_price_age_seconds", health.staleness),
                ("venue_clock_skew_seconds", health.skew),
            ):
                if figure is not None:
                    yield name, labels, figure
            yield "venue_state_changes", labels, float(self._changes.get(health.venue, 0))

    def _watch(self, venue: str, simulated: bool) -> Watch:
        if venue not in self._watches:
            vitals = Vitals(venue, self._clock, Breaker(self._clock, failures=FAILURES), simulated=simulated)

            async def changed() -> None:
                await self._tell(venue)

            self._watches[venue] = Watch(vitals, changed, self._timer)
        return self._watches[venue]

    async def _tell(self, venue: str) -> None:
        """Publishes a change of state; the first healthy one is no news."""
        health = self._watches[venue].vitals.health()
        before = self._told.get(venue, "unknown")
        state = health.state
        if state == "unknown" or state == before:
            return
        self._told[venue] = state
        if before == "unknown" and state == "healthy":
            return
        self._changes[venue] = self._changes.get(venue, 0) + 1
        self._log.warning("venue changed", venue=venue, state=state, before=before, reason=health.reason)
        reason = f"{venue} is {state}: {health.reason}."
        await self._bus.publish(VenueChanged(venue, self._clock.now(), state, reason))
