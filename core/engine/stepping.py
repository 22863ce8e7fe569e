"""Stepping: what a step strategy asks for at a closed bar on paper, as orders that the limits have passed. Pure."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import from_ms
from core.engine.decision import held_of, request_of
from core.engine.views import Run
from core.errors import AppError, InvalidInput
from core.events import Bar
from core.market.bars import Bars
from core.money import ZERO, decimal_of
from core.risk import limits as risk
from core.simulation.account import SimulatedAccount, SimulatedFill
from core.simulation.view import NOTHING, AccountView, Asked, asked, demand_plain, intents_of, values_of
from core.trading.orders import (
    Bracket,
    Limit,
    Market,
    OrderRequest,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TimeInForce,
    TrailingStop,
)
from core.trading.portfolio import Portfolio
from core.trading.strategy import StepStrategy
from core.trading.tickets import Ticket

Look = Callable[[OrderRequest, risk.Situation, Decimal], risk.Situation]

HAIR = Decimal("1e-9")  # relative; a sum of floats ends this near to what is held


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a run stands when it decides. cash, held: free of what its open orders bind; recent: orders in a minute"""

    portfolio: Portfolio
    cash: Decimal
    held: Decimal
    recent: int
    halted: bool
    fee: Decimal


@dataclass(slots=True)
class Drafted:
    """The orders of one decision. reserved, tickets, labels: by order id; reason: why one of them was refused"""

    place: list[OrderRequest] = field(default_factory=list)
    reserved: dict[str, Decimal] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    reason: str | None = None


def step(
    strategy: StepStrategy,
    run: Run,
    window: Bars,
    account: SimulatedAccount,
    index: int,
    fills: Sequence[SimulatedFill],
) -> tuple[Asked, dict[str, Any]]:
    """What the strategy asks for at the last bar of the window, and its memory afterwards.

    account: a copy of the run's ledger to look at; fills: those since it last decided
    """
    memory: dict[str, Any] = deepcopy(dict(run.memory))
    if len(window) < strategy.warmup():
        return NOTHING, memory
    views: dict[str, AccountView] = {}
    labels = {int(ref): label for ref, label in run.labels.items()}
    symbol = run.instrument.symbol
    view = AccountView(account, index, symbol, window, values_of(strategy, window), views, memory, labels)
    views[symbol] = view
    view.show(len(window) - 1, [fill for fill in fills if fill.index == index])
    done = asked(intents_of(strategy, view), account, view)
    demand_plain(strategy, memory)
    return done, memory


def drafted(
    run: Run, bar: Bar, done: Asked, stand: Stand, limits: risk.Limits, now: datetime, look: Look | None = None
) -> Drafted:
    """The orders that the limits let pass, each with an id that follows from the run, the bar and its number.

    look: completes a situation by all that concerns the account's owner, given what earlier orders of the decision may
    buy (quote)
    """
    found = Drafted()
    coming = ZERO
    cash, held = stand.cash, stand.held
    for number, (_, ticket, label) in enumerate(done.place):
        request = step_request_of(run, bar, ticket, stand.portfolio, now, number)
        price = _exact(ticket.limit or ticket.trigger or bar.close)
        base = request.quantity or request.estimate
        cost = request.spend or base * price * (1 + stand.fee)
        if abs(base - held) <= HAIR * abs(held):
            base = held
        if cash < cost <= cash * (1 + HAIR):
            cost = cash
        try:
            situation = _situation(run, request, bar, stand, price, base, cost, cash, held, len(found.place))
            if look is not None:
                situation = look(request, situation, coming)
            risk.demand(risk.checks(situation, limits))
        except AppError as refused:
            found.reason = refused.sentence()
            continue
        coming += cost if request.side is Side.BUY else ZERO
        bound = ZERO
        if request.exposure is None:
            bound = cost if request.side is Side.BUY else base
            cash, held = (cash - cost, held) if request.side is Side.BUY else (cash, held - base)
        found.place.append(request)
        found.reserved[request.id] = bound
        found.tickets[request.id] = ticket
        if label:
            found.labels[request.id] = label
    return found


def _situation(
    run: Run, request: OrderRequest, bar: Bar, stand: Stand, price: Decimal, base: Decimal, cost: Decimal,
    cash: Decimal, held: Decimal, before: int,
) -> risk.Situation:  # fmt: skip
    """What the limits are asked about an order. before: orders of this decision so far"""
    last = decimal_of(bar.close)
    position = held_of(run, stand.portfolio)
    entry = request.type.entry if isinstance(request.type, Bracket) else request.type
    return risk.Situation(
        run.instrument,
        request.side,
        base,
        price,
        last,
        cost,
        cash,
        held,
        position,
        stand.portfolio.balances.get(run.instrument.quote, ZERO) + position * last,
        stand.recent + before,
        stand.halted,
        entry.price if isinstance(entry, Limit) else None,
        reducing=request.reduce_only or request.exposure == 0,
        strategic=True,
        sized=request.exposure is not None,
    )


def step_request_of(
    run: Run, bar: Bar, ticket: Ticket, portfolio: Portfolio, now: datetime, number: int
) -> OrderRequest:
    """The ticket as an order of the record. Raises InvalidInput for what a paper order cannot say."""
    if ticket.exposure is not None and ticket.kind in ("market", "limit"):
        return request_of(run, bar, ticket, portfolio, now, number)
    if ticket.targets or (ticket.quantity is None and ticket.spend is None):
        what = "takes its profit in parts" if ticket.targets else "has no size as a quantity or as money to spend"
        raise InvalidInput(
            f"The {ticket.kind} order {what}: that can be backtested, but not traded on paper.",
            hint="On paper, give one target, and quantity or spend; market and limit orders may give an exposure.",
        )
    price = _exact(ticket.limit or ticket.trigger or bar.close)
    quantity = None if ticket.quantity is None else _exact(ticket.quantity)
    spend = None if ticket.spend is None else _exact(ticket.spend)
    return OrderRequest(
        f"{run.id}-{bar.time}-{number}",
        run.account,
        run.instrument,
        Side.BUY if ticket.side > 0 else Side.SELL,
        _type_of(ticket),
        quantity=quantity,
        spend=spend,
        estimate=ZERO if spend is None else spend / price,
        ledger=run.ledger,
        time_in_force=TimeInForce(ticket.time_in_force),
        reduce_only=ticket.reduce_only,
        expires=None if ticket.expires is None else from_ms(ticket.expires),
        created=now,
    )


def _exact(value: float) -> Decimal:
    return decimal_of(float(value))  # a strategy may compute with numpy's numbers


def _type_of(ticket: Ticket) -> OrderType:
    limit, trigger, trail, distance, stop, target, protect = (
        None if value is None else _exact(value)
        for value in (
            ticket.limit, ticket.trigger, ticket.trail, ticket.distance, ticket.stop, ticket.target,
            ticket.protect_trail,
        )
    )  # fmt: skip
    match ticket.kind:
        case "stop":
            return Stop(trigger or ZERO)
        case "stop_limit":
            return StopLimit(trigger or ZERO, limit or ZERO)
        case "trailing":
            return TrailingStop(trail, distance)
    entry = Market() if limit is None else Limit(limit)
    return entry if stop is None and target is None and protect is None else Bracket(entry, stop, target, protect)


def labels_of(run: Run, asked_: Asked, account: SimulatedAccount) -> dict[str, str]:
    """The run's words for the orders that stay open after the decision."""
    live = set(account.open_refs()) - set(asked_.cancel)
    return {ref: label for ref, label in run.labels.items() if int(ref) in live}
