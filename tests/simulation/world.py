"""The world: one seed's venue, network, market and people, and the product that lives, dies and comes back in it.

Everything random comes of the seed, by a stream of its own for each part, so that one seed is one history: the same
trace, line by line, whenever and wherever it is run (with the same PYTHONHASHSEED: see `__main__`).
"""

import asyncio
import gc
import hashlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any

import structlog

from core.errors import AppError
from core.market.instrument import Instrument
from core.money import ZERO
from tests.simulation.adapter import Sent
from tests.simulation.loop import PROCESS, LoopClock, SimulatedLoop, Stuck
from tests.simulation.network import Faults, Network
from tests.simulation.record import Disk, MemoryTradingStore
from tests.simulation.venue import Venue

BTC = Instrument("sim", "BTC", "USDT", Decimal("0.01"), Decimal("0.0001"), Decimal(5))
ETH = Instrument("sim", "ETH", "USDT", Decimal("0.01"), Decimal("0.001"), Decimal(5))
PRICES = {BTC: Decimal(30_000), ETH: Decimal(2_000)}
OPENING = Decimal(10_000)
TOKENS = Decimal("0.02")  # for the first fees; then they are taken in quote
BUSY = 20.0  # seconds a transaction waits for a database that somebody else holds
RACES = 0.06  # of the seeds: the legs of orders race each other


@dataclass(slots=True)
class Life:
    """One process of the product. ready: it has started and takes orders"""

    number: int
    context: Any
    store: MemoryTradingStore
    engine: Any = None
    ready: bool = False
    ending: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of a seed."""

    seed: int
    violations: list[str]
    happened: Counter[str]
    trace: list[str]
    seconds: float  # simulated
    steps: int

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]


class World:
    """The stage. `scenario` plays on it, `product` makes the engine of a new process.

    racing: orders of two legs near a wild market, whose cancels are slow and cross with trades; drawn when None
    """

    def __init__(
        self, seed: int, accounts: list[str], product: Callable[["World", Life], Any], racing: bool | None = None
    ) -> None:
        self.racing = self._drawn(seed) if racing is None else racing
        self.seed, self.accounts, self._product = seed, accounts, product
        self.trace: list[str] = []
        self.violations: list[str] = []
        self.happened: Counter[str] = Counter()
        self.sent: list[Sent] = []
        self.halted: dict[str, int] = {}  # by account: how many orders had been sent when its panic was acknowledged
        self.disarmed: dict[str, int] = {}  # the same of its disarming
        self.disk = Disk()
        self.life: Life | None = None
        self.lives = 0
        self.random = self.stream("world")
        self.loop = SimulatedLoop(self.stream("loop"), shuffle=self.random.random() < 0.5)
        self.clock = LoopClock(self.loop)
        faults = Faults.drawn(self.stream("faults"))
        if self.racing:
            faults = replace(faults, delays=0.25, lag=1_000, fills_lag=2_500)
        self.network = Network(self.loop, self.stream("network"), faults, self.tell)
        self._disk_random = self.stream("disk")
        self._slow_disk = self.random.choice((0.0, 0.0, 0.02, 0.1))
        self.bad_disk = self._disk_random.choice((0.0, 0.0, 0.01, 0.05))  # of transactions: each fails by itself
        self.locked = 0.0  # until then somebody else holds the database
        self._market = self.stream("market")
        self._wild = self.random.choice((0.0005, 0.001, 0.003))
        self.venue = Venue(
            "sim", [BTC, ETH], lambda: self.clock.now_ms() + int(faults.skew * 1000), self.stream("depth"),
            taker_fee=self.random.choice((Decimal("0.001"), Decimal("0.0026"))),
            maker_fee=self.random.choice((Decimal("0.001"), Decimal("0.0008"))),
            native=frozenset({"Market", "Limit", *self.random.choice(((), ("Stop", "StopLimit")))}),
        )  # fmt: skip
        self.venue.charges = self.stream("charges").choice(("quote", "bought", "token"))
        self.venue.watchers.append(
            lambda order, trade: self.tell("venue", f"{order.id} trades {trade.quantity} at {trade.price}")
        )
        if self.racing:
            self._wild, self.venue.late = 0.003, 0.5
            self.venue.native = frozenset({"Market", "Limit", "Stop", "StopLimit"})
        self.prices = dict(PRICES)
        self._move()
        self.still = False  # the market does not move

    @staticmethod
    def _drawn(seed: int) -> bool:
        return Random(f"{seed}:racing").random() < RACES

    def stream(self, name: str) -> Random:
        """Random numbers for one part of the world."""
        return Random(f"{self.seed}:{name}")

    def tell(self, who: str, text: str) -> None:
        """One line of the history."""
        self.trace.append(f"{self.loop.time():10.3f} {who}: {text}")

    def violated(self, rule: str, text: str) -> None:
        """An invariant does not hold."""
        line = f"{rule}: {text}"
        if line not in self.violations:
            self.violations.append(line)
            self.tell("VIOLATED", line)

    def count(self, kind: str) -> None:
        self.happened[kind] += 1

    # -- the run --------------------------------------------------------------------------------------------------

    def run(self, play: Callable[["World"], Awaitable[None]]) -> Outcome:
        """Plays to the end. Whatever breaks is a violation, too."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            with named_by(self.stream("names")), logged_by(self):
                try:
                    self.loop.run_until_complete(self._all(play))
                except Stuck as stuck:
                    self.violated("progress", str(stuck))
                self.loop.finish()
        finally:
            if collecting:
                gc.enable()
        for each in self.loop.broken:
            self.violated("unexpected error", each)
        self.happened.update(self.network.happened)
        if self.venue.trades_late:
            self.happened["trade beside a cancel"] += self.venue.trades_late
        return Outcome(self.seed, self.violations, self.happened, self.trace, self.loop.time(), self.loop.steps)

    async def _all(self, play: Callable[["World"], Awaitable[None]]) -> None:
        moving = asyncio.ensure_future(self._move_on())
        try:
            await play(self)
        finally:
            moving.cancel()

    async def _move_on(self) -> None:
        while True:
            await asyncio.sleep(self._market.uniform(0.5, 5.0))
            if not self.still:
                self._move()

    def _move(self) -> None:
        for instrument, price in self.prices.items():
            step = Decimal(repr(round(self._market.gauss(0, self._wild), 6)))
            if self._market.random() < 0.01:
                step *= 10  # a gap
            self.prices[instrument] = price = instrument.price(price * (1 + step))
            self.venue.move(instrument, price, self._market.randint(1, 20))

    # -- the product ----------------------------------------------------------------------------------------------

    def launch(self) -> Life:
        """Starts a process; it is ready a little later, unless it dies before."""
        context = self.loop.begin(lambda: self._died(number))
        number = context[PROCESS]
        self.lives += 1
        life = self.life = Life(number, context, MemoryTradingStore(self.disk, self._pause, self.clock, self._locked))
        self.tell(f"product {number}", "starts")
        self.spawn(life, lambda: self._start(life), "start")
        return life

    async def _start(self, life: Life) -> None:
        life.engine = self._product(self, life)
        await life.engine.start()
        life.ready = True
        self.tell(f"product {life.number}", "is ready")

    def _died(self, number: int) -> None:
        self.tell(f"product {number}", "dies")
        if self.life is not None and self.life.number == number:
            self.life = None

    def spawn(self, life: Life, doing: Callable[[], Awaitable[Any]], what: str) -> None:
        """Lets the process do something. Refusals are told, anything else is a violation."""

        async def guarded() -> None:
            try:
                await doing()
            except AppError as refused:
                self.tell(f"product {life.number}", f"{what}: {type(refused).__name__}: {refused.sentence()}")
                if what == "start":
                    self.loop.call_soon(self.loop.kill, life.number, context=self.loop.world)
            except Exception as failed:
                self.violated("unexpected error", f"{what}: {type(failed).__name__}: {failed}")

        self.loop.create_task(guarded(), context=life.context)

    def doom(self, steps: int) -> None:
        """The process will die after so many more steps."""
        if self.life is not None:
            self.count("crash")
            self.loop.doom(self.life.number, steps)

    async def _pause(self) -> None:
        if self._slow_disk and self._disk_random.random() < self._slow_disk:
            self.count("slow record")
            await asyncio.sleep(self._disk_random.uniform(0.001, 0.5))
        else:
            await asyncio.sleep(0)

    async def _locked(self) -> bool:
        """Waits for the database as SQLite does: for so long, and no longer."""
        waited = 0.0
        while (left := self.locked - self.loop.time()) > 0:
            if waited >= BUSY:
                self.count("database locked")
                return True
            await asyncio.sleep(min(left, BUSY - waited))
            waited += min(left, BUSY - waited)
        if self.bad_disk and self._disk_random.random() < self.bad_disk:
            self.count("write refused")
            return True
        return False

    # -- what is true ---------------------------------------------------------------------------------------------

    def truth(self, account: str) -> dict[str, Decimal]:
        """What the venue holds for the account."""
        return {asset: amount for asset, amount in self.venue.balances.get(account, {}).items() if amount != ZERO}


@contextmanager
def named_by(random: Random) -> Iterator[None]:
    """Every uuid4 is of the seed."""
    kept = uuid.uuid4
    uuid.uuid4 = lambda: uuid.UUID(int=random.getrandbits(128), version=4)
    try:
        yield
    finally:
        uuid.uuid4 = kept


@contextmanager
def logged_by(world: World) -> Iterator[None]:
    """The log goes into the trace; what is logged as an error with a surprising exception is a violation."""
    kept = structlog.get_config()

    def keep(logger: Any, name: str, event: dict[str, Any]) -> Any:
        failed = event.pop("exc_info", None)
        told = " ".join(str(value) for value in event.values())
        world.tell(f"product {PROCESS.get()}", f"log: {told}" + (f" ({type(failed).__name__})" if failed else ""))
        if name in ("error", "exception") and isinstance(failed, Exception) and not isinstance(failed, AppError):
            world.violated("unexpected error", f"{told}: {type(failed).__name__}: {failed}")
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(20))
    try:
        yield
    finally:
        structlog.configure(**kept)
