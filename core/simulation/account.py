"""SimulatedAccount: the kernel's state, one bar at a time, for paper trading, competitions and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InvalidInput, NotFound
from core.events import Bar
from core.market.instrument import Instrument
from core.simulation import fields, protection
from core.simulation import orders as slots
from core.simulation.decide import decide
from core.simulation.kernel import rows_per_step, step
from core.simulation.margin import free_margin
from core.simulation.rows import row_of, target_rows, ticket_of
from core.simulation.state import HOURLY, Floats, apply_costs, apply_sizing, new_account, new_orders, new_row
from core.trading.costs import Costs
from core.trading.sizing import Sizing
from core.trading.tickets import NAN, InForce, Kind, SignalRow, Ticket

__all__ = ["Decision", "InForce", "Kind", "SignalRow", "SimulatedAccount", "SimulatedFill", "Ticket", "fill_of"]

VERSION = 2  # of the stored state
GIVEN = (*range(fields.B_PRESENT), fields.B_PERPETUAL)  # columns of the book that follow from the instrument


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

    def __init__(
        self, cash: float, costs: Costs, sizing: Sizing | None = None, bars_per_year: float = HOURLY, parts: int = 1
    ) -> None:
        """sizing: how `decide` turns an exposure into a position

        bars_per_year, parts: of the bars it is stepped with, and how many of them are one bar of the strategy
        """
        if not 0.0 <= cash < np.inf:
            raise InvalidInput(f"Cash {cash} is not zero or above.")
        self._account = new_account(float(cash), costs)
        apply_sizing(self._account, sizing, bars_per_year, parts)
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
        """Quote. What buying and selling left of it, also on perpetuals: equity less the positions' worth."""
        return float(self._account[fields.A_CASH])

    @property
    def free(self) -> float:
        """Quote that no position binds, at the last closes; the cash where nothing is margined."""
        return float(free_margin(self._account, self._book))

    @property
    def fees(self) -> float:
        """Quote, paid in total."""
        return float(self._account[fields.A_FEES])

    @property
    def funding(self) -> float:
        """Quote, paid in total; below zero it was received."""
        return float(self._account[fields.A_FUNDING])

    @property
    def interest(self) -> float:
        """Quote, paid in total for what short positions borrowed."""
        return float(self._account[fields.A_INTEREST])

    @property
    def insured(self) -> float:
        """Quote of losses beyond the account, which the venue's insurance fund took."""
        return float(self._account[fields.A_INSURED])

    @property
    def paid(self) -> Floats:
        """(instruments,) quote of funding and interest since the last fill of each."""
        return self._book[:, fields.B_PAID].copy()

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
            stop=float(row[fields.B_STOP]),
            target=float(row[fields.B_TARGET]),
            trail=float(row[fields.B_TRAIL]),
            distance=float(row[fields.B_DISTANCE]),
        )

    def targets(self, i: int) -> list[tuple[float, float]]:
        """The partial targets of the position: (price, base), in the order they were given."""
        self._checked(i)
        return [
            (float(row[fields.O_LIMIT]), float(row[fields.O_AMOUNT]))
            for row in self._orders
            if row[fields.O_KIND] and row[fields.O_INSTRUMENT] == i and row[fields.O_PARENT] and row[fields.O_AMOUNT]
        ]

    def equity(self, prices: Mapping[int, float] | None = None) -> float:
        """Cash and positions at these prices; an instrument not named counts at its last close."""
        total = float(self._account[fields.A_CASH])
        for i, row in enumerate(self._book):
            if row[fields.B_QUANTITY] != 0.0:
                given = None if prices is None else prices.get(i)
                total += float(row[fields.B_QUANTITY]) * (float(row[fields.B_MARK]) if given is None else given)
        return total

    def open_refs(self) -> list[int]:
        """References of the open orders, oldest first; partial targets are protection and have none."""
        return sorted(int(row[fields.O_REF]) for row in self._orders if row[fields.O_KIND] and not row[fields.O_PARENT])

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
            (int(row[fields.O_REF]), ticket_of(row))
            for row in self._orders
            if row[fields.O_KIND] and row[fields.O_INSTRUMENT] == i and not row[fields.O_PARENT]
        ]
        return sorted(found, key=lambda each: each[0])

    def remaining(self, ref: int) -> float:
        """What the open order still wants: base, quote for a spend, an aim itself; 0 when it is not open."""
        slot = self._slot(ref)
        return 0.0 if slot is None else float(self._orders[slot, fields.O_AMOUNT])

    def ended(self) -> list[tuple[int, str]]:
        """Orders that the last step ended without (all of) their fill, and why: (ref, reason)."""
        return list(self._ended)

    # -- acting ---------------------------------------------------------------------------------------------------

    def transfer(self, amount: float) -> None:
        """Moves cash in (+) or out (-). Raises InvalidInput when there is not so much."""
        if not np.isfinite(amount) or (amount < 0.0 and self.free + amount < 0.0):
            raise InvalidInput(f"The account holds {self.free} and cannot pay out {-amount}.")
        self._account[fields.A_CASH] += amount

    def place(self, i: int, ticket: Ticket) -> int:
        """Places the order, to be filled from the next step on (plus latency); returns its reference."""
        self._checked(i)
        if ticket.ref is not None and (ticket.ref <= 0 or self._slot(ticket.ref) is not None):
            raise InvalidInput(f"The order reference {ticket.ref} is taken or not above zero.")
        while np.count_nonzero(self._orders[:, fields.O_KIND] == 0.0) <= len(ticket.targets):
            self._orders = np.vstack([self._orders, new_orders(len(self._orders))])
        slot = slots.place(self._account, self._book, self._orders, row_of(i, ticket))
        ref = self._orders[slot, fields.O_REF]
        for row in target_rows(i, ticket, ref):
            slots.place(self._account, self._book, self._orders, row)
        return int(ref)

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
            protection.protect(self._book, i, row.stop, row.target, row.trail, price)
            if not np.isnan(row.distance):
                protection.trail_by(self._book, i, row.distance, price)

    def unprotect(self, i: int) -> None:
        """Removes the stop, target and trail of the position, and its partial targets."""
        protection.unprotect(self._book, self._checked(i))
        slots.orphan(self._book, self._orders, i)

    def step(self, bars: Mapping[int, Bar], funding: Mapping[int, float] | None = None) -> list[SimulatedFill]:
        """One step of the kernel for the instruments that have a bar now; what it filled, in order.

        funding: due at the bar's open, as fractions; where none is named the rate of the costs holds
        """
        self._book[:, fields.B_PRESENT] = 0.0
        for i, bar in bars.items():
            row = self._book[self._checked(i)]
            row[fields.B_PRESENT] = 1.0
            row[fields.B_TIME] = bar.time
            row[fields.B_OPEN], row[fields.B_HIGH] = bar.open, bar.high
            row[fields.B_LOW], row[fields.B_CLOSE] = bar.low, bar.close
            row[fields.B_VOLUME] = bar.volume
            row[fields.B_FUNDING] = NAN if funding is None else funding.get(i, NAN)
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
        if not np.isnan(row.distance) and np.isnan(row.exposure) and self._book[i, fields.B_QUANTITY] != 0.0:
            action |= fields.PROTECT
        ticket[fields.O_PROTECT_DISTANCE] = row.distance
        refs = [
            int(order[fields.O_REF])
            for slot, order in enumerate(self._orders)
            if slots.recalled(self._account, self._book, self._orders, slot, i)
        ]
        return Decision(
            cancel=refs if action & fields.CANCEL else (),
            place=ticket_of(ticket) if action & fields.PLACE else None,
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
            "version": VERSION,
            "account": [value.hex() for value in self._account.tolist()],
            "book": [[value.hex() for value in row] for row in self._book.tolist()],
            "orders": [[value.hex() for value in row] for row in self._orders.tolist() if row[fields.O_KIND] != 0.0],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any], instruments: Sequence[Instrument], costs: Costs) -> "SimulatedAccount":
        """The account as it was when `state()` was taken; grids and costs are those given now."""
        if state.get("version") not in (1, VERSION) or len(state["book"]) != len(instruments):
            raise InvalidInput("The stored account does not belong to these instruments.")
        restored = cls(0.0, costs)
        account = [float.fromhex(value) for value in state["account"]]
        restored._account[: len(account)] = account
        apply_costs(restored._account, costs)
        for instrument, row in zip(instruments, state["book"], strict=True):
            i = restored.add(instrument)
            known = [float.fromhex(value) for value in row]
            kept = restored._book[i].copy()
            restored._book[i, : len(known)] = known  # columns that a version did not know yet are as when new
            for column in GIVEN:
                restored._book[i, column] = kept[column]
            protection.guard(restored._book, i)
            if protection.margined(restored._book, i):
                restored._account[fields.A_MARGINED] = 1.0
        orders = [[float.fromhex(value) for value in row] for row in state["orders"]]
        restored._orders = new_orders(max(8, 2 * len(orders)))
        for slot, order in enumerate(orders):
            restored._orders[slot, fields.O_PROTECT_DISTANCE] = NAN
            restored._orders[slot, : len(order)] = order
        return restored

    # -- inside ---------------------------------------------------------------------------------------------------

    def _checked(self, i: int) -> int:
        if not 0 <= i < len(self._book):
            raise NotFound(f"This account has no instrument number {i}.")
        return i

    def _slot(self, ref: int) -> int | None:
        orders = self._orders
        own = (orders[:, fields.O_KIND] != 0.0) & (orders[:, fields.O_PARENT] == 0.0)
        found = np.nonzero(own & (orders[:, fields.O_REF] == ref))[0]
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
