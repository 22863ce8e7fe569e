"""Tickets: an order as the simulation takes it. Decimal becomes float64 here and nowhere else on this way."""

from typing import Any

from core.clock import to_ms
from core.money import ZERO
from core.simulation.account import Kind, Ticket
from core.trading.orders import Bracket, Limit, Market, OrderRequest, Stop, StopLimit, TrailingStop


def ticket_of(request: OrderRequest) -> Ticket:
    """The order as the simulation takes it: Decimal becomes float64 here and nowhere else."""
    size: dict[str, Any] = {
        name: float(value)
        for name in ("quantity", "spend", "exposure")
        if (value := getattr(request, name)) is not None
    }
    rest: dict[str, Any] = {"reduce_only": request.reduce_only, "time_in_force": request.time_in_force.value}
    if request.expires is not None:
        rest["expires"] = to_ms(request.expires)
    kind: Kind = "market"
    side, order = request.side.sign, request.type
    if isinstance(order, Bracket):
        for name, value in (("stop", order.stop), ("target", order.target), ("protect_trail", order.trail)):
            if value is not None:
                rest[name] = float(value)
        order = order.entry
    match order:
        case Market():
            side = 0 if request.exposure is not None else side  # the fill finds it
        case Limit(price):
            kind, rest = "limit", rest | {"limit": float(price)}
        case Stop(trigger):
            kind, rest = "stop", rest | {"trigger": float(trigger)}
        case StopLimit(trigger, price):
            kind, rest = "stop_limit", rest | {"trigger": float(trigger), "limit": float(price)}
        case TrailingStop(fraction, distance):
            kind = "trailing"
            rest |= {"trail": float(fraction)} if fraction is not None else {"distance": float(distance or ZERO)}
    return Ticket(kind=kind, side=side, **size, **rest)
