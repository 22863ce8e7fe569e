"""match: what a bar does to open orders and protection, first at its open, then inside it.

Inside a bar the order of prices is unknown, so the worse one for the trader comes first: the protective stop before
the target, both before resting orders, and what is bought inside the bar may be stopped in it but not reach its target.
"""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined, lean
from core.simulation.execution import fill_order, leave, wanted
from core.simulation.fields import (
    A_CASH,
    A_EQUITY,
    A_MARGINED,
    A_PHASE,
    A_SHARE,
    A_SLIPPAGE,
    A_TAKER,
    A_TOUCH,
    AT_OPEN,
    B_ACTIVE,
    B_BARS,
    B_CLOSE,
    B_EXIT,
    B_GUARDED,
    B_HIGH,
    B_LAST,
    B_LOW,
    B_MARK,
    B_OPEN,
    B_OPENED,
    B_PEAK,
    B_PRESENT,
    B_QUANTITY,
    B_ROOM,
    B_SEEN,
    B_START,
    B_TARGET,
    B_TIME,
    B_VOLUME,
    EXPIRED,
    FOK,
    GTD,
    INTRABAR,
    IOC,
    LIMIT,
    MARKET,
    NOT_IMMEDIATE,
    O_DISTANCE,
    O_ELIGIBLE,
    O_EXPIRES,
    O_GROUP,
    O_INSTRUMENT,
    O_KIND,
    O_LIMIT,
    O_PEAK,
    O_SIDE,
    O_TIF,
    O_TRAIL,
    O_TRIGGER,
    O_TRIGGERED,
    O_VISITED,
    STOP,
    STOP_LIMIT,
    TARGETED,
    TRAILING,
)
from core.simulation.liquidation import liquidate_inside
from core.simulation.orders import finish
from core.simulation.protection import stop_of

Floats = NDArray[np.float64]


@inlined
def passed(side: float, price: float, limit: float, touch: float) -> bool:
    """Whether a limit order of that side fills when the market trades at `price`: through it, or at it with touch."""
    if side > 0.0:
        return price < limit or (touch != 0.0 and price == limit)
    return price > limit or (touch != 0.0 and price == limit)


@inlined
def trigger_of(orders: Floats, s: int) -> float:
    """Where a stop or trailing order stands now."""
    if orders[s, O_KIND] != TRAILING:
        return orders[s, O_TRIGGER]
    side, peak = orders[s, O_SIDE], orders[s, O_PEAK]
    if np.isnan(orders[s, O_TRAIL]):
        return peak + side * orders[s, O_DISTANCE]
    return peak * (1.0 + side * orders[s, O_TRAIL])


@inlined
def guard_at_open(account: Floats, book: Floats, orders: Floats, fills: Floats, i: int) -> None:
    """Protection of a position held before this bar, met by the open itself: a gap fills at the open."""
    held = book[i, B_QUANTITY]
    opened = book[i, B_OPEN]
    if book[i, B_EXIT] != 0.0:
        leave(account, book, orders, fills, i, opened, 0.0, book[i, B_EXIT])
        return
    stop, reason = stop_of(book, i)
    if (held > 0.0 and opened <= stop) or (held < 0.0 and opened >= stop):
        leave(account, book, orders, fills, i, opened, 0.0, reason)
    elif not np.isnan(book[i, B_TARGET]) and passed(-held, opened, book[i, B_TARGET], account[A_TOUCH]):
        leave(account, book, orders, fills, i, opened, 1.0, float(TARGETED))


@inlined
def order_at_open(account: Floats, book: Floats, orders: Floats, fills: Floats, s: int, side: float) -> None:
    """An eligible order of this side, met by the open."""
    i = int(orders[s, O_INSTRUMENT])
    kind = orders[s, O_KIND]
    opened = book[i, B_OPEN]
    own = orders[s, O_SIDE]
    if own == 0.0:
        want = wanted(account, book, orders, s, opened, account[A_TAKER])
        if (want > 0.0) != (side > 0.0):  # nothing to do counts as a sale: it is finished in the first pass
            return
    elif own != side:
        return
    if kind in (STOP, STOP_LIMIT, TRAILING) and orders[s, O_TRIGGERED] == 0.0:
        if (opened - trigger_of(orders, s)) * own < 0.0:
            return
        orders[s, O_TRIGGERED] = 1.0
    if kind in (LIMIT, STOP_LIMIT):
        if passed(own, opened, orders[s, O_LIMIT], account[A_TOUCH]):
            first = book[i, B_BARS] == orders[s, O_ELIGIBLE] or kind == STOP_LIMIT
            fill_order(account, book, orders, fills, s, opened, False, 0.0 if first else 1.0)
        return
    fill_order(account, book, orders, fills, s, opened, True, 0.0)


@inlined
def order_inside(account: Floats, book: Floats, orders: Floats, fills: Floats, s: int) -> None:
    """An eligible resting order, met by the prices inside the bar."""
    i = int(orders[s, O_INSTRUMENT])
    kind, side = orders[s, O_KIND], orders[s, O_SIDE]
    best = book[i, B_LOW] if side > 0.0 else book[i, B_HIGH]  # for who waits with a limit
    worst = book[i, B_HIGH] if side > 0.0 else book[i, B_LOW]  # what reaches a stop
    if kind == LIMIT or (kind == STOP_LIMIT and orders[s, O_TRIGGERED] != 0.0):
        if passed(side, best, orders[s, O_LIMIT], account[A_TOUCH]):
            fill_order(account, book, orders, fills, s, orders[s, O_LIMIT], False, 1.0)
    elif kind in (STOP, STOP_LIMIT, TRAILING) and orders[s, O_TRIGGERED] == 0.0:
        trigger = trigger_of(orders, s)
        if (worst - trigger) * side >= 0.0:
            orders[s, O_TRIGGERED] = 1.0
            if kind != STOP_LIMIT:
                fill_order(account, book, orders, fills, s, trigger, True, 0.0)
            elif (orders[s, O_LIMIT] - trigger) * side >= 0.0:  # marketable once triggered: slips up to its limit
                price = trigger * (1.0 + side * account[A_SLIPPAGE])
                price = min(price, orders[s, O_LIMIT]) if side > 0.0 else max(price, orders[s, O_LIMIT])
                fill_order(account, book, orders, fills, s, price, False, 0.0)


@lean
def group_inside(account: Floats, book: Floats, orders: Floats, fills: Floats, group: float, i: int) -> None:
    """The resting orders of a group, those first whose fill would be the worse against the bar's close."""
    bars, nobody = book[i, B_BARS], orders.shape[0]
    while True:
        chosen, worst = nobody, -np.inf
        for s in range(orders.shape[0]):
            kind = orders[s, O_KIND]
            if kind == MARKET or orders[s, O_GROUP] != group or orders[s, O_VISITED] == bars:
                continue
            if not eligible(book, orders, s, i):
                continue
            limited = kind == LIMIT or (kind == STOP_LIMIT and orders[s, O_TRIGGERED] != 0.0)
            price = orders[s, O_LIMIT] if limited else trigger_of(orders, s)
            loss = (price - book[i, B_CLOSE]) * orders[s, O_SIDE]
            if loss > worst:
                chosen, worst = s, loss
        if chosen == nobody:
            return
        orders[chosen, O_VISITED] = bars
        order_inside(account, book, orders, fills, chosen)


@inlined
def eligible(book: Floats, orders: Floats, s: int, i: int) -> bool:
    """Whether the slot holds an order of the instrument that may fill in this bar."""
    return orders[s, O_KIND] != 0.0 and orders[s, O_INSTRUMENT] == i and book[i, B_BARS] >= orders[s, O_ELIGIBLE]


@inlined
def begin(account: Floats, book: Floats) -> None:
    """Room, starting positions and equity at this step's opens, before any fill."""
    equity = account[A_CASH]
    for i in range(book.shape[0]):
        book[i, B_START] = book[i, B_QUANTITY]
        book[i, B_OPENED] = 0.0
        if book[i, B_PRESENT] != 0.0:
            volume = book[i, B_VOLUME]
            book[i, B_ROOM] = np.inf if np.isnan(volume) else volume * account[A_SHARE]
            book[i, B_SEEN] = book[i, B_TIME]
            if book[i, B_QUANTITY] != 0.0:
                equity += book[i, B_QUANTITY] * book[i, B_OPEN]
        elif book[i, B_QUANTITY] != 0.0:
            equity += book[i, B_QUANTITY] * book[i, B_MARK]
    account[A_EQUITY] = equity


@inlined
def match_open(account: Floats, book: Floats, orders: Floats, fills: Floats) -> None:
    """The open phase: sales of every instrument first, so that their cash is there for the purchases."""
    account[A_PHASE] = AT_OPEN
    for s in range(orders.shape[0]):
        if orders[s, O_KIND] != 0.0:
            i = int(orders[s, O_INSTRUMENT])
            if book[i, B_PRESENT] != 0.0:
                if orders[s, O_TIF] == GTD and book[i, B_TIME] >= orders[s, O_EXPIRES]:
                    finish(account, book, orders, fills, s, EXPIRED)
                elif np.isnan(orders[s, O_PEAK]):
                    orders[s, O_PEAK] = book[i, B_OPEN]
    for turn in range(2):
        side = -1.0 if turn == 0 else 1.0
        for i in range(book.shape[0]):
            if book[i, B_PRESENT] == 0.0:
                continue
            if book[i, B_GUARDED] != 0.0 and book[i, B_OPENED] == 0.0 and book[i, B_QUANTITY] * side < 0.0:
                guard_at_open(account, book, orders, fills, i)
            if book[i, B_ACTIVE] > 0.0:
                for s in range(orders.shape[0]):
                    if eligible(book, orders, s, i):
                        order_at_open(account, book, orders, fills, s, side)
    for s in range(orders.shape[0]):
        if orders[s, O_KIND] != 0.0 and (orders[s, O_TIF] == IOC or orders[s, O_TIF] == FOK):
            i = int(orders[s, O_INSTRUMENT])
            if book[i, B_PRESENT] != 0.0 and eligible(book, orders, s, i):
                finish(account, book, orders, fills, s, NOT_IMMEDIATE)


@inlined
def stop_inside(account: Floats, book: Floats, orders: Floats, fills: Floats, i: int) -> None:
    """The protective stop, met inside the bar."""
    held = book[i, B_QUANTITY]
    if book[i, B_GUARDED] == 0.0 or book[i, B_EXIT] != 0.0 or held == 0.0:
        return
    stop, reason = stop_of(book, i)
    opened, entry = book[i, B_OPEN], book[i, B_LAST]
    side = 1.0 if held > 0.0 else -1.0
    reach = book[i, B_LOW] if held > 0.0 else book[i, B_HIGH]
    start = opened
    if book[i, B_OPENED] == INTRABAR:
        start = entry
        if (stop - opened) * side >= 0.0 and (entry - opened) * side > 0.0:
            reach = book[
                i, B_CLOSE
            ]  # the way from the open to a stop entry passed the stop before there was a position
    if (reach - stop) * side <= 0.0:
        leave(account, book, orders, fills, i, min(stop, start) if held > 0.0 else max(stop, start), 0.0, reason)


@inlined
def match_inside(account: Floats, book: Floats, orders: Floats, fills: Floats) -> None:
    """The phase inside the bar, instrument by instrument."""
    account[A_PHASE] = INTRABAR
    if account[A_MARGINED] != 0.0:
        liquidate_inside(account, book, orders, fills, True)
    for i in range(book.shape[0]):
        if book[i, B_PRESENT] == 0.0:
            continue
        stop_inside(account, book, orders, fills, i)
        held = book[i, B_QUANTITY]
        if held != 0.0 and book[i, B_EXIT] == 0.0 and not np.isnan(book[i, B_TARGET]):
            reach = book[i, B_HIGH] if held > 0.0 else book[i, B_LOW]
            if passed(-held, reach, book[i, B_TARGET], account[A_TOUCH]):
                target, opened = book[i, B_TARGET], book[i, B_OPEN]
                price = max(target, opened) if held > 0.0 else min(target, opened)
                leave(account, book, orders, fills, i, price, 1.0, float(TARGETED))
        if book[i, B_ACTIVE] > 0.0:
            for s in range(orders.shape[0]):
                if eligible(book, orders, s, i) and orders[s, O_KIND] != MARKET:
                    if orders[s, O_GROUP] > 0.0:
                        group_inside(account, book, orders, fills, orders[s, O_GROUP], i)
                    else:
                        order_inside(account, book, orders, fills, s)
            if book[i, B_OPENED] == INTRABAR:
                stop_inside(account, book, orders, fills, i)
        if not np.isnan(book[i, B_PEAK]):
            side = 1.0 if book[i, B_QUANTITY] > 0.0 else -1.0
            best = book[i, B_HIGH] if side > 0.0 else book[i, B_LOW]
            fresh = book[i, B_OPENED] == INTRABAR and book[i, B_START] * side <= 0.0
            if fresh and (book[i, B_LAST] - book[i, B_OPEN]) * side < 0.0:
                best = book[i, B_CLOSE]  # the price came to the entry from there: what was before it is no gain
            book[i, B_PEAK] = max(book[i, B_PEAK], best) if side > 0.0 else min(book[i, B_PEAK], best)
        if book[i, B_ACTIVE] > 0.0:
            for s in range(orders.shape[0]):
                if orders[s, O_KIND] == TRAILING and orders[s, O_INSTRUMENT] == i:
                    if orders[s, O_SIDE] < 0.0:
                        orders[s, O_PEAK] = max(orders[s, O_PEAK], book[i, B_HIGH])
                    else:
                        orders[s, O_PEAK] = min(orders[s, O_PEAK], book[i, B_LOW])
    if account[A_MARGINED] != 0.0:  # what was opened inside the bar, or what volume kept a stop from closing
        liquidate_inside(account, book, orders, fills, False)
