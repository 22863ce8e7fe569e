"""Mutations: faults planted in the engine, each of which the simulation must find. Who tests the test.

Each is a context manager, with the rule that it breaks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any

from core.engine.book import Book
from core.engine.execution import Execution
from core.engine.lease import Lease
from core.engine.outcomes import Outcomes
from core.engine.reconciliation import Reconciliation
from core.engine.synthetics import service
from core.engine.synthetics.turn import Turn
from core.errors import Unavailable
from core.exchanges.record import Change
from core.money import ZERO
from core.risk import limits as risk
from core.trading.orders import Order, OrderStatus
from core.trading.portfolio import Fill
from tests.simulation import adapter

Mutation = Callable[[], AbstractContextManager[None]]


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    kept = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def resent() -> AbstractContextManager[None]:
    """An order whose answer was lost is sent once more."""

    async def pursue(self: Any, order: Order) -> Order:
        await self._exchange_for(order.request.account).place(order.request)
        return order

    return patched(Execution, "_pursue", pursue)


def given_up_too_soon() -> AbstractContextManager[None]:
    """An order that the venue does not know yet counts as never arrived."""
    return patched(Outcomes, "window_left", lambda self, order: -1.0)


def sent_unrecorded() -> AbstractContextManager[None]:
    """The order is sent first and written down afterwards."""
    kept = Execution._record

    async def record(self: Any, request: Any, *rest: Any) -> Order:
        await self._exchange_for(request.account).place(request)
        return await kept(self, request, *rest)

    async def send(self: Any, order: Order, *rest: Any) -> Order:
        return await self._save(replace(order, status=OrderStatus.OPEN))

    @contextmanager
    def both() -> Iterator[None]:
        with patched(Execution, "_record", record), patched(Execution, "_send", send):
            yield

    return both()


def taken_in(change: Callable[[Sequence[Fill]], list[Fill]]) -> AbstractContextManager[None]:
    """Of what the venue tells of an order, only so much is taken in."""
    kept = Outcomes.take_in

    async def take_in(self: Any, order: Order, found: Order, fills: Sequence[Fill], *rest: Any, **more: Any) -> Order:
        return await kept(self, order, found, change(fills), *rest, **more)

    return patched(Outcomes, "take_in", take_in)


def fill_lost() -> AbstractContextManager[None]:
    """Every fifth trade is never taken in."""
    return taken_in(lambda fills: [fill for fill in fills if int(fill.id.rpartition("T")[2]) % 5])


def fees_forgotten() -> AbstractContextManager[None]:
    """Trading costs nothing."""
    return taken_in(lambda fills: [replace(fill, fee=ZERO) for fill in fills])


def reservation_left() -> AbstractContextManager[None]:
    """An order that was cancelled stays open in memory."""
    kept = Book.apply

    def apply(self: Any, change: Change) -> None:
        kept(
            self,
            replace(change, orders=tuple(each for each in change.orders if each.status is not OrderStatus.CANCELLED)),
        )

    return patched(Book, "apply", apply)


def panic_forgotten() -> AbstractContextManager[None]:
    """The kill switch is not looked at."""

    def account(self: Any, name: str) -> Any:
        state = self._accounts.get(name)
        return None if state is None else replace(state, halted=False)

    return patched(Book, "account", account)


def last_look_left_out() -> AbstractContextManager[None]:
    """An order that waited for its turn leaves without another look."""
    return patched(adapter, "demand_last", lambda last: None)


def heartbeat_ends() -> AbstractContextManager[None]:
    """A database that was locked once ends the heartbeat of the lease for ever."""

    async def beat(self: Any) -> None:
        while True:
            await self._clock.sleep(5.0)
            with suppress(Unavailable):
                await self._renew(self._store.renew_lease)
                continue
            return

    return patched(Lease, "_beat", beat)


def limits_ignored() -> AbstractContextManager[None]:
    """No limit of the user's refuses anything."""

    def demand(looked_at: Any) -> None:
        for check in looked_at:
            if check.funds is not None:
                check.demand()

    return patched(risk, "demand", demand)


def never_reconciled() -> AbstractContextManager[None]:
    """Nobody looks at the venue by itself."""

    async def look(self: Any, account: str) -> bool:
        return True

    return patched(Reconciliation, "look", look)


def children_forgotten() -> AbstractContextManager[None]:
    """What composite orders had begun is not taken up again after a restart."""

    async def load(self: Any) -> None:
        return None

    return patched(service.Synthetics, "load", load)


def legs_overlap() -> AbstractContextManager[None]:
    """A child that is being cancelled counts as gone: the next one is sent beside it."""
    kept = Turn.live

    def live(self: Any, *roles: str) -> list[Any]:
        return [child for child in kept(self, *roles) if not child.cancelling]

    return patched(Turn, "live", live)


MUTATIONS: dict[str, tuple[Mutation, str | tuple[str, ...]]] = {
    "an order is sent again after a lost answer": (resent, "sent once"),
    "an unknown order is given up before its window is past": (given_up_too_soon, "none lost"),
    "an order is sent before it is written down": (sent_unrecorded, "written first"),
    "a fill is lost": (fill_lost, "fills"),
    "a reservation is left behind": (reservation_left, "reservations"),
    "panic does not stop": (panic_forgotten, "panic"),
    "an order that waited leaves without another look": (last_look_left_out, ("panic", "disarmed")),
    "the heartbeat of the lease ends with an error": (heartbeat_ends, "progress"),
    "limits are not looked at": (limits_ignored, "limits"),
    "nobody reconciles": (never_reconciled, "balances"),
    "fees are forgotten": (fees_forgotten, "fills"),
    "a leg is sent before the other one is gone": (legs_overlap, "composites"),
    "composite orders are forgotten by a restart": (children_forgotten, "composites"),
}
RACING = frozenset({"a leg is sent before the other one is gone"})  # shows in worlds whose legs race each other
