"""Order books, level two: what a venue's stream says of one, and the book that results."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]  # (n, 2): price in quote per base, quantity in base; a quantity of 0 removes the level


@dataclass(frozen=True, slots=True)
class BookChange:
    """Levels of one book that changed, or all of it.

    venue, symbol: whose book, e.g. "binance", "BTC/USDT"; time: UTC ms at the venue
    bids, asks: (n, 2) in any order, quantity 0 removes the level
    snapshot: these levels replace the whole book
    first, last: the venue's sequence numbers of the first and last change inside; None where the venue has none
    previous: the `last` of the change before, where the venue tells it
    """

    venue: str
    symbol: str
    time: int
    bids: Levels
    asks: Levels
    snapshot: bool = False
    first: int | None = None
    last: int | None = None
    previous: int | None = None
