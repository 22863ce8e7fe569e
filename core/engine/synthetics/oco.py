"""One cancels the other: a limit order and a stop over the same coins, of which only one can fill."""

from core.engine.synthetics.guard import Guard, Guarded, step
from core.engine.synthetics.values import Work
from core.trading.orders import OneCancelsOther, OrderRequest

__all__ = ["begin", "step"]


def begin(request: OrderRequest, native: tuple[str, ...]) -> Guarded:
    """The stop rests at the venue where it has stop orders and the limit is watched here; else the other way round."""
    kind = request.type
    assert isinstance(kind, OneCancelsOther)
    guard = Guard(request.side, stop=kind.trigger, stop_price=kind.stop_price, target=kind.price)
    return Guarded(Work(request, native), guard)
