"""Ladders (DCA): limit orders at several prices, and a guard over what has filled so far."""

from dataclasses import dataclass, replace
from decimal import Decimal

from core import wording
from core.engine.synthetics import guard as guards
from core.engine.synthetics.bracket import exit_of
from core.engine.synthetics.guard import LEGS, UNSENT, Guard
from core.engine.synthetics.turn import Turn, ended_by_itself, short
from core.engine.synthetics.values import Action, Happening, Work
from core.money import ONE, ZERO, quantise_quantity
from core.trading.orders import Ladder, Limit, OrderRequest, OrderStatus, Side


@dataclass(frozen=True, slots=True)
class LadderState:
    """What it remembers: children of role 'rung' are its limit orders; guard: None where nothing protects them."""

    work: Work
    guard: Guard | None = None


def begin(request: OrderRequest, native: tuple[str, ...]) -> LadderState:
    """All rungs go out at once."""
    kind = request.type
    assert isinstance(kind, Ladder)
    guard = None
    if kind.stop is not None or kind.target is not None:
        side = Side.SELL if request.side is Side.BUY else Side.BUY
        guard = Guard(side, stop=kind.stop, target=kind.target, counts=0)
    return LadderState(Work(request, native), guard)


def shares(kind: Ladder, quantity: Decimal, lot: Decimal) -> tuple[Decimal, ...]:
    """The quantity of each rung, in lots; what rounding leaves over goes to the last one."""
    weights = kind.weights or (ONE,) * len(kind.prices)
    total = sum(weights, ZERO)
    first = [quantise_quantity(quantity * weight / total, lot) for weight in weights[:-1]]
    return (*first, quantity - sum(first, ZERO))


def step(state: LadderState, happening: Happening) -> tuple[LadderState, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    if state.work.finished:
        return state, ()
    turn, guard = Turn(state.work), state.guard
    turn.absorb(happening)
    kind = turn.request.type
    assert isinstance(kind, Ladder)
    sizes = shares(kind, turn.work.quantity, turn.instrument.lot_size)
    if not turn.children("rung") and turn.work.ending is None:
        for level, (price, size) in enumerate(zip(kind.prices, sizes, strict=True)):
            turn.place("rung", Limit(price), turn.lots(size), level=level)
    conclude(turn)
    bought, done, leaving = turn.kept("rung"), True, False
    if guard is None:
        turn.unwind(turn.work.filled - turn.work.quantity, turn.request.side, -1)
    else:
        guard, done = guards.work(turn, guard, happening, bought)
        leaving = guard.phase == "out" or turn.filled(*LEGS) > 0
    for rung in turn.live("rung"):
        if leaving:
            turn.cancel(rung)
    if not turn.live("rung") and turn.children("rung") and done:
        last = turn.children("rung")[-1]
        if bought:
            turn.end(OrderStatus.FILLED, None if guard is None else exit_of(turn, guard))
        else:
            turn.end(last.status, last.reason)
    if turn.request.side is Side.BUY:  # one that sells has nothing that needs protection
        turn.leave(bought - turn.filled(*LEGS) + (ZERO if guard is None else turn.filled("unwind")))
    turn.wind_up()
    return replace(state, work=turn.work, guard=guard), tuple(turn.actions)


def conclude(turn: Turn) -> None:
    """A rung that ended by itself stays out; the others go on, and the owner is told."""
    for rung in turn.children("rung"):
        if rung.live or rung.answered:
            continue
        turn.concluded(rung)
        assert isinstance(rung.type, Limit)
        if not short(rung):
            continue
        if rung.reason == UNSENT and turn.work.ending is None:
            turn.place("rung", rung.type, rung.quantity, level=rung.level)
            continue
        at = wording.price(rung.type.price, turn.instrument)
        turn.tell(f"The part of the ladder at {at} is over, the others go on. {ended_by_itself(rung, 'It')}")
