"""How widely the price moves."""

from numpy.typing import ArrayLike

from core.indicators.described import Floats, indicator, wilder_faded
from core.indicators.ta import one
from core.indicators.terms import AVERAGED, DIFFERENCE


@indicator(
    "volatility",
    outputs={"atr": DIFFERENCE},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=AVERAGED,
)
def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's average true range."""
    return one("ATR", high, low, close, timeperiod=period)
