"""The resting orders of one pair, by price and then by time."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from decimal import Decimal

from tests.simulators.venues.values import ZERO, Order, Side


class Book:
    """Both sides of a pair. `sequence` counts changed levels, one by one.

    A level is the sum of what its orders show, so an iceberg's hidden part is not in it.
    """

    def __init__(self) -> None:
        self._levels: dict[Side, dict[Decimal, deque[Order]]] = {"buy": {}, "sell": {}}
        self._prices: dict[Side, list[Decimal]] = {"buy": [], "sell": []}  # ascending
        self._touched: dict[tuple[Side, Decimal], None] = {}
        self.sequence = 0

    def add(self, order: Order) -> None:
        """Last in the queue of its price."""
        side, price = order.ticket.side, order.ticket.price
        assert price is not None
        visible = order.ticket.visible
        order.shown = order.remaining if visible is None else min(visible, order.remaining)
        queue = self._levels[side].get(price)
        if queue is None:
            queue = self._levels[side][price] = deque()
            insort(self._prices[side], price)
        queue.append(order)
        self._touched[side, price] = None

    def remove(self, order: Order) -> None:
        side, price = order.ticket.side, order.ticket.price
        assert price is not None
        queue = self._levels[side][price]
        queue.remove(order)
        self._drop_if_empty(side, price)
        self._touched[side, price] = None

    def take(self, order: Order, quantity: Decimal) -> None:
        """What was just traded against the resting order; an iceberg shows its next part at the queue's end."""
        side, price = order.ticket.side, order.ticket.price
        assert price is not None
        order.shown -= quantity
        self._touched[side, price] = None
        if order.shown > 0:
            return
        queue = self._levels[side][price]
        queue.remove(order)
        if order.remaining > 0:
            self.add(order)
        else:
            self._drop_if_empty(side, price)

    def best(self, side: Side) -> Decimal | None:
        prices = self._prices[side]
        if not prices:
            return None
        return prices[-1] if side == "buy" else prices[0]

    def first(self, side: Side) -> Order | None:
        """The order that trades next."""
        price = self.best(side)
        return None if price is None else self._levels[side][price][0]

    def resting(self, side: Side) -> Iterator[Order]:
        """Best price first, then oldest first."""
        prices = self._prices[side]
        for price in reversed(prices) if side == "buy" else iter(prices):
            yield from self._levels[side][price]

    def levels(self, side: Side, depth: int | None = None) -> list[tuple[Decimal, Decimal]]:
        """(price, quantity), best first."""
        prices = self._prices[side]
        ordered = prices[::-1] if side == "buy" else prices
        return [(price, self.size(side, price)) for price in ordered[:depth]]

    def size(self, side: Side, price: Decimal) -> Decimal:
        return sum((order.shown for order in self._levels[side].get(price, ())), ZERO)

    def touch(self) -> None:
        """Lets the best levels count as changed."""
        for side in self._prices:
            price = self.best(side)
            if price is not None:
                self._touched[side, price] = None

    def moved(self) -> tuple[int, int, dict[Side, tuple[tuple[Decimal, Decimal], ...]]] | None:
        """First and last sequence number and the levels that changed since the last time; None when none did."""
        if not self._touched:
            return None
        changes: dict[Side, list[tuple[Decimal, Decimal]]] = {"buy": [], "sell": []}
        for side, price in self._touched:
            changes[side].append((price, self.size(side, price)))
        first = self.sequence + 1
        self.sequence += len(self._touched)
        self._touched.clear()
        return first, self.sequence, {side: tuple(levels) for side, levels in changes.items()}

    def _drop_if_empty(self, side: Side, price: Decimal) -> None:
        if not self._levels[side][price]:
            del self._levels[side][price]
            prices = self._prices[side]
            del prices[bisect_left(prices, price)]
