"""How large a position a signal becomes: what the account has seen of prices and trades, and what follows from it."""

import math

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined
from core.simulation.fields import (
    A_GAINS,
    A_MOST,
    A_SCATTER,
    A_SIZE,
    A_SIZING,
    A_SPAN,
    A_TRADES,
    B_FLOW,
    B_MARK,
    B_RETURNS,
    B_STAKE,
    B_VARIANCE,
    BY_EXPOSURE,
    BY_POSITION,
    BY_WORTH,
    FIXED_CASH,
    FIXED_QUANTITY,
    FRACTION,
    VOLATILITY,
)
from core.simulation.margin import leverage_of

Floats = NDArray[np.float64]


@inlined
def observe(account: Floats, book: Floats, i: int, close: float) -> None:
    """Takes the return from the last mark to this close into the instrument's variance, before it becomes the mark."""
    before = book[i, B_MARK]
    if np.isnan(before):
        return
    change = close / before - 1.0
    seen = book[i, B_RETURNS] + 1.0
    weight = 1.0 / seen if seen <= account[A_SPAN] else 2.0 / (account[A_SPAN] + 1.0)
    book[i, B_RETURNS] = seen
    book[i, B_VARIANCE] += weight * (change * change - book[i, B_VARIANCE])


@inlined
def settled(account: Floats, book: Floats, i: int) -> None:
    """Takes the round trip that has just ended into the account's tally."""
    if book[i, B_STAKE] > 0.0:
        gain = book[i, B_FLOW] / book[i, B_STAKE]
        account[A_TRADES] += 1.0
        away = gain - account[A_GAINS]
        account[A_GAINS] += away / account[A_TRADES]
        account[A_SCATTER] += away * (gain - account[A_GAINS])
    book[i, B_FLOW] = 0.0
    book[i, B_STAKE] = 0.0


@inlined
def kelly(account: Floats) -> float:
    """The stake as a multiple of equity, from the account's closed trades."""
    trades = account[A_TRADES]
    if trades < account[A_SPAN]:
        return min(account[A_SIZE], account[A_MOST])
    if account[A_GAINS] <= 0.0:
        return 0.0
    variance = account[A_SCATTER] / (trades - 1.0)
    if account[A_SIZE] * account[A_GAINS] >= account[A_MOST] * variance:
        return float(account[A_MOST])
    return float(account[A_SIZE] * account[A_GAINS] / variance)


@inlined
def sized(account: Floats, book: Floats, i: int, exposure: float) -> tuple[int, float]:
    """(mode, amount) of the position that a signal's exposure becomes under the account's rule of sizing."""
    rule = account[A_SIZING]
    if rule == FIXED_CASH:
        return BY_WORTH, exposure * account[A_SIZE]
    if rule == FIXED_QUANTITY:
        return BY_POSITION, exposure * account[A_SIZE]
    if rule == FRACTION:
        return BY_EXPOSURE, exposure * account[A_SIZE]
    if rule == VOLATILITY:
        if book[i, B_RETURNS] < 2.0:
            return BY_EXPOSURE, 0.0
        volatility = math.sqrt(book[i, B_VARIANCE])
        most = account[A_MOST]
        multiple = most if account[A_SIZE] >= most * volatility else account[A_SIZE] / volatility
    else:
        multiple = kelly(account)
    return BY_EXPOSURE, exposure * min(multiple / leverage_of(account, book, i), 1.0)
