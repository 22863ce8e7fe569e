"""TWAP: equal slices over equal pieces of time."""

from core.engine.synthetics.slicing import Sliced, planned, step
from core.engine.synthetics.values import Work
from core.money import ONE
from core.trading.orders import OrderRequest, Twap

__all__ = ["begin", "step"]


def begin(request: OrderRequest, native: tuple[str, ...]) -> Sliced:
    """The first slice goes out with the first price or the first tick."""
    kind = request.type
    assert isinstance(kind, Twap)
    piece = max(1, kind.duration * 1_000 // kind.slices)
    return Sliced(Work(request, native), planned(request, [ONE] * kind.slices), piece, kind.limit)
