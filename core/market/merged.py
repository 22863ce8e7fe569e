"""Merged books: the depth of several venues in one quote currency, ordered by what a taker pays after fees.

A book in another currency takes part only with a rate that somebody gave; nothing is converted unasked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import InvalidInput
from core.market.book import Book, Levels, Side
from core.market.instrument import Instrument

DEPTH = 200  # levels of each venue that are merged
NET, PRICE, SIZE, OUTLET = 0, 1, 2, 3  # columns of a merged side


@dataclass(frozen=True, slots=True)
class Outlet:
    """A venue's pair in a merged book.

    fee: taker, fraction of notional; rate: of the common quote per quote of the pair, e.g. USDT per USDC
    """

    instrument: Instrument
    fee: float
    rate: float = 1.0

    @property
    def venue(self) -> str:
        return self.instrument.venue


@dataclass(frozen=True, slots=True)
class MergedBook:
    """Levels of all outlets, best first after fees, as they were at one moment.

    bids, asks: (n, 4): NET price after fees and PRICE before them, both in `quote`, SIZE in base, OUTLET's index
    left_out: why which venue takes no part, as sentences
    """

    base: str
    quote: str
    outlets: tuple[Outlet, ...]
    bids: Levels
    asks: Levels
    left_out: tuple[str, ...] = ()

    def side(self, side: Side) -> Levels:
        return self.bids if side == "bid" else self.asks


class Merger:
    """Keeps several books of one pair merged: an update copies that venue's best levels and merges all of them.

    depth: levels taken of each venue; shown: levels kept of the merged book
    """

    def __init__(
        self, base: str, quote: str, outlets: Sequence[Outlet], *, depth: int = DEPTH, shown: int | None = None
    ) -> None:
        if not outlets:
            raise InvalidInput("A merged book needs at least one venue.")
        self.base, self.quote, self.outlets = base, quote, tuple(outlets)
        count = len(outlets)
        self._tops, self._lengths = np.zeros((count, 2, 2, depth)), np.zeros((count, 2), np.int64)
        self._fees = np.array([each.fee for each in outlets], np.float64)
        self._rates = np.array([each.rate for each in outlets], np.float64)
        self._out = np.zeros((2, 4, shown or depth * count))
        self._found = np.zeros(2, np.int64)

    def update(self, outlet: int, book: Book) -> None:
        """Takes the book of that outlet as it is now."""
        from core.market import levels

        levels.refresh(
            book.keys, book.sizes, book.counts, outlet, self._tops, self._lengths, self._fees, self._rates, self._out,
            self._found,
        )  # fmt: skip

    def leave_out(self, outlet: int) -> None:
        """Takes a venue out until its next update: its book is stale, or has a gap."""
        from core.market import levels

        self._lengths[outlet] = 0
        levels.merge(self._tops, self._lengths, self._fees, self._rates, self._out, self._found)

    @property
    def best(self) -> tuple[float, float]:
        """The best bid and ask after fees; NaN where there is none."""
        bids, asks = self._found
        return (
            float(self._out[0, NET, 0]) if bids else float("nan"),
            float(self._out[1, NET, 0]) if asks else float("nan"),
        )

    def merged(self, left_out: tuple[str, ...] = ()) -> MergedBook:
        """The merged book now, as a copy."""
        bids, asks = (self._out[side, :, : int(self._found[side])].T.copy() for side in (0, 1))
        return MergedBook(self.base, self.quote, self.outlets, bids, asks, left_out)


def merged(
    base: str, quote: str, books: Sequence[tuple[Outlet, Book]], left_out: tuple[str, ...] = (), depth: int = DEPTH
) -> MergedBook:
    """The books of several venues as one. Raises InvalidInput without any."""
    merger = Merger(base, quote, [outlet for outlet, _ in books], depth=depth)
    for index, (_, book) in enumerate(books):
        merger.update(index, book)
    return merger.merged(left_out)
