"""Orders, stop orders, OCO, fills and the account in KuCoin's shapes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

from tests.simulators.venues.kucoin_market import identity, levels, listing_of, name, plain
from tests.simulators.venues.values import ZERO, Fill, Order, Refusal, Side, Ticket
from tests.simulators.venues.venue import User, Venue

Params = Mapping[str, Any]
Function = Callable[[User, Params, str], Any]


class Orders:
    """The signed part of the API. A stop order keeps its id when it triggers; the real venue gives it a new one."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._names = count(1)
        self._lists: dict[str, tuple[str, int]] = {}  # clientOid of an OCO -> user, group

    def route(self, method: str, path: str) -> tuple[Function, str] | None:
        """What answers, and the last part of the path where that is a parameter."""
        exact, prefixed = self._routes()
        if (method, path) in exact:
            return exact[method, path], ""
        head, _, tail = path.rpartition("/")
        found = prefixed.get((method, head))
        return None if found is None else (found, tail)

    def _routes(self) -> tuple[dict[tuple[str, str], Function], dict[tuple[str, str], Function]]:
        one, two = "/api/v1", "/api/v3"
        exact: dict[tuple[str, str], Function] = {
            ("POST", f"{one}/stop-order"): self._place,
            ("GET", f"{one}/accounts"): self._accounts,
            ("GET", f"{one}/trade-fees"): self._fees,
            ("GET", f"{one}/base-fee"): self._base_fee,
            ("GET", f"{one}/orders"): self._page,
            ("GET", f"{one}/limit/orders"): lambda user, params, _: [row(each) for each in self._plain(user, params)],
            ("GET", f"{one}/stop-order"): self._stops,
            ("GET", f"{one}/stop-order/queryOrderByClientOid"): lambda user, params, _: [
                stop_row(self._named(user, params["clientOid"]))
            ],
            ("GET", f"{one}/fills"): self._fills,
            ("GET", f"{one}/limit/fills"): lambda user, params, _: self._fills(user, params, "")["items"],
            ("GET", f"{one}/hf/fills"): self._hf_fills,
            ("GET", f"{one}/hf/orders/active"): lambda user, params, _: [
                hf_row(each) for each in self._plain(user, params) if each.live
            ],
            ("GET", f"{one}/hf/orders/done"): self._hf_done,
            ("POST", f"{one}/hf/orders/alter"): self._alter,
            ("DELETE", f"{one}/orders"): self._cancel_all,
            ("DELETE", f"{one}/hf/orders"): self._cancel_all,
            ("DELETE", f"{one}/hf/orders/cancelAll"): self._cancel_all,
            ("DELETE", f"{one}/stop-order/cancel"): self._cancel_stops,
            ("DELETE", f"{one}/stop-order/cancelOrderByClientOid"): self._cancel_named,
            ("GET", f"{two}/margin/symbols"): lambda *_: {"timestamp": self._venue.now(), "items": []},
            ("GET", f"{one}/isolated/symbols"): lambda *_: [],
            ("GET", f"{two}/market/orderbook/level2"): lambda user, params, _: levels(
                self._venue, listing_of(self._venue, params["symbol"]), None
            ),
            ("POST", f"{two}/oco/order"): self._place_list,
            ("GET", "/api/ua/v1/account/mode"): lambda *_: {"selfAccountMode": "CLASSIC"},
            ("GET", "/api/v2/user-info"): lambda *_: {"level": 0, "subQuantity": 0},
        }
        prefixed: dict[tuple[str, str], Function] = {
            ("GET", f"{one}/stop-order"): lambda user, _, part: stop_row(self._numbered(user, part)),
            ("DELETE", f"{one}/stop-order"): self._cancel,
            ("GET", f"{two}/oco/order"): lambda user, _, part: self._list_row(user, self._numbered(user, part)),
            ("GET", f"{two}/oco/client-order"): lambda user, _, part: self._list_row(
                user, self._named_list(user, part)
            ),
            ("DELETE", f"{two}/oco/order"): self._cancel,
            ("DELETE", f"{two}/oco/client-order"): lambda user, _, part: self._cancelled(
                user, self._named_list(user, part)
            ),
        }
        for kind in ("", "/hf"):
            for end in ("", "/test", "/sync"):
                exact["POST", f"{one}{kind}/orders{end}"] = self._try if end == "/test" else self._place
        prefixed["GET", f"{one}/orders"] = lambda user, _, part: row(self._numbered(user, part))
        prefixed["GET", f"{one}/order/client-order"] = lambda user, _, part: row(self._named(user, part))
        prefixed["GET", f"{one}/hf/orders"] = lambda user, _, part: hf_row(self._numbered(user, part))
        prefixed["GET", f"{one}/hf/orders/client-order"] = lambda user, _, part: hf_row(self._named(user, part))
        prefixed["DELETE", f"{one}/orders"] = self._cancel
        prefixed["DELETE", f"{one}/order/client-order"] = self._cancel_client
        prefixed["DELETE", f"{one}/hf/orders"] = lambda user, params, part: {
            "orderId": self._cancel(user, params, part)["cancelledOrderIds"][0]
        }
        prefixed["DELETE", f"{one}/hf/orders/client-order"] = lambda user, params, part: {
            "clientOid": self._cancel_client(user, params, part)["clientOid"]
        }
        return exact, prefixed

    # -- placing and cancelling --------------------------------------------------------------------------------------

    def _place(self, user: User, params: Params, _: str) -> Any:
        order = self._venue.matching.place(user.id, self._ticket(params))
        return {"orderId": name(order.id), "clientOid": order.ticket.client_id}

    def _try(self, user: User, params: Params, _: str) -> Any:
        return {"orderId": name(0), "clientOid": self._ticket(params).client_id}

    def _ticket(self, params: Params) -> Ticket:
        """Raises Refusal."""
        symbol = listing_of(self._venue, params.get("symbol")).symbol
        kind, side_name, force = params.get("type", "limit"), params["side"], params.get("timeInForce", "GTC")
        if kind not in ("limit", "market") or side_name not in ("buy", "sell"):
            raise Refusal("parameters", f"type {kind}, side {side_name}")
        side: Side = "buy" if side_name == "buy" else "sell"
        if not params.get("clientOid"):
            raise Refusal("parameters", "clientOid")
        ticket = Ticket(
            symbol,
            side,
            "limit" if kind == "limit" else "market",
            _number(params, "size"),
            spend=None if params.get("size") else _number(params, "funds"),
            price=_number(params, "price") if kind == "limit" else None,
            time_in_force=force if force in ("IOC", "FOK") else "GTC",
            post_only=bool(params.get("postOnly")),
            visible=_number(params, "visibleSize") if params.get("iceberg") else None,
            client_id=params["clientOid"],
            extra={"force": force, "stop": params.get("stop", ""), "remark": params.get("remark")},
        )
        if kind == "limit" and ticket.price is None:
            raise Refusal("parameters", "price")
        if force == "GTT":
            ticket = replace(ticket, expires=self._venue.matching.now() + int(params["cancelAfter"]) * 1000)
        trigger = _number(params, "stopPrice")
        if trigger is None:
            return ticket
        last = self._venue.matching.last.get(symbol, ZERO)
        stop = params.get("stop") or ("entry" if trigger >= last else "loss")  # entry: at or above, loss: at or below
        return replace(ticket, trigger=trigger, rising=stop == "entry", extra={**ticket.extra, "stop": stop})

    def _cancel(self, user: User, params: Params, part: str) -> Any:
        return self._cancelled(user, self._numbered(user, part, "unknown"))

    def _cancel_named(self, user: User, params: Params, _: str) -> Any:
        order = self._venue.matching.find(user.id, params["clientOid"])
        if order is None:
            raise Refusal("unknown", params["clientOid"])
        self._venue.matching.cancel(user.id, order.id)
        return {"cancelledOrderId": name(order.id), "cancelledOcoOrderIds": None, "clientOid": order.ticket.client_id}

    def _cancel_client(self, user: User, params: Params, part: str) -> Any:
        done = self._cancel_named(user, {"clientOid": part}, part)
        return {name: done[name] for name in ("cancelledOrderId", "clientOid")}

    def _cancelled(self, user: User, order: Order) -> Any:
        legs = [order]
        if order.group is not None:
            legs = [each for each in self._venue.matching.of(user.id) if each.group == order.group]
        live = next((leg for leg in legs if leg.live), order)
        self._venue.matching.cancel(user.id, live.id)
        return {"cancelledOrderIds": [name(leg.id) for leg in legs]}

    def _cancel_all(self, user: User, params: Params, _: str) -> Any:
        found = [each for each in self._plain(user, params) if each.live]
        for order in found:
            if order.live:
                self._venue.matching.cancel(user.id, order.id)
        return {"cancelledOrderIds": [name(order.id) for order in found]}

    def _cancel_stops(self, user: User, params: Params, _: str) -> Any:
        chosen = str(params.get("orderIds") or "").split(",")
        found = [each for each in self._waiting(user, params) if chosen == [""] or name(each.id) in chosen]
        for order in found:
            if order.live:
                self._venue.matching.cancel(user.id, order.id)
        return {"cancelledOrderIds": [name(order.id) for order in found]}

    def _alter(self, user: User, params: Params, _: str) -> Any:
        """Cancels and places anew under the same client id; what had filled stays with the old order."""
        order = (
            self._numbered(user, params["orderId"]) if "orderId" in params else self._named(user, params["clientOid"])
        )
        if not order.live:
            raise Refusal("unknown", "altered")
        size = _number(params, "newSize") or order.ticket.quantity
        price = _number(params, "newPrice") or order.ticket.price
        self._venue.matching.cancel(user.id, order.id)
        placed = self._venue.matching.place(user.id, replace(order.ticket, quantity=size, price=price))
        return {"newOrderId": name(placed.id), "clientOid": placed.ticket.client_id}

    def _place_list(self, user: User, params: Params, _: str) -> Any:
        """A limit order at `price`, and at `stopPrice` one at `limitPrice`."""
        listing = listing_of(self._venue, params.get("symbol"))
        side: Side = "buy" if params["side"] == "buy" else "sell"
        client, quantity = params["clientOid"], Decimal(params["size"])
        target = Ticket(listing.symbol, side, "limit", quantity, price=Decimal(params["price"]), client_id=client)
        stop = replace(
            target,
            price=Decimal(params["limitPrice"]),
            trigger=Decimal(params["stopPrice"]),
            rising=side == "buy",
            client_id=f"{client}-stop",
        )
        orders = self._venue.matching.place_list(user.id, (target, stop))
        assert orders[0].group is not None
        self._lists[client] = (user.id, orders[0].group)
        return {"orderId": name(orders[0].id)}

    def _named_list(self, user: User, client: str) -> Order:
        owner, group = self._lists.get(client, ("", 0))
        for order in self._venue.matching.of(user.id):
            if owner == user.id and order.group == group:
                return order
        raise Refusal("unknown", "absent")

    def _list_row(self, user: User, order: Order) -> dict[str, Any]:
        legs = [each for each in self._venue.matching.of(user.id) if each.group == order.group]
        live = any(leg.live for leg in legs)
        done = "DONE" if any(leg.filled for leg in legs) else "CANCELLED"
        return {
            "orderId": name(legs[0].id),
            "symbol": identity(order.ticket.symbol),
            "clientOid": legs[0].ticket.client_id,
            "orderTime": order.time,
            "status": "NEW" if live else done,
        }

    # -- looking up --------------------------------------------------------------------------------------------------

    def _numbered(self, user: User, identifier: str, detail: str = "absent") -> Order:
        """Raises Refusal."""
        self._venue.matching.expire()
        order = self._venue.matching.orders.get(int(identifier, 16))
        if order is None or order.user != user.id:
            raise Refusal("unknown", detail)
        return order

    def _named(self, user: User, client: str) -> Order:
        """Raises Refusal."""
        self._venue.matching.expire()
        order = self._venue.matching.find(user.id, client)
        if order is None:
            raise Refusal("unknown", "absent")
        return order

    def _all(self, user: User, params: Params) -> list[Order]:
        """Newest first."""
        symbol = listing_of(self._venue, params["symbol"]).symbol if params.get("symbol") else None
        start, end = int(params.get("startAt") or 0), int(params.get("endAt") or 1 << 62)
        self._venue.matching.expire()
        side = params.get("side")
        found = [each for each in self._venue.matching.of(user.id, symbol) if start <= each.time <= end]
        return [each for each in reversed(found) if side in (None, each.ticket.side)]

    def _plain(self, user: User, params: Params) -> list[Order]:
        """What is in the book or has been there: stops only once they have triggered."""
        return [each for each in self._all(user, params) if each.ticket.trigger is None or each.triggered]

    def _waiting(self, user: User, params: Params) -> list[Order]:
        return [each for each in self._all(user, params) if each.status == "pending"]

    def _page(self, user: User, params: Params, _: str) -> Any:
        status = params.get("status", "done")
        found = [each for each in self._plain(user, params) if each.live == (status == "active")]
        return _paged([row(each) for each in found], params)

    def _stops(self, user: User, params: Params, _: str) -> Any:
        return _paged([stop_row(each) for each in self._waiting(user, params)], params)

    def _hf_done(self, user: User, params: Params, _: str) -> Any:
        found = [hf_row(each) for each in self._plain(user, params) if not each.live]
        return {"items": found[: int(params.get("limit") or 20)], "lastId": 0}

    def _mine(self, user: User, params: Params) -> list[dict[str, Any]]:
        symbol = listing_of(self._venue, params["symbol"]).symbol if params.get("symbol") else None
        start, end = int(params.get("startAt") or 0), int(params.get("endAt") or 1 << 62)
        wanted = int(params["orderId"], 16) if params.get("orderId") else None
        return [
            self._fill_row(fill)
            for fill in reversed(self._venue.fills)
            if fill.user == user.id and symbol in (None, fill.symbol) and wanted in (None, fill.order)
            if start <= fill.time <= end
        ]

    def _fills(self, user: User, params: Params, _: str) -> Any:
        return _paged(self._mine(user, params), params)

    def _hf_fills(self, user: User, params: Params, _: str) -> Any:
        rows = self._mine(user, params)[: int(params.get("limit") or 20)]
        return {
            "items": [each | {"id": int(each["tradeId"]), "tradeId": int(each["tradeId"])} for each in rows],
            "lastId": 0,
        }

    def _fill_row(self, fill: Fill) -> dict[str, Any]:
        listing, order = self._venue.matching.listings[fill.symbol], self._venue.matching.orders[fill.order]
        return {
            "symbol": identity(fill.symbol),
            "tradeId": str(fill.trade),
            "orderId": name(fill.order),
            "counterOrderId": name(0),
            "side": fill.side,
            "liquidity": "maker" if fill.maker else "taker",
            "forceTaker": not fill.maker,
            "price": plain(fill.price),
            "size": plain(fill.quantity),
            "funds": plain(fill.cost),
            "fee": plain(fill.fee),
            "feeRate": plain(listing.maker if fill.maker else listing.taker),
            "feeCurrency": fill.fee_asset,
            "stop": order.ticket.extra.get("stop", ""),
            "tradeType": "TRADE",
            "type": order.ticket.kind,
            "createdAt": fill.time,
        }

    # -- the account -------------------------------------------------------------------------------------------------

    def _accounts(self, user: User, params: Params, _: str) -> Any:
        accounts, kind = self._venue.matching.accounts, params.get("type", "trade")
        if kind not in ("trade", "trade_hf"):
            return []
        return [
            {
                "id": name(index + 1),
                "currency": asset,
                "type": kind,
                "balance": plain(accounts.total(user.id, asset)),
                "available": plain(accounts.free(user.id, asset)),
                "holds": plain(accounts.held(user.id, asset)),
            }
            for index, asset in enumerate(accounts.assets(user.id))
            if params.get("currency") in (None, asset)
        ]

    def _fees(self, user: User, params: Params, _: str) -> Any:
        listings = [listing_of(self._venue, each) for each in params["symbols"].split(",")]
        return [
            {
                "symbol": identity(each.symbol),
                "takerFeeRate": plain(each.taker),
                "makerFeeRate": plain(each.maker),
            }
            for each in listings
        ]

    def _base_fee(self, user: User, params: Params, _: str) -> Any:
        first = next(iter(self._venue.matching.listings.values()))
        return {"takerFeeRate": plain(first.taker), "makerFeeRate": plain(first.maker)}


def _number(params: Params, field: str) -> Decimal | None:
    value = params.get(field)
    return None if value in (None, "") else Decimal(str(value))


def _paged(rows: Sequence[dict[str, Any]], params: Params) -> dict[str, Any]:
    size, page = int(params.get("pageSize") or 50), int(params.get("currentPage") or 1)
    return {
        "currentPage": page,
        "pageSize": size,
        "totalNum": len(rows),
        "totalPage": -(-len(rows) // size),
        "items": rows[(page - 1) * size : page * size],
    }


def row(order: Order) -> dict[str, Any]:
    ticket = order.ticket
    return {
        "id": name(order.id),
        "symbol": identity(ticket.symbol),
        "opType": "DEAL",
        "type": ticket.kind,
        "side": ticket.side,
        "price": plain(ticket.price),
        "size": plain(ticket.quantity),
        "funds": plain(ticket.spend),
        "dealFunds": plain(order.cost),
        "dealSize": plain(order.filled),
        "fee": plain(next(iter(order.fees.values()), ZERO)),
        "feeCurrency": next(iter(order.fees), ticket.symbol.partition("/")[2]),
        "stp": "",
        "stop": ticket.extra.get("stop", ""),
        "stopTriggered": order.triggered,
        "stopPrice": plain(ticket.trigger),
        "timeInForce": ticket.extra.get("force", ticket.time_in_force),
        "postOnly": ticket.post_only,
        "hidden": False,
        "iceberg": ticket.visible is not None,
        "visibleSize": plain(ticket.visible),
        "cancelAfter": 0,
        "channel": "API",
        "clientOid": ticket.client_id,
        "remark": ticket.extra.get("remark") or "",
        "tags": "",
        "isActive": order.live,
        "cancelExist": order.status in ("canceled", "expired"),
        "createdAt": order.time,
        "tradeType": "TRADE",
    }


def hf_row(order: Order) -> dict[str, Any]:
    """The order as accounts of the high-frequency kind see it."""
    gone = {"stop", "stopTriggered", "stopPrice", "isActive"}
    left = ZERO if order.live else order.remaining
    return {key: value for key, value in row(order).items() if key not in gone} | {
        "active": order.live,
        "inOrderBook": order.status == "open",
        "lastUpdatedAt": order.updated,
        "cancelledSize": plain(left),
        "cancelledFunds": "0",
        "remainSize": plain(order.remaining if order.live else ZERO),
        "remainFunds": "0",
    }


def stop_row(order: Order) -> dict[str, Any]:
    return row(order) | {
        "status": "NEW" if order.status == "pending" else ("TRIGGERED" if order.triggered else "CANCELLED"),
        "orderTime": order.time * 1_000_000,
        "userId": order.user,
        "domainId": "kucoin",
        "tradeSource": "USER",
        "takerFeeRate": "0.00100000000000000000",
        "makerFeeRate": "0.00100000000000000000",
        "stopTriggerTime": order.updated if order.triggered else None,
    }
