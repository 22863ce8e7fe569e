"""Execution: an order is written down before it is sent, sent once, and looked up when its outcome is not known.

That a venue does not know an order proves nothing before its receive window is past: the order may still arrive. Until
then, and while the venue cannot be asked, the order is UNKNOWN: its reservation stands, its instrument is held.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import structlog

from core.clock import Clock
from core.engine.book import Book, Listener
from core.engine.lease import Lease
from core.engine.outcomes import FAILURES, LOST, UNSURE, Outcomes, notice_of
from core.engine.ports import Document, Synthetics, TradingStore
from core.errors import AppError, Conflict, Forbidden, InvalidInput, OrderRefused, Unavailable
from core.events import AccountNotice
from core.exchanges.record import Also, Change, order_changed
from core.jobs import end_task
from core.money import ZERO, plain
from core.trading.exchange import Exchange
from core.trading.orders import Market, Order, OrderRequest, OrderStatus, TimeInForce
from core.trading.portfolio import Fill

LOOKUPS = 5  # how often an unknown outcome is looked up at once, at least
LOOKUP_WAIT = 1.0  # seconds, doubled each time
LOOKUP_EVERY = 30.0  # seconds between two looks at what is still unknown after that
CANCEL_WAIT = 0.25  # seconds, doubled each time, until a cancelled order shows as such
UNSENT = "It was not sent before the restart."
INTERRUPTED = "The process ended while it was being sent."
ASKED = "Cancelled on request."
REPLACED = "Replaced by another order."
HOLDING = (OrderStatus.SENDING, OrderStatus.UNKNOWN)
UNWANTED = "unwanted"  # kind of document: orders to cancel as soon as their venue knows them
SURELY_NOT = (OrderRefused, InvalidInput, Unavailable, Forbidden)  # raised by `place` only when nothing arrived


class Execution:
    """The one place from which orders reach an exchange.

    exchange_for: the exchange at which an account trades; lease: checked when the order leaves
    gate: raises what speaks against a request now, whoever made it; asked before it is recorded and when it leaves
    synthetics: works the order types that an exchange has not natively
    """

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        exchange_for: Callable[[str], Exchange],
        clock: Clock,
        lease: Lease | None = None,
        gate: Callable[[OrderRequest], None] | None = None,
    ) -> None:
        self._store = store
        self._book = book
        self._exchange_for = exchange_for
        self._clock = clock
        self._lease = lease
        self._gate = gate
        self.synthetics: Synthetics | None = None
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._outcomes = Outcomes(store, book, exchange_for, clock)
        self._unwanted: set[str] = set()  # orders to cancel as soon as the venue knows them
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("execution")

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """From now on looks up what is unknown, every now and then."""
        self._task = asyncio.create_task(self._watch(), name="execution")

    async def stop(self) -> None:
        """Ends the looking up; what is unknown stays so until the next start."""
        await end_task(self._task)
        self._task = None

    def listen(self, listener: Listener) -> None:
        """Calls `listener(before, after)` after each change of an order, on paper or live (see `Book.listen`)."""
        self._book.listen(listener)

    async def _watch(self) -> None:
        while True:
            unsure = [order for order in self._book.open_orders() if order.status is OrderStatus.UNKNOWN]
            left = [seconds for order in unsure if (seconds := self._outcomes.window_left(order)) > 0]
            await self._clock.sleep(min([LOOKUP_EVERY, *(seconds + LOOKUP_WAIT for seconds in left)]))
            try:
                await self.reconcile()
            except FAILURES as failed:
                self._log.warning("not reconciled", exc_info=failed)

    @contextlib.asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[None]:
        """With the account's orders standing still: nobody sends, cancels or takes in meanwhile."""
        async with self._locks[account]:
            yield

    def natives(self, account: str) -> frozenset[str]:
        """The order types that the account's exchange works itself."""
        return self._exchange_for(account).capabilities.order_types

    def works(self, request: OrderRequest) -> bool:
        """Whether the account's exchange takes the order as it is, so that nothing of it lives in this process."""
        return self._exchange_for(request.account).capabilities.works(request.type)

    # -- orders -------------------------------------------------------------------------------------------------

    async def submit(
        self,
        request: OrderRequest,
        demand: Callable[[], Decimal],
        *,
        also: Also | None = None,
        last: Callable[[], None] | None = None,
    ) -> Order:
        """Records the order with its reservation, then sends it once. The same id again gives the same order.

        demand: called with the account's orders standing still; raises what speaks against the order, returns what it
        reserves (quote of a buy, base of a sell); a child reserves nothing, its parent has
        also: writes in the transaction that records the order; last: asked once more just before it leaves
        Raises OrderRefused when the venue surely did not take it; the order is then REJECTED.
        """
        async with self._locks[request.account]:
            known = await self._store.order(request.id)
            if known is not None:
                return known
            self._demand_known(request)
            composite = self._is_composite(request)
            if self._gate is not None:
                self._gate(request)
            status = OrderStatus.OPEN if composite else OrderStatus.RECORDED
            async with self._book.reserving(request.account):  # of all the person's accounts one at a time
                reserved = demand()
                order = await self._record(request, ZERO if request.parent else reserved, status, also)
            if not composite:
                order = await self._send(order, last)
        if composite:
            return await self._begin(order)
        return await self._pursue(order) if order.status is OrderStatus.UNKNOWN else order

    async def replace(
        self,
        order: Order,
        request: OrderRequest,
        demand: Callable[[], Decimal] | None = None,
        *,
        also: Also | None = None,
        last: Callable[[], None] | None = None,
    ) -> Order:
        """Cancels the order and sends the request in its place; the same id again gives the same order.

        request.quantity is what is wanted in all: what the old order has filled by then counts, and only the rest is
        sent. demand: as in `submit` (what the new order reserves); what the old one binds by default
        When the old one filled meanwhile, or cannot be cancelled for sure, nothing is sent and the new one is REJECTED.
        """
        if request.replaces != order.id or request.account != order.request.account:
            raise InvalidInput("The order that takes another's place must name it.", order=order.id)
        if request.quantity is None or request.side is not order.request.side:
            raise InvalidInput("An order is replaced by one of the same side, with a quantity.", order=order.id)
        async with self._locks[request.account]:
            known = await self._store.order(request.id)
            if known is not None:
                return known
            self._demand_known(request)
            old = self._book.order(order.id)
            if old is None:
                raise Conflict(
                    f"Order #{order.number} is over, so there is nothing to replace.", hint="Nothing was sent."
                )
            if old.request.parent is not None:
                raise InvalidInput(
                    f"Order #{old.number} is a part of another order, which looks after it.",
                    hint="Cancel that one, then place a new one.",
                )
            if self._is_composite(old.request) or self._is_composite(request):
                raise InvalidInput(
                    f"Order #{old.number} is made of several orders and cannot be replaced by one.",
                    hint="Cancel it, then place the new one.",
                )
            wanted = request.quantity
            if wanted <= old.filled:
                raise Conflict(
                    f"Order #{old.number} has filled {plain(old.filled)} of it already.",
                    hint=f"Ask for more than that, or cancel the rest: cancel {old.number}.",
                )
            request = replace(request, quantity=wanted - old.filled)
            if self._gate is not None:
                self._gate(request)
            async with self._book.reserving(request.account):
                reserved = self._book.bound(old.id) if demand is None else demand()
                new = await self._record(request, ZERO if request.parent else reserved, OrderStatus.RECORDED, also)
            try:
                new = await self._replaced(old, new, wanted, last)
            except AppError as refused:
                raise OrderRefused(
                    f"Order #{old.number} is cancelled, and the one in its place was refused: {refused.message}",
                    hint=refused.hint,
                    order=new.id,
                ) from refused
        return await self._pursue(new) if new.status is OrderStatus.UNKNOWN else new

    async def cancel(self, order: Order) -> Order:
        """The order after cancelling; unchanged when there was nothing left to cancel."""
        if self.owns(order):
            return await self._unwind(order)
        async with self._locks[order.request.account]:
            return await self._cancel(order)

    async def cancel_all(self, account: str) -> list[Order]:
        """Cancels every open order of the account, also those on their way. Returns those that were cancelled.

        An order that cannot be cancelled now does not keep the others open.
        """
        cancelled: dict[str, Order] = {}

        async def each(act: Callable[[Order], Awaitable[object]], orders: Sequence[Order]) -> None:
            cancelled.update({order.id: order for order in orders})
            outcomes = await asyncio.gather(*(act(order) for order in orders), return_exceptions=True)
            for order, failed in zip(orders, outcomes, strict=True):
                if isinstance(failed, Exception):  # whatever it was, the others are cancelled all the same
                    self._log.warning("not cancelled", order=order.id, exc_info=failed)
                elif isinstance(failed, BaseException):
                    raise failed

        def alone(order: Order) -> bool:  # a part ends with the whole
            parent = self._book.order(order.request.parent or "")
            return not self.owns(order) and (parent is None or not self.owns(parent))

        exchange = self._exchange_for(account)
        found = self._book.open_orders(account)  # at once, whatever is being sent meanwhile
        await each(lambda order: exchange.cancel(order.id), [order for order in found if alone(order)])
        await each(self._unwind, [order for order in self._book.open_orders(account) if self.owns(order)])
        async with self._locks[account]:
            await each(self._cancel, [each for each in self._book.open_orders(account) if not self.owns(each)])
            after = [await self._store.order(order_id) for order_id in cancelled]
        return [order for order in after if order is not None and order.status is OrderStatus.CANCELLED]

    async def settle(self, order: Order, *, also: Also | None = None, tell: str | None = None) -> Order:
        """Where a composite order stands now, with what `also` writes, in one transaction. tell: told to its owner"""
        return await self._outcomes.save(order, tell=tell, also=also)

    async def take(self, fill: Fill) -> Order | None:
        """Takes in a fill that the venue told by itself; a fill is taken in once. None when it is of no order here."""
        order = await self._store.order(fill.order)
        if order is None or order.request.account != fill.account:
            return None
        async with self._locks[fill.account]:
            order = self._book.order(fill.order) or await self._store.order(fill.order) or order
            if order.status.final:
                return await self._outcomes.take_in(order, order, [fill])
            order = await self._outcomes.take_in(order, replace(order, reason=None), [fill])
            return order if order.status.final else await self.look_up(order)  # what is left may be over, too

    async def tell_end(self, order: Order, text: str | None = None) -> None:
        """Tells the owner of an order that ended without having been asked to."""
        async with self._store.unit() as unit:
            name = f"notice:{order.id}:{order.status.value}"
            unit.emit(AccountNotice(name, order.request.account, self._clock.now(), text or notice_of(order)))

    async def reconcile(self) -> list[Order]:
        """Settles what was left without an outcome: unsent orders end, unknown ones are looked up once.

        Returns what was looked at, as it stands now.
        """
        settled = []
        for order in self._book.open_orders():
            if order.status not in UNSURE:
                continue
            async with self._locks[order.request.account]:  # nobody is sending it now
                now = self._book.order(order.id)
                if now is None or now.status not in UNSURE:
                    continue
                if now.status is OrderStatus.RECORDED:
                    settled.append(await self._outcomes.reject(now, UNSENT, tell=True))
                    continue
                if now.status is OrderStatus.SENDING:
                    now = await self._outcomes.save(replace(now, status=OrderStatus.UNKNOWN, reason=INTERRUPTED))
                after = await self.look_up(now)
                if after.status is OrderStatus.UNKNOWN and self._outcomes.window_left(after) <= 0:
                    after = await self._outcomes.hold(after)
                settled.append(after)
        return settled

    # -- inside, with the account standing still ------------------------------------------------------------------

    def _demand_known(self, request: OrderRequest) -> None:
        for order in self._book.open_orders(request.account):
            if order.status in HOLDING and order.request.instrument == request.instrument:
                symbol = request.instrument.symbol
                raise Conflict(
                    f"What became of order #{order.number} is not known; {symbol} is held until it is.",
                    hint="It is being looked up; nothing is sent meanwhile.",
                    order=order.id,
                )

    def _is_composite(self, request: OrderRequest) -> bool:
        """Whether the exchange leaves this type to the synthetics. Raises InvalidInput when there are none."""
        exchange = self._exchange_for(request.account)
        if exchange.capabilities.works(request.type):
            return False
        name = type(request.type).__name__
        if self.synthetics is None:
            natively = ", ".join(sorted(exchange.capabilities.order_types))
            raise InvalidInput(f"{name} orders cannot be placed here.", hint=f"There are {natively}.")
        return True

    def owns(self, order: Order) -> bool:
        """Whether the order is a composite one that the synthetics work."""
        return self.synthetics is not None and self.synthetics.owns(order)

    async def _record(
        self, request: OrderRequest, reserved: Decimal, status: OrderStatus, also: Also | None = None
    ) -> Order:
        order = Order(request, status, updated=self._clock.now())
        async with self._store.unit() as unit:
            order = await unit.add_order(order, reserved)
            unit.emit(order_changed(order, self._clock))
            if also is not None:
                await also(unit)
        self._book.apply(Change((order,), reserved={order.id: reserved}))
        return order

    async def _begin(self, order: Order) -> Order:
        assert self.synthetics is not None
        try:
            await self.synthetics.begin(order)
        except AppError as refused:
            await self._outcomes.reject(order, refused.message)
            raise
        return self._book.order(order.id) or await self._store.order(order.id) or order

    async def _unwind(self, order: Order) -> Order:
        assert self.synthetics is not None
        await self.synthetics.cancel(order)
        return self._book.order(order.id) or await self._store.order(order.id) or order

    async def _send(self, order: Order, last: Callable[[], None] | None = None) -> Order:
        exchange = self._exchange_for(order.request.account)

        def look() -> None:
            if self._lease is not None:
                self._lease.demand()
            if self._gate is not None:
                self._gate(order.request)
            if last is not None:
                last()

        try:
            look()
        except AppError as refused:
            await self._outcomes.reject(order, refused.message)
            raise
        if not exchange.capabilities.paper:  # placing on paper is itself the transaction that says so
            order = await self._outcomes.save(replace(order, status=OrderStatus.SENDING))
        try:
            acknowledged = await exchange.place(order.request, look)  # it may wait for its turn, and looks then
        except SURELY_NOT as refused:
            await self._outcomes.reject(order, refused.message)
            raise
        except FAILURES as failed:
            reason = failed.message if isinstance(failed, AppError) else type(failed).__name__
            self._log.warning("outcome unknown", order=order.id, reason=reason)
            return await self._unsure(order, f"{LOST}{reason}")
        if exchange.capabilities.paper:
            return self._book.order(order.id) or await self._store.order(order.id) or order
        try:
            order = await self._outcomes.take_in(order, replace(order, status=OrderStatus.OPEN), acknowledged.fills)
        except FAILURES as failed:  # it is at the venue, and nobody must think that it is not
            self._log.warning("not written down", order=order.id, exc_info=failed)
            return await self._unsure(order, "It was sent, and the database did not take in the venue's answer.")
        return await self._see_through(order) if acknowledged.fills or at_once(order.request) else order

    async def _unsure(self, order: Order, reason: str) -> Order:
        """The order, of which nobody knows yet what became; in memory at least, where the store does not answer."""
        order = replace(order, status=OrderStatus.UNKNOWN, reason=reason, updated=self._clock.now())
        try:
            return await self._outcomes.save(order)
        except FAILURES as failed:
            self._log.warning("not written down", order=order.id, exc_info=failed)
            self._book.apply(Change((order,)))
            return order

    async def _see_through(self, order: Order) -> Order:
        """The order once the venue shows how it ended, if it does so soon: one at the market ends at once."""
        wait = CANCEL_WAIT
        with contextlib.suppress(*FAILURES):  # it was sent; the store shows later what became of it
            order = await self.look_up(order)
            while at_once(order.request) and not order.status.final and wait < CANCEL_WAIT * 2**LOOKUPS:
                await self._clock.sleep(wait)
                order, wait = await self.look_up(order), wait * 2
        return order

    async def _replaced(self, old: Order, new: Order, wanted: Decimal, last: Callable[[], None] | None) -> Order:
        """The new order, sent for what the old one has left of `wanted` once that is surely over."""
        name, reject = f"Order #{old.number}", self._outcomes.reject
        try:
            old = await self._cancel(old, REPLACED)
        except FAILURES as failed:
            told = failed.sentence() if isinstance(failed, AppError) else type(failed).__name__
            return await reject(new, f"{name} could not be cancelled, so nothing was sent: {told}")
        left = wanted - old.filled
        if not old.status.final:
            return await reject(new, f"{name} is {words(old)}, so nothing was sent.")
        if old.status is not OrderStatus.CANCELLED or left <= 0:
            return await reject(new, f"{name} was {words(old)} meanwhile, so nothing was sent.")
        if left < (new.request.quantity or ZERO):
            try:
                request = replace(new.request, quantity=new.request.instrument.quantity(left))
            except InvalidInput as nothing:
                return await self._outcomes.reject(new, f"Order #{old.number} filled all but a rest. {nothing.message}")
            share = (request.quantity or ZERO) / (new.request.quantity or left)
            new = await self._outcomes.save(replace(new, request=request), reserved=self._book.bound(new.id) * share)
        return await self._send(new, last)

    async def _cancel(self, order: Order, reason: str = ASKED) -> Order:
        exchange = self._exchange_for(order.request.account)
        if exchange.capabilities.paper:  # on paper, cancelling is itself the transaction
            await exchange.cancel(order.id)
            return await self._store.order(order.id) or order
        failure: BaseException | None = None
        gone = False
        try:
            gone = await exchange.cancel(order.id)
        except FAILURES as failed:  # it may have been cancelled all the same
            failure = failed
        now = self._book.order(order.id)
        if now is None:
            return await self._store.order(order.id) or order
        now = await self.look_up(now, reason, gone=gone)
        wait = CANCEL_WAIT
        while gone and not now.status.final and wait < CANCEL_WAIT * 2**LOOKUPS:  # venues show it a little later
            await self._clock.sleep(wait)
            now, wait = await self.look_up(now, reason, gone=True), wait * 2
        if now.status is OrderStatus.UNKNOWN:
            await self.unwant(now)
        if failure is not None and not now.status.final:
            raise failure
        return now

    async def _pursue(self, order: Order) -> Order:
        """Looks the order up until its outcome is sure, or until its venue is past its window and still says nothing.

        Then the user is told. Other orders of the account may go out meanwhile, for other instruments.
        """
        wait, looks = LOOKUP_WAIT, 0
        while True:
            async with self._locks[order.request.account]:
                now = self._book.order(order.id)
                if now is None or now.status is not OrderStatus.UNKNOWN:  # settled by somebody else
                    return now or await self._store.order(order.id) or order
                looks += 1
                try:
                    order = await self.look_up(now)
                    left = self._outcomes.window_left(order)
                    if order.status is not OrderStatus.UNKNOWN:
                        return order
                    if left <= 0 and looks >= LOOKUPS:
                        return await self._outcomes.hold(order)
                except FAILURES as failed:  # the store does not answer; `_watch` goes on when this gives up
                    self._log.warning("not looked up", order=now.id, exc_info=failed)
                    order, left = now, self._outcomes.window_left(now)
                    if left <= 0 and looks >= LOOKUPS:
                        return order
            await self._clock.sleep(min(wait, left) if left > 0 else wait)
            wait *= 2

    async def look_up(self, order: Order, reason: str | None = None, *, gone: bool = False) -> Order:
        """See `Outcomes.look_up`; one that was cancelled while nobody knew of it is cancelled now."""
        after = await self._outcomes.look_up(order, reason, gone=gone)
        if after.id in self._unwanted and after.status not in UNSURE:
            await self._forget(after)
            if not after.status.final:
                with contextlib.suppress(*FAILURES):
                    return await self._cancel(after)
        return after

    def unwanted(self, order_id: str) -> bool:
        """Whether it was to be cancelled, and that is not certain yet."""
        return order_id in self._unwanted

    async def unwant(self, order: Order) -> None:
        """Cancels the order as soon as its venue says where it is, also after a restart."""
        self._unwanted.add(order.id)
        await self._wish(order, True)

    async def want_again(self, account: str) -> None:
        """Orders of the account that still stand may stay: nobody insists on their end any more."""
        for order in self._book.open_orders(account):
            if order.id in self._unwanted and order.status not in UNSURE:
                await self._forget(order)

    async def _forget(self, order: Order) -> None:
        self._unwanted.discard(order.id)
        await self._wish(order, False)

    async def _wish(self, order: Order, open_: bool) -> None:
        try:
            async with self._store.unit() as unit:
                await unit.save_document(Document(UNWANTED, order.id, order.request.account, {}, open=open_))
        except FAILURES as failed:  # it is known here for as long as this process runs
            self._log.warning("not written down", order=order.id, exc_info=failed)

    async def load(self) -> None:
        """Reads which orders were to be cancelled."""
        self._unwanted = {each.id for each in await self._store.documents(UNWANTED, open_only=True)}

    async def take_in(self, order: Order, found: Order, fills: Sequence[Fill]) -> Order:
        """See `Outcomes.take_in`; the account stands still meanwhile."""
        return await self._outcomes.take_in(order, found, fills)


def at_once(request: OrderRequest) -> bool:
    """Whether the order does not wait in the book."""
    return isinstance(request.type, Market) or request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)


def words(order: Order) -> str:
    """'partially filled'."""
    return order.status.value.replace("_", " ")
