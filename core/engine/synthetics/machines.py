"""The machines by order type: how one begins, goes on, is written down and read again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.engine.synthetics import bracket, grid, guard, iceberg, ladder, oco, slicing, stops, trailing, twap, vwap
from core.engine.synthetics.bracket import BracketState
from core.engine.synthetics.grid import GridState
from core.engine.synthetics.guard import Guarded
from core.engine.synthetics.iceberg import IcebergState
from core.engine.synthetics.ladder import LadderState
from core.engine.synthetics.slicing import Sliced
from core.engine.synthetics.values import Action, Changed, Happening
from core.errors import InvalidInput
from core.outbox import KIND, decode, encode
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    OneCancelsOther,
    OrderRequest,
    Stop,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip

State = Guarded | BracketState | IcebergState | Sliced | LadderState | GridState
STATES: Mapping[str, type[State]] = {
    kind.__name__: kind for kind in (Guarded, BracketState, IcebergState, Sliced, LadderState, GridState)
}


def begin(request: OrderRequest, native: Sequence[str], volumes: Sequence[Decimal] = ()) -> State:
    """The machine of the order. native: the venue's own types; volumes: what a VWAP's pieces usually trade, base."""
    own = tuple(sorted(native))
    match request.type:
        case OneCancelsOther():
            return oco.begin(request, own)
        case Stop() | StopLimit():
            return stops.begin(request, own)
        case TrailingStop():
            return trailing.begin(request, own)
        case Bracket():
            return bracket.begin(request, own)
        case Iceberg():
            return iceberg.begin(request, own)
        case Twap():
            return twap.begin(request, own)
        case Vwap():
            return vwap.begin(request, own, volumes)
        case Ladder():
            return ladder.begin(request, own)
        case Grid():
            return grid.begin(request, own)
        case other:
            raise InvalidInput(
                f"The venue does not take {type(other).__name__} orders, and nothing stands in for them."
            )


def step(state: State, happening: Happening) -> tuple[State, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    match state:
        case Guarded():
            return guard.step(state, happening)
        case BracketState():
            return bracket.step(state, happening)
        case IcebergState():
            return iceberg.step(state, happening)
        case Sliced():
            return slicing.step(state, happening)
        case LadderState():
            return ladder.step(state, happening)
        case GridState():
            return grid.step(state, happening)


def reopened(state: State, told: Changed) -> State | None:
    """A finished state that goes on, because a child that was thought over has filled more; else None."""
    child = next((child for child in state.work.children if child.n == told.n), None)
    if not state.work.finished or child is None or told.filled <= child.filled:
        return None
    return replace(state, work=replace(state.work, finished=False, reopened=True, failures=0, retry=0))


def material(before: State, after: State) -> bool:
    """Whether the step is worth writing down: more happened than that time went by and the price moved."""
    still = replace(before.work, now=after.work.now, last=after.work.last)
    return still != after.work or replace(before, work=after.work) != after


def written(state: State) -> Any:
    """The state as JSON."""
    return encode(state)


def read(document: Any) -> State:
    """The state that `written` wrote."""
    return decode(STATES[document[KIND]], document)
