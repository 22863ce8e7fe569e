"""Brackets: an entry, and a guard over as much of it as has filled."""

from dataclasses import dataclass, replace

from core.engine.synthetics import guard as guards
from core.engine.synthetics.guard import LEGS, Guard
from core.engine.synthetics.turn import Turn, short
from core.engine.synthetics.values import Action, Happening, Work
from core.money import ZERO
from core.trading.orders import Bracket, OrderRequest, OrderStatus, Side


@dataclass(frozen=True, slots=True)
class BracketState:
    """What it remembers: the entry is the child of role 'entry', the guard sells what it bought."""

    work: Work
    guard: Guard


def begin(request: OrderRequest, native: tuple[str, ...]) -> BracketState:
    """The entry goes out first."""
    kind = request.type
    assert isinstance(kind, Bracket)
    side = Side.SELL if request.side is Side.BUY else Side.BUY
    guard = Guard(side, stop=kind.stop, target=kind.target, trail=kind.trail, counts=0)
    return BracketState(Work(request, native), guard)


def step(state: BracketState, happening: Happening) -> tuple[BracketState, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    if state.work.finished:
        return state, ()
    turn = Turn(state.work)
    turn.absorb(happening)
    guard, request = state.guard, state.work.request
    kind = request.type
    assert isinstance(kind, Bracket)
    if not turn.children("entry") and turn.work.ending is None:
        turn.place("entry", kind.entry, request.quantity, spend=request.spend)
    bought = turn.kept("entry")
    guard, done = guards.work(turn, guard, happening, bought)
    entry = next(iter(turn.children("entry")), None)
    if entry is not None and entry.live and (guard.phase == "out" or turn.filled(*LEGS) > 0):
        turn.cancel(entry)  # leaving has begun: no more is bought
    if entry is not None and not entry.live:
        if not bought:
            status = entry.status if short(entry) else OrderStatus.CANCELLED
            turn.end(status, entry.reason)
        elif done:
            turn.end(OrderStatus.FILLED, exit_of(turn, guard))
    turn.leave(bought - turn.filled(*LEGS) + turn.filled("unwind"))
    turn.wind_up()
    return replace(state, work=turn.work, guard=guard), tuple(turn.actions)


def exit_of(turn: Turn, guard: Guard) -> str | None:
    """Which of the guard's prices the position was left at."""
    limit, rest = turn.filled("limit"), turn.filled("stop", "trail", "out")
    if limit == rest == ZERO:
        return None
    if limit > rest:
        return "The target was reached."
    return "The trailing stop was reached." if guard.stop is None else "The protective stop was reached."
