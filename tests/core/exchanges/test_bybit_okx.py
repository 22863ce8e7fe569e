"""Orders, fills and balances at Bybit and OKX, at scripted accounts in the shapes of their documentation."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Protocol

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import OrderRefused, OutcomeUnknown
from core.exchanges.ccxt import CcxtData
from core.exchanges.identity import client_id
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets
from core.trading.orders import Limit, Market, OrderRequest, OrderStatus, OrderType, Side
from tests.core.exchanges.scripted import NOW, Asked, Raw, Scripted


class Account(Protocol):
    """One order of 0.5 BTC at most, and what the venue says instead of taking it, if anything."""

    name: str
    script: dict[str, Any]
    order: dict[str, Any] | None
    refusal: tuple[str, str] | None
    placing: Raw | None
    sent: list[dict[str, Any]]

    def fill(self, quantity: str) -> None: ...


class Bybit:
    name = "bybit"

    def __init__(self) -> None:
        self.order: dict[str, Any] | None = None
        self.refusal: tuple[str, str] | None = None
        self.placing: Raw | None = None
        self.sent: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.script = {
            "GET /v5/market/instruments-info": lambda _: self.listed(
                {
                    "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "innovation": "0", "status": "Trading",
                    "marginTrading": "both", "priceFilter": {"tickSize": "0.01"},
                    "lotSizeFilter": {
                        "basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.00004",
                        "maxOrderQty": "63.01197227", "minOrderAmt": "5", "maxOrderAmt": "2000000",
                    },
                }
            ),
            "GET /v5/market/time": lambda _: self.told({"timeSecond": str(NOW // 1000), "timeNano": f"{NOW}000000"}),
            "GET /v5/market/tickers": lambda _: self.listed(
                {
                    "symbol": "BTCUSDT", "bid1Price": "30000", "bid1Size": "1", "ask1Price": "30001", "ask1Size": "1",
                    "lastPrice": "30000", "prevPrice24h": "30000", "price24hPcnt": "0", "highPrice24h": "30000",
                    "lowPrice24h": "30000", "turnover24h": "1", "volume24h": "1",
                }
            ),
            "POST /v5/order/create": self.place,
            "POST /v5/order/cancel": self.cancel,
            "GET /v5/order/realtime": lambda asked: self.listed(*self.having(asked, self.open())),
            "GET /v5/order/history": lambda asked: self.listed(*self.having(asked, not self.open())),
            "GET /v5/execution/list": lambda _: self.listed(*self.fills),
            "GET /v5/account/wallet-balance": lambda _: self.listed(
                {
                    "accountType": "UNIFIED",
                    "coin": [
                        {"coin": "BTC", "walletBalance": "0.75", "locked": "0.5", "equity": "0.75", "free": ""},
                        {"coin": "USDT", "walletBalance": "1000", "locked": "0", "equity": "1000", "free": ""},
                    ],
                }
            ),
        }  # fmt: skip

    @staticmethod
    def told(result: Any, code: int = 0, said: str = "OK") -> Any:
        return {"retCode": code, "retMsg": said, "result": result, "retExtInfo": {}, "time": NOW}

    def listed(self, *rows: dict[str, Any]) -> Any:
        return self.told({"category": "spot", "list": list(rows), "nextPageCursor": ""})

    def open(self) -> bool:
        return self.order is not None and self.order["orderStatus"] in ("New", "PartiallyFilled")

    def having(self, asked: Asked, there: bool) -> list[dict[str, Any]]:
        found = [self.order] if self.order is not None and there else []
        link, name = asked.given.get("orderLinkId"), asked.given.get("orderId")
        return [each for each in found if link in (None, each["orderLinkId"]) and name in (None, each["orderId"])]

    def place(self, asked: Asked) -> Any:
        self.sent.append(asked.given)
        if self.refusal:
            return self.told({}, int(self.refusal[0]), self.refusal[1])
        assert self.order is None, "an order was sent twice"
        self.order = {
            "orderId": "1321052653536515584", "orderLinkId": asked.given["orderLinkId"], "symbol": "BTCUSDT",
            "side": asked.given["side"], "orderType": asked.given["orderType"], "orderStatus": "New",
            "price": asked.given.get("price", "0"), "qty": asked.given["qty"], "avgPrice": "", "cumExecQty": "0",
            "cumExecValue": "0", "cumExecFee": "0", "leavesQty": asked.given["qty"], "timeInForce": "GTC",
            "createdTime": str(NOW), "updatedTime": str(NOW), "triggerPrice": "0.00", "rejectReason": "EC_NoError",
        }  # fmt: skip
        answer = {"orderId": self.order["orderId"], "orderLinkId": self.order["orderLinkId"]}
        return self.told(answer) if self.placing is None else self.placing

    def cancel(self, asked: Asked) -> Any:
        if self.order is None or not self.open():
            return self.told({}, 170213, "Order does not exist.")
        self.order["orderStatus"] = "Cancelled"
        return self.told({"orderId": self.order["orderId"], "orderLinkId": self.order["orderLinkId"]})

    def fill(self, quantity: str) -> None:
        assert self.order is not None
        self.order |= {
            "cumExecQty": quantity, "avgPrice": "30000", "cumExecValue": str(30_000 * Decimal(quantity)),
            "orderStatus": "Filled" if Decimal(quantity) == Decimal(self.order["qty"]) else "PartiallyFilled",
        }  # fmt: skip
        self.fills.append(
            {
                "symbol": "BTCUSDT",
                "orderId": self.order["orderId"],
                "orderLinkId": self.order["orderLinkId"],
                "side": self.order["side"],
                "execId": "e-1",
                "execPrice": "30000",
                "execQty": quantity,
                "execValue": str(30_000 * Decimal(quantity)),
                "execFee": "0.00025",
                "feeCurrency": "BTC",
                "execTime": str(NOW + 1),
                "isMaker": False,
                "orderType": "Limit",
                "execType": "Trade",
            }
        )


class Okx:
    name = "okx"

    def __init__(self) -> None:
        self.order: dict[str, Any] | None = None
        self.refusal: tuple[str, str] | None = None
        self.placing: Raw | None = None
        self.sent: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.script = {
            "GET /api/v5/public/instruments": lambda _: self.told(
                {
                    "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live",
                    "tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001", "maxLmtSz": "9999999999",
                    "ctVal": "", "ctMult": "", "uly": "", "settleCcy": "", "listTime": str(NOW), "lever": "10",
                }
            ),
            "GET /api/v5/public/time": lambda _: self.told({"ts": str(NOW)}),
            "GET /api/v5/market/ticker": lambda _: self.told(
                {
                    "instType": "SPOT", "instId": "BTC-USDT", "last": "30000", "lastSz": "1", "askPx": "30001",
                    "askSz": "1", "bidPx": "30000", "bidSz": "1", "open24h": "30000", "high24h": "30000",
                    "low24h": "30000", "volCcy24h": "1", "vol24h": "1", "ts": str(NOW),
                }
            ),
            "POST /api/v5/trade/batch-orders": self.place,
            "POST /api/v5/trade/order": self.place,
            "POST /api/v5/trade/cancel-order": self.cancel,
            "GET /api/v5/trade/order": self.one,
            "GET /api/v5/trade/orders-pending": lambda _: self.told(*([self.order] if self.open() else [])),
            "GET /api/v5/trade/orders-algo-pending": lambda _: self.told(),
            "GET /api/v5/trade/orders-history": lambda _: self.told(
                *([self.order] if self.order and not self.open() else [])
            ),
            "GET /api/v5/trade/fills-history": lambda _: self.told(*self.fills),
            "GET /api/v5/trade/fills": lambda _: self.told(*self.fills),
            "GET /api/v5/account/balance": lambda _: self.told(
                {
                    "totalEq": "1", "uTime": str(NOW),
                    "details": [
                        {"ccy": "BTC", "cashBal": "0.75", "availBal": "0.25", "frozenBal": "0.5", "eq": "0.75"},
                        {"ccy": "USDT", "cashBal": "1000", "availBal": "1000", "frozenBal": "0", "eq": "1000"},
                    ],
                }
            ),
        }  # fmt: skip

    @staticmethod
    def told(*rows: Any, code: str = "0", said: str = "") -> Any:
        return {"code": code, "msg": said, "data": list(rows)}

    def open(self) -> bool:
        return self.order is not None and self.order["state"] in ("live", "partially_filled")

    def one(self, asked: Asked) -> Any:
        if self.order is None or asked.given.get("clOrdId", self.order["clOrdId"]) != self.order["clOrdId"]:
            return self.told(code="51603", said="Order does not exist")
        return self.told(self.order)

    def place(self, asked: Asked) -> Any:
        given = asked.given
        self.sent.append(given)
        if self.refusal:
            row = {"clOrdId": given["clOrdId"], "ordId": "", "sCode": self.refusal[0], "sMsg": self.refusal[1]}
            return self.told(row, code="1", said="All operations failed")
        assert self.order is None, "an order was sent twice"
        self.order = {
            "instType": "SPOT", "instId": "BTC-USDT", "ordId": "312269865356374016", "clOrdId": given["clOrdId"],
            "side": given["side"], "ordType": given["ordType"], "px": given.get("px", ""), "sz": given["sz"],
            "state": "live", "accFillSz": "0", "fillSz": "0", "avgPx": "", "fee": "0", "feeCcy": "BTC", "tgtCcy": "",
            "cTime": str(NOW), "uTime": str(NOW), "tdMode": given["tdMode"], "reduceOnly": "false",
        }  # fmt: skip
        row = {"clOrdId": given["clOrdId"], "ordId": self.order["ordId"], "tag": "", "sCode": "0", "sMsg": ""}
        return self.told(row) if self.placing is None else self.placing

    def cancel(self, asked: Asked) -> Any:
        if self.order is None or not self.open():
            row = {"clOrdId": "", "ordId": "", "sCode": "51400", "sMsg": "Cancellation failed as the order is gone"}
            return self.told(row, code="1", said="")
        self.order["state"] = "canceled"
        return self.told({"clOrdId": self.order["clOrdId"], "ordId": self.order["ordId"], "sCode": "0", "sMsg": ""})

    def fill(self, quantity: str) -> None:
        assert self.order is not None
        whole = Decimal(quantity) == Decimal(self.order["sz"])
        self.order |= {
            "accFillSz": quantity, "fillSz": quantity, "avgPx": "30000", "fee": "-0.00025",
            "state": "filled" if whole else "partially_filled",
        }  # fmt: skip
        self.fills.append(
            {
                "instType": "SPOT", "instId": "BTC-USDT", "tradeId": "1", "ordId": self.order["ordId"],
                "clOrdId": self.order["clOrdId"], "billId": "1", "fillPx": "30000", "fillSz": quantity,
                "side": self.order["side"], "execType": "T", "feeCcy": "BTC", "fee": "-0.00025", "ts": str(NOW + 1),
            }
        )  # fmt: skip


ACCOUNTS: dict[str, type[Bybit] | type[Okx]] = {"bybit": Bybit, "okx": Okx}


@pytest.fixture(params=list(ACCOUNTS))
def account(request: pytest.FixtureRequest) -> Account:
    return ACCOUNTS[request.param]()


@pytest.fixture
async def exchange(account: Account) -> AsyncIterator[CcxtExchange]:
    async with Scripted(account.script) as server:
        data = CcxtData(account.name, server.base, clock=SimulatedClock(from_ms(NOW)))
        made = CcxtExchange(f"user-1@{account.name}", ExchangeSecrets("the-api-key", "the-secret", "the-phrase"), data)
        for connection in (data.connection, made._connection):  # ccxt would wait before every question
            (await connection.open()).enableRateLimit = False
        yield made
        await made.close()
        await data.close()


async def request(exchange: CcxtExchange, kind: OrderType | None = None, side: Side = Side.BUY) -> OrderRequest:
    listed = await exchange.data.instrument("BTC/USDT")
    kind = kind or Limit(Decimal(30_000))
    return OrderRequest("order-1", exchange.account, listed, side, kind, quantity=Decimal("0.5"), created=from_ms(NOW))


async def test_an_order_carries_our_id_and_is_found_by_it_open_and_ended(
    exchange: CcxtExchange, account: Account
) -> None:
    asked = await request(exchange)
    assert await exchange.find(asked.id) is None
    await exchange.place(asked)
    (sent,) = account.sent
    assert client_id("order-1", account.name) in (sent.get("orderLinkId"), sent.get("clOrdId"))
    found = await exchange.find(asked.id)
    assert found is not None
    assert (found.status, found.filled) == (OrderStatus.OPEN, 0)
    assert [each.id for each in await exchange.open_orders()] == [asked.id]
    assert await exchange.cancel(asked.id) is True
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.CANCELLED
    assert await exchange.cancel(asked.id) is False
    assert await exchange.open_orders() == []


async def test_a_market_sale_is_sent_in_coins(exchange: CcxtExchange, account: Account) -> None:
    await exchange.place(await request(exchange, Market(), Side.SELL))
    (sent,) = account.sent
    assert Decimal(sent.get("qty") or sent["sz"]) == Decimal("0.5")
    assert str(sent.get("orderType") or sent["ordType"]).lower() == "market"


async def test_fills_are_told_with_the_fee_in_the_coin_it_took(exchange: CcxtExchange, account: Account) -> None:
    asked = await request(exchange)
    await exchange.place(asked)
    account.fill("0.25")
    (fill,) = await exchange.fills_of(asked.id)
    assert (fill.price, fill.quantity, fill.fee_asset, fill.fee_amount) == (
        30_000, Decimal("0.25"), "BTC", Decimal("0.00025"),
    )  # fmt: skip
    found = await exchange.find(asked.id)
    assert found is not None
    assert (found.status, found.filled) == (OrderStatus.PARTIAL, Decimal("0.25"))
    assert [each.order for each in await exchange.recent_fills(NOW - 1000)] == [asked.id]


async def test_balances_are_whole_whatever_orders_bind(exchange: CcxtExchange) -> None:
    assert await exchange.balances() == {"BTC": Decimal("0.75"), "USDT": Decimal(1000)}


REFUSALS = [
    ("bybit", "170131", "Insufficient balance.", "holds too little"),
    ("bybit", "170140", "Order value exceeded lower limit.", "too small"),
    ("bybit", "10003", "API key is invalid.", "does not accept the API key"),
    ("bybit", "170121", "Invalid symbol.", "BTC/USDT"),
    ("okx", "51008", "Order failed. Insufficient USDT balance in account", "holds too little"),
    ("okx", "51020", "Your order should meet or exceed the minimum order amount.", "too small"),
    ("okx", "51021", "The trading pair is not open for trading", "does not trade this now"),
]


@pytest.mark.parametrize(("account", "code", "said", "told"), REFUSALS, indirect=["account"])
async def test_a_refusal_is_one_sentence(
    exchange: CcxtExchange, account: Account, code: str, said: str, told: str
) -> None:
    account.refusal = (code, said)
    with pytest.raises(OrderRefused) as refused:
        await exchange.place(await request(exchange))
    assert told in refused.value.sentence()
    assert refused.value.hint


@pytest.mark.parametrize("answer", [Raw(200, "<html>sign in</html>"), Raw(502, "Bad Gateway"), Raw(drop=True)])
async def test_an_order_whose_answer_is_lost_is_looked_up_and_not_sent_again(
    exchange: CcxtExchange, account: Account, answer: Raw
) -> None:
    account.placing = answer
    asked = await request(exchange)
    with pytest.raises(OutcomeUnknown, match=account.name):
        await exchange.place(asked)
    assert len(account.sent) == 1
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.OPEN
