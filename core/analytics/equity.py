"""Measures of an equity curve: returns, drawdowns, and how deep and long these were.

equity: (n,) quote. Drawdowns are positive fractions of the highest equity so far. A NaN is a period whose equity is
not known: it neither sets a high nor a low, and counts as a period of the drawdown around it.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.analytics.series import Floats, floats
from core.analytics.summary import returns_from
from core.analytics.underwater import deepest, depths


def returns_of(equity: ArrayLike) -> Floats:
    """(n,) simple returns of an equity curve; the first is 0, and so is any after the equity has become 0."""
    values = floats(equity)
    return returns_from(values, float(values[0])) if len(values) else values.copy()


def equity_of(returns: ArrayLike, start: float = 1.0) -> Floats:
    """(n + 1,) equity that compounds the returns from `start` on; a NaN return changes nothing."""
    changes = floats(returns)
    return start * np.concatenate(([1.0], np.cumprod(np.where(np.isnan(changes), 1.0, 1.0 + changes))))


def drawdowns(equity: ArrayLike) -> Floats:
    """(n,) distance below the highest equity so far, as a positive fraction; NaN where the equity is."""
    values = floats(equity)
    if len(values) == 0:
        return np.empty(0)
    peaks = np.fmax.accumulate(values)
    result: Floats = np.zeros(len(values))
    np.divide(peaks - values, peaks, out=result, where=~(peaks <= 0.0))
    return result


def max_drawdown(equity: ArrayLike) -> float:
    """The deepest drawdown, a positive fraction; 0 for a curve that never falls or is empty."""
    return float(deepest(floats(equity), -np.inf)[0])


def max_drawdown_duration(equity: ArrayLike) -> int:
    """The longest run of periods below an earlier high, the last one counted even when it has not ended."""
    return int(deepest(floats(equity), -np.inf)[1])


def average_drawdown(equity: ArrayLike) -> float:
    """Mean of the drawdowns over all periods, also called pain index; NaN for an empty curve.

    Source: Bacon (2008), "Practical Portfolio Performance Measurement and Attribution", ch. 4.
    """
    return float(depths(floats(equity))[0])


def ulcer_index(equity: ArrayLike) -> float:
    """Root mean square of the drawdowns over all periods, a fraction; NaN for an empty curve.

    Source: Martin and McCann (1989), "The Investor's Guide to Fidelity Funds"; theirs is in percent.
    """
    return float(np.sqrt(depths(floats(equity))[1]))
