"""Kernels over levels of order books: changing one book, merging several, walking them against each other.

Numba keeps them beside this file and compiles them anew when the file changes; none calls a kernel of another file,
whose changes Numba would not see. This module is imported where a book is first made, as Numba takes a moment to load.

A side of a book lies in arrays ordered by key, the best level last, where nearly all changes are: the key of a bid is
its price, that of an ask its negative price.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])

BID, ASK = 0, 1
NET, PRICE, SIZE, VENUE = 0, 1, 2, 3  # rows of a merged side


def kernel(function: Function) -> Function:
    """Compiles on first use, without the GIL, kept between processes where the folder can be written."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        compiled: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it
        compiled = numba.njit(**options)(function)
    kept: Function = compiled
    return kept


@kernel
def change(keys: Floats, sizes: Floats, counts: Integers, bids: Floats, asks: Floats) -> None:
    """Applies changed levels (n, 2) to a book's (2, capacity) arrays, which have room for them; size 0 removes."""
    for side in range(2):
        levels = bids if side == 0 else asks
        sign = 1.0 if side == 0 else -1.0
        count = counts[side]
        for row in range(levels.shape[0]):
            key, size = sign * levels[row, 0], levels[row, 1]
            low, high = 0, count
            while low < high:
                middle = (low + high) >> 1
                if keys[side, middle] < key:
                    low = middle + 1
                else:
                    high = middle
            found = low < count and keys[side, low] == key
            if size > 0.0:
                if not found:
                    for place in range(count, low, -1):
                        keys[side, place] = keys[side, place - 1]
                        sizes[side, place] = sizes[side, place - 1]
                    keys[side, low] = key
                    count += 1
                sizes[side, low] = size
            elif found:
                count -= 1
                for place in range(low, count):
                    keys[side, place] = keys[side, place + 1]
                    sizes[side, place] = sizes[side, place + 1]
        counts[side] = count


@kernel
def shorten(keys: Floats, sizes: Floats, counts: Integers, limit: int) -> None:
    """Drops the worst levels beyond `limit` of each side."""
    for side in range(2):
        gone = counts[side] - limit
        if gone > 0:
            for place in range(limit):
                keys[side, place] = keys[side, place + gone]
                sizes[side, place] = sizes[side, place + gone]
            counts[side] = limit


@kernel
def copy_top(keys: Floats, sizes: Floats, counts: Integers, top: Floats, lengths: Integers) -> None:
    """The best levels, best first, into top (2, 2, depth): side, price or size; how many into lengths (2,)."""
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        count = counts[side]
        length = min(count, top.shape[2])
        for place in range(length):
            top[side, 0, place] = sign * keys[side, count - 1 - place]
            top[side, 1, place] = sizes[side, count - 1 - place]
        lengths[side] = length


@kernel
def merge(tops: Floats, lengths: Integers, fees: Floats, rates: Floats, out: Floats, found: Integers) -> None:
    """Levels of all venues by their price after fees, best first.

    tops (venues, 2, 2, depth), lengths (venues, 2) as of `copy_top`; a venue of length 0 is left out
    fees (venues,): taker, fraction; rates (venues,): common quote per quote of the venue
    out (2, 4, most): side; NET and PRICE in the common quote, SIZE, VENUE; found (2,): how many
    """
    venues = tops.shape[0]
    place = np.zeros(venues, np.int64)
    for side in range(2):
        place[:] = 0
        sign = 1.0 if side == 0 else -1.0
        count = 0
        while count < out.shape[2]:
            best, best_key = -1, 0.0
            for venue in range(venues):
                if place[venue] < lengths[venue, side]:
                    price = tops[venue, side, 0, place[venue]] * rates[venue]
                    key = sign * price * (1.0 - sign * fees[venue])
                    if best < 0 or key > best_key:
                        best, best_key = venue, key
            if best < 0:
                break
            out[side, 0, count] = sign * best_key
            out[side, 1, count] = tops[best, side, 0, place[best]] * rates[best]
            out[side, 2, count] = tops[best, side, 1, place[best]]
            out[side, 3, count] = best
            place[best] += 1
            count += 1
        found[side] = count


@kernel
def refresh(
    keys: Floats, sizes: Floats, counts: Integers, row: int, tops: Floats, lengths: Integers, fees: Floats,
    rates: Floats, out: Floats, found: Integers,
) -> None:  # fmt: skip
    """`copy_top` of one venue's book and `merge` of all, in one call."""
    copy_top(keys, sizes, counts, tops[row], lengths[row])
    merge(tops, lengths, fees, rates, out, found)
