"""What every measure does with the numbers it is given, before and after it measures."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput

Floats = NDArray[np.float64]
NAN = float("nan")


def floats(values: ArrayLike) -> Floats:
    """(n,) float64 as kernels take it: contiguous and writable; InvalidInput for anything of another dimension."""
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput("A measure takes numbers; these values are not.") from None
    if np.ndim(values) != 1:
        raise InvalidInput(f"A measure takes a one-dimensional array; this one has {np.ndim(values)} dimensions.")
    return array if array.flags.writeable else array.copy()  # a kernel would be compiled once more for the other kind


def known(values: ArrayLike) -> Floats:
    """(m,) the values that are numbers."""
    array = floats(values)
    missing = np.isnan(array)
    return array[~missing] if missing.any() else array


def pairs(left: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    """Two (m,) arrays without the periods in which either is NaN."""
    first, second = floats(left), floats(right)
    if len(first) != len(second):
        raise InvalidInput(f"Returns of {len(first)} periods cannot be compared with a benchmark of {len(second)}.")
    missing = np.isnan(first) | np.isnan(second)
    return (first[~missing], second[~missing]) if missing.any() else (first, second)


def ratio(numerator: float, denominator: float, factor: float = 1.0) -> float:
    """numerator / denominator · factor; NaN where the denominator is 0, negative, or rounding only.

    A constant series has a deviation of about 1e-17 rather than 0, which is not a risk to divide by.
    """
    tiny = 1e-15 * max(1.0, abs(numerator))
    return numerator / denominator * factor if denominator > tiny else np.nan


def per_period(annual: float, periods_per_year: float) -> float:
    """The return per period that compounds to `annual`, a fraction above -1."""
    yearly(periods_per_year)
    if not annual > -1.0:
        raise InvalidInput(f"The annual rate {annual} is not above -1.")
    return float((1.0 + annual) ** (1.0 / periods_per_year) - 1.0)


def yearly(periods_per_year: float) -> float:
    """periods_per_year, or InvalidInput where it is no positive number."""
    if not 0.0 < periods_per_year < np.inf:
        raise InvalidInput(f"periods_per_year {periods_per_year} is not above zero.")
    return float(periods_per_year)


def confident(level: float) -> float:
    """level, or InvalidInput where it is no confidence level."""
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"The confidence level {level} is outside 0 to 1; 0.95 is the worst 5 %.")
    return float(level)


def counted(window: int, least: int = 2) -> int:
    """window, or InvalidInput where it is no whole number from `least` on."""
    if int(window) != window or window < least:
        raise InvalidInput(f"A window of {window} periods is not a whole number from {least} on.")
    return int(window)
