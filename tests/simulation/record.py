"""The record in memory: a TradingStore with the transactions of the SQL one, over a `Disk` that outlives a process.

A unit gathers what it is to write and lays it on the disk when it ends well, in one step: who is killed before that
step has written nothing, who is killed after it has written everything. Readers see what was committed. There is one
writer at a time. Before each answer there is a `pause`, at which everybody else may run and the process may die.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import IntegrityError  # what the SQL record raises

from core.clock import Clock, SystemClock, from_ms, to_ms
from core.engine.ports import AccountState, Document, Entry, EquityPoint
from core.engine.views import Run
from core.errors import NotFound, Unavailable
from core.events import DurableEvent
from core.exchanges.record import LedgerState
from core.market.instrument import Instrument
from core.money import ZERO
from core.outbox import decode, encode
from core.trading.orders import Order, OrderRequest
from core.trading.portfolio import Fill

Pause = Callable[[], Awaitable[None]]
Locked = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Counted:
    """An account and the last numbers it has given out."""

    state: AccountState
    orders: int = 0
    runs: int = 0


@dataclass(slots=True)
class Disk:
    """What was committed."""

    accounts: dict[str, Counted] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    reserved: dict[str, Decimal] = field(default_factory=dict)
    journal: list[tuple[int, Entry]] = field(default_factory=list)  # (epoch, entry)
    entries: set[str] = field(default_factory=set)  # their ids
    instruments: dict[str, Instrument] = field(default_factory=dict)
    ledgers: dict[tuple[str, str], str] = field(default_factory=dict)  # as JSON
    runs: dict[str, Run] = field(default_factory=dict)
    equity: dict[tuple[str, int], tuple[int, EquityPoint]] = field(default_factory=dict)
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    events: list[DurableEvent] = field(default_factory=list)
    writers: list["asyncio.Future[None]"] = field(default_factory=list)  # the first one writes
    commits: int = 0


class MemoryUnit:
    """One transaction. What it asks is answered at once, what it writes waits for the commit."""

    def __init__(self, disk: Disk, pause: Pause, now: datetime) -> None:
        self._disk, self._pause, self._now = disk, pause, now
        self._writes: list[Callable[[], None]] = []
        self._counted: dict[str, Counted] = {}
        self._entries: set[str] = set()
        self._orders: set[str] = set()

    def commit(self) -> None:
        """Lays all of it on the disk."""
        for write in self._writes:
            write()
        self._disk.accounts.update(self._counted)
        self._disk.commits += 1

    def emit(self, event: DurableEvent) -> None:
        self._writes.append(lambda: self._disk.events.append(event))

    async def add_order(self, order: Order, reserved: Decimal = ZERO) -> Order:
        await self._pause()
        request, disk = order.request, self._disk
        counted = self._account(request.account)
        if order.id in disk.orders or order.id in self._orders:
            raise IntegrityError(f"order {order.id} is there already", None, Exception())
        counted.orders += 1
        self._orders.add(order.id)
        order = replace(order, number=counted.orders)
        kept = _exact(replace(order, request=decode(OrderRequest, encode(request))), self._now)

        def write() -> None:
            disk.orders[order.id] = kept
            disk.reserved[order.id] = reserved
            disk.instruments[request.instrument.key] = request.instrument

        self._writes.append(write)
        return order

    async def save_order(self, order: Order, reserved: Decimal | None = None) -> None:
        await self._pause()
        request = decode(OrderRequest, encode(order.request))

        def write() -> None:
            known = self._disk.orders.get(order.id)
            if known is not None and reserved is not None:
                self._disk.reserved[order.id] = reserved
            if known is not None:
                self._disk.orders[order.id] = _exact(replace(order, request=request, number=known.number), self._now)

        self._writes.append(write)

    async def record(self, entry: Entry) -> None:
        await self._pause()
        epoch = self._account(entry.account).state.epoch
        if entry.id in self._disk.entries or entry.id in self._entries:
            raise IntegrityError(f"entry {entry.id} is in the journal already", None, Exception())
        self._entries.add(entry.id)

        def write() -> None:
            self._disk.entries.add(entry.id)
            self._disk.journal.append((epoch, entry))

        self._writes.append(write)

    async def save_ledger(self, ledger: LedgerState) -> None:
        await self._pause()
        kept = json.dumps(encode(ledger))

        def write() -> None:
            self._disk.ledgers[ledger.account, ledger.ledger] = kept

        self._writes.append(write)

    async def drop_ledgers(self, account: str) -> None:
        await self._pause()

        def write() -> None:
            for key in [key for key in self._disk.ledgers if key[0] == account]:
                del self._disk.ledgers[key]

        self._writes.append(write)

    async def save_account(self, state: AccountState) -> None:
        await self._pause()
        known = self._counted.get(state.account) or self._disk.accounts.get(state.account) or Counted(state)
        self._counted[state.account] = replace(known, state=state)

    async def save_run(self, run: Run) -> Run:
        await self._pause()
        if run.number == 0:
            counted = self._account(run.account)
            counted.runs += 1
            run = replace(run, number=counted.runs)
        kept = decode(Run, json.loads(json.dumps(encode(run))))

        def write() -> None:
            self._disk.runs[run.id] = kept

        self._writes.append(write)
        return run

    async def save_equity(self, point: EquityPoint) -> None:
        await self._pause()
        epoch = self._account(point.account).state.epoch

        def write() -> None:
            self._disk.equity[point.account, point.time] = (epoch, point)

        self._writes.append(write)

    async def save_document(self, document: Document) -> None:
        await self._pause()
        kept = replace(document, value=json.loads(json.dumps(document.value)))

        def write() -> None:
            self._disk.documents[kept.kind, kept.id] = kept

        self._writes.append(write)

    async def drop_document(self, kind: str, document_id: str) -> None:
        await self._pause()

        def write() -> None:
            self._disk.documents.pop((kind, document_id), None)

        self._writes.append(write)

    def lease(self, name: str, holder: tuple[str, datetime] | None) -> None:
        """Writes who holds the lease until when; None frees it."""

        def write() -> None:
            if holder is None:
                self._disk.leases.pop(name, None)
            else:
                self._disk.leases[name] = holder

        self._writes.append(write)

    def _account(self, account: str) -> Counted:
        if account not in self._counted:
            known = self._disk.accounts.get(account)
            if known is None:
                raise NotFound(f"There is no trading account '{account}'.", account=account)
            self._counted[account] = replace(known)
        return self._counted[account]


class MemoryTradingStore:
    """The trading record as one process sees it.

    disk: shared by all that came before and come after; pause: what each question to the record waits for
    locked: waits while somebody else holds the database; True when it was in vain, and the transaction fails
    """

    def __init__(
        self,
        disk: Disk | None = None,
        pause: Pause | None = None,
        clock: Clock | None = None,
        locked: Locked | None = None,
    ) -> None:
        self.disk = disk or Disk()
        self._pause = pause or _turn
        self._clock = clock or SystemClock()
        self._locked = locked or _free
        self._writer: asyncio.Task[Any] | None = None

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[MemoryUnit]:
        """One transaction: committed whole, or not at all."""
        task = asyncio.current_task()
        if self._writer is task and task is not None:
            raise RuntimeError("a unit was opened inside another unit of the same task: it would wait for itself")
        token: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        writers = self.disk.writers
        writers.append(token)
        try:
            if writers[0] is not token:
                await token
            self._writer = task
            await self._pause()
            if await self._locked():
                raise Unavailable("The database does not answer: database is locked.")
            unit = MemoryUnit(self.disk, self._pause, self._clock.now())
            yield unit
            await self._pause()
            unit.commit()
        finally:
            if writers[0] is token:
                self._writer = None
            writers.remove(token)
            if writers and not writers[0].done():
                writers[0].set_result(None)
        await self._pause()  # written, and not yet known to be

    async def accounts(self) -> Sequence[AccountState]:
        await self._pause()
        return [each.state for each in self.disk.accounts.values()]

    async def account(self, account: str) -> AccountState | None:
        await self._pause()
        found = self.disk.accounts.get(account)
        return None if found is None else found.state

    async def instruments(self) -> Mapping[str, Instrument]:
        await self._pause()
        return dict(self.disk.instruments)

    async def order(self, order_id: str) -> Order | None:
        await self._pause()
        return self.disk.orders.get(order_id)

    async def order_by_number(self, account: str, number: int) -> Order | None:
        await self._pause()
        return next((each for each in self._orders_of(account) if each.number == number), None)

    async def orders(
        self, account: str | None = None, *, open_only: bool = False, limit: int | None = None
    ) -> Sequence[Order]:
        await self._pause()
        found = [each for each in self._orders_of(account) if not (open_only and each.status.final)]
        found.sort(key=lambda each: (each.request.account, each.number if limit is None else -each.number))
        return found if limit is None else found[:limit]

    async def reservations(self) -> Mapping[str, Decimal]:
        await self._pause()
        return {key: held for key, held in self.disk.reserved.items() if not self.disk.orders[key].status.final}

    async def entries(self, account: str, *, ledger: str | None = None, epoch: int | None = None) -> Sequence[Entry]:
        await self._pause()
        counted = self.disk.accounts.get(account)
        wanted = epoch if epoch is not None or counted is None else counted.state.epoch
        return [
            entry
            for its_epoch, entry in self.disk.journal
            if entry.account == account and its_epoch == wanted and ledger in (None, entry.ledger)
        ]

    async def fills(self, account: str, limit: int = 50) -> Sequence[Fill]:
        await self._pause()
        found = [entry for entry in self._fills() if entry.account == account]
        return found[::-1][:limit]

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        await self._pause()
        return [entry for entry in self._fills() if entry.order == order_id]

    async def ledgers(self) -> Sequence[LedgerState]:
        await self._pause()
        return [decode(LedgerState, json.loads(kept)) for kept in self.disk.ledgers.values()]

    async def ledger(self, account: str, ledger: str) -> LedgerState | None:
        await self._pause()
        kept = self.disk.ledgers.get((account, ledger))
        return None if kept is None else decode(LedgerState, json.loads(kept))

    async def runs(self, account: str | None = None) -> Sequence[Run]:
        await self._pause()
        found = [run for run in self.disk.runs.values() if account in (None, run.account)]
        return sorted(found, key=lambda run: (run.account, run.number))

    async def run(self, run_id: str) -> Run | None:
        await self._pause()
        return self.disk.runs.get(run_id)

    async def equity(self, account: str, since: int = 0) -> Sequence[EquityPoint]:
        await self._pause()
        counted = self.disk.accounts.get(account)
        epoch = None if counted is None else counted.state.epoch
        found = [
            point
            for (whose, time), (its_epoch, point) in self.disk.equity.items()
            if whose == account and time >= since and its_epoch == epoch
        ]
        return sorted(found, key=lambda point: point.time)

    async def documents(self, kind: str, *, owner: str | None = None, open_only: bool = False) -> Sequence[Document]:
        await self._pause()
        return [
            _copy(each)
            for each in self.disk.documents.values()
            if each.kind == kind and owner in (None, each.owner) and (each.open or not open_only)
        ]

    async def document(self, kind: str, document_id: str) -> Document | None:
        await self._pause()
        found = self.disk.documents.get((kind, document_id))
        return None if found is None else _copy(found)

    async def take_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        async with self.unit() as unit:
            holder = self.disk.leases.get(name)
            if holder is not None and holder[0] != owner and holder[1] > now:
                return False
            unit.lease(name, (owner, now + timedelta(seconds=seconds)))
            return True

    async def renew_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        async with self.unit() as unit:
            holder = self.disk.leases.get(name)
            if holder is None or holder[0] != owner:
                return False
            unit.lease(name, (owner, now + timedelta(seconds=seconds)))
            return True

    async def drop_lease(self, name: str, owner: str) -> None:
        async with self.unit() as unit:
            holder = self.disk.leases.get(name)
            if holder is not None and holder[0] == owner:
                unit.lease(name, None)

    def _orders_of(self, account: str | None) -> Iterable[Order]:
        return (each for each in self.disk.orders.values() if account in (None, each.request.account))

    def _fills(self) -> Iterable[Fill]:
        return (entry for _, entry in self.disk.journal if isinstance(entry, Fill))


async def _free() -> bool:
    return False


async def _turn() -> None:
    await asyncio.sleep(0)


def _exact(order: Order, now: datetime) -> Order:
    """The order as it is read back: with the time of the transaction where it names none, in whole milliseconds."""
    return replace(order, updated=from_ms(to_ms(order.updated or now)))


def _copy(document: Document) -> Document:
    return replace(document, value=json.loads(json.dumps(document.value)))
