"""decide: what a signal row asks for. The one decision code of backtest, paper and live."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined
from core.simulation.fields import (
    A_CASH,
    A_LATENCY,
    A_SIZING,
    AS_GIVEN,
    B_ACTIVE,
    B_MARK,
    B_QUANTITY,
    BY_EXPOSURE,
    BY_WORTH,
    CANCEL,
    DUST,
    GTC,
    LIMIT,
    MARKET,
    O_AMOUNT,
    O_CHILDREN,
    O_DISTANCE,
    O_EXPIRES,
    O_GROUP,
    O_INSTRUMENT,
    O_KIND,
    O_LIMIT,
    O_MODE,
    O_OPENED,
    O_PARENT,
    O_PROTECT_TRAIL,
    O_REDUCE,
    O_REF,
    O_SIDE,
    O_STOP,
    O_TARGET,
    O_TIF,
    O_TRAIL,
    O_TRIGGER,
    ORDER,
    PLACE,
    PROTECT,
)
from core.simulation.margin import leverage_of
from core.simulation.sizes import sized

Floats = NDArray[np.float64]


@inlined
def equity_of(account: Floats, book: Floats) -> float:
    """Cash and positions at their last closes."""
    equity = account[A_CASH]
    for i in range(book.shape[0]):
        if book[i, B_QUANTITY] != 0.0:
            equity += book[i, B_QUANTITY] * book[i, B_MARK]
    return float(equity)


@inlined
def decide(
    account: Floats, book: Floats, i: int, exposure: float, limit: float, stop: float, target: float, trail: float,
    ticket: Floats,
) -> int:  # fmt: skip
    """Bits of CANCEL (the instrument's open signal orders), PLACE (`ticket`, filled in) and PROTECT (the position).

    An exposure cancels what the last one left open and places an order for the difference, with the protection
    attached; without an exposure, protection given moves that of the position held. While orders are on their way (see
    latency) an exposure is sent after them even where it is that of the position now. Changes nothing but `ticket`.
    """
    protects = not (np.isnan(stop) and np.isnan(target) and np.isnan(trail))
    held = book[i, B_QUANTITY]
    mode, amount = BY_EXPOSURE, exposure
    if np.isnan(exposure):
        return PROTECT if protects and held != 0.0 else 0
    action = CANCEL if book[i, B_ACTIVE] > 0.0 else 0
    mark = book[i, B_MARK]
    equity = equity_of(account, book)
    if account[A_SIZING] != AS_GIVEN and exposure != 0.0:
        mode, amount = sized(account, book, i, exposure)
    if exposure == 0.0:
        gap = -held * mark
    elif mode == BY_EXPOSURE:
        gap = amount * leverage_of(account, book, i) * equity - held * mark
    else:
        gap = (amount if mode == BY_WORTH else amount * mark) - held * mark
    reached = gap == 0.0 or (exposure != 0.0 and abs(gap) <= DUST * equity)
    if np.isnan(gap) or (reached and not (account[A_LATENCY] > 0.0 and book[i, B_ACTIVE] > 0.0)):
        return action | PROTECT if protects and held != 0.0 else action
    for column in range(ORDER):
        ticket[column] = np.nan
    ticket[O_KIND] = MARKET if np.isnan(limit) else LIMIT
    ticket[O_INSTRUMENT] = i
    ticket[O_SIDE] = 0.0 if np.isnan(limit) else (1.0 if gap > 0.0 or (reached and exposure > 0.0) else -1.0)
    ticket[O_MODE] = mode
    ticket[O_AMOUNT] = amount
    ticket[O_LIMIT] = limit
    ticket[O_TRIGGER] = np.nan
    ticket[O_TRAIL] = np.nan
    ticket[O_DISTANCE] = np.nan
    ticket[O_STOP] = stop
    ticket[O_TARGET] = target
    ticket[O_PROTECT_TRAIL] = trail
    ticket[O_REDUCE] = 0.0
    ticket[O_TIF] = GTC
    ticket[O_EXPIRES] = np.inf
    ticket[O_REF] = 0.0
    ticket[O_GROUP] = 0.0
    ticket[O_PARENT] = 0.0
    ticket[O_CHILDREN] = 0.0
    ticket[O_OPENED] = 0.0
    return action | PLACE
