"""The websocket of Coinbase's Advanced Trade: one address, every message of a connection has a number."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from weakref import WeakKeyDictionary

from tests.simulators.venues.candles import Candle
from tests.simulators.venues.coinbase_market import best, identity, iso, plain, trade
from tests.simulators.venues.coinbase_orders import row
from tests.simulators.venues.values import ZERO, BookMoved, Event, OrderChanged, Side, Traded
from tests.simulators.venues.venue import Socket, User, Venue

HOST = "advanced-trade-ws.coinbase.com"
CHANNELS = ("ticker", "ticker_batch", "level2", "market_trades", "user", "heartbeats")
WINDOW = 30_000  # ms that a timestamp may be off
BEAT = 1_000  # ms
SNAPSHOT = 50  # trades that are told at the beginning
SIDES: tuple[tuple[Side, str], ...] = (("buy", "bid"), ("sell", "offer"))


class Streams:
    """What goes out to which socket; a subscription is kept as 'CHANNEL:PRODUCT', or by its channel alone.

    verified: the user of a JWT, None where it is not good
    """

    def __init__(self, venue: Venue, verified: Callable[[str], User | None]) -> None:
        self._venue = venue
        self._verified = verified
        self._told: WeakKeyDictionary[Socket, int] = WeakKeyDictionary()  # number of the last message

    def connected(self, socket: Socket) -> None:
        """The client speaks first."""

    def heard(self, socket: Socket, message: str) -> None:
        asked = json.loads(message)
        channel, products = asked.get("channel"), list(asked.get("product_ids") or [])
        listed = {identity(symbol) for symbol in self._venue.matching.listings}
        if channel not in CHANNELS or asked.get("type") not in ("subscribe", "unsubscribe"):
            socket.send({"type": "error", "message": f"channel {channel} is not supported"})
            return
        if any(each not in listed for each in products):
            socket.send({"type": "error", "message": "no product in product_ids is valid"})
            return
        if channel == "user":
            user = self._user(asked, channel, products)
            if user is None:
                socket.send({"type": "error", "message": "authentication failure"})
                return
            socket.user = user
        names = [f"{channel}:{each}" for each in products] or [channel]
        if asked["type"] == "unsubscribe":
            for each in names:
                socket.subscriptions.pop(each, None)
            self._confirm(socket)
            return
        for each in names:
            socket.subscriptions[each] = {"beaten": 0}
        self._confirm(socket)
        for each in names:
            self._greet(socket, channel, each.partition(":")[2].replace("-", "/"))

    def happened(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case BookMoved():
                    self._tell_book(event)
                case Traded():
                    data = {"type": "update", "trades": [trade(event)]}
                    self._tell("market_trades", event.symbol, "market_trades", lambda data=data: [data])
                case OrderChanged():
                    self._tell_order(event)
        for symbol in dict.fromkeys(each.symbol for each in events if isinstance(each, Traded | BookMoved)):
            for channel in ("ticker", "ticker_batch"):
                self._tell(channel, symbol, channel, lambda symbol=symbol: [self._ticker(symbol, "update")])
        self._beat()

    # -- subscribing -------------------------------------------------------------------------------------------------

    def _user(self, asked: Any, channel: str, products: Sequence[str]) -> User | None:
        """Who signs the subscription: with a JWT, or as older keys do."""
        if "jwt" in asked:
            return self._verified(asked["jwt"])
        user, sent = self._venue.users.get(asked.get("api_key", "")), str(asked.get("timestamp", ""))
        if user is None or not sent.isdigit() or abs(self._venue.now() - int(sent) * 1000) > WINDOW:
            return None
        payload = sent + channel + ",".join(products)
        signature = hmac.new(user.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return user if hmac.compare_digest(signature, str(asked.get("signature", ""))) else None

    def _confirm(self, socket: Socket) -> None:
        told: dict[str, list[str]] = {}
        for each in socket.subscriptions:
            channel, _, product = each.partition(":")
            owner = str(uuid5(NAMESPACE_URL, socket.user.id)) if channel == "user" and socket.user else channel
            told.setdefault(channel, []).append(owner if channel == "user" else product or channel)
        self._send(socket, "subscriptions", [{"subscriptions": told}], "")

    def _greet(self, socket: Socket, channel: str, symbol: str) -> None:
        topic = f"{channel}:{identity(symbol)}" if symbol else channel
        match channel:
            case "level2":
                book, now = self._venue.matching.books[symbol], self._venue.now()
                levels = [(wire, level) for side, wire in SIDES for level in book.levels(side)]
                self._send(socket, "l2_data", [self._levels(symbol, "snapshot", levels, now)], topic)
            case "ticker" | "ticker_batch":
                self._send(socket, channel, [self._ticker(symbol, "snapshot")], topic)
            case "market_trades":
                trades = [trade(each) for each in reversed(list(self._venue.matching.trades[symbol])[-SNAPSHOT:])]
                self._send(socket, channel, [{"type": "snapshot", "trades": trades}], topic)
            case "user":
                assert socket.user is not None
                orders = [self._order(each.id) for each in self._venue.matching.of(socket.user.id, live=True)]
                positions = {"perpetual_futures_positions": [], "expiring_futures_positions": []}
                self._send(socket, "user", [{"type": "snapshot", "orders": orders, "positions": positions}], topic)
            case "heartbeats":
                self._beat()

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, channel: str, symbol: str, wire: str, events: Callable[[], list[Any]]) -> None:
        topic = f"{channel}:{identity(symbol)}"
        for socket in list(self._venue.sockets):
            if topic in socket.subscriptions:
                self._send(socket, wire, events(), topic)

    def _tell_book(self, moved: BookMoved) -> None:
        levels = [("bid", level) for level in moved.bids] + [("offer", level) for level in moved.asks]
        event = self._levels(moved.symbol, "update", levels, moved.time)
        self._tell("level2", moved.symbol, "l2_data", lambda: [event])

    def _levels(
        self, symbol: str, kind: str, levels: Sequence[tuple[str, tuple[Decimal, Decimal]]], time: int
    ) -> dict[str, Any]:
        updates = [
            {"side": side, "event_time": iso(time), "price_level": plain(price), "new_quantity": plain(size)}
            for side, (price, size) in levels
        ]
        return {"type": kind, "product_id": identity(symbol), "updates": updates}

    def _ticker(self, symbol: str, kind: str) -> dict[str, Any]:
        listing, candles = self._venue.matching.listings[symbol], self._venue.candles[symbol]
        day = candles.day(self._venue.now()) or Candle(0, ZERO, ZERO, ZERO, ZERO)
        change = (day.close - day.open) / day.open * 100 if day.open else ZERO
        (bid, bids), (ask, asks) = best(self._venue, listing, "buy"), best(self._venue, listing, "sell")
        figures = {
            "price": self._venue.matching.last.get(symbol), "volume_24_h": day.volume, "low_24_h": day.low,
            "high_24_h": day.high, "low_52_w": day.low, "high_52_w": day.high, "best_bid": bid,
            "best_bid_quantity": bids, "best_ask": ask, "best_ask_quantity": asks,
        }  # fmt: skip
        told: dict[str, Any] = {"type": "ticker", "product_id": identity(symbol)}
        told |= {field: plain(value) for field, value in figures.items()}
        told["price_percent_chg_24_h"] = f"{change:.8f}"
        return {"type": kind, "tickers": [told]}

    def _tell_order(self, change: OrderChanged) -> None:
        order = change.order
        if change.what == "triggered":
            return
        product = identity(order.ticket.symbol)
        for socket in list(self._venue.sockets):
            if socket.user is None or socket.user.id != order.user:
                continue
            for topic in ("user", f"user:{product}"):
                if topic in socket.subscriptions:
                    self._send(socket, "user", [{"type": "update", "orders": [self._order(order.id)]}], topic)

    def _order(self, number: int) -> dict[str, Any]:
        """The order as it stands now."""
        made = row(self._venue, self._venue.matching.orders[number])
        ((_, terms),) = made["order_configuration"].items()
        filled, size = Decimal(made["filled_size"]), Decimal(terms.get("base_size") or made["filled_size"])
        types = {"MARKET": "Market", "LIMIT": "Limit", "STOP_LIMIT": "Stop Limit", "BRACKET": "Bracket"}
        same = (
            "client_order_id", "completion_percentage", "filled_value", "number_of_fills", "order_id",
            "outstanding_hold_amount", "product_id", "product_type", "retail_portfolio_id", "status", "time_in_force",
            "total_fees", "total_value_after_fees", "trigger_status",
        )  # fmt: skip
        return {field: made[field] for field in same} | {
            "avg_price": made["average_filled_price"],
            "cancel_reason": made["cancel_message"],
            "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
            "cumulative_quantity": made["filled_size"],
            "leaves_quantity": plain(size - filled),
            "limit_price": terms.get("limit_price", ""),
            "order_side": made["side"],
            "order_type": types[made["order_type"]],
            "post_only": str(bool(terms.get("post_only"))).lower(),
            "reject_reason": "",
            "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
            "stop_price": terms.get("stop_price", ""),
            "creation_time": made["created_time"],
            "end_time": terms.get("end_time", "0001-01-01T00:00:00Z"),
            "start_time": "0001-01-01T00:00:00Z",
        }

    def _beat(self) -> None:
        """At most once a second, and only while something happens: nothing here runs by itself."""
        now = self._venue.now()
        for socket in list(self._venue.sockets):
            for topic, kept in list(socket.subscriptions.items()):
                if topic.partition(":")[0] != "heartbeats" or now - kept["beaten"] < BEAT:
                    continue
                kept["beaten"] = now
                kept["beats"] = kept.get("beats", 0) + 1
                event = {"current_time": f"{iso(now)} +0000 UTC", "heartbeat_counter": kept["beats"]}
                self._send(socket, "heartbeats", [event], topic)

    def _send(self, socket: Socket, channel: str, events: list[Any], topic: str) -> None:
        number = self._told[socket] = self._told.get(socket, -1) + 1
        head = {"channel": channel, "client_id": "", "timestamp": iso(self._venue.now()), "sequence_num": number}
        socket.send(head | {"events": events}, topic)
