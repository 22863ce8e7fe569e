"""Grids: buys at each level below the market, sells each of them one level higher, again and again."""

from dataclasses import dataclass, replace
from decimal import Decimal

from core import wording
from core.engine.synthetics.guard import UNSENT
from core.engine.synthetics.turn import Turn, ended_by_itself, short
from core.engine.synthetics.values import Action, Child, Happening, Work
from core.market.instrument import Instrument
from core.money import ZERO, quantise_quantity
from core.trading.orders import Grid, Limit, OrderRequest, OrderStatus, Side


@dataclass(frozen=True, slots=True)
class GridState:
    """What it remembers. prices: the levels from low to high; each: base per cell (a level and the next one)

    retired: cells that go on no more
    """

    work: Work
    prices: tuple[Decimal, ...]
    each: Decimal
    retired: tuple[int, ...] = ()


def prices_of(kind: Grid, instrument: Instrument) -> tuple[Decimal, ...]:
    """The levels, equally far apart, on the tick grid."""
    gap = (kind.high - kind.low) / (kind.levels - 1)
    return tuple(instrument.price(kind.low + gap * level) for level in range(kind.levels))


def each_of(kind: Grid, quantity: Decimal, instrument: Instrument) -> Decimal:
    """What every cell trades, base: there is one between each two levels."""
    return quantise_quantity(quantity / (kind.levels - 1), instrument.lot_size)


def begin(request: OrderRequest, native: tuple[str, ...]) -> GridState:
    """Its first buys go out with the first price."""
    kind = request.type
    assert isinstance(kind, Grid)
    each = each_of(kind, request.quantity or request.estimate, request.instrument)
    return GridState(Work(request, native), prices_of(kind, request.instrument), each)


def step(state: GridState, happening: Happening) -> tuple[GridState, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    if state.work.finished:
        return state, ()
    turn = Turn(state.work)
    turn.absorb(happening)
    retired = state.retired + conclude(turn, state)
    turn.unwind(-turn.work.held, Side.SELL, 1)
    cells = range(len(state.prices) - 1)
    if all(cell in retired for cell in cells):
        turn.end(OrderStatus.CANCELLED, "Every level of the grid has ended.")
    if turn.work.ending is None and turn.last is not None:
        for cell in cells:
            if cell not in retired:
                tend(turn, state, cell, turn.last)
    turn.leave(turn.work.held)
    turn.wind_up()
    return replace(state, work=turn.work, retired=retired), tuple(turn.actions)


def tend(turn: Turn, state: GridState, cell: int, last: Decimal) -> None:
    """Places the cell's next order when it has none: a sale of what it bought, else a buy below the market."""
    orders = [child for child in turn.work.children if child.level == cell and child.role in ("buy", "sell")]
    if any(child.live for child in orders):
        return
    held = turn.lots(held_by(orders))
    if held > 0:
        turn.place("sell", Limit(state.prices[cell + 1]), held, side=Side.SELL, counts=-1, level=cell)
    elif state.prices[cell] < last:
        turn.place("buy", Limit(state.prices[cell]), state.each, side=Side.BUY, level=cell)


def held_by(orders: list[Child]) -> Decimal:
    """What the cell has bought and not sold yet, base."""
    return sum((child.kept * child.counts for child in orders), ZERO)


def conclude(turn: Turn, state: GridState) -> tuple[int, ...]:
    """Cells whose order ended by itself before it was filled: they go on no more, and the owner is told."""
    found: list[int] = []
    for child in turn.children("buy", "sell"):
        if child.live or child.answered:
            continue
        turn.concluded(child)
        assert isinstance(child.type, Limit)
        if not short(child) or child.reason == UNSENT:
            continue
        found.append(child.level)
        at = wording.price(child.type.price, turn.instrument)
        turn.tell(f"The grid's {child.side} at {at} is over, the other levels go on. {ended_by_itself(child, 'It')}")
    return tuple(found)
