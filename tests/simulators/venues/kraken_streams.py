"""Kraken's websockets, version 2: public and, with a token from REST, private channels."""

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from tests.simulators.venues.candles import MINUTE
from tests.simulators.venues.kraken_market import (
    INTERVALS,
    best,
    checksum,
    day_of,
    encoded,
    iso,
    number,
    price_text,
    size_text,
    vwap,
)
from tests.simulators.venues.kraken_orders import name
from tests.simulators.venues.values import (
    ZERO,
    BalancesMoved,
    BookMoved,
    Event,
    Fill,
    Listing,
    Order,
    OrderChanged,
    Traded,
)
from tests.simulators.venues.venue import Socket, User, Venue

PUBLIC, PRIVATE = "ws.kraken.com", "ws-auth.kraken.com"
CHANNELS = ("ticker", "book", "trade", "ohlc")
DEPTHS = (10, 25, 100, 500, 1000)
SNAPSHOT = 50  # trades that are told at the beginning
STATES = {"pending": "new", "open": "new", "filled": "filled", "canceled": "canceled", "expired": "expired"}
View = dict[str, list[tuple[str, str]]]


class Streams:
    """What goes out to which socket; a subscription is kept as 'CHANNEL:SYMBOL', a private one by its channel."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._tokens: dict[str, User] = {}
        self._numbers = count(1)

    def token(self, user: User) -> dict[str, Any]:
        token = f"token-of-the-websockets-{next(self._numbers)}"
        self._tokens[token] = user
        return {"token": token, "expires": 900}

    def connected(self, socket: Socket) -> None:
        data = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": next(self._numbers)}
        self._send(socket, {"channel": "status", "type": "update", "data": [data]}, "")

    def heard(self, socket: Socket, message: str) -> None:
        asked = json.loads(message)
        method, params = asked.get("method"), asked.get("params") or {}
        if method == "ping":
            self._answer(socket, asked, {"method": "pong"})
        elif method not in ("subscribe", "unsubscribe"):
            self._answer(socket, asked, {"method": method, "error": "Method not supported", "success": False})
        elif params.get("channel") in ("executions", "balances"):
            self._private(socket, asked, method, params)
        else:
            for symbol in params.get("symbol") or [""]:
                self._public(socket, asked, method, params, symbol)

    def happened(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case BookMoved():
                    self._tell_book(event)
                case Traded():
                    self._tell_trade(event)
                case OrderChanged():
                    self._tell_order(event)
                case BalancesMoved():
                    self._tell_balances(event)
        for symbol in dict.fromkeys(each.symbol for each in events if isinstance(each, Traded | BookMoved)):
            traded = any(isinstance(each, Traded) and each.symbol == symbol for each in events)
            self._tell_summaries(symbol, traded)

    # -- subscribing -------------------------------------------------------------------------------------------------

    def _public(self, socket: Socket, asked: Any, method: str, params: Any, symbol: str) -> None:
        channel = params.get("channel")
        error = None
        if channel not in CHANNELS:
            error = "Subscription name invalid"
        elif symbol not in self._venue.matching.listings:
            error = f"Currency pair not supported {symbol}"
        elif channel == "book" and params.get("depth", 10) not in DEPTHS:
            error = "Subscription depth not supported"
        elif channel == "ohlc" and params.get("interval", 1) not in INTERVALS:
            error = "Subscription ohlc interval not supported"
        elif method == "subscribe" and f"{channel}:{symbol}" in socket.subscriptions:
            error = "Already subscribed"
        if error is not None:
            self._answer(socket, asked, {"method": method, "error": error, "success": False, "symbol": symbol})
            return
        result = {key: value for key, value in params.items() if key != "symbol"} | {"symbol": symbol}
        if method == "unsubscribe":
            socket.subscriptions.pop(f"{channel}:{symbol}", None)
            self._answer(socket, asked, {"method": method, "result": result, "success": True})
            return
        self._answer(socket, asked, {"method": method, "result": result | {"snapshot": True}, "success": True})
        kept = socket.subscriptions[f"{channel}:{symbol}"] = dict(params)
        self._greet(socket, channel, self._venue.matching.listings[symbol], kept)

    def _greet(self, socket: Socket, channel: str, listing: Listing, kept: dict[str, Any]) -> None:
        topic = f"{channel}:{listing.symbol}"
        match channel:
            case "book":
                view = kept["view"] = self._view(listing, kept.get("depth", 10))
                self._send_book(socket, topic, listing, "snapshot", view, view)
            case "ticker":
                self._send(socket, self._ticker(listing, "snapshot"), topic)
            case "trade":
                trades = list(self._venue.matching.trades[listing.symbol])[-SNAPSHOT:]
                rows = [self._trade(listing, each) for each in trades]
                self._send(socket, {"channel": "trade", "type": "snapshot", "data": rows}, topic)
            case "ohlc":
                self._send(socket, self._candles(listing, kept.get("interval", 1), "snapshot", 50), topic)

    def _private(self, socket: Socket, asked: Any, method: str, params: Any) -> None:
        channel, user = params["channel"], self._tokens.get(params.get("token", ""))
        if user is None or socket.question.host != PRIVATE:
            error = "ESession:Invalid session" if user is None else "Private data are served at ws-auth.kraken.com"
            self._answer(socket, asked, {"method": method, "error": error, "success": False})
            return
        socket.user = user
        self._answer(socket, asked, {"method": method, "result": {"channel": channel}, "success": True})
        if method == "unsubscribe":
            socket.subscriptions.pop(channel, None)
            return
        kept = socket.subscriptions[channel] = {"sequence": 0, "told": {}}
        if channel == "balances":
            self._greet_with_balances(socket, user, kept)
            return
        if params.get("snap_orders"):
            orders = self._venue.matching.of(user.id, live=True)
            rows = [self._order(each, "new", whole=True) for each in orders]
            self._send_private(socket, "executions", "snapshot", rows)
        if params.get("snap_trades"):
            fills = [each for each in self._venue.fills if each.user == user.id][-SNAPSHOT:]
            trades = [self._fill(each) for each in fills]
            self._send_private(socket, "executions", "snapshot", trades)

    def _greet_with_balances(self, socket: Socket, user: User, kept: dict[str, Any]) -> None:
        accounts, rows = self._venue.matching.accounts, []
        for asset in accounts.assets(user.id):
            total = accounts.total(user.id, asset)
            kept["told"][asset] = total
            wallet = {"type": "spot", "id": "main", "balance": number(f"{total:f}")}
            head = {"asset": asset, "asset_class": "currency", "balance": number(f"{total:f}")}
            rows.append(head | {"wallets": [wallet]})
        self._send_private(socket, "balances", "snapshot", rows)

    # -- public ------------------------------------------------------------------------------------------------------

    def _listening(self, topic: str) -> list[tuple[Socket, dict[str, Any]]]:
        return [(each, each.subscriptions[topic]) for each in self._venue.sockets if topic in each.subscriptions]

    def _view(self, listing: Listing, depth: int) -> View:
        book = self._venue.matching.books[listing.symbol]
        return {
            name: [(price_text(listing, p), size_text(listing, s)) for p, s in book.levels(side, depth)]
            for name, side in (("bids", "buy"), ("asks", "sell"))
        }

    def _tell_book(self, moved: BookMoved) -> None:
        """Every level that is new or changed in what the client sees, and those that are gone from the book.

        What was pushed out of the depth is not told: the client cuts it off.
        """
        listing = self._venue.matching.listings[moved.symbol]
        whole = {name: dict(levels) for name, levels in self._view(listing, 10**6).items()}
        for socket, kept in self._listening(f"book:{moved.symbol}"):
            before, view = kept["view"], self._view(listing, kept.get("depth", 10))
            changes: View = {}
            for side in ("bids", "asks"):
                known = dict(before[side])
                gone = [(price, size_text(listing, ZERO)) for price in known if price not in whole[side]]
                changes[side] = gone + [(price, size) for price, size in view[side] if known.get(price) != size]
            kept["view"] = view
            if changes["bids"] or changes["asks"]:
                self._send_book(socket, f"book:{moved.symbol}", listing, "update", changes, view)

    def _send_book(self, socket: Socket, topic: str, listing: Listing, kind: str, levels: View, view: View) -> None:
        data: dict[str, Any] = {"symbol": listing.symbol}
        for side in ("bids", "asks"):
            data[side] = [{"price": number(price), "qty": number(size)} for price, size in levels[side]]
        data["checksum"] = checksum(view["asks"], view["bids"])
        if kind == "update":
            data["timestamp"] = iso(self._venue.now())
        self._send(socket, {"channel": "book", "type": kind, "data": [data]}, topic)

    def _tell_trade(self, trade: Traded) -> None:
        topic = f"trade:{trade.symbol}"
        data = [self._trade(self._venue.matching.listings[trade.symbol], trade)]
        for socket, _ in self._listening(topic):
            self._send(socket, {"channel": "trade", "type": "update", "data": data}, topic)

    def _trade(self, listing: Listing, trade: Traded) -> dict[str, Any]:
        return {
            "symbol": trade.symbol,
            "side": trade.taker,
            "price": number(price_text(listing, trade.price)),
            "qty": number(size_text(listing, trade.quantity)),
            "ord_type": "market",
            "trade_id": trade.trade,
            "timestamp": iso(trade.time),
        }

    def _tell_summaries(self, symbol: str, traded: bool) -> None:
        """The ticker after trades, or after every change of the best prices for those who asked for 'bbo'."""
        listing = self._venue.matching.listings[symbol]
        for socket, kept in self._listening(f"ticker:{symbol}"):
            now = best(self._venue, listing)
            moved, kept["best"] = kept.get("best") != now, now
            if traded or (kept.get("event_trigger") == "bbo" and moved):
                self._send(socket, self._ticker(listing, "update"), f"ticker:{symbol}")
        if traded:
            for socket, kept in self._listening(f"ohlc:{symbol}"):
                self._send(socket, self._candles(listing, kept.get("interval", 1), "update", 1), f"ohlc:{symbol}")

    def _ticker(self, listing: Listing, kind: str) -> dict[str, Any]:
        (bid, bids), (ask, asks) = best(self._venue, listing)
        day, last = day_of(self._venue, listing), self._venue.matching.last.get(listing.symbol, ZERO)
        change = last - day.open if day.open else ZERO
        prices = {"bid": bid, "ask": ask, "last": last, "vwap": vwap(day), "low": day.low, "high": day.high}
        sizes = {"bid_qty": bids, "ask_qty": asks, "volume": day.volume}
        data: dict[str, Any] = {"symbol": listing.symbol}
        data |= {field: number(price_text(listing, value)) for field, value in prices.items()}
        data |= {field: number(size_text(listing, value)) for field, value in sizes.items()}
        data["change"] = number(price_text(listing, change))
        data["change_pct"] = number(f"{change / day.open * 100 if day.open else ZERO:.2f}")
        return {"channel": "ticker", "type": kind, "data": [data]}

    def _candles(self, listing: Listing, interval: int, kind: str, most: int) -> dict[str, Any]:
        now, rows = self._venue.now(), []
        for each in self._venue.candles[listing.symbol].of(interval * MINUTE, None, now, most):
            row: dict[str, Any] = {"symbol": listing.symbol}
            prices = {"open": each.open, "high": each.high, "low": each.low, "close": each.close, "vwap": vwap(each)}
            row |= {field: number(price_text(listing, value)) for field, value in prices.items()}
            row |= {"trades": each.trades, "volume": number(size_text(listing, each.volume)), "interval": interval}
            row |= {"interval_begin": iso(each.time), "timestamp": iso(each.time + interval * MINUTE)}
            rows.append(row)
        return {"channel": "ohlc", "type": kind, "timestamp": iso(now), "data": rows}

    # -- private -----------------------------------------------------------------------------------------------------

    def _tell_order(self, change: OrderChanged) -> None:
        for socket in list(self._venue.sockets):
            if socket.user is None or socket.user.id != change.order.user or "executions" not in socket.subscriptions:
                continue
            for each in self._told_of(change):
                self._send_private(socket, "executions", "update", [each])

    def _told_of(self, change: OrderChanged) -> list[dict[str, Any]]:
        """The first message of an order tells it whole; later ones name it, without its pair but for trades."""
        order = change.order
        match change.what:
            case "new":
                return [self._order(order, "pending_new", whole=True), self._order(order, "new")]
            case "trade":
                assert change.fill is not None
                trade = self._fill(change.fill, order)
                return [trade, self._order(order, "filled")] if order.status == "filled" else [trade]
            case "triggered":
                return [self._order(order, "status") | {"order_status": "triggered"}]
            case "expired" if order.ticket.expires is None:
                return [self._order(order, "canceled") | {"reason": order.reason}]
            case _:
                return [self._order(order, change.what) | {"reason": order.reason or "User requested"}]

    def _order(self, order: Order, what: str, *, whole: bool = False) -> dict[str, Any]:
        listing, ticket = self._venue.matching.listings[order.ticket.symbol], order.ticket
        partial = order.status == "open" and order.filled > 0
        status = what if what in ("pending_new", "filled", "canceled", "expired") else STATES[order.status]
        row: dict[str, Any] = {
            "timestamp": iso(order.updated),
            "order_id": name("O", order.id),
            "exec_type": what,
            "order_status": "partially_filled" if partial and what in ("new", "trade") else status,
            "cum_qty": number(size_text(listing, order.filled)),
            "cum_cost": number(f"{order.cost:f}"),
            "avg_price": number(price_text(listing, order.average)),
            "fee_usd_equiv": number(f"{sum(order.fees.values(), ZERO):f}"),
        }
        if ticket.extra.get("userref") is not None:
            row["order_userref"] = ticket.extra["userref"]
        if ticket.client_id:
            row["cl_ord_id"] = ticket.client_id
        if not whole:
            return row
        row |= {
            "symbol": ticket.symbol,
            "side": ticket.side,
            "order_type": ticket.extra.get("type", ticket.kind),
            "time_in_force": ticket.extra.get("force", "GTC"),
            "fee_ccy_pref": "fciq",
            "order_qty": number(size_text(listing, order.quantity)),
        }
        if ticket.spend is not None:
            row["cash_order_qty"] = number(f"{ticket.spend:f}")
        if ticket.price is not None:
            row |= {"limit_price": number(price_text(listing, ticket.price)), "limit_price_type": "static"}
        if ticket.trigger is not None:
            row["stop_price"] = number(price_text(listing, ticket.trigger))
            row["triggers"] = {"price": row["stop_price"], "price_type": "static", "reference": "last"}
        return row

    def _fill(self, fill: Fill, order: Order | None = None) -> dict[str, Any]:
        listing = self._venue.matching.listings[fill.symbol]
        order = self._venue.matching.orders[fill.order] if order is None else order
        return self._order(order, "trade") | {
            "exec_id": name("T", fill.trade),
            "trade_id": fill.trade,
            "symbol": fill.symbol,
            "side": fill.side,
            "order_type": order.ticket.extra.get("type", order.ticket.kind),
            "last_qty": number(size_text(listing, fill.quantity)),
            "last_price": number(price_text(listing, fill.price)),
            "liquidity_ind": "m" if fill.maker else "t",
            "cost": number(f"{fill.cost:f}"),
            "fees": [{"asset": fill.fee_asset, "qty": number(f"{fill.fee:f}")}],
            "timestamp": iso(fill.time),
        }

    def _tell_balances(self, moved: BalancesMoved) -> None:
        """Only totals are told here, so what orders bind and free is not."""
        for socket in list(self._venue.sockets):
            kept = socket.subscriptions.get("balances")
            if kept is None or socket.user is None or socket.user.id != moved.user:
                continue
            rows = []
            for asset, (free, held) in moved.assets.items():
                before: Decimal = kept["told"].get(asset, ZERO)
                if free + held == before:
                    continue
                kept["told"][asset] = free + held
                outside = asset in moved.outside
                rows.append(
                    {
                        "ledger_id": name("L", next(self._numbers)),
                        "ref_id": name("T", moved.cause or 0),
                        "timestamp": iso(moved.time),
                        "type": "deposit" if outside else "trade",
                        "category": "deposit" if outside else "trade",
                        "asset": asset,
                        "asset_class": "currency",
                        "wallet_type": "spot",
                        "wallet_id": "main",
                        "amount": number(f"{free + held - before:f}"),
                        "fee": number("0.0"),
                        "balance": number(f"{free + held:f}"),
                    }
                )
            if rows:
                self._send_private(socket, "balances", "update", rows)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _answer(self, socket: Socket, asked: Any, answer: dict[str, Any]) -> None:
        now = iso(self._venue.now())
        head = {"req_id": asked["req_id"]} if "req_id" in asked else {}
        self._send(socket, answer | {"time_in": now, "time_out": now} | head, "")

    def _send_private(self, socket: Socket, channel: str, kind: str, rows: list[dict[str, Any]]) -> None:
        kept = socket.subscriptions[channel]
        kept["sequence"] += 1
        message = {"channel": channel, "type": kind, "data": rows, "sequence": kept["sequence"]}
        self._send(socket, message, channel)

    def _send(self, socket: Socket, message: dict[str, Any], topic: str) -> None:
        socket.send(encoded(message), topic)
