"""The record that the paper venue lives in: what is kept of a ledger, one transaction, and what it did."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from core.clock import Clock
from core.events import DurableEvent, OrderChanged
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.simulation.account import SimulatedFill
from core.trading.orders import Order
from core.trading.portfolio import Fill, Transfer


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A simulated ledger as it is kept. refs: simulation's number of each open order -> order id.

    state: SimulatedAccount.state(); cursors: UTC ms, by instrument key, from which the ledger has not seen the market
    parents: instrument index -> the order that last traded it; exits: 'index:reason' -> the protective exit under way
    recent: fills of a strategy's ledger since the strategy last decided, oldest first
    """

    account: str
    ledger: str
    state: Mapping[str, Any]
    instruments: tuple[Instrument, ...] = ()
    refs: Mapping[str, str] = field(default_factory=dict)
    cursors: Mapping[str, int] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    exits: Mapping[str, str] = field(default_factory=dict)
    recent: tuple[SimulatedFill, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a committed transaction did: told to whoever keeps an image of the record in memory."""

    orders: tuple[Order, ...] = ()
    entries: tuple[Fill | Transfer, ...] = ()
    reserved: Mapping[str, Decimal] = field(default_factory=dict)  # by id, where it is new


class PaperUnit(Protocol):
    """One transaction on the record."""

    async def add_order(self, order: Order, reserved: Decimal = ZERO) -> Order:
        """Writes a new order under the account's next number, and returns it with that number."""
        ...

    async def save_order(self, order: Order, reserved: Decimal | None = None) -> None:
        """Writes the order as it stands; what it reserves only where that changed."""
        ...

    async def record(self, entry: Fill | Transfer) -> None: ...
    async def save_ledger(self, ledger: LedgerState) -> None: ...
    def emit(self, event: DurableEvent) -> None: ...


class PaperStore(Protocol):
    """The record that the paper venue lives in."""

    def unit(self) -> AbstractAsyncContextManager[PaperUnit]: ...
    async def ledgers(self) -> Sequence[LedgerState]: ...
    async def ledger(self, account: str, ledger: str) -> LedgerState | None: ...
    async def order(self, order_id: str) -> Order | None: ...
    async def orders(
        self, account: str | None = None, *, open_only: bool = False, limit: int | None = None
    ) -> Sequence[Order]:
        """Newest first when limited, oldest first otherwise; all accounts when None."""
        ...

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        """The fills of one order, oldest first."""
        ...

    async def fills(self, account: str, limit: int = 50) -> Sequence[Fill]:
        """The newest fills first."""
        ...


Also = Callable[[Any], Awaitable[None]]


def order_changed(order: Order, clock: Clock) -> OrderChanged:
    """The event that tells where an order stands; the same standing has the same id."""
    return OrderChanged(
        f"order:{order.id}:{order.status.value}:{plain(order.filled)}",
        order.request.account,
        order.updated or clock.now(),
        order.id,
        order.number,
        order.request.ledger,
        order.request.instrument.key,
        order.status,
        order.reason,
    )
