"""place, cancel, finish: how orders enter and leave the state, and what they do to those they belong together with.

A partial target is an order like others (a reduce-only limit) with O_PARENT: it sleeps until its entry has filled, ends
without a row of its own, and goes with the position. Orders of one O_GROUP shrink as one of them fills.
"""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined, lean
from core.simulation.fields import (
    A_FILLS,
    A_LATENCY,
    A_PHASE,
    A_REFS,
    AT_OPEN,
    B_ACTIVE,
    B_BARS,
    B_LOT,
    B_LOT_PER,
    B_MARK,
    B_TICK,
    B_TICK_PER,
    B_TIME,
    BY_EXPOSURE,
    BY_QUANTITY,
    EMPTY,
    F_FEE,
    F_INSTRUMENT,
    F_MAKER,
    F_PAID,
    F_PHASE,
    F_PRICE,
    F_QUANTITY,
    F_REASON,
    F_REF,
    F_REMAINING,
    F_SIDE,
    F_TIME,
    GROUPED,
    O_AMOUNT,
    O_CHILDREN,
    O_ELIGIBLE,
    O_FROM,
    O_GROUP,
    O_INSTRUMENT,
    O_KIND,
    O_LIMIT,
    O_MODE,
    O_OPENED,
    O_PARENT,
    O_PEAK,
    O_REF,
    O_SIDE,
    O_STOP,
    O_TARGET,
    O_TRIGGER,
    O_TRIGGERED,
    O_UNTIL,
    ORDER,
)
from core.simulation.grid import down, nearest

Floats = NDArray[np.float64]


@inlined
def place(account: Floats, book: Floats, orders: Floats, ticket: Floats) -> int:
    """Copies the ticket (an order row) into a free slot and returns the slot, or -1 when none is free.

    Order prices go to the nearest tick and quantities down to the lot; it may fill from the next bar on, plus latency.
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
    if ticket[O_MODE] == BY_QUANTITY:
        whole = down(ticket[O_AMOUNT], book[i, B_LOT], book[i, B_LOT_PER])
        orders[used, O_AMOUNT] = whole if whole > 0.0 else ticket[O_AMOUNT]  # its fill tells that it is too small
    orders[used, O_PEAK] = book[i, B_MARK]
    orders[used, O_TRIGGERED] = 0.0
    orders[used, O_ELIGIBLE] = book[i, B_BARS] + 1.0 + account[A_LATENCY] if ticket[O_PARENT] == 0.0 else np.inf
    if orders[used, O_REF] <= 0.0:
        account[A_REFS] += 1.0
        orders[used, O_REF] = account[A_REFS]
    elif orders[used, O_REF] > account[A_REFS]:
        account[A_REFS] = orders[used, O_REF]
    book[i, B_ACTIVE] += 1.0
    return used


@inlined
def cancel(book: Floats, orders: Floats, s: int) -> None:
    """Frees the slot, and those of its partial targets that its fills have not brought to life."""
    book[int(orders[s, O_INSTRUMENT]), B_ACTIVE] -= 1.0
    orders[s, O_KIND] = 0.0
    if orders[s, O_CHILDREN] > 0.0:
        for c in range(orders.shape[0]):
            if orders[c, O_KIND] != 0.0 and orders[c, O_PARENT] == orders[s, O_REF] and orders[c, O_AMOUNT] == 0.0:
                book[int(orders[c, O_INSTRUMENT]), B_ACTIVE] -= 1.0
                orders[c, O_KIND] = 0.0


@inlined
def recalled(account: Floats, book: Floats, orders: Floats, s: int, i: int) -> bool:
    """Whether the slot holds an order that a signal placed (one that aims at a position) and a new one takes back.

    What is on its way to the venue arrives there before a cancellation could, and is not taken back.
    """
    if orders[s, O_KIND] == 0.0 or orders[s, O_INSTRUMENT] != i or orders[s, O_MODE] < BY_EXPOSURE:
        return False
    arrives, bars = orders[s, O_ELIGIBLE], book[i, B_BARS]
    return bool(arrives <= bars or arrives >= bars + 1.0 + account[A_LATENCY])


@inlined
def cancel_signals(account: Floats, book: Floats, orders: Floats, i: int) -> None:
    """Frees every order of the instrument that a new signal takes back."""
    if book[i, B_ACTIVE] > 0.0:
        for s in range(orders.shape[0]):
            if recalled(account, book, orders, s, i):
                cancel(book, orders, s)


@lean
def finish(account: Floats, book: Floats, orders: Floats, fills: Floats, s: int, reason: float) -> None:
    """Ends an order that will not fill (further) and writes down why, as a row of quantity 0."""
    if orders[s, O_PARENT] != 0.0:
        cancel(book, orders, s)
        return
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
    fills[row, F_PAID] = 0.0
    account[A_FILLS] = row + 1
    cancel(book, orders, s)


@lean
def bear(account: Floats, book: Floats, orders: Floats, s: int, side: float, opened: float) -> None:
    """Brings the partial targets of an entry to life for `opened` base more of position.

    They are counted in whole lots of all that the entry has opened, so that parts that add up to the whole close the
    whole. What an entry inside the bar opened, they may close from the next bar on.
    """
    i = int(orders[s, O_INSTRUMENT])
    lot, per = book[i, B_LOT], book[i, B_LOT_PER]
    before = orders[s, O_OPENED]
    total = before + opened
    orders[s, O_OPENED] = total
    for c in range(orders.shape[0]):
        if orders[c, O_KIND] != 0.0 and orders[c, O_PARENT] == orders[s, O_REF]:
            now = down(orders[c, O_UNTIL] * total, lot, per) - down(orders[c, O_FROM] * total, lot, per)
            was = down(orders[c, O_UNTIL] * before, lot, per) - down(orders[c, O_FROM] * before, lot, per)
            orders[c, O_AMOUNT] = nearest(orders[c, O_AMOUNT] + (now - was), lot, per)
            orders[c, O_SIDE] = -side
            if orders[c, O_AMOUNT] > 0.0:
                orders[c, O_ELIGIBLE] = book[i, B_BARS] + (0.0 if account[A_PHASE] == AT_OPEN else 1.0)


@lean
def orphan(book: Floats, orders: Floats, i: int) -> None:
    """The instrument's position has ended, and so do its partial targets; those of an entry that still fills sleep."""
    for c in range(orders.shape[0]):
        if orders[c, O_KIND] != 0.0 and orders[c, O_INSTRUMENT] == i and orders[c, O_PARENT] != 0.0:
            open_entry = False
            for s in range(orders.shape[0]):
                if orders[s, O_KIND] != 0.0 and orders[s, O_PARENT] == 0.0 and orders[s, O_REF] == orders[c, O_PARENT]:
                    open_entry = True
                    orders[s, O_OPENED] = 0.0
            if open_entry:
                orders[c, O_AMOUNT] = 0.0
                orders[c, O_ELIGIBLE] = np.inf
            else:
                cancel(book, orders, c)


@lean
def shrink(
    account: Floats, book: Floats, orders: Floats, fills: Floats, s: int, price: float, quantity: float, done: bool
) -> None:
    """An order of a group has filled `quantity`: the others want that much less, and end when it is done.

    Those on another instrument end with the first part of it.
    """
    for other in range(orders.shape[0]):
        if other == s or orders[other, O_KIND] == 0.0 or orders[other, O_GROUP] != orders[s, O_GROUP]:
            continue
        if not done and orders[other, O_INSTRUMENT] == orders[s, O_INSTRUMENT]:
            if orders[other, O_MODE] >= BY_EXPOSURE:
                continue
            amount, worth = orders[other, O_AMOUNT], quantity * price
            left = amount - worth
            if orders[other, O_MODE] == BY_QUANTITY:
                i = int(orders[other, O_INSTRUMENT])
                lot, per = book[i, B_LOT], book[i, B_LOT_PER]
                worth, left = quantity, nearest(amount - quantity, lot, per)
            orders[other, O_AMOUNT] = left
            if left > EMPTY * worth:
                continue
        finish(account, book, orders, fills, other, GROUPED)
