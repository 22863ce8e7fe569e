"""warm: compiles the kernels, or loads them from their cache, before anyone waits for them."""

import numpy as np

from core.events import Bar
from core.exchanges.scanner import Scanner
from core.market.bars import Bars
from core.market.book import Book, BookChange, levels_of
from core.market.instrument import Instrument
from core.market.merged import Merger, Outlet
from core.research.backtest import backtest
from core.research.sweep import sweep
from core.simulation.account import SignalRow, SimulatedAccount, Ticket
from core.strategies import SmaCross
from core.trading.costs import Costs


def warm() -> None:
    """A small backtest, paper account and merged book: some 45 s of CPU once per installation, then under a second."""
    warm_books()
    instrument = Instrument("warm", "UP", "USDT")
    close = np.array([3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 1.0])
    volume = np.full(len(close), 1e6)
    bars = Bars(instrument, "1m", np.arange(len(close)) * 60_000, close, close, close, close, volume)
    backtest(SmaCross(1, 2), bars).document()  # the measures as well
    sweep(SmaCross, bars, {"fast": [1], "slow": [2, 3]}, scheduler="local")
    account = SimulatedAccount(1_000.0, Costs())
    index = account.add(instrument)
    for time in range(3):
        account.step({index: Bar(time, 1.0, 1.0, 1.0, 1.0, 1e6)})
        account.apply(index, account.decide(index, SignalRow(exposure=1.0, stop=0.5)))
    account.protect(index, SignalRow(stop=0.6, distance=0.5))
    account.unprotect(index)
    account.transfer(-account.free)
    account.cancel(account.place(index, Ticket("limit", 1, quantity=1.0, limit=0.5)))


def warm_books() -> None:
    """The kernels of order books and of arbitrage between them."""
    listed = [
        Instrument(venue, base, quote)
        for venue in ("one", "two")
        for base, quote in (("UP", "USDT"), ("OFF", "USDT"), ("UP", "OFF"))
    ]
    merger, scanner = Merger("UP", "USDT", [Outlet(listed[0], 0.001)]), Scanner(listed, lambda venue: 0.001)
    for each in listed:
        book = Book(each.venue, each.symbol, limit=1)
        change = BookChange(each.venue, each.symbol, 0, levels_of([(1, 1), (2, 1)]), levels_of([(3, 1), (4, 1)]), True)
        book.apply(change)
        scanner.update(each, book, 0)
        merger.update(0, book)
    merger.leave_out(0)
    scanner.scan_all(0)


if __name__ == "__main__":
    warm()
