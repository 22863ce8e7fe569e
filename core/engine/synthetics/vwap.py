"""VWAP: slices sized like the volume that the market usually trades in each piece of the time, and never more than a
share of it.
"""

from collections.abc import Sequence
from decimal import Decimal

from core.engine.synthetics.slicing import Sliced, planned, step
from core.engine.synthetics.values import Work
from core.money import ONE, quantise_quantity
from core.trading.orders import OrderRequest, Vwap

__all__ = ["begin", "step"]


def begin(request: OrderRequest, native: tuple[str, ...], volumes: Sequence[Decimal] = ()) -> Sliced:
    """volumes: base that the market usually trades in each piece; equal pieces without a cap when none is known."""
    kind = request.type
    assert isinstance(kind, Vwap)
    known = len(volumes) == kind.slices and all(volume >= 0 for volume in volumes) and sum(volumes) > 0
    weights = list(volumes) if known else [ONE] * kind.slices
    lot = request.instrument.lot_size
    caps = tuple(quantise_quantity(volume * kind.participation, lot) for volume in volumes) if known else ()
    piece = max(1, kind.duration * 1_000 // kind.slices)
    return Sliced(Work(request, native), planned(request, weights), piece, kind.limit, caps)
