"""ccxt's dictionaries as values of the product. ccxt's numbers become exact decimals here and nowhere else."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import from_ms
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import ZERO, decimal_of
from core.trading.exchange import ELSEWHERE, Quote
from core.trading.orders import Limit, Market, Order, OrderRequest, OrderStatus, OrderType, Side, Stop, StopLimit

TICK_SIZE = 4  # ccxt's way of telling a grid as its step; the other ways count digits
DECIMAL_PLACES = 2
STATUS = {
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "cancelled": OrderStatus.CANCELLED,
    "canceling": OrderStatus.OPEN,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
CLIENT_IDS = ("clientOrderId", "clientOid", "client_order_id", "cl_ord_id", "clOrdId", "orderLinkId", "algoClOrdId")


def decimal(value: Any) -> Decimal | None:
    """ccxt's number, exact as its shortest form; None for what it does not know."""
    if value is None or value == "":
        return None
    try:
        return decimal_of(value)
    except InvalidInput:
        return None


def instrument_of(venue: str, market: Any, mode: int) -> Instrument:
    """The pair that ccxt describes as `market`, with its grids; mode: the client's `precisionMode`."""
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    return Instrument(
        venue,
        str(market["base"]),
        str(market["quote"]),
        _grid(precision.get("price"), mode),
        _grid(precision.get("amount"), mode),
        decimal((limits.get("cost") or {}).get("min")) or ZERO,
    )


def _grid(precision: Any, mode: int) -> Decimal:
    """A step of ccxt's as an exact decimal; 0 where the venue sets none."""
    if precision is None:
        return ZERO
    if mode == TICK_SIZE:
        return decimal(precision) or ZERO
    return Decimal(1).scaleb(-int(precision)) if mode == DECIMAL_PLACES else ZERO


def quote_of(ticker: Any, instrument: Instrument, now: datetime, simulated: bool) -> Quote | None:
    """The quote in a ticker; None when it holds no price."""
    last = decimal(ticker.get("last")) or decimal(ticker.get("close"))
    bid, ask = decimal(ticker.get("bid")), decimal(ticker.get("ask"))
    if last is None and bid and ask:
        last = (bid + ask) / 2
    if last is None or last <= 0:
        return None
    percentage = decimal(ticker.get("percentage"))
    stamp = ticker.get("timestamp")
    return Quote(
        instrument=instrument,
        bid=bid or last,
        ask=ask or last,
        last=last,
        time=from_ms(int(stamp)) if stamp else now,
        change=None if percentage is None else percentage / 100,
        high=decimal(ticker.get("high")),
        low=decimal(ticker.get("low")),
        volume=decimal(ticker.get("baseVolume")),
        simulated=simulated,
    )


def client_id_of(answer: Any) -> str | None:
    """The client id in an order or trade of ccxt's, wherever it stands."""
    info = answer.get("info")
    for source in (answer, info if isinstance(info, dict) else {}):
        for name in CLIENT_IDS:
            if source.get(name):
                return str(source[name])
    return None


def order_of(request: OrderRequest, answer: Any, now: datetime) -> Order:
    """Where the request stands, as the venue tells it in `answer`."""
    filled, amount = filled_of(answer, request.instrument), decimal(answer.get("amount"))
    status = STATUS.get(str(answer.get("status")))
    if status is None:
        status = OrderStatus.FILLED if amount and filled >= amount else OrderStatus.OPEN
    if status is OrderStatus.OPEN and filled:
        status = OrderStatus.PARTIAL
    average = decimal(answer.get("average"))
    if filled and not average:
        cost = decimal(answer.get("cost"))
        average = cost / filled if cost else decimal(answer.get("price"))
    stamp = answer.get("lastUpdateTimestamp") or answer.get("timestamp")
    return Order(
        request,
        status,
        filled,
        average if filled else None,
        reason=REASONS.get(status),
        updated=from_ms(int(stamp)) if stamp else now,
    )


def filled_of(answer: Any, instrument: Instrument) -> Decimal:
    """The base quantity that an order traded. Kraken tells volumes of an order sized in quote (viqc) in quote."""
    info = answer.get("info")
    if isinstance(info, dict) and "viqc" in str(info.get("oflags") or ""):
        cost, average = decimal(info.get("cost")), decimal(info.get("price"))
        if not cost or not average:
            return ZERO
        lot = instrument.lot_size or Decimal("0.00000001")
        return (cost / average / lot).quantize(Decimal(1)) * lot
    return decimal(answer.get("filled")) or ZERO


REASONS = {
    OrderStatus.CANCELLED: "It was cancelled at the venue.",
    OrderStatus.EXPIRED: "It ended at the venue, as its time in force demanded.",
    OrderStatus.REJECTED: "The venue rejected it.",
}


def foreign_id(venue: str, symbol: str, venue_id: Any) -> str:
    """Our name of an order made elsewhere; the pair is in it, because venues count their orders per pair."""
    return f"{venue}:{symbol}:{venue_id}"


def foreign_request(account: str, instrument: Instrument, answer: Any) -> OrderRequest | None:
    """The request of an order that was made elsewhere; None when the venue does not tell its size."""
    amount, cost = decimal(answer.get("amount")), decimal(answer.get("cost"))
    quantity = amount or decimal(answer.get("filled"))
    if not quantity and not cost:
        return None
    stamp = answer.get("timestamp")
    return OrderRequest(
        foreign_id(instrument.venue, instrument.symbol, answer["id"]),
        account,
        instrument,
        Side.SELL if answer.get("side") == "sell" else Side.BUY,
        _kind(answer),
        quantity=quantity or None,
        spend=None if quantity else cost,
        ledger=ELSEWHERE,
        created=from_ms(int(stamp)) if stamp else None,
    )


def _kind(answer: Any) -> OrderType:
    trigger = decimal(answer.get("triggerPrice") or answer.get("stopPrice") or answer.get("stopLossPrice"))
    price = decimal(answer.get("price"))
    limited = price is not None and price > 0 and "market" not in str(answer.get("type"))
    if trigger:
        return StopLimit(trigger, price) if limited and price else Stop(trigger)
    return Limit(price) if limited and price else Market()
