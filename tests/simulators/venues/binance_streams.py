"""Binance's websockets: public streams, and the websocket API with the user data stream."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.simulators.venues.binance_market import SPANS, aggregate_trade, book_ticker, identity, text, ticker
from tests.simulators.venues.binance_orders import Refused, order_type, status_of
from tests.simulators.venues.values import BalancesMoved, BookMoved, Event, Order, OrderChanged, Traded
from tests.simulators.venues.venue import Socket, Venue

if TYPE_CHECKING:
    from tests.simulators.venues.binance import Binance

EXECUTIONS = {"new": "NEW", "triggered": "NEW", "trade": "TRADE", "canceled": "CANCELED", "expired": "EXPIRED"}
PUBLIC = {
    "ping": "/api/v3/ping", "time": "/api/v3/time", "exchangeInfo": "/api/v3/exchangeInfo", "depth": "/api/v3/depth",
    "klines": "/api/v3/klines", "ticker.24hr": "/api/v3/ticker/24hr", "ticker.book": "/api/v3/ticker/bookTicker",
    "ticker.price": "/api/v3/ticker/price", "trades.recent": "/api/v3/trades", "trades.aggregate": "/api/v3/aggTrades",
}  # fmt: skip
PRIVATE = {
    "order.place": ("POST", "/api/v3/order"), "order.cancel": ("DELETE", "/api/v3/order"),
    "order.status": ("GET", "/api/v3/order"), "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
    "openOrders.status": ("GET", "/api/v3/openOrders"), "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"), "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
}  # fmt: skip


class Streams:
    """What goes out to which socket."""

    def __init__(self, venue: Venue, dialect: "Binance") -> None:
        self._venue, self._dialect = venue, dialect

    def connected(self, socket: Socket) -> None:
        """Streams may be named in the address: /ws/NAME or /stream?streams=NAME/NAME."""
        path, query = socket.question.path, socket.question.query
        named = query.get("streams", "").split("/") if path == "/stream" else path.split("/")[2:]
        for name in named:
            if "@" in name:
                self._subscribe(socket, name)

    def heard(self, socket: Socket, message: str) -> None:
        asked = json.loads(message)
        if socket.question.host == "ws-api.binance.com":
            socket.send(self._call(socket, asked))
            return
        names = asked.get("params") or []
        match asked.get("method"):
            case "SUBSCRIBE":
                socket.send({"result": None, "id": asked.get("id")})
                for name in names:
                    self._subscribe(socket, name)
            case "UNSUBSCRIBE":
                for name in names:
                    socket.subscriptions.pop(name, None)
                socket.send({"result": None, "id": asked.get("id")})
            case "LIST_SUBSCRIPTIONS":
                socket.send({"result": list(socket.subscriptions), "id": asked.get("id")})
            case other:
                error = {"code": 2, "msg": f"Invalid request: unknown variant `{other}`"}
                socket.send({"error": error, "id": asked.get("id")})

    def happened(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case BookMoved():
                    self._tell_depth(event)
                case Traded():
                    self._tell_trade(event)
                case OrderChanged():
                    self._tell_user(event.order.user, self._report(event))
                    if event.order.group is not None and event.what != "trade":
                        self._tell_user(event.order.user, self._list_status(event.order))
                case BalancesMoved():
                    for asset, amount in event.outside.items():
                        change = {"e": "balanceUpdate", "E": event.time, "a": asset, "d": text(amount), "T": event.time}
                        self._tell_user(event.user, change)
                    rows = [{"a": a, "f": text(free), "l": text(held)} for a, (free, held) in event.assets.items()]
                    position = {"e": "outboundAccountPosition", "E": event.time, "u": event.time, "B": rows}
                    self._tell_user(event.user, position)
        for symbol in dict.fromkeys(each.symbol for each in events if isinstance(each, Traded | BookMoved)):
            self._tell_summary(symbol)

    # -- public ------------------------------------------------------------------------------------------------------

    def _subscribe(self, socket: Socket, name: str) -> None:
        socket.subscriptions[name] = True
        market, _, stream = name.partition("@")
        symbols = [each for each in self._venue.matching.listings if market in ("", identity(each).lower())]
        for symbol in symbols:  # the real ones speak every second, or at once where the book moves all the time
            if stream in ("ticker", "miniTicker", "bookTicker") or stream.startswith("kline_"):
                self._send(socket, name, self._summary(symbol, stream))

    def _tell(self, symbol: str, stream: str, message: Any) -> None:
        name = f"{identity(symbol).lower()}@{stream}"
        for socket in list(self._venue.sockets):
            if name in socket.subscriptions:
                self._send(socket, name, message)

    def _send(self, socket: Socket, name: str, message: Any) -> None:
        wrapped = {"stream": name, "data": message} if socket.question.path.startswith("/stream") else message
        socket.send(wrapped, name)

    def _tell_depth(self, moved: BookMoved) -> None:
        message = {
            "e": "depthUpdate",
            "E": moved.time,
            "s": identity(moved.symbol),
            "U": moved.first,
            "u": moved.last,
            "b": [[text(price), text(size)] for price, size in moved.bids],
            "a": [[text(price), text(size)] for price, size in moved.asks],
        }
        for speed in ("depth", "depth@100ms", "depth@1000ms"):
            self._tell(moved.symbol, speed, message)
        book = self._venue.matching.books[moved.symbol]
        for depth in (5, 10, 20):
            partial = {
                "lastUpdateId": book.sequence,
                "bids": [[text(price), text(size)] for price, size in book.levels("buy", depth)],
                "asks": [[text(price), text(size)] for price, size in book.levels("sell", depth)],
            }
            for speed in ("", "@100ms", "@1000ms"):
                self._tell(moved.symbol, f"depth{depth}{speed}", partial)

    def _tell_trade(self, trade: Traded) -> None:
        common = {"E": trade.time, "s": identity(trade.symbol)}
        single = {"t": trade.trade, "p": text(trade.price), "q": text(trade.quantity), "b": trade.buyer}
        single |= {"a": trade.seller, "T": trade.time, "m": trade.taker == "sell", "M": True}
        self._tell(trade.symbol, "trade", {"e": "trade"} | common | single)
        self._tell(trade.symbol, "aggTrade", {"e": "aggTrade"} | common | aggregate_trade(trade))

    def _tell_summary(self, symbol: str) -> None:
        streams = {name for socket in self._venue.sockets for name in socket.subscriptions}
        market = identity(symbol).lower()
        for name in streams:
            if name.startswith(f"{market}@") and name.partition("@")[2].startswith(
                ("ticker", "miniTicker", "bookTicker", "kline_")
            ):
                self._tell(symbol, name.partition("@")[2], self._summary(symbol, name.partition("@")[2]))
        for name in streams & {"!miniTicker@arr", "!ticker@arr"}:
            for socket in list(self._venue.sockets):
                if name in socket.subscriptions:
                    self._send(socket, name, [self._summary(symbol, name[1:].partition("@")[0])])

    def _summary(self, symbol: str, stream: str) -> dict[str, Any]:
        listing, now = self._venue.matching.listings[symbol], self._venue.now()
        if stream == "bookTicker":
            best = book_ticker(self._venue, listing)
            names = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
            row = {"u": self._venue.matching.books[symbol].sequence, "s": best["symbol"]}
            return row | {short: best[long] for short, long in names.items()}
        if stream.startswith("kline_"):
            return self._kline(symbol, stream.removeprefix("kline_"), now)
        day = ticker(self._venue, listing)
        names = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume"}
        names |= {"q": "quoteVolume"}
        head = {"e": "24hrMiniTicker" if stream == "miniTicker" else "24hrTicker", "E": now, "s": day["symbol"]}
        if stream != "miniTicker":
            names |= {"p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice"}
            names |= {"Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
            names |= {"O": "openTime", "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count"}
        return head | {short: day[long] for short, long in names.items()}

    def _kline(self, symbol: str, interval: str, now: int) -> dict[str, Any]:
        span, market = SPANS[interval], identity(symbol)
        found = self._venue.candles[symbol].of(span, None, now, 1)
        row: dict[str, Any] = {"t": now - now % span, "T": now - now % span + span - 1, "s": market, "i": interval}
        if found:
            candle = found[-1]
            row |= {"t": candle.time, "T": candle.time + span - 1, "f": 0, "L": 0}
            row |= {"o": text(candle.open), "c": text(candle.close), "h": text(candle.high), "l": text(candle.low)}
            row |= {"v": text(candle.volume), "n": candle.trades, "x": False, "q": text(candle.turnover)}
            row |= {"V": text(candle.bought), "Q": text(candle.bought * candle.close), "B": "0"}
        return {"e": "kline", "E": now, "s": market, "k": row}

    # -- the websocket API -------------------------------------------------------------------------------------------

    def _call(self, socket: Socket, asked: dict[str, Any]) -> dict[str, Any]:
        limits = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 4}
        head = {"id": asked.get("id"), "status": 200}
        params = {name: str(value) for name, value in (asked.get("params") or {}).items()}
        try:
            result = self._result(socket, asked.get("method"), params)
        except Refused as refused:
            error = {"code": refused.code, "msg": refused.message}
            return head | {"status": refused.status, "error": error, "rateLimits": [limits]}
        return head | {"result": result, "rateLimits": [limits]}

    def _result(self, socket: Socket, method: Any, params: dict[str, str]) -> Any:
        if method in PUBLIC:
            return self._dialect.public(PUBLIC[method], params)
        if method == "userDataStream.unsubscribe":
            socket.user = None
            return {}
        if method != "userDataStream.subscribe.signature" and method not in PRIVATE:
            raise Refused(400, -1, f"Unknown method {method}.")
        user = self._dialect.known(params.get("apiKey", ""))
        signature = params.pop("signature", "")
        payload = "&".join(f"{name}={quote(params[name], safe='~()*!.')}" for name in sorted(params))
        plain = "&".join(f"{name}={params[name]}" for name in sorted(params))
        try:
            self._dialect.verify(user, plain, signature, params)
        except Refused as refused:
            if refused.code != -1022:
                raise
            self._dialect.verify(user, payload, signature, params)
        if method in PRIVATE:
            return self._dialect.call(PRIVATE[method], user, params)
        socket.user = user
        return {"subscriptionId": 0}

    def _tell_user(self, user: str, event: dict[str, Any]) -> None:
        for socket in list(self._venue.sockets):
            if socket.user is not None and socket.user.id == user:
                socket.send({"subscriptionId": 0, "event": event}, event["e"])

    def _list_status(self, order: Order) -> dict[str, Any]:
        legs = [each for each in self._venue.matching.of(order.user) if each.group == order.group]
        live = any(leg.live for leg in legs)
        return {
            "e": "listStatus",
            "E": order.updated,
            "s": identity(order.ticket.symbol),
            "g": order.group,
            "c": "OCO",
            "l": "EXEC_STARTED" if live else "ALL_DONE",
            "L": "EXECUTING" if live else "ALL_DONE",
            "r": "NONE",
            "C": f"list{order.group}",
            "T": order.updated,
            "O": [{"s": identity(leg.ticket.symbol), "i": leg.id, "c": leg.ticket.client_id} for leg in legs],
        }

    def _report(self, change: OrderChanged) -> dict[str, Any]:
        order, fill = change.order, change.fill
        ticket, client = order.ticket, order.ticket.client_id
        canceled = change.what == "canceled"
        report = {
            "e": "executionReport",
            "E": order.updated,
            "s": identity(ticket.symbol),
            "c": f"cancel{order.id}" if canceled else client,
            "S": ticket.side.upper(),
            "o": order_type(order),
            "f": ticket.time_in_force,
            "q": text(order.quantity),
            "p": text(ticket.price),
            "P": text(ticket.trigger or ticket.activation),
            "F": text(ticket.visible),
            "g": order.group or -1,
            "C": client if canceled else "",
            "x": EXECUTIONS[change.what],
            "X": status_of(order),
            "r": "NONE",
            "i": order.id,
            "l": text(fill.quantity if fill else None),
            "z": text(order.filled),
            "L": text(fill.price if fill else None),
            "n": text(fill.fee) if fill else "0",
            "N": fill.fee_asset if fill else None,
            "T": order.updated,
            "t": fill.trade if fill else -1,
            "I": order.id * 2,
            "w": order.status == "open",
            "m": fill.maker if fill else False,
            "M": False,
            "O": order.time,
            "Z": text(order.cost),
            "Y": text(fill.cost if fill else None),
            "Q": text(ticket.spend),
            "W": order.time,
            "V": "NONE",
        }
        if ticket.trail is not None:
            report["d"] = int(ticket.trail * 10_000)
        return report
