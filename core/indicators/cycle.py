"""Cycles, by Ehlers' Hilbert transform. All of them are causal: they use the last bars only."""

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.described import Floats, Lines, indicator
from core.indicators.ta import one, several
from core.indicators.terms import DIFFERENCE, PRICE


@indicator("cycle", outputs={"ht_period": "bars"}, warmup=lambda: 32, settles=lambda: None)
def ht_period(close: ArrayLike) -> Floats:
    """Length of the dominant cycle."""
    return one("HT_DCPERIOD", close)


@indicator("cycle", outputs={"ht_phase": "degrees"}, warmup=lambda: 63, settles=lambda: None)
def ht_phase(close: ArrayLike) -> Floats:
    """Phase of the dominant cycle."""
    return one("HT_DCPHASE", close)


@indicator("cycle", outputs={"inphase": DIFFERENCE, "quadrature": DIFFERENCE}, warmup=lambda: 32, settles=lambda: None)
def ht_phasor(close: ArrayLike) -> Lines:
    """The two components of the dominant cycle."""
    return several("HT_PHASOR", close)


@indicator("cycle", outputs={"sine": "-1 to 1", "lead": "-1 to 1"}, warmup=lambda: 63, settles=lambda: None)
def ht_sine(close: ArrayLike) -> Lines:
    """Sine of the phase, and the same 45 degrees ahead in phase."""
    return several("HT_SINE", close)


@indicator("cycle", outputs={"ht_trendline": PRICE}, overlay=True, warmup=lambda: 63, settles=lambda: None)
def ht_trendline(close: ArrayLike) -> Floats:
    """The price without its dominant cycle."""
    return one("HT_TRENDLINE", close)


@indicator("cycle", outputs={"ht_trendmode": "1 in a trend, else 0"}, warmup=lambda: 63, settles=lambda: None)
def ht_trendmode(close: ArrayLike) -> Floats:
    """Whether the market trends or cycles."""
    found = one("HT_TRENDMODE", close)
    found[:63] = np.nan
    return found
