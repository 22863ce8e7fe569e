"""Image: a ledger of the journal as a simulated account, so that live trading asks the one decision code. Pure.

The journal is the truth; an image lives for one decision and is forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.engine.decision import held_of
from core.engine.views import Run
from core.errors import InvalidInput
from core.events import Bar
from core.exchanges.ledgers import ENDINGS
from core.money import ZERO, decimal_of
from core.simulation import fields
from core.simulation.account import Decision, SignalRow, SimulatedAccount, Ticket
from core.trading.costs import Costs
from core.trading.orders import Limit, Order, Side
from core.trading.portfolio import Portfolio

HAIR = Decimal("1e-9")  # relative; sums of floats end this near to what they mean
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Sized:
    """What a ticket comes to at a price. quantity: base, 0 with the reason why there is nothing to trade."""

    side: Side
    quantity: Decimal
    reason: str | None = None


def image_of(
    run: Run, portfolio: Portfolio, mark: float, costs: Costs, working: Sequence[Order] = ()
) -> SimulatedAccount:
    """The run's ledger as a simulated account. mark: the last close; working: entries that are open at the venue"""
    cash = float(portfolio.balances.get(run.instrument.quote, ZERO))
    empty = SimulatedAccount(max(0.0, cash), costs)
    empty.add(run.instrument)
    state: dict[str, Any] = empty.state()
    position = portfolio.positions.get(run.instrument.key)
    row = state["book"][0]
    row[fields.B_MARK] = mark.hex()
    if position is not None and position.quantity:
        row[fields.B_QUANTITY] = float(position.quantity).hex()
        row[fields.B_ENTRY] = float(position.entry_price).hex()
    image = SimulatedAccount.restored(state, [run.instrument], costs)
    for order in working:
        price = order.request.type.price if isinstance(order.request.type, Limit) else decimal_of(mark)
        image.place(0, Ticket("limit", order.request.side.sign, exposure=0.0, limit=float(price)))
    return image


def decision_of(
    run: Run, portfolio: Portfolio, row: SignalRow, bar: Bar, costs: Costs, working: Sequence[Order] = ()
) -> Decision:
    """What the signals at the bar ask of the run's ledger: the same code as in backtest and on paper."""
    return image_of(run, portfolio, bar.close, costs, working).decide(0, row)


def sized(run: Run, portfolio: Portfolio, ticket: Ticket, bar: Bar, price: Decimal, costs: Costs) -> Sized:
    """How much the ticket trades at the price: resolved by the function that fills it in backtest and on paper."""
    limit = None if ticket.limit is None else float(run.instrument.price(decimal_of(ticket.limit)))
    at = float(price) if limit is None else limit
    image = image_of(run, portfolio, at, replace(costs, fill_on_touch=True, latency=0))
    image.place(0, replace(ticket, limit=limit, stop=None, target=None, protect_trail=None, protect_distance=None))
    fills = image.step({0: Bar(bar.time, at, at, at, at, NAN)})
    if not fills:
        why = next((reason for _, reason in image.ended()), "nothing_to_do")
        return Sized(Side.BUY, ZERO, ENDINGS.get(why, why))
    side = Side.BUY if fills[0].side > 0 else Side.SELL
    wanted = decimal_of(fills[0].quantity)
    held = max(ZERO, held_of(run, portfolio))
    if side is Side.SELL:
        wanted = held if abs(wanted - held) <= max(HAIR * held, run.instrument.lot_size) else min(wanted, held)
    try:
        return Sized(side, run.instrument.quantity(wanted * (1 - HAIR) if side is Side.BUY else wanted))
    except InvalidInput:
        return Sized(side, ZERO, ENDINGS["below_minimum"])


def long_only(row: SignalRow) -> tuple[SignalRow, str | None]:
    """The row as a spot account can follow it, and what it cannot: nothing is sold there that is not held."""
    if not row.exposure < 0.0:
        return row, None
    return SignalRow(exposure=0.0), "It asked to be short, which a spot account cannot: it stays in cash instead."
