"""Orders, lists, fills and the account in Binance's shapes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

from tests.simulators.venues.binance_market import identity, listing_of, text
from tests.simulators.venues.values import Fill, Order, Refusal, Side, Ticket
from tests.simulators.venues.venue import User, Venue

Params = Mapping[str, str]
CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
STATUS = {"pending": "NEW", "open": "NEW", "filled": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED"}


class Refused(Exception):
    """Binance's own code and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Orders:
    """The signed part of the API."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._names = count(1)
        self._lists: dict[int, dict[str, Any]] = {}

    def routes(self) -> dict[tuple[str, str], Callable[[User, Params], Any]]:
        return {
            ("POST", "/api/v3/order"): self._place,
            ("POST", "/api/v3/order/test"): self._try,
            ("GET", "/api/v3/order"): lambda user, params: order_row(self._find(user, params, -2013)),
            ("DELETE", "/api/v3/order"): self._cancel,
            ("POST", "/api/v3/order/cancelReplace"): self._replace,
            ("GET", "/api/v3/openOrders"): self._open,
            ("DELETE", "/api/v3/openOrders"): self._cancel_all,
            ("GET", "/api/v3/allOrders"): self._all,
            ("GET", "/api/v3/myTrades"): self._trades,
            ("GET", "/api/v3/account"): self._account,
            ("GET", "/api/v3/account/commission"): self._commission,
            ("GET", "/api/v3/rateLimit/order"): lambda user, params: [],
            ("POST", "/api/v3/order/oco"): self._old_list,
            ("POST", "/api/v3/orderList/oco"): self._list,
            ("GET", "/api/v3/orderList"): lambda user, params: self._list_row(user, self._list_of(user, params)),
            ("DELETE", "/api/v3/orderList"): self._cancel_list,
            ("GET", "/api/v3/openOrderList"): lambda user, params: self._lists_of(user, live=True),
            ("GET", "/api/v3/allOrderList"): lambda user, params: self._lists_of(user, live=False),
            ("GET", "/sapi/v1/asset/tradeFee"): self._fees,
            ("GET", "/sapi/v1/capital/config/getall"): self._coins,
            ("GET", "/sapi/v1/margin/allPairs"): lambda user, params: [],
            ("GET", "/sapi/v1/margin/isolated/allPairs"): lambda user, params: [],
            ("GET", "/sapi/v1/margin/allAssets"): lambda user, params: [],
            ("GET", "/sapi/v1/bnbBurn"): lambda user, params: {
                "spotBNBBurn": self._venue.matching.accounts.pays_discounted.get(user.id, False),
                "interestBNBBurn": False,
            },
            ("GET", "/sapi/v1/account/apiRestrictions"): self._restrictions,
        }

    def list_of(self, group: int) -> dict[str, Any]:
        return self._lists[group]

    # -- single orders -----------------------------------------------------------------------------------------------

    def _place(self, user: User, params: Params) -> Any:
        order = self._venue.matching.place(user.id, self._ticket(params, params["side"], params["type"]))
        return self._placed(order, params.get("newOrderRespType", "FULL"))

    def _try(self, user: User, params: Params) -> Any:
        self._ticket(params, params["side"], params["type"])
        return {}

    def _placed(self, order: Order, shape: str) -> dict[str, Any]:
        row = {
            "symbol": identity(order.ticket.symbol),
            "orderId": order.id,
            "orderListId": order.group or -1,
            "clientOrderId": order.ticket.client_id,
            "transactTime": order.updated,
        }
        if shape == "ACK":
            return row
        row |= _amounts(order) | {"workingTime": -1 if order.status == "pending" else order.time}
        row["selfTradePreventionMode"] = "NONE"
        if shape == "FULL":
            fills = [fill for fill in self._venue.fills if fill.order == order.id]
            row["fills"] = [
                {
                    "price": text(fill.price),
                    "qty": text(fill.quantity),
                    "commission": text(fill.fee),
                    "commissionAsset": fill.fee_asset,
                    "tradeId": fill.trade,
                }
                for fill in fills
            ]
        return row

    def _cancel(self, user: User, params: Params) -> Any:
        order = self._find(user, params, -2011)
        if not order.live:
            raise Refused(400, -2011, "Unknown order sent.")
        self._venue.matching.cancel(user.id, order.id)
        if order.group is not None:
            return self._list_row(user, order.group, reports=True)
        return self._canceled(order, params.get("newClientOrderId"))

    def _canceled(self, order: Order, name: str | None = None) -> dict[str, Any]:
        return {
            "symbol": identity(order.ticket.symbol),
            "origClientOrderId": order.ticket.client_id,
            "orderId": order.id,
            "orderListId": order.group or -1,
            "clientOrderId": name or self._name(),
            "transactTime": order.updated,
            **_amounts(order),
            "selfTradePreventionMode": "NONE",
        }

    def _replace(self, user: User, params: Params) -> Any:
        """Cancels, then places; STOP_ON_FAILURE does not place where there was nothing to cancel."""
        ticket = self._ticket(params, params["side"], params["type"])
        named = {"symbol": params["symbol"]}
        for ours, theirs in (("orderId", "cancelOrderId"), ("origClientOrderId", "cancelOrigClientOrderId")):
            if theirs in params:
                named[ours] = params[theirs]
        try:
            canceled = self._cancel(user, named)
        except Refused as refused:
            if params.get("cancelReplaceMode") != "ALLOW_FAILURE":
                raise Refused(400, -2022, "Order cancel-replace failed.") from refused
            canceled = {"code": refused.code, "msg": refused.message}
        order = self._venue.matching.place(user.id, ticket)
        return {
            "cancelResult": "FAILURE" if "code" in canceled else "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": canceled,
            "newOrderResponse": self._placed(order, params.get("newOrderRespType", "FULL")),
        }

    def _open(self, user: User, params: Params) -> Any:
        symbol = listing_of(self._venue, params["symbol"]).symbol if "symbol" in params else None
        return [order_row(order) for order in self._venue.matching.of(user.id, symbol, live=True)]

    def _cancel_all(self, user: User, params: Params) -> Any:
        symbol = listing_of(self._venue, params.get("symbol")).symbol
        found = self._venue.matching.of(user.id, symbol, live=True)
        if not found:
            raise Refused(400, -2011, "Unknown order sent.")
        for order in found:
            if order.live:
                self._venue.matching.cancel(user.id, order.id)
        lists = dict.fromkeys(order.group for order in found if order.group is not None)
        single = [self._canceled(order) for order in found if order.group is None]
        return single + [self._list_row(user, group, reports=True) for group in lists]

    def _all(self, user: User, params: Params) -> Any:
        found = self._venue.matching.of(user.id, listing_of(self._venue, params.get("symbol")).symbol)
        start, end = int(params.get("startTime", 0)), int(params.get("endTime", 1 << 62))
        after, limit = int(params.get("orderId", 0)), int(params.get("limit", 500))
        rows = [order_row(each) for each in found if start <= each.time <= end and each.id >= after]
        return rows[:limit] if "startTime" in params or "orderId" in params else rows[-limit:]

    def _trades(self, user: User, params: Params) -> Any:
        symbol = listing_of(self._venue, params.get("symbol")).symbol
        start, end = int(params.get("startTime", 0)), int(params.get("endTime", 1 << 62))
        first, limit, order = int(params.get("fromId", 0)), int(params.get("limit", 500)), params.get("orderId")
        rows = [
            _trade_row(fill)
            for fill in self._venue.fills
            if fill.user == user.id and fill.symbol == symbol and start <= fill.time <= end and fill.trade >= first
            if order is None or fill.order == int(order)
        ]
        return rows[:limit] if "startTime" in params or "fromId" in params else rows[-limit:]

    def _find(self, user: User, params: Params, code: int) -> Order:
        """By the venue's id, else by client id. Raises Refused with the code."""
        listing = listing_of(self._venue, params.get("symbol"))
        matching = self._venue.matching
        matching.expire()
        if "orderId" in params:
            order = matching.orders.get(int(params["orderId"]))
        else:
            order = matching.find(user.id, params["origClientOrderId"])
        if order is None or order.user != user.id or order.ticket.symbol != listing.symbol:
            raise Refused(400, code, "Order does not exist." if code == -2013 else "Unknown order sent.")
        return order

    def _ticket(self, params: Params, side_name: str, kind: str, leg: str = "") -> Ticket:
        """What is asked, from the fields of an order or of one leg of a list. Raises Refusal, Refused."""

        def given(name: str) -> str | None:
            return params.get(leg + name[0].upper() + name[1:] if leg else name) or None

        def number(name: str) -> Decimal | None:
            value = given(name)
            return None if value is None else Decimal(value)

        symbol = listing_of(self._venue, params.get("symbol")).symbol
        side: Side = "buy" if side_name == "BUY" else "sell"
        client = given("clientOrderId") if leg else params.get("newClientOrderId")
        if client is not None and not CLIENT_ID.match(client):
            raise Refused(400, -1100, "Illegal characters found in parameter 'newClientOrderId'.")
        quantity = Decimal(params["quantity"]) if params.get("quantity") else None
        stop, trail = number("stopPrice"), number("trailingDelta")
        ticket = Ticket(
            symbol,
            side,
            "limit" if "LIMIT" in kind else "market",
            quantity,
            price=number("price") if "LIMIT" in kind else None,
            post_only=kind == "LIMIT_MAKER",
            visible=number("icebergQty"),
            client_id=client or self._name(),
            extra={"type": kind},
        )
        if "LIMIT" in kind and ticket.price is None:
            raise Refused(400, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
        if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            force = given("timeInForce")
            if force == "IOC" or force == "FOK":
                ticket = replace(ticket, time_in_force=force)
            elif force != "GTC":
                raise Refused(400, -1115, "Invalid timeInForce.")
        if kind == "MARKET" and quantity is None and "quoteOrderQty" in params:
            return replace(ticket, spend=Decimal(params["quoteOrderQty"]))
        if quantity is None:
            raise Refused(400, -1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.")
        if kind.startswith(("STOP_LOSS", "TAKE_PROFIT")):
            # A stop of a sell lies below the market, its target above; of a buy the other way round.
            rising = (side == "buy") == kind.startswith("STOP_LOSS")
            if trail is not None:
                return replace(ticket, trail=trail / 10_000, activation=stop, rising=rising)
            if stop is None:
                raise Refused(400, -1102, "Param 'stopPrice' or 'trailingDelta' must be sent.")
            return replace(ticket, trigger=stop, rising=rising)
        if kind not in ("LIMIT", "LIMIT_MAKER", "MARKET"):
            raise Refused(400, -1116, "Invalid orderType.")
        return ticket

    def _name(self) -> str:
        return f"venue{next(self._names):017d}"

    # -- lists -------------------------------------------------------------------------------------------------------

    def _list(self, user: User, params: Params) -> Any:
        above = self._ticket(params, params["side"], params["aboveType"], "above")
        below = self._ticket(params, params["side"], params["belowType"], "below")
        return self._begin_list(user, params, above, below)

    def _old_list(self, user: User, params: Params) -> Any:
        stop_kind = "STOP_LOSS_LIMIT" if "stopLimitPrice" in params else "STOP_LOSS"
        common = {"symbol": params["symbol"], "quantity": params["quantity"]}
        limit = common | {
            "price": params["price"],
            "newClientOrderId": params.get("limitClientOrderId") or self._name(),
        }
        stop = common | {
            "stopPrice": params["stopPrice"],
            "price": params.get("stopLimitPrice", ""),
            "timeInForce": params.get("stopLimitTimeInForce", "GTC"),
            "newClientOrderId": params.get("stopClientOrderId") or self._name(),
        }
        target = self._ticket(limit, params["side"], "LIMIT_MAKER")
        protection = self._ticket(stop, params["side"], stop_kind)
        pair = (target, protection) if params["side"] == "SELL" else (protection, target)
        return self._begin_list(user, params, *pair)

    def _begin_list(self, user: User, params: Params, above: Ticket, below: Ticket) -> Any:
        last = self._venue.matching.last.get(above.symbol)
        marks = [leg.trigger or leg.activation or leg.price for leg in (above, below)]
        if marks[0] is not None and marks[1] is not None and not marks[0] > marks[1]:
            raise Refused(400, -1158, "The relationship of the prices for the orders is not correct.")
        if last is not None and any(
            mark is not None and ((mark > last) != higher) for mark, higher in zip(marks, (True, False), strict=True)
        ):
            raise Refused(400, -2010, "The relationship of the prices for the orders is not correct.")
        orders = self._venue.matching.place_list(user.id, (above, below))
        group = orders[0].group
        assert group is not None
        name = params.get("listClientOrderId") or self._name()
        self._lists[group] = {"user": user.id, "name": name, "time": orders[0].time, "symbol": above.symbol}
        return self._list_row(user, group, reports=True)

    def _cancel_list(self, user: User, params: Params) -> Any:
        group = self._list_of(user, params)
        legs = [order for order in self._legs(user, group) if order.live]
        if not legs:
            raise Refused(400, -2011, "Unknown order list sent.")
        self._venue.matching.cancel(user.id, legs[0].id)
        return self._list_row(user, group, reports=True)

    def _list_of(self, user: User, params: Params) -> int:
        wanted = params.get("orderListId"), params.get("listClientOrderId") or params.get("origClientOrderId")
        for group, known in self._lists.items():
            if known["user"] == user.id and (str(group) == wanted[0] or known["name"] == wanted[1]):
                return group
        raise Refused(400, -2018, "Order list does not exist.")

    def _lists_of(self, user: User, *, live: bool) -> list[dict[str, Any]]:
        rows = [self._list_row(user, group) for group, known in self._lists.items() if known["user"] == user.id]
        return [row for row in rows if not live or row["listOrderStatus"] == "EXECUTING"]

    def _legs(self, user: User, group: int) -> list[Order]:
        return [order for order in self._venue.matching.of(user.id) if order.group == group]

    def _list_row(self, user: User, group: int, reports: bool = False) -> dict[str, Any]:
        legs, known = self._legs(user, group), self._lists[group]
        live = any(order.live for order in legs)
        row: dict[str, Any] = {
            "orderListId": group,
            "contingencyType": "OCO",
            "listStatusType": "EXEC_STARTED" if live else "ALL_DONE",
            "listOrderStatus": "EXECUTING" if live else "ALL_DONE",
            "listClientOrderId": known["name"],
            "transactionTime": known["time"],
            "symbol": identity(known["symbol"]),
            "orders": [
                {"symbol": identity(order.ticket.symbol), "orderId": order.id, "clientOrderId": order.ticket.client_id}
                for order in legs
            ],
        }
        if reports:
            row["orderReports"] = [
                self._placed(order, "RESULT") if order.live else self._canceled(order) for order in legs
            ]
        return row

    # -- the account -------------------------------------------------------------------------------------------------

    def _account(self, user: User, params: Params) -> Any:
        accounts, listings = self._venue.matching.accounts, self._venue.matching.listings.values()
        maker = max((listing.maker for listing in listings), default=Decimal(0))
        taker = max((listing.taker for listing in listings), default=Decimal(0))
        rows = [
            {"asset": asset, "free": text(accounts.free(user.id, asset)), "locked": text(accounts.held(user.id, asset))}
            for asset in accounts.assets(user.id)
        ]
        nothing = params.get("omitZeroBalances") == "true"
        return {
            "makerCommission": int(maker * 10_000),
            "takerCommission": int(taker * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": text(maker), "taker": text(taker), "buyer": text(None), "seller": text(None)},
            "canTrade": user.may_trade,
            "canWithdraw": False,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": self._venue.now(),
            "accountType": "SPOT",
            "balances": [row for row in rows if not nothing or Decimal(row["free"]) or Decimal(row["locked"])],
            "permissions": ["SPOT"],
            "uid": 354937868,
        }

    def _commission(self, user: User, params: Params) -> Any:
        listing = listing_of(self._venue, params.get("symbol"))
        nothing = dict.fromkeys(("maker", "taker", "buyer", "seller"), text(None))
        return {
            "symbol": identity(listing.symbol),
            "standardCommission": nothing | {"maker": text(listing.maker), "taker": text(listing.taker)},
            "specialCommission": nothing,
            "taxCommission": nothing,
            "discount": {
                "enabledForAccount": self._venue.matching.accounts.pays_discounted.get(user.id, False),
                "enabledForSymbol": True,
                "discountAsset": "BNB",
                "discount": text(self._venue.matching.rules.discount_factor),
            },
        }

    def _fees(self, user: User, params: Params) -> Any:
        listings = self._venue.matching.listings.values()
        return [
            {
                "symbol": identity(listing.symbol),
                "makerCommission": str(listing.maker),
                "takerCommission": str(listing.taker),
            }
            for listing in listings
            if params.get("symbol") in (None, identity(listing.symbol))
        ]

    def _coins(self, user: User, params: Params) -> Any:
        listings = self._venue.matching.listings.values()
        coins = dict.fromkeys(asset for listing in listings for asset in (listing.base, listing.quote))
        accounts = self._venue.matching.accounts
        return [
            {
                "coin": coin,
                "depositAllEnable": True,
                "withdrawAllEnable": True,
                "name": coin,
                "free": text(accounts.free(user.id, coin)),
                "locked": text(accounts.held(user.id, coin)),
                "freeze": "0",
                "withdrawing": "0",
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "isLegalMoney": False,
                "trading": True,
                "networkList": [
                    {
                        "network": coin,
                        "coin": coin,
                        "withdrawIntegerMultiple": "0.00000001",
                        "isDefault": True,
                        "depositEnable": True,
                        "withdrawEnable": True,
                        "depositDesc": "",
                        "withdrawDesc": "",
                        "name": coin,
                        "withdrawFee": "0.0005",
                        "withdrawMin": "0.001",
                        "withdrawMax": "9999",
                        "minConfirm": 1,
                        "unLockConfirm": 0,
                        "addressRegex": "",
                        "memoRegex": "",
                        "specialTips": "",
                        "sameAddress": False,
                        "estimatedArrivalTime": 25,
                        "busy": False,
                    }
                ],
            }
            for coin in coins
        ]

    def _restrictions(self, user: User, params: Params) -> Any:
        return {
            "ipRestrict": False,
            "createTime": 1_700_000_000_000,
            "enableReading": True,
            "enableSpotAndMarginTrading": user.may_trade,
            "enableWithdrawals": False,
            "enableMargin": False,
            "enableFutures": False,
        }


def status_of(order: Order) -> str:
    return "PARTIALLY_FILLED" if order.live and order.filled else STATUS[order.status]


def _amounts(order: Order) -> dict[str, Any]:
    ticket = order.ticket
    row: dict[str, Any] = {
        "price": text(ticket.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "origQuoteOrderQty": text(ticket.spend),
        "cummulativeQuoteQty": text(order.cost),
        "status": status_of(order),
        "timeInForce": ticket.time_in_force,
        "type": order_type(order),
        "side": ticket.side.upper(),
    }
    stop = ticket.trigger or ticket.activation
    if stop is not None:
        row["stopPrice"] = text(stop)
    if ticket.trail is not None:
        row["trailingDelta"] = int(ticket.trail * 10_000)
    return row


def order_type(order: Order) -> str:
    """As it was asked for; of an order placed by hand, what it would have been."""
    ticket = order.ticket
    if "type" in ticket.extra:
        return str(ticket.extra["type"])
    if ticket.trigger is not None:
        return "STOP_LOSS_LIMIT" if ticket.kind == "limit" else "STOP_LOSS"
    return ticket.kind.upper()


def order_row(order: Order) -> dict[str, Any]:
    return {
        "symbol": identity(order.ticket.symbol),
        "orderId": order.id,
        "orderListId": order.group or -1,
        "clientOrderId": order.ticket.client_id,
        **_amounts(order),
        "stopPrice": text(order.ticket.trigger or order.ticket.activation),
        "icebergQty": text(order.ticket.visible),
        "time": order.time,
        "updateTime": order.updated,
        "isWorking": order.status != "pending",
        "workingTime": -1 if order.status == "pending" else order.time,
        "selfTradePreventionMode": "NONE",
    }


def _trade_row(fill: Fill) -> dict[str, Any]:
    return {
        "symbol": identity(fill.symbol),
        "id": fill.trade,
        "orderId": fill.order,
        "orderListId": -1,
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "quoteQty": text(fill.cost),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time,
        "isBuyer": fill.side == "buy",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


__all__ = ["Orders", "Refusal", "Refused", "order_row", "order_type", "status_of"]
