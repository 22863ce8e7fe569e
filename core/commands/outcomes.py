"""Orders in words: how they trade, and what became of them."""

from core import wording
from core.reply import Tone
from core.trading.orders import Bracket, Limit, Order, OrderRequest, OrderStatus, Side, Stop, StopLimit, TrailingStop


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
        case TrailingStop():
            return " by a trailing stop"
        case _:
            return " at the market"


def outcome(order: Order, mode: str, simulated: bool) -> str:
    """What became of a submitted order, in a sentence."""
    request, instrument = order.request, order.request.instrument
    badge = wording.badge(mode, simulated)
    verb = "Bought" if request.side is Side.BUY else "Sold"
    amount = wording.quantity(order.filled, instrument.base)
    match order.status:
        case OrderStatus.FILLED:
            at = f"{wording.price(order.average_price or 0, instrument)} {instrument.quote}"
            fee = wording.money(order.fees, instrument.quote)
            return f"{verb} {amount} at {at}, fee {fee}. Order {order.number}, {badge}."
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


def tone_of(order: Order) -> Tone:
    """How the outcome feels."""
    if order.status in (OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.UNKNOWN):
        return "warning"
    return "good"
