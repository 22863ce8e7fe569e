"""A process that trades live at a loopback venue until it is killed.

`python -m tests.e2e.live_child DATABASE BASE SEED ORDERS`: prints `ack ID` after each order that it was told of.
"""

import asyncio
import random
import sys
from decimal import Decimal
from typing import Any

from core.bus import Bus
from core.clock import SystemClock
from core.engine.arming import Caps
from core.engine.engine import Engine
from core.engine.live import LiveVenues
from core.errors import AppError
from core.exchanges.ccxt import CcxtData
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets, MemoryVault
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from tests.e2e.kill_child import say
from tests.trading import UNLIMITED

VENUE = "binance"
ACCOUNT = f"owner@{VENUE}"
KEY, SECRET = "loopback-key", "loopback-secret"
CAPS = Caps(Decimal(10**6), Decimal(10**7), Decimal(10**6))
SIDE_BY_SIDE = 8


def engine_of(store: Store, base: str) -> Engine:
    clock, record = SystemClock(), SqlTradingStore(store)
    vault = MemoryVault({("owner", VENUE): ExchangeSecrets(KEY, SECRET)})

    def make(account: str, venue: str, keys: Any) -> CcxtExchange:
        return CcxtExchange(account, keys, CcxtData(venue, base, clock=clock), record=record)

    return Engine(
        record, [CcxtData(VENUE, base, clock=clock)], clock, Bus(), limits=UNLIMITED, live=LiveVenues(vault, make),
        lease_seconds=2.0,
    )  # fmt: skip


async def trade(engine: Engine, choose: random.Random) -> None:
    """A limit order near the market or far from it, or one at the market; some are cancelled again."""
    desk = engine.desk
    instrument = await engine.feed.instrument(f"{VENUE}:BTC/USDT")
    last = (await engine.feed.quote(instrument)).last
    side = choose.choice(["buy", "sell"])
    away = Decimal(choose.randrange(-10, 40)) / 1000 * (1 if side == "sell" else -1)
    options: dict[str, Any] = {} if choose.random() < 0.3 else {"limit": last * (1 + away)}
    quantity = Decimal(choose.randrange(1, 20)) / 1000
    request = await desk.draft(ACCOUNT, side, instrument, quantity=quantity, **options)
    order = await desk.submit(request, await desk.preview(request))
    say("ack", order.id)
    if not order.status.final and choose.random() < 0.4:
        say("cancelled", (await desk.cancel(ACCOUNT, order.id)).id)


async def main(database: str, base: str, seed: int, orders: int) -> None:
    store = Store(f"sqlite+aiosqlite:///{database}", SystemClock())
    await store.open()
    engine = engine_of(store, base)
    await engine.start()
    await engine.desk.arm(ACCOUNT, CAPS, 8)
    choose = random.Random(seed)
    left = orders

    async def busy() -> None:
        nonlocal left
        while left > 0:
            try:
                await trade(engine, choose)
                left -= 1
            except AppError as refused:
                say("refused", refused.code, refused.sentence())
                await asyncio.sleep(0.2)  # an instrument whose last order is being looked up is held for a while

    await asyncio.gather(*(busy() for _ in range(SIDE_BY_SIDE)))
    await engine.stop()
    await store.close()
    say("stopped")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
