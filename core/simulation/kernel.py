"""step and run: one bar of every instrument, and a whole history as a fold of steps."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import floats_at, inlined, integers_at, kernel, lean, soon
from core.simulation.addresses import Addresses
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
    B_PEAK,
    B_PRESENT,
    B_QUANTITY,
    B_TIME,
    B_VOLUME,
    CANCEL,
    FILL,
    MARGIN,
    ORDER,
    PLACE,
    PROTECT,
)
from core.simulation.liquidation import charge, liquidate_at_open, settle
from core.simulation.matching import begin, match_inside, match_open
from core.simulation.orders import cancel_signals, place
from core.simulation.protection import protect
from core.simulation.quiet import band, first_outside, follow
from core.simulation.sizes import observe

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LATEST = 9223372036854775807  # no bar is left
TIMESTAMP, OPEN, HIGH, LOW, CLOSE, VOLUME, COLUMNS = 0, 1, 2, 3, 4, 5, 6  # of a table of bars
ROWS, EXPOSURE, LIMIT, STOP, TARGET, TRAIL, FUNDING = 0, 1, 2, 3, 4, 5, 6  # of a table of signals
NEVER = 1 << 62  # ends the rows of signals


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


@lean
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


@inlined
def rest(account: Floats, book: Floats, bars: Addresses, firsts: Integers, t: int, until: int, equity: Floats) -> None:
    """The quiet rows t:until of all instruments: only their marks move. Writes the equity at each close."""
    cash, count = account[A_CASH], until - t
    curve = equity[t:until]
    exposed = False
    for i in range(book.shape[0]):
        quantity, first = book[i, B_QUANTITY], firsts[i] + t
        close = floats_at(bars[i, CLOSE], first + count)[first:]
        if quantity != 0.0:
            if exposed:
                for k in range(count):
                    curve[k] += quantity * close[k]
            else:
                for k in range(count):
                    curve[k] = cash + quantity * close[k]
            exposed = True
        if account[A_OBSERVES] != 0.0:
            for k in range(count):
                observe(account, book, i, close[k])
                book[i, B_MARK] = close[k]
        book[i, B_PRESENT] = 1.0
        book[i, B_MARK] = close[count - 1]  # no decision reads the rest of the bar, so it is not fetched
        book[i, B_BARS] += count
    if exposed:
        account[A_EXPOSED] += count
    else:
        for k in range(count):
            curve[k] = cash


@inlined
def show(book: Floats, i: int, t: int, bars: Addresses, signals: Addresses) -> None:
    """Row t of the columns becomes the instrument's present bar."""
    book[i, B_PRESENT] = 1.0
    book[i, B_TIME] = integers_at(bars[i, TIMESTAMP], t + 1)[t]
    book[i, B_OPEN] = floats_at(bars[i, OPEN], t + 1)[t]
    book[i, B_HIGH] = floats_at(bars[i, HIGH], t + 1)[t]
    book[i, B_LOW] = floats_at(bars[i, LOW], t + 1)[t]
    book[i, B_CLOSE] = floats_at(bars[i, CLOSE], t + 1)[t]
    book[i, B_VOLUME] = floats_at(bars[i, VOLUME], t + 1)[t]
    if signals[i, FUNDING] != 0:
        book[i, B_FUNDING] = floats_at(signals[i, FUNDING], t + 1)[t]


@inlined
def row_of(signals: Addresses, i: int, k: int) -> int:
    """The row that the signals at a place belong to, NEVER after the last."""
    return integers_at(signals[i, ROWS], k + 1)[k]


@inlined
def reached(signals: Addresses, i: int, k: int, row: int) -> int:
    """The first place, from `k` on, whose row is not before `row`."""
    while row_of(signals, i, k) < row:
        k += 1
    return k


@inlined
def wished(signals: Addresses, i: int, k: int) -> int:
    """The first place, from `k` on, that has an exposure, or the end: without a position no other counts."""
    while row_of(signals, i, k) != NEVER and np.isnan(floats_at(signals[i, EXPOSURE], k + 1)[k]):
        k += 1
    return k


@inlined
def given(signals: Addresses, i: int, column: int, k: int) -> float:
    """What a signal says at a place; NaN where it is not given at all."""
    return floats_at(signals[i, column], k + 1)[k] if signals[i, column] != 0 else np.nan


@inlined
def sound(exposure: float, limit: float, stop: float, target: float, trail: float) -> bool:
    """Whether the values of a row can be meant: an exposure from -1 to 1, prices above 0, a trail between 0 and 1."""
    return not (
        abs(exposure) > 1.0
        or limit <= 0.0 or limit == np.inf
        or stop <= 0.0 or stop == np.inf
        or target <= 0.0 or target == np.inf
        or trail <= 0.0 or trail > 1.0
    )  # fmt: skip


@inlined
def act(
    account: Floats, book: Floats, orders: Floats, i: int, k: int, signals: Addresses, share: float,
    ticket: Floats, live: int,
) -> int:  # fmt: skip
    """Decides on the signals at a place and carries the decision out.

    Returns how many slots may hold an order now, -1 when a value cannot be meant.
    """
    wish = given(signals, i, EXPOSURE, k)
    if np.isnan(wish) and book[i, B_QUANTITY] == 0.0:
        return live  # nothing is asked for, so nothing of it can be wrong
    limit = np.nan if np.isnan(wish) else given(signals, i, LIMIT, k)
    stop, target = given(signals, i, STOP, k), given(signals, i, TARGET, k)
    trail = given(signals, i, TRAIL, k)
    if not sound(wish, limit, stop, target, trail):
        return -1
    action = decide(account, book, i, wish / share, limit, stop, target, trail, ticket)
    if action & CANCEL:
        cancel_signals(account, book, orders, i)
    if action & PLACE:
        live = place(account, book, orders, ticket) + 1
    if action & PROTECT:
        protect(book, i, stop, target, trail, book[i, B_MARK])
    return live


@kernel
def roomier(fills: Floats) -> Floats:
    """The fills in an array of twice the rows."""
    grown = np.empty((2 * fills.shape[0], FILL))
    grown[: fills.shape[0]] = fills
    return grown


@lean
def run_aligned(
    account: Floats, book: Floats, orders: Floats, fills: Floats, ticket: Floats, bars: Addresses, signals: Addresses,
    places: Integers, firsts: Integers, count: int, share: float, equity: Floats, known: Integers, levels: Floats,
    state: Integers,
) -> bool:  # fmt: skip
    """Runs on while the fills have room: whether the `count` rows, the same times of all, are done.

    known: (3, instruments) the next place with an exposure, the place whose successor's bar is on its way, and the next
        row that may meet orders or protection between the levels (instruments, 2) that go with it
    state: the next row, how many slots may hold an order, and the instrument whose signal cannot be meant or -1
    """
    wishes, fetched, meeting = known[0], known[1], known[2]
    lone, most = book.shape[0] == 1, rows_per_step(book.shape[0], orders.shape[0])
    t, live = state[0], state[1]
    while t < count and state[2] < 0:
        until = count
        for i in range(book.shape[0]):
            places[i] = k = reached(signals, i, places[i], firsts[i] + t)
            if book[i, B_QUANTITY] == 0.0:
                wishes[i] = k = wished(signals, i, max(wishes[i], k))
            asking = row_of(signals, i, k)
            if fetched[i] != k and asking != NEVER:
                fetched[i] = k
                ahead = row_of(signals, i, k + 1) + 1  # its bar comes while other work is done
                if ahead < firsts[i] + count:
                    for column in range(TIMESTAMP, COLUMNS):
                        soon(floats_at(bars[i, column], ahead + 1), ahead)
            until = min(until, asking - firsts[i] + 1)
        for i in range(book.shape[0]):
            if book[i, B_ACTIVE] == 0.0 and book[i, B_GUARDED] == 0.0:
                continue
            lower, upper, expires = band(account, book, orders[:live], i)
            if lower == np.inf:
                until = t
                break
            first, end = firsts[i], firsts[i] + until
            low, high = floats_at(bars[i, LOW], end), floats_at(bars[i, HIGH], end)
            if lone and book[i, B_ACTIVE] == 0.0 and book[i, B_GUARDED] < MARGIN and not np.isnan(book[i, B_PEAK]):
                until = follow(book, i, low, high, first + t, end) - first
                continue
            if meeting[i] < t or lower != levels[i, 0] or upper != levels[i, 1]:
                meeting[i] = first_outside(low, high, first + t, end, lower, upper) - first
                levels[i, 0], levels[i, 1] = lower, upper
                if meeting[i] == until:  # nothing was looked at beyond it
                    levels[i, 0] = np.nan
            until = min(until, meeting[i])
            if expires < np.inf:
                while until > t and integers_at(bars[i, TIMESTAMP], end)[first + until - 1] >= expires:
                    until -= 1
        if until > t:
            rest(account, book, bars, firsts, t, until, equity)
            t = until
        else:
            if account[A_FILLS] + most > fills.shape[0]:
                break
            for i in range(book.shape[0]):
                show(book, i, firsts[i] + t, bars, signals)
            step(account, book, orders[:live], fills)
            equity[t] = equity_of(account, book)
            t += 1
        for i in range(book.shape[0]):
            places[i] = reached(signals, i, places[i], firsts[i] + t - 1)
            if row_of(signals, i, places[i]) == firsts[i] + t - 1:
                live = act(account, book, orders, i, places[i], signals, share, ticket, live)
                if live < 0:
                    state[2], live = i, orders.shape[0]
                    break
    state[0], state[1] = t, live
    return t == count or state[2] >= 0


@lean
def run_apart(
    account: Floats, book: Floats, orders: Floats, fills: Floats, ticket: Floats, bars: Addresses, signals: Addresses,
    places: Integers, cursor: Integers, ends: Integers, share: float, equity: Floats, times: Integers, state: Integers,
) -> bool:  # fmt: skip
    """As `run_aligned`, for instruments whose rows have other times. cursor: the next row of each; state[0]: steps."""
    most = rows_per_step(book.shape[0], orders.shape[0])
    live = state[1]
    done = False
    while state[2] < 0:
        now = np.int64(LATEST)
        for i in range(book.shape[0]):
            if cursor[i] < ends[i]:
                now = min(now, integers_at(bars[i, TIMESTAMP], ends[i])[cursor[i]])
        done = now == LATEST
        if done or account[A_FILLS] + most > fills.shape[0]:
            break
        for i in range(book.shape[0]):
            if cursor[i] < ends[i] and integers_at(bars[i, TIMESTAMP], ends[i])[cursor[i]] == now:
                show(book, i, cursor[i], bars, signals)
            else:
                book[i, B_PRESENT] = 0.0
        step(account, book, orders[:live], fills)
        equity[state[0]], times[state[0]] = equity_of(account, book), now
        state[0] += 1
        for i in range(book.shape[0]):
            if book[i, B_PRESENT] != 0.0:
                places[i] = reached(signals, i, places[i], cursor[i])
                if row_of(signals, i, places[i]) == cursor[i]:
                    live = act(account, book, orders, i, places[i], signals, share, ticket, live)
                    if live < 0:
                        state[2], live = i, orders.shape[0]
                        break
                cursor[i] += 1
    state[1] = live
    return done or state[2] >= 0


@kernel
def run(
    account: Floats, book: Floats, orders: Floats, bars: Addresses, signals: Addresses, places: Integers,
    firsts: Integers, ends: Integers, aligned: bool, share: float, equity: Floats, times: Integers,
) -> tuple[Floats, int, int]:  # fmt: skip
    """A history, or a part of one: the state goes on from where it is, and so may be run on.

    bars: per instrument the addresses of timestamp, open, high, low, close, volume
    signals: of the rows that ask for something, ascending, NEVER after the last; of the exposure, limit, stop, target
        and trail in each of them; of the funding due at the open of every bar, NaN where unknown; 0 for what is not
        given
    places: per instrument, a place in those rows before which all lie before the first row that is run; moved on
    firsts, ends: the rows of each instrument to run; instruments advance together by timestamp
    aligned: these rows of all instruments have the same times, so that quiet stretches can be rested through
    share: into how many parts the exposures divide the equity
    Writes equity per step, and times where there are several instruments; returns (fills, number of steps, -1). It
    ends at a signal that cannot be meant, and returns that row's instrument in the place of the -1.
    """
    many, slots = book.shape[0], orders.shape[0]
    account[A_FILLS] = 0.0
    # pages never touched cost nothing
    fills = np.empty((max(1024, 2 * rows_per_step(many, slots), np.sum(ends - firsts) // 16), FILL))
    ticket = np.empty(ORDER)
    state = np.array([0, slots, -1])  # a lower bound of slots is known once an order is placed: place closes the gaps
    if aligned:
        known, levels = np.full((3, many), -1), np.full((many, 2), np.nan)
        known[0] = places
        count = ends[0] - firsts[0]
        while not run_aligned(
            account, book, orders, fills, ticket, bars, signals, places, firsts, count, share, equity, known, levels,
            state,
        ):  # fmt: skip
            fills = roomier(fills)
        if many > 1:
            times[:count] = integers_at(bars[0, TIMESTAMP], ends[0])[firsts[0] :]
    else:
        cursor = firsts.copy()
        while not run_apart(
            account, book, orders, fills, ticket, bars, signals, places, cursor, ends, share, equity, times, state,
        ):  # fmt: skip
            fills = roomier(fills)
    return fills[: int(account[A_FILLS])], state[0], state[2]
