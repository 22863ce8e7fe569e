"""quiet: how far a run may go on without matching, because nothing in the book can meet the prices until then.

Between two levels, below every price that would act from above and above every one that would act from below, a bar
changes nothing but the mark. Such bars are skipped over; what is left of them is the equity at their closes.
"""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined
from core.simulation.fields import (
    A_BORROW,
    A_CASH,
    A_MAINTENANCE,
    B_ACTIVE,
    B_BARS,
    B_EXIT,
    B_GUARDED,
    B_PEAK,
    B_PERPETUAL,
    B_QUANTITY,
    B_TARGET,
    DUST,
    GTC,
    GTD,
    LIMIT,
    MARGIN,
    MARKET,
    O_ELIGIBLE,
    O_EXPIRES,
    O_INSTRUMENT,
    O_KIND,
    O_LIMIT,
    O_PEAK,
    O_SIDE,
    O_TIF,
    O_TRIGGERED,
    STOP_LIMIT,
    TRAILING,
)
from core.simulation.matching import trigger_of
from core.simulation.protection import stop_of

Floats = NDArray[np.float64]
BLOCK = 16  # rows


@inlined
def band(account: Floats, book: Floats, orders: Floats, i: int) -> tuple[float, float, float]:
    """(lower, upper, until): nothing of instrument i acts in a bar that lies strictly between the two and opens before
    `until` (ms); lower is inf when any bar may act.
    """
    lower, upper, until = -np.inf, np.inf, np.inf
    held = book[i, B_QUANTITY]
    if book[i, B_GUARDED] >= MARGIN:
        if held > 0.0 or book[i, B_PERPETUAL] != 0.0 or account[A_BORROW] != 0.0 or book.shape[0] > 1:
            return np.inf, upper, until
        # a lone short that pays nothing is quiet up to its liquidation, less a hair for rounding
        upper = account[A_CASH] / (-held * (1.0 + account[A_MAINTENANCE])) * (1.0 - DUST)
    if book[i, B_GUARDED] != 0.0 and held != 0.0:
        if book[i, B_EXIT] != 0.0:
            return np.inf, upper, until
        stop, _ = stop_of(book, i)
        target, peak = book[i, B_TARGET], book[i, B_PEAK]
        if held > 0.0:
            lower = max(lower, stop) if stop == stop else lower
            upper = min(upper, target) if target == target else upper
            upper = min(upper, peak) if peak == peak else upper
        else:
            upper = min(upper, stop) if stop == stop else upper
            lower = max(lower, target) if target == target else lower
            lower = max(lower, peak) if peak == peak else lower
    if book[i, B_ACTIVE] > 0.0:
        for s in range(orders.shape[0]):
            kind = orders[s, O_KIND]
            if kind == 0.0 or orders[s, O_INSTRUMENT] != i:
                continue
            tif, side = orders[s, O_TIF], orders[s, O_SIDE]
            if kind == MARKET or (tif != GTC and tif != GTD) or book[i, B_BARS] + 1.0 < orders[s, O_ELIGIBLE]:
                return np.inf, upper, until
            if tif == GTD:
                until = min(until, orders[s, O_EXPIRES])
            if kind == LIMIT or (kind == STOP_LIMIT and orders[s, O_TRIGGERED] != 0.0):
                if side > 0.0:
                    lower = max(lower, orders[s, O_LIMIT])
                else:
                    upper = min(upper, orders[s, O_LIMIT])
                continue
            if orders[s, O_TRIGGERED] != 0.0:
                return np.inf, upper, until
            trigger = trigger_of(orders, s)
            if trigger != trigger:  # a trailing order that has seen no price yet
                return np.inf, upper, until
            if side > 0.0:
                upper = min(upper, trigger)
                lower = max(lower, orders[s, O_PEAK]) if kind == TRAILING else lower
            else:
                lower = max(lower, trigger)
                upper = min(upper, orders[s, O_PEAK]) if kind == TRAILING else upper
    return lower, upper, until


@inlined
def first_outside(low: Floats, high: Floats, first: int, end: int, lower: float, upper: float) -> int:
    """The first row of first:end whose bar does not lie strictly between the levels; end when all do."""
    t = first
    while t + BLOCK <= end:  # a block at a time, which the processor compares at once
        lows, highs = low[t:], high[t:]
        outside = 0
        for k in range(BLOCK):
            outside += (lows[k] <= lower) | (highs[k] >= upper)
        if outside != 0:
            break
        t += BLOCK
    while t < end and low[t] > lower and high[t] < upper:
        t += 1
    return t


@inlined
def follow(book: Floats, i: int, low: Floats, high: Floats, first: int, end: int) -> int:
    """As `first_outside` for a long position whose stop trails: each bar that passes may raise the best price."""
    target = np.inf if np.isnan(book[i, B_TARGET]) else book[i, B_TARGET]
    stop, _ = stop_of(book, i)
    t = first
    while t < end and low[t] > stop and high[t] < target:
        if high[t] > book[i, B_PEAK]:
            book[i, B_PEAK] = high[t]
            stop, _ = stop_of(book, i)
        t += 1
    return t
