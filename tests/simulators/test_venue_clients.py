"""Unmodified ccxt and ccxt.pro trade at the loopback Binance and KuCoin, and are refused as the real ones refuse."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.simulators.venues.clients import client
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User, Venue

BALANCES = {"USDT": "100000", "BTC": "2", "BNB": "1", "KCS": "10"}
NAMES = ("binance", "kucoin")
PAIR = "BTC/USDT"


@pytest.fixture
async def venues() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        for name in NAMES:
            venue = loopback[name]
            venue.list(PAIR, "0.1", "0.00001", "5")
            venue.list("BNB/USDT", "0.1", "0.001", "5")
            venue.list("KCS/USDT", "0.001", "0.001", "5")
            venue.trade_through(PAIR, "60000")
            venue.trade_through("BNB/USDT", "500")
            venue.trade_through("KCS/USDT", "10")
        yield loopback


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def venue(venues: Loopback, name: str) -> Venue:
    return venues[name]


@pytest.fixture
def ann(venue: Venue) -> User:
    return venue.user("key-of-ann", "secret-of-ann", "phrase-of-ann", BALANCES)


def named(name: str, client_id: str) -> dict[str, str]:
    return {"origClientOrderId" if name == "binance" else "clientOid": client_id}


async def when(ready: Callable[[], Any]) -> None:
    """Waits until it is so, however long that takes; the test's own timeout ends it."""
    while not ready():  # noqa: ASYNC110  # what is waited for lies on both sides of a socket
        await asyncio.sleep(0.005)


async def watching(venue: Venue, watch: Awaitable[Any], topics: int) -> asyncio.Task[Any]:
    """Begins to watch, and returns once the venue knows of it."""
    task = asyncio.ensure_future(watch)
    await when(lambda: sum(len(each.subscriptions) + (each.user is not None) for each in venue.sockets) >= topics)
    return task


async def test_markets_come_with_their_filters(venues: Loopback, name: str) -> None:
    async with client(venues, name) as exchange:
        markets = await exchange.load_markets()
        market = markets[PAIR]
        assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.00001)
        assert market["limits"]["cost"]["min"] == 5
        book = await exchange.fetch_order_book(PAIR, 20)
        assert (book["bids"][0][0], book["asks"][0][0]) == (59999.9, 60000.1)
        ticker = await exchange.fetch_ticker(PAIR)
        assert (ticker["bid"], ticker["ask"], ticker["last"]) == (59999.9, 60000.1, 60000)
        assert [trade["price"] for trade in await exchange.fetch_trades(PAIR)] == [60000]
        ((_, opened, _, _, closed, volume),) = await exchange.fetch_ohlcv(PAIR, "1m")
        assert (opened, closed, volume) == (60000, 60000, 0.00001)
        assert await exchange.fetch_time() > 1_700_000_000_000


async def test_an_order_lives_and_dies(venues: Loopback, venue: Venue, name: str, ann: User) -> None:
    async with client(venues, name, ann) as exchange:
        await exchange.load_markets()
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, {"clientOrderId": "mine-1"})
        (found,) = await exchange.fetch_open_orders(PAIR)
        assert (found["id"], found["clientOrderId"], found["status"]) == (placed["id"], "mine-1", "open")
        known = await exchange.fetch_order(None, PAIR, named(name, "mine-1"))
        assert (known["id"], known["price"], known["amount"]) == (placed["id"], 59000, 0.1)
        balance = await exchange.fetch_balance()
        assert balance["USDT"]["used"] >= 5900
        with pytest.raises(ccxt.BaseError):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, {"clientOrderId": "mine-1"})
        await exchange.cancel_order(placed["id"], PAIR)
        assert (await exchange.fetch_order(placed["id"], PAIR))["status"] == "canceled"
        assert venue.matching.accounts.held(ann.id, "USDT") == 0
        again = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, {"clientOrderId": "mine-1"})
        assert again["id"] != placed["id"]
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.fetch_order(None, PAIR, named(name, "never-seen"))
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order(placed["id"], PAIR)


async def test_market_orders_fill_and_pay_with_the_token(venues: Loopback, venue: Venue, name: str, ann: User) -> None:
    async with client(venues, name, ann) as exchange:
        await exchange.load_markets()
        await exchange.create_order(PAIR, "market", "buy", 0.1)
        await exchange.create_market_buy_order_with_cost(PAIR, 1000)
        await exchange.create_order(PAIR, "market", "sell", 0.05)
        trades = await exchange.fetch_my_trades(PAIR)
        assert sorted(trade["amount"] for trade in trades) == [0.01666 if name == "binance" else 0.01664, 0.05, 0.1]
        assert {trade["fee"]["currency"] for trade in trades} == {"BNB" if name == "binance" else "KCS"}
        assert sum(Decimal(str(trade["fee"]["cost"])) for trade in trades) == sum(fill.fee for fill in venue.fills)
        assert (await exchange.fetch_balance())["BTC"]["total"] == float(venue.balances(ann)["BTC"])


async def test_a_stop_waits_triggers_and_is_told(venues: Loopback, venue: Venue, name: str, ann: User) -> None:
    async with client(venues, name, ann, pro=True) as exchange:
        await exchange.load_markets()
        stop = await exchange.create_order(PAIR, "market", "sell", 0.1, None, {"stopLossPrice": 58000})
        waiting = {} if name == "binance" else {"trigger": True}
        (found,) = await exchange.fetch_open_orders(PAIR, params=waiting)
        assert (found["id"], found["triggerPrice"]) == (stop["id"], 58000)
        watch = await watching(venue, exchange.watch_my_trades(PAIR), 2 if name == "kucoin" else 1)
        venue.trade_through(PAIR, "57000")
        (trade,) = await watch
        assert (trade["order"], trade["price"], trade["amount"]) == (stop["id"], 56999.9, 0.1)
        assert (await exchange.fetch_order(stop["id"], PAIR))["status"] == "closed"


async def test_orders_and_balances_are_watched(venues: Loopback, venue: Venue, name: str, ann: User) -> None:
    async with client(venues, name, ann, pro=True) as exchange:
        await exchange.load_markets()
        orders = await watching(venue, exchange.watch_orders(PAIR), 2 if name == "kucoin" else 1)
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        (told,) = await orders
        assert (told["id"], told["status"], told["amount"]) == (placed["id"], "open", 0.1)
        balance = await watching(venue, exchange.watch_balance(), 3 if name == "kucoin" else 1)
        venue.deposit(ann, "USDT", "500")
        assert (await balance)["USDT"]["free"] > 94000
        known = exchange.balance["spot" if name == "binance" else "trade"]
        free = float(venue.matching.accounts.free(ann.id, "USDT"))
        await when(lambda: exchange.balance["spot" if name == "binance" else "trade"]["USDT"]["free"] == free)
        assert known["USDT"]["used"] >= 5900


async def test_a_watched_book_follows_every_change(venues: Loopback, venue: Venue, name: str) -> None:
    async with client(venues, name, pro=True) as exchange:
        await exchange.load_markets()
        book = await exchange.watch_order_book(PAIR)
        for price in ("61000", "59500", "60250.5"):
            venue.trade_through(PAIR, price, size="3")
            await when(lambda: exchange.orderbooks[PAIR]["nonce"] == venue.matching.books[PAIR].sequence)
        real = venue.matching.books[PAIR]
        for side, ours in (("bids", "buy"), ("asks", "sell")):
            levels = [(float(level[0]), float(level[1])) for level in exchange.orderbooks[PAIR][side]]
            assert levels[:10] == [(float(price), float(size)) for price, size in real.levels(ours)[:10]]
        assert book["symbol"] == PAIR


async def test_tickers_candles_and_trades_are_watched(venues: Loopback, venue: Venue, name: str) -> None:
    async with client(venues, name, pro=True) as exchange:
        await exchange.load_markets()
        assert (await exchange.watch_ticker(PAIR))["last"] == 60000
        assert (await exchange.watch_bids_asks([PAIR]))[PAIR]["ask"] == 60000.1
        assert (await exchange.watch_ohlcv(PAIR, "1m"))[-1][4] == 60000
        before = sum(len(each.subscriptions) for each in venue.sockets)
        watch = await watching(venue, exchange.watch_trades(PAIR), before + 1)
        venue.trade_through(PAIR, "60100")
        assert [trade["price"] for trade in await watch] == [60100]


REFUSED: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("binance", {"secret": "wrong"}, ccxt.AuthenticationError),
    ("binance", {"apiKey": "nobody"}, ccxt.AuthenticationError),
    ("kucoin", {"secret": "wrong"}, ccxt.AuthenticationError),
    ("kucoin", {"apiKey": "nobody"}, ccxt.AuthenticationError),
    ("kucoin", {"password": "wrong"}, ccxt.AuthenticationError),
]


@pytest.mark.parametrize(("name", "keys", "error"), REFUSED)
async def test_a_wrong_key_is_refused(venues: Loopback, name: str, keys: Any, error: Any, ann: User) -> None:
    async with client(venues, name, ann, **keys) as exchange:
        with pytest.raises(error):
            await exchange.fetch_balance()


async def test_a_read_only_key_may_not_trade(venues: Loopback, venue: Venue, name: str) -> None:
    reader = venue.user("key-of-reader", "secret", "phrase", BALANCES, may_trade=False)
    async with client(venues, name, reader) as exchange:
        assert (await exchange.fetch_balance())["BTC"]["total"] == 2
        with pytest.raises(ccxt.BaseError):
            await exchange.create_order(PAIR, "market", "buy", 0.1)
        assert not venue.orders


async def test_a_skewed_clock_is_refused(venues: Loopback, venue: Venue, name: str, ann: User) -> None:
    async with client(venues, name, ann) as exchange:
        await exchange.load_markets()
        venue.misbehave("skew", ms=-60_000)
        with pytest.raises(ccxt.InvalidNonce):
            await exchange.fetch_balance()
        venue.calm()
        assert (await exchange.fetch_balance())["BTC"]["total"] == 2


async def test_what_may_not_be_traded_is_refused_in_the_venues_words(
    venues: Loopback, venue: Venue, name: str, ann: User
) -> None:
    async with client(venues, name, ann) as exchange:
        await exchange.load_markets()
        with pytest.raises(ccxt.InsufficientFunds):
            await exchange.create_order(PAIR, "limit", "buy", 100, 59000)
        with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest)):
            await exchange.create_order(PAIR, "limit", "buy", 0.00005, 59000)
        with pytest.raises(ccxt.InvalidOrder):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 60500, {"postOnly": True})
        venue.halt(PAIR)
        with pytest.raises(ccxt.BaseError):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        assert not venue.orders


async def test_binance_lists_end_as_one(venues: Loopback) -> None:
    venue = venues["binance"]
    ann = venue.user("key-of-ann", "secret", None, BALANCES)
    async with client(venues, "binance", ann) as exchange:
        await exchange.load_markets()
        legs = {"aboveType": "LIMIT_MAKER", "abovePrice": "65000", "belowType": "STOP_LOSS", "belowStopPrice": "55000"}
        sold = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1"}
        new = await exchange.private_post_orderlist_oco({**sold, **legs})
        assert [each["type"] for each in new["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
        old = {"price": "66000", "stopPrice": "54000", "stopLimitPrice": "53900", "stopLimitTimeInForce": "GTC"}
        other = await exchange.private_post_order_oco({**sold, **old})
        assert venue.matching.accounts.held(ann.id, "BTC") == Decimal("0.2")
        venue.trade_through(PAIR, "65500")
        states = {order["id"]: order["status"] for order in await exchange.fetch_orders(PAIR)}
        assert [states[str(each["orderId"])] for each in new["orders"]] == ["closed", "expired"]
        await exchange.private_delete_orderlist({"symbol": "BTCUSDT", "orderListId": other["orderListId"]})
        assert not await exchange.fetch_open_orders(PAIR)
        assert venue.matching.accounts.held(ann.id, "BTC") == 0


async def test_a_binance_trailing_stop_follows_the_market(venues: Loopback) -> None:
    venue = venues["binance"]
    ann = venue.user("key-of-ann", "secret", None, BALANCES)
    async with client(venues, "binance", ann) as exchange:
        await exchange.load_markets()
        params = {"trailingPercent": "1", "stopLossOrTakeProfit": "stopLoss"}
        stop = await exchange.create_order(PAIR, "market", "sell", 0.1, None, params)
        venue.trade_through(PAIR, "66000")
        assert (await exchange.fetch_order(stop["id"], PAIR))["status"] == "open"
        venue.trade_through(PAIR, "65300")
        known = await exchange.fetch_order(stop["id"], PAIR)
        assert (known["status"], known["average"]) == ("closed", 65299.9)


async def test_kucoin_serves_accounts_of_both_kinds(venues: Loopback) -> None:
    venue = venues["kucoin"]
    ann = venue.user("key-of-ann", "secret", "phrase", BALANCES)
    venue.dialect.hf = True  # type: ignore[attr-defined]  # the dialect of KuCoin
    async with client(venues, "kucoin", ann) as exchange:
        await exchange.load_markets()
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, {"clientOrderId": "one"})
        edited = await exchange.edit_order(placed["id"], PAIR, "limit", "buy", 0.2, 58000)
        (found,) = await exchange.fetch_open_orders(PAIR)
        assert (found["amount"], found["price"], found["clientOrderId"]) == (0.2, 58000, "one")
        await exchange.cancel_order(None, PAIR, {"clientOid": "one"})
        assert not await exchange.fetch_open_orders(PAIR)
        assert {each["status"] for each in await exchange.fetch_closed_orders(PAIR)} == {"canceled"}
        assert edited["id"] or placed["id"]
        stop = await exchange.create_order(PAIR, "limit", "sell", 0.1, 57000, {"stopLossPrice": 58000})
        await exchange.cancel_order(stop["id"], PAIR, {"trigger": True})
        assert not await exchange.fetch_open_orders(PAIR, params={"trigger": True})
