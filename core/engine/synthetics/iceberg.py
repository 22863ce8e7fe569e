"""Icebergs: a limit order of which only a part lies in the book at a time."""

from dataclasses import dataclass, replace

from core.engine.synthetics.guard import leftover
from core.engine.synthetics.slicing import conclude
from core.engine.synthetics.turn import Turn
from core.engine.synthetics.values import Action, Happening, Work
from core.trading.orders import Iceberg, Limit, OrderRequest, OrderStatus


@dataclass(frozen=True, slots=True)
class IcebergState:
    """What it remembers: its children are the visible parts, one after the other."""

    work: Work


def begin(request: OrderRequest, native: tuple[str, ...]) -> IcebergState:
    """The first part goes out at once."""
    assert isinstance(request.type, Iceberg)
    return IcebergState(Work(request, native))


def step(state: IcebergState, happening: Happening) -> tuple[IcebergState, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    if state.work.finished:
        return state, ()
    turn = Turn(state.work)
    turn.absorb(happening)
    kind = state.work.request.type
    assert isinstance(kind, Iceberg)
    conclude(turn)
    left = turn.work.quantity - turn.work.filled
    turn.unwind(-left, state.work.request.side, -1)
    if turn.too_small(left, kind.price) and (turn.lots(left) <= 0 or turn.work.filled > 0) and not turn.live("slice"):
        turn.end(OrderStatus.FILLED, leftover(turn))
    if not turn.wind_up() and not turn.live("slice") and turn.may_place:
        part = min(left, kind.visible)
        if turn.too_small(left - part, kind.price):
            part = left  # what would be left alone could not be placed any more
        turn.place("slice", Limit(kind.price), turn.lots(part))
    return replace(state, work=turn.work), tuple(turn.actions)
