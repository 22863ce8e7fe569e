"""A process that trades until it is killed: `python -m tests.e2e.kill_child DATABASE STARTED SEED [ORDERS]`.

Prints `ack ID` after each order it was told of, `run ID` for its strategies. STARTED: wall time at which its market's
clock began; the clock runs `SPEED` times faster than the wall's.
"""

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.bus import Bus
from core.clock import to_ms
from core.engine.engine import Engine
from core.errors import AppError
from core.exchanges.sandbox import SandboxData
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from tests.trading import ACCOUNT, UNLIMITED, Whims

SPEED = 300.0
BEGIN = datetime(2025, 3, 1, tzinfo=UTC)


class FastClock:
    """Runs faster than the wall clock, and on from where it was after a restart."""

    def __init__(self, started: float) -> None:
        self._started = started

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=(time.time() - self._started) * SPEED)

    def now_ms(self) -> int:
        return to_ms(self.now())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


def load(name: str, parameters: Mapping[str, Any]) -> Any:
    return Whims(**parameters)


def engine_of(store: Store, clock: FastClock) -> Engine:
    return Engine(
        SqlTradingStore(store),
        [SandboxData(clock)],
        clock,
        Bus(),
        limits=UNLIMITED,
        load=load,
        interval=15.0,
        history=0,
        lease_seconds=600.0,
        lease_wait=6_000.0,
    )


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def trade(engine: Engine, choose: random.Random) -> None:
    """One act of a restless trader."""
    desk = engine.desk
    instrument = await engine.feed.instrument(choose.choice(["btc", "eth"]))
    last = (await engine.feed.quote(instrument)).last
    side = choose.choice(["buy", "buy", "sell"])
    spend = Decimal(choose.randrange(20, 400))
    options: dict[str, Any] = {}
    if choose.random() < 0.4:
        options["limit"] = last * (1 + Decimal(choose.randrange(-15, 5)) / 1000 * (1 if side == "buy" else -1))
    elif side == "buy" and choose.random() < 0.5:
        options |= {"stop": last * Decimal("0.999"), "target": last * Decimal("1.001")}
    size = {"fraction": Decimal(1)} if side == "sell" else {"spend": spend}
    request = await desk.draft(ACCOUNT, side, instrument, **size, **options)
    order = await desk.submit(request, await desk.preview(request))
    say("ack", order.id)
    if not order.status.final and choose.random() < 0.5:
        say("cancelled", (await desk.cancel(ACCOUNT, order.id)).id)


async def main(database: str, started: float, seed: int, orders: int | None) -> None:
    clock = FastClock(started)
    store = Store(f"sqlite+aiosqlite:///{database}", clock)
    await store.open()
    engine = engine_of(store, clock)
    await engine.start()
    await engine.desk.open(ACCOUNT)
    choose = random.Random(seed)
    if not await engine.trader.runs(ACCOUNT):
        btc = await engine.feed.instrument("btc")
        for number in (1, 2):  # two strategies on one symbol
            run = await engine.trader.start(ACCOUNT, "whims", btc, "1m", Decimal(2_000), parameters={"seed": number})
            say("run", run.id)
    say("ready")
    done = 0
    while orders is None or done < orders:
        try:
            await trade(engine, choose)
            done += 1
        except AppError as refused:
            say("refused", refused.code)
        await asyncio.sleep(0)
    await engine.stop()
    await store.close()
    say("stopped")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if sys.argv[4:] else None))
