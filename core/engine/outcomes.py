"""Outcomes: what a venue says of an order, written down. Fills are journaled once, whatever their way and order.

Whoever calls has the order's account standing still (`Execution.turn`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import structlog

from core.clock import Clock, to_ms
from core.engine.book import Book
from core.engine.ports import TradingStore
from core.errors import AppError
from core.events import AccountNotice, FillRecorded
from core.exchanges.record import Also, Change, order_changed
from core.money import ZERO, plain
from core.trading.exchange import Exchange
from core.trading.orders import Order, OrderRequest, OrderStatus
from core.trading.portfolio import Fill

NEVER_ARRIVED = "The venue never received it: order again if you still want it."
LOST = "The venue's answer was lost: "  # begins the reason of an order of which nobody knows what became
UNSURE = (OrderStatus.RECORDED, OrderStatus.SENDING, OrderStatus.UNKNOWN)
FAILURES = (AppError, OSError, TimeoutError)


class Outcomes:
    """Where orders stand, in the record and in memory at once. exchange_for: who is asked"""

    def __init__(self, store: TradingStore, book: Book, exchange_for: Callable[[str], Exchange], clock: Clock) -> None:
        self._store, self._book, self._exchange_for, self._clock = store, book, exchange_for, clock
        self._log = structlog.get_logger("execution")

    def window_left(self, order: Order) -> float:
        """Seconds for which the order may still arrive. `updated` of an unknown order is never before it was sent."""
        window = self._exchange_for(order.request.account).capabilities.receive_window
        since = order.updated or self._clock.now()
        return window - (self._clock.now_ms() - to_ms(since)) / 1000

    async def look_up(self, order: Order, reason: str | None = None, *, gone: bool = False) -> Order:
        """Asks the venue once what it knows, and never sends again; the same order when that is nothing sure.

        reason: why it would be cancelled; gone: the venue has just said that it cancelled it
        """
        exchange = self._exchange_for(order.request.account)
        closed = self.window_left(order) <= 0  # when asked, not when answered
        try:
            found = await exchange.find(order.id)
            if found is None and gone:
                found = replace(order, status=OrderStatus.CANCELLED)
            fills = () if found is None or not (found.filled or gone) else await exchange.fills_of(order.id)
        except FAILURES as failed:
            self._log.warning("lookup failed", order=order.id, exc_info=failed)
            return order
        if found is None:
            if not closed or order.status is not OrderStatus.UNKNOWN:
                return order
            cause = (order.reason or "").partition(LOST)[2]
            told = f"{NEVER_ARRIVED} What happened when it was sent: {cause}" if cause else NEVER_ARRIVED
            return await self.reject(order, told, tell=True)
        if found.status in UNSURE or sum((fill.quantity for fill in fills), ZERO) < found.filled:
            return order  # the journal takes fills, not sums: they are not all told yet
        if found.status is OrderStatus.CANCELLED and reason is not None:
            found = replace(found, reason=reason)
        return await self.take_in(order, found, fills)

    async def take_in(self, order: Order, found: Order, fills: Sequence[Fill]) -> Order:
        """What the venue says of the order, and those of its fills that the journal lacks, in one transaction.

        Fills come from answers, streams and questions, late, twice and in any order: each is journaled once, and the
        order has filled what all of them add up to. The account stands still meanwhile.
        """
        known = {fill.id: fill for fill in await self._store.fills_of(order.id)}
        fresh = list({fill.id: fill for fill in fills if fill.id not in known}.values())
        told = [*known.values(), *fresh]
        filled = sum((fill.quantity for fill in told), ZERO)
        status, wanted = found.status, order.request.quantity
        if filled and (not status.final or status is OrderStatus.REJECTED):
            status = OrderStatus.FILLED if wanted is not None and filled >= wanted else OrderStatus.PARTIAL
            if order.status.final and not status.final:  # what was over has filled after all: no more of it is known
                status = OrderStatus.CANCELLED
        elif order.status.final and not status.final:
            status = order.status
        after = replace(
            order,
            status=status,
            filled=filled,
            average_price=sum((fill.notional for fill in told), ZERO) / filled if filled else None,
            fees=sum((fill.fee for fill in told), ZERO),
            reason=order.reason if order.status.final and status is order.status else found.reason,
        )
        if not fresh and after == order:
            return order
        return await self.save(after, fills=fresh)

    async def hold(self, order: Order) -> Order:
        """The order, still unknown; its owner is told so once."""
        symbol = order.request.instrument.symbol
        reason = f"The venue does not say what became of it; {symbol} is held."
        if order.reason == reason:
            return order
        order = replace(order, reason=reason)
        return await self.save(order, tell=notice_of(order))

    async def reject(self, order: Order, reason: str, *, tell: bool = False) -> Order:
        """The order, over, without having been sent or received."""
        order = replace(order, status=OrderStatus.REJECTED, reason=reason)
        return await self.save(order, tell=notice_of(order) if tell and order.request.parent is None else None)

    async def save(
        self,
        order: Order,
        *,
        fills: Sequence[Fill] = (),
        tell: str | None = None,
        also: Also | None = None,
        reserved: Decimal | None = None,
    ) -> Order:
        """Writes down where the order stands, with fresh fills, in one transaction; reserved: where it changed."""
        order = replace(order, updated=self._clock.now())
        account = order.request.account
        async with self._store.unit() as unit:
            if reserved is None:
                await unit.save_order(order)
            else:
                await unit.save_order(order, reserved)
            for fill in fills:
                await unit.record(fill)
                unit.emit(FillRecorded(f"fill:{fill.id}", account, fill.time, fill, order.number))
            unit.emit(order_changed(order, self._clock))
            if tell is not None:
                name = f"notice:{order.id}:{order.status.value}"
                unit.emit(AccountNotice(name, account, self._clock.now(), tell))
            if also is not None:
                await also(unit)
        self._book.apply(Change((order,), tuple(fills), {} if reserved is None else {order.id: reserved}))
        return order


def notice_of(order: Order) -> str:
    """'Order #3 (buy 0.1 BTC/USDT): rejected. The venue never received it: order again …'"""
    return f"Order #{order.number} ({described(order.request)}): {order.status.value}. {order.reason}"


def described(request: OrderRequest) -> str:
    """'buy 0.1 BTC/USDT'."""
    if request.quantity is not None:
        size = plain(request.quantity)
    elif request.spend is not None:
        size = f"for {plain(request.spend)} {request.instrument.quote} of"
    else:
        size = f"to {plain((request.exposure or ZERO) * 100)} % of"
    return f"{request.side.value} {size} {request.instrument.symbol}"
