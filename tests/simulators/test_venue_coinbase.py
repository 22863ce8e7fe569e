"""Unmodified ccxt and ccxt.pro trade at the loopback Coinbase, with keys of both kinds, in its own words."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.simulators.test_venue_clients import BALANCES, PAIR, watching, when
from tests.simulators.test_venue_shapes import answer, message, missing, plain
from tests.simulators.venues.clients import client
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User, Venue

CLIENT = "01234567-89ab-cdef-0123-456789abcdef"
NAMED = {"client_order_id": CLIENT}


def pem() -> str:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture
async def venues() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        venue = loopback["coinbase"]
        for symbol in (PAIR, "ETH/USDT"):
            venue.list(symbol, "0.01", "0.00000001", "1", min_quantity="0.00001", maker="0.006", taker="0.012")
        venue.trade_through(PAIR, "60000")
        yield loopback


@pytest.fixture
def venue(venues: Loopback) -> Venue:
    return venues["coinbase"]


@pytest.fixture
def ann(venue: Venue) -> User:
    return venue.user("key-of-ann", "secret-of-ann", None, BALANCES)


@pytest.fixture
def cloud(venue: Venue) -> User:
    return venue.user("organizations/one/apiKeys/two", pem(), None, BALANCES)


async def test_products_are_told(venues: Loopback) -> None:
    async with client(venues, "coinbase") as exchange:
        market = (await exchange.load_markets())[PAIR]
        assert (market["id"], market["active"]) == ("BTC-USDT", True)
        assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00000001)
        assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.00001, 1)
        book = await exchange.fetch_order_book(PAIR, 5)
        assert (book["bids"][0][0], book["asks"][0][0], len(book["bids"])) == (59999.99, 60000.01, 5)
        ticker = await exchange.fetch_ticker(PAIR)
        assert (ticker["bid"], ticker["ask"], ticker["last"]) == (59999.99, 60000.01, 60000)
        assert [trade["price"] for trade in await exchange.fetch_trades(PAIR)] == [60000]
        ((_, opened, _, _, closed, _),) = await exchange.fetch_ohlcv(PAIR, "1m")
        assert (opened, closed) == (60000, 60000)
        assert await exchange.fetch_time() > 1_700_000_000_000


@pytest.mark.parametrize("kind", ["ann", "cloud"])
async def test_an_order_lives_and_dies(
    venues: Loopback, venue: Venue, kind: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(kind)
    async with client(venues, "coinbase", user) as exchange:
        await exchange.load_markets()
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, NAMED)
        assert placed["clientOrderId"] == CLIENT
        (found,) = await exchange.fetch_open_orders(PAIR)
        assert (found["id"], found["clientOrderId"], found["status"]) == (placed["id"], CLIENT, "open")
        known = await exchange.fetch_order(placed["id"], PAIR)
        assert (known["price"], known["amount"], known["side"]) == (59000, 0.1, "buy")
        assert (await exchange.fetch_balance({"v3": True}))["USDT"]["used"] >= 5900
        again = await exchange.create_order(PAIR, "limit", "buy", 0.1, 58000, NAMED)
        assert again["id"] == placed["id"]  # the order that has the id is answered, and no other is placed
        assert len(venue.orders) == 1
        await exchange.cancel_order(placed["id"], PAIR)
        assert (await exchange.fetch_order(placed["id"], PAIR))["status"] == "canceled"
        assert venue.matching.accounts.held(user.id, "USDT") == 0
        with pytest.raises(ccxt.BadRequest):
            await exchange.cancel_order(placed["id"], PAIR)
        with pytest.raises(ccxt.ExchangeError, match="was not found"):
            await exchange.fetch_order("00000000-0000-0000-0000-000000000001", PAIR)


async def test_fees_are_taken_in_quote(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        await exchange.create_market_buy_order_with_cost(PAIR, 1000)
        sold = await exchange.create_order(PAIR, "market", "sell", 0.05)
        trades = await exchange.fetch_my_trades(PAIR)
        assert {trade["fee"]["currency"] for trade in trades} == {"USDT"}
        assert sum(Decimal(str(trade["fee"]["cost"])) for trade in trades) == sum(fill.fee for fill in venue.fills)
        known = await exchange.fetch_order(sold["id"], PAIR)
        assert (known["status"], known["filled"], known["average"]) == ("closed", 0.05, 59999.99)
        assert {each["status"] for each in await exchange.fetch_closed_orders(PAIR)} == {"closed"}
        assert (await exchange.fetch_balance())["BTC"]["total"] == float(venue.balances(ann)["BTC"])
        fee = await exchange.fetch_trading_fee(PAIR)
        assert (fee["maker"], fee["taker"]) == (0.006, 0.012)


@pytest.mark.parametrize(
    ("params", "price", "passed", "status"),
    [
        ({"stopLossPrice": 58000}, 57000, "57900", "closed"),
        ({"stopLossPrice": 58000}, 57950, "57900", "open"),
        ({"takeProfitPrice": 62000}, 61000, "62100", "closed"),
    ],
)
async def test_stops_wait_for_their_price(
    venues: Loopback, venue: Venue, ann: User, params: Any, price: float, passed: str, status: str
) -> None:
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        order = await exchange.create_order(PAIR, "limit", "sell", 0.1, price, params)
        (waiting,) = await exchange.fetch_open_orders(PAIR)
        assert (waiting["id"], waiting["filled"]) == (order["id"], 0)
        venue.trade_through(PAIR, passed)
        assert (await exchange.fetch_order(order["id"], PAIR))["status"] == status


@pytest.mark.parametrize(("passed", "average"), [("66000", 65000), ("54000", 53999.99)])
async def test_a_bracket_ends_as_one_order(
    venues: Loopback, venue: Venue, ann: User, passed: str, average: float
) -> None:
    terms = {"base_size": "0.1", "limit_price": "65000", "stop_trigger_price": "55000"}
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        bracket = {"order_configuration": {"trigger_bracket_gtc": terms}}
        order = await exchange.create_order(PAIR, "limit", "sell", 0.1, 65000, bracket)
        assert [each["id"] for each in await exchange.fetch_open_orders(PAIR)] == [order["id"]]
        venue.trade_through(PAIR, passed)
        known = await exchange.fetch_order(order["id"], PAIR)
        assert (known["status"], known["filled"], known["average"]) == ("closed", 0.1, average)
        assert [each["order"] for each in await exchange.fetch_my_trades(PAIR)] == [order["id"]]
        assert venue.matching.accounts.held(ann.id, "BTC") == 0


@pytest.mark.parametrize("keys", [{"secret": "wrong"}, {"apiKey": "nobody"}])
@pytest.mark.parametrize("kind", ["ann", "cloud"])
async def test_a_wrong_key_is_refused(
    venues: Loopback, kind: str, keys: dict[str, str], request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(kind)
    if kind == "cloud" and "secret" in keys:
        keys = {"secret": pem()}
    if kind == "cloud" and "apiKey" in keys:
        keys = {"apiKey": "organizations/one/apiKeys/three"}
    async with client(venues, "coinbase", user, **keys) as exchange:
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.v3_private_get_brokerage_accounts()


async def test_a_read_only_key_may_not_trade(venues: Loopback, venue: Venue) -> None:
    reader = venue.user("key-of-reader", "secret", None, BALANCES, may_trade=False)
    async with client(venues, "coinbase", reader) as exchange:
        assert (await exchange.fetch_balance())["BTC"]["total"] == 2
        with pytest.raises(ccxt.PermissionDenied):
            await exchange.create_order(PAIR, "market", "sell", 0.1)
        assert not venue.orders


async def test_a_skewed_clock_is_refused(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        venue.misbehave("skew", ms=-60_000)
        with pytest.raises(ccxt.BaseError, match="request timestamp expired"):
            await exchange.fetch_balance()
        venue.calm()
        assert (await exchange.fetch_balance())["BTC"]["total"] == 2


async def test_what_may_not_be_traded_is_refused_in_the_venues_words(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        with pytest.raises(ccxt.InsufficientFunds):
            await exchange.create_order(PAIR, "limit", "buy", 100, 59000)
        with pytest.raises(ccxt.ExchangeError, match="PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"):
            await exchange.create_order(PAIR, "limit", "buy", 0.000001, 59000)
        with pytest.raises(ccxt.ExchangeError, match="PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"):
            await exchange.create_order(PAIR, "limit", "buy", 0.00001, 59000)
        with pytest.raises(ccxt.ExchangeError, match="INVALID_LIMIT_PRICE_POST_ONLY"):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 60500, {"postOnly": True})
        with pytest.raises(ccxt.InvalidOrder, match="STOP_PRICE_ABOVE_LAST_TRADE_PRICE"):
            await exchange.create_order(PAIR, "limit", "sell", 0.1, 61000, {"stopLossPrice": 62000})
        venue.halt(PAIR)
        with pytest.raises(ccxt.ExchangeError, match="ORDER_ENTRY_DISABLED"):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        assert not venue.orders


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", ccxt.RateLimitExceeded),
        ("418", ccxt.RateLimitExceeded),
        ("451", ccxt.ExchangeError),
        ("500", ccxt.ExchangeError),
        ("503", ccxt.ExchangeNotAvailable),
        ("lost_request", ccxt.NetworkError),
    ],
)
async def test_a_request_fails_once_and_nothing_is_done(
    venues: Loopback, venue: Venue, ann: User, kind: Any, error: Any
) -> None:
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        venue.misbehave(kind, "POST /api/v3/brokerage/orders")
        with pytest.raises(error):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        assert not venue.orders
        assert (await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000))["id"]


async def test_a_watched_book_follows_every_change(venues: Loopback, venue: Venue) -> None:
    async with client(venues, "coinbase", pro=True) as exchange:
        await exchange.watch_order_book(PAIR)
        for price in ("61000", "59500", "60250.5"):
            venue.trade_through(PAIR, price, size="3", levels=15)
            best = float(Decimal(price) - Decimal("0.01"))
            await when(lambda best=best: exchange.orderbooks[PAIR]["bids"][0][0] == best)
        real = venue.matching.books[PAIR]
        for side, ours in (("bids", "buy"), ("asks", "sell")):
            levels = [(float(level[0]), float(level[1])) for level in exchange.orderbooks[PAIR][side]]
            assert levels == [(float(price), float(size)) for price, size in real.levels(ours)]


async def test_tickers_and_trades_are_watched_and_every_message_has_its_number(venues: Loopback, venue: Venue) -> None:
    async with client(venues, "coinbase", pro=True) as exchange:
        assert (await exchange.watch_ticker(PAIR))["last"] == 60000
        assert (await exchange.watch_tickers([PAIR]))[PAIR]["ask"] == 60000.01
        assert [trade["price"] for trade in await exchange.watch_trades(PAIR)] == [60000]
        watch = asyncio.ensure_future(exchange.watch_trades(PAIR))
        await asyncio.sleep(0)
        venue.trade_through(PAIR, "60100")
        assert (await watch)[-1]["price"] == 60100
        assert [data["sequence_num"] for _, data in venue.said] == list(range(len(venue.said)))


@pytest.mark.parametrize("kind", ["ann", "cloud"])
async def test_orders_are_watched(venues: Loopback, venue: Venue, kind: str, request: pytest.FixtureRequest) -> None:
    async with client(venues, "coinbase", request.getfixturevalue(kind), pro=True) as exchange:
        await exchange.load_markets()
        orders = asyncio.ensure_future(exchange.watch_orders(PAIR))
        await when(lambda: any(socket.user for socket in venue.sockets))
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, NAMED)
        await orders
        await when(lambda: exchange.orders and exchange.orders[-1]["id"] == placed["id"])
        venue.trade_through(PAIR, "58900")
        await when(lambda: exchange.orders[-1]["status"] == "closed")
        assert (exchange.orders[-1]["clientOrderId"], exchange.orders[-1]["filled"]) == (CLIENT, 0.1)


async def test_a_forged_subscription_is_refused(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "coinbase", ann, pro=True, secret="wrong") as exchange:
        exchange.set_markets(await client_markets(venues))
        watch = asyncio.ensure_future(exchange.watch_orders(PAIR))
        await when(lambda: any("authentication failure" in json.dumps(said) for _, said in venue.said))
        assert not any(socket.user for socket in venue.sockets)
        watch.cancel()


async def client_markets(venues: Loopback) -> Any:
    async with client(venues, "coinbase") as exchange:
        return list((await exchange.load_markets()).values())


@pytest.mark.realdata
async def test_answers_have_the_recorded_shape(venues: Loopback, venue: Venue, shared_data: Path, ann: User) -> None:
    async with client(venues, "coinbase", ann) as exchange:
        await exchange.load_markets()
        sold = await exchange.create_order(PAIR, "market", "sell", 0.1)
        resting = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        named = {"product_id": "BTC-USDT"}
        asked = {
            "Account/GetApiKeyInfo": exchange.v3_private_get_brokerage_key_permissions(),
            "Account/GetFeeInfo": exchange.v3_private_get_brokerage_transaction_summary(),
            "ExchangeData/GetFiatAssets": exchange.v2_public_get_currencies(),
            "ExchangeData/GetKlines": exchange.v3_public_get_brokerage_market_products_product_id_candles(
                named | {"granularity": "ONE_MINUTE", "start": "1600000000", "end": "4000000000"}
            ),
            "ExchangeData/GetSymbols": exchange.v3_public_get_brokerage_market_products(),
            "ExchangeData/GetTradeHistory": exchange.v3_public_get_brokerage_market_products_product_id_ticker(named),
            "Trading/GetOrder": exchange.v3_private_get_brokerage_orders_historical_order_id({"order_id": sold["id"]}),
            "Trading/CancelOrders": exchange.v3_private_post_brokerage_orders_batch_cancel(
                {"order_ids": [resting["id"]]}
            ),
        }
        gaps = {}
        for name, each in asked.items():
            real = answer(shared_data, "coinbase", f"AdvancedTrade/{name}")
            if name == "ExchangeData/GetSymbols":  # sessions and contracts are those of futures
                for field in ("fcm_trading_session_details", "future_product_details"):
                    del real["products"][0][field]
            if name == "Account/GetFeeInfo":  # not told to everyone
                real = {
                    key: value for key, value in real.items() if key not in ("margin_rate", "goods_and_services_tax")
                }
            gaps[name] = missing(real, plain(await each))
    assert {name: each for name, each in gaps.items() if each} == {}


@pytest.mark.realdata
async def test_streams_have_the_recorded_shape(venues: Loopback, venue: Venue, shared_data: Path, ann: User) -> None:
    async with client(venues, "coinbase", ann, pro=True) as exchange:
        await exchange.load_markets()
        await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        await exchange.watch_ticker(PAIR)
        await exchange.watch_trades(PAIR)
        await exchange.watch_orders(PAIR)
        await watching(venue, exchange.subscribe("heartbeats", False), 5)
        venue.trade_through(PAIR, "60100")
    said = {data["channel"]: data for _, data in reversed(venue.said)}
    for name, channel in (
        ("Ticker", "ticker"),
        ("Trades", "market_trades"),
        ("Heartbeat", "heartbeats"),
        ("User", "user"),
    ):
        real = message(shared_data, "coinbase", f"AdvancedTrade/{name}")
        if name == "User":
            real["events"][0]["positions"] = {"perpetual_futures_positions": [], "expiring_futures_positions": []}
        assert missing(real, said[channel]) == [], name
