"""What margined positions cost while they are held, and when the venue closes them by force.

Inside a bar all prices are taken to move together from where they stand to their worst for the account, each no further
than the protective stop that would close its position on the way. Where equity falls below the maintenance margin on
that way, everything is closed at the prices of that point. With one instrument this is its liquidation price; with
several it is a pessimistic account of a bar whose order of prices is unknown, and sees no later bar.
"""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined, lean
from core.simulation.execution import slipped, trade
from core.simulation.fields import (
    A_BORROW,
    A_CASH,
    A_EQUITY,
    A_FUNDING,
    A_INSURED,
    A_INTEREST,
    A_LIQUIDATION,
    A_MAINTENANCE,
    A_MARGINED,
    A_RATE,
    A_SHARE,
    A_TAKER,
    B_CLOSE,
    B_EXIT,
    B_FLOW,
    B_FUNDING,
    B_GUARDED,
    B_HIGH,
    B_LAST,
    B_LOW,
    B_MARK,
    B_OPEN,
    B_OPENED,
    B_PAID,
    B_PERPETUAL,
    B_PRESENT,
    B_QUANTITY,
    B_REF,
    B_ROOM,
    B_SEEN,
    B_TIME,
    B_VOLUME,
    FUNDED,
    INTRABAR,
    LIQUIDATED,
    MARGIN,
    O_KIND,
    SUPERSEDED,
    YEAR,
)
from core.simulation.orders import finish
from core.simulation.protection import guard, margined, stop_of

Floats = NDArray[np.float64]


@lean
def charge(account: Floats, book: Floats) -> None:
    """Funding of perpetuals and interest on shorts since the last bar, at this bar's open, on what was held until then.

    To be called before `begin`.
    """
    for i in range(book.shape[0]):
        held = book[i, B_QUANTITY]
        if book[i, B_PRESENT] == 0.0 or held == 0.0:
            continue
        paid = 0.0
        if book[i, B_PERPETUAL] != 0.0:
            rate = book[i, B_FUNDING]
            if np.isnan(rate):
                times = np.floor(book[i, B_TIME] / FUNDED) - np.floor(book[i, B_SEEN] / FUNDED)
                rate = account[A_RATE] * times
            paid = held * book[i, B_OPEN] * rate
            account[A_FUNDING] += paid
        elif held < 0.0:
            paid = -held * book[i, B_OPEN] * account[A_BORROW] * (book[i, B_TIME] - book[i, B_SEEN]) / YEAR
            account[A_INTEREST] += paid
        account[A_CASH] -= paid
        book[i, B_FLOW] -= paid
        book[i, B_PAID] += paid


@inlined
def reach(book: Floats, i: int, stopped: bool) -> tuple[float, float]:
    """(start, worst) of a held instrument's prices inside the bar, from when it was held; its mark without a bar.

    stopped: the protective stop ends the way, where the volume lets it close the position
    """
    if book[i, B_PRESENT] == 0.0:
        return book[i, B_MARK], book[i, B_MARK]
    held = book[i, B_QUANTITY]
    start = book[i, B_OPEN]
    worst = book[i, B_LOW] if held > 0.0 else book[i, B_HIGH]
    if book[i, B_OPENED] == INTRABAR:
        start = book[i, B_LAST]
        if worst == book[i, B_OPEN]:  # the way led straight from the open to a stop entry
            worst = book[i, B_CLOSE]
    if stopped and book[i, B_EXIT] == 0.0 and book[i, B_ROOM] >= abs(held):
        stop, _ = stop_of(book, i)
        if held > 0.0 and stop > worst:
            worst = min(stop, start)
        elif held < 0.0 and stop < worst:
            worst = max(stop, start)
    return start, worst


@lean
def liquidate_at_open(account: Floats, book: Floats, orders: Floats, fills: Floats) -> None:
    """Closes everything at the opens where equity no longer covers the maintenance margin there."""
    needed = 0.0
    for i in range(book.shape[0]):
        if margined(book, i):
            price = book[i, B_OPEN] if book[i, B_PRESENT] != 0.0 else book[i, B_MARK]
            needed += abs(book[i, B_QUANTITY]) * price
    if account[A_EQUITY] < account[A_MAINTENANCE] * needed:
        close_all(account, book, orders, fills, False, 0.0)


@lean
def liquidate_inside(account: Floats, book: Floats, orders: Floats, fills: Floats, stopped: bool) -> None:
    """Closes everything where the bar takes equity below the maintenance margin."""
    cushion_at_start = cushion_at_worst = account[A_CASH]
    for i in range(book.shape[0]):
        held = book[i, B_QUANTITY]
        if held != 0.0:
            start, worst = reach(book, i, stopped)
            kept = account[A_MAINTENANCE] * abs(held) if margined(book, i) else 0.0
            cushion_at_start += (held - kept) * start
            cushion_at_worst += (held - kept) * worst
    if cushion_at_worst < 0.0:
        way = 0.0
        if cushion_at_start > 0.0:
            way = cushion_at_start / (cushion_at_start - cushion_at_worst)
        close_all(account, book, orders, fills, stopped, way)


@lean
def close_all(account: Floats, book: Floats, orders: Floats, fills: Floats, stopped: bool, way: float) -> None:
    """Ends every order and closes every position at this part of its way through the bar, whatever the volume."""
    now = 0.0
    for i in range(book.shape[0]):
        if book[i, B_PRESENT] != 0.0:
            now = max(now, book[i, B_TIME])
    for s in range(orders.shape[0]):
        if orders[s, O_KIND] != 0.0:
            finish(account, book, orders, fills, s, SUPERSEDED)
    rate = account[A_TAKER] + account[A_LIQUIDATION]
    for i in range(book.shape[0]):
        held = book[i, B_QUANTITY]
        if held == 0.0:
            continue
        side = -1.0 if held > 0.0 else 1.0
        start, worst = reach(book, i, stopped)
        if book[i, B_PRESENT] == 0.0:
            book[i, B_TIME] = now
        taken = min(abs(held), book[i, B_VOLUME] * account[A_SHARE])  # no model of impact reaches further
        price = slipped(account, book, i, side, start + way * (worst - start), taken)
        trade(
            account, book, fills, i, side, price, abs(held), rate, 0.0, float(LIQUIDATED), book[i, B_REF], 0.0
        )  # fmt: skip


@lean
def settle(account: Floats, book: Floats) -> None:
    """At the end of a step with margin: a flat account owes nothing, as the insurance fund takes that, and another one
    is watched on while it holds what is margined, or owes what a short once brought.
    """
    watched, flat, owes = False, True, account[A_CASH] < 0.0
    for i in range(book.shape[0]):
        if book[i, B_QUANTITY] != 0.0:
            flat = False
            guard(book, i)
            if owes and book[i, B_GUARDED] < MARGIN:
                book[i, B_GUARDED] += MARGIN
            if book[i, B_GUARDED] >= MARGIN:
                watched = True
    if flat and owes:
        account[A_INSURED] -= account[A_CASH]
        account[A_CASH] = 0.0
    account[A_MARGINED] = 1.0 if watched else 0.0
