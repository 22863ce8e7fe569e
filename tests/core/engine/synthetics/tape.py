"""A market whose price a test sets, and a room whose paper account trades at it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.bus import Bus
from core.clock import SimulatedClock, from_ms
from core.engine.engine import Engine
from core.errors import NotFound, Unavailable
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.store.outbox import SqlOutbox
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.costs import FREE
from core.trading.exchange import Quote
from core.trading.orders import Order, OrderRequest, OrderType, Side
from tests.trading import ACCOUNT, BTC, EPOCH, UNLIMITED


class Tape:
    """Quotes as the test says; `bars` are what was recorded before."""

    name, simulated = "file", True

    def __init__(self, clock: SimulatedClock, price: Decimal, bars: Bars | None = None) -> None:
        self.clock, self.price, self.recorded = clock, price, bars
        self.down = False

    async def instruments(self) -> Sequence[Instrument]:
        return [BTC]

    async def quote(self, instrument: Instrument) -> Quote:
        if self.down:
            raise Unavailable("The tape is torn.")
        return Quote(instrument, self.price, self.price, self.price, self.clock.now(), simulated=True)

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        if self.recorded is None or timeframe != self.recorded.timeframe:
            raise NotFound("Nothing was recorded.")
        return self.recorded

    async def ping(self) -> float:
        return 0.0

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(slots=True)
class TapeRoom:
    """An engine over a database file and a tape. `reopen` builds it anew from the file, as after a crash."""

    folder: Path
    price: Decimal = Decimal(60_000)
    bars: Bars | None = None
    cash: Decimal = Decimal(100_000)
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(from_ms(EPOCH)))
    store: Store = field(init=False)
    record: SqlTradingStore = field(init=False)
    engine: Engine = field(init=False)
    tape: Tape = field(init=False)

    async def open(self) -> "TapeRoom":
        self.store = Store(f"sqlite+aiosqlite:///{self.folder}/trading.db", self.clock)
        await self.store.open()
        self.record = SqlTradingStore(self.store)
        self.tape = Tape(self.clock, self.price, self.bars)
        self.engine = Engine(
            self.record, [self.tape], self.clock, Bus(), costs=FREE, limits=UNLIMITED, history=0, lease_seconds=1e9,
            opening=self.cash,
        )  # fmt: skip
        await self.engine.start(live=False)
        await self.engine.desk.open(ACCOUNT)
        return self

    async def crash(self) -> None:
        """Nothing is kept but what was committed."""
        await self.engine.synthetics.stop()
        await self.engine.lease.drop()
        await self.store.close()

    async def reopen(self) -> None:
        await self.crash()
        await self.open()
        await self.settle()

    async def close(self) -> None:
        await self.engine.stop()
        await self.store.close()

    async def settle(self) -> None:
        await self.engine.synthetics.settled()

    async def moves(self, *prices: float | str | Decimal, seconds: float = 1.0) -> None:
        """The market goes through these prices, and everybody takes each in."""
        for price in prices:
            self.price = self.tape.price = Decimal(str(price))
            await self.waits(seconds)

    async def waits(self, seconds: float) -> None:
        """Time passes at the present price."""
        self.clock.set(from_ms(self.clock.now_ms() + int(seconds * 1000)))
        for _ in range(2):  # what was placed at this price sees the next one
            await self.engine.feed.poke(BTC)
            await self.settle()
            await self.engine.synthetics.tick()
            await self.settle()

    async def buys(self, quantity: str) -> None:
        """Coins, at the market."""
        desk = self.engine.desk
        await desk.submit(await desk.draft(ACCOUNT, Side.BUY, BTC, quantity=Decimal(quantity)))
        await self.settle()

    async def places(self, side: Side, kind: OrderType, quantity: str, name: str = "one") -> Order:
        request = OrderRequest(name, ACCOUNT, BTC, side, kind, quantity=Decimal(quantity), created=self.clock.now())
        order = await self.engine.desk.submit(request)
        await self.settle()
        return order

    async def order(self, name: str = "one") -> Order:
        found = await self.record.order(name)
        assert found is not None
        return found

    async def children(self, name: str = "one") -> list[Order]:
        return [order for order in await self.record.orders(ACCOUNT) if order.request.parent == name]

    async def told(self) -> list[str]:
        waiting = await SqlOutbox(self.store).waiting(self.clock.now(), 1_000)
        return [each.document["text"] for each in waiting if each.kind == "AccountNotice"]

    def held(self, asset: str = "BTC") -> Decimal:
        return self.engine.book.total(ACCOUNT, "manual", asset)

    def free(self, asset: str = "BTC") -> Decimal:
        return self.engine.book.free(ACCOUNT, "manual", asset)


def shown(orders: Sequence[Order]) -> list[tuple[Any, ...]]:
    """(side, kind, quantity, status) of orders."""
    return [
        (each.request.side.value, type(each.request.type).__name__, each.request.quantity, each.status.value)
        for each in orders
    ]
