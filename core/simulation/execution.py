"""How one order becomes one fill: how much it wants, what cash and volume allow, at which price, and what follows."""

import math

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined, lean
from core.simulation.fields import (
    A_CASH,
    A_EQUITY,
    A_FEES,
    A_FILLS,
    A_MAKER,
    A_MARGINED,
    A_MODEL,
    A_PHASE,
    A_SHARE,
    A_SLIPPAGE,
    A_TAKER,
    A_TURNOVER,
    B_ACTIVE,
    B_ENTRY,
    B_EXIT,
    B_FLOW,
    B_LAST,
    B_LOT,
    B_LOT_PER,
    B_MIN_NOTIONAL,
    B_OPEN,
    B_OPENED,
    B_PAID,
    B_PERPETUAL,
    B_QUANTITY,
    B_REF,
    B_ROOM,
    B_STAKE,
    B_START,
    B_TICK,
    B_TICK_PER,
    B_TIME,
    B_VOLUME,
    BY_EXPOSURE,
    BY_POSITION,
    BY_QUANTITY,
    BY_SPEND,
    BY_WORTH,
    DUST,
    EMPTY,
    ENTRY,
    EXIT,
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
    FOK,
    NO_CASH,
    NOT_IMMEDIATE,
    NOTHING,
    O_AMOUNT,
    O_CHILDREN,
    O_GROUP,
    O_INSTRUMENT,
    O_KIND,
    O_MODE,
    O_PARENT,
    O_PROTECT_DISTANCE,
    O_PROTECT_TRAIL,
    O_REDUCE,
    O_REF,
    O_SIDE,
    O_STOP,
    O_TARGET,
    O_TIF,
    SPREAD,
    STOP,
    STOPPED,
    SUPERSEDED,
    TARGETED,
    TOO_SMALL,
    TRAILED,
    TRAILING,
    VOLUME_SHARE,
)
from core.simulation.grid import against, down, nearest
from core.simulation.margin import affordable, leverage_of, margin_of, spare
from core.simulation.orders import bear, cancel, finish, orphan, shrink
from core.simulation.protection import guard, protect, trail_by, unprotect
from core.simulation.sizes import settled

Floats = NDArray[np.float64]


@inlined
def wanted(account: Floats, book: Floats, orders: Floats, s: int, price: float, rate: float) -> float:
    """Signed base quantity that the order still wants at this price and fee rate.

    An exposure x wants the position to be worth x (times the leverage) of the equity that remains after its own fee;
    equity is taken at this bar's opens, the own instrument at the fill's price.
    """
    amount = orders[s, O_AMOUNT]
    side = orders[s, O_SIDE]
    if orders[s, O_MODE] == BY_QUANTITY:
        return side * amount
    if orders[s, O_MODE] == BY_SPEND:
        return side * amount / (price * (1.0 + side * rate))
    i = int(orders[s, O_INSTRUMENT])
    held = book[i, B_QUANTITY]
    equity = account[A_EQUITY] + book[i, B_START] * (price - book[i, B_OPEN])
    if amount == 0.0 or equity <= 0.0:
        return -held
    if orders[s, O_MODE] == BY_POSITION:
        want = amount - held
        lots = nearest(want, book[i, B_LOT], book[i, B_LOT_PER])  # a difference of lots is a hair off its lot
        want = lots if abs(lots - want) <= DUST * abs(amount) else want
        return 0.0 if abs(want * price) <= DUST * equity else want
    if orders[s, O_MODE] == BY_WORTH:
        gap = amount - held * price
        return 0.0 if abs(gap) <= DUST * equity else gap / price
    amount *= leverage_of(account, book, i)
    gap = amount * equity - held * price
    if abs(gap) <= DUST * equity:
        return 0.0
    if gap > 0.0:
        return gap / (price * (1.0 + amount * rate))
    return gap / (price * (1.0 - amount * rate))


@inlined
def slipped(account: Floats, book: Floats, i: int, side: float, price: float, quantity: float) -> float:
    """The price moved against the trader by the slippage model and rounded against them onto the tick grid."""
    move = account[A_SLIPPAGE]
    if account[A_MODEL] == SPREAD:
        move *= 0.5
    elif account[A_MODEL] == VOLUME_SHARE:
        volume = book[i, B_VOLUME]
        # unknown volume: as if the order took all it may
        share = account[A_SHARE] if np.isnan(volume) or volume <= 0.0 else quantity / volume
        move *= math.sqrt(share)
    return against(price * (1.0 + side * move), side, book[i, B_TICK], book[i, B_TICK_PER])


@inlined
def tally(
    account: Floats, book: Floats, i: int, held: float, after: float, traded: float, flow: float, price: float
) -> None:  # fmt: skip
    """Takes a fill into the round trip of its instrument; one that crosses zero ends a trip and begins another."""
    if held * traded < 0.0 and after * held < 0.0:
        part = held / (held - after)
        book[i, B_FLOW] += flow * part
        settled(account, book, i)
        book[i, B_FLOW] = flow * (1.0 - part)
        book[i, B_STAKE] = abs(after) * price
        return
    book[i, B_FLOW] += flow
    if held * traded >= 0.0:
        book[i, B_STAKE] += abs(traded) * price
    if after == 0.0:
        settled(account, book, i)


@inlined
def trade(
    account: Floats, book: Floats, fills: Floats, i: int, side: float, price: float, quantity: float,
    rate: float, maker: float, reason: float, ref: float, remaining: float,
) -> None:  # fmt: skip
    """Executes: cash, fees, position, room and the fill's row. The only place where money moves."""
    notional = price * quantity
    fee = notional * rate
    account[A_CASH] = account[A_CASH] - side * notional - fee
    account[A_FEES] += fee
    account[A_TURNOVER] += notional
    held = book[i, B_QUANTITY]
    after = held + side * quantity
    if book[i, B_LOT] != 0.0:
        after = nearest(after, book[i, B_LOT], book[i, B_LOT_PER])
    if abs(after) <= EMPTY * quantity:
        after = 0.0
    book[i, B_QUANTITY] = after
    room = book[i, B_ROOM] - quantity
    book[i, B_ROOM] = room if room > EMPTY * quantity else 0.0  # no fill of what rounding has left
    if held < 0.0 or after < 0.0 or book[i, B_PERPETUAL] != 0.0:
        account[A_MARGINED] = 1.0
    tally(account, book, i, held, after, side * quantity, -side * notional - fee, price)
    if after == 0.0:
        book[i, B_ENTRY] = 0.0
        unprotect(book, i)
    elif held * side < 0.0 and after * held > 0.0:
        pass  # reduced: the entry price stays
    else:
        if held * after > 0.0:
            book[i, B_ENTRY] = (book[i, B_ENTRY] * abs(held) + notional) / abs(after)
        else:
            unprotect(book, i)
            book[i, B_ENTRY] = price
        book[i, B_EXIT] = 0.0
        book[i, B_REF] = ref
        book[i, B_LAST] = price
        book[i, B_OPENED] = account[A_PHASE]
        guard(book, i)
    row = int(account[A_FILLS])
    fills[row, F_REF] = ref
    fills[row, F_INSTRUMENT] = i
    fills[row, F_TIME] = book[i, B_TIME]
    fills[row, F_SIDE] = side
    fills[row, F_PRICE] = price
    fills[row, F_QUANTITY] = quantity
    fills[row, F_FEE] = fee
    fills[row, F_MAKER] = maker
    fills[row, F_REASON] = reason
    fills[row, F_REMAINING] = remaining
    fills[row, F_PHASE] = account[A_PHASE]
    fills[row, F_PAID] = book[i, B_PAID]
    book[i, B_PAID] = 0.0
    account[A_FILLS] = row + 1


@lean
def fill_order(
    account: Floats, book: Floats, orders: Floats, fills: Floats, s: int, base: float, slips: bool, maker: float
) -> None:
    """Fills the order at `base` as far as cash, volume and the grids allow; what volume cut off carries over."""
    i = int(orders[s, O_INSTRUMENT])
    rate = account[A_MAKER] if maker != 0.0 else account[A_TAKER]
    room = book[i, B_ROOM]
    if room <= 0.0:
        return
    want = wanted(account, book, orders, s, base, rate)
    side = orders[s, O_SIDE]
    if want == 0.0 or (side != 0.0 and want * side < 0.0):
        finish(account, book, orders, fills, s, NOTHING)
        return
    side = 1.0 if want > 0.0 else -1.0
    price = base
    if slips:
        price = slipped(account, book, i, side, base, min(abs(want), room))
        want = wanted(account, book, orders, s, price, rate)
        if want * side <= 0.0:
            finish(account, book, orders, fills, s, NOTHING)
            return
    asked = abs(want)
    held = book[i, B_QUANTITY]
    if orders[s, O_REDUCE] != 0.0:
        asked = min(asked, max(0.0, -side * held))
        if asked == 0.0:
            finish(account, book, orders, fills, s, NOTHING)
            return
    quantity = affordable(account, book, i, side, price, rate, asked)
    # what leverage multiplies and margin divides again comes back a hair off
    short_of_cash = quantity < (asked if leverage_of(account, book, i) == 1.0 else asked * (1.0 - DUST))
    if short_of_cash and quantity <= DUST * asked:
        quantity = 0.0  # what rounding has left of the cash buys nothing
    capped = quantity > room
    if capped:
        if orders[s, O_TIF] == FOK:
            finish(account, book, orders, fills, s, NOT_IMMEDIATE)
            return
        quantity = room
    lot, per = book[i, B_LOT], book[i, B_LOT_PER]
    quantity = down(quantity, lot, per)
    opening = side * held >= 0.0 or quantity > abs(held)
    if side > 0.0 and opening and quantity > 0.0:  # rounding must not overdraw the account
        left, margin = spare(account, book, i, side, price), margin_of(account, book, i)
        while (
            quantity > 0.0
            and left - price * quantity * margin - price * quantity * rate < 0.0
            and quantity > max(0.0, -held)
        ):
            quantity = quantity * (1.0 - 2.3e-16) if lot == 0.0 else down(quantity - 0.5 * lot / per, lot, per)
    if quantity <= 0.0:
        if not capped:
            finish(account, book, orders, fills, s, NO_CASH if short_of_cash else TOO_SMALL)
        return
    if opening and price * quantity < book[i, B_MIN_NOTIONAL] and not capped and orders[s, O_REF] != book[i, B_REF]:
        finish(account, book, orders, fills, s, TOO_SMALL)
        return
    if short_of_cash and orders[s, O_TIF] == FOK:
        finish(account, book, orders, fills, s, NO_CASH)
        return
    reduces = held * side < 0.0
    reason = float(EXIT if reduces else ENTRY)
    if reduces and orders[s, O_KIND] == STOP:
        reason = float(STOPPED)
    elif reduces and orders[s, O_KIND] == TRAILING:
        reason = float(TRAILED)
    elif orders[s, O_PARENT] != 0.0:
        reason = float(TARGETED)
    left = asked - quantity if capped or short_of_cash else 0.0
    trade(account, book, fills, i, side, price, quantity, rate, maker, reason, orders[s, O_REF], left)
    mode = orders[s, O_MODE]
    after = book[i, B_QUANTITY]
    if book[i, B_ACTIVE] > 1.0:
        if held != 0.0 and after * held <= 0.0:
            orphan(book, orders, i)
        if orders[s, O_CHILDREN] > 0.0 and after * side > 0.0:
            bear(account, book, orders, s, side, min(quantity, abs(after)))
    if orders[s, O_GROUP] > 0.0:
        shrink(account, book, orders, fills, s, price, quantity, not capped)
    if orders[s, O_KIND] == 0.0:
        return  # a partial target that has closed the position has ended with it
    if after != 0.0 and (mode >= BY_EXPOSURE or after * side > 0.0):
        protect(book, i, orders[s, O_STOP], orders[s, O_TARGET], orders[s, O_PROTECT_TRAIL], price)
        if not np.isnan(orders[s, O_PROTECT_DISTANCE]):
            trail_by(book, i, orders[s, O_PROTECT_DISTANCE], price)
    if not capped:
        if short_of_cash:
            finish(account, book, orders, fills, s, NO_CASH)
        else:
            cancel(book, orders, s)
        return
    if mode == BY_QUANTITY:
        orders[s, O_AMOUNT] = nearest(orders[s, O_AMOUNT] - quantity, lot, per)
    elif mode == BY_SPEND:
        orders[s, O_AMOUNT] = orders[s, O_AMOUNT] - (price * quantity + side * price * quantity * rate)


@lean
def leave(
    account: Floats, book: Floats, orders: Floats, fills: Floats, i: int, base: float, maker: float, reason: float
) -> None:
    """A protective exit of the whole position: at `base` for a target (maker), slipped from it for stops and trails.

    The entry that is still filling is cancelled; what volume does not allow now leaves at the following opens.
    """
    held = book[i, B_QUANTITY]
    side = -1.0 if held > 0.0 else 1.0
    for s in range(orders.shape[0]):
        if orders[s, O_KIND] != 0.0 and orders[s, O_INSTRUMENT] == i and orders[s, O_REF] == book[i, B_REF]:
            finish(account, book, orders, fills, s, SUPERSEDED)
    room = book[i, B_ROOM]
    quantity = abs(held)
    if quantity > room:
        quantity = down(max(room, 0.0), book[i, B_LOT], book[i, B_LOT_PER])
        if maker == 0.0:
            book[i, B_EXIT] = reason
            guard(book, i)
    if quantity <= 0.0:
        return
    rate = account[A_MAKER] if maker != 0.0 else account[A_TAKER]
    price = base if maker != 0.0 else slipped(account, book, i, side, base, quantity)
    trade(account, book, fills, i, side, price, quantity, rate, maker, reason, book[i, B_REF], abs(held) - quantity)
    if book[i, B_QUANTITY] == 0.0 and book[i, B_ACTIVE] > 0.0:
        orphan(book, orders, i)
