"""A venue for machines alone: takes what they ask for, fills it as a test says, and tells about it late, twice, in any
order, while the process that runs the machine may die at any step.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from core.engine.synthetics import machines
from core.engine.synthetics.machines import State
from core.engine.synthetics.values import (
    Cancel,
    Cancelled,
    Changed,
    Finish,
    Happening,
    Place,
    Priced,
    Restarted,
)
from core.money import ZERO
from core.trading.orders import Limit, Market, OrderRequest, OrderStatus, OrderType, Side, Stop, StopLimit, TrailingStop

NATIVE = ("Limit", "Market", "Stop", "StopLimit")


@dataclass(slots=True)
class Taken:
    """An order at the venue. best: of a trailing stop; triggered: its stop was reached"""

    side: Side
    type: OrderType
    quantity: Decimal
    counts: int
    role: str
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    reason: str | None = None
    triggered: bool = False
    best: Decimal | None = None


@dataclass(slots=True)
class Stage:
    """A machine, its venue and the wire between them. faults: the share of times that something goes wrong."""

    request: OrderRequest
    random: Random
    native: tuple[str, ...] = NATIVE
    faults: float = 0.0
    price: Decimal = Decimal(100)
    now: int = 1_000_000
    state: State = field(init=False)
    kept: object = field(init=False)
    venue: dict[int, Taken] = field(default_factory=dict)
    wire: list[Happening] = field(default_factory=list)
    lost: list[Place | Cancel] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    finished: Finish | None = None
    told: dict[int, str] = field(default_factory=dict)
    placed_twice: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = machines.begin(self.request, self.native)
        self.kept = machines.written(self.state)

    # -- the process ----------------------------------------------------------------------------------------------

    def hear(self, happening: Happening) -> None:
        """One step: written down, then carried out, unless the process dies in between."""
        going_on = machines.reopened(self.state, happening) if isinstance(happening, Changed) else None
        if going_on is not None:
            self.state, self.finished = going_on, None
        self.state, actions = machines.step(self.state, happening)
        self.kept = machines.written(self.state)
        for action in actions:
            match action:
                case Finish():
                    assert self.finished is None
                    self.finished = action
                case Place() | Cancel() if self.random.random() < self.faults / 4:
                    self.crash()
                    return
                case Place():
                    self.place(action)
                case Cancel(n):
                    self.cancel(n)
                case _:
                    self.told[action.n] = action.text

    def crash(self) -> None:
        """The process begins anew from what was kept: every child is looked up, then the machine is told."""
        known, self.state = self.state, machines.read(self.kept)
        assert self.state == known
        if self.state.work.finished:  # what is told of its children from now on still arrives
            return
        self.wire.clear()
        for child in self.state.work.children:
            if child.n in self.venue:
                self.hear(self.changed(child.n))
        self.hear(Restarted(self.now))

    # -- the venue ------------------------------------------------------------------------------------------------

    def place(self, action: Place) -> None:
        child = action.child
        if child.n in self.venue:  # the id is known: nothing is sent again
            if (self.venue[child.n].side, self.venue[child.n].type) != (child.side, child.type):
                self.placed_twice.append(child.n)
        else:
            taken = Taken(child.side, child.type, child.quantity or ZERO, child.counts, child.role)
            if self.random.random() < self.faults / 6:
                taken = replace(taken, status=OrderStatus.REJECTED, reason="The venue was in a mood.")
            self.venue[child.n] = taken
            self.match(child.n)
        self.tell(child.n)

    def cancel(self, n: int) -> None:
        taken = self.venue.get(n)
        if taken is None:
            self.wire.append(Changed(n, OrderStatus.CANCELLED, reason="It was never sent."))
            return
        if not taken.status.final and self.random.random() < self.faults / 3:
            self.fill(n, taken.quantity - taken.filled, self.price)  # it just filled
        if not taken.status.final:
            taken.status = OrderStatus.CANCELLED
            if self.random.random() < self.faults / 2:
                self.late.append(n)  # it filled all the same, as will be heard
        self.tell(n)

    def fill(self, n: int, quantity: Decimal, price: Decimal) -> None:
        taken = self.venue[n]
        taken.filled, taken.notional = taken.filled + quantity, taken.notional + quantity * price
        taken.status = OrderStatus.FILLED if taken.filled >= taken.quantity else OrderStatus.PARTIAL

    def match(self, n: int) -> None:
        """What the market does to one order."""
        taken, price = self.venue[n], self.price
        if taken.status.final:
            return
        sells = taken.side is Side.SELL
        kind = taken.type
        if isinstance(kind, TrailingStop):
            better = max if sells else min
            taken.best = price if taken.best is None else better(taken.best, price)
            gap = taken.best * kind.fraction if kind.fraction is not None else kind.distance or ZERO
            trigger = taken.best - gap if sells else taken.best + gap
            taken.triggered |= price <= trigger if sells else price >= trigger
        elif isinstance(kind, Stop | StopLimit):
            taken.triggered |= price <= kind.trigger if sells else price >= kind.trigger
        limit = kind.price if isinstance(kind, Limit | StopLimit) else None
        fits = limit is None or (price >= limit if sells else price <= limit)
        waits = isinstance(kind, Stop | StopLimit | TrailingStop) and not taken.triggered
        if fits and not waits:
            left = taken.quantity - taken.filled
            part = left if self.random.random() >= self.faults else (left / 2).quantize(Decimal("0.01"))
            self.fill(n, part or left, price)

    def moves(self, price: Decimal, seconds: float = 1.0) -> None:
        """The market moves; every open order sees it, and the machine may."""
        self.price, self.now = price, self.now + int(seconds * 1000)
        for n in self.late:
            self.fill(n, self.venue[n].quantity - self.venue[n].filled, price)
            self.tell(n)
        self.late.clear()
        for n, taken in self.venue.items():
            before = (taken.status, taken.filled)
            self.match(n)
            if before != (taken.status, taken.filled):
                self.tell(n)
        self.wire.append(Priced(self.now, price, price, price))

    def changed(self, n: int) -> Changed:
        taken = self.venue[n]
        average = taken.notional / taken.filled if taken.filled else None
        return Changed(n, taken.status, taken.filled, average, ZERO, taken.reason)

    def tell(self, n: int) -> None:
        self.wire.append(self.changed(n))
        if self.random.random() < self.faults:
            self.wire.append(self.changed(n))

    def deliver(self) -> None:
        """What is on the wire arrives; with faults in any order, some of it later."""
        rounds = 0
        while self.wire and rounds < 200:
            rounds += 1
            shuffled = self.random.random() < self.faults
            index = self.random.randrange(len(self.wire)) if shuffled else 0
            happening = self.wire.pop(index)
            if self.random.random() < self.faults / 20:
                self.crash()
            self.hear(happening)

    def ends(self, prices: list[Decimal]) -> None:
        """Goes through the prices again and again, without faults, until the machine has finished or is cancelled."""
        self.faults = 0.0
        self.crash()
        for round_ in range(60):
            for price in prices:
                self.moves(price, 5)
                self.deliver()
            if round_ == 20:
                self.hear(Cancelled())
                self.deliver()
            if self.state.work.finished and not self.late:
                return

    # -- what is true ---------------------------------------------------------------------------------------------

    def traded(self, *roles: str) -> Decimal:
        """What the venue filled of these roles, base."""
        return sum((taken.filled for taken in self.venue.values() if taken.role in roles), ZERO)

    def net(self) -> Decimal:
        """What it filled in the request's direction, less what it filled against it, base."""
        sign = self.request.side.sign
        return sum((taken.filled * taken.side.sign * sign for taken in self.venue.values()), ZERO)

    def open(self) -> list[int]:
        return [n for n, taken in self.venue.items() if not taken.status.final]


__all__ = ["NATIVE", "Market", "Stage", "Taken"]
