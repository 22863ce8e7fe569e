"""Unmodified ccxt and ccxt.pro trade at the loopback Kraken, in its own names, words and checksums."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.simulators.test_venue_clients import BALANCES, PAIR, watching, when
from tests.simulators.test_venue_shapes import answer, missing, plain
from tests.simulators.venues.clients import client
from tests.simulators.venues.kraken_market import checksum
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User, Venue

SECRET = base64.b64encode(b"secret-of-ann").decode()
CLIENT = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def venues() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        venue = loopback["kraken"]
        for symbol in (PAIR, "BTC/USD"):
            venue.list(symbol, "0.1", "0.00000001", "5", min_quantity="0.0001", maker="0.0025", taker="0.004")
            venue.trade_through(symbol, "60000")
        yield loopback


@pytest.fixture
def venue(venues: Loopback) -> Venue:
    return venues["kraken"]


@pytest.fixture
def ann(venue: Venue) -> User:
    return venue.user("key-of-ann", SECRET, None, BALANCES)


async def test_pairs_come_under_krakens_names(venues: Loopback) -> None:
    async with client(venues, "kraken") as exchange:
        markets = await exchange.load_markets()
        assert {symbol: market["id"] for symbol, market in markets.items()} == {
            PAIR: "XBTUSDT",
            "BTC/USD": "XXBTZUSD",
        }
        market = markets[PAIR]
        assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.00000001)
        assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.0001, 5)
        assert (market["maker"], market["taker"]) == (0.0025, 0.004)
        book = await exchange.fetch_order_book(PAIR, 20)
        assert (book["bids"][0][0], book["asks"][0][0]) == (59999.9, 60000.1)
        ticker = await exchange.fetch_ticker(PAIR)
        assert (ticker["bid"], ticker["ask"], ticker["last"]) == (59999.9, 60000.1, 60000)
        assert set(await exchange.fetch_tickers()) == {PAIR, "BTC/USD"}
        assert [trade["price"] for trade in await exchange.fetch_trades(PAIR)] == [60000]
        ((_, opened, _, _, closed, _),) = await exchange.fetch_ohlcv(PAIR, "1m")
        assert (opened, closed) == (60000, 60000)
        assert await exchange.fetch_time() > 1_700_000_000_000
        assert (await exchange.fetch_status())["status"] == "ok"
        assert exchange.currencies["BTC"]["id"] == "XXBT"
        with pytest.raises(ccxt.ExchangeError, match="Invalid arguments:interval"):
            await exchange.public_get_ohlc({"pair": "XBTUSDT", "interval": "7"})


async def test_an_order_lives_and_dies_and_its_client_id_is_free_again(
    venues: Loopback, venue: Venue, ann: User
) -> None:
    async with client(venues, "kraken", ann) as exchange:
        await exchange.load_markets()
        named = {"clientOrderId": CLIENT}
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, named)
        assert placed["info"]["descr"]["order"] == "buy 0.10000000 XBTUSDT @ limit 59000.0"
        (found,) = await exchange.fetch_open_orders(PAIR, params=named)
        assert (found["id"], found["clientOrderId"], found["status"]) == (placed["id"], CLIENT, "open")
        assert (found["price"], found["amount"]) == (59000, 0.1)
        assert not await exchange.fetch_open_orders(PAIR, params={"clientOrderId": "f" * 32})
        assert (await exchange.fetch_balance())["USDT"]["used"] >= 5900
        with pytest.raises(ccxt.BaseError, match="cl_ord_id"):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, named)
        await exchange.cancel_order(None, PAIR, named)
        (ended,) = await exchange.fetch_closed_orders(PAIR, params=named)
        assert (ended["id"], ended["status"]) == (placed["id"], "canceled")
        assert venue.matching.accounts.held(ann.id, "USDT") == 0
        assert (await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, named))["id"] != placed["id"]
        await exchange.cancel_all_orders()
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order(placed["id"], PAIR)
        with pytest.raises(ccxt.InvalidOrder):
            await exchange.fetch_order("OAAAAA-BBBBB-CCCCCC", PAIR)


async def test_fees_are_taken_in_quote(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "kraken", ann) as exchange:
        await exchange.load_markets()
        order = await exchange.create_order(PAIR, "market", "buy", 0.1)
        await exchange.create_order(PAIR, "market", "sell", 0.05)
        spent = await exchange.create_market_order_with_cost(PAIR, "buy", 1000)
        trades = await exchange.fetch_my_trades(PAIR)
        assert {trade["fee"]["currency"] for trade in trades} == {"USDT"}
        assert sum(Decimal(str(trade["fee"]["cost"])) for trade in trades) == sum(fill.fee for fill in venue.fills)
        assert venue.fills[0].fee == Decimal("60000.1") * Decimal("0.1") * Decimal("0.004")
        known = await exchange.fetch_order(order["id"], PAIR)
        assert (known["status"], known["filled"], known["average"]) == ("closed", 0.1, 60000.1)
        details = await exchange.fetch_order_trades(order["id"], PAIR, params={"trades": known["trades"]})
        assert [(each["order"], each["amount"]) for each in details] == [(order["id"], 0.1)]
        in_quote = (await exchange.fetch_order(spent["id"], PAIR))["info"]
        assert (float(in_quote["vol"]), "viqc" in in_quote["oflags"]) == (1000, True)
        assert (await exchange.fetch_balance())["BTC"]["total"] == float(venue.balances(ann)["BTC"])
        fee = await exchange.fetch_trading_fee(PAIR)
        assert (fee["maker"], fee["taker"]) == (0.0025, 0.004)


@pytest.mark.parametrize(
    ("kind", "price", "params", "passed", "status"),
    [
        ("market", None, {"stopLossPrice": 58000}, "57900", "closed"),
        ("limit", 57000, {"stopLossPrice": 58000}, "57900", "closed"),
        ("market", None, {"takeProfitPrice": 62000}, "62100", "closed"),
        ("limit", 63000, {"takeProfitPrice": 62000}, "62100", "open"),
        ("market", None, {"trailingPercent": "1"}, "59000", "closed"),
        ("market", None, {"trailingAmount": "500"}, "59000", "closed"),
        ("market", None, {"trailingAmount": "5000"}, "59000", "open"),
    ],
)
async def test_orders_wait_for_their_price(
    venues: Loopback, venue: Venue, ann: User, kind: str, price: float | None, params: Any, passed: str, status: str
) -> None:
    async with client(venues, "kraken", ann) as exchange:
        await exchange.load_markets()
        order = await exchange.create_order(PAIR, kind, "sell", 0.1, price, params)
        (waiting,) = await exchange.fetch_open_orders(PAIR)
        assert (waiting["id"], waiting["filled"]) == (order["id"], 0)
        venue.trade_through(PAIR, passed)
        assert (await exchange.fetch_order(order["id"], PAIR))["status"] == status


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({"secret": base64.b64encode(b"wrong").decode()}, ccxt.BaseError, "EAPI:Invalid signature"),
        ({"apiKey": "nobody"}, ccxt.AuthenticationError, "EAPI:Invalid key"),
    ],
)
async def test_a_wrong_key_is_refused(venues: Loopback, keys: Any, error: Any, words: str, ann: User) -> None:
    async with client(venues, "kraken", ann, **keys) as exchange:
        with pytest.raises(error, match=words):
            await exchange.fetch_balance()


async def test_a_nonce_has_to_rise(venues: Loopback, ann: User) -> None:
    async with client(venues, "kraken", ann) as exchange:
        await exchange.fetch_balance()
        exchange.incrementing_nonce = lambda: 1
        with pytest.raises(ccxt.InvalidNonce):
            await exchange.fetch_balance()


async def test_a_read_only_key_may_not_trade(venues: Loopback, venue: Venue) -> None:
    reader = venue.user("key-of-reader", SECRET, None, BALANCES, may_trade=False)
    async with client(venues, "kraken", reader) as exchange:
        assert (await exchange.fetch_balance())["BTC"]["total"] == 2
        with pytest.raises(ccxt.PermissionDenied):
            await exchange.create_order(PAIR, "market", "buy", 0.1)
        assert not venue.orders


async def test_what_may_not_be_traded_is_refused_in_the_venues_words(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "kraken", ann) as exchange:
        await exchange.load_markets()
        with pytest.raises(ccxt.InsufficientFunds, match="EOrder:Insufficient funds"):
            await exchange.create_order(PAIR, "limit", "buy", 100, 59000)
        with pytest.raises(ccxt.ExchangeError, match="EOrder:Cost minimum not met"):
            await exchange.create_order(PAIR, "limit", "buy", 0.0001, 40000)
        with pytest.raises(ccxt.InvalidOrder, match="volume minimum not met"):
            await exchange.create_order(PAIR, "limit", "buy", 0.00005, 59000)
        with pytest.raises(ccxt.BaseError, match="EOrder:Post only order"):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 60500, {"postOnly": True})
        long = {"clientOrderId": "longer than 18 signs it is"}
        with pytest.raises(ccxt.ExchangeError, match="Invalid arguments:cl_ord_id"):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, long)
        venue.halt(PAIR)
        with pytest.raises(ccxt.OnMaintenance):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        assert not venue.orders


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", ccxt.DDoSProtection),
        ("418", ccxt.DDoSProtection),
        ("451", ccxt.ExchangeError),
        ("500", ccxt.ExchangeNotAvailable),
        ("503", ccxt.ExchangeNotAvailable),
        ("lost_request", ccxt.NetworkError),
    ],
)
async def test_a_request_fails_once_and_nothing_is_done(
    venues: Loopback, venue: Venue, ann: User, kind: Any, error: Any
) -> None:
    async with client(venues, "kraken", ann) as exchange:
        await exchange.load_markets()
        venue.misbehave(kind, "POST /0/private/AddOrder")
        with pytest.raises(error):
            await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        assert not venue.orders
        assert (await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000))["id"]


async def test_a_watched_book_follows_every_change_within_its_depth(venues: Loopback, venue: Venue) -> None:
    async with client(venues, "kraken", pro=True) as exchange:
        await exchange.watch_order_book(PAIR)
        for price in ("61000", "59500", "60250.5"):
            venue.trade_through(PAIR, price, size="3", levels=15)
            best = float(Decimal(price) - Decimal("0.1"))
            await when(lambda best=best: exchange.orderbooks[PAIR]["bids"][0][0] == best)
        real = venue.matching.books[PAIR]
        for side, ours in (("bids", "buy"), ("asks", "sell")):
            levels = [(float(level[0]), float(level[1])) for level in exchange.orderbooks[PAIR][side]]
            assert levels == [(float(price), float(size)) for price, size in real.levels(ours)[:10]]


async def test_tickers_candles_and_trades_are_watched(venues: Loopback, venue: Venue) -> None:
    async with client(venues, "kraken", pro=True) as exchange:
        assert (await exchange.watch_ticker(PAIR))["last"] == 60000
        assert (await exchange.watch_ohlcv(PAIR, "1m"))[-1][4] == 60000
        assert (await exchange.watch_trades(PAIR))[-1]["price"] == 60000
        watch = asyncio.ensure_future(exchange.watch_trades(PAIR))
        await asyncio.sleep(0)
        venue.trade_through(PAIR, "60100")
        assert (await watch)[-1]["price"] == 60100


async def test_orders_trades_and_balances_are_watched(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "kraken", ann, pro=True) as exchange:
        orders = await watching(venue, exchange.watch_orders(PAIR), 2)
        placed = await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, {"clientOrderId": CLIENT})
        (told,) = await orders
        assert (told["id"], told["status"], told["amount"]) == (placed["id"], "open", 0.1)
        assert told["info"]["cl_ord_id"] == CLIENT
        trades = asyncio.ensure_future(exchange.watch_my_trades(PAIR))
        await asyncio.sleep(0)
        venue.trade_through(PAIR, "58900")
        (trade,) = await trades
        assert (trade["order"], trade["price"], trade["amount"]) == (placed["id"], 59000, 0.1)
        assert (trade["takerOrMaker"], trade["fee"]["currency"]) == ("maker", "USDT")
        assert [each["id"] for each in await exchange.fetch_my_trades(PAIR)] == [trade["id"]]
        assert (await exchange.watch_balance())["BTC"]["total"] == 2.1
        balance = asyncio.ensure_future(exchange.watch_balance())
        await asyncio.sleep(0)
        venue.deposit(ann, "BTC", "1")
        assert (await balance)["BTC"]["total"] == 3.1


async def test_a_private_channel_needs_a_token(venues: Loopback, venue: Venue, ann: User) -> None:
    async with client(venues, "kraken", ann, pro=True) as exchange:

        async def forged() -> str:
            return "forged"

        exchange.authenticate = forged
        watch = asyncio.ensure_future(exchange.watch_orders(PAIR))
        await when(lambda: any("ESession:Invalid session" in str(said) for _, said in venue.said))
        assert not any(socket.user for socket in venue.sockets)
        watch.cancel()


@pytest.mark.realdata
def test_the_checksum_is_the_real_one(shared_data: Path) -> None:
    listed = (shared_data / "exchange/ws/kraken.json").read_text()
    frames = next(each["frames"] for each in json.loads(listed) if each["name"] == "Spot/AggBook")
    data = next(each["data"] for each in frames if each["mark"] == "=")["data"][0]
    sides = [[(f"{level['price']:.4f}", f"{level['qty']:.8f}") for level in data[side]] for side in ("asks", "bids")]
    assert checksum(*sides) == data["checksum"]


@pytest.mark.realdata
async def test_answers_have_the_recorded_shape(venues: Loopback, venue: Venue, shared_data: Path, ann: User) -> None:
    folder = shared_data / "exchange/xchange/kraken/dto"

    def example(path: str) -> Any:
        return json.loads((folder / path).read_text())["result"]

    async with client(venues, "kraken", ann) as exchange:
        await exchange.load_markets()
        usd = venue.user("key-of-bob", SECRET, None, {"USD": "100000", "BTC": "2", "USDT": "5"})
        exchange.apiKey = usd.key
        resting = await exchange.private_post_addorder(
            {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "50000", "volume": "0.1"}
        )
        still_open = await exchange.private_post_openorders()
        cancelled = await exchange.private_post_cancelorder({"txid": resting["result"]["txid"][0]})
        market = await exchange.private_post_addorder(
            {"pair": "XBTUSD", "type": "sell", "ordertype": "market", "volume": "0.1"}
        )
        pair, filled = {"pair": "XXBTZUSD"}, market["result"]["txid"][0]
        found = await exchange.private_post_queryorders({"txid": filled, "trades": True})
        trades = await exchange.private_post_tradeshistory()
        named = await exchange.private_post_querytrades({"txid": next(iter(trades["result"]["trades"]))})
        gaps = {
            name: missing(answer(shared_data, "kraken", f"Spot/{name}")["result"], plain(ours)["result"])
            for name, ours in {
                "Account/GetTradeVolume": await exchange.private_post_tradevolume(pair),
                "ExchangeData/GetKlines": await exchange.public_get_ohlc(pair),
                "ExchangeData/GetOrderBook": await exchange.public_get_depth(pair),
                "ExchangeData/GetTradeHistory": await exchange.public_get_trades(pair),
                "Trading/CancelOrder": cancelled,
            }.items()
        }
        both = {
            "pair": (answer(shared_data, "kraken", "Spot/ExchangeData/GetSymbols")["result"]["XXBTZUSD"],
                     plain(await exchange.public_get_assetpairs())["result"]["XXBTZUSD"]),
            "asset": (answer(shared_data, "kraken", "Spot/ExchangeData/GetAssets")["result"]["XXBT"],
                      plain(await exchange.public_get_assets())["result"]["XXBT"]),
            "placed": (example("trading/example-addorder-response-data.json"), plain(resting)["result"]),
            "open": (_first(example("trading/example-openorders-data.json")["open"]),
                     _first(plain(still_open)["result"]["open"])),
            "order": (_first(example("order/example-market-ask-order.json")), _first(plain(found)["result"])),
            "trade": (_first(answer(shared_data, "kraken", "Spot/Trading/GetUserTrades")["result"]["trades"]),
                      _first(plain(trades)["result"]["trades"])),
            "details": (_first(answer(shared_data, "kraken", "Spot/Trading/GetUserTradeDetails")["result"]),
                        _first(plain(named)["result"])),
            "token": (example("account/example-krakenWebsocketToken-data.json"),
                      plain(await exchange.private_post_getwebsocketstoken())["result"]),
            "worth": (example("account/example-tradebalanceinfo-data.json"),
                      plain(await exchange.private_post_tradebalance())["result"]),
            "ticker": (_first(example("marketdata/example-ticker-data.json")),
                       _first(plain(await exchange.public_get_ticker(pair))["result"])),
            "time": (example("marketdata/example-servertime-data.json"),
                     plain(await exchange.public_get_time())["result"]),
        }  # fmt: skip
        gaps |= {name: missing(real, ours) for name, (real, ours) in both.items()}
        balance = plain(await exchange.private_post_balance())["result"]
        assert set(balance) == {"ZUSD", "XXBT", "USDT"}
    assert {name: each for name, each in gaps.items() if each} == {}


def _first(rows: dict[str, Any]) -> Any:
    return next(iter(rows.values()))


@pytest.mark.realdata
async def test_streams_have_the_recorded_shape(venues: Loopback, venue: Venue, shared_data: Path) -> None:
    async with client(venues, "kraken", pro=True) as exchange:
        await exchange.watch_order_book(PAIR)
        await exchange.watch_ohlcv(PAIR, "5m")
        await exchange.watch_trades(PAIR)
        venue.trade_through(PAIR, "60100")
    said = [json.loads(text) for _, text in venue.said]
    listed = json.loads((shared_data / "exchange/ws/kraken.json").read_text())
    for name, kind in (("AggBook", "snapshot"), ("Kline", "update"), ("Trades", "update")):
        frames = next(each["frames"] for each in listed if each["name"] == f"Spot/{name}")
        real = next(each["data"] for each in frames if each["mark"] == "=")
        ours = next(each for each in said if (each.get("channel"), each.get("type")) == (real["channel"], kind))
        assert missing(real, ours) == [], name
