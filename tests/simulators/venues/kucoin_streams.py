"""KuCoin's websockets, which are entered with a token from bullet-public or bullet-private."""

import json
from collections.abc import Sequence
from itertools import count
from typing import Any

from tests.simulators.venues.kucoin_market import SPANS, candle, history, identity, level1, name, plain, ticker
from tests.simulators.venues.values import BalancesMoved, BookMoved, Event, OrderChanged, Traded
from tests.simulators.venues.venue import Socket, User, Venue

HOST = "ws-api-spot.kucoin.com"
WARMING = 6  # changes that ccxt waits for before it asks for the snapshot; a real book moves all the time


class Streams:
    """What goes out to which socket. Topics are kept one symbol each."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._tokens: dict[str, User | None] = {}
        self._numbers = count(1)

    def ticket(self, base: str, user: User | None) -> dict[str, Any]:
        token = f"token{next(self._numbers)}"
        self._tokens[token] = user
        server = {
            "endpoint": f"{base.replace('http', 'ws', 1)}/{HOST}/",
            "encrypt": True,
            "protocol": "websocket",
            "pingInterval": 18_000,
            "pingTimeout": 10_000,
        }
        return {"token": token, "instanceServers": [server]}

    def connected(self, socket: Socket) -> None:
        token = socket.question.query.get("token", "")
        if token not in self._tokens:
            socket.send({"id": "", "type": "error", "code": 401, "data": "token is invalid"})
            socket.outbox.put_nowait(None)
            return
        socket.user = self._tokens[token]
        socket.send({"id": socket.question.query.get("connectId", "1"), "type": "welcome"})

    def heard(self, socket: Socket, message: str) -> None:
        asked = json.loads(message)
        head, topic = {"id": asked.get("id")}, asked.get("topic", "")
        stream, _, names = topic.partition(":")
        topics = [f"{stream}:{each}" for each in names.split(",")] if names else [stream]
        match asked.get("type"):
            case "ping":
                socket.send(head | {"type": "pong"})
            case "subscribe":
                if (
                    stream.startswith(("/spotMarket/tradeOrders", "/account/", "/spotMarket/advanced"))
                    and not socket.user
                ):
                    socket.send(head | {"type": "error", "code": 403, "data": "need private channel"})
                    return
                socket.send(head | {"type": "ack"})
                for each in topics:
                    socket.subscriptions[each] = True
                    self._greet(socket, each)
            case "unsubscribe":
                for each in topics:
                    socket.subscriptions.pop(each, None)
                socket.send(head | {"type": "ack"})
            case other:
                socket.send(head | {"type": "error", "code": 415, "data": f"type {other} is not supported"})

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
            self._tell_summaries(symbol)

    # -- public ------------------------------------------------------------------------------------------------------

    def _greet(self, socket: Socket, topic: str) -> None:
        """The summaries are told at once; a book is stirred, as it never stands still at the real venue."""
        stream, _, rest = topic.partition(":")
        symbol = rest.partition("_")[0].replace("-", "/")
        if symbol not in self._venue.matching.listings:
            return
        if stream == "/market/level2":
            for _ in range(WARMING):
                self._venue.matching.stir(symbol)
        else:
            for found, subject, data in self._summaries(symbol, {topic}):
                self._send(socket, found, subject, data)

    def _tell(self, topic: str, subject: str, data: Any) -> None:
        for socket in list(self._venue.sockets):
            if topic in socket.subscriptions:
                self._send(socket, topic, subject, data)

    def _send(self, socket: Socket, topic: str, subject: str, data: Any) -> None:
        socket.send({"type": "message", "topic": topic, "subject": subject, "data": data}, topic)

    def _tell_book(self, moved: BookMoved) -> None:
        market, sequence = identity(moved.symbol), count(moved.first)
        changes = {
            side: [[plain(price), plain(size), str(next(sequence))] for price, size in levels]
            for side, levels in (("bids", moved.bids), ("asks", moved.asks))
        }
        data = {
            "changes": changes,
            "sequenceStart": moved.first,
            "sequenceEnd": moved.last,
            "symbol": market,
            "time": moved.time,
        }
        self._tell(f"/market/level2:{market}", "trade.l2update", data)

    def _tell_trade(self, trade: Traded) -> None:
        maker, taker = (trade.seller, trade.buyer) if trade.taker == "buy" else (trade.buyer, trade.seller)
        market = identity(trade.symbol)
        data = history(trade) | {
            "symbol": market,
            "type": "match",
            "tradeId": str(trade.trade),
            "makerOrderId": name(maker),
            "takerOrderId": name(taker),
            "time": str(trade.time * 1_000_000),
        }
        self._tell(f"/market/match:{market}", "trade.l3match", data)

    def _tell_summaries(self, symbol: str) -> None:
        wanted = {topic for socket in self._venue.sockets for topic in socket.subscriptions}
        for topic, subject, data in self._summaries(symbol, wanted):
            self._tell(topic, subject, data)

    def _summaries(self, symbol: str, wanted: set[str]) -> list[tuple[str, str, Any]]:
        """(topic, subject, data) of what is wanted about the pair."""
        market, listing, now = identity(symbol), self._venue.matching.listings[symbol], self._venue.now()
        book, found = self._venue.matching.books[symbol], []
        for topic in sorted(wanted):
            stream, _, rest = topic.partition(":")
            if stream == "/market/ticker" and rest in (market, "all"):
                data = level1(self._venue, listing)
                found.append((topic, market if rest == "all" else "trade.ticker", data))
            elif stream == "/market/candles" and rest.startswith(f"{market}_"):
                span = SPANS[rest.partition("_")[2]]
                bars = self._venue.candles[symbol].of(span, None, now, 1)
                if bars:
                    row = {"symbol": market, "candles": candle(bars[-1]), "time": now * 1_000_000}
                    found.append((topic, "trade.candles.update", row))
            elif rest != market:
                continue
            elif stream == "/market/snapshot":
                found.append((topic, "trade.snapshot", self._snapshot(symbol)))
            elif stream in ("/spotMarket/level2Depth5", "/spotMarket/level2Depth50"):
                depth = int(stream.removeprefix("/spotMarket/level2Depth"))
                bids, asks = ([[plain(p), plain(s)] for p, s in book.levels(side, depth)] for side in ("buy", "sell"))
                found.append((topic, "level2", {"asks": asks, "bids": bids, "timestamp": now}))
            elif stream == "/spotMarket/level1":
                best = level1(self._venue, listing)
                bid, ask = [best["bestBid"], best["bestBidSize"]], [best["bestAsk"], best["bestAskSize"]]
                found.append((topic, "level1", {"asks": ask, "bids": bid, "timestamp": now}))
        return found

    def _snapshot(self, symbol: str) -> dict[str, Any]:
        listing, now = self._venue.matching.listings[symbol], self._venue.now()
        day = ticker(self._venue, listing)
        numbers = ("buy", "sell", "volValue", "high", "vol", "low", "changePrice", "changeRate")
        data: dict[str, Any] = {each: float(day[each]) for each in numbers}
        data |= {"lastTradedPrice": float(day["last"]), "symbol": day["symbol"], "symbolCode": day["symbol"]}
        data |= {"trading": listing.trading, "baseCurrency": listing.base, "quoteCurrency": listing.quote}
        data |= {"market": listing.quote, "sort": 100, "datetime": now, "board": 0, "mark": 0}
        return {"sequence": str(self._venue.matching.books[symbol].sequence), "data": data}

    # -- private -----------------------------------------------------------------------------------------------------

    def _tell_user(self, user: str, topic: str, subject: str, data: Any) -> None:
        for socket in list(self._venue.sockets):
            if socket.user is not None and socket.user.id == user and topic in socket.subscriptions:
                message = {
                    "type": "message",
                    "topic": topic,
                    "subject": subject,
                    "channelType": "private",
                    "data": data,
                }
                socket.send(message, topic)

    def _tell_order(self, change: OrderChanged) -> None:
        order, fill, ticket = change.order, change.fill, change.order.ticket
        waiting = order.status == "pending" or (ticket.trigger is not None and not order.triggered)
        if waiting or change.what == "triggered":
            self._tell_user(order.user, "/spotMarket/advancedOrders", "stopOrder", self._stop(change))
            if waiting:
                return
        data: dict[str, Any] = {
            "symbol": identity(ticket.symbol),
            "orderType": ticket.kind,
            "side": ticket.side,
            "orderId": name(order.id),
            "orderTime": order.time,
            "size": plain(ticket.quantity if ticket.quantity is not None else order.quantity),
            "filledSize": plain(order.filled),
            "price": plain(ticket.price),
            "clientOid": ticket.client_id,
            "remainSize": plain(order.remaining),
            "ts": order.updated * 1_000_000,
        }
        data |= {"originSize": data["size"], "originFunds": plain(ticket.spend)}
        if ticket.spend is not None:
            data["funds"] = plain(ticket.spend)
        states = {"new": "open", "triggered": "open", "trade": "match", "canceled": "canceled", "expired": "canceled"}
        kind = states[change.what]
        data |= {"type": kind, "status": {"open": "open", "match": "match"}.get(kind, "done")}
        if fill is not None:
            liquidity = "maker" if fill.maker else "taker"
            data |= {"matchPrice": plain(fill.price), "matchSize": plain(fill.quantity), "tradeId": str(fill.trade)}
            data |= {"liquidity": liquidity, "feeType": f"{liquidity}Fee"}
        topics = ("/spotMarket/tradeOrders", "/spotMarket/tradeOrdersV2")
        for topic in topics:
            self._tell_user(order.user, topic, "orderChange", data)
            if fill is not None and order.status == "filled":
                done = {key: value for key, value in data.items() if key not in ("matchPrice", "matchSize", "tradeId")}
                done |= {"type": "filled", "status": "done"}
                self._tell_user(order.user, topic, "orderChange", done)
        if fill is not None:
            self._tell_user(order.user, "/spot/tradeFills", "/spot/tradeFills", self._fill(change))

    def _fill(self, change: OrderChanged) -> dict[str, Any]:
        fill = change.fill
        assert fill is not None
        listing = self._venue.matching.listings[fill.symbol]
        return {
            "fee": float(fill.fee),
            "feeCurrency": fill.fee_asset,
            "feeRate": float(listing.maker if fill.maker else listing.taker),
            "orderId": name(fill.order),
            "orderType": change.order.ticket.kind,
            "price": float(fill.price),
            "side": fill.side,
            "size": float(fill.quantity),
            "symbol": identity(fill.symbol),
            "time": fill.time * 1_000_000,
            "tradeId": str(fill.trade),
        }

    def _stop(self, change: OrderChanged) -> dict[str, Any]:
        order, ticket = change.order, change.order.ticket
        kinds = {"new": "open", "triggered": "triggered", "canceled": "cancel", "expired": "cancel"}
        data: dict[str, Any] = {
            "createdAt": order.time,
            "orderId": name(order.id),
            "orderPrice": plain(ticket.price),
            "orderType": "stop",
            "side": ticket.side,
            "size": plain(ticket.quantity),
            "stop": ticket.extra.get("stop") or ("entry" if ticket.rising else "loss"),
            "stopPrice": plain(ticket.trigger),
            "symbol": identity(ticket.symbol),
            "tradeType": "TRADE",
            "ts": order.updated * 1_000_000,
            "type": kinds.get(change.what, "open"),
        }
        return data | {"triggerSuccess": True} if change.what == "triggered" else data

    def _tell_balances(self, moved: BalancesMoved) -> None:
        for asset, (free, held) in moved.assets.items():
            outside = moved.outside.get(asset)
            data = {
                "accountId": name(1),
                "available": plain(free),
                "availableChange": plain(outside),
                "currency": asset,
                "hold": plain(held),
                "holdChange": "0",
                "relationContext": {},
                "relationEvent": "trade.setted" if outside is None else "trade.transfer",
                "relationEventId": name(next(self._numbers)),
                "time": str(moved.time),
                "total": plain(free + held),
            }
            if moved.cause is not None:
                data["relationContext"] = {"orderId": name(moved.cause)}
            self._tell_user(moved.user, "/account/balance", "account.balance", data)
