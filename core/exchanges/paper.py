"""The paper venue: orders matched by the fill model, every effect of a step in one transaction.

One `SimulatedAccount` per ledger is the venue's state. After each step its fills, the orders they change, the state
itself and the events are committed together; a process that is killed goes on from exactly there. If the commit
fails, the memory goes back to what the record holds.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

from core.clock import Clock, from_ms
from core.errors import NotFound, OrderRefused
from core.events import Bar, DurableEvent, FillRecorded, OrderChanged
from core.exchanges.tickets import ticket_of
from core.market.instrument import Instrument
from core.money import ZERO, decimal_of, plain
from core.simulation.account import Decision, SignalRow, SimulatedAccount, SimulatedFill
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Capabilities
from core.trading.orders import (
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

SAVE_EVERY = 5_000  # ms of ticks without a fill after which the state is kept anyway
PROTECTIVE = ("stop", "target", "trail")
ENDINGS = {
    "nothing_to_do": "There was nothing to trade: the position already stood where it was asked to be.",
    "insufficient_funds": "The cash of the ledger did not suffice at the fill's price.",
    "below_minimum": "What was left is below the smallest order of the instrument.",
    "expired": "Its time had passed.",
    "not_immediate": "It could not be filled at once, as its time in force demanded.",
    "position_closed": "The position it was to reduce was closed before.",
}


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A simulated ledger as it is kept. refs: simulation's number of each open order -> order id.

    state: SimulatedAccount.state(); cursors: UTC ms, by instrument key, from which the ledger has not seen the market
    parents: instrument index -> the order that last traded it; exits: 'index:reason' -> the protective exit under way
    """

    account: str
    ledger: str
    state: Mapping[str, Any]
    instruments: tuple[Instrument, ...] = ()
    refs: Mapping[str, str] = field(default_factory=dict)
    cursors: Mapping[str, int] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    exits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a committed transaction did: told to whoever keeps an image of the record in memory."""

    orders: tuple[Order, ...] = ()
    entries: tuple[Fill | Transfer, ...] = ()
    reserved: Mapping[str, Decimal] = field(default_factory=dict)  # by id, of orders that are new


class PaperUnit(Protocol):
    """One transaction on the record."""

    async def add_order(self, order: Order, reserved: Decimal = ZERO) -> Order:
        """Writes a new order under the account's next number, and returns it with that number."""
        ...

    async def save_order(self, order: Order) -> None: ...
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


Also = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one decision wants of one ledger, carried out whole or not at all."""

    account: str
    ledger: str
    cancel: tuple[str, ...] = ()  # order ids
    place: tuple[OrderRequest, ...] = ()
    protect: tuple[tuple[Instrument, SignalRow], ...] = ()
    unprotect: tuple[Instrument, ...] = ()  # before `protect`, which leaves what it does not name


@dataclass(slots=True)
class _Ledger:
    account: str
    name: str
    simulated: SimulatedAccount
    instruments: list[Instrument]
    refs: dict[int, str]
    cursors: dict[str, int]
    parents: dict[int, str]
    exits: dict[str, str]
    saved: int = 0  # ms

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
        )


@dataclass(slots=True)
class _Effects:
    """What one transaction is about to do."""

    orders: dict[str, Order] = field(default_factory=dict)
    fresh: dict[str, Decimal] = field(default_factory=dict)  # new orders and what they reserve
    entries: list[Fill | Transfer] = field(default_factory=list)
    ledgers: dict[tuple[str, str], _Ledger] = field(default_factory=dict)
    touched: set[tuple[str, str]] = field(default_factory=set)

    def fills(self) -> list[Fill]:
        return [entry for entry in self.entries if isinstance(entry, Fill)]


class PaperVenue:
    """The paper exchange of all accounts. `account(id)` is what one account trades at.

    costs: fees and fill assumptions of every ledger
    """

    def __init__(self, store: PaperStore, clock: Clock, costs: Costs | None = None) -> None:
        self._store = store
        self._clock = clock
        self.costs = costs or Costs()
        self._ledgers: dict[tuple[str, str], _Ledger] = {}
        self._orders: dict[str, Order] = {}  # open at the venue
        self._listeners: list[Callable[[Change], None]] = []
        self._streams: list[tuple[str, asyncio.Queue[Fill]]] = []
        self._turn = asyncio.Lock()

    # -- life ---------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Restores every ledger from the record."""
        async with self._turn:
            self._orders = {order.id: order for order in await self._store.orders(open_only=True)}
            for kept in await self._store.ledgers():
                self._ledgers[kept.account, kept.ledger] = self._restored(kept)
            held = {order for ledger in self._ledgers.values() for order in ledger.refs.values()}
            held |= {order for ledger in self._ledgers.values() for order in ledger.exits.values()}
            self._orders = {key: order for key, order in self._orders.items() if key in held}

    async def close(self) -> None:
        """Keeps the state of every ledger as it stands."""
        async with self._turn:
            effects = _Effects(ledgers=dict(self._ledgers))
            if self._ledgers:
                await self._commit(effects)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls the listener after each commit, before anybody else can act."""
        self._listeners.append(listener)

    def account(self, account: str) -> "PaperExchange":
        """The venue as one account sees it."""
        return PaperExchange(self, account)

    def _restored(self, kept: LedgerState) -> _Ledger:
        return _Ledger(
            kept.account,
            kept.ledger,
            SimulatedAccount.restored(dict(kept.state), kept.instruments, self.costs),
            list(kept.instruments),
            {int(ref): order for ref, order in kept.refs.items()},
            dict(kept.cursors),
            {int(index): order for index, order in kept.parents.items()},
            dict(kept.exits),
            self._clock.now_ms(),
        )

    # -- money in and out ---------------------------------------------------------------------------------------

    async def transfer(
        self, transfers: Iterable[Transfer], also: Also | None = None, adopt: Instrument | None = None
    ) -> None:
        """Moves cash into and out of ledgers (opened where needed); `also` writes in the same transaction.

        adopt: an instrument that the paid-in ledgers follow from now on, before their first order
        """
        async with self._turn:
            effects = _Effects()
            async with self._keeping(effects):
                for transfer in transfers:
                    key = (transfer.account, transfer.ledger)
                    ledger = self._ledgers.get(key)
                    if ledger is None:
                        ledger = self._ledgers[key] = _Ledger(
                            *key, SimulatedAccount(0.0, self.costs), [], {}, {}, {}, {}, self._clock.now_ms()
                        )
                    effects.ledgers[key] = ledger
                    amount = float(transfer.amount)
                    if -1e-6 < ledger.simulated.cash + amount < 0.0:  # sums of floats end a hair below the journal's
                        amount = -ledger.simulated.cash
                    ledger.simulated.transfer(amount)
                    if adopt is not None and amount > 0.0:
                        ledger.adopt(adopt)
                    effects.entries.append(transfer)
                await self._commit(effects, also)

    async def reset(self, deposit: Transfer, also: Also) -> None:
        """Forgets all ledgers of the account and opens one with the deposit; `also` does the same to the record."""
        async with self._turn:
            account = deposit.account
            simulated = SimulatedAccount(float(deposit.amount), self.costs)
            fresh = _Ledger(account, deposit.ledger, simulated, [], {}, {}, {}, {}, self._clock.now_ms())
            gone = {key for key in self._ledgers if key[0] == account}
            await self._commit(_Effects(entries=[deposit], ledgers={(account, deposit.ledger): fresh}), also)
            for key in gone:
                self._ledgers.pop(key, None)
            self._ledgers[account, deposit.ledger] = fresh
            self._orders = {key: each for key, each in self._orders.items() if each.request.account != account}

    # -- orders -------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Order:
        """Takes the order: from here on it is the venue's, also after a crash. Raises OrderRefused."""
        async with self._turn:
            known = await self._store.order(request.id)
            if known is not None and (known.status.final or request.id in self._orders):
                raise OrderRefused(f"Order {request.id} was placed before.", order=request.id)
            effects = _Effects()
            async with self._keeping(effects):
                ledger = self._ledger(request.account, request.ledger)
                effects.ledgers[request.account, request.ledger] = ledger
                order = known or Order(request)
                if known is None:
                    effects.fresh[order.id] = ZERO
                self._place(ledger, order, effects)
                await self._commit(effects)
            return self._orders[request.id]

    async def cancel(self, order_id: str, reason: str = "Cancelled on request.") -> bool:
        """True when it was open and is cancelled; False when there was nothing left to cancel."""
        async with self._turn:
            order = self._orders.get(order_id)
            if order is None:
                return False
            ledger = self._ledger(order.request.account, order.request.ledger)
            effects = _Effects(ledgers={(ledger.account, ledger.name): ledger})
            async with self._keeping(effects):
                if not self._cancel(ledger, order, reason, effects):
                    return False
                await self._commit(effects)
            return True

    async def carry_out(
        self, batch: Batch, also: Also | None = None, reserved: Mapping[str, Decimal] | None = None
    ) -> list[Order]:
        """Cancels, protects and places what one decision asked for, in one transaction with what `also` writes."""
        async with self._turn:
            ledger = self._ledger(batch.account, batch.ledger)
            effects = _Effects(ledgers={(ledger.account, ledger.name): ledger})
            async with self._keeping(effects):
                for order_id in batch.cancel:
                    if order_id in self._orders:
                        self._cancel(ledger, self._orders[order_id], "Replaced by a newer decision.", effects)
                for instrument in batch.unprotect:
                    ledger.simulated.unprotect(ledger.adopt(instrument))
                for instrument, protection in batch.protect:
                    ledger.simulated.protect(ledger.adopt(instrument), protection)
                for request in batch.place:
                    effects.fresh[request.id] = (reserved or {}).get(request.id, ZERO)
                    self._place(ledger, Order(request), effects)
                await self._commit(effects, also)
            return [effects.orders[request.id] for request in batch.place]

    async def decide(self, account: str, ledger_name: str, instrument: Instrument, row: SignalRow) -> Decision:
        """What the signals decided at the last close ask of the ledger; nothing is done yet."""
        async with self._turn:
            ledger = self._ledger(account, ledger_name)
            return ledger.simulated.decide(ledger.adopt(instrument), row)

    def order_of(self, account: str, ledger: str, ref: int) -> str | None:
        """The id of the order that the simulation knows by `ref`."""
        found = self._ledgers.get((account, ledger))
        return None if found is None else found.refs.get(ref)

    def protection(self, account: str, ledger: str, instrument: Instrument) -> SignalRow | None:
        """The protective prices that watch the ledger's position."""
        found = self._ledgers.get((account, ledger))
        index = None if found is None else found.index(instrument)
        return None if found is None or index is None else found.simulated.protection(index)

    def open_orders(self, account: str | None = None, ledger: str | None = None) -> list[Order]:
        """Orders the venue works on, oldest first."""
        return [
            order
            for order in self._orders.values()
            if account in (None, order.request.account) and ledger in (None, order.request.ledger)
        ]

    # -- the market arrives -------------------------------------------------------------------------------------

    def waiting(self) -> Mapping[Instrument, int]:
        """Instruments with open orders or protected positions, and from when on they have not seen the market."""
        found: dict[Instrument, int] = {}
        for ledger in self._ledgers.values():
            for index in self._concerned(ledger):
                instrument = ledger.instruments[index]
                cursor = ledger.cursors.get(instrument.key, self._clock.now_ms())
                found[instrument] = min(cursor, found.get(instrument, cursor))
        return found

    async def on_market(self, bars: Mapping[Instrument, Bar]) -> None:
        """Matches every ledger against the bars; a price known only by its last trade is a bar without volume.

        An order never sees a bar that opened before it was placed, and no bar is seen twice.
        """
        async with self._turn:
            effects = _Effects()
            async with self._keeping(effects):
                for ledger in tuple(self._ledgers.values()):
                    self._step(ledger, bars, effects)
                if effects.ledgers:
                    await self._commit(effects)

    def _step(self, ledger: _Ledger, bars: Mapping[Instrument, Bar], effects: _Effects) -> None:
        present: dict[int, Bar] = {}
        for instrument, bar in bars.items():
            index = ledger.index(instrument)
            if index is not None and bar.time >= ledger.cursors.get(instrument.key, 0):
                present[index] = bar
        if not present:
            return
        before = set(ledger.simulated.open_refs())
        waited = bool(before) or any(index in present for index in self._concerned(ledger))
        effects.touched.add((ledger.account, ledger.name))
        fills = ledger.simulated.step(present)
        for index, bar in present.items():
            whole_bar = not math.isnan(bar.volume)  # ticks may come twice in a millisecond, bars come once
            ledger.cursors[ledger.instruments[index].key] = bar.time + whole_bar
        for fill in fills:
            self._book(ledger, fill, present[fill.index], effects)
        endings = dict(ledger.simulated.ended())
        for ref in before - set(ledger.simulated.open_refs()):
            self._end(ledger, ref, endings.get(ref), effects)
        for name in [name for name in ledger.exits if not ledger.simulated.position(int(name.partition(":")[0]))]:
            self._finish_exit(ledger, name, effects)
        now = self._clock.now_ms()
        whole = any(not math.isnan(bar.volume) for bar in present.values())
        if (
            fills
            or before != set(ledger.simulated.open_refs())
            or whole
            or (waited and now - ledger.saved >= SAVE_EVERY)
        ):
            effects.ledgers[ledger.account, ledger.name] = ledger

    def _book(self, ledger: _Ledger, happened: SimulatedFill, bar: Bar, effects: _Effects) -> None:
        """One fill of the simulation into the journal and its order."""
        instrument = ledger.instruments[happened.index]
        quantity, price = decimal_of(happened.quantity), decimal_of(happened.price)
        order_id = self._own(ledger, happened)
        if order_id is None:
            order_id = self._exit(ledger, happened, instrument, bar, effects)
        else:
            ledger.parents[happened.index] = order_id
        order = effects.orders.get(order_id) or self._orders[order_id]
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
        done = happened.remaining <= 0
        effects.orders[order_id] = replace(
            order,
            status=OrderStatus.FILLED if done else OrderStatus.PARTIAL,
            filled=filled,
            average_price=((order.average_price or ZERO) * order.filled + fill.notional) / filled,
            fees=order.fees + fill.fee,
            updated=self._clock.now(),
        )
        effects.entries.append(fill)

    def _own(self, ledger: _Ledger, happened: SimulatedFill) -> str | None:
        """The order that was filled; None for a protective exit, which carries the number of the entry."""
        order_id = ledger.refs.get(happened.ref)
        if happened.reason not in PROTECTIVE or order_id is None:
            return order_id
        request = self._orders[order_id].request
        stops = isinstance(request.type, Stop | StopLimit | TrailingStop) and request.side.sign == happened.side
        return order_id if stops else None

    def _exit(
        self, ledger: _Ledger, happened: SimulatedFill, instrument: Instrument, bar: Bar, effects: _Effects
    ) -> str:
        """The order of a protective exit; written down with its first fill, for until then it lives in its parent."""
        name = f"{happened.index}:{happened.reason}"
        known = effects.orders.get(ledger.exits.get(name, "")) or self._orders.get(ledger.exits.get(name, ""))
        quantity = decimal_of(happened.quantity)
        if known is not None:
            if known.filled + quantity <= (known.request.quantity or ZERO):
                return known.id
            self._finish_exit(ledger, name, effects)
        parent_id = ledger.parents.get(happened.index, ledger.name)
        price = decimal_of(happened.price)
        kind: OrderType = Limit(price) if happened.reason == "target" else Stop(price)
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
        told = {"stop": "The protective stop was reached.", "target": "The target was reached."}
        effects.orders[request.id] = Order(
            request, OrderStatus.OPEN, reason=told.get(happened.reason, "The trailing stop was reached.")
        )
        effects.fresh[request.id] = ZERO
        ledger.exits[name] = request.id
        return request.id

    def _finish_exit(self, ledger: _Ledger, name: str, effects: _Effects) -> None:
        """A protective exit with nothing left to do."""
        order_id = ledger.exits.pop(name)
        order = effects.orders.get(order_id) or self._orders.get(order_id)
        if order is not None and not order.status.final:
            effects.orders[order_id] = replace(order, status=OrderStatus.CANCELLED, updated=self._clock.now())

    def _end(self, ledger: _Ledger, ref: int, ending: str | None, effects: _Effects) -> None:
        """An order the simulation has finished with."""
        order_id = ledger.refs.pop(ref)
        order = effects.orders.get(order_id) or self._orders[order_id]
        if order.status is OrderStatus.FILLED:
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
        effects.orders[order_id] = replace(order, status=status, reason=reason, updated=self._clock.now())

    def _place(self, ledger: _Ledger, order: Order, effects: _Effects) -> None:
        index = ledger.adopt(order.request.instrument)
        ref = ledger.simulated.place(index, ticket_of(order.request))
        ledger.refs[ref] = order.id
        key = order.request.instrument.key
        ledger.cursors[key] = max(ledger.cursors.get(key, 0), self._clock.now_ms())
        effects.orders[order.id] = replace(order, status=OrderStatus.OPEN, updated=self._clock.now())

    def _cancel(self, ledger: _Ledger, order: Order, reason: str, effects: _Effects) -> bool:
        ref = ledger.ref(order.id)
        if ref is None or not ledger.simulated.cancel(ref):
            return False
        del ledger.refs[ref]
        effects.orders[order.id] = replace(
            order, status=OrderStatus.CANCELLED, reason=reason, updated=self._clock.now()
        )
        return True

    def _concerned(self, ledger: _Ledger) -> set[int]:
        """Indexes of the ledger's instruments for which the market may still do something."""
        keys = {self._orders[order].request.instrument.key for order in ledger.refs.values() if order in self._orders}
        concerned = {index for index, each in enumerate(ledger.instruments) if each.key in keys}
        for index in range(len(ledger.instruments)):
            if ledger.simulated.position(index) and (
                protected(ledger.simulated.protection(index))
                or any(name.startswith(f"{index}:") for name in ledger.exits)
            ):
                concerned.add(index)
        return concerned

    def _ledger(self, account: str, name: str) -> _Ledger:
        ledger = self._ledgers.get((account, name))
        if ledger is None:
            raise OrderRefused(f"The ledger '{name}' of account '{account}' is not open.", ledger=name, account=account)
        return ledger

    # -- one transaction ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _keeping(self, effects: _Effects) -> AsyncIterator[None]:
        """If what is inside fails, the touched ledgers go back to what the record holds."""
        present = set(self._ledgers)
        try:
            yield
        except BaseException:
            for key in effects.touched | set(effects.ledgers) | (set(self._ledgers) - present):
                kept = await asyncio.shield(self._store.ledger(*key))
                if kept is None:
                    self._ledgers.pop(key, None)
                else:
                    self._ledgers[key] = self._restored(kept)
            raise

    async def _commit(self, effects: _Effects, also: Also | None = None) -> None:
        async with self._store.unit() as unit:
            if also is not None:
                await also(unit)
            for order in tuple(effects.orders.values()):
                if order.id in effects.fresh:
                    effects.orders[order.id] = await unit.add_order(order, effects.fresh[order.id])
                else:
                    await unit.save_order(order)
            for entry in effects.entries:
                await unit.record(entry)
            for ledger in effects.ledgers.values():
                await unit.save_ledger(ledger.kept())
            for entry in effects.entries:
                if isinstance(entry, Fill):
                    number = effects.orders[entry.order].number
                    unit.emit(FillRecorded(f"fill:{entry.id}", entry.account, entry.time, entry, number))
            for order in effects.orders.values():
                unit.emit(order_changed(order, self._clock))
        now = self._clock.now_ms()
        for ledger in effects.ledgers.values():
            ledger.saved = now
        for order in effects.orders.values():
            if order.status.final:
                self._orders.pop(order.id, None)
            else:
                self._orders[order.id] = order
        change = Change(tuple(effects.orders.values()), tuple(effects.entries), dict(effects.fresh))
        for listener in self._listeners:
            listener(change)
        for entry in effects.entries:
            if isinstance(entry, Fill):
                for account, queue in self._streams:
                    if account == entry.account:
                        queue.put_nowait(entry)

    # -- what accounts ask --------------------------------------------------------------------------------------

    async def find(self, order_id: str) -> Order | None:
        """The venue's own knowledge of the order; None when it surely never had it."""
        working = self._orders.get(order_id)
        if working is not None:
            return working
        order = await self._store.order(order_id)
        return order if order is not None and order.status.final else None

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        """The fills of the order, oldest first."""
        return await self._store.fills_of(order_id)

    def cash(self, account: str, ledger: str) -> Decimal:
        """Cash of the simulated ledger. Raises NotFound."""
        return decimal_of(self._simulated(account, ledger).cash)

    def balances(self, account: str) -> dict[str, Decimal]:
        """What the simulation holds for the account, over all its ledgers, by asset."""
        found: dict[str, Decimal] = {}
        for ledger in self._ledgers.values():
            if ledger.account != account:
                continue
            quote = ledger.instruments[0].quote if ledger.instruments else "USDT"
            found[quote] = found.get(quote, ZERO) + decimal_of(ledger.simulated.cash)
            for index, instrument in enumerate(ledger.instruments):
                held = decimal_of(ledger.simulated.position(index))
                found[instrument.base] = found.get(instrument.base, ZERO) + held
        return found

    def _simulated(self, account: str, ledger: str) -> SimulatedAccount:
        found = self._ledgers.get((account, ledger))
        if found is None:
            raise NotFound(f"The ledger '{ledger}' of account '{account}' is not open.")
        return found.simulated

    async def stream(self, account: str) -> AsyncIterator[Fill]:
        """The account's fills as they happen."""
        queue: asyncio.Queue[Fill] = asyncio.Queue()
        item = (account, queue)
        self._streams.append(item)
        try:
            while True:
                yield await queue.get()
        finally:
            self._streams.remove(item)


class PaperExchange:
    """The paper venue as one account trades at it."""

    capabilities = Capabilities(
        order_types=frozenset({"Market", "Limit", "Stop", "StopLimit", "TrailingStop", "Bracket"}),
        paper=True,
        receive_window=0.0,
    )

    def __init__(self, venue: PaperVenue, account: str) -> None:
        self._venue = venue
        self._account = account

    async def place(self, request: OrderRequest) -> Acknowledgement:
        """Takes the order durably; it fills from the next price on. Raises OrderRefused."""
        if request.account != self._account:
            raise OrderRefused(f"An order of account '{request.account}' cannot be placed by '{self._account}'.")
        order = await self._venue.place(request)
        return Acknowledgement(order.id)

    async def cancel(self, order_id: str) -> bool:
        return await self._venue.cancel(order_id)

    async def find(self, order_id: str) -> Order | None:
        order = await self._venue.find(order_id)
        return order if order is not None and order.request.account == self._account else None

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        return [fill for fill in await self._venue.fills_of(order_id) if fill.account == self._account]

    async def open_orders(self) -> Sequence[Order]:
        return self._venue.open_orders(self._account)

    async def balances(self) -> dict[str, Decimal]:
        return self._venue.balances(self._account)

    async def costs(self, instrument: Instrument) -> Costs:
        return self._venue.costs

    def fills(self) -> AsyncIterator[Fill]:
        return self._venue.stream(self._account)


def protected(row: SignalRow) -> bool:
    """Whether any protective price is set."""
    return not (math.isnan(row.stop) and math.isnan(row.target) and math.isnan(row.trail))


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
