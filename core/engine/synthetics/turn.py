"""Turn: one step of a machine under way. It takes in what happened and gathers what is asked for."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile

from core import wording
from core.engine.synthetics.values import (
    Action,
    Cancel,
    Cancelled,
    Changed,
    Child,
    Ending,
    Finish,
    Happening,
    Place,
    Priced,
    Restarted,
    Tell,
    Ticked,
    Work,
)  # fmt: skip
from core.market.instrument import Instrument
from core.money import ZERO, quantise_quantity
from core.trading.orders import (
    Bracket,
    Grid,
    Ladder,
    Limit,
    Market,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    StopLimit,
)  # fmt: skip

ATTEMPTS = 5  # placements refused in a row after which an order gives up
FIRST_WAIT = 2_000  # ms before a refused placement is tried again, doubled each time
LONGEST_WAIT = 30_000  # ms; of what is refused for something that passes
TOLD_AT = 3  # the try of those at which the owner is told that an order waits
ASKED = "Cancelled on request."
FLAT = Decimal("1e-12")  # base; sums of what venues tell end this near to what they mean


class Turn:
    """The work as it changes within one step, and the actions so far; its functions mutate it, nothing outside."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.actions: list[Action] = []
        self.in_excess = False  # something is still to be traded back

    # -- looking --------------------------------------------------------------------------------------------------

    @property
    def request(self) -> OrderRequest:
        return self.work.request

    @property
    def instrument(self) -> Instrument:
        return self.work.request.instrument

    @property
    def last(self) -> Decimal | None:
        return self.work.last

    @property
    def may_place(self) -> bool:
        """Whether no refused placement is being waited out."""
        return self.work.now >= self.work.retry

    def children(self, *roles: str) -> list[Child]:
        """The children of these roles, oldest first."""
        return [child for child in self.work.children if child.role in roles]

    def live(self, *roles: str) -> list[Child]:
        """Those of them that may still trade; of any role when none is named."""
        return [child for child in self.work.children if child.live and (not roles or child.role in roles)]

    def filled(self, *roles: str) -> Decimal:
        """What they traded, base."""
        return sum((child.filled for child in self.children(*roles)), ZERO)

    def kept(self, *roles: str) -> Decimal:
        """What they left of what they bought, or took by selling, base."""
        return sum((child.kept for child in self.children(*roles)), ZERO)

    def lots(self, quantity: Decimal) -> Decimal:
        """Down onto the lot grid; below it nothing."""
        return max(ZERO, quantise_quantity(quantity, self.instrument.lot_size))

    def too_small(self, quantity: Decimal, price: Decimal | None) -> bool:
        """Whether the venue would not take an order of this size at this price."""
        if self.lots(quantity) <= 0:
            return True
        return price is not None and self.lots(quantity) * price < self.instrument.min_notional

    # -- taking in ------------------------------------------------------------------------------------------------

    def absorb(self, happening: Happening) -> None:
        """What happened, into the work: facts only grow, whatever order they are told in."""
        match happening:
            case Priced(time, _, _, last):
                if time >= self.work.now:
                    self._set(last=last)
                self._pass(time)
            case Ticked(time):
                self._pass(time)
            case Restarted(time):
                self._pass(time)
                self._redo()
            case Cancelled(reason):
                self.end(OrderStatus.CANCELLED, reason)
            case Changed():
                self._learn(happening)

    def _pass(self, time: int) -> None:
        self._set(now=max(time, self.work.now), started=self.work.started or time)

    def _redo(self) -> None:
        for child in self.work.children:
            if child.live and child.cancelling:
                self.actions.append(Cancel(child.n))
            elif child.status is OrderStatus.RECORDED:
                self.actions.append(Place(child, self._reduces(child)))

    def _learn(self, told: Changed) -> None:
        before = next((child for child in self.work.children if child.n == told.n), None)
        if before is None:
            return
        after = before
        if told.filled > before.filled:
            notional = told.filled * (told.average_price or ZERO)
            fees, charged = max(told.fees, before.fees), max(told.charged, before.charged)
            after = replace(after, filled=told.filled, notional=notional, fees=fees, charged=charged)
        if not before.status.final and told.status is not OrderStatus.RECORDED:
            partial = after.filled > 0 and told.status is OrderStatus.OPEN
            status = OrderStatus.PARTIAL if partial else told.status
            after = replace(after, status=status, reason=told.reason, passing=told.passing)
        self.change(after)

    # -- asking ---------------------------------------------------------------------------------------------------

    def place(
        self,
        role: str,
        kind: OrderType,
        quantity: Decimal | None,
        *,
        side: Side | None = None,
        spend: Decimal | None = None,
        counts: int = 1,
        level: int = 0,
    ) -> None:
        """Asks for a child under the next number."""
        child = Child(
            len(self.work.children) + 1, role, side or self.request.side, kind, quantity, spend, counts, level,
            self.work.now,
        )  # fmt: skip
        self._set(children=(*self.work.children, child))
        self.actions.append(Place(child, self._reduces(child)))

    def cancel(self, child: Child) -> None:
        """Asks once for its end."""
        if child.live and not child.cancelling:
            self.change(replace(child, cancelling=True))
            self.actions.append(Cancel(child.n))

    def tell(self, text: str) -> None:
        """Tells the owner, under the next number."""
        self._set(told=self.work.told + 1)
        self.actions.append(Tell(self.work.told, text))

    def end(self, status: OrderStatus, reason: str | None = None) -> None:
        """From now on the order only winds up; the first reason stands."""
        if self.work.ending is None:
            self._set(ending=Ending(status, reason))

    def failed(self, child: Child) -> None:
        """A placement was refused: it waits before the next one, and gives up after some.

        What passes by itself is waited for however long it takes: a stop is needed most when its venue is overrun.
        """
        if child.passing:
            tries = sum(1 for _ in takewhile(lambda each: each.passing, reversed(self.work.children)))
            self._set(retry=self.work.now + min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT))
            if tries == TOLD_AT:
                self.tell(
                    f"An order in {self.instrument.symbol} has to wait: {child.reason or 'its venue takes none now.'} "
                    "It is tried again until it is taken."
                )
            return
        failures = self.work.failures + 1
        self._set(failures=failures, retry=self.work.now + FIRST_WAIT * 2 ** (failures - 1))
        if failures >= ATTEMPTS:
            reason = child.reason or "no reason was given"
            self.end(OrderStatus.REJECTED, f"{failures} orders in a row were refused: {reason}")

    def went_well(self) -> None:
        """Something was taken: earlier refusals no longer count."""
        self._set(failures=0, retry=0)

    def concluded(self, child: Child) -> None:
        """Marks the child's end as dealt with."""
        self.change(replace(child, answered=True))

    def change(self, child: Child) -> None:
        """Puts the child in the place of its earlier self."""
        self._set(children=tuple(child if each.n == child.n else each for each in self.work.children))

    def wind_up(self) -> bool:
        """Once it is to end: cancels what lives, then finishes. False while it works."""
        ending = self.work.ending
        if ending is None:
            return False
        for child in self.live():
            if child.role != "unwind":
                self.cancel(child)
        if not self.live() and not self.in_excess:
            self.finish(ending.status, ending.reason)
        return True

    def finish(self, status: OrderStatus, reason: str | None = None) -> None:
        """The last action of all. What was filled whole is filled, whatever was to become of it."""
        whole = self.work.quantity > 0 and self.work.filled >= self.work.quantity - FLAT
        if whole and not isinstance(self.request.type, Bracket | Ladder | Grid):  # these hold a position until they end
            status, reason = OrderStatus.FILLED, None
        elif status is OrderStatus.REJECTED and self.work.filled > 0:
            status = OrderStatus.CANCELLED
        self._set(finished=True)
        self.actions.append(Finish(status, reason))

    def leave(self, held: Decimal) -> None:
        """What it still holds when it ends without having left it: its owner's from now on, and nothing protects it."""
        ending = self.work.ending
        if ending is None or ending.status is OrderStatus.FILLED or self.live() or self.lots(held) <= 0:
            return
        holds = wording.quantity(held, self.instrument.base)
        stays = f"The {holds} it {'holds stay with you' if self.request.side is Side.BUY else 'sold stay sold'}"
        if ending.reason is None or stays not in ending.reason:
            reason = f"{ending.reason or 'It has ended.'} {stays}, and nothing protects them now."
            self._set(ending=replace(ending, reason=reason))

    def unwind(self, excess: Decimal, side: Side, counts: int) -> None:
        """Trades back what legs that filled beyond what was asked have traded too much, and says so.

        side: of what was traded too much
        """
        self._conclude_unwinding()
        under_way = sum((child.resting for child in self.live("unwind")), ZERO)
        quantity = self.lots(excess - under_way)
        self.in_excess = quantity > 0 and self.work.failures < ATTEMPTS
        if not self.in_excess or not self.may_place:
            return
        back = Side.BUY if side is Side.SELL else Side.SELL
        base = self.instrument.base
        tried = self.children("unwind")
        if not tried or tried[-1].filled >= (tried[-1].quantity or ZERO):  # told once, not at each new try
            self.tell(
                f"{wording.quantity(quantity, base)} too much was {'sold' if side is Side.SELL else 'bought'}: an "
                f"order filled although another had filled already. "
                f"It is being {'bought back' if back is Side.BUY else 'sold again'} at the market."
            )
        self.place("unwind", Market(), quantity, side=back, counts=counts)

    def _conclude_unwinding(self) -> None:
        """Orders that were to trade back and ended short of it are tried again some times, then the owner is told."""
        for child in self.children("unwind"):
            if child.live or child.answered:
                continue
            self.concluded(child)
            if child.filled < (child.quantity or ZERO):
                self.failed(child)
                if self.work.failures >= ATTEMPTS:
                    self.tell(
                        f"{wording.quantity((child.quantity or ZERO) - child.filled, self.instrument.base)} could not "
                        f"be traded back ({child.reason or 'no reason was given'}); please look at your position."
                    )

    def _reduces(self, child: Child) -> bool:
        """By hand nothing is sold that is not there."""
        return child.side is Side.SELL and child.role != "unwind"

    def _set(self, **values: object) -> None:
        self.work = replace(self.work, **values)  # type: ignore[arg-type]


def price_of(kind: OrderType, last: Decimal | None) -> Decimal | None:
    """About the price at which an order trades, for its size."""
    match kind:
        case Limit(price) | StopLimit(_, price):
            return price
        case _:
            return last


def ended_by_itself(child: Child, what: str) -> str:
    """Why an order that nobody here wanted to end is over: 'Its stop order was cancelled elsewhere.'"""
    if child.reason is not None and child.reason != ASKED:
        return child.reason
    ended = {OrderStatus.EXPIRED: "has expired", OrderStatus.REJECTED: "was refused"}
    return f"{what} {ended.get(child.status, 'was cancelled by itself or elsewhere')}."


def short(child: Child) -> bool:
    """Whether the child ended before all of it was filled, without having been asked to."""
    return not child.live and not child.cancelling and child.filled < (child.quantity or child.filled)


Advance = Callable[[Turn], None]
