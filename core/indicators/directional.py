"""Which way a trend goes and how strong it is."""

from numpy.typing import ArrayLike

from core.indicators.described import Floats, Lines, indicator, wilder_faded
from core.indicators.ta import one, several
from core.indicators.terms import DIFFERENCE, PERCENT, RATIO, SHORT, WINDOW


@indicator(
    "trend",
    outputs={"adx": PERCENT},
    warmup=lambda period: 2 * period - 1,
    settles=lambda period: 2 * period + 2 * wilder_faded(period),
    period=WINDOW,
)
def adx(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's average directional index: how strong a trend is, whichever its direction."""
    return one("ADX", high, low, close, timeperiod=period)


@indicator(
    "trend",
    outputs={"adxr": PERCENT},
    warmup=lambda period: 3 * period - 2,
    settles=lambda period: 3 * period + 2 * wilder_faded(period),
    period=WINDOW,
)
def adxr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """The average of the directional index and its value `period` bars before."""
    return one("ADXR", high, low, close, timeperiod=period)


@indicator(
    "trend",
    outputs={"dx": PERCENT},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def dx(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Directional movement index: how far the two directional indicators lie apart, over their sum."""
    return one("DX", high, low, close, timeperiod=period)


@indicator(
    "trend",
    outputs={"plus_di": PERCENT},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def plus_di(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Positive directional indicator: upward movement over the true range."""
    return one("PLUS_DI", high, low, close, timeperiod=period)


@indicator(
    "trend",
    outputs={"minus_di": PERCENT},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def minus_di(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Negative directional indicator: downward movement over the true range."""
    return one("MINUS_DI", high, low, close, timeperiod=period)


@indicator(
    "trend",
    outputs={"plus_dm": DIFFERENCE},
    warmup=lambda period: period - 1,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def plus_dm(high: ArrayLike, low: ArrayLike, period: int = 14) -> Floats:
    """Positive directional movement, Wilder's running sum."""
    return one("PLUS_DM", high, low, timeperiod=period)


@indicator(
    "trend",
    outputs={"minus_dm": DIFFERENCE},
    warmup=lambda period: period - 1,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def minus_dm(high: ArrayLike, low: ArrayLike, period: int = 14) -> Floats:
    """Negative directional movement, Wilder's running sum."""
    return one("MINUS_DM", high, low, timeperiod=period)


@indicator("trend", outputs={"plus": RATIO, "minus": RATIO}, warmup=lambda period: period, period=WINDOW)
def vortex(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Lines:
    """Vortex: movement from the low to the next high, and from the high to the next low, over the true range."""
    return several("VORTEX", high, low, close, timeperiod=period)


@indicator("trend", outputs={"vhf": "0 to 1"}, warmup=lambda period: period, period=SHORT)
def vhf(close: ArrayLike, period: int = 28) -> Floats:
    """Vertical horizontal filter: the range of the closes over the distance they went."""
    return one("VHF", close, timeperiod=period)


@indicator("trend", outputs={"efficiency": "0 to 1"}, warmup=lambda period: period, period=WINDOW)
def efficiency_ratio(close: ArrayLike, period: int = 10) -> Floats:
    """Kaufman's efficiency ratio: how far the price came over the distance it went."""
    return one("ER", close, timeperiod=period)
