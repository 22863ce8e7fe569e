"""A trading room for tests: recorded bars, strategies made of a seed, an engine that can be torn down and rebuilt."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.bus import Bus
from core.clock import SimulatedClock, from_ms
from core.engine.engine import Engine
from core.engine.replay import ReplaySource, replay
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.risk.limits import Limits
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.costs import Costs
from core.trading.portfolio import Fill
from core.trading.strategy import Context, Parameter, Signals

HOUR = 3_600_000
EPOCH = 1_700_000_000_000 // HOUR * HOUR
UNLIMITED = Limits(None, None, None, None, None)
BTC = Instrument("file", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
ETH = Instrument("file", "ETH", "USDT", Decimal("0.01"), Decimal("0.0001"), Decimal(5))
ACCOUNT = "trader-1"


def synthetic_bars(
    seed: int, count: int, instrument: Instrument = BTC, price: float = 30_000.0, volume: float = 50.0
) -> Bars:
    """An hourly random walk with gaps between bars; a small volume makes orders fill in parts."""
    random = np.random.default_rng(seed)
    steps = random.normal(0, 0.01, count)
    close = np.round(price * np.exp(np.cumsum(steps)), 2)
    opened = np.round(np.concatenate(([price], close[:-1])) * np.exp(random.normal(0, 0.004, count)), 2)
    spread = np.abs(random.normal(0, 0.006, (2, count)))
    high = np.round(np.maximum(opened, close) * (1 + spread[0]), 2)
    low = np.round(np.minimum(opened, close) * (1 - spread[1]), 2)
    times = EPOCH + HOUR * np.arange(count, dtype=np.int64)
    volumes = np.round(random.exponential(volume, count), 5) + 1e-5
    return Bars.checked(instrument, "1h", times, opened, high, low, close, volumes)


@dataclass(frozen=True, slots=True)
class Whims:
    """Random exposures, limits, stops, targets and trails: of the seed, of each bar, and of all bars before it."""

    seed: int = 0
    name: ClassVar[str] = "whims"
    summary: ClassVar[str] = "Acts on whims."
    parameters: ClassVar[Mapping[str, Parameter]] = {"seed": Parameter(0, 0, 10**9, help="seed")}

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        n = len(bars)
        rows = np.array([self.row(int(time)) for time in bars.timestamp]).reshape(n, 9)
        nan = np.nan
        memory = np.cumsum(np.round(bars.close * 100).astype(np.int64)) % 97 / 97  # wrong once a single bar is missing
        rows[:, 0] = (rows[:, 0] + memory) % 1
        exposure = np.where(rows[:, 0] < 0.3, np.round(rows[:, 1] * 2 - 1, 2), nan)
        exposure = np.where(rows[:, 0] < 0.06, 0.0, np.where(rows[:, 0] > 0.94, 1.0, exposure))
        aim = np.where(exposure >= 0, 1.0, -1.0)
        limit = np.where(rows[:, 2] < 0.35, bars.close * (1 + 0.01 * (rows[:, 3] - 0.6) * aim), nan)
        stop = np.where(rows[:, 4] < 0.4, bars.close * (1 - aim * 0.03 * rows[:, 5]), nan)
        target = np.where(rows[:, 6] < 0.4, bars.close * (1 + aim * 0.03 * rows[:, 7]), nan)
        trail = np.where(rows[:, 8] < 0.2, 0.005 + 0.1 * rows[:, 8], nan)
        return Signals(exposure, limit, stop, target, trail)

    def row(self, time: int) -> Any:
        return np.random.default_rng((self.seed, time)).random(9)


@dataclass(slots=True)
class Room:
    """An engine over a database file and a recording. `reopen` builds it anew from the file, as after a crash."""

    folder: Path
    recording: list[Bars]
    costs: Costs = field(default_factory=Costs)
    strategies: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    clock: SimulatedClock = field(init=False)
    bus: Bus = field(init=False)
    store: Store = field(init=False)
    record: SqlTradingStore = field(init=False)
    engine: Engine = field(init=False)
    source: ReplaySource = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(from_ms(min(int(bars.timestamp[0]) for bars in self.recording)))

    async def open(self) -> "Room":
        self.bus = Bus()
        self.store = Store(f"sqlite+aiosqlite:///{self.folder}/trading.db", self.clock)
        await self.store.open()
        self.record = SqlTradingStore(self.store)
        self.source = ReplaySource(self.recording, self.clock)
        options: dict[str, Any] = {"limits": UNLIMITED, "history": 0, "lease_seconds": 1e9} | self.options
        self.engine = Engine(
            self.record, [self.source], self.clock, self.bus, costs=self.costs, load=self.load, **options
        )
        await self.engine.start(live=False)
        await self.engine.desk.open(ACCOUNT)
        return self

    def load(self, name: str, parameters: Mapping[str, Any]) -> Any:
        if name == "whims":
            return Whims(**parameters)
        return self.strategies[name.rpartition(":")[2].lower()]

    async def crash(self) -> None:
        """Nothing is kept but what was committed."""
        await self.engine.lease.drop()  # a dead process's lease runs out
        await self.store.close()

    async def close(self) -> None:
        await self.engine.stop()
        await self.store.close()

    async def play(self, start: int = 0, stop: int | None = None) -> None:
        await replay(self.engine.feed, self.source, self.clock, start, stop)

    async def fills(self, ledger: str | None = None) -> list[Fill]:
        entries = await self.record.entries(ACCOUNT, ledger=ledger)
        return [entry for entry in entries if isinstance(entry, Fill)]


def facts(fills: list[Fill]) -> list[tuple[int, str, float, float, float, bool]]:
    """What two records of the same trading must agree on."""
    from core.clock import to_ms

    return [
        (to_ms(fill.time), fill.side.value, float(fill.price), float(fill.quantity), float(fill.fee), fill.maker)
        for fill in fills
    ]


def run(coroutine: Any) -> Any:
    """Runs a coroutine on a loop of its own, for tests that hypothesis drives."""
    return asyncio.run(coroutine)
