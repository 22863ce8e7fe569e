"""The venue's grids in float64: the njit twin of core.money's quantisation, equal to it on every representable value.

A grid is numerator / denominator with exact integers (0.01 is 1 / 100), so that k * numerator / denominator is the
double nearest to the decimal grid point, and comparing doubles decides as comparing the decimals would.
"""

from decimal import Decimal

import numpy as np

from core.errors import InvalidInput
from core.indicators.compiled import inlined
from core.money import plain

EXACT = 2.0**53  # beyond it a grid is finer than the doubles themselves


def fraction_of(step: Decimal) -> tuple[float, float]:
    """(numerator, denominator) of a grid step; (0, 1) for no grid. Raises InvalidInput when it is no such grid."""
    if not step.is_finite() or step < 0:
        raise InvalidInput(f"The grid {step} is not zero or above.")
    numerator, denominator = step.as_integer_ratio()
    if numerator >= 2**53 or denominator >= 2**53:
        raise InvalidInput(f"The grid {plain(step)} has too many digits.")
    return float(numerator), float(denominator)


@inlined
def down(value: float, numerator: float, denominator: float) -> float:
    """The largest grid point not above value (value >= 0), as core.money rounds quantities."""
    if numerator == 0.0:
        return value
    k = np.rint(value * denominator / numerator)
    if not abs(k) < EXACT:
        return value
    while k * numerator / denominator > value:
        k -= 1.0
    return k * numerator / denominator


@inlined
def nearest(value: float, numerator: float, denominator: float) -> float:
    """The nearest grid point, half to even, as core.money rounds order prices. NaN stays NaN."""
    if numerator == 0.0 or np.isnan(value):
        return value
    k = np.floor(value * denominator / numerator)
    if not abs(k) < EXACT:
        return value
    while k * numerator / denominator > value:
        k -= 1.0
    while (k + 1.0) * numerator / denominator <= value:
        k += 1.0
    middle = (2.0 * k + 1.0) * numerator / (2.0 * denominator)
    if value > middle or (value == middle and k % 2.0 == 1.0):
        k += 1.0
    return k * numerator / denominator


@inlined
def against(value: float, side: float, numerator: float, denominator: float) -> float:
    """The grid point that is worse for the trader: up for a buy, down for a sell."""
    if numerator == 0.0:
        return value
    k = np.rint(value * denominator / numerator)
    if not abs(k) < EXACT:
        return value
    if side > 0.0:
        while k * numerator / denominator < value:
            k += 1.0
        while (k - 1.0) * numerator / denominator >= value:
            k -= 1.0
    else:
        while k * numerator / denominator > value:
            k -= 1.0
        while (k + 1.0) * numerator / denominator <= value:
            k += 1.0
    return k * numerator / denominator
