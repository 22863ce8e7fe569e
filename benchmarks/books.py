"""`python -m benchmarks.books`: recorded order-book messages into a merged book, on one core.

The recorded ETH/USDT depth stream of Binance is told by four venues in turn, each with its own book; every message
changes its venue's book and the merged one after fees. Measured twice: from the raw JSON through the adapter's decoder,
and from changes that are decoded already. Exits 1 below 20,000 decoded messages a second. Needs the recorded data
(ORCHESTRATOR_TEST_DATA, or ../shared/data).
"""

import gc
import gzip
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from core.exchanges.depth import Binance
from core.market.book import Book, BookChange
from core.market.instrument import Instrument
from core.market.merged import Merger, Outlet
from core.market.sequence import Sequenced

VENUES = ("binance", "kucoin", "kraken", "coinbase")
ROUNDS = 7
LEAST = 20_000  # decoded messages a second, the promise
SHOWN = 50  # levels of the merged book that are kept current
ROOT = Path(__file__).resolve().parent.parent


def recording() -> list[bytes] | None:
    """Raw messages of the depth stream, the snapshot first; None where the data is absent."""
    folder = Path(os.environ.get("ORCHESTRATOR_TEST_DATA") or ROOT.parent / "shared" / "data")
    file = folder / "exchange" / "l2" / "binance_spot_ethusdt_20240808.gz"
    if not file.is_file():
        return None
    with gzip.open(file, "rb") as lines:
        raw = [line.split(b" ", 1)[1] for line in lines if b'"depthUpdate"' in line or b'{"lastUpdateId"' in line]
    return sorted(raw, key=lambda message: not message.startswith(b'{"lastUpdateId"'))


class Wired:
    """Four venues' books and the merged one, all told the same."""

    def __init__(self, snapshot: BookChange) -> None:
        fees = (0.001, 0.001, 0.0026, 0.006)
        outlets = [Outlet(Instrument(venue, "ETH", "USDT"), fee) for venue, fee in zip(VENUES, fees, strict=True)]
        self.books = [Sequenced(Book(venue, "ETH/USDT")) for venue in VENUES]
        self.merger = Merger("ETH", "USDT", outlets, depth=SHOWN, shown=SHOWN)
        for index, book in enumerate(self.books):
            book.apply(snapshot)
            self.merger.update(index, book.book)

    def take(self, index: int, change: BookChange) -> None:
        book = self.books[index]
        if book.apply(change):
            self.merger.update(index, book.book)


def timed(work: Callable[[int], None], count: int) -> tuple[float, np.ndarray]:
    """(seconds in all, microseconds of each message)"""
    spent = np.empty(count)
    gc.collect()
    began = before = time.perf_counter_ns()
    for index in range(count):
        work(index)
        now = time.perf_counter_ns()
        spent[index], before = now - before, now
    return (before - began) / 1e9, spent / 1e3


def measured(snapshot: BookChange, messages: Sequence[bytes]) -> dict[str, tuple[float, np.ndarray]]:
    """Each way once, with new books."""
    wire, count = Binance({"ETHUSDT": "ETH/USDT"}), len(messages) * len(VENUES)
    changes = [change for raw in messages for change in wire.decode(raw)]
    raw_side, decoded_side = Wired(snapshot), Wired(snapshot)

    def raw(index: int) -> None:
        for change in wire.decode(messages[index // 4]):
            raw_side.take(index % 4, change)

    def decoded(index: int) -> None:
        decoded_side.take(index % 4, changes[index // 4])

    found = {"raw": timed(raw, count), "decoded": timed(decoded, count)}
    for side in (raw_side, decoded_side):
        assert all(book.live and book.last == changes[-1].last for book in side.books)
    return found


def main() -> int:
    raw = recording()
    if raw is None:
        print("The recorded order books are not present, so nothing is measured (see ORCHESTRATOR_TEST_DATA).")
        return 0
    wire = Binance({"ETHUSDT": "ETH/USDT"})
    snapshot, messages = wire.snapshot(raw[0], "ETH/USDT"), raw[1:]
    changes = [change for message in messages for change in wire.decode(message)]
    levels = sum(len(change.bids) + len(change.asks) for change in changes)
    measured(snapshot, messages)  # compiles
    rounds = [measured(snapshot, messages) for _ in range(ROUNDS)]
    print(
        f"{len(messages):,} recorded messages with {levels:,} levels ({levels / len(messages):.0f} each) told by "
        f"{len(VENUES)} venues, medians of {ROUNDS} rounds"
    )
    rates = {}
    for name, told in (("raw", "raw JSON, decoder, book, merged book"), ("decoded", "decoded changes, merged book")):
        seconds = statistics.median(each[name][0] for each in rounds)
        p50, p99 = (statistics.median(float(np.percentile(each[name][1], at)) for each in rounds) for at in (50, 99))
        rates[name] = len(messages) * len(VENUES) / seconds
        row(f"{told}: messages a second", f"{rates[name]:,.0f}")
        row(f"{told}: level changes a second", f"{levels * len(VENUES) / seconds:,.0f}")
        row(f"{told}: per message", f"{p50:.1f} us, p99 {p99:.1f} us")
    kept = rates["decoded"] >= LEAST
    row(f"at least {LEAST:,} decoded messages a second", "yes" if kept else "NO")
    return 0 if kept else 1


def row(name: str, figure: str) -> None:
    print(f"{name:64} {figure:>26}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
