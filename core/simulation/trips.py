"""Round trips: fills folded into trades, from flat to flat."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import kernel
from core.simulation.fields import F_FEE, F_INSTRUMENT, F_PAID, F_PRICE, F_QUANTITY, F_REASON, F_SIDE, F_TIME

Floats = NDArray[np.float64]

T_INSTRUMENT = 0
T_SIDE = 1
T_ENTRY_TIME = 2  # ms
T_EXIT_TIME = 3  # ms, of the last reducing fill
T_BOUGHT = 4  # base that was opened, for either side
T_ENTRY_NOTIONAL = 5
T_CLOSED = 6  # base that was closed
T_EXIT_NOTIONAL = 7
T_FEES = 8
T_REASON = 9  # of the last reducing fill
T_OPEN = 10  # 1 while not flat again
T_PAID = 11  # quote of funding and interest while it was held, up to its last fill
TRIP = 12


@kernel
def round_trips(fills: Floats, instruments: int) -> Floats:
    """(trades, TRIP) in order of entry; a fill that crosses zero is divided between the two trades it touches."""
    trips = np.zeros((len(fills) + 1, TRIP))
    current = np.full(instruments, -1)
    held = np.zeros(instruments)
    used = 0
    for row in range(len(fills)):
        quantity = fills[row, F_QUANTITY]
        if quantity == 0.0:
            continue
        i = int(fills[row, F_INSTRUMENT])
        side, price, time = fills[row, F_SIDE], fills[row, F_PRICE], fills[row, F_TIME]
        if held[i] != 0.0:
            trips[current[i], T_PAID] += fills[row, F_PAID]
        closing = min(quantity, max(0.0, -side * held[i]))
        if abs(closing - quantity) <= 1e-12 * quantity:
            closing = quantity
        if closing > 0.0:
            trip = current[i]
            trips[trip, T_CLOSED] += closing
            trips[trip, T_EXIT_NOTIONAL] += closing * price
            trips[trip, T_FEES] += fills[row, F_FEE] * (closing / quantity)
            trips[trip, T_EXIT_TIME] = time
            trips[trip, T_REASON] = fills[row, F_REASON]
            held[i] += side * closing
            if abs(held[i]) <= 1e-9 * closing:
                held[i] = 0.0
                trips[trip, T_OPEN] = 0.0
        opening = quantity - closing
        if opening > 0.0:
            if held[i] == 0.0:
                current[i] = used
                trips[used, T_INSTRUMENT] = i
                trips[used, T_SIDE] = side
                trips[used, T_ENTRY_TIME] = time
                trips[used, T_EXIT_TIME] = np.nan
                trips[used, T_OPEN] = 1.0
                used += 1
            trip = current[i]
            trips[trip, T_BOUGHT] += opening
            trips[trip, T_ENTRY_NOTIONAL] += opening * price
            trips[trip, T_FEES] += fills[row, F_FEE] * (opening / quantity)
            held[i] += side * opening
    return trips[:used]
