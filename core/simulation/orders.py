"""place, cancel, protect, finish: how orders and protection enter and leave the state."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined, kernel
from core.simulation.fields import (
    A_FILLS,
    A_LATENCY,
    A_REFS,
    B_ACTIVE,
    B_BARS,
    B_EXIT,
    B_GUARDED,
    B_MARK,
    B_PEAK,
    B_STOP,
    B_TARGET,
    B_TICK,
    B_TICK_PER,
    B_TIME,
    B_TRAIL,
    BY_EXPOSURE,
    F_FEE,
    F_INSTRUMENT,
    F_MAKER,
    F_PHASE,
    F_PRICE,
    F_QUANTITY,
    F_REASON,
    F_REF,
    F_REMAINING,
    F_SIDE,
    F_TIME,
    O_ELIGIBLE,
    O_INSTRUMENT,
    O_KIND,
    O_LIMIT,
    O_MODE,
    O_PEAK,
    O_REF,
    O_SIDE,
    O_STOP,
    O_TARGET,
    O_TRIGGER,
    O_TRIGGERED,
    ORDER,
)
from core.simulation.grid import nearest

Floats = NDArray[np.float64]


@inlined
def place(account: Floats, book: Floats, orders: Floats, ticket: Floats) -> int:
    """Copies the ticket (an order row) into a free slot and returns the slot, or -1 when none is free.

    Order prices go to the nearest tick; the order may fill from the next bar on, plus latency.
    """
    used = 0
    for s in range(orders.shape[0]):  # close the gaps, so that slots stay in the order of placing
        if orders[s, O_KIND] != 0.0:
            if s != used:
                for column in range(ORDER):
                    orders[used, column] = orders[s, column]
                orders[s, O_KIND] = 0.0
            used += 1
    if used == orders.shape[0]:
        return -1
    i = int(ticket[O_INSTRUMENT])
    tick, per = book[i, B_TICK], book[i, B_TICK_PER]
    for column in range(ORDER):
        orders[used, column] = ticket[column]
    orders[used, O_LIMIT] = nearest(ticket[O_LIMIT], tick, per)
    orders[used, O_TRIGGER] = nearest(ticket[O_TRIGGER], tick, per)
    orders[used, O_STOP] = nearest(ticket[O_STOP], tick, per)
    orders[used, O_TARGET] = nearest(ticket[O_TARGET], tick, per)
    orders[used, O_PEAK] = book[i, B_MARK]
    orders[used, O_TRIGGERED] = 0.0
    orders[used, O_ELIGIBLE] = book[i, B_BARS] + 1.0 + account[A_LATENCY]
    if orders[used, O_REF] <= 0.0:
        account[A_REFS] += 1.0
        orders[used, O_REF] = account[A_REFS]
    elif orders[used, O_REF] > account[A_REFS]:
        account[A_REFS] = orders[used, O_REF]
    book[i, B_ACTIVE] += 1.0
    return used


@inlined
def cancel(book: Floats, orders: Floats, s: int) -> None:
    """Frees the slot."""
    book[int(orders[s, O_INSTRUMENT]), B_ACTIVE] -= 1.0
    orders[s, O_KIND] = 0.0


@inlined
def cancel_signals(book: Floats, orders: Floats, i: int) -> None:
    """Frees every order of the instrument that a signal placed (those sized by exposure)."""
    if book[i, B_ACTIVE] > 0.0:
        for s in range(orders.shape[0]):
            if orders[s, O_KIND] != 0.0 and orders[s, O_INSTRUMENT] == i and orders[s, O_MODE] == BY_EXPOSURE:
                cancel(book, orders, s)


@kernel
def finish(account: Floats, book: Floats, orders: Floats, fills: Floats, s: int, reason: float) -> None:
    """Ends an order that will not fill (further) and writes down why, as a row of quantity 0."""
    i = int(orders[s, O_INSTRUMENT])
    row = int(account[A_FILLS])
    fills[row, F_REF] = orders[s, O_REF]
    fills[row, F_INSTRUMENT] = i
    fills[row, F_TIME] = book[i, B_TIME]
    fills[row, F_SIDE] = orders[s, O_SIDE]
    fills[row, F_PRICE] = np.nan
    fills[row, F_QUANTITY] = 0.0
    fills[row, F_FEE] = 0.0
    fills[row, F_MAKER] = 0.0
    fills[row, F_REASON] = reason
    fills[row, F_REMAINING] = 0.0
    fills[row, F_PHASE] = 0.0
    account[A_FILLS] = row + 1
    cancel(book, orders, s)


@inlined
def protect(book: Floats, i: int, stop: float, target: float, trail: float, price: float) -> None:
    """Sets the given protection of the position; NaN leaves what is there. A new trail starts at `price`."""
    tick, per = book[i, B_TICK], book[i, B_TICK_PER]
    if not np.isnan(stop):
        book[i, B_STOP] = nearest(stop, tick, per)
    if not np.isnan(target):
        book[i, B_TARGET] = nearest(target, tick, per)
    if not np.isnan(trail):
        if np.isnan(book[i, B_TRAIL]):
            book[i, B_PEAK] = price
        book[i, B_TRAIL] = trail
    guard(book, i)


@inlined
def unprotect(book: Floats, i: int) -> None:
    """Removes all protection of the position and any exit in progress."""
    book[i, B_STOP] = np.nan
    book[i, B_TARGET] = np.nan
    book[i, B_TRAIL] = np.nan
    book[i, B_PEAK] = np.nan
    book[i, B_EXIT] = 0.0
    book[i, B_GUARDED] = 0.0


@inlined
def guard(book: Floats, i: int) -> None:
    """Notes whether the position has protection, so that bars without any cost nothing."""
    live = not (np.isnan(book[i, B_STOP]) and np.isnan(book[i, B_TARGET]) and np.isnan(book[i, B_TRAIL]))
    book[i, B_GUARDED] = 1.0 if live or book[i, B_EXIT] != 0.0 else 0.0
