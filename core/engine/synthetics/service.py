"""Synthetics: the async edge of the machines. It feeds them, writes down what they decide, and carries it out.

What a step decides is written down in one transaction (the state with its children, the parent order, what is told)
before any of it is done. A child's id follows from its number, and numbers are never used twice: doing it again after a
crash is the same order. Every order has an inbox and one worker, so that its happenings are taken in one by one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog

from core.bus import Bus
from core.clock import Clock, to_ms
from core.engine.book import Book
from core.engine.execution import Execution
from core.engine.feed import Feed
from core.engine.ports import Document, TradingStore
from core.engine.synthetics import machines
from core.engine.synthetics.machines import State
from core.engine.synthetics.turn import ASKED
from core.engine.synthetics.values import (
    Action,
    Cancel,
    Cancelled,
    Changed,
    Finish,
    Happening,
    Place,
    Priced,
    Restarted,
    Tell,
    Ticked,
)  # fmt: skip
from core.engine.synthetics.volumes import usual_volumes
from core.errors import AppError, Conflict, Unavailable
from core.events import AccountNotice, QuoteChanged
from core.jobs import end_task
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.exchange import Exchange, Quote
from core.trading.orders import Grid, Limit, Market, Order, OrderRequest, OrderStatus, Vwap

KIND = "composite"  # of the documents in which the states are kept
BEAT = 1.0  # seconds between two ticks
AGAIN = 2_000  # ms after which what could not be done is tried again
PATIENCE = 3.0  # seconds at the end for what is under way
FRESH = 15.0  # seconds; an older price begins nothing
NEWEST = 500  # orders of an account at most that are looked at, at the start, for fills that came after the end
NEVER_SENT = "It was never sent."
OVERTAKEN = timedelta(hours=1)  # how long before its parent's end a child's last fill may have been recorded unheard
PASSING_KINDS = frozenset({"rate", "banned", "maintenance", "network", "timeout", "clock", "nonce"})
PASSING = (Conflict, Unavailable, OSError, TimeoutError)  # nothing was sent, and later it may be
FAILURES = (AppError, OSError, TimeoutError)


@dataclass(slots=True)
class Running:
    """An order at work. undone: by child, what could not be carried out yet, and from when on it is tried again."""

    order: Order
    state: State
    inbox: deque[Happening] = field(default_factory=deque)
    undone: dict[int, tuple[Place | Cancel, int]] = field(default_factory=dict)
    worker: asyncio.Task[None] | None = None


class Synthetics:
    """Works the order types that a venue has not, by child orders through `Execution.submit`."""

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        execution: Execution,
        exchange_for: Callable[[str], Exchange],
        feed: Feed,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._store, self._book, self._execution, self._exchange_for = store, book, execution, exchange_for
        self._feed, self._clock = feed, clock
        self._running: dict[str, Running] = {}
        self._cancelled: set[str] = set()  # orders that end without having begun
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._late: set[asyncio.Task[None]] = set()
        self._placing: set[str] = set()  # children on their way: what becomes of them is told by who places them
        self._log = structlog.get_logger("synthetics")
        execution.listen(self.on_order)
        bus.subscribe(QuoteChanged, self.on_quote)
        feed.watch_for(self.watched)

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """From now on time passes for the orders at work."""
        self._task = asyncio.create_task(self._beat(), name="synthetics")

    async def stop(self) -> None:
        """Stands still; what was decided and not done yet is done after the next start."""
        self._stopping = True
        await end_task(self._task)
        self._task = None
        tasks = [running.worker for running in self._running.values() if running.worker is not None]
        if tasks := [task for task in (*tasks, *self._late) if not task.done()]:
            await asyncio.wait(tasks, timeout=PATIENCE)  # an order on its way hears its answer
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def load(self) -> None:
        """Takes up again what the record calls open, also what was recorded and never begun.

        Every child is looked up before anything is placed.
        """
        known: set[str] = set()
        for document in await self._store.documents(KIND, open_only=True):
            known.add(document.id)
            order = self._book.order(document.id) or await self._store.order(document.id)
            state = machines.read(document.value)
            if order is None or (order.status.final and not state.work.reopened):  # ended by a reset of the account
                await self._close(document)
                continue
            if document.id in self._running:
                continue
            running = self._running[order.id] = Running(order, state)
            for child in running.state.work.children:
                found = await self._store.order(child_id(order.id, child.n))
                if found is not None:
                    running.inbox.append(changed(found))
            running.inbox.append(Restarted(self._clock.now_ms()))
            self._wake(running)
        for order in self._book.open_orders():
            if order.id not in known and order.status is OrderStatus.OPEN and self.owns(order):
                try:
                    await self.begin(order)
                except FAILURES as failed:  # without a price, or its venue: the next start tries again
                    self._log.warning("not begun", order=order.id, exc_info=failed)
        for account in self._book.accounts():
            for late in await self._late_children(account):
                await self._hear_late(late)

    async def _late_children(self, account: str) -> list[Order]:
        """Children recorded about when their parent ended, or later: what they filled may be unanswered."""
        found, parents = [], dict[str, Order | None]()
        for child in await self._store.orders(account, limit=NEWEST):
            parent = child.request.parent
            if parent is None or not child.status.final or not child.filled:
                continue
            if parent not in parents:
                parents[parent] = await self._store.order(parent)
            order = parents[parent]
            if order is None or not order.status.final or order.updated is None or child.updated is None:
                continue
            if child.updated >= order.updated - OVERTAKEN:
                found.append(child)
        return found

    async def begin(self, order: Order) -> None:
        """Takes up an order that was just recorded as open, and waits for its first acts."""
        if order.id in self._running:
            return
        request = await self._sized(order.request)
        volumes: Sequence[Decimal] = ()
        if isinstance(request.type, Vwap):
            volumes = await usual_volumes(self._feed, self._clock, request.instrument, request.type)
        native = self._exchange_for(request.account).capabilities.order_types
        state = machines.begin(request, tuple(native), volumes)
        if order.id in self._running:  # somebody else was faster meanwhile
            return
        running = Running(order, state)
        async with self._store.unit() as unit:
            await unit.save_document(self._document(running.order, state))
        if order.id in self._running:
            return
        if order.id in self._cancelled or self._book.order(order.id) is None:  # it ended before it began
            async with self._store.unit() as unit:
                await unit.save_document(replace(self._document(running.order, state), open=False))
            return
        self._running[order.id] = running
        running.inbox.append(Ticked(self._clock.now_ms()))
        quote, age = self._feed.known(request.instrument), self._feed.age(request.instrument)
        if quote is not None and age is not None and age <= FRESH:
            running.inbox.append(self._priced(quote))
        self._wake(running)
        await self._idle(running)

    async def cancel(self, order: Order) -> None:
        """Ends the order: its children are cancelled first, what they filled counts. Waits for what can be done now."""
        running = self._running.get(order.id)
        if running is None:
            now = self._book.order(order.id)  # the caller's may be of a time before it ended by itself
            if now is not None:
                self._cancelled.add(order.id)  # at once: whoever is just beginning it must see that
                try:
                    await self._execution.settle(
                        replace(now, status=OrderStatus.CANCELLED, reason="Cancelled on request.")
                    )
                finally:
                    self._cancelled.discard(order.id)
            return
        running.inbox.append(Cancelled())
        self._wake(running)
        await self._idle(running)

    # -- looking ------------------------------------------------------------------------------------------------

    def owns(self, order: Order) -> bool:
        """Whether it works this order."""
        if order.id in self._running:
            return True
        request = order.request
        if request.parent is not None or isinstance(request.type, Market | Limit):
            return False
        capabilities = self._exchange_for(request.account).capabilities
        # An account without keys has no venue to ask: what rests there natively is not to be taken for ours.
        return bool(capabilities.order_types) and not capabilities.works(request.type)

    def state(self, order_id: str) -> State | None:
        """What the machine of an order at work remembers."""
        running = self._running.get(order_id)
        return None if running is None else running.state

    def watched(self) -> list[Instrument]:
        """Instruments of orders at work: their prices are kept fresh."""
        return [running.order.request.instrument for running in self._running.values()]

    async def settled(self) -> None:
        """Returns when every order has taken in what has happened so far."""

        def at_work() -> list[asyncio.Task[None]]:
            workers = [each.worker for each in self._running.values() if each.worker and not each.worker.done()]
            return [*workers, *self._late]

        while tasks := at_work():
            await asyncio.wait(tasks)

    # -- what happens -------------------------------------------------------------------------------------------

    async def on_quote(self, event: QuoteChanged) -> None:
        """A price: noted for every order of the instrument."""
        for running in tuple(self._running.values()):
            if running.order.request.instrument == event.quote.instrument:
                running.inbox.append(self._priced(event.quote))
                self._wake(running)

    def on_order(self, before: Order | None, after: Order) -> None:
        """A child changed: noted. It is called while others wait, so no more than that is done here."""
        running = self._running.get(after.request.parent or "")
        if after.id in self._placing and after.status is OrderStatus.REJECTED:
            return
        if running is not None:
            running.inbox.append(changed(after))
            self._wake(running)
        elif after.request.parent is not None and after.status.final and after.filled and not self._stopping:
            self._expect_late(after)

    def _expect_late(self, child: Order | str) -> None:
        task = asyncio.get_running_loop().create_task(self._hear_late(child), name="late fill")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _hear_late(self, child: Order | str) -> None:
        """A child (or its id) that filled after its parent had ended: the parent goes on, to trade back too much."""
        while not self._stopping:
            try:
                found = await self._store.order(child) if isinstance(child, str) else child
                if found is not None:
                    await self._reopen(found)
                return
            except FAILURES as failed:
                name = child if isinstance(child, str) else child.id
                self._log.warning("a late fill waits", order=name, exc_info=failed)
            await self._clock.sleep(AGAIN / 1000)

    async def _reopen(self, child: Order) -> None:
        parent = child.request.parent or ""
        document, order = await self._store.document(KIND, parent), await self._store.order(parent)
        if parent in self._running:  # it goes on already
            self._running[parent].inbox.append(changed(child))
            self._wake(self._running[parent])
        if document is None or order is None or parent in self._running:
            return
        state = machines.reopened(machines.read(document.value), changed(child))
        if state is not None:
            running = self._running[parent] = Running(order, state)
            running.inbox.extend((changed(child), Ticked(self._clock.now_ms())))
            self._wake(running)

    async def tick(self) -> None:
        """Lets every order know that time has passed."""
        now = self._clock.now_ms()
        for running in tuple(self._running.values()):
            running.inbox.append(Ticked(now))
            self._wake(running)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(BEAT)
            await self.tick()

    def _priced(self, quote: Quote) -> Priced:
        # A venue's clock may differ from ours, by which the orders' own time goes.
        return Priced(max(to_ms(quote.time), self._clock.now_ms()), quote.bid, quote.ask, quote.last)

    # -- one order at a time --------------------------------------------------------------------------------------

    def _wake(self, running: Running) -> None:
        if self._stopping or (running.worker is not None and not running.worker.done()):
            return
        try:
            running.worker = asyncio.get_running_loop().create_task(self._work(running), name="composite order")
        except RuntimeError:  # told outside of a loop, at its end: the next start looks
            return

    async def _idle(self, running: Running) -> None:
        while running.worker is not None and not running.worker.done():
            await asyncio.wait([running.worker])

    async def _work(self, running: Running) -> None:
        while running.inbox and running.order.id in self._running and not self._stopping:
            happening = running.inbox[0]
            try:
                if not await self._over(running):
                    await self._take(running, happening)
            except FAILURES as failed:  # not written down, so it did not happen yet
                self._log.warning("a step was not kept", order=running.order.id, exc_info=failed)
                await self._clock.sleep(AGAIN / 1000)

    async def _over(self, running: Running) -> bool:
        """Whether the order was ended from elsewhere (the account was reset): then it is left alone."""
        order_id = running.order.id
        if self._book.order(order_id) is not None or running.state.work.reopened:
            return False
        order, document = await self._store.order(order_id), await self._store.document(KIND, order_id)
        if order is None or not order.status.final:
            return False
        if document is not None:
            await self._close(document)
        self._running.pop(order_id, None)
        return True

    async def _close(self, document: Document) -> None:
        async with self._store.unit() as unit:
            await unit.save_document(replace(document, open=False))

    async def _take(self, running: Running, happening: Happening) -> None:
        if isinstance(happening, Changed) and happening.filled:
            happening = await self._whole(running, happening)
        state, actions = machines.step(running.state, happening)
        if actions or machines.material(running.state, state):
            running.order = await self._keep(running.order, state, actions)
        running.state = state
        running.inbox.popleft()
        for action in actions:
            if isinstance(action, Place | Cancel):
                await self._carry_out(running, action)
        now = self._clock.now_ms()
        for action, due in tuple(running.undone.values()):
            if now >= due:
                await self._carry_out(running, action)
        if state.work.finished:
            self._running.pop(running.order.id, None)
            for unheard in running.inbox:  # two late fills at once: the first ended it, and the second counts, too
                if isinstance(unheard, Changed) and unheard.filled and not self._stopping:
                    self._expect_late(child_id(running.order.id, unheard.n))

    async def _whole(self, running: Running, told: Changed) -> Changed:
        """What is told of a child, with what its venue kept of the coins as its fee; on paper fees are in quote."""
        request = running.order.request
        if self._exchange_for(request.account).capabilities.paper:
            return told
        fills = await self._store.fills_of(child_id(request.id, told.n))
        base = request.instrument.base
        return replace(told, charged=sum((fill.fee_amount for fill in fills if fill.fee_asset == base), ZERO))

    async def _keep(self, order: Order, state: State, actions: Sequence[Action]) -> Order:
        """Writes down a step, whole: the state, where the parent stands, and what its owner is told."""
        after = standing(order, state, actions)

        async def also(unit: Any) -> None:
            await unit.save_document(self._document(after, state))
            for name, text in notices(after, actions):
                unit.emit(AccountNotice(name, after.request.account, self._clock.now(), text))

        if after != order:
            return await self._execution.settle(after, also=also)
        async with self._store.unit() as unit:
            await also(unit)
        return order

    def _document(self, order: Order, state: State) -> Document:
        value = machines.written(state)
        return Document(KIND, order.id, order.request.account, value, open=not state.work.finished)

    # -- carrying out ---------------------------------------------------------------------------------------------

    async def _carry_out(self, running: Running, action: Place | Cancel) -> None:
        number = action.child.n if isinstance(action, Place) else action.n
        try:
            if isinstance(action, Place):
                await self._place(running, action)
            else:
                await self._cancel(running, action)
        except FAILURES as failed:  # the record does not answer: the same act again finds what became of it
            self._log.warning("not carried out yet", order=running.order.id, exc_info=failed)
            running.undone[number] = (action, self._clock.now_ms() + AGAIN)

    async def _place(self, running: Running, action: Place) -> None:
        parent, child = running.order.request, action.child
        request = OrderRequest(
            child_id(parent.id, child.n),
            parent.account,
            parent.instrument,
            child.side,
            child.type,
            quantity=None if child.spend is not None else child.quantity,
            spend=child.spend,
            ledger=parent.ledger,
            reduce_only=action.reduce_only,
            created=self._clock.now(),
            parent=parent.id,
        )
        running.undone.pop(child.n, None)
        passing = False
        self._placing.add(request.id)
        try:
            order: Order | None = await self._execution.submit(request, lambda: ZERO)
            reason = None
        except FAILURES as failed:
            passing = passes(failed)
            order = await self._store.order(request.id)
            reason = failed.message if isinstance(failed, AppError) else type(failed).__name__
            if order is None and isinstance(failed, PASSING):
                self._log.warning("not placed yet", order=request.id, reason=reason)
                running.undone[child.n] = (action, self._clock.now_ms() + AGAIN)
                return
        finally:
            self._placing.discard(request.id)
        told = Changed(child.n, OrderStatus.REJECTED, reason=reason) if order is None else changed(order)
        running.inbox.append(replace(told, passing=passing and told.status is OrderStatus.REJECTED))

    async def _cancel(self, running: Running, action: Cancel) -> None:
        running.undone.pop(action.n, None)  # also a placing that never went out
        order_id = child_id(running.order.id, action.n)
        order = self._book.order(order_id) or await self._store.order(order_id)
        if order is None:
            running.inbox.append(Changed(action.n, OrderStatus.CANCELLED, reason=NEVER_SENT))
            return
        if not order.status.final:
            try:
                order = await self._execution.cancel(order)
            except FAILURES as failed:
                self._log.warning("not cancelled yet", order=order_id, exc_info=failed)
        if not order.status.final:
            running.undone[action.n] = (action, self._clock.now_ms() + AGAIN)
        running.inbox.append(changed(order))

    async def _sized(self, request: OrderRequest) -> OrderRequest:
        """The request with a quantity, where money was to be spent; a market entry spends it at its own fill."""
        if request.quantity is not None or request.estimate > 0:
            return request
        quote = await self._feed.quote(request.instrument)
        return replace(request, estimate=request.instrument.quantity((request.spend or ZERO) / quote.ask))


def passes(failed: BaseException) -> bool:
    """Whether what kept an order from being taken goes away by itself."""
    return isinstance(failed, PASSING) or (isinstance(failed, AppError) and failed.details.get("kind") in PASSING_KINDS)


def child_id(parent: str, number: int) -> str:
    """The id of a child: it follows from its parent's and its number."""
    return f"{parent}.{number}"


def changed(child: Order) -> Changed:
    """Where a child order stands, as a happening."""
    number = int(child.id.rpartition(".")[2])
    return Changed(number, child.status, child.filled, child.average_price, child.fees, child.reason)


def standing(order: Order, state: State, actions: Sequence[Action]) -> Order:
    """The parent as its children leave it."""
    work = state.work
    filled = max(ZERO, work.held if isinstance(order.request.type, Grid) else work.filled)
    status = OrderStatus.PARTIAL if ZERO < filled < work.quantity else OrderStatus.OPEN
    reason = order.reason
    if order.status.final:  # reopened: what it was stands, but for what it filled
        status = order.status
    for action in actions:
        if isinstance(action, Finish) and not order.status.final:
            status, reason = action.status, action.reason
    return replace(order, status=status, filled=filled, average_price=work.average_price, fees=work.fees, reason=reason)


def notices(order: Order, actions: Sequence[Action]) -> list[tuple[str, str]]:
    """(id, text) of what the owner is told; the same thing has the same id."""
    found = []
    for action in actions:
        if isinstance(action, Tell):
            found.append((f"composite:{order.id}:{action.n}", f"Order #{order.number}: {action.text}"))
        elif isinstance(action, Finish) and action.reason and action.reason != ASKED:
            ended = action.status.value.replace("_", " ")
            found.append((f"composite:{order.id}:end", f"Order #{order.number} has ended ({ended}): {action.reason}"))
    return found
