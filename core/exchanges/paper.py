"""The paper venue: orders matched by the fill model, every effect of a step in one transaction.

One `SimulatedAccount` per ledger is the venue's state. After each step its fills, the orders they change, the state
itself and the events are committed together; a process that is killed goes on from exactly there. If the commit
fails, the memory goes back to what the record holds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal

from core.clock import Clock, to_ms
from core.errors import NotFound, OrderRefused
from core.events import Bar, FillRecorded
from core.exchanges.ledgers import Effects, Ledger, cancel, concerned, opened, place, restored, step
from core.exchanges.record import Also, Change, LedgerState, PaperStore, order_changed
from core.market.instrument import Instrument
from core.money import ZERO, decimal_of
from core.simulation.account import Decision, SignalRow, SimulatedAccount, SimulatedFill
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Capabilities, Look, demand_last
from core.trading.orders import Order, OrderRequest
from core.trading.portfolio import Fill, Transfer
from core.trading.tickets import Ticket

RECENT_FILLS = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What one decision wants of one ledger, carried out whole or not at all."""

    account: str
    ledger: str
    cancel: tuple[str, ...] = ()  # order ids
    place: tuple[OrderRequest, ...] = ()
    protect: tuple[tuple[Instrument, SignalRow], ...] = ()
    unprotect: tuple[Instrument, ...] = ()  # before `protect`, which leaves what it does not name
    tickets: Mapping[str, Ticket] = field(default_factory=dict)  # by order id: what an order stands for, exactly
    decided: bool = False  # a strategy has seen the ledger's fills so far


class PaperVenue:
    """The paper exchange of all accounts. `account(id)` is what one account trades at.

    costs: fees and fill assumptions of every ledger
    """

    def __init__(self, store: PaperStore, clock: Clock, costs: Costs | None = None) -> None:
        self._store = store
        self._clock = clock
        self.costs = costs or Costs()
        self._ledgers: dict[tuple[str, str], Ledger] = {}
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
            effects = self._effects(*self._ledgers.values())
            if self._ledgers:
                await self._commit(effects)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls the listener after each commit, before anybody else can act."""
        self._listeners.append(listener)

    def account(self, account: str) -> "PaperExchange":
        """The venue as one account sees it."""
        return PaperExchange(self, account)

    def _restored(self, kept: LedgerState) -> Ledger:
        return restored(kept, self.costs, self._clock.now_ms())

    def _effects(self, *ledgers: Ledger) -> Effects:
        """An empty transaction that will keep these ledgers."""
        now = self._clock.now()
        return Effects(self._orders, now, ledgers={(each.account, each.name): each for each in ledgers})

    # -- money in and out ---------------------------------------------------------------------------------------

    async def transfer(
        self, transfers: Iterable[Transfer], also: Also | None = None, adopt: Instrument | None = None
    ) -> None:
        """Moves cash into and out of ledgers (opened where needed); `also` writes in the same transaction.

        adopt: an instrument that the paid-in ledgers follow from now on, before their first order
        """
        async with self._turn:
            effects = self._effects()
            async with self._keeping(effects):
                for transfer in transfers:
                    key = (transfer.account, transfer.ledger)
                    ledger = self._ledgers.get(key)
                    if ledger is None:
                        ledger = self._ledgers[key] = opened(*key, ZERO, self.costs, self._clock.now_ms())
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
            fresh = opened(account, deposit.ledger, deposit.amount, self.costs, self._clock.now_ms())
            gone = {key for key in self._ledgers if key[0] == account}
            effects = self._effects(fresh)
            effects.entries.append(deposit)
            await self._commit(effects, also)
            for key in gone:
                self._ledgers.pop(key, None)
            self._ledgers[account, deposit.ledger] = fresh
            self._orders = {key: each for key, each in self._orders.items() if each.request.account != account}

    # -- orders -------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest, last: Look | None = None) -> Order:
        """Takes the order: from here on it is the venue's, also after a crash. Raises OrderRefused.

        last: taken when it is the order's turn
        """
        async with self._turn:
            known = await self._store.order(request.id)
            if known is not None and (known.status.final or request.id in self._orders):
                raise OrderRefused(f"Order {request.id} was placed before.", order=request.id)
            demand_last(last)
            effects = self._effects()
            async with self._keeping(effects):
                ledger = self._ledger(request.account, request.ledger)
                effects.ledgers[request.account, request.ledger] = ledger
                order = known or Order(request)
                if known is None:
                    effects.fresh[order.id] = ZERO
                place(ledger, order, effects)
                await self._commit(effects)
            return self._orders[request.id]

    async def cancel(self, order_id: str, reason: str = "Cancelled on request.") -> bool:
        """True when it was open and is cancelled; False when there was nothing left to cancel."""
        async with self._turn:
            order = self._orders.get(order_id)
            if order is None:
                return False
            ledger = self._ledger(order.request.account, order.request.ledger)
            effects = self._effects(ledger)
            async with self._keeping(effects):
                if not cancel(ledger, order, reason, effects):
                    return False
                await self._commit(effects)
            return True

    async def carry_out(
        self, batch: Batch, also: Also | None = None, reserved: Mapping[str, Decimal] | None = None
    ) -> list[Order]:
        """Cancels, protects and places what one decision asked for, in one transaction with what `also` writes."""
        async with self._turn:
            ledger = self._ledger(batch.account, batch.ledger)
            effects = self._effects(ledger)
            async with self._keeping(effects):
                for order_id in batch.cancel:
                    if order_id in self._orders:
                        cancel(ledger, self._orders[order_id], "Replaced by a newer decision.", effects)
                for instrument in batch.unprotect:
                    ledger.simulated.unprotect(ledger.adopt(instrument))
                for instrument, protection in batch.protect:
                    ledger.simulated.protect(ledger.adopt(instrument), protection)
                for request in batch.place:
                    effects.fresh[request.id] = (reserved or {}).get(request.id, ZERO)
                    place(ledger, Order(request), effects, batch.tickets.get(request.id))
                if batch.decided:
                    ledger.recent = []
                await self._commit(effects, also)
            return [effects.orders[request.id] for request in batch.place]

    async def decide(self, account: str, ledger_name: str, instrument: Instrument, row: SignalRow) -> Decision:
        """What the signals decided at the last close ask of the ledger; nothing is done yet."""
        async with self._turn:
            ledger = self._ledger(account, ledger_name)
            return ledger.simulated.decide(ledger.adopt(instrument), row)

    async def copy(
        self, account: str, ledger_name: str, instrument: Instrument
    ) -> tuple[SimulatedAccount, int, list[SimulatedFill]]:
        """The ledger's simulation to look at, the instrument's index in it, and the fills since the last decision."""
        async with self._turn:
            ledger = self._ledger(account, ledger_name)
            index = ledger.adopt(instrument)
            return deepcopy(ledger.simulated), index, list(ledger.recent)

    def reference(self, account: str, ledger: str, order_id: str) -> int | None:
        """The simulation's number of an open order."""
        found = self._ledgers.get((account, ledger))
        return None if found is None else found.ref(order_id)

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
            for index in concerned(ledger, self._orders):
                instrument = ledger.instruments[index]
                cursor = ledger.cursors.get(instrument.key, self._clock.now_ms())
                found[instrument] = min(cursor, found.get(instrument, cursor))
        return found

    async def on_market(self, bars: Mapping[Instrument, Bar]) -> None:
        """Matches every ledger against the bars; a price known only by its last trade is a bar without volume.

        An order never sees a bar that opened before it was placed, and no bar is seen twice.
        """
        async with self._turn:
            effects = self._effects()
            async with self._keeping(effects):
                for ledger in tuple(self._ledgers.values()):
                    step(ledger, bars, effects)
                if effects.ledgers:
                    await self._commit(effects)

    def _ledger(self, account: str, name: str) -> Ledger:
        ledger = self._ledgers.get((account, name))
        if ledger is None:
            raise OrderRefused(f"The ledger '{name}' of account '{account}' is not open.", ledger=name, account=account)
        return ledger

    # -- one transaction ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _keeping(self, effects: Effects) -> AsyncIterator[None]:
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

    async def _commit(self, effects: Effects, also: Also | None = None) -> None:
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

    async def recent_fills(self, account: str, since: int) -> Sequence[Fill]:
        """The account's fills since then (UTC ms), oldest first."""
        found = await self._store.fills(account, limit=RECENT_FILLS)
        return [fill for fill in reversed(found) if to_ms(fill.time) >= since]

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

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        """Takes the order durably; it fills from the next price on. Raises OrderRefused."""
        if request.account != self._account:
            raise OrderRefused(f"An order of account '{request.account}' cannot be placed by '{self._account}'.")
        order = await self._venue.place(request, last)
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

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        """Every fill of the account since then (UTC ms), oldest first."""
        return await self._venue.recent_fills(self._account, since)

    async def balances(self) -> dict[str, Decimal]:
        return self._venue.balances(self._account)

    async def costs(self, instrument: Instrument) -> Costs:
        return self._venue.costs

    def fills(self) -> AsyncIterator[Fill]:
        return self._venue.stream(self._account)
