"""What the loopback venues say has the shape of what the real ones said when it was recorded."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.simulators.test_venue_clients import BALANCES, PAIR, when
from tests.simulators.venues.clients import client
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User, Venue

pytestmark = pytest.mark.realdata


def missing(real: Any, ours: Any, where: str = "") -> list[str]:
    """What the recorded payload has and ours has not, or has with another type. Ours may hold more."""
    if real is None:
        return []
    if isinstance(real, dict):
        if not isinstance(ours, dict):
            return [f"{where}: {type(ours).__name__}"]
        absent = [f"{where}.{key}" for key in real if key not in ours]
        return absent + [
            each for key in real if key in ours for each in missing(real[key], ours[key], f"{where}.{key}")
        ]
    if isinstance(real, list):
        if not isinstance(ours, list):
            return [f"{where}: {type(ours).__name__}"]
        return missing(real[0], ours[0], f"{where}[0]") if real and ours else []
    number = (int, float)
    same = type(real) is type(ours) or (type(real) in number and type(ours) in number)
    return [] if same else [f"{where}: {type(ours).__name__} instead of {type(real).__name__}"]


def answer(shared_data: Path, venue: str, name: str) -> Any:
    listed = json.loads((shared_data / f"exchange/rest/{venue}.json").read_text())
    return next(each["response"] for each in listed if each["name"] == name)


def message(shared_data: Path, venue: str, name: str) -> Any:
    listed = json.loads((shared_data / f"exchange/ws/{venue}.json").read_text())
    frames = next(each["frames"] for each in listed if each["name"] == name)
    return next(each["data"] for each in frames if each["mark"] == "=")


@pytest.fixture
async def venues() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        for name in ("binance", "kucoin"):
            venue = loopback[name]
            venue.list(PAIR, "0.1", "0.00001", "5")
            venue.trade_through(PAIR, "60000")
        yield loopback


@pytest.fixture
def ann(venues: Loopback) -> User:
    users = [
        venues[name].user("key-of-ann", "secret-of-ann", "phrase-of-ann", BALANCES) for name in ("binance", "kucoin")
    ]
    return users[0]


async def heard(venues: Loopback, path: str, request: dict[str, Any], venue: Venue, price: str) -> list[Any]:
    """What a socket hears after its request while the market trades once, without the answer to the request."""
    address = venues.base.replace("http", "ws") + path
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as wire:
        await wire.send_json(request)
        await when(lambda: any(socket.subscriptions for socket in venue.sockets))
        venue.trade_through(PAIR, price)
        return [data for topic, data in venue.said if topic]


BINANCE_STREAMS = {
    "Spot/ExchangeData/AggregatedTrades": "btcusdt@aggTrade",
    "Spot/ExchangeData/BookTicker": "btcusdt@bookTicker",
    "Spot/ExchangeData/MiniTicker": "btcusdt@miniTicker",
    "Spot/ExchangeData/PartialBook": "btcusdt@depth5@100ms",
    "Spot/ExchangeData/Ticker": "btcusdt@ticker",
}


@pytest.mark.parametrize("name", BINANCE_STREAMS)
async def test_binance_streams(venues: Loopback, shared_data: Path, name: str) -> None:
    request = {"method": "SUBSCRIBE", "params": [BINANCE_STREAMS[name]], "id": 1}
    said = await heard(venues, "/stream.binance.com/stream", request, venues["binance"], "60100")
    assert missing(message(shared_data, "binance", name), said[-1]) == []


async def test_binance_depth_changes(venues: Loopback, shared_data: Path) -> None:
    lines = (shared_data / "exchange/recordings/BINANCE.ws.1.0").read_text().splitlines()
    recorded = next(json.loads(line.split(": ", 1)[1]) for line in lines if "depthUpdate" in line)
    request = {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 1}
    said = await heard(venues, "/stream.binance.com/stream", request, venues["binance"], "60100")
    assert missing(recorded, said[-1]) == []


async def test_binance_answers(venues: Loopback, shared_data: Path, ann: User) -> None:
    async with client(venues, "binance", ann) as exchange:
        await exchange.load_markets()
        legs = {"abovePrice": "65000", "aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS", "belowStopPrice": "55000"}
        sold = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1"}
        placed = await exchange.private_post_orderlist_oco(sold | legs)
        await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        market = await exchange.create_order(PAIR, "market", "buy", 0.1)
        pair = {"symbol": "BTCUSDT"}
        asked = {
            "Spot/Account/GetCommissionRates": exchange.private_get_account_commission(pair),
            "Spot/Account/GetUserAssets": exchange.sapi_get_capital_config_getall(),
            "Spot/ExchangeData/GetAvgPrice": exchange.public_get_avgprice(pair),
            "Spot/ExchangeData/GetKlines": exchange.public_get_klines({**pair, "interval": "1m"}),
            "Spot/ExchangeData/GetRecentTrades": exchange.public_get_trades(pair),
            "Spot/ExchangeData/GetTicker": exchange.public_get_ticker_24hr(pair),
            "Spot/Trading/GetOcoOrders": exchange.private_get_allorderlist(),
        }
        found = {name: missing(answer(shared_data, "binance", name), plain(await each)) for name, each in asked.items()}
        assert {name: gaps for name, gaps in found.items() if gaps} == {}
        margin = answer(shared_data, "binance", "Spot/Trading/PlaceMarginOCOOrder")
        spot = {
            key: value
            for key, value in margin.items()
            if key not in {"marginBuyBorrowAmount", "marginBuyBorrowAsset", "isIsolated"}
        }
        spot["orderReports"] = spot["orderReports"][1:]  # the first of ours is the limit order, as its second
        assert missing(spot, plain(placed)) == []
        folder = shared_data / "exchange/xchange/binance"
        filled = await exchange.private_get_order({**pair, "orderId": market["id"]})
        assert missing(json.loads((folder / "filled-market-order.json").read_text()), plain(filled)) == []
        still_open = await exchange.private_get_openorders(pair)
        assert missing(json.loads((folder / "open-orders.json").read_text()), plain(still_open)) == []
        depth = await exchange.public_get_depth({**pair, "limit": 5})
        assert missing(json.loads((folder / "depth.json").read_text()), plain(depth)) == []


async def test_binance_exchange_information(venues: Loopback, shared_data: Path) -> None:
    real = json.loads((shared_data / "exchange/basana/binance_btc_usdt_exchange_info.json").read_text())
    async with client(venues, "binance") as exchange:
        ours = plain(await exchange.public_get_exchangeinfo())
    assert missing(real | {"symbols": []}, ours) == []
    theirs, mine = real["symbols"][0], ours["symbols"][0]
    assert missing(theirs | {"filters": [], "permissions": []}, mine) == []
    known = {each["filterType"]: each for each in theirs["filters"]}
    for each in mine["filters"]:
        assert missing(known.get(each["filterType"]), each) == []


async def test_binance_user_data(venues: Loopback, shared_data: Path, ann: User) -> None:
    venue = venues["binance"]
    async with client(venues, "binance", ann, pro=True) as exchange:
        await exchange.load_markets()
        watch = asyncio.ensure_future(exchange.watch_orders())
        await when(lambda: any(socket.user for socket in venue.sockets))
        venue.deposit(ann, "BTC", "1")
        legs = {"abovePrice": "65000", "aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS", "belowStopPrice": "55000"}
        await exchange.private_post_orderlist_oco({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1", **legs})
        await watch
    said = dict(venue.said)
    for name, topic in (
        ("Spot/Account/AccountPosition", "outboundAccountPosition"),
        ("Spot/Account/Balance", "balanceUpdate"),
        ("Spot/Account/OcoOrder", "listStatus"),
    ):
        assert missing(message(shared_data, "binance", name), said[topic]) == []


KUCOIN_TOPICS = {
    "Spot/BestOffers": "/spotMarket/level1:BTC-USDT",
    "Spot/Book": "/spotMarket/level2Depth5:BTC-USDT",
    "Spot/Klines": "/market/candles:BTC-USDT_1min",
    "Spot/Trades": "/market/match:BTC-USDT",
}


@pytest.mark.parametrize("name", KUCOIN_TOPICS)
async def test_kucoin_streams(venues: Loopback, shared_data: Path, name: str) -> None:
    request = {"id": "1", "type": "subscribe", "topic": KUCOIN_TOPICS[name], "privateChannel": False, "response": True}
    async with client(venues, "kucoin") as exchange:
        token = (await exchange.public_post_bullet_public())["data"]["token"]
    said = await heard(venues, f"/ws-api-spot.kucoin.com/?token={token}", request, venues["kucoin"], "60100")
    assert missing(message(shared_data, "kucoin", name), said[-1]) == []


async def test_kucoin_private_streams(venues: Loopback, shared_data: Path, ann: User) -> None:
    venue = venues["kucoin"]
    async with client(venues, "kucoin", ann, pro=True) as exchange:
        await exchange.load_markets()
        watches = [
            asyncio.ensure_future(exchange.watch_orders(PAIR)),
            asyncio.ensure_future(exchange.watch_orders(PAIR, params={"trigger": True})),
        ]
        await when(lambda: sum(len(socket.subscriptions) for socket in venue.sockets) == 2)
        await exchange.create_order(PAIR, "market", "sell", 0.1, None, {"stopLossPrice": 58000})
        await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
        venue.trade_through(PAIR, "57900")
        await asyncio.gather(*watches)
    orders = [data for topic, data in venue.said if topic == "/spotMarket/tradeOrders"]
    recorded = message(shared_data, "kucoin", "Spot/NewOrder")
    assert missing(recorded, orders[0]) == []
    stops = [data for topic, data in venue.said if topic == "/spotMarket/advancedOrders"]
    assert missing(message(shared_data, "kucoin", "Spot/StopOrder"), stops[-1]) == []


async def test_kucoin_answers(venues: Loopback, shared_data: Path, ann: User) -> None:
    async with client(venues, "kucoin", ann) as exchange:
        await exchange.load_markets()
        order = await exchange.create_order(PAIR, "market", "buy", 0.1)
        done = await exchange.private_post_orders(
            {"clientOid": "two", "side": "buy", "symbol": "BTC-USDT", "type": "limit", "price": "59000", "size": "0.1"}
        )
        await exchange.create_order(
            PAIR, "limit", "sell", 0.1, 57000, {"stopLossPrice": 58000, "clientOrderId": "waits"}
        )
        oco = {"clientOid": "pair", "side": "sell", "symbol": "BTC-USDT", "price": "65000", "size": "0.1"}
        await exchange.private_post_oco_order(
            {**oco, "stopPrice": "55000", "limitPrice": "54900", "tradeType": "TRADE"}
        )
        pair, one = {"symbol": "BTC-USDT"}, {"orderId": order["id"]}
        asked = {
            "Spot/Account/GetAccounts": exchange.private_get_accounts({"type": "trade"}),
            "Spot/ExchangeData/Get24HourStats": exchange.public_get_market_stats(pair),
            "Spot/ExchangeData/GetAggregatedFullOrderBook": exchange.private_get_market_orderbook_level2(pair),
            "Spot/ExchangeData/GetAssets": exchange.public_get_currencies(),
            "Spot/ExchangeData/GetKlines": exchange.public_get_market_candles({**pair, "type": "1min"}),
            "Spot/ExchangeData/GetTicker": exchange.public_get_market_orderbook_level1(pair),
            "Spot/ExchangeData/GetTradeHistory": exchange.public_get_market_histories(pair),
            "Spot/Trading/GetOrder": exchange.private_get_orders_orderid(one),
            "Spot/Trading/GetOrderByClientOrderId": exchange.private_get_order_client_order_clientoid(
                {"clientOid": "two"}
            ),
            "Spot/Trading/GetOrders": exchange.private_get_orders({"status": "done"}),
            "Spot/Trading/GetStopOrderByClientOrderId": exchange.private_get_stop_order_queryorderbyclientoid(
                {"clientOid": "waits"}
            ),
            "Spot/Trading/GetUserTrades": exchange.private_get_fills(one),
            "Spot/Trading/GetOcoOrderByClientOrderId": exchange.private_get_oco_client_order_clientoid(
                {"clientOid": "pair"}
            ),
            "Spot/HfTrading/GetUserTrades": exchange.private_get_hf_fills(pair),
            "Spot/HfTrading/GetClosedOrders": exchange.private_get_hf_orders_done(pair),
            "Spot/Trading/CancelOrderByClientOrderId": exchange.private_delete_order_client_order_clientoid(
                {"clientOid": "two"}
            ),
            "Spot/Trading/CancelStopOrders": exchange.private_delete_stop_order_cancel(pair),
        }
        found = {}
        for name, each in asked.items():
            real = answer(shared_data, "kucoin", name)
            found[name] = missing(real["data"], plain(await each)["data"])
        assert missing(answer(shared_data, "kucoin", "Spot/Trading/PlaceOrder")["data"], plain(done)["data"]) == []
    assert {name: gaps for name, gaps in found.items() if gaps} == {}


def plain(value: Any) -> Any:
    """ccxt's reading of JSON; its numbers may be text there."""
    return json.loads(json.dumps(value, default=lambda number: float(Decimal(str(number)))))
