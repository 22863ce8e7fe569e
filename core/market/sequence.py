"""Sequenced: a book that is only shown while no change of it is missing.

Venues number their changes. Binance and KuCoin number every change of a pair (a snapshot from REST tells up to which it
goes), Binance's futures name the change before, Kraken sends a checksum, Coinbase numbers the messages of a connection,
which `core.exchanges.depth` turns into numbers per pair. One rule holds for all of them, by what a change carries.
"""

from collections import deque
from typing import Literal

from core.market.book import Book, BookChange

KEPT = 2_000  # changes that wait for a snapshot; older ones are covered by it

State = Literal["waiting", "live", "gap"]


class Sequenced:
    """Applies changes in their order and notices when one is missing.

    places: decimals of prices and quantities, for venues that send checksums
    state: "waiting" for a first snapshot, "live", or "gap": a change is missing until the next snapshot
    reason: of the last gap, a sentence; gaps: how many there were
    """

    def __init__(self, book: Book, places: tuple[int, int] | None = None) -> None:
        self.book = book
        self.state: State = "waiting"
        self.gaps = 0
        self.reason = ""
        self._places = places
        self._last: int | None = None
        self._fresh = False  # nothing was applied since the snapshot
        self._kept: deque[BookChange] = deque(maxlen=KEPT)

    @property
    def live(self) -> bool:
        return self.state == "live"

    @property
    def last(self) -> int | None:
        """The sequence number up to which the book goes, where the venue has numbers."""
        return self._last

    def apply(self, change: BookChange) -> bool:
        """Takes the change in. Returns whether the book changed and can be trusted.

        What comes before a snapshot, or after a gap, is kept and applied on top of the next snapshot.
        """
        if change.snapshot:
            return self._begin(change)
        if self.state != "live":
            self._kept.append(change)
            return False
        return self._follow(change)

    def distrust(self, reason: str) -> None:
        """Waits for a new snapshot: the stream was interrupted, or the numbers are known to have a hole."""
        if self.state == "live":
            self._gap(reason)

    def _begin(self, snapshot: BookChange) -> bool:
        if self.state == "live" and snapshot.last is not None and self._last is not None and snapshot.last < self._last:
            return False  # an answer that was overtaken by the stream
        self.book.apply(snapshot)
        self._last, self.state, self._fresh = snapshot.last, "live", True
        if self.book.crossed:
            self._gap("the snapshot is crossed")
            return False
        kept, self._kept = self._kept, deque(maxlen=KEPT)
        for place, change in enumerate(kept):
            self._follow(change)
            if not self.live:
                self._kept.extend(list(kept)[place + 1 :])
                return False
        return True

    def _follow(self, change: BookChange) -> bool:
        if self._last is not None and change.last is not None and change.last <= self._last:
            return False  # told before, or inside the snapshot
        if (missing := self._missing(change)) is not None:
            self._gap(missing, change)
            return False
        self.book.apply(change)
        if change.last is not None:
            self._last = change.last
        self._fresh = False
        if self.book.crossed:
            self._gap(f"the book is crossed after change {change.last}")
        elif change.checksum is not None and self._places is not None:
            own = self.book.checksum(self._places)
            if own is not None and own != change.checksum:
                self._gap(f"the checksum is {own}, and the venue says {change.checksum}")
        return self.live

    def _missing(self, change: BookChange) -> str | None:
        """Which changes lie between the book and this one; None when there are none."""
        if self._last is None:
            return None
        if change.previous is not None and not self._fresh:
            return None if change.previous <= self._last else f"the change before {change.last} is missing"
        if change.first is not None and change.first > self._last + 1:
            return f"changes {self._last + 1} to {change.first - 1} are missing"
        return None

    def _gap(self, reason: str, change: BookChange | None = None) -> None:
        self.state, self.reason = "gap", reason
        self.gaps += 1
        self._kept.clear()
        if change is not None:
            self._kept.append(change)
