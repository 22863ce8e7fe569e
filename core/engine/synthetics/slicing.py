"""Slicing: an order traded piece by piece over time, by a plan; the common part of TWAP and VWAP.

One slice works at a time. Behind the plan (after a restart, after a refusal, at a limit that was not met) it catches up
slice by slice, none larger than the plan's largest, a quarter of a piece apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core import wording
from core.engine.synthetics.guard import UNSENT, leftover
from core.engine.synthetics.turn import Turn, ended_by_itself, short
from core.engine.synthetics.values import Action, Child, Happening, Work
from core.money import ZERO, quantise_quantity
from core.trading.orders import Limit, Market, OrderRequest, OrderStatus

APART = 4  # catching up, this part of a piece lies between two slices


@dataclass(frozen=True, slots=True)
class Sliced:
    """What it remembers. plan: base that shall be traded by the end of each piece, in all; piece: ms

    caps: the most that may be traded within each piece (of its share of the market's volume); none when empty
    """

    work: Work
    plan: tuple[Decimal, ...]
    piece: int
    limit: Decimal | None = None
    caps: tuple[Decimal, ...] = ()


def planned(request: OrderRequest, weights: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """What shall be traded by the end of each piece, in all: lots, in proportion to the weights, the whole at last."""
    whole, total = request.quantity or request.estimate, sum(weights, ZERO)
    sums, plan = ZERO, []
    for weight in weights:
        sums += weight
        plan.append(quantise_quantity(whole * sums / total, request.instrument.lot_size))
    return (*plan[:-1], whole)


def largest(plan: Sequence[Decimal]) -> Decimal:
    """The largest slice of a plan."""
    return max(after - before for before, after in zip((ZERO, *plan[:-1]), plan, strict=True))


def step(state: Sliced, happening: Happening) -> tuple[Sliced, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    if state.work.finished:
        return state, ()
    turn = Turn(state.work)
    turn.absorb(happening)
    if turn.work.started:
        advance(turn, state)
    else:
        turn.wind_up()
    return replace(state, work=turn.work), tuple(turn.actions)


def advance(turn: Turn, state: Sliced) -> None:
    """Places the next slice when its time has come, and ends what is over."""
    conclude(turn)
    left = turn.work.quantity - turn.work.filled
    turn.unwind(-left, turn.request.side, -1)
    live = turn.live("slice")
    if turn.lots(left) <= 0 and not live:
        turn.end(OrderStatus.FILLED, leftover(turn))
    number = (turn.work.now - turn.work.started) // state.piece
    over = number >= len(state.plan)
    for slice_ in live:
        if state.limit is not None and piece_of(turn, state, slice_) < number:
            turn.cancel(slice_)  # its rest is made up for by the next ones
    if over and state.limit is not None:
        turn.end(OrderStatus.EXPIRED, unmet(turn, state.limit))
    if turn.wind_up() or live or not turn.may_place or turn.live():
        return
    kind = Market() if state.limit is None else Limit(state.limit)
    size = min(state.plan[min(number, len(state.plan) - 1)] - turn.work.filled, largest(state.plan))
    if state.caps:
        size = min(size, state.caps[min(number, len(state.caps) - 1)] - traded_in(turn, state, number))
    price = state.limit or turn.last
    if over and turn.too_small(left, price):
        turn.end(OrderStatus.FILLED, leftover(turn))
        turn.wind_up()
    elif not turn.too_small(size, price) and rested(turn, state, number):
        turn.place("slice", kind, turn.lots(size))


def conclude(turn: Turn) -> None:
    """What follows from slices that ended without having been asked to, and short of what they were for."""
    for slice_ in turn.children("slice"):
        if slice_.live or slice_.answered:
            continue
        turn.concluded(slice_)
        if slice_.filled:
            turn.went_well()
        if not short(slice_) or slice_.reason == UNSENT:
            continue
        if slice_.status is OrderStatus.REJECTED:
            turn.failed(slice_)
        elif isinstance(slice_.type, Limit):
            turn.end(OrderStatus.CANCELLED, ended_by_itself(slice_, "A part of it"))
        elif not slice_.filled:
            turn.failed(slice_)  # nobody offered anything


def piece_of(turn: Turn, state: Sliced, child: Child) -> int:
    """The piece in which the child was asked for."""
    return (child.since - turn.work.started) // state.piece


def traded_in(turn: Turn, state: Sliced, number: int) -> Decimal:
    """What was traded by slices of a piece, or may still be."""
    return sum(
        (each.filled + each.resting for each in turn.children("slice") if piece_of(turn, state, each) == number), ZERO
    )


def rested(turn: Turn, state: Sliced, number: int) -> bool:
    """Whether the last slice lies far enough back for another one: in an earlier piece, and a part of a piece ago."""
    slices = turn.children("slice")
    if not slices:
        return True
    since = turn.work.now - slices[-1].since
    on_time = piece_of(turn, state, slices[-1]) == number - 1 and len(slices) == number
    return on_time or since >= max(1_000, state.piece // APART)


def unmet(turn: Turn, limit: Decimal) -> str:
    """Why a limited order ran out of time."""
    rest = wording.quantity(turn.work.quantity - turn.work.filled, turn.instrument.base)
    return f"Its time is over; for {rest} the limit of {wording.price(limit, turn.instrument)} was not met."
