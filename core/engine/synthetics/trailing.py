"""Trailing stops: the stop follows the best price at a distance, from an activation price on where one is given."""

from core.engine.synthetics.guard import Guarded, following, step
from core.engine.synthetics.values import Work
from core.trading.orders import OrderRequest, TrailingStop

__all__ = ["begin", "step"]


def begin(request: OrderRequest, native: tuple[str, ...]) -> Guarded:
    """Watched here until it is active; from then on it rests at the venue where the venue has trailing stops."""
    kind = request.type
    assert isinstance(kind, TrailingStop)
    return Guarded(Work(request, native), following(kind, request.side))
