"""Protection of a position: a stop, a target and a trail that live with it."""

import numpy as np
from numpy.typing import NDArray

from core.indicators.compiled import inlined
from core.simulation.fields import (
    B_DISTANCE,
    B_EXIT,
    B_GUARDED,
    B_PEAK,
    B_PERPETUAL,
    B_QUANTITY,
    B_STOP,
    B_TARGET,
    B_TICK,
    B_TICK_PER,
    B_TRAIL,
    GUARD,
    MARGIN,
    STOPPED,
    TRAILED,
)
from core.simulation.grid import nearest

Floats = NDArray[np.float64]


@inlined
def stop_of(book: Floats, i: int) -> tuple[float, float]:
    """(price, reason) of the position's protective stop: of the fixed and the trailing one, whichever is nearer."""
    stop, reason = book[i, B_STOP], float(STOPPED)
    side = 1.0 if book[i, B_QUANTITY] > 0.0 else -1.0
    if not np.isnan(book[i, B_TRAIL]):
        trailing = book[i, B_PEAK] * (1.0 - side * book[i, B_TRAIL])
    elif not np.isnan(book[i, B_DISTANCE]):
        trailing = book[i, B_PEAK] - side * book[i, B_DISTANCE]
    else:
        return stop, reason
    if np.isnan(stop) or (trailing - stop) * side > 0.0:
        return trailing, float(TRAILED)
    return stop, reason


@inlined
def protect(book: Floats, i: int, stop: float, target: float, trail: float, price: float) -> None:
    """Sets the given protection of the position; NaN leaves what is there. A new trail starts at `price`."""
    tick, per = book[i, B_TICK], book[i, B_TICK_PER]
    if not np.isnan(stop):
        book[i, B_STOP] = nearest(stop, tick, per)
    if not np.isnan(target):
        book[i, B_TARGET] = nearest(target, tick, per)
    if not np.isnan(trail):
        if np.isnan(book[i, B_TRAIL]) and np.isnan(book[i, B_DISTANCE]):
            book[i, B_PEAK] = price
        book[i, B_TRAIL] = trail
        book[i, B_DISTANCE] = np.nan
    guard(book, i)


@inlined
def trail_by(book: Floats, i: int, distance: float, price: float) -> None:
    """Sets a trail by an absolute distance in place of one by a fraction; a new trail starts at `price`."""
    if np.isnan(book[i, B_TRAIL]) and np.isnan(book[i, B_DISTANCE]):
        book[i, B_PEAK] = price
    book[i, B_DISTANCE] = distance
    book[i, B_TRAIL] = np.nan
    guard(book, i)


@inlined
def unprotect(book: Floats, i: int) -> None:
    """Removes all protection of the position and any exit in progress."""
    book[i, B_STOP] = np.nan
    book[i, B_TARGET] = np.nan
    book[i, B_TRAIL] = np.nan
    book[i, B_DISTANCE] = np.nan
    book[i, B_PEAK] = np.nan
    book[i, B_EXIT] = 0.0
    guard(book, i)


@inlined
def margined(book: Floats, i: int) -> bool:
    """Whether the position is one that the venue lends for: a short, or a perpetual."""
    return book[i, B_QUANTITY] < 0.0 or (book[i, B_PERPETUAL] != 0.0 and book[i, B_QUANTITY] != 0.0)


@inlined
def guard(book: Floats, i: int) -> None:
    """Notes whether the position must be watched inside bars, so that bars of one that need not be cost nothing."""
    bare = np.isnan(book[i, B_STOP]) and np.isnan(book[i, B_TARGET]) and np.isnan(book[i, B_TRAIL])
    live = not (bare and np.isnan(book[i, B_DISTANCE])) or book[i, B_EXIT] != 0.0
    book[i, B_GUARDED] = (GUARD if live else 0.0) + (MARGIN if margined(book, i) else 0.0)
