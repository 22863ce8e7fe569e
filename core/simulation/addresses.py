"""Addresses: many instruments' arrays handed to a kernel without copying them into one.

A table holds where each array's data lies; a kernel makes arrays of it again. Whoever makes the table keeps the arrays
alive for as long as the kernel runs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

Addresses = NDArray[np.uint64]
Columns = Sequence[Any]  # one-dimensional, contiguous, of eight-byte numbers; None where there is none


def addresses(instruments: Sequence[Columns]) -> Addresses:
    """(instruments, columns): where the arrays lie, 0 for None. Raises InvalidInput for an array of another form."""
    table = np.zeros((len(instruments), max((len(each) for each in instruments), default=0)), np.uint64)
    for i, columns in enumerate(instruments):
        for c, column in enumerate(columns):
            if column is None:
                continue
            if column.ndim != 1 or column.itemsize != 8 or not column.flags.c_contiguous:
                raise InvalidInput(f"Column {c} of instrument {i} is not one contiguous row of eight-byte numbers.")
            table[i, c] = column.__array_interface__["data"][0]
    return table
