"""Ports of the engine: the record of money that a store keeps. `core.store.trading` implements them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from core.engine.views import Run
from core.exchanges.record import PaperStore, PaperUnit
from core.market.instrument import Instrument
from core.trading.orders import Order
from core.trading.portfolio import Fill, Transfer

Entry = Fill | Transfer


@dataclass(frozen=True, slots=True)
class AccountState:
    """What stands beside an account's journal. epoch counts resets; halted: the kill switch is on."""

    account: str
    currency: str = "USDT"
    epoch: int = 0
    opened: datetime | None = None
    halted: bool = False


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What an account was worth at a time (UTC ms), in its currency."""

    account: str
    time: int
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """Something kept whole under its kind and id: a composite order's state, a user's limits, an arming, a mandate.

    value: JSON as `core.outbox.encode` makes it; owner: the account or user it belongs to; open: still at work
    """

    kind: str
    id: str
    owner: str
    value: Any
    open: bool = True


class TradingUnit(PaperUnit, Protocol):
    """One transaction on the trading record; nothing of it is kept unless it ends without an error."""

    async def save_account(self, state: AccountState) -> None: ...
    async def save_run(self, run: Run) -> Run:
        """Writes the run; a run with number 0 is given the account's next number."""
        ...

    async def save_equity(self, point: EquityPoint) -> None: ...
    async def save_document(self, document: Document) -> None:
        """Keeps the document in place of the one with its kind and id."""
        ...

    async def drop_document(self, kind: str, document_id: str) -> None: ...
    async def drop_ledgers(self, account: str) -> None:
        """Forgets the simulated state of all of the account's ledgers (the journal stays)."""
        ...


class TradingStore(PaperStore, Protocol):
    """The trading record: orders, journal, ledgers, runs, leases."""

    def unit(self) -> AbstractAsyncContextManager[TradingUnit]: ...

    async def accounts(self) -> Sequence[AccountState]: ...
    async def account(self, account: str) -> AccountState | None: ...
    async def instruments(self) -> Mapping[str, Instrument]:
        """Every instrument that was ever ordered, by key."""
        ...

    async def order_by_number(self, account: str, number: int) -> Order | None: ...
    async def reservations(self) -> Mapping[str, Decimal]:
        """What each open order reserved when it was recorded, by order id."""
        ...

    async def entries(self, account: str, *, ledger: str | None = None, epoch: int | None = None) -> Sequence[Entry]:
        """The journal in order; of the account's present epoch when `epoch` is None."""
        ...

    async def fills(self, account: str, limit: int = 50) -> Sequence[Fill]:
        """The newest fills first, over all epochs."""
        ...

    async def runs(self, account: str | None = None) -> Sequence[Run]: ...
    async def run(self, run_id: str) -> Run | None: ...
    async def equity(self, account: str, since: int = 0) -> Sequence[EquityPoint]: ...
    async def documents(self, kind: str, *, owner: str | None = None, open_only: bool = False) -> Sequence[Document]:
        """Documents of a kind, in the order in which they were first kept."""
        ...

    async def document(self, kind: str, document_id: str) -> Document | None: ...
    async def take_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        """True when `owner` now holds the lease: it was free, expired, or its own (then extended)."""
        ...

    async def renew_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        """True when the lease was the owner's ever since it took it; however late, it is then extended."""
        ...

    async def drop_lease(self, name: str, owner: str) -> None: ...


class Synthetics(Protocol):
    """Who works the order types that a venue has not natively, by child orders (see `core.engine.synthetics`).

    A child goes through `Execution.submit` under the id 'PARENT.N', with `parent` set; it reserves nothing itself.
    What became of the whole is told by `Execution.settle`.
    """

    async def begin(self, order: Order) -> None:
        """Takes up an order that was just recorded as open. Once is as often as ten times."""
        ...

    async def cancel(self, order: Order) -> None:
        """Ends the order: its children are cancelled, and it is settled. Once is as often as ten times."""
        ...

    async def load(self) -> None:
        """Takes up again what the record calls open, also what was recorded and never begun."""
        ...

    def owns(self, order: Order) -> bool:
        """Whether it works this order."""
        ...
