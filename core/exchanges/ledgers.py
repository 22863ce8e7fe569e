"""Ledgers: simulated accounts, and what a step of the market does to them and to their orders.

Nothing here is kept: every effect is gathered in `Effects`, which the paper venue commits whole, or forgets.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from core.clock import from_ms, to_ms
from core.events import Bar
from core.exchanges.record import LedgerState
from core.exchanges.tickets import ticket_of
from core.market.instrument import Instrument
from core.money import ZERO, decimal_of
from core.simulation.account import SignalRow, SimulatedAccount, SimulatedFill
from core.trading.costs import Costs
from core.trading.orders import (
    Bracket,
    Limit,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
)  # fmt: skip
from core.trading.portfolio import Fill, Transfer
from core.trading.tickets import Ticket

SAVE_EVERY = 5_000  # ms of ticks without a fill after which the state is kept anyway
MANUAL = "manual"  # the ledger of trades by hand, on which no strategy decides
RECENT = 1_000  # fills that are kept for a strategy which does not decide for long
HAIR = 1e-9  # relative; sums of floats end this near to what they mean
PROTECTIVE = ("stop", "target", "trail", "liquidation")
ENDINGS = {
    "nothing_to_do": "There was nothing to trade: the position already stood where it was asked to be.",
    "insufficient_funds": "The cash of the ledger did not suffice at the fill's price.",
    "below_minimum": "What was left is below the smallest order of the instrument.",
    "expired": "Its time had passed.",
    "not_immediate": "It could not be filled at once, as its time in force demanded.",
    "position_closed": "The position it was to reduce was closed before.",
    "group_filled": "Another order of its group was filled.",
}
REACHED = {
    "stop": "The protective stop was reached.",
    "target": "The target was reached.",
    "trail": "The trailing stop was reached.",
    "liquidation": "The equity no longer covered the maintenance margin.",
}


@dataclass(slots=True)
class Ledger:
    """A simulated ledger at work; what is kept of it is its LedgerState. saved: UTC ms."""

    account: str
    name: str
    simulated: SimulatedAccount
    instruments: list[Instrument]
    refs: dict[int, str]
    cursors: dict[str, int]
    parents: dict[int, str]
    exits: dict[str, str]
    saved: int = 0
    recent: list[SimulatedFill] = field(default_factory=list)

    def index(self, instrument: Instrument) -> int | None:
        return next((i for i, each in enumerate(self.instruments) if each.key == instrument.key), None)

    def adopt(self, instrument: Instrument) -> int:
        """The instrument's index, given now when it has none."""
        index = self.index(instrument)
        if index is None:
            index = self.simulated.add(instrument)
            self.instruments.append(instrument)
        return index

    def ref(self, order_id: str) -> int | None:
        return next((ref for ref, each in self.refs.items() if each == order_id), None)

    def kept(self) -> LedgerState:
        return LedgerState(
            self.account,
            self.name,
            self.simulated.state(),
            tuple(self.instruments),
            {str(ref): order for ref, order in self.refs.items()},
            dict(self.cursors),
            {str(index): order for index, order in self.parents.items()},
            dict(self.exits),
            tuple(self.recent),
        )


def restored(kept: LedgerState, costs: Costs, now: int) -> Ledger:
    """The ledger as it was kept. now: UTC ms"""
    return Ledger(
        kept.account,
        kept.ledger,
        SimulatedAccount.restored(dict(kept.state), kept.instruments, costs),
        list(kept.instruments),
        {int(ref): order for ref, order in kept.refs.items()},
        dict(kept.cursors),
        {int(index): order for index, order in kept.parents.items()},
        dict(kept.exits),
        now,
        list(kept.recent),
    )


def opened(account: str, name: str, cash: Decimal, costs: Costs, now: int) -> Ledger:
    """A new ledger. cash: quote; now: UTC ms"""
    return Ledger(account, name, SimulatedAccount(float(cash), costs), [], {}, {}, {}, {}, now)


@dataclass(slots=True)
class Effects:
    """What one transaction is about to do. working: the orders open at the venue before it."""

    working: Mapping[str, Order]
    now: datetime
    orders: dict[str, Order] = field(default_factory=dict)
    fresh: dict[str, Decimal] = field(default_factory=dict)  # new orders and what they reserve
    entries: list[Fill | Transfer] = field(default_factory=list)
    ledgers: dict[tuple[str, str], Ledger] = field(default_factory=dict)
    touched: set[tuple[str, str]] = field(default_factory=set)

    def known(self, order_id: str) -> Order | None:
        """The order as this transaction leaves it; None when it is neither open nor new."""
        return self.orders.get(order_id) or self.working.get(order_id)

    def order(self, order_id: str) -> Order:
        """The order as this transaction leaves it; it is open, or new."""
        return self.orders.get(order_id) or self.working[order_id]

    def fills(self) -> list[Fill]:
        return [entry for entry in self.entries if isinstance(entry, Fill)]


def step(ledger: Ledger, bars: Mapping[Instrument, Bar], effects: Effects) -> None:
    """The ledger after these bars; it is among the effects when there is something to keep."""
    present: dict[int, Bar] = {}
    for instrument, bar in bars.items():
        index = ledger.index(instrument)
        if index is not None and bar.time >= ledger.cursors.get(instrument.key, 0):
            present[index] = bar
    if not present:
        return
    before = set(ledger.simulated.open_refs())
    waited = bool(before) or any(index in present for index in concerned(ledger, effects.working))
    effects.touched.add((ledger.account, ledger.name))
    guards = {index: ledger.simulated.protection(index) for index in present}
    fills = ledger.simulated.step(present)
    if ledger.name != MANUAL:
        ledger.recent = [*ledger.recent, *fills][-RECENT:]
    for index, bar in present.items():
        whole_bar = not math.isnan(bar.volume)  # ticks may come twice in a millisecond, bars come once
        ledger.cursors[ledger.instruments[index].key] = bar.time + whole_bar
    for fill in fills:
        # a liquidation closes instruments without a bar now, too
        bar = present.get(fill.index) or next(iter(present.values()))
        _book(ledger, fill, bar, guards.get(fill.index, SignalRow()), effects)
    endings = dict(ledger.simulated.ended())
    for ref in before - set(ledger.simulated.open_refs()):
        _end(ledger, ref, endings.get(ref), effects)
    if ledger.name == MANUAL:  # a strategy's own orders stay as in its backtest, and reduce no more than is held
        for index in {fill.index for fill in fills}:
            _release(ledger, index, effects)
    for name in [name for name in ledger.exits if not ledger.simulated.position(int(name.partition(":")[0]))]:
        _finish_exit(ledger, name, effects)
    now = to_ms(effects.now)
    whole = any(not math.isnan(bar.volume) for bar in present.values())
    if fills or before != set(ledger.simulated.open_refs()) or whole or (waited and now - ledger.saved >= SAVE_EVERY):
        effects.ledgers[ledger.account, ledger.name] = ledger


def _book(ledger: Ledger, happened: SimulatedFill, bar: Bar, guard: SignalRow, effects: Effects) -> None:
    """One fill of the simulation into the journal and its order. guard: what protected the position before the step"""
    instrument = ledger.instruments[happened.index]
    quantity, price = decimal_of(happened.quantity), decimal_of(happened.price)
    order_id = _own(ledger, happened, effects)
    if order_id is None:
        order_id = _exit(ledger, happened, instrument, bar, guard, effects)
    else:
        ledger.parents[happened.index] = order_id
    order = effects.order(order_id)
    fill = Fill(
        f"{order_id}@{bar.time}{'+' * sum(each.order == order_id for each in effects.fills())}",
        order_id,
        ledger.account,
        ledger.name,
        instrument.key,
        Side.BUY if happened.side > 0 else Side.SELL,
        price,
        quantity,
        decimal_of(happened.fee),
        from_ms(bar.time),
        happened.maker,
    )
    filled = order.filled + quantity
    status = OrderStatus.PARTIAL if happened.remaining > 0 else OrderStatus.FILLED
    wanted = order.request.quantity
    if (
        status is OrderStatus.FILLED
        and order.request.reduce_only
        and wanted
        and filled < wanted * (1 - decimal_of(HAIR))
    ):
        status = OrderStatus.CANCELLED  # there was no more left to reduce
    effects.orders[order_id] = replace(
        order,
        status=status,
        reason=ENDINGS["position_closed"] if status is OrderStatus.CANCELLED else order.reason,
        filled=filled,
        average_price=((order.average_price or ZERO) * order.filled + fill.notional) / filled,
        fees=order.fees + fill.fee,
        updated=effects.now,
    )
    effects.entries.append(fill)


def _release(ledger: Ledger, index: int, effects: Effects) -> None:
    """Ends, newest first, orders that were to reduce a position which something else reduced, until the rest fit."""
    resting = [
        (ref, order_id)
        for ref, order_id in sorted(ledger.refs.items(), reverse=True)
        if effects.order(order_id).request.reduce_only
        and effects.order(order_id).request.instrument.key == ledger.instruments[index].key
    ]
    bound = sum(ledger.simulated.remaining(ref) for ref, _ in resting)
    for ref, order_id in resting:
        if bound <= abs(ledger.simulated.position(index)) * (1 + HAIR):
            return
        bound -= ledger.simulated.remaining(ref)
        cancel(ledger, effects.order(order_id), ENDINGS["position_closed"], effects)


def _own(ledger: Ledger, happened: SimulatedFill, effects: Effects) -> str | None:
    """The order that was filled; None for a protective exit, which carries the number of the entry."""
    order_id = ledger.refs.get(happened.ref)
    if happened.reason not in PROTECTIVE or order_id is None:
        return order_id
    request = effects.order(order_id).request
    stops = isinstance(request.type, Stop | StopLimit | TrailingStop) and request.side.sign == happened.side
    return order_id if stops else None


def _exit(
    ledger: Ledger, happened: SimulatedFill, instrument: Instrument, bar: Bar, guard: SignalRow, effects: Effects
) -> str:
    """The order of a protective exit; written down with its first fill, for until then it lives in its parent."""
    name = f"{happened.index}:{happened.reason}"
    known = effects.known(ledger.exits.get(name, ""))
    quantity = decimal_of(happened.quantity)
    if known is not None:
        if known.filled + quantity <= (known.request.quantity or ZERO):
            return known.id
        _finish_exit(ledger, name, effects)
    parent_id = ledger.parents.get(happened.index, ledger.name)
    kind = _kind(happened, _guard(guard, effects.known(parent_id), effects))
    request = OrderRequest(
        f"{parent_id}:{happened.reason}:{bar.time}",
        ledger.account,
        instrument,
        Side.BUY if happened.side > 0 else Side.SELL,
        kind,
        quantity=quantity + decimal_of(max(0.0, happened.remaining)),
        ledger=ledger.name,
        reduce_only=True,
        created=from_ms(bar.time),
    )
    effects.orders[request.id] = Order(request, OrderStatus.OPEN, reason=REACHED[happened.reason])
    effects.fresh[request.id] = ZERO
    ledger.exits[name] = request.id
    return request.id


def _guard(before: SignalRow, parent: Order | None, effects: Effects) -> SignalRow:
    """What protected the position when it was left: as before the step, but for what an entry brought within it."""
    bracket = None if parent is None else parent.request.type
    if parent is None or not isinstance(bracket, Bracket) or not any(f.order == parent.id for f in effects.fills()):
        return before
    brought = {"stop": bracket.stop, "target": bracket.target, "trail": bracket.trail}
    return replace(before, **{name: float(value) for name, value in brought.items() if value is not None})


def _kind(happened: SimulatedFill, guard: SignalRow) -> OrderType:
    """The exit at its own level; at the fill's price where none is known."""
    level = float(getattr(guard, happened.reason, math.nan))
    if happened.reason == "trail" and not math.isnan(level):
        return TrailingStop(fraction=decimal_of(level))
    price = decimal_of(happened.price if math.isnan(level) else level)
    return Limit(price) if happened.reason == "target" else Stop(price)


def _finish_exit(ledger: Ledger, name: str, effects: Effects) -> None:
    """A protective exit with nothing left to do."""
    order_id = ledger.exits.pop(name)
    order = effects.known(order_id)
    if order is not None and not order.status.final:
        effects.orders[order_id] = replace(order, status=OrderStatus.CANCELLED, updated=effects.now)


def _end(ledger: Ledger, ref: int, ending: str | None, effects: Effects) -> None:
    """An order the simulation has finished with."""
    order_id = ledger.refs.pop(ref)
    order = effects.order(order_id)
    if order.status.final:
        return
    reason = None if ending is None else ENDINGS.get(ending, ending)
    if order.filled and order.request.quantity is None:  # sized at the fill: what it got is what it wanted
        status = OrderStatus.FILLED
    elif ending == "expired":
        status = OrderStatus.EXPIRED
    elif ending in ("insufficient_funds", "below_minimum") and not order.filled:
        status = OrderStatus.REJECTED
    else:
        status = OrderStatus.CANCELLED
    effects.orders[order_id] = replace(order, status=status, reason=reason, updated=effects.now)


def place(ledger: Ledger, order: Order, effects: Effects, ticket: Ticket | None = None) -> None:
    """Takes the order into the ledger; it fills from the next price on. ticket: what the request stands for, exactly"""
    index = ledger.adopt(order.request.instrument)
    ref = ledger.simulated.place(index, ticket_of(order.request) if ticket is None else ticket)
    ledger.refs[ref] = order.id
    key = order.request.instrument.key
    ledger.cursors[key] = max(ledger.cursors.get(key, 0), to_ms(effects.now))
    effects.orders[order.id] = replace(order, status=OrderStatus.OPEN, updated=effects.now)


def cancel(ledger: Ledger, order: Order, reason: str, effects: Effects) -> bool:
    """Whether the order was open in the ledger; it no longer is."""
    ref = ledger.ref(order.id)
    if ref is None or not ledger.simulated.cancel(ref):
        return False
    del ledger.refs[ref]
    effects.orders[order.id] = replace(order, status=OrderStatus.CANCELLED, reason=reason, updated=effects.now)
    return True


def concerned(ledger: Ledger, working: Mapping[str, Order]) -> set[int]:
    """Indexes of the ledger's instruments for which the market may still do something."""
    keys = {working[order].request.instrument.key for order in ledger.refs.values() if order in working}
    found = {index for index, each in enumerate(ledger.instruments) if each.key in keys}
    for index in range(len(ledger.instruments)):
        if ledger.simulated.position(index) and (
            protected(ledger.simulated.protection(index)) or any(name.startswith(f"{index}:") for name in ledger.exits)
        ):
            found.add(index)
    return found


def protected(row: SignalRow) -> bool:
    """Whether any protective price is set."""
    return not (math.isnan(row.stop) and math.isnan(row.target) and math.isnan(row.trail))
