"""A small venue for one account: it holds balances, fills when told to, and can lose its answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.clock import Clock
from core.errors import OrderRefused, OutcomeUnknown
from core.money import ZERO
from core.trading.costs import Costs
from core.trading.exchange import ELSEWHERE, Acknowledgement, Capabilities, Look, demand_last
from core.trading.orders import Limit, Market, Order, OrderRequest, OrderStatus, Side
from core.trading.portfolio import Fill

FEE = Decimal("0.001")


class Venue:
    """price: at which market orders trade; loses: accepts the next order and then says nothing"""

    capabilities = Capabilities(frozenset({"Market", "Limit", "Stop"}), paper=False)

    trades = "t"  # how the ids of its fills begin

    def __init__(self, clock: Clock, held: dict[str, Decimal], price: Decimal) -> None:
        self.clock, self.held, self.price = clock, held, price
        self.orders: dict[str, Order] = {}
        self.done: list[Fill] = []
        self.received: list[OrderRequest] = []
        self.loses = False
        self.before_cancel: Any = None
        self.streamed: asyncio.Queue[Fill] = asyncio.Queue()

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        demand_last(last)
        self.received.append(request)
        if request.quantity is None:
            raise OrderRefused("This venue takes quantities.")
        self.orders[request.id] = Order(request, OrderStatus.OPEN)
        if isinstance(request.type, Market):
            self.fill(request.id, request.quantity, self.price)
        if self.loses:
            self.loses = False
            raise OutcomeUnknown("The answer was lost.")
        return Acknowledgement(request.id, [fill for fill in self.done if fill.order == request.id])

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> Fill:
        """Somebody takes the other side."""
        order = self.orders[order_id]
        request = order.request
        base, quote, sign = request.instrument.base, request.instrument.quote, request.side.sign
        fill = Fill(
            f"{self.trades}{len(self.done) + 1}", order_id, request.account, request.ledger, request.instrument.key,
            request.side, price, quantity, quantity * price * FEE, self.clock.now(),
        )  # fmt: skip
        self.held[base] = self.held.get(base, ZERO) + quantity * sign
        self.held[quote] = self.held.get(quote, ZERO) - quantity * price * sign - fill.fee
        filled = order.filled + quantity
        whole = filled >= (request.quantity or ZERO)
        self.orders[order_id] = replace(
            order, filled=filled, status=OrderStatus.FILLED if whole else OrderStatus.PARTIAL
        )
        self.done.append(fill)
        return fill

    def by_hand(
        self, order_id: str, side: Side, quantity: Decimal, price: Decimal, account: str, instrument: Any
    ) -> None:
        """Somebody places a limit order at the venue itself."""
        request = OrderRequest(order_id, account, instrument, side, Limit(price), quantity=quantity, ledger=ELSEWHERE)
        self.orders[order_id] = Order(request, OrderStatus.OPEN)

    async def cancel(self, order_id: str) -> bool:
        if self.before_cancel is not None:
            acting, self.before_cancel = self.before_cancel, None
            acting()
        order = self.orders.get(order_id)
        if order is None or order.status.final:
            return False
        self.orders[order_id] = replace(order, status=OrderStatus.CANCELLED)
        return True

    async def find(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        return [fill for fill in self.done if fill.order == order_id]

    async def open_orders(self) -> Sequence[Order]:
        return [order for order in self.orders.values() if not order.status.final]

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        return list(self.done)

    async def balances(self) -> dict[str, Decimal]:
        return {asset: amount for asset, amount in self.held.items() if amount}

    async def costs(self, instrument: Any) -> Costs:
        return Costs(taker_fee=0.001, maker_fee=0.001, slippage=0.0)

    async def fills(self) -> AsyncIterator[Fill]:
        while True:
            yield await self.streamed.get()
