"""SimulatedAccount: the kernel's state, one bar at a time, for paper trading, competitions and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InvalidInput, NotFound
from core.events import Bar
from core.market.instrument import Instrument
from core.simulation import fields
from core.simulation import orders as slots
from core.simulation.decide import decide
from core.simulation.kernel import rows_per_step, step
from core.simulation.state import Floats, apply_costs, new_account, new_orders, new_row
from core.trading.costs import Costs
from core.trading.tickets import NAN, InForce, Kind, SignalRow, Ticket

__all__ = ["Decision", "InForce", "Kind", "SignalRow", "SimulatedAccount", "SimulatedFill", "Ticket", "fill_of"]


@dataclass(frozen=True, slots=True)
class SimulatedFill:
    """One execution. side: +1 or -1; quantity: base; fee: quote; remaining: base the order still wants, 0 when done.

    reason: entry, exit, stop, target or trail; ref is the order's, for a protective exit that of the entry.
    """

    ref: int
    index: int
    side: int
    price: float
    quantity: float
    fee: float
    maker: bool
    reason: str
    remaining: float
    time: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What a signal row asks for: orders to cancel, then a ticket to place, or protection to set on the position."""

    cancel: Sequence[int] = ()
    place: Ticket | None = None
    protect: SignalRow | None = None


class SimulatedAccount:
    """One ledger under the fill model, stepped bar by bar by the same kernel as `backtest`."""

    def __init__(self, cash: float, costs: Costs) -> None:
        if not 0.0 <= cash < np.inf:
            raise InvalidInput(f"Cash {cash} is not zero or above.")
        self._account = new_account(float(cash), costs)
        self._book = np.zeros((0, fields.BOOK))
        self._orders = new_orders(8)
        self._ended: list[tuple[int, str]] = []
        self._done = np.empty((0, fields.FILL))

    def add(self, instrument: Instrument) -> int:
        """The index of a new instrument in this account."""
        self._book = np.vstack([self._book, new_row(instrument)[None]])
        return len(self._book) - 1

    # -- reading --------------------------------------------------------------------------------------------------

    @property
    def cash(self) -> float:
        return float(self._account[fields.A_CASH])

    @property
    def fees(self) -> float:
        """Quote, paid in total."""
        return float(self._account[fields.A_FEES])

    def position(self, i: int) -> float:
        """Signed base quantity."""
        return float(self._book[self._checked(i), fields.B_QUANTITY])

    def entry_price(self, i: int) -> float:
        """Average entry price, 0 when flat."""
        return float(self._book[self._checked(i), fields.B_ENTRY])

    def protection(self, i: int) -> SignalRow:
        """The stop, target and trail that protect the position now."""
        row = self._book[self._checked(i)]
        return SignalRow(
            stop=float(row[fields.B_STOP]), target=float(row[fields.B_TARGET]), trail=float(row[fields.B_TRAIL])
        )

    def equity(self, prices: Mapping[int, float] | None = None) -> float:
        """Cash and positions at these prices; an instrument not named counts at its last close."""
        total = float(self._account[fields.A_CASH])
        for i, row in enumerate(self._book):
            if row[fields.B_QUANTITY] != 0.0:
                given = None if prices is None else prices.get(i)
                total += float(row[fields.B_QUANTITY]) * (float(row[fields.B_MARK]) if given is None else given)
        return total

    def open_refs(self) -> list[int]:
        """References of the open orders, oldest first."""
        return sorted(int(row[fields.O_REF]) for row in self._orders if row[fields.O_KIND] != 0.0)

    @property
    def totals(self) -> Floats:
        """The account vector as it stands: a copy, by the columns of core.simulation.fields."""
        return self._account.copy()

    @property
    def rows(self) -> Floats:
        """What the last step wrote, as the kernel's rows: fills, and orders that ended unfilled."""
        return self._done

    def working(self, i: int) -> int:
        """How many orders of the instrument are open."""
        return int(self._book[i, fields.B_ACTIVE])

    def tickets(self, i: int) -> list[tuple[int, Ticket]]:
        """The instrument's open orders by reference, oldest first; a ticket's size is what it still wants."""
        if not self.working(i):
            return []
        found = [
            (int(row[fields.O_REF]), _ticket(row))
            for row in self._orders
            if row[fields.O_KIND] != 0.0 and row[fields.O_INSTRUMENT] == i
        ]
        return sorted(found, key=lambda each: each[0])

    def remaining(self, ref: int) -> float:
        """What the open order still wants: base, quote for a spend, the exposure itself; 0 when it is not open."""
        slot = self._slot(ref)
        return 0.0 if slot is None else float(self._orders[slot, fields.O_AMOUNT])

    def ended(self) -> list[tuple[int, str]]:
        """Orders that the last step ended without (all of) their fill, and why: (ref, reason)."""
        return list(self._ended)

    # -- acting ---------------------------------------------------------------------------------------------------

    def transfer(self, amount: float) -> None:
        """Moves cash in (+) or out (-). Raises InvalidInput when there is not so much."""
        if not np.isfinite(amount) or self.cash + amount < 0.0:
            raise InvalidInput(f"The account holds {self.cash} and cannot pay out {-amount}.")
        self._account[fields.A_CASH] += amount

    def place(self, i: int, ticket: Ticket) -> int:
        """Places the order, to be filled from the next step on (plus latency); returns its reference."""
        self._checked(i)
        if ticket.ref is not None and (ticket.ref <= 0 or self._slot(ticket.ref) is not None):
            raise InvalidInput(f"The order reference {ticket.ref} is taken or not above zero.")
        if np.all(self._orders[:, fields.O_KIND] != 0.0):
            self._orders = np.vstack([self._orders, new_orders(len(self._orders))])
        slot = slots.place(self._account, self._book, self._orders, _row(i, ticket))
        return int(self._orders[slot, fields.O_REF])

    def cancel(self, ref: int) -> bool:
        """Whether the order was open; it no longer is."""
        slot = self._slot(ref)
        if slot is None:
            return False
        slots.cancel(self._book, self._orders, slot)
        return True

    def protect(self, i: int, row: SignalRow) -> None:
        """Sets the stop, target and trail given in the row on the position; NaN leaves what is there."""
        price = self._book[self._checked(i), fields.B_MARK]
        if self._book[i, fields.B_QUANTITY] != 0.0:
            slots.protect(self._book, i, row.stop, row.target, row.trail, price)

    def unprotect(self, i: int) -> None:
        """Removes the stop, target and trail of the position."""
        slots.unprotect(self._book, self._checked(i))

    def step(self, bars: Mapping[int, Bar]) -> list[SimulatedFill]:
        """One step of the kernel for the instruments that have a bar now; what it filled, in order."""
        self._book[:, fields.B_PRESENT] = 0.0
        for i, bar in bars.items():
            row = self._book[self._checked(i)]
            row[fields.B_PRESENT] = 1.0
            row[fields.B_TIME] = bar.time
            row[fields.B_OPEN], row[fields.B_HIGH] = bar.open, bar.high
            row[fields.B_LOW], row[fields.B_CLOSE] = bar.low, bar.close
            row[fields.B_VOLUME] = bar.volume
        fills = np.empty((rows_per_step(len(self._book), len(self._orders)), fields.FILL))
        self._account[fields.A_FILLS] = 0.0
        step(self._account, self._book, self._orders, fills)
        done = self._done = fills[: int(self._account[fields.A_FILLS])]
        self._ended = [
            (int(row[fields.F_REF]), fields.REASONS[int(row[fields.F_REASON])])
            for row in done if row[fields.F_QUANTITY] == 0.0
        ]  # fmt: skip
        return [fill_of(row) for row in done if row[fields.F_QUANTITY] != 0.0]

    def decide(self, i: int, row: SignalRow) -> Decision:
        """What the signal row, decided at the last close, asks for. Changes nothing."""
        ticket = np.empty(fields.ORDER)
        signal = (row.exposure, row.limit, row.stop, row.target, row.trail)
        action = decide(self._account, self._book, self._checked(i), *signal, ticket)
        refs = [
            int(order[fields.O_REF])
            for order in self._orders
            if order[fields.O_KIND] != 0.0
            and order[fields.O_INSTRUMENT] == i
            and order[fields.O_MODE] == fields.BY_EXPOSURE
        ]
        return Decision(
            cancel=refs if action & fields.CANCEL else (),
            place=_ticket(ticket) if action & fields.PLACE else None,
            protect=row if action & fields.PROTECT else None,
        )

    def apply(self, i: int, decision: Decision) -> int | None:
        """Carries the decision out; the reference of the order placed, if any."""
        for ref in decision.cancel:
            self.cancel(ref)
        if decision.protect is not None:
            self.protect(i, decision.protect)
        return None if decision.place is None else self.place(i, decision.place)

    # -- restarting -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as JSON; floats are written exactly (hexadecimal)."""
        return {
            "version": 1,
            "account": [value.hex() for value in self._account.tolist()],
            "book": [[value.hex() for value in row] for row in self._book.tolist()],
            "orders": [[value.hex() for value in row] for row in self._orders.tolist() if row[fields.O_KIND] != 0.0],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any], instruments: Sequence[Instrument], costs: Costs) -> "SimulatedAccount":
        """The account as it was when `state()` was taken; grids and costs are those given now."""
        if state.get("version") != 1 or len(state["book"]) != len(instruments):
            raise InvalidInput("The stored account does not belong to these instruments.")
        restored = cls(0.0, costs)
        restored._account = np.array([float.fromhex(value) for value in state["account"]])
        apply_costs(restored._account, costs)
        rows = [[float.fromhex(value) for value in row] for row in state["book"]]
        restored._book = np.array(rows).reshape(len(rows), fields.BOOK)
        for i, instrument in enumerate(instruments):
            restored._book[i, : fields.B_PRESENT] = new_row(instrument)[: fields.B_PRESENT]
        orders = [[float.fromhex(value) for value in row] for row in state["orders"]]
        restored._orders = new_orders(max(8, 2 * len(orders)))
        if orders:
            restored._orders[: len(orders)] = np.array(orders)
        return restored

    # -- inside ---------------------------------------------------------------------------------------------------

    def _checked(self, i: int) -> int:
        if not 0 <= i < len(self._book):
            raise NotFound(f"This account has no instrument number {i}.")
        return i

    def _slot(self, ref: int) -> int | None:
        found = np.nonzero((self._orders[:, fields.O_REF] == ref) & (self._orders[:, fields.O_KIND] != 0.0))[0]
        return int(found[0]) if len(found) else None


def fill_of(row: Floats) -> SimulatedFill:
    """A row of the kernel's fills as a value."""
    return SimulatedFill(
        ref=int(row[fields.F_REF]),
        index=int(row[fields.F_INSTRUMENT]),
        side=int(row[fields.F_SIDE]),
        price=float(row[fields.F_PRICE]),
        quantity=float(row[fields.F_QUANTITY]),
        fee=float(row[fields.F_FEE]),
        maker=bool(row[fields.F_MAKER]),
        reason=fields.REASONS[int(row[fields.F_REASON])],
        remaining=float(row[fields.F_REMAINING]),
        time=int(row[fields.F_TIME]),
    )


def _row(i: int, ticket: Ticket) -> Floats:
    """The ticket as an order row; absent prices are NaN."""
    row = np.full(fields.ORDER, NAN)
    row[fields.O_KIND] = fields.KINDS.index(ticket.kind)
    row[fields.O_INSTRUMENT] = i
    row[fields.O_SIDE] = ticket.side
    if ticket.quantity is not None:
        row[fields.O_MODE], row[fields.O_AMOUNT] = fields.BY_QUANTITY, ticket.quantity
    elif ticket.spend is not None:
        row[fields.O_MODE], row[fields.O_AMOUNT] = fields.BY_SPEND, ticket.spend
    elif ticket.exposure is not None:
        row[fields.O_MODE], row[fields.O_AMOUNT] = fields.BY_EXPOSURE, ticket.exposure
        if ticket.kind == "market":
            row[fields.O_SIDE] = 0.0
    for column, value in (
        (fields.O_LIMIT, ticket.limit), (fields.O_TRIGGER, ticket.trigger), (fields.O_TRAIL, ticket.trail),
        (fields.O_DISTANCE, ticket.distance), (fields.O_STOP, ticket.stop), (fields.O_TARGET, ticket.target),
        (fields.O_PROTECT_TRAIL, ticket.protect_trail),
    ):  # fmt: skip
        if value is not None:
            row[column] = value
    row[fields.O_REDUCE] = float(ticket.reduce_only)
    row[fields.O_TIF] = fields.TIMES_IN_FORCE.index(ticket.time_in_force)
    row[fields.O_EXPIRES] = np.inf if ticket.expires is None else ticket.expires
    row[fields.O_REF] = 0 if ticket.ref is None else ticket.ref
    return row


def _ticket(row: Floats) -> Ticket:
    """The order of a row as a ticket: one that decide wrote, or one that is open."""

    def given(column: int) -> float | None:
        value = float(row[column])
        return None if np.isnan(value) else value

    kind: Any = fields.KINDS[int(row[fields.O_KIND])]
    in_force: Any = fields.TIMES_IN_FORCE[int(row[fields.O_TIF])]
    amount = float(row[fields.O_AMOUNT])
    expires, mode = float(row[fields.O_EXPIRES]), row[fields.O_MODE]
    return Ticket(
        kind=kind,
        side=int(row[fields.O_SIDE]),
        quantity=amount if mode == fields.BY_QUANTITY else None,
        spend=amount if mode == fields.BY_SPEND else None,
        exposure=amount if mode == fields.BY_EXPOSURE else None,
        limit=given(fields.O_LIMIT),
        trigger=given(fields.O_TRIGGER),
        trail=given(fields.O_TRAIL),
        distance=given(fields.O_DISTANCE),
        stop=given(fields.O_STOP),
        target=given(fields.O_TARGET),
        protect_trail=given(fields.O_PROTECT_TRAIL),
        reduce_only=bool(row[fields.O_REDUCE]),
        time_in_force=in_force,
        expires=int(expires) if np.isfinite(expires) else None,
        ref=int(row[fields.O_REF]) or None,
    )
