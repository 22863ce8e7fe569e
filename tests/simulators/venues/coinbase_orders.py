"""Orders, fills and accounts of a user in the shapes of Coinbase's Advanced Trade."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.simulators.venues.coinbase_market import FIAT, identity, iso, listing_of, moment, plain
from tests.simulators.venues.values import ZERO, Fill, Order, Refusal, Ticket
from tests.simulators.venues.venue import User, Venue

Params = Mapping[str, Any]
BROKERAGE = "/api/v3/brokerage/"
FORCES = {
    "gtc": "GOOD_UNTIL_CANCELLED",
    "gtd": "GOOD_UNTIL_DATE_TIME",
    "ioc": "IMMEDIATE_OR_CANCEL",
    "fok": "FILL_OR_KILL",
}
KINDS = {
    "market_market_ioc": "MARKET", "sor_limit_ioc": "LIMIT", "limit_limit_gtc": "LIMIT", "limit_limit_gtd": "LIMIT",
    "limit_limit_fok": "LIMIT", "stop_limit_stop_limit_gtc": "STOP_LIMIT", "stop_limit_stop_limit_gtd": "STOP_LIMIT",
    "trigger_bracket_gtc": "BRACKET", "trigger_bracket_gtd": "BRACKET",
}  # fmt: skip
STATUS = {"pending": "OPEN", "open": "OPEN", "filled": "FILLED", "canceled": "CANCELLED", "expired": "EXPIRED"}
REASONS: dict[str, tuple[str, str]] = {  # (failure, preview failure)
    "symbol": ("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID"),
    "closed": ("ORDER_ENTRY_DISABLED", "UNKNOWN_PREVIEW_FAILURE_REASON"),
    "tick": ("INVALID_PRICE_PRECISION", "PREVIEW_INVALID_PRICE_PRECISION"),
    "lot": ("INVALID_SIZE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION"),
    "least": ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    "notional": ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    "funds": ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND"),
    "crosses": ("INVALID_LIMIT_PRICE_POST_ONLY", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"),
    "trigger_above": ("UNKNOWN_FAILURE_REASON", "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
    "trigger_below": ("UNKNOWN_FAILURE_REASON", "PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
    "parameters": ("UNSUPPORTED_ORDER_CONFIGURATION", "PREVIEW_INVALID_ORDER_CONFIG"),
}
SENTENCES = {"INSUFFICIENT_FUND": "Insufficient balance in source account"}


class NotFound(Exception):
    """There is nothing of that id."""


def name(number: int) -> str:
    """The venue's form of an order's number: a UUID that can be read back."""
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def number_of(identifier: Any) -> int:
    text = str(identifier).replace("-", "")
    return int(text, 16) if re.fullmatch("[0-9a-f]{32}", text) else -1


class Orders:
    """What users of Coinbase may ask of their account. Of a bracket, only the leg with its target is told."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def answer(self, user: User, method: str, path: str, params: Params) -> Any:
        """None where such a question is not served. Raises NotFound."""
        match [method, *path.removeprefix(BROKERAGE).split("/")]:
            case ["POST", "orders"]:
                return self._place(user, params)
            case ["POST", "orders", "batch_cancel"]:
                return {"results": [self._cancelled(user, each) for each in params["order_ids"]]}
            case ["GET", "orders", "historical", "batch"]:
                return self._orders(user, params)
            case ["GET", "orders", "historical", "fills"]:
                return self._fills(user, params)
            case ["GET", "orders", "historical", identifier]:
                return {"order": row(self._venue, self._own(user, identifier))}
            case ["GET", "accounts"]:
                rows = self._accounts(user)
                return {"accounts": rows, "has_next": False, "cursor": "", "size": len(rows)}
            case ["GET", "", "v2", "accounts"]:
                return {"pagination": {"next_uri": None}, "data": self._wallets(user)}
            case ["GET", "transaction_summary"]:
                return self._summary()
            case ["GET", "key_permissions"]:
                may = {"can_view": True, "can_trade": user.may_trade, "can_transfer": False}
                return may | {"portfolio_uuid": str(uuid5(NAMESPACE_URL, user.id)), "portfolio_type": "DEFAULT"}
        return None

    # -- placing and cancelling --------------------------------------------------------------------------------------

    def _place(self, user: User, params: Params) -> Any:
        """A client id that was ever used is answered with the order that has it; nothing new is placed."""
        client, given = str(params.get("client_order_id") or ""), params.get("order_configuration") or {}
        known = self._venue.matching.find(user.id, client) if client else None
        if known is None:
            try:
                known = self._placed(user, client, params, given)
            except Refusal as refusal:
                return self._refused(refusal, given)
            except (ArithmeticError, ValueError, KeyError):
                return self._refused(Refusal("parameters"), given)
        named = {"order_id": name(known.id), "product_id": identity(known.ticket.symbol)}
        told = named | {"side": known.ticket.side.upper(), "client_order_id": client}
        return {"success": True, "success_response": told, "order_configuration": given}

    def _placed(self, user: User, client: str, params: Params, given: Params) -> Order:
        """Raises Refusal."""
        if not client or len(given) != 1 or params.get("side") not in ("BUY", "SELL"):
            raise Refusal("parameters", "client_order_id, side or order_configuration")
        ((kind, terms),) = given.items()
        if kind not in KINDS:
            raise Refusal("parameters", kind)
        listing, side = listing_of(self._venue, params.get("product_id")), params["side"].lower()
        quantity = Decimal(terms["base_size"]) if terms.get("base_size") else None
        if quantity is not None and quantity < (listing.min_quantity or listing.lot):
            raise Refusal("lot", "least")
        force = kind.rpartition("_")[2]
        extra = {"kind": kind, "terms": dict(terms)}
        common: dict[str, Any] = {
            "client_id": client,
            "extra": extra,
            "expires": moment(terms["end_time"]) if force == "gtd" else None,
            "time_in_force": force.upper() if force in ("ioc", "fok") and kind != "market_market_ioc" else "GTC",
        }
        matching = self._venue.matching
        if kind == "market_market_ioc":
            spend = None if quantity is not None else Decimal(terms["quote_size"])
            return matching.place(user.id, Ticket(listing.symbol, side, "market", quantity, spend=spend, **common))
        price = Decimal(terms["limit_price"])
        ticket = Ticket(
            listing.symbol, side, "limit", quantity, price=price, post_only=bool(terms.get("post_only")), **common
        )
        if KINDS[kind] == "LIMIT":
            return matching.place(user.id, ticket)
        last = matching.last.get(listing.symbol, ZERO)
        if KINDS[kind] == "STOP_LIMIT":
            trigger, rising = Decimal(terms["stop_price"]), terms["stop_direction"].endswith("UP")
            self._check_trigger(trigger, rising, last)
            common |= {"trigger": trigger, "rising": rising}
            return matching.place(user.id, Ticket(listing.symbol, side, "limit", quantity, price=price, **common))
        trigger, rising = Decimal(terms["stop_trigger_price"]), side == "buy"
        self._check_trigger(trigger, rising, last)
        common |= {"trigger": trigger, "rising": rising, "client_id": "", "extra": {**extra, "hidden": True}}
        stop = Ticket(listing.symbol, side, "market", quantity, **common)
        return matching.place_list(user.id, (ticket, stop))[0]

    def _check_trigger(self, trigger: Decimal, rising: bool, last: Decimal) -> None:
        """Raises Refusal."""
        if last and (trigger <= last if rising else trigger >= last):
            raise Refusal("trigger", "trigger_below" if rising else "trigger_above")

    def _refused(self, refusal: Refusal, given: Params) -> Any:
        failure, preview = REASONS.get(refusal.detail) or REASONS.get(refusal.why) or REASONS["parameters"]
        said = {
            "error": failure,
            "message": SENTENCES.get(failure, ""),
            "error_details": "",
            "preview_failure_reason": preview,
            "new_order_failure_reason": failure,
        }
        return {"success": False, "failure_reason": failure, "order_id": "", "error_response": said} | {
            "order_configuration": given
        }

    def _cancelled(self, user: User, identifier: str) -> dict[str, Any]:
        order, failure = self._venue.matching.orders.get(number_of(identifier)), "UNKNOWN_CANCEL_FAILURE_REASON"
        if order is None or order.user != user.id:
            failure = "UNKNOWN_CANCEL_ORDER"
        elif order.live:
            self._venue.matching.cancel(user.id, order.id)
        else:
            failure = "INVALID_CANCEL_REQUEST"
        done = failure == "UNKNOWN_CANCEL_FAILURE_REASON"
        return {"success": done, "failure_reason": failure, "order_id": identifier}

    # -- looking up --------------------------------------------------------------------------------------------------

    def _own(self, user: User, identifier: str) -> Order:
        """Raises NotFound."""
        self._venue.matching.expire()
        order = self._venue.matching.orders.get(number_of(identifier))
        if order is None or order.user != user.id:
            raise NotFound("order with this orderID was not found")
        return order

    def _orders(self, user: User, params: Params) -> Any:
        self._venue.matching.expire()
        product, wanted = params.get("product_id"), params.get("order_status")
        start, end = params.get("start_date"), params.get("end_date")
        found = [
            row(self._venue, each)
            for each in reversed(self._venue.matching.of(user.id))
            if not each.ticket.extra.get("hidden")
            and product in (None, identity(each.ticket.symbol))
            and (start is None or each.time >= moment(start))
            and (end is None or each.time < moment(end))
        ]
        found = [each for each in found if wanted in (None, each["status"])]
        rows, more = _page(found, params)
        return {"orders": rows, "sequence": "0", "has_next": bool(more), "cursor": more}

    def _fills(self, user: User, params: Params) -> Any:
        product, order = params.get("product_id"), params.get("order_id")
        start, end = params.get("start_sequence_timestamp"), params.get("end_sequence_timestamp")
        found = [
            self._fill(fill)
            for fill in reversed(self._venue.fills)
            if fill.user == user.id
            and product in (None, identity(fill.symbol))
            and order in (None, name(fill.order))
            and (start is None or fill.time >= moment(start))
            and (end is None or fill.time < moment(end))
        ]
        rows, more = _page(found, params)
        return {"fills": rows, "cursor": more}

    def _fill(self, fill: Fill) -> dict[str, Any]:
        order = _told(self._venue, self._venue.matching.orders[fill.order])
        return {
            "entry_id": f"entry-{fill.trade}-{fill.side}",
            "trade_id": f"{fill.trade}-{fill.side}",
            "order_id": name(order.id),
            "trade_time": iso(fill.time),
            "trade_type": "FILL",
            "price": plain(fill.price),
            "size": plain(fill.quantity),
            "commission": plain(fill.fee),
            "product_id": identity(fill.symbol),
            "sequence_timestamp": iso(fill.time),
            "liquidity_indicator": "MAKER" if fill.maker else "TAKER",
            "size_in_quote": False,
            "user_id": fill.user,
            "side": fill.side.upper(),
        }

    # -- the account -------------------------------------------------------------------------------------------------

    def _accounts(self, user: User) -> list[dict[str, Any]]:
        accounts = self._venue.matching.accounts
        return [
            {
                "uuid": str(uuid5(NAMESPACE_URL, f"{user.id}:{asset}")),
                "name": f"{asset} Wallet",
                "currency": asset,
                "available_balance": {"value": plain(accounts.free(user.id, asset)), "currency": asset},
                "default": True,
                "active": True,
                "created_at": "2021-05-31T09:59:59.000Z",
                "updated_at": "2021-05-31T09:59:59.000Z",
                "deleted_at": None,
                "type": "ACCOUNT_TYPE_FIAT" if asset in FIAT else "ACCOUNT_TYPE_CRYPTO",
                "ready": True,
                "hold": {"value": plain(accounts.held(user.id, asset)), "currency": asset},
                "retail_portfolio_id": str(uuid5(NAMESPACE_URL, user.id)),
                "platform": "ACCOUNT_PLATFORM_CONSUMER",
            }
            for asset in accounts.assets(user.id)
        ]

    def _wallets(self, user: User) -> list[dict[str, Any]]:
        """Accounts as the older API tells them: totals only."""
        accounts = self._venue.matching.accounts
        return [
            {
                "id": str(uuid5(NAMESPACE_URL, f"{user.id}:{asset}")),
                "name": f"{asset} Wallet",
                "primary": False,
                "type": "fiat" if asset in FIAT else "wallet",
                "currency": {"code": asset, "name": asset},
                "balance": {"amount": plain(accounts.total(user.id, asset)), "currency": asset},
            }
            for asset in accounts.assets(user.id)
        ]

    def _summary(self) -> dict[str, Any]:
        first = next(iter(self._venue.matching.listings.values()), None)
        maker, taker = (ZERO, ZERO) if first is None else (first.maker, first.taker)
        rates = {"taker_fee_rate": plain(taker), "maker_fee_rate": plain(maker), "aop_from": "", "aop_to": ""}
        return {
            "total_volume": 0,
            "total_fees": 0,
            "fee_tier": {"pricing_tier": "Advanced 1", "usd_from": "0", "usd_to": "10000", **rates},
            "margin_rate": None,
            "goods_and_services_tax": None,
            "advanced_trade_only_volume": 0,
            "advanced_trade_only_fees": 0,
            "coinbase_pro_volume": 0,
            "coinbase_pro_fees": 0,
            "total_balance": "",
        }


def _page(rows: list[dict[str, Any]], params: Params) -> tuple[list[dict[str, Any]], str]:
    """The rows from the cursor on, and the next cursor."""
    begin, size = int(params.get("cursor") or 0), int(params.get("limit") or 100)
    rest = begin + size
    return rows[begin:rest], str(rest) if rest < len(rows) else ""


def _told(venue: Venue, order: Order) -> Order:
    """The order itself; of a bracket's hidden leg, the one that is told."""
    if not order.ticket.extra.get("hidden"):
        return order
    return next(each for each in venue.matching.of(order.user) if each.group == order.group and each is not order)


def whole(venue: Venue, order: Order) -> Order:
    """What has become of the order; of a bracket, of the leg that acted."""
    if order.group is None:
        return order
    legs = [each for each in venue.matching.orders.values() if each.group == order.group]
    return next(
        (leg for leg in legs if leg.filled or leg.triggered),
        next(leg for leg in legs if not leg.ticket.extra.get("hidden")),
    )


def row(venue: Venue, order: Order) -> dict[str, Any]:
    ticket, acted = order.ticket, whole(venue, order)
    kind = ticket.extra.get("kind", "limit_limit_gtc" if ticket.kind == "limit" else "market_market_ioc")
    terms = ticket.extra.get("terms") or _terms(ticket)
    fees, fills = sum(acted.fees.values(), ZERO), [each for each in venue.fills if each.order == acted.id]
    size = acted.quantity or ticket.quantity or ZERO
    status = STATUS[acted.status]
    if acted.status == "expired" and (ticket.expires is None or acted is not order):
        status = "FILLED" if kind == "market_market_ioc" and acted.filled else "CANCELLED"
    waits = "STOP_TRIGGERED" if acted.triggered else "STOP_PENDING"
    return {
        "order_id": name(order.id),
        "product_id": identity(ticket.symbol),
        "user_id": order.user,
        "order_configuration": {kind: terms},
        "side": ticket.side.upper(),
        "client_order_id": ticket.client_id,
        "status": status,
        "time_in_force": FORCES[kind.rpartition("_")[2]],
        "created_time": iso(order.time),
        "completion_percentage": plain(round(acted.filled / size * 100, 2) if size else ZERO),
        "filled_size": plain(acted.filled),
        "average_filled_price": plain(acted.average),
        "fee": "",
        "number_of_fills": str(len(fills)),
        "filled_value": plain(acted.cost),
        "pending_cancel": False,
        "size_in_quote": ticket.spend is not None,
        "total_fees": plain(fees),
        "size_inclusive_of_fees": ticket.spend is not None,
        "total_value_after_fees": plain(acted.cost + fees if ticket.side == "buy" else acted.cost - fees),
        "trigger_status": "INVALID_ORDER_TYPE" if KINDS[kind] in ("MARKET", "LIMIT") else waits,
        "order_type": KINDS[kind],
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": acted.status == "filled",
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "User requested cancel" if acted.status == "canceled" else "",
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": plain(acted.hold.amount if acted.live else ZERO),
        "is_liquidation": False,
        "last_fill_time": iso(fills[-1].time) if fills else None,
        "edit_history": [],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": str(uuid5(NAMESPACE_URL, order.user)),
    }


def _terms(ticket: Ticket) -> dict[str, Any]:
    """Of an order that was made by hand."""
    if ticket.kind == "market":
        return {"base_size": plain(ticket.quantity)} if ticket.spend is None else {"quote_size": plain(ticket.spend)}
    return {"base_size": plain(ticket.quantity), "limit_price": plain(ticket.price), "post_only": ticket.post_only}
