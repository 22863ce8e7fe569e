"""Order books, level two: what a venue's stream says of one, and the book that results."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

Levels = NDArray[np.float64]  # (n, 2): price in quote per base, quantity in base; a quantity of 0 removes the level
Side = Literal["bid", "ask"]

ROOM = 256  # levels a side has room for at first
CHECKED = 10  # levels of each side in Kraken's checksum
EXACT = 2**53  # numbers of that many units are no longer exact as floats
NO_LEVELS: Levels = np.empty((0, 2))


@dataclass(frozen=True, slots=True)
class BookChange:
    """Levels of one book that changed, or all of it.

    venue, symbol: whose book, e.g. "binance", "BTC/USDT"; time: UTC ms at the venue, 0 where it tells none
    bids, asks: (n, 2) in any order, quantity 0 removes the level
    snapshot: these levels replace the whole book
    first, last: the venue's sequence numbers of the first and last change inside; None where the venue has none
    previous: the `last` of the change before, where the venue tells it
    checksum: of the book's best levels after the change, where the venue sends one
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
    checksum: int | None = None


class Book:
    """The book of one pair at one venue, held in sorted arrays with the best level last.

    limit: levels a side may have, for venues that do not tell when a level leaves the depth that was asked for
    time: UTC ms at the venue of the last change; changes: levels that were told so far
    """

    __slots__ = ("changes", "counts", "keys", "limit", "sizes", "symbol", "time", "venue")

    def __init__(self, venue: str, symbol: str, limit: int | None = None) -> None:
        self.venue, self.symbol, self.limit = venue, symbol, limit
        self.time = self.changes = 0
        self.keys, self.sizes = np.empty((2, ROOM)), np.empty((2, ROOM))
        self.counts = np.zeros(2, np.int64)

    def apply(self, change: BookChange) -> None:
        """Takes the change in, whatever its sequence number (see core.market.sequence)."""
        from core.market import levels

        bids, asks = _contiguous(change.bids), _contiguous(change.asks)
        if change.snapshot:
            self.counts[:] = 0
        told = max(len(bids), len(asks))
        if int(self.counts.max()) + told > self.keys.shape[1]:
            self._grow(int(self.counts.max()) + told)
        levels.change(self.keys, self.sizes, self.counts, bids, asks)
        if self.limit is not None and self.counts.max() > self.limit:
            levels.shorten(self.keys, self.sizes, self.counts, self.limit)
        self.time = change.time
        self.changes += len(bids) + len(asks)

    def clear(self) -> None:
        """Forgets every level."""
        self.counts[:] = 0

    def levels(self, side: Side, depth: int | None = None) -> Levels:
        """The best `depth` levels (all of them by default), best first, as (n, 2)."""
        row, sign = (0, 1.0) if side == "bid" else (1, -1.0)
        count = int(self.counts[row])
        first = 0 if depth is None else max(0, count - depth)
        return np.column_stack((sign * self.keys[row, first:count], self.sizes[row, first:count]))[::-1]

    @property
    def bid(self) -> tuple[float, float] | None:
        """Price and quantity of the best bid; None when nobody bids."""
        last = int(self.counts[0]) - 1
        return None if last < 0 else (float(self.keys[0, last]), float(self.sizes[0, last]))

    @property
    def ask(self) -> tuple[float, float] | None:
        """Price and quantity of the best offer; None when nobody offers."""
        last = int(self.counts[1]) - 1
        return None if last < 0 else (-float(self.keys[1, last]), float(self.sizes[1, last]))

    @property
    def crossed(self) -> bool:
        """Whether somebody bids what somebody asks, which no venue's book ever shows."""
        bids, asks = int(self.counts[0]), int(self.counts[1])
        return bids > 0 and asks > 0 and bool(self.keys[0, bids - 1] >= -self.keys[1, asks - 1])

    @property
    def empty(self) -> bool:
        return not self.counts.any()

    def checksum(self, places: tuple[int, int]) -> int | None:
        """Kraken's CRC-32 of the best ten levels; None where floats cannot hold the quantities exactly.

        places: decimals of prices and quantities. Source: docs.kraken.com, Websocket v2, Book checksum.
        """
        top = np.vstack((self.levels("ask", CHECKED), self.levels("bid", CHECKED)))
        if (top * 10.0 ** np.array(places) >= EXACT).any():
            return None
        return zlib.crc32("".join(_digits(row, places) for row in top.tolist()).encode())

    def _grow(self, needed: int) -> None:
        room = max(needed, 2 * self.keys.shape[1])
        keys, sizes = np.empty((2, room)), np.empty((2, room))
        keys[:, : self.keys.shape[1]], sizes[:, : self.sizes.shape[1]] = self.keys, self.sizes
        self.keys, self.sizes = keys, sizes


def levels_of(pairs: Iterable[tuple[float | Decimal | str, float | Decimal | str]]) -> Levels:
    """Levels from pairs of price and quantity. Raises InvalidInput for what is no positive price."""
    found = np.array([(float(price), float(quantity)) for price, quantity in pairs], np.float64).reshape(-1, 2)
    if found.size and not (np.isfinite(found).all() and (found[:, 0] > 0).all() and (found[:, 1] >= 0).all()):
        raise InvalidInput("A level of a book needs a price above zero and a quantity of zero or more.")
    return found


def _contiguous(levels: Levels) -> Levels:
    return levels if levels.flags.c_contiguous else np.ascontiguousarray(levels)


def _digits(level: list[float], places: tuple[int, int]) -> str:
    return "".join(
        f"{value:.{count}f}".replace(".", "").lstrip("0") for value, count in zip(level, places, strict=True)
    )
