"""step and run: one bar of every instrument, and a whole history as a fold of steps."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import borrowed, inlined, kernel
from core.simulation.decide import decide, equity_of
from core.simulation.fields import (
    A_CASH,
    A_EXPOSED,
    A_FILLS,
    A_MARGINED,
    A_OBSERVES,
    B_ACTIVE,
    B_BARS,
    B_CLOSE,
    B_FUNDING,
    B_GUARDED,
    B_HIGH,
    B_LOW,
    B_MARK,
    B_OPEN,
    B_PRESENT,
    B_QUANTITY,
    B_TIME,
    B_VOLUME,
    CANCEL,
    FILL,
    ORDER,
    PLACE,
    PROTECT,
)
from core.simulation.liquidation import charge, liquidate_at_open, settle
from core.simulation.matching import begin, match_inside, match_open
from core.simulation.orders import cancel_signals, place
from core.simulation.protection import protect
from core.simulation.sizes import observe

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LATEST = 9223372036854775807  # no bar is left


@inlined
def mark(book: Floats) -> bool:
    """The present bars' closes become the marks. Returns whether any position is held."""
    exposed = False
    for i in range(book.shape[0]):
        if book[i, B_PRESENT] != 0.0:
            book[i, B_MARK] = book[i, B_CLOSE]
        if book[i, B_QUANTITY] != 0.0:
            exposed = True
    return exposed


@kernel
def step(account: Floats, book: Floats, orders: Floats, fills: Floats) -> None:
    """One bar of every instrument that is present in the book: match at the open, match inside, mark.

    `fills` needs room for `rows_per_step` more rows.
    """
    busy = False
    for i in range(book.shape[0]):
        if book[i, B_PRESENT] != 0.0:
            book[i, B_BARS] += 1.0
            if book[i, B_ACTIVE] > 0.0 or book[i, B_GUARDED] != 0.0:
                busy = True
    if busy:
        if account[A_MARGINED] != 0.0:
            charge(account, book)
        begin(account, book)
        if account[A_MARGINED] != 0.0:
            liquidate_at_open(account, book, orders, fills)
        match_open(account, book, orders, fills)
        match_inside(account, book, orders, fills)
        if account[A_MARGINED] != 0.0:
            settle(account, book)
    if account[A_OBSERVES] != 0.0:
        for i in range(book.shape[0]):
            if book[i, B_PRESENT] != 0.0:
                observe(account, book, i, book[i, B_CLOSE])
    if mark(book):
        account[A_EXPOSED] += 1.0


@inlined
def rows_per_step(instruments: int, slots: int) -> int:
    """The most rows one step can write into fills."""
    return 3 * slots + 6 * instruments


@kernel
def extent(values: Floats) -> tuple[float, float]:
    """(least, most) of the values that are not NaN; (inf, -inf) when there is none."""
    least, most = np.inf, -np.inf
    for value in values:
        if value < least:
            least = value
        if value > most:
            most = value
    return least, most


@kernel
def coast(
    account: Floats, book: Floats, first: int, end: int, close: Floats, exposure: Floats, stops: bool, equity: Floats,
    done: int,
) -> int:  # fmt: skip
    """Steps a lone instrument without orders or protection through the bars first:end, up to the first that asks for
    a decision; only its mark moves in them. Returns the number of bars, that one included.
    """
    quantity, cash = book[0, B_QUANTITY], account[A_CASH]
    t = first
    while t < end:
        equity[done + t - first] = cash + quantity * close[t] if quantity != 0.0 else cash
        t += 1
        if stops or not np.isnan(exposure[t - 1]):
            break
    last = t - 1
    book[0, B_PRESENT] = 1.0
    book[0, B_MARK] = close[last]  # no decision reads the rest of the bar, so it is not fetched
    book[0, B_BARS] += t - first
    if quantity != 0.0:
        account[A_EXPOSED] += t - first
    return t - first


@kernel
def run(
    account: Floats, book: Floats, orders: Floats, firsts: Integers, ends: Integers, timestamp: Integers,
    opened: Floats, high: Floats, low: Floats, close: Floats, volume: Floats,
    exposure: Floats, limit: Floats, stop: Floats, target: Floats, trail: Floats, funding: Floats,
    equity: Floats, times: Integers,
) -> tuple[Floats, int]:  # fmt: skip
    """A history, or a part of one: the state goes on from where it is, and so may be run on.

    The instruments' bars lie one after the other in each array: instrument i's part is firsts[i]:ends[i]; limit, stop,
    target, trail, funding (due at each bar's open, NaN where unknown) may have length 0. Instruments advance together
    by timestamp.
    Writes equity per step, and times where there are several instruments; returns (fills, number of steps).
    """
    account, book, orders = borrowed(account), borrowed(book), borrowed(orders)
    timestamp, opened, high, low = borrowed(timestamp), borrowed(opened), borrowed(high), borrowed(low)
    close, volume, exposure, equity = borrowed(close), borrowed(volume), borrowed(exposure), borrowed(equity)
    instruments = book.shape[0]
    most = rows_per_step(instruments, orders.shape[0])
    account[A_FILLS] = 0.0
    fills = np.empty((max(1024, 2 * most, np.sum(ends - firsts) // 16), FILL))  # pages never touched cost nothing
    row = np.empty(ORDER)
    ticket = borrowed(row)
    cursor = firsts.copy()
    extras = len(limit) + len(stop) + len(target) + len(trail) > 0
    steps = 0
    lone = instruments == 1
    while True:
        if lone:
            t = cursor[0]
            if t >= ends[0]:
                break
            now = timestamp[t]
        else:
            now = np.int64(LATEST)
            for i in range(instruments):
                if cursor[i] < ends[i] and timestamp[cursor[i]] < now:
                    now = timestamp[cursor[i]]
            if now == LATEST:
                break
        if lone and book[0, B_ACTIVE] == 0.0 and book[0, B_GUARDED] == 0.0 and account[A_OBSERVES] == 0.0:
            stops = extras and book[0, B_QUANTITY] != 0.0
            count = coast(account, book, t, ends[0], close, exposure, stops, equity, steps)
            cursor[0] += count - 1
            steps += count
        else:
            for i in range(instruments):
                t = cursor[i]
                if t < ends[i] and timestamp[t] == now:
                    book[i, B_PRESENT] = 1.0
                    book[i, B_TIME] = now
                    book[i, B_OPEN] = opened[t]
                    book[i, B_HIGH] = high[t]
                    book[i, B_LOW] = low[t]
                    book[i, B_CLOSE] = close[t]
                    book[i, B_VOLUME] = volume[t]
                    if len(funding) > 0:
                        book[i, B_FUNDING] = funding[t]
                else:
                    book[i, B_PRESENT] = 0.0
            if account[A_FILLS] + most > fills.shape[0]:
                grown = np.empty((2 * fills.shape[0], FILL))
                grown[: fills.shape[0]] = fills
                fills = grown
            step(account, book, orders, borrowed(fills))
            equity[steps] = equity_of(account, book)
            if not lone:
                times[steps] = now
            steps += 1
        for i in range(instruments):
            if book[i, B_PRESENT] == 0.0:
                continue
            t = cursor[i]
            cursor[i] = t + 1
            wish = exposure[t]
            if np.isnan(wish) and not extras:
                continue
            limit_price = limit[t] if len(limit) > 0 else np.nan
            stop_price = stop[t] if len(stop) > 0 else np.nan
            target_price = target[t] if len(target) > 0 else np.nan
            distance = trail[t] if len(trail) > 0 else np.nan
            action = decide(account, book, i, wish, limit_price, stop_price, target_price, distance, ticket)
            if action & CANCEL:
                cancel_signals(book, orders, i)
            if action & PLACE:
                place(account, book, orders, ticket)
            if action & PROTECT:
                protect(book, i, stop_price, target_price, distance, book[i, B_MARK])
    row[0] = 0.0  # keeps what `ticket` borrows alive until here
    return fills[: int(account[A_FILLS])], steps
