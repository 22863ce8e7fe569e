"""TA-Lib, loaded when the first indicator that needs it is computed."""

import functools
from typing import Any

import numpy as np

from core.indicators.described import Floats, Lines


@functools.cache
def _library() -> Any:
    import talib

    return talib._ta_lib  # without the wrapper that looks for pandas in every argument


def one(name: str, *inputs: Any, **options: float) -> Floats:
    """The output of a TA-Lib function with one, as float64."""
    found: Floats = np.asarray(getattr(_library(), name)(*inputs, **options), dtype=np.float64)
    return found


def several(name: str, *inputs: Any, **options: float) -> Lines:
    """The outputs of a TA-Lib function with several, as float64."""
    return tuple(np.asarray(each, dtype=np.float64) for each in getattr(_library(), name)(*inputs, **options))


def extremes(high: Any, low: Any, period: int) -> Lines:
    """(highest high, lowest low) of `period` bars; TA-Lib's own begin at two."""
    if period == 1:
        return np.array(high, dtype=np.float64), np.array(low, dtype=np.float64)
    return one("MAX", high, timeperiod=period), one("MIN", low, timeperiod=period)
