"""Stops and stop-limits at venues without them: the trigger is watched here, the order goes out when it is reached."""

from core.engine.synthetics.guard import Guard, Guarded, step
from core.engine.synthetics.values import Work
from core.trading.orders import OrderRequest, Stop, StopLimit

__all__ = ["begin", "step"]


def begin(request: OrderRequest, native: tuple[str, ...]) -> Guarded:
    """Nothing rests at the venue until the trigger is reached."""
    match request.type:
        case Stop(trigger):
            guard = Guard(request.side, stop=trigger)
        case StopLimit(trigger, price):
            guard = Guard(request.side, stop=trigger, stop_price=price)
        case other:
            raise TypeError(f"{type(other).__name__} is no stop")
    return Guarded(Work(request, native), guard)
