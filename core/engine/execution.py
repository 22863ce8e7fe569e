"""Execution: an order is written down before it is sent, sent once, and looked up when its outcome is not known."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import structlog

from core.clock import Clock
from core.engine.book import Book
from core.engine.lease import Lease
from core.engine.ports import TradingStore
from core.errors import AppError, Conflict, InvalidInput, OrderRefused
from core.events import AccountNotice, FillRecorded
from core.exchanges.paper import Change, order_changed
from core.money import ZERO, plain
from core.trading.exchange import Acknowledgement, Exchange
from core.trading.orders import Order, OrderRequest, OrderStatus

LOOKUPS = 5  # how often an unknown outcome is looked up at once
LOOKUP_WAIT = 1.0  # seconds, doubled each time
UNSENT = "It was not sent before the restart."


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
        self._log = structlog.get_logger("execution")

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
            reserved = demand()
            order = await self._record(request, reserved)
            return await self._send(order)

    async def cancel(self, order: Order) -> Order:
        """The order after cancelling; unchanged when there was nothing left to cancel."""
        async with self._locks[order.request.account]:
            await self._exchange_for(order.request.account).cancel(order.id)
            return await self._store.order(order.id) or order

    async def reconcile(self) -> list[Order]:
        """Settles what a stopped process left: unsent orders end, unknown ones are looked up. Returns what changed."""
        settled = []
        for order in self._book.open_orders():
            if order.status is OrderStatus.RECORDED:
                settled.append(await self._settle(order, OrderStatus.REJECTED, UNSENT, tell=True))
            elif order.status in (OrderStatus.SENDING, OrderStatus.UNKNOWN):
                settled.append(await self._look_up(order, 1))
        return settled

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
            await self._settle(order, OrderStatus.REJECTED, refused.message)
            raise
        if not exchange.capabilities.paper:  # placing on paper is itself the transaction that says so
            order = await self._save(replace(order, status=OrderStatus.SENDING))
        try:
            acknowledged = await exchange.place(order.request)
        except (OrderRefused, InvalidInput) as refused:
            await self._settle(order, OrderStatus.REJECTED, refused.message)
            raise
        except (AppError, OSError, TimeoutError) as failed:
            reason = failed.message if isinstance(failed, AppError) else type(failed).__name__
            self._log.warning("outcome unknown", order=order.id, reason=reason)
            order = await self._save(
                replace(order, status=OrderStatus.UNKNOWN, reason=f"The venue's answer was lost: {reason}")
            )
            return await self._look_up(order, LOOKUPS)
        if exchange.capabilities.paper:
            return self._book.order(order.id) or await self._store.order(order.id) or order
        return await self._acknowledge(order, acknowledged)

    async def _acknowledge(self, order: Order, acknowledged: Acknowledgement) -> Order:
        filled, spent, fees = order.filled, order.filled * (order.average_price or ZERO), order.fees
        for fill in acknowledged.fills:
            filled, spent, fees = filled + fill.quantity, spent + fill.notional, fees + fill.fee
        status = OrderStatus.PARTIAL if filled else OrderStatus.OPEN
        if filled and order.request.quantity is not None and filled >= order.request.quantity:
            status = OrderStatus.FILLED
        average = spent / filled if filled else None
        order = replace(
            order, status=status, filled=filled, average_price=average, fees=fees, updated=self._clock.now()
        )
        async with self._store.unit() as unit:
            await unit.save_order(order)
            for fill in acknowledged.fills:
                await unit.record(fill)
                unit.emit(FillRecorded(f"fill:{fill.id}", fill.account, fill.time, fill, order.number))
            unit.emit(order_changed(order, self._clock))
        self._book.apply(Change((order,), tuple(acknowledged.fills)))
        return order

    async def _look_up(self, order: Order, times: int) -> Order:
        """Asks the venue what it knows, never sends again. Still unknown: the user is told, the instrument is held."""
        exchange = self._exchange_for(order.request.account)
        wait = LOOKUP_WAIT
        for attempt in range(times):
            try:
                found = await exchange.find(order.id)
            except (AppError, OSError, TimeoutError) as failed:
                self._log.warning("lookup failed", order=order.id, exc_info=failed)
            else:
                if found is None:
                    return await self._settle(order, OrderStatus.REJECTED, "The venue never received it.", tell=True)
                return await self._save(
                    replace(
                        order,
                        status=found.status,
                        filled=found.filled,
                        average_price=found.average_price,
                        fees=found.fees,
                        reason=found.reason,
                    )
                )
            if attempt + 1 < times:
                await self._clock.sleep(wait)
                wait *= 2
        symbol = order.request.instrument.symbol
        return await self._settle(
            order, OrderStatus.UNKNOWN, f"The venue does not say what became of it; {symbol} is held.", tell=True
        )

    async def _settle(self, order: Order, status: OrderStatus, reason: str, *, tell: bool = False) -> Order:
        return await self._save(replace(order, status=status, reason=reason), tell=tell)

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
