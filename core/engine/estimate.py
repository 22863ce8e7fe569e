"""Estimate: what an order is expected to cost before it is sent, and what speaks for a second look."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core import wording
from core.engine.drafting import entry_of
from core.engine.synthetics import terms
from core.engine.synthetics.grid import each_of
from core.engine.valuation import FRESH
from core.money import ZERO
from core.risk import limits as risk
from core.trading.costs import Costs
from core.trading.exchange import Quote
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Limit,
    OneCancelsOther,
    OrderRequest,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip
from core.trading.purses import mode_of

LARGE = Decimal("0.5")  # share of the equity in one order that is worth a warning


@dataclass(frozen=True, slots=True)
class Cost:
    """price: expected fill price; quantity: base; notional, fee: quote; slippage: fraction of the price."""

    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    slippage: Decimal


def expected(request: OrderRequest, quote: Quote, costs: Costs) -> Cost:
    """What the fill is expected to be at this quote."""
    side = request.side.sign
    kind, last = entry_of(request.type), quote.last
    slippage = Decimal(repr(costs.slippage))
    rate = Decimal(repr(costs.taker_fee))
    match kind:
        case Limit(price) if (last - price) * side < 0:
            price, slippage = last, ZERO  # it can be had at once, and better
        case Limit(price):
            slippage, rate = ZERO, Decimal(repr(costs.maker_fee))
        case StopLimit(_, price):
            slippage = ZERO
        case Stop(trigger):
            price = request.instrument.price(trigger * (1 + slippage * side), side)
        case TrailingStop(fraction, distance):
            trigger = last * (1 - side * -fraction) if fraction is not None else last + side * (distance or ZERO)
            price = request.instrument.price(trigger * (1 + slippage * side), side)
        case Iceberg(price):
            slippage, rate = ZERO, Decimal(repr(costs.maker_fee))
        case OneCancelsOther() | Ladder() | Grid():
            price = request.instrument.price(terms.reference(kind, request.side, request.instrument, last))
        case Twap(limit=Decimal()) | Vwap(limit=Decimal()):
            price = terms.reference(kind, request.side, request.instrument, last)
        case _:
            price = request.instrument.price(last * (1 + slippage * side), side)
    if isinstance(kind, Grid):
        quantity = each_of(kind, request.quantity or ZERO, request.instrument) * (kind.levels - 1)
    elif request.quantity is not None:
        quantity = request.quantity
    else:
        quantity = request.instrument.quantity((request.spend or ZERO) / (price * (1 + rate)))
    notional = quantity * price
    return Cost(price, quantity, notional, notional * rate, slippage)


def warnings(
    request: OrderRequest, quote: Quote, cost: Cost, equity: Decimal, age: float | None, *, at_venue: bool = False
) -> Sequence[str]:
    """What speaks for a second look, as sentences.

    equity: of the ledger or account; age: of the quote, seconds; at_venue: the venue itself watches the order's prices
    """
    found = []
    if quote.simulated:
        found.append("Simulated market: these prices are made up.")
    if age is not None and age > FRESH:
        found.append(f"The price is {age:.0f} seconds old.")
    if equity > 0 and cost.notional > LARGE * equity and request.side is Side.BUY:
        found.append(f"This is {risk.percent(cost.notional / equity)} of what the account is worth.")
    kind = entry_of(request.type)
    if isinstance(kind, Limit) and (quote.last - kind.price) * request.side.sign < 0:
        found.append(
            f"The market is at {wording.price(quote.last, request.instrument)}: this limit order fills at once."
        )
    least = request.instrument.min_notional
    if mode_of(request.account) == "LIVE" and isinstance(kind, Limit) and cost.quantity * kind.price < least:
        worth = wording.money(cost.quantity * kind.price, request.instrument.quote)
        found.append(
            f"At its limit it is worth {worth}, and {request.instrument.venue} takes none below "
            f"{wording.money(least, request.instrument.quote)}."
        )
    if isinstance(request.type, Bracket | Stop | TrailingStop | StopLimit) and not at_venue:
        found.append("Stops live in this process: they rest while it does not run, and are made good afterwards.")
    return found
