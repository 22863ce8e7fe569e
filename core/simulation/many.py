"""run_many: several runs of one account over the same bars, each measured as soon as it has ended.

Only what is asked of them leaves: no run keeps its curve or its fills, and the interpreter is not needed in between.
"""

import numpy as np
from numpy.typing import NDArray

from core.analytics.moments import ratio
from core.analytics.summary import SUMMARY, returns_from, summarise
from core.indicators.compiled import kernel
from core.simulation.addresses import Addresses
from core.simulation.fields import A_CASH, A_EXPOSED, A_FEES, A_TURNOVER, ORDER
from core.simulation.kernel import run
from core.simulation.trips import (
    T_ENTRY_NOTIONAL,
    T_EXIT_NOTIONAL,
    T_FEES,
    T_OPEN,
    T_PAID,
    T_SIDE,
    round_trips,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TRADED = ("trades", "open_trades", "win_rate", "profit_factor", "expectancy", "exposure", "turnover", "fees_paid")
FOUND = (*SUMMARY, *TRADED)
CURVE = len(SUMMARY)


@kernel
def traded(trips: Floats, found: Floats) -> None:
    """Writes (trades, open_trades, win_rate, profit_factor, expectancy) of the round trips."""
    closed, still, won = 0, 0, 0
    gained, lost, whole = 0.0, 0.0, 0.0
    for row in range(len(trips)):
        if trips[row, T_OPEN] != 0.0:
            still += 1
            continue
        closed += 1
        change = trips[row, T_EXIT_NOTIONAL] - trips[row, T_ENTRY_NOTIONAL]
        profit = trips[row, T_SIDE] * change - trips[row, T_FEES] - trips[row, T_PAID]
        whole += profit
        if profit > 0.0:
            won += 1
            gained += profit
        else:
            lost -= profit
    found[0], found[1] = closed, still
    found[2] = won / closed if closed > 0 else np.nan
    found[3] = ratio(gained, lost, 1.0)
    found[4] = whole / closed if closed > 0 else np.nan


@kernel
def measure(
    curve: Floats, fills: Floats, account: Floats, instruments: int, cash: float, year: float, steps: int,
    found: Floats,
) -> None:  # fmt: skip
    """Writes (len(FOUND),) what a run that began with `cash` came to. curve: (n,) its equity; steps: bars matched."""
    found[:CURVE] = summarise(curve, cash, year)
    traded(round_trips(fills, instruments), found[CURVE:])
    found[CURVE + 5] = account[A_EXPOSED] / steps
    found[CURVE + 6] = account[A_TURNOVER] / cash
    found[CURVE + 7] = account[A_FEES]


@kernel
def run_many(
    account: Floats, book: Floats, slots: int, bars: Addresses, signals: Addresses, firsts: Integers, ends: Integers,
    aligned: bool, shares: Floats, year: float, equity: Floats, blocks: Integers, found: Floats, returns: Floats,
) -> int:  # fmt: skip
    """Runs the account once for each table of signals and writes what it came to.

    account, book: as each run begins; signals: (runs, instruments, 7) addresses; shares: (runs,) as `run` takes them
    equity: room for the steps of one run; blocks: (m,) the steps whose equity divides a curve into blocks
    found: (runs, len(FOUND)); returns: (runs, m)
    Returns how many runs ended; one less than asked for ended at a signal that cannot be meant.
    """
    times = np.empty(len(equity) if book.shape[0] > 1 else 0, np.int64)
    cash = account[A_CASH]
    for k in range(signals.shape[0]):
        own = account.copy()
        fills, steps, wrong = run(
            own, book.copy(), np.zeros((slots, ORDER)), bars, signals[k], np.zeros(book.shape[0], np.int64), firsts,
            ends, aligned, shares[k], equity, times,
        )  # fmt: skip
        if wrong >= 0:
            return k
        curve = equity[:steps]
        measure(curve, fills, own, book.shape[0], cash, year, steps, found[k])
        if len(blocks) > 0:
            returns[k] = returns_from(curve[blocks], cash)
    return signals.shape[0]
