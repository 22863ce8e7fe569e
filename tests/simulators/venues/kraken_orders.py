"""Orders, trades and balances of a user in Kraken's shapes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.simulators.venues.kraken_market import asset_id, listing_of, pair_altname, pair_id, price_text, seconds
from tests.simulators.venues.kraken_market import size_text as sized
from tests.simulators.venues.values import ZERO, Fill, Listing, Order, Refusal, Side, Ticket
from tests.simulators.venues.venue import User, Venue

Params = Mapping[str, Any]
Route = Callable[[User, Params], Any]
PAGE = 50  # orders or trades at once
SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLIENT_IDS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[ -~]{1,18}", re.IGNORECASE)
WORDS = {
    "stop-loss": "stop loss", "stop-loss-limit": "stop loss",
    "take-profit": "take profit", "take-profit-limit": "take profit", "trailing-stop": "trailing stop",
}  # fmt: skip
TYPES = ("market", "limit", "iceberg", *WORDS)
STATUS = {"pending": "open", "open": "open", "filled": "closed", "canceled": "canceled", "expired": "expired"}


def name(kind: str, number: int) -> str:
    """The venue's form of a number: OAAAAA-BBBBB-CCCCCC for orders, T… for trades, L… for entries of the ledger."""
    text = ""
    for _ in range(16):
        number, place = divmod(number, 36)
        text = SIGNS[place] + text
    return f"{kind}{text[:5]}-{text[5:10]}-{text[10:]}"


def number_of(identifier: Any) -> int:
    """The number in such a name; -1 for any other text."""
    plain = str(identifier).replace("-", "")
    return int(plain[1:], 36) if re.fullmatch(r"[A-Z][0-9A-Z]{16}", plain) else -1


class Orders:
    """What users of Kraken may ask of their account."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def route(self, path: str) -> Route | None:
        routes: dict[str, Route] = {
            "AddOrder": self._place,
            "CancelOrder": self._cancel,
            "CancelAll": self._cancel_all,
            "OpenOrders": self._open,
            "ClosedOrders": self._closed,
            "QueryOrders": self._query,
            "TradesHistory": self._trades,
            "QueryTrades": self._query_trades,
            "Balance": self._balance,
            "BalanceEx": self._balances,
            "TradeBalance": self._worth,
            "TradeVolume": self._volume,
        }
        return routes.get(path.removeprefix("/0/private/"))

    # -- placing and cancelling --------------------------------------------------------------------------------------

    def _place(self, user: User, params: Params) -> Any:
        ticket = self._ticket(params)
        said = {"order": described(self._listing(ticket.symbol), ticket)}
        if str(params.get("validate", "")).lower() == "true":
            return {"descr": said}
        order = self._venue.matching.place(user.id, ticket)
        return {"descr": said, "txid": [name("O", order.id)]}

    def _ticket(self, params: Params) -> Ticket:
        """Raises Refusal."""
        listing, side_name, kind = listing_of(self._venue, params.get("pair")), params["type"], params["ordertype"]
        if side_name not in ("buy", "sell") or kind not in TYPES:
            raise Refusal("parameters", "ordertype" if side_name in ("buy", "sell") else "type")
        client = str(params.get("cl_ord_id") or "")
        if client and not CLIENT_IDS.fullmatch(client):
            raise Refusal("parameters", "cl_ord_id")
        side: Side = "buy" if side_name == "buy" else "sell"
        flags = str(params.get("oflags") or "fciq").split(",")
        volume, force = Decimal(str(params["volume"])), str(params.get("timeinforce") or "GTC").upper()
        in_quote = "viqc" in flags and kind == "market"
        ticket = Ticket(
            listing.symbol,
            side,
            "limit" if kind == "iceberg" or kind.endswith("limit") else "market",
            None if in_quote else volume,
            spend=volume if in_quote else None,
            time_in_force="IOC" if force == "IOC" else "FOK" if force == "FOK" else "GTC",
            post_only="post" in flags,
            visible=_number(params, "displayvol") if kind == "iceberg" else None,
            client_id=client,
            expires=self._expiry(params),
            extra={"type": kind, "flags": flags, "userref": params.get("userref"), "force": force},
        )
        price, second = params.get("price"), _number(params, "price2")
        if kind in ("limit", "iceberg"):
            ticket = replace(ticket, price=_needed(price))
        elif kind == "trailing-stop":
            share = str(price).lstrip("+")
            if share.endswith("%"):
                ticket = replace(ticket, trail=_needed(share.rstrip("%")) / 100)
            else:
                ticket = replace(ticket, trail_distance=_needed(share))
            ticket = replace(ticket, extra={**ticket.extra, "offset": str(price)})
        elif kind != "market":
            rising = (side == "buy") == kind.startswith("stop-loss")
            ticket = replace(ticket, trigger=_needed(price), rising=rising)
            if kind.endswith("limit"):
                ticket = replace(ticket, price=_needed(second))
        return ticket

    def _expiry(self, params: Params) -> int | None:
        """Raises Refusal."""
        given = str(params.get("expiretm") or "0")
        if given == "0":
            return None
        now = self._venue.matching.now()
        expires = now + int(given[1:]) * 1000 if given.startswith("+") else int(float(given) * 1000)
        if expires <= now:
            raise Refusal("parameters", "expiretm")
        return expires

    def _cancel(self, user: User, params: Params) -> Any:
        matching, client = self._venue.matching, params.get("cl_ord_id")
        if client:
            order = matching.find(user.id, client)
            chosen = [] if order is None else [order.id]
        else:
            given = str(params.get("txid"))
            chosen = [number_of(given)]
            if chosen == [-1]:  # it may be a userref
                chosen = [
                    each.id
                    for each in matching.of(user.id, live=True)
                    if str(each.ticket.extra.get("userref")) == given
                ]
        if not chosen:
            raise Refusal("unknown", "cancel")
        for each in chosen:
            matching.cancel(user.id, each)
        return {"count": len(chosen)}

    def _cancel_all(self, user: User, params: Params) -> Any:
        found = self._venue.matching.of(user.id, live=True)
        for order in found:
            self._venue.matching.cancel(user.id, order.id)
        return {"count": len(found)}

    # -- looking up --------------------------------------------------------------------------------------------------

    def _open(self, user: User, params: Params) -> Any:
        self._venue.matching.expire()
        found = [each for each in self._mine(user, params) if each.live]
        return {"open": self._rows(found, params)}

    def _closed(self, user: User, params: Params) -> Any:
        self._venue.matching.expire()
        found = [each for each in self._mine(user, params) if not each.live]
        start, end = float(params.get("start") or 0), float(params.get("end") or 1 << 40)
        by = "time" if params.get("closetime") == "open" else "updated"
        found = [each for each in found if start <= seconds(getattr(each, by)) <= end]
        offset = int(params.get("ofs") or 0)
        return {"closed": self._rows(found[offset : offset + PAGE], params), "count": len(found)}

    def _mine(self, user: User, params: Params) -> list[Order]:
        """Newest first."""
        client, ref = params.get("cl_ord_id"), params.get("userref")
        return [
            each
            for each in reversed(self._venue.matching.of(user.id))
            if client in (None, each.ticket.client_id) and ref in (None, each.ticket.extra.get("userref"))
        ]

    def _rows(self, orders: list[Order], params: Params) -> dict[str, Any]:
        with_trades = str(params.get("trades", "")).lower() == "true"
        return {name("O", order.id): self._row(order, with_trades) for order in orders}

    def _row(self, order: Order, with_trades: bool) -> dict[str, Any]:
        trades = [name("T", fill.trade) for fill in self._venue.fills if fill.order == order.id]
        made = row(self._listing(order.ticket.symbol), order)
        return made | {"trades": trades} if with_trades and trades else made

    def _query(self, user: User, params: Params) -> Any:
        self._venue.matching.expire()
        found = []
        for identifier in str(params["txid"]).split(","):
            order = self._venue.matching.orders.get(number_of(identifier))
            if order is None or order.user != user.id:
                raise Refusal("unknown", "query")
            found.append(order)
        return self._rows(found, params)

    def _trades(self, user: User, params: Params) -> Any:
        start, end = float(params.get("start") or 0), float(params.get("end") or 1 << 40)
        found = [
            fill for fill in reversed(self._venue.fills) if fill.user == user.id and start < seconds(fill.time) <= end
        ]
        offset = int(params.get("ofs") or 0)
        page = {name("T", fill.trade): self._trade_row(fill) for fill in found[offset : offset + PAGE]}
        return {"trades": page, "count": len(found)}

    def _query_trades(self, user: User, params: Params) -> Any:
        wanted = str(params["txid"]).split(",")
        found = {name("T", fill.trade): fill for fill in self._venue.fills if fill.user == user.id}
        if any(each not in found for each in wanted):
            raise Refusal("unknown", "query")
        return {each: self._trade_row(found[each]) for each in wanted}

    def _trade_row(self, fill: Fill) -> dict[str, Any]:
        listing, order = self._listing(fill.symbol), self._venue.matching.orders[fill.order]
        return {
            "ordertxid": name("O", fill.order),
            "postxid": name("T", 0),
            "pair": pair_id(listing),
            "time": seconds(fill.time),
            "type": fill.side,
            "ordertype": order.ticket.extra.get("type", order.ticket.kind),
            "price": price_text(listing, fill.price),
            "cost": _plain(fill.cost),
            "fee": _plain(fill.fee),
            "vol": sized(listing, fill.quantity),
            "margin": "0.00000",
            "leverage": "0",
            "misc": "",
            "trade_id": fill.trade,
            "maker": fill.maker,
        }

    # -- the account -------------------------------------------------------------------------------------------------

    def _balance(self, user: User, params: Params) -> Any:
        accounts = self._venue.matching.accounts
        return {asset_id(asset): _plain(accounts.total(user.id, asset)) for asset in accounts.assets(user.id)}

    def _balances(self, user: User, params: Params) -> Any:
        accounts = self._venue.matching.accounts
        return {
            asset_id(asset): {
                "balance": _plain(accounts.total(user.id, asset)),
                "hold_trade": _plain(accounts.held(user.id, asset)),
            }
            for asset in accounts.assets(user.id)
        }

    def _worth(self, user: User, params: Params) -> Any:
        """The account in dollars at the last prices."""
        accounts, last, worth = self._venue.matching.accounts, self._venue.matching.last, ZERO
        for asset in accounts.assets(user.id):
            price = Decimal(1) if asset in ("USD", "USDT") else last.get(f"{asset}/USD") or last.get(f"{asset}/USDT")
            worth += accounts.total(user.id, asset) * (price or ZERO)
        text = f"{worth:.4f}"
        return {"eb": text, "tb": text, **dict.fromkeys(("m", "n", "c", "v"), "0.0000"), "e": text, "mf": text}

    def _volume(self, user: User, params: Params) -> Any:
        asked = [listing_of(self._venue, each) for each in str(params.get("pair") or "").split(",") if each]
        sides = {
            kind: {pair_id(listing): _fee(getattr(listing, side)) for listing in asked}
            for kind, side in (("fees", "taker"), ("fees_maker", "maker"))
        }
        return {"currency": "ZUSD", "volume": "0.0000", **sides}

    def _listing(self, symbol: str) -> Listing:
        return self._venue.matching.listings[symbol]


def _fee(rate: Decimal) -> dict[str, Any]:
    text = f"{rate * 100:.4f}"
    least = {"minfee": "0.0000", "maxfee": text, "nextfee": text, "nextvolume": "10000.0000", "tiervolume": "0.0000"}
    return {"fee": text, **least}


def _number(params: Params, field: str) -> Decimal | None:
    value = params.get(field)
    return None if value in (None, "", "0") else Decimal(str(value))


def _needed(value: Any) -> Decimal:
    """Raises Refusal."""
    if value in (None, ""):
        raise Refusal("parameters", "price")
    return Decimal(str(value))


def _plain(value: Decimal) -> str:
    return f"{value:.10f}"


def described(listing: Listing, ticket: Ticket) -> str:
    """'buy 1.25000000 XBTUSD @ limit 27500.0'."""
    kind = ticket.extra.get("type", ticket.kind)
    volume = sized(listing, ticket.quantity) if ticket.quantity is not None else _plain(ticket.spend or ZERO)
    terms = kind
    if kind in WORDS:
        trigger = ticket.extra.get("offset") or price_text(listing, ticket.trigger)
        terms = f"{WORDS[kind]} {trigger}" + (
            f" -> limit {price_text(listing, ticket.price)}" if ticket.price is not None else ""
        )
    elif ticket.price is not None:
        terms = f"limit {price_text(listing, ticket.price)}"
    return f"{ticket.side} {volume} {pair_altname(listing)} @ {terms}"


def row(listing: Listing, order: Order) -> dict[str, Any]:
    """An order; of one sized in quote (viqc), the volumes are in quote as well."""
    ticket, in_quote = order.ticket, order.ticket.spend is not None
    first = ticket.extra.get("offset") or price_text(listing, ticket.trigger or ticket.price)
    second = price_text(listing, ticket.price) if ticket.trigger is not None and ticket.price is not None else "0"
    status = STATUS[order.status]
    if order.status == "expired" and ticket.expires is None:
        status = "canceled"  # what could not fill at once
    flags = ",".join(ticket.extra.get("flags", ("fciq",)))
    made: dict[str, Any] = {
        "refid": None,
        "userref": ticket.extra.get("userref"),
        "status": status,
        "opentm": seconds(order.time),
        "starttm": 0,
        "expiretm": 0 if ticket.expires is None else seconds(ticket.expires),
        "descr": {
            "pair": pair_altname(listing),
            "aclass": "forex",
            "type": ticket.side,
            "ordertype": ticket.extra.get("type", ticket.kind),
            "price": "0" if ticket.extra.get("type", ticket.kind) == "market" else first,
            "price2": second,
            "leverage": "none",
            "order": described(listing, ticket),
            "close": "",
        },
        "vol": _plain(ticket.spend or ZERO) if in_quote else sized(listing, order.quantity),
        "vol_exec": _plain(order.cost) if in_quote else sized(listing, order.filled),
        "cost": _plain(order.cost),
        "fee": _plain(sum(order.fees.values(), ZERO)),
        "price": _plain(order.average or ZERO),
        "stopprice": price_text(listing, ticket.trigger if order.triggered else None),
        "limitprice": price_text(listing, ticket.price if order.triggered else None),
        "misc": "",
        "oflags": flags,
        "sending_application": "",
    }
    if ticket.client_id:
        made["cl_ord_id"] = ticket.client_id
    if not order.live:
        user_asked = "User requested" if order.status == "canceled" else order.reason or None
        made |= {"closetm": seconds(order.updated), "reason": None if order.status == "filled" else user_asked}
    return made
