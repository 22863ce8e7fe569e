"""Margin: what positions bind of the equity, and what is left to open others with.

Cash is what buying and selling left of it, also on perpetuals, so that equity is cash and positions at their prices
everywhere. A spot position binds all it is worth, a perpetual its worth divided by the leverage:
free = equity - sum of |worth| * margin.
"""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined
from core.simulation.fields import A_CASH, A_LEVERAGE, B_MARK, B_PERPETUAL, B_QUANTITY

Floats = NDArray[np.float64]


@inlined
def leverage_of(account: Floats, book: Floats, i: int) -> float:
    """How many times the equity an exposure of 1 is."""
    return float(account[A_LEVERAGE]) if book[i, B_PERPETUAL] != 0.0 else 1.0


@inlined
def margin_of(account: Floats, book: Floats, i: int) -> float:
    """The share of its worth that a position binds."""
    return 1.0 / float(account[A_LEVERAGE]) if book[i, B_PERPETUAL] != 0.0 else 1.0


@inlined
def reserved(account: Floats, book: Floats, i: int) -> float:
    """Cash that the positions in instruments other than i bind, beyond what was paid for them."""
    bound = 0.0
    for j in range(book.shape[0]):
        if j != i and book[j, B_QUANTITY] != 0.0:
            worth = book[j, B_QUANTITY] * book[j, B_MARK]
            bound += abs(worth) * margin_of(account, book, j) - worth
    return bound


@inlined
def spare(account: Floats, book: Floats, i: int, side: float, price: float) -> float:
    """What may be bound by an order of that side, on top of what its closing part sets free."""
    held = book[i, B_QUANTITY]
    return account[A_CASH] - reserved(account, book, i) + held * price * (1.0 - side * margin_of(account, book, i))


@inlined
def affordable(account: Floats, book: Floats, i: int, side: float, price: float, rate: float, quantity: float) -> float:
    """The part of `quantity` that margin allows: what reduces the position always, the rest as far as it is covered."""
    held = book[i, B_QUANTITY]
    closing = min(quantity, max(0.0, -side * held))
    if quantity <= closing:
        return quantity
    free = spare(account, book, i, side, price)
    most = max(closing, free / (price * (margin_of(account, book, i) + rate)))
    return min(quantity, most)


@inlined
def free_margin(account: Floats, book: Floats) -> float:
    """What could be paid out or bound by new positions, at the last closes."""
    return account[A_CASH] - reserved(account, book, book.shape[0])
