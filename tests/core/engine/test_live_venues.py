"""The real engine and adapter at loopback venues: fees in kind to the last digit, and orders of several orders."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.bus import Bus
from core.clock import SystemClock, to_ms
from core.engine.arming import Caps
from core.engine.engine import Engine
from core.engine.live import LiveVenues
from core.errors import Conflict
from core.exchanges.ccxt import CcxtData
from core.exchanges.connection import Connection
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets, MemoryVault
from core.market.instrument import Instrument
from core.store.outbox import SqlOutbox
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Limit,
    Market,
    OneCancelsOther,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    TrailingStop,
    Twap,
)  # fmt: skip
from core.trading.portfolio import fold
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.values import Ticket
from tests.simulators.venues.venue import User, Venue
from tests.trading import UNLIMITED

D = Decimal
CAPS = Caps(D(10**6), D(10**7), D(10**6))
IN_KIND = {"binance": "BTC", "kucoin": None}  # what the fee of a buy is taken in; None is the quote
TOKEN = {"binance": "BNB", "kucoin": "KCS"}


class Ahead(SystemClock):
    """The machine's clock, some seconds ahead when told; waits are cut short."""

    ahead = 0.0

    def now(self) -> Any:
        return super().now() + timedelta(seconds=self.ahead)

    def now_ms(self) -> int:
        return to_ms(self.now())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02) if seconds < 60 else seconds)


@dataclass
class Exchange:
    """A venue with a market at 30,000, an account there, and an engine that trades it. Reopened as after a crash."""

    folder: Path
    venues: Loopback
    venue: Venue
    user: User
    clock: Ahead = field(default_factory=Ahead)
    price: Decimal = D(30_000)
    fees_in: str | None = None
    store: Store = field(init=False)
    record: SqlTradingStore = field(init=False)
    engine: Engine = field(init=False)
    coin: Instrument = field(init=False)

    @property
    def account(self) -> str:
        return f"sam@{self.venue.name}"

    async def open(self) -> None:
        name, base, clock = self.venue.name, self.venues.base, self.clock
        self.store = Store(f"sqlite+aiosqlite:///{self.folder}/live.db", clock)
        await self.store.open()
        self.record = SqlTradingStore(self.store)
        vault = MemoryVault({("sam", name): ExchangeSecrets("the-key", "the-secret", "the-phrase")})

        def make(account: str, venue: str, keys: Any) -> CcxtExchange:
            return CcxtExchange(account, keys, CcxtData(venue, base, clock=clock), record=self.record)

        self.data = CcxtData(name, base, clock=clock)
        self.engine = Engine(
            self.record, [self.data], clock, Bus(), limits=UNLIMITED, live=LiveVenues(vault, make), lease_seconds=1e9,
        )  # fmt: skip
        await self.engine.start(live=False)
        self.coin = await self.engine.feed.instrument(f"{name}:BTC/USDT")

    async def crash(self) -> None:
        """Nothing is kept but what was committed; the venue goes on."""
        await self.engine.synthetics.stop()
        await self.engine.lease.drop()
        assert self.engine.live is not None
        await self.engine.live.close()
        await self.data.close()
        await self.store.close()

    async def close(self) -> None:
        await self.engine.stop()
        await self.data.close()
        await self.store.close()

    async def places(self, side: Side, kind: OrderType, quantity: str, **options: Any) -> Order:
        request = OrderRequest(
            f"order-{random.randrange(10**12)}", self.account, self.coin, side, kind, quantity=D(quantity),
            created=self.clock.now(), **options,
        )  # fmt: skip
        order = await self.engine.desk.submit(request)
        await self.engine.synthetics.settled()
        return await self.now(order)

    async def now(self, order: Order) -> Order:
        found = await self.record.order(order.id)
        assert found is not None
        return found

    async def children(self, order: Order) -> list[Order]:
        return [each for each in await self.record.orders(self.account) if each.request.parent == order.id]

    async def passes(self, looks: int = 2) -> None:
        """Everybody takes in what has happened."""
        for _ in range(looks):
            await self.engine.reconciliation.look(self.account)
            await self.engine.synthetics.settled()
            await self.engine.feed.poke(self.coin)
            await self.engine.synthetics.settled()
            await self.engine.synthetics.tick()
            await self.engine.synthetics.settled()

    async def moves(self, *prices: float) -> None:
        for price in prices:
            self.price = D(str(price))
            self.venue.trade_through("BTC/USDT", self.price)
            await self.passes()

    async def told(self) -> list[str]:
        waiting = await SqlOutbox(self.store).waiting(self.clock.now(), 1_000)
        return [each.document["text"] for each in waiting if each.kind == "AccountNotice"]

    async def agrees(self) -> None:
        """Journal, memory and venue say the same to the last digit, and nobody speaks of changes by hand."""
        await self.passes(1)
        assert await self.engine.reconciliation.look(self.account)
        journal = fold(await self.record.entries(self.account)).balances
        there = {asset: amount for asset, amount in self.venue.balances(self.user).items() if amount}
        assert {asset: amount for asset, amount in journal.items() if amount} == there
        assert await self.engine.book.differences(self.account) == []
        assert [text for text in await self.told() if "outside of this product" in text] == []

    def live_there(self) -> int:
        return sum(order.live for order in self.venue.orders)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue is ours, so nobody waits for its rate limits."""
    build = Connection._build

    def built(self: Connection, library: Any) -> Any:
        client = build(self, library)
        client.enableRateLimit = False
        return client

    monkeypatch.setattr(Connection, "_build", built)


@pytest.fixture(params=["binance", "binance BNB", "kucoin", "kucoin KCS"])
async def paying(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Exchange]:
    name, _, token = request.param.partition(" ")
    async for exchange in opened(tmp_path, name, bool(token)):
        yield exchange


@pytest.fixture(params=["binance", "kucoin"])
async def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Exchange]:
    async for exchange in opened(tmp_path, request.param, False):
        yield exchange


async def opened(folder: Path, name: str, token: bool) -> AsyncIterator[Exchange]:
    async with Loopback() as venues:
        venue = venues[name]
        venue.list("BTC/USDT")
        venue.list(f"{TOKEN[name]}/USDT")
        venue.quote(f"{TOKEN[name]}/USDT", 499, 501)
        venue.trade_through(f"{TOKEN[name]}/USDT", 500)
        funds = {"USDT": 100_000, "BTC": 1} | ({TOKEN[name]: 3} if token else {})
        user = venue.user("the-key", "the-secret", "the-phrase", funds)
        venue.trade_through("BTC/USDT", 30_000)
        exchange = Exchange(folder, venues, venue, user)
        exchange.fees_in = TOKEN[name] if token else IN_KIND[name]
        await exchange.open()
        await exchange.engine.desk.arm(exchange.account, CAPS, 8)
        yield exchange
        await exchange.close()


# -- fees in kind -------------------------------------------------------------------------------------------------


async def test_after_a_walk_of_trades_the_journal_equals_the_venue_whatever_fees_are_taken_in(
    paying: Exchange,
) -> None:
    choose = random.Random(7)
    for _ in range(10):
        side = Side.BUY if choose.random() < 0.6 else Side.SELL
        quantity = f"0.0{choose.randrange(1000, 9999)}"
        if choose.random() < 0.5:
            order = await paying.places(side, Market(), quantity)
            assert (order.status, order.filled) == (OrderStatus.FILLED, D(quantity))
        else:
            await paying.places(side, Limit(paying.price - side.sign * choose.randrange(20, 200)), quantity)
        await paying.moves(float(paying.price + choose.randrange(-150, 150)))
    await paying.engine.desk.cancel_all(paying.account)
    fills = await paying.engine.desk.fills(paying.account)
    assert {fill.fee_asset for fill in fills if fill.side is Side.BUY} == {paying.fees_in}
    assert all(fill.fee > 0 for fill in fills)
    assert [text for text in await paying.told() if "LIVE trading" not in text] == []
    await paying.agrees()


async def test_a_replacement_after_a_partial_fill_makes_exactly_what_was_wanted(paying: Exchange) -> None:
    old = await paying.places(Side.BUY, Limit(D(29_900)), "0.1")
    paying.venue.quote("BTC/USDT", 29_850, 29_960)
    other = paying.venue.user("another-key", "another-secret", "another-phrase", {"BTC": 1})
    paying.venue.place(other, Ticket("BTC/USDT", "sell", "limit", D("0.03"), price=D(29_900)))
    await paying.passes()
    assert (await paying.now(old)).filled == D("0.03")
    request = await paying.engine.desk.redraft(paying.account, old.number, price=D(29_960))
    new = await paying.engine.desk.replace(request)
    await paying.passes()
    assert (await paying.now(old)).filled + (await paying.now(new)).filled == D("0.1")
    assert sum((fill.quantity for fill in paying.venue.fills if fill.user == paying.user.id), D(0)) == D("0.1")
    await paying.agrees()


# -- orders of several orders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("price", [31_010, 28_990])
async def test_of_an_oco_one_leg_fills_and_the_other_ends(exchange: Exchange, price: float) -> None:
    order = await exchange.places(Side.SELL, OneCancelsOther(D(31_000), D(29_000)), "0.1")
    assert order.status is OrderStatus.OPEN
    await exchange.moves(30_500, price, price)
    after = await exchange.now(order)
    assert (after.status, after.filled) == (OrderStatus.FILLED, D("0.1"))
    assert exchange.live_there() == 0
    await exchange.agrees()


@pytest.mark.parametrize("kind", [TrailingStop(D("0.02")), TrailingStop(distance=D(500), activation=D(30_200))])
async def test_a_trailing_stop_follows_across_a_restart_and_then_sells(exchange: Exchange, kind: TrailingStop) -> None:
    order = await exchange.places(Side.SELL, kind, "0.1")
    await exchange.moves(30_300, 30_900)
    await exchange.crash()
    await exchange.open()
    await exchange.moves(30_700)
    assert (await exchange.now(order)).filled == 0
    await exchange.moves(30_200, 30_200)
    after = await exchange.now(order)
    assert (after.status, after.filled) == (OrderStatus.FILLED, D("0.1"))
    await exchange.agrees()


async def test_a_bracket_sells_what_its_entry_left_of_the_coins(exchange: Exchange) -> None:
    order = await exchange.places(Side.BUY, Bracket(Market(), D(29_000), D(31_000)), "0.1")
    await exchange.passes()
    await exchange.crash()
    await exchange.open()
    await exchange.moves(30_200, 28_900, 28_900)
    after = await exchange.now(order)
    assert (after.status, after.filled) == (OrderStatus.FILLED, D("0.1"))
    assert after.reason == "The protective stop was reached."
    left = exchange.venue.balances(exchange.user)["BTC"] - 1
    assert 0 <= left < D("0.00001")
    assert exchange.live_there() == 0
    await exchange.agrees()


async def test_a_bracket_that_is_cancelled_says_that_its_coins_are_unprotected(exchange: Exchange) -> None:
    order = await exchange.places(Side.BUY, Bracket(Market(), D(29_000), D(31_000)), "0.1")
    await exchange.passes()
    assert exchange.live_there() == 1
    after = await exchange.engine.desk.cancel(exchange.account, order.number)
    assert after.reason is not None
    assert "and nothing protects them now." in after.reason
    assert any("and nothing protects them now." in text for text in await exchange.told())
    assert exchange.live_there() == 0
    await exchange.agrees()


async def test_an_iceberg_and_a_ladder_fill_as_the_market_falls(exchange: Exchange) -> None:
    iceberg = await exchange.places(Side.BUY, Iceberg(D(29_900), D("0.04")), "0.1")
    ladder = await exchange.places(Side.BUY, Ladder((D(29_800), D(29_700)), (), D(29_000), D(31_000)), "0.1")
    await exchange.moves(29_890, 29_880, 29_870, 29_790)
    assert (await exchange.now(iceberg)).status is OrderStatus.FILLED
    assert (await exchange.now(ladder)).filled == D("0.05")
    await exchange.crash()
    await exchange.open()
    await exchange.moves(29_690, 31_010, 31_020)
    after = await exchange.now(ladder)
    assert (after.status, after.filled, after.reason) == (OrderStatus.FILLED, D("0.1"), "The target was reached.")
    assert exchange.live_there() == 0
    await exchange.agrees()


async def test_a_twap_trades_its_slices_over_the_time(exchange: Exchange) -> None:
    order = await exchange.places(Side.BUY, Twap(4, 2), "0.1")
    await exchange.passes(1)
    assert (await exchange.now(order)).filled == D("0.05")
    exchange.clock.ahead += 2.5
    await exchange.passes()
    after = await exchange.now(order)
    assert (after.status, after.filled) == (OrderStatus.FILLED, D("0.1"))
    assert len(await exchange.children(order)) == 2
    await exchange.agrees()


async def test_a_grid_buys_and_sells_again_until_it_is_cancelled(exchange: Exchange) -> None:
    order = await exchange.places(Side.BUY, Grid(D(29_000), D(31_000), 5), "0.4")
    assert exchange.live_there() == 2
    await exchange.moves(29_490, 30_010, 29_490)
    assert (await exchange.now(order)).filled > 0
    await exchange.crash()
    await exchange.open()
    await exchange.passes()
    after = await exchange.engine.desk.cancel(exchange.account, order.number)
    assert after.status is OrderStatus.CANCELLED
    assert "stay with you, and nothing protects them now." in (after.reason or "")
    assert exchange.live_there() == 0
    await exchange.agrees()


# -- protection -------------------------------------------------------------------------------------------------


async def test_a_stop_that_is_refused_leaves_the_old_one_in_its_place(exchange: Exchange) -> None:
    desk = exchange.engine.desk
    await desk.protect(exchange.account, exchange.coin, stop=D(29_000))
    await desk.protect(exchange.account, exchange.coin, stop=D(29_100))
    path = {"binance": "POST /api/v3/order", "kucoin": "POST /api/v1/stop-order"}[exchange.venue.name]
    exchange.venue.misbehave("429", path)
    with pytest.raises(Conflict, match="The new order was refused") as refused:
        await desk.protect(exchange.account, exchange.coin, stop=D(29_200))
    assert refused.value.hint == "Your BTC is protected as it was before."
    (left,) = await desk.orders(exchange.account)
    assert (left.request.type, left.request.quantity) == (Stop(D(29_100)), D(1))
    assert exchange.live_there() == 1
    await exchange.agrees()
