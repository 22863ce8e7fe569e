"""Execution: an order is written down before it is sent, sent once, and looked up when its outcome is not known.

That a venue does not know an order proves nothing before its receive window is past: the order may still arrive. Until
then, and while the venue cannot be asked, the order is UNKNOWN: its reservation stands, its instrument is held.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import structlog

from core.clock import Clock, to_ms
from core.engine.book import Book
from core.engine.lease import Lease
from core.engine.ports import TradingStore
from core.errors import AppError, Conflict, InvalidInput, OrderRefused
from core.events import AccountNotice, FillRecorded
from core.exchanges.record import Change, order_changed
from core.jobs import end_task
from core.money import ZERO, plain
from core.trading.exchange import Exchange
from core.trading.orders import Order, OrderRequest, OrderStatus
from core.trading.portfolio import Fill

LOOKUPS = 5  # how often an unknown outcome is looked up at once, at least
LOOKUP_WAIT = 1.0  # seconds, doubled each time
LOOKUP_EVERY = 30.0  # seconds between two looks at what is still unknown after that
UNSENT = "It was not sent before the restart."
NEVER_ARRIVED = "The venue never received it."
INTERRUPTED = "The process ended while it was being sent."
UNSURE = (OrderStatus.RECORDED, OrderStatus.SENDING, OrderStatus.UNKNOWN)
FAILURES = (AppError, OSError, TimeoutError)


class Execution:
    """The one place from which orders reach an exchange.

    exchange_for: the exchange at which an account trades; lease: checked just before sending
    """

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        exchange_for: Callable[[str], Exchange],
        clock: Clock,
        lease: Lease | None = None,
    ) -> None:
        self._store = store
        self._book = book
        self._exchange_for = exchange_for
        self._clock = clock
        self._lease = lease
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
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

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(LOOKUP_EVERY)
            try:
                await self.reconcile()
            except FAILURES as failed:
                self._log.warning("not reconciled", exc_info=failed)

    # -- orders -------------------------------------------------------------------------------------------------

    async def submit(self, request: OrderRequest, demand: Callable[[], Decimal]) -> Order:
        """Records the order with its reservation, then sends it once. The same id again gives the same order.

        demand: called with the account's orders standing still; raises what speaks against the order, returns what it
        reserves (quote of a buy, base of a sell)
        Raises OrderRefused when the venue surely did not take it; the order is then REJECTED.
        """
        async with self._locks[request.account]:
            known = await self._store.order(request.id)
            if known is not None:
                return known
            self._demand_known(request)
            async with self._book.reserving(request.account):  # of all the person's accounts one at a time
                reserved = demand()
                order = await self._record(request, reserved)
            order = await self._send(order)
        return await self._pursue(order) if order.status is OrderStatus.UNKNOWN else order

    async def cancel(self, order: Order) -> Order:
        """The order after cancelling; unchanged when there was nothing left to cancel."""
        async with self._locks[order.request.account]:
            return await self._cancel(order)

    async def cancel_all(self, account: str) -> list[Order]:
        """Cancels every open order of the account, also those on their way. Returns those that were cancelled.

        An order that cannot be cancelled now does not keep the others open.
        """
        cancelled: dict[str, Order] = {}
        for order in self._book.open_orders(account):  # at once, whatever is being sent meanwhile
            with contextlib.suppress(*FAILURES):
                await self._exchange_for(account).cancel(order.id)
                cancelled[order.id] = order
        async with self._locks[account]:
            for order in self._book.open_orders(account):
                cancelled[order.id] = order
                try:
                    await self._cancel(order)
                except FAILURES as failed:
                    self._log.warning("not cancelled", order=order.id, exc_info=failed)
            after = [await self._store.order(order_id) for order_id in cancelled]
        return [order for order in after if order is not None and order.status is OrderStatus.CANCELLED]

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
                    settled.append(
                        await self._save(replace(now, status=OrderStatus.REJECTED, reason=UNSENT), tell=True)
                    )
                    continue
                if now.status is OrderStatus.SENDING:
                    now = await self._save(replace(now, status=OrderStatus.UNKNOWN, reason=INTERRUPTED))
                after = await self._look_up(now)
                if after.status is OrderStatus.UNKNOWN and self._window_left(after) <= 0:
                    after = await self._hold(after)
                settled.append(after)
        return settled

    # -- inside -------------------------------------------------------------------------------------------------

    def _demand_known(self, request: OrderRequest) -> None:
        for order in self._book.open_orders(request.account):
            if order.status is OrderStatus.UNKNOWN and order.request.instrument == request.instrument:
                symbol = request.instrument.symbol
                raise Conflict(
                    f"What became of order #{order.number} is not known; {symbol} is held until it is.",
                    hint="It is being looked up; nothing is sent meanwhile.",
                    order=order.id,
                )

    async def _record(self, request: OrderRequest, reserved: Decimal) -> Order:
        order = Order(request, OrderStatus.RECORDED, updated=self._clock.now())
        async with self._store.unit() as unit:
            order = await unit.add_order(order, reserved)
            unit.emit(order_changed(order, self._clock))
        self._book.apply(Change((order,), reserved={order.id: reserved}))
        return order

    async def _send(self, order: Order) -> Order:
        exchange = self._exchange_for(order.request.account)
        try:
            if self._lease is not None:
                self._lease.demand()
        except Conflict as refused:
            await self._save(replace(order, status=OrderStatus.REJECTED, reason=refused.message))
            raise
        if not exchange.capabilities.paper:  # placing on paper is itself the transaction that says so
            order = await self._save(replace(order, status=OrderStatus.SENDING))
        try:
            acknowledged = await exchange.place(order.request)
        except (OrderRefused, InvalidInput) as refused:
            await self._save(replace(order, status=OrderStatus.REJECTED, reason=refused.message))
            raise
        except FAILURES as failed:
            reason = failed.message if isinstance(failed, AppError) else type(failed).__name__
            self._log.warning("outcome unknown", order=order.id, reason=reason)
            return await self._save(
                replace(order, status=OrderStatus.UNKNOWN, reason=f"The venue's answer was lost: {reason}")
            )
        if exchange.capabilities.paper:
            return self._book.order(order.id) or await self._store.order(order.id) or order
        return await self._take_in(order, replace(order, status=OrderStatus.OPEN), acknowledged.fills)

    async def _cancel(self, order: Order) -> Order:
        exchange = self._exchange_for(order.request.account)
        await exchange.cancel(order.id)
        now = self._book.order(order.id)
        if now is not None and not exchange.capabilities.paper:  # on paper, cancelling is itself the transaction
            return await self._look_up(now)
        return await self._store.order(order.id) or order

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
                order, looks = await self._look_up(now), looks + 1
                left = self._window_left(order)
                if order.status is not OrderStatus.UNKNOWN:
                    return order
                if left <= 0 and looks >= LOOKUPS:
                    return await self._hold(order)
            await self._clock.sleep(min(wait, left) if left > 0 else wait)
            wait *= 2

    def _window_left(self, order: Order) -> float:
        """Seconds for which the order may still arrive. `updated` of an unknown order is never before it was sent."""
        window = self._exchange_for(order.request.account).capabilities.receive_window
        since = order.updated or self._clock.now()
        return window - (self._clock.now_ms() - to_ms(since)) / 1000

    async def _look_up(self, order: Order) -> Order:
        """Asks the venue once what it knows, and never sends again; the same order when that is nothing sure."""
        exchange = self._exchange_for(order.request.account)
        closed = self._window_left(order) <= 0  # when asked, not when answered
        try:
            found = await exchange.find(order.id)
            fills = () if found is None or not found.filled else await exchange.fills_of(order.id)
        except FAILURES as failed:
            self._log.warning("lookup failed", order=order.id, exc_info=failed)
            return order
        if found is None:
            if not closed or order.status is not OrderStatus.UNKNOWN:
                return order
            return await self._save(replace(order, status=OrderStatus.REJECTED, reason=NEVER_ARRIVED), tell=True)
        if found.status in UNSURE or sum((fill.quantity for fill in fills), ZERO) < found.filled:
            return order  # the journal takes fills, not sums: they are not all told yet
        return await self._take_in(order, found, fills)

    async def _take_in(self, order: Order, found: Order, fills: Sequence[Fill]) -> Order:
        """What the venue says of the order, and those of its fills that the journal lacks, in one transaction."""
        known = {fill.id for fill in await self._store.fills_of(order.id)}
        fresh = [fill for fill in fills if fill.id not in known]
        filled = sum((fill.quantity for fill in fills), ZERO)
        status = found.status
        if filled and not status.final:
            wanted = order.request.quantity
            status = OrderStatus.FILLED if wanted is not None and filled >= wanted else OrderStatus.PARTIAL
        order = replace(
            order,
            status=status,
            filled=filled,
            average_price=sum((fill.notional for fill in fills), ZERO) / filled if filled else None,
            fees=sum((fill.fee for fill in fills), ZERO),
            reason=found.reason,
            updated=self._clock.now(),
        )
        async with self._store.unit() as unit:
            await unit.save_order(order)
            for fill in fresh:
                await unit.record(fill)
                unit.emit(FillRecorded(f"fill:{fill.id}", fill.account, fill.time, fill, order.number))
            unit.emit(order_changed(order, self._clock))
        self._book.apply(Change((order,), tuple(fresh)))
        return order

    async def _hold(self, order: Order) -> Order:
        """The order, still unknown; its owner is told so once."""
        symbol = order.request.instrument.symbol
        reason = f"The venue does not say what became of it; {symbol} is held."
        if order.reason == reason:
            return order
        return await self._save(replace(order, reason=reason), tell=True)

    async def _save(self, order: Order, *, tell: bool = False) -> Order:
        order = replace(order, updated=self._clock.now())
        async with self._store.unit() as unit:
            await unit.save_order(order)
            unit.emit(order_changed(order, self._clock))
            if tell:
                unit.emit(
                    AccountNotice(
                        f"notice:{order.id}:{order.status.value}",
                        order.request.account,
                        self._clock.now(),
                        f"Order #{order.number} ({described(order.request)}): {order.status.value}. {order.reason}",
                    )
                )
        self._book.apply(Change((order,)))
        return order


def described(request: OrderRequest) -> str:
    """'buy 0.1 BTC/USDT'."""
    if request.quantity is not None:
        size = plain(request.quantity)
    elif request.spend is not None:
        size = f"for {plain(request.spend)} {request.instrument.quote} of"
    else:
        size = f"to {plain((request.exposure or ZERO) * 100)} % of"
    return f"{request.side.value} {size} {request.instrument.symbol}"
