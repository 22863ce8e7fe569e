"""A Binance account as a script of answers, in the shapes of Binance's documentation."""

from decimal import Decimal
from typing import Any

from core.market.instrument import Instrument
from tests.core.exchanges.scripted import NOW, Asked, Raw
from tests.simulators.binance_public import exchange_info

BTC = Instrument("binance", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
BNB = Instrument("binance", "BNB", "USDT", Decimal("0.1"), Decimal("0.001"), Decimal(5))
UNKNOWN = Raw(400, '{"code":-2013,"msg":"Order does not exist."}')


def order(asked: dict[str, Any], number: int = 28, **changes: Any) -> dict[str, Any]:
    """A limit order of 0.5 BTC at 30,000 as Binance tells it."""
    return {
        "symbol": "BTCUSDT", "orderId": number, "orderListId": -1,
        "clientOrderId": asked.get("newClientOrderId", "hand"),
        "price": "30000.00", "origQty": "0.50000000", "executedQty": "0.00000000", "cummulativeQuoteQty": "0.00000000",
        "status": "NEW", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "stopPrice": "0.00",
        "icebergQty": "0.00000000", "time": NOW, "updateTime": NOW, "isWorking": True, "workingTime": NOW,
        "origQuoteOrderQty": "0.00000000", "selfTradePreventionMode": "NONE",
    } | changes  # fmt: skip


def trade(number: int, order_id: int = 28, **changes: Any) -> dict[str, Any]:
    """A buy of 0.25 BTC at 30,000 with the fee in base."""
    return {
        "symbol": "BTCUSDT", "id": number, "orderId": order_id, "orderListId": -1, "price": "30000.00",
        "qty": "0.25000000", "quoteQty": "7500.00", "commission": "0.00025000", "commissionAsset": "BTC",
        "time": NOW + number, "isBuyer": True, "isMaker": False, "isBestMatch": True,
    } | changes  # fmt: skip


def _info() -> Any:
    """The pairs, with every order type that Binance has."""
    told = exchange_info([BTC, BNB], NOW)
    for symbol in told["symbols"]:
        symbol["orderTypes"] = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"]
    return told


class Account:
    """Orders by client id. `script` goes into `Scripted`."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.placing: Any = None  # answers in place of the acknowledgement, after the order was taken
        self.refusing: Any = None  # answers before it is taken
        self.script = {
            "GET /api/v3/exchangeInfo": _info(),
            "GET /api/v3/time": {"serverTime": NOW},
            "GET /api/v3/ticker/24hr": self._ticker,
            "POST /api/v3/order": self._place,
            "GET /api/v3/order": self._order,
            "DELETE /api/v3/order": self._cancel,
            "POST /api/v3/orderList/oco": self._pair,
            "GET /api/v3/openOrders": lambda _: [each for each in self.orders.values() if each["status"] == "NEW"],
            "GET /api/v3/myTrades": self._trades,
            "GET /api/v3/account": lambda _: {
                "makerCommission": 10, "takerCommission": 10, "canTrade": True, "updateTime": NOW,
                "accountType": "SPOT",
                "balances": [
                    {"asset": "BTC", "free": "0.25000000", "locked": "0.50000000"},
                    {"asset": "USDT", "free": "1000.00", "locked": "0.00"},
                    {"asset": "ETH", "free": "0.00", "locked": "0.00"},
                ],
            },
            "GET /sapi/v1/asset/tradeFee": [
                {"symbol": "BTCUSDT", "makerCommission": "0.0008", "takerCommission": "0.0009"}
            ],
            "GET /sapi/v1/bnbBurn": {"spotBNBBurn": False, "interestBNBBurn": False},
        }  # fmt: skip

    def _ticker(self, asked: Asked) -> Any:
        last = {"BNBUSDT": "600.00"}.get(asked.given["symbol"], "30000.00")
        return {
            "symbol": asked.given["symbol"],
            "lastPrice": last,
            "bidPrice": last,
            "askPrice": last,
            "closeTime": NOW,
        }

    def _place(self, asked: Asked) -> Any:
        if self.refusing is not None:
            return self.refusing
        made = order(
            asked.given,
            28 + len(self.orders),
            origQty=asked.given.get("quantity", "0"),
            price=asked.given.get("price", "0"),
            stopPrice=asked.given.get("stopPrice", "0"),
            side=asked.given["side"],
            type=asked.given["type"],
        )
        self.orders[asked.given["newClientOrderId"]] = made
        return self.placing if self.placing is not None else {**made, "transactTime": NOW, "fills": []}

    def _pair(self, asked: Asked) -> Any:
        for leg in ("above", "below"):
            name = asked.given[f"{leg}ClientOrderId"]
            self.orders[name] = order(
                {"newClientOrderId": name},
                28 + len(self.orders),
                orderListId=7,
                side=asked.given["side"],
                origQty=asked.given["quantity"],
                type=asked.given[f"{leg}Type"],
                price=asked.given.get(f"{leg}Price", "0"),
                stopPrice=asked.given.get(f"{leg}StopPrice", "0"),
            )
        return {"orderListId": 7, "listOrderStatus": "EXECUTING", "orders": []}

    def _order(self, asked: Asked) -> Any:
        if "origClientOrderId" in asked.given:
            return self.orders.get(asked.given["origClientOrderId"], UNKNOWN)
        return self._numbered(asked) or UNKNOWN

    def _numbered(self, asked: Asked) -> Any:
        wanted = (asked.given["symbol"], int(asked.given["orderId"]))
        return next((each for each in self.orders.values() if (each["symbol"], each["orderId"]) == wanted), None)

    def _cancel(self, asked: Asked) -> Any:
        found = self._numbered(asked)
        if found is None or found["status"] != "NEW":
            return Raw(400, '{"code":-2011,"msg":"Unknown order sent."}')
        for each in self.orders.values():
            if each is found or (found["orderListId"] != -1 and each["orderListId"] == found["orderListId"]):
                each["status"] = "CANCELED"
        return found

    def _trades(self, asked: Asked) -> Any:
        wanted = asked.given.get("orderId")
        mine = [each for each in self.trades if each["symbol"] == asked.given["symbol"]]
        return [each for each in mine if wanted is None or each["orderId"] == int(wanted)]
