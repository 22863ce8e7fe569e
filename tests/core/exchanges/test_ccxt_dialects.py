"""What is sent to Coinbase and Kraken, and how their orders are found, at scripted venues."""

import base64
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import OrderRefused
from core.exchanges.ccxt import CcxtData
from core.exchanges.identity import client_id
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets
from core.trading.orders import Limit, Market, OrderRequest, OrderStatus, OrderType, Side, Stop, StopLimit, TrailingStop
from tests.core.exchanges.scripted import NOW, Asked, Scripted

KRAKEN_PAIRS = {
    "error": [],
    "result": {
        "XXBTZUSD": {
            "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT",
            "aclass_quote": "currency", "quote": "ZUSD", "lot": "unit", "cost_decimals": 5, "pair_decimals": 1,
            "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [],
            "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "fee_volume_currency": "ZUSD", "margin_call": 80,
            "margin_stop": 40, "ordermin": "0.0001", "costmin": "0.5", "tick_size": "0.1", "status": "online",
        }
    },
}  # fmt: skip


def kraken_order(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "refid": None, "userref": 0, "cl_ord_id": name, "status": "open", "opentm": NOW / 1000, "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "30000.0", "price2": "0",
            "leverage": "none", "order": "buy 0.50000000 XBTUSD @ limit 30000.0", "close": "",
        },
        "vol": "0.50000000", "vol_exec": "0.00000000", "cost": "0.00000", "fee": "0.00000", "price": "0.00000",
        "stopprice": "0.00000", "limitprice": "0.00000", "misc": "", "oflags": "fciq",
    } | changes  # fmt: skip


class Kraken:
    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.refusal: str | None = None
        self.script = {
            "GET /0/public/AssetPairs": KRAKEN_PAIRS,
            "GET /0/public/Time": {"error": [], "result": {"unixtime": NOW // 1000, "rfc1123": ""}},
            "GET /0/public/Ticker": {
                "error": [],
                "result": {
                    "XXBTZUSD": {
                        "a": ["30001.0", "1", "1.0"], "b": ["30000.0", "1", "1.0"], "c": ["30000.0", "0.1"],
                        "v": ["1", "2"], "p": ["1", "2"], "t": [1, 2], "l": ["1", "2"], "h": ["1", "2"], "o": "1",
                    }
                },
            },
            "POST /0/private/AddOrder": self._place,
            "POST /0/private/OpenOrders": lambda asked: self._listed("open", asked),
            "POST /0/private/ClosedOrders": lambda asked: self._listed("closed", asked),
            "POST /0/private/CancelOrder": lambda _: {"error": ["EOrder:Unknown order"]},
            "POST /0/private/QueryOrders": {"error": [], "result": {}},
        }  # fmt: skip

    def _place(self, asked: Asked) -> Any:
        if self.refusal is not None:
            return {"error": [self.refusal]}
        self.orders["OABC-1"] = kraken_order(asked.given["cl_ord_id"])
        return {"error": [], "result": {"descr": {"order": "buy 0.5 XBTUSD @ limit 30000.0"}, "txid": ["OABC-1"]}}

    def _listed(self, status: str, asked: Asked) -> Any:
        name = asked.given.get("cl_ord_id")
        found = {
            key: each
            for key, each in self.orders.items()
            if (each["status"] == "open") == (status == "open") and name in (None, each["cl_ord_id"])
        }
        return {"error": [], "result": {status: found, "count": len(found)}}


@pytest.fixture
def kraken() -> Kraken:
    return Kraken()


@pytest.fixture
async def venue(kraken: Kraken) -> AsyncIterator[Scripted]:
    async with Scripted(kraken.script) as server:
        yield server


@pytest.fixture
async def exchange(venue: Scripted) -> AsyncIterator[CcxtExchange]:
    data = CcxtData("kraken", venue.base, clock=SimulatedClock(from_ms(NOW)))
    keys = ExchangeSecrets("the-api-key", base64.b64encode(b"the-secret").decode())
    made = CcxtExchange("user-1@kraken", keys, data)
    for connection in (data.connection, made._connection):  # ccxt would wait a second before every question
        (await connection.open()).enableRateLimit = False
    yield made
    await made.close()
    await data.close()


async def request(
    exchange: CcxtExchange, kind: OrderType, side: Side = Side.BUY, symbol: str = "BTC/USD"
) -> OrderRequest:
    listed = await exchange.data.instrument(symbol)
    return OrderRequest("order-1", exchange.account, listed, side, kind, quantity=Decimal("0.5"), created=from_ms(NOW))


@pytest.mark.parametrize(
    ("kind", "side", "expected"),
    [
        (Limit(Decimal(30_000)), Side.BUY, {"ordertype": "limit", "price": "30000"}),
        (Market(), Side.SELL, {"ordertype": "market", "volume": "0.5"}),
        (Stop(Decimal(29_000)), Side.SELL, {"ordertype": "stop-loss", "price": "29000"}),
        (
            StopLimit(Decimal(29_000), Decimal(28_900)),
            Side.SELL,
            {"ordertype": "stop-loss-limit", "price": "29000", "price2": "28900"},
        ),
        (TrailingStop(fraction=Decimal("0.05")), Side.SELL, {"ordertype": "trailing-stop", "price": "+5%"}),
        (TrailingStop(distance=Decimal(500)), Side.SELL, {"ordertype": "trailing-stop", "price": "+500"}),
    ],
)
async def test_kraken_is_sent_its_own_types_with_fees_in_quote(
    exchange: CcxtExchange, venue: Scripted, kind: OrderType, side: Side, expected: dict[str, str]
) -> None:
    await exchange.place(await request(exchange, kind, side))
    (sent,) = venue.to("POST /0/private/AddOrder")
    assert {name: sent.get(name) for name in expected} == expected
    assert sent["oflags"] == "fciq"
    assert sent["cl_ord_id"] == client_id("order-1", "kraken")


async def test_krakens_orders_are_found_open_and_ended(exchange: CcxtExchange, kraken: Kraken) -> None:
    asked = await request(exchange, Limit(Decimal(30_000)))
    assert await exchange.find(asked.id) is None
    await exchange.place(asked)
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.OPEN
    kraken.orders["OABC-1"] |= {"status": "canceled", "reason": "User requested"}
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.CANCELLED
    assert await exchange.cancel(asked.id) is False


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("EOrder:Insufficient funds", "holds too little"),
        ("EOrder:Order minimum not met", "too small"),
        ("EAPI:Invalid key", "does not accept the API key"),
        ("EAPI:Invalid signature", "does not accept the API key"),
        ("EGeneral:Permission denied", "may not do this"),
        ("EAPI:Invalid nonce", "another program uses the same API key"),
        ("EService:Market in cancel_only mode", "does not trade this now"),
        ("EOrder:Rate limit exceeded", "did not take the order"),
    ],
)
async def test_krakens_refusals_are_told(exchange: CcxtExchange, kraken: Kraken, said: str, told: str) -> None:
    kraken.refusal = said
    with pytest.raises(OrderRefused) as refused:
        await exchange.place(await request(exchange, Limit(Decimal(30_000))))
    assert told in refused.value.sentence()
    assert refused.value.hint
