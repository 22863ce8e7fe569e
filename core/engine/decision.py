"""Decision: what a strategy's signals at a closed bar ask for, as an order and as the limits see it. Pure."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from core.engine.recorded import joined
from core.engine.views import Run
from core.errors import InvalidInput
from core.events import Bar
from core.market.bars import Bars
from core.money import ZERO, decimal_of
from core.risk import limits as risk
from core.simulation.account import SignalRow, Ticket
from core.trading.orders import Bracket, Limit, Market, OrderRequest, Side
from core.trading.portfolio import Portfolio
from core.trading.strategy import Signals


def request_of(
    run: Run, bar: Bar, ticket: Ticket, portfolio: Portfolio, now: datetime, number: int = 0
) -> OrderRequest:
    """The ticket as an order; its id follows from the run and the bar, so that a decision cannot count twice.

    number: of the order among those of one decision
    """
    entry = Market() if ticket.limit is None else Limit(decimal_of(ticket.limit))
    stop, target, trail = (
        None if value is None else decimal_of(value) for value in (ticket.stop, ticket.target, ticket.protect_trail)
    )
    exposure = decimal_of(ticket.exposure or 0.0)
    close = decimal_of(bar.close)
    held = held_of(run, portfolio)
    equity = portfolio.balances.get(run.instrument.quote, ZERO) + held * close
    gap = exposure * equity / close - held
    side = Side.BUY if (ticket.side or gap) > 0 else Side.SELL
    protected = not (stop is None and target is None and trail is None)
    return OrderRequest(
        f"{run.id}-{bar.time}-{number}",
        run.account,
        run.instrument,
        side,
        Bracket(entry, stop, target, trail) if protected else entry,
        exposure=exposure,
        estimate=abs(gap),
        ledger=run.ledger,
        created=now,
    )


def situation_of(
    run: Run, request: OrderRequest, bar: Bar, portfolio: Portfolio, *, recent: int, halted: bool
) -> risk.Situation:
    """What the limits are asked about the order. recent: orders of the account in the last minute"""
    close, held = decimal_of(bar.close), held_of(run, portfolio)
    cash = portfolio.balances.get(run.instrument.quote, ZERO)
    entry = request.type.entry if isinstance(request.type, Bracket) else request.type
    return risk.Situation(
        run.instrument,
        request.side,
        request.estimate,
        close,
        close,
        request.estimate * close,
        cash,
        held,
        held,
        cash + held * close,
        recent,
        halted,
        entry.price if isinstance(entry, Limit) else None,
        reducing=request.exposure == 0,
        sized=True,
    )


def held_of(run: Run, portfolio: Portfolio) -> Decimal:
    """Signed base quantity that the run holds."""
    position = portfolio.positions.get(run.instrument.key)
    return ZERO if position is None else position.quantity


def last_row(signals: Signals, length: int) -> SignalRow:
    """What the signals say at the last bar. Raises InvalidInput when they do not cover the bars."""
    if len(signals.exposure) != length:
        raise InvalidInput(f"The strategy gave {len(signals.exposure)} signals for {length} bars.")
    given = {
        name: float(array[-1])
        for name, array in (
            ("exposure", signals.exposure),
            ("limit", signals.limit),
            ("stop", signals.stop),
            ("target", signals.take_profit),
            ("trail", signals.trail),
        )
        if array is not None
    }
    return SignalRow(**given)


def standing(row: SignalRow, signals: Signals) -> SignalRow:
    """The row with the exposure that was last asked for, when it asks for none itself."""
    asked = signals.exposure[~np.isnan(signals.exposure)]
    return row if row.exposure == row.exposure or not len(asked) else replace(row, exposure=float(asked[-1]))


def with_bar(window: Bars, bar: Bar, run: Run) -> Bars:
    """The window with the bar at its end; unchanged when the bar is in it already."""
    if len(window) and bar.time <= int(window.timestamp[-1]):
        return window
    columns = (bar.time, bar.open, bar.high, bar.low, bar.close, bar.volume)
    arrays: list[Any] = [np.array([value]) for value in columns]
    return joined([window, Bars(run.instrument, run.timeframe, *arrays)])
