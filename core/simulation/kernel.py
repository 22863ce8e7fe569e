"""step and run: one bar of every instrument, and a whole history as a fold of steps."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import borrowed, inlined, kernel, soon
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
from core.simulation.quiet import band, first_asking, first_outside
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


@inlined
def rest(
    account: Floats, book: Floats, firsts: Integers, t: int, until: int, close: Floats, equity: Floats, done: int
) -> None:
    """The quiet rows t:until of all instruments: only their marks move. Writes the equity at each close."""
    cash, count = account[A_CASH], until - t
    exposed = False
    for i in range(book.shape[0]):
        quantity, first = book[i, B_QUANTITY], firsts[i] + t
        if quantity != 0.0:
            if exposed:
                for k in range(count):
                    equity[done + k] += quantity * close[first + k]
            else:
                for k in range(count):
                    equity[done + k] = cash + quantity * close[first + k]
            exposed = True
        if account[A_OBSERVES] != 0.0:
            for k in range(count):
                observe(account, book, i, close[first + k])
                book[i, B_MARK] = close[first + k]
        book[i, B_PRESENT] = 1.0
        book[i, B_MARK] = close[first + count - 1]  # no decision reads the rest of the bar, so it is not fetched
        book[i, B_BARS] += count
    if exposed:
        account[A_EXPOSED] += count
    else:
        for k in range(count):
            equity[done + k] = cash


@inlined
def show(
    book: Floats, i: int, t: int, timestamp: Integers, opened: Floats, high: Floats, low: Floats, close: Floats,
    volume: Floats, funding: Floats,
) -> None:  # fmt: skip
    """Row t of the columns becomes the instrument's present bar."""
    book[i, B_PRESENT] = 1.0
    book[i, B_TIME] = timestamp[t]
    book[i, B_OPEN] = opened[t]
    book[i, B_HIGH] = high[t]
    book[i, B_LOW] = low[t]
    book[i, B_CLOSE] = close[t]
    book[i, B_VOLUME] = volume[t]
    if len(funding) > 0:
        book[i, B_FUNDING] = funding[t]


@inlined
def act(
    account: Floats, book: Floats, orders: Floats, i: int, t: int, exposure: Floats, limit: Floats, stop: Floats,
    target: Floats, trail: Floats, ticket: Floats, live: int,
) -> int:  # fmt: skip
    """Decides on the signals of row t and carries the decision out. Returns how many slots may hold an order now."""
    limit_price = limit[t] if len(limit) > 0 else np.nan
    stop_price = stop[t] if len(stop) > 0 else np.nan
    target_price = target[t] if len(target) > 0 else np.nan
    distance = trail[t] if len(trail) > 0 else np.nan
    action = decide(account, book, i, exposure[t], limit_price, stop_price, target_price, distance, ticket)
    if action & CANCEL:
        cancel_signals(book, orders, i)
    if action & PLACE:
        live = place(account, book, orders, ticket) + 1
    if action & PROTECT:
        protect(book, i, stop_price, target_price, distance, book[i, B_MARK])
    return live


@kernel
def roomier(fills: Floats) -> Floats:
    """The fills in an array of twice the rows."""
    grown = np.empty((2 * fills.shape[0], FILL))
    grown[: fills.shape[0]] = fills
    return grown


@kernel
def run(
    account: Floats, book: Floats, orders: Floats, firsts: Integers, ends: Integers, aligned: bool,
    timestamp: Integers, opened: Floats, high: Floats, low: Floats, close: Floats, volume: Floats,
    exposure: Floats, limit: Floats, stop: Floats, target: Floats, trail: Floats, funding: Floats,
    equity: Floats, times: Integers,
) -> tuple[Floats, int]:  # fmt: skip
    """A history, or a part of one: the state goes on from where it is, and so may be run on.

    The instruments' bars lie one after the other in each array: instrument i's part is firsts[i]:ends[i]; limit, stop,
    target, trail, funding (due at each bar's open, NaN where unknown) may have length 0. Instruments advance together
    by timestamp.
    aligned: all instruments have bars at the same times, so that quiet stretches can be rested through
    Writes equity per step, and times where there are several instruments; returns (fills, number of steps).
    """
    account, book, orders = borrowed(account), borrowed(book), borrowed(orders)
    timestamp, opened, high, low = borrowed(timestamp), borrowed(opened), borrowed(high), borrowed(low)
    close, volume, exposure, equity = borrowed(close), borrowed(volume), borrowed(exposure), borrowed(equity)
    limit, stop, target, trail = borrowed(limit), borrowed(stop), borrowed(target), borrowed(trail)
    funding = borrowed(funding)
    most = rows_per_step(book.shape[0], orders.shape[0])
    account[A_FILLS] = 0.0
    fills = np.empty((max(1024, 2 * most, np.sum(ends - firsts) // 16), FILL))  # pages never touched cost nothing
    row = np.empty(ORDER)
    ticket = borrowed(row)
    live = orders.shape[0]  # a lower bound is known once an order is placed: place closes the gaps
    extras = len(stop) + len(target) + len(trail) > 0
    if aligned:
        count = ends[0] - firsts[0]
        asking = np.full(book.shape[0], -1)  # per instrument: the next row that asks for something
        meeting = np.full(book.shape[0], -1)  # the next row that may meet its orders or protection
        levels = np.full((book.shape[0], 2), np.nan)
        held = np.zeros(book.shape[0], np.bool_)
        t = 0
        while t < count:
            until = count
            for i in range(book.shape[0]):
                first = firsts[i]
                if asking[i] < t or (extras and held[i] != (book[i, B_QUANTITY] != 0.0)):
                    held[i] = book[i, B_QUANTITY] != 0.0
                    asking[i] = first_asking(exposure, stop, target, trail, held[i], first + t, first + count) - first
                if asking[i] < until:
                    until = asking[i] + 1
            if until < count:
                for i in range(book.shape[0]):
                    if asking[i] == until - 1:
                        ahead = firsts[i] + until
                        soon(opened, ahead)
                        soon(high, ahead)
                        soon(low, ahead)
                        soon(volume, ahead)
            for i in range(book.shape[0]):
                if book[i, B_ACTIVE] == 0.0 and book[i, B_GUARDED] == 0.0:
                    continue
                lower, upper, expires = band(account, book, orders[:live], i)
                if lower == np.inf:
                    until = t
                    break
                first = firsts[i]
                if meeting[i] < t or lower != levels[i, 0] or upper != levels[i, 1]:
                    meeting[i] = first_outside(low, high, first + t, first + until, lower, upper) - first
                    levels[i, 0], levels[i, 1] = lower, upper
                    if meeting[i] == until:  # nothing was looked at beyond it
                        levels[i, 0] = np.nan
                until = min(until, meeting[i])
                if expires < np.inf:
                    while until > t and timestamp[first + until - 1] >= expires:
                        until -= 1
            if until > t:
                rest(account, book, firsts, t, until, close, equity, t)
                t = until
                for i in range(book.shape[0]):
                    if asking[i] == t - 1:
                        live = act(
                            account,
                            book,
                            orders,
                            i,
                            firsts[i] + t - 1,
                            exposure,
                            limit,
                            stop,
                            target,
                            trail,
                            ticket,
                            live,
                        )
            else:
                for i in range(book.shape[0]):
                    show(book, i, firsts[i] + t, timestamp, opened, high, low, close, volume, funding)
                if account[A_FILLS] + most > fills.shape[0]:
                    fills = roomier(fills)
                step(account, book, orders[:live], borrowed(fills))
                equity[t] = equity_of(account, book)
                for i in range(book.shape[0]):
                    if extras or not np.isnan(exposure[firsts[i] + t]):
                        live = act(
                            account, book, orders, i, firsts[i] + t, exposure, limit, stop, target, trail, ticket, live
                        )
                t += 1
        if book.shape[0] > 1:
            times[:count] = timestamp[firsts[0] : firsts[0] + count]
        row[0] = 0.0  # keeps what `ticket` borrows alive until here
        return fills[: int(account[A_FILLS])], count
    cursor = firsts.copy()
    steps = 0
    while True:
        now = np.int64(LATEST)
        for i in range(book.shape[0]):
            if cursor[i] < ends[i] and timestamp[cursor[i]] < now:
                now = timestamp[cursor[i]]
        if now == LATEST:
            break
        for i in range(book.shape[0]):
            t = cursor[i]
            if t < ends[i] and timestamp[t] == now:
                show(book, i, t, timestamp, opened, high, low, close, volume, funding)
            else:
                book[i, B_PRESENT] = 0.0
        if account[A_FILLS] + most > fills.shape[0]:
            fills = roomier(fills)
        step(account, book, orders[:live], borrowed(fills))
        equity[steps] = equity_of(account, book)
        times[steps] = now
        steps += 1
        for i in range(book.shape[0]):
            if book[i, B_PRESENT] != 0.0:
                live = act(account, book, orders, i, cursor[i], exposure, limit, stop, target, trail, ticket, live)
                cursor[i] += 1
    row[0] = 0.0
    return fills[: int(account[A_FILLS])], steps
