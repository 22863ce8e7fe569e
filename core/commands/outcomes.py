"""Orders in words: how they trade, and what became of them."""

from collections.abc import Sequence
from decimal import Decimal

from core import wording
from core.money import ZERO
from core.reply import Tone
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Limit,
    OneCancelsOther,
    Order,
    OrderRequest,
    OrderStatus,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip
from core.trading.portfolio import Fill


def kind_of(request: OrderRequest) -> str:
    """' at 60,000' for limits, ' at the market', ' if the price falls to 55,000' …"""
    show = request.instrument
    match request.type:
        case Limit(price) | Bracket(entry=Limit(price)):
            return f" at {wording.price(price, show)}"
        case Stop(trigger):
            return (
                f" if the price {'falls' if request.side is Side.SELL else 'rises'} to {wording.price(trigger, show)}"
            )
        case StopLimit(trigger, price):
            return f" at {wording.price(price, show)} once the price reaches {wording.price(trigger, show)}"
        case TrailingStop(activation=activation) as following:
            start = "" if activation is None else f" from {wording.price(activation, show)} on"
            return f" by a trailing stop of {gap_of(following)}{start}"
        case OneCancelsOther(price, trigger):
            turn = "falls" if request.side is Side.SELL else "rises"
            return f" at {wording.price(price, show)}, or if the price {turn} to {wording.price(trigger, show)}"
        case Iceberg(price, visible):
            return f" at {wording.price(price, show)}, {wording.quantity(visible, show.base)} of it visible"
        case Twap(duration, slices, limit) | Vwap(duration, slices, limit=limit):
            how = "" if isinstance(request.type, Twap) else " like the market's volume"
            at = "" if limit is None else f" at {wording.price(limit, show)} or better"
            return f" in {slices} slices over {length(duration)}{how}{at}"
        case Ladder(prices):
            span = f"{wording.price(prices[0], show)} to {wording.price(prices[-1], show)}"
            return f" in {wording.plural(len(prices), 'part')} from {span}"
        case Grid(low, high, levels):
            return f" on a grid of {levels} levels from {wording.price(low, show)} to {wording.price(high, show)}"
        case _:
            return " at the market"


def gap_of(kind: TrailingStop) -> str:
    """'3.0 %' or '500'."""
    return wording.rate(kind.fraction) if kind.fraction is not None else wording.grouped(kind.distance or ZERO)


def length(seconds: int) -> str:
    """'2 h', '90 min', '45 s'."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def outcome(order: Order, mode: str, simulated: bool, fills: Sequence[Fill] = ()) -> str:
    """What became of a submitted order, in a sentence. fills: of the account; the order's tell in what its fee went"""
    request, instrument = order.request, order.request.instrument
    badge = wording.badge(mode, simulated)
    verb = "Bought" if request.side is Side.BUY else "Sold"
    amount = wording.quantity(order.filled, instrument.base)
    match order.status:
        case OrderStatus.FILLED:
            at = f"{wording.price(order.average_price or 0, instrument)} {instrument.quote}"
            return f"{verb} {amount} at {at}, fee {paid(order, fills)}. Order {order.number}, {badge}."
        case OrderStatus.PARTIAL:
            return f"{verb} {amount} so far; the rest of order {order.number} is open. {badge}."
        case OrderStatus.REJECTED:
            return f"Order {order.number} was refused: {order.reason or 'no reason was given'} {badge}."
        case OrderStatus.CANCELLED | OrderStatus.EXPIRED:
            return f"Order {order.number} ended without a fill: {order.reason or order.status.value} {badge}."
        case OrderStatus.UNKNOWN:
            return (
                f"It is not known yet whether order {order.number} arrived. It is being looked up and "
                f"will not be sent again. {badge}."
            )
        case _:
            size = wording.quantity(request.quantity or request.estimate, instrument.base)
            return f"Order {order.number} is placed: {request.side} {size}{kind_of(request)}. {badge}."


def paid(order: Order, fills: Sequence[Fill]) -> str:
    """'3.00 USDT', or '0.00005 BTC (3.00 USDT)' where the venue took coins instead."""
    kinds: dict[str, Decimal] = {}
    for fill in fills:
        if fill.order == order.id and fill.fee_asset is not None:
            kinds[fill.fee_asset] = kinds.get(fill.fee_asset, ZERO) + fill.fee_amount
    worth = wording.money(order.fees, order.request.instrument.quote)
    taken = wording.listed([wording.quantity(amount, asset) for asset, amount in sorted(kinds.items()) if amount])
    return f"{taken} ({worth})" if taken else worth


def tone_of(order: Order) -> Tone:
    """How the outcome feels."""
    if order.status in (OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.UNKNOWN):
        return "warning"
    return "good"
