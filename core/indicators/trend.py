"""Averages, bands and stops that follow the price."""

import math

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.arrays import aligned, lagged
from core.indicators.described import Floats, Lines, ema_faded, faded, indicator, wilder_faded
from core.indicators.ta import extremes, one, several
from core.indicators.terms import AVERAGED, BANDS, DIFFERENCE, LOOKBACK, PRICE, SIGN, WIDTH, WINDOW


@indicator("trend", outputs={"sma": PRICE}, overlay=True, warmup=lambda period: period - 1, period=AVERAGED)
def sma(close: ArrayLike, period: int = 20) -> Floats:
    """Simple moving average."""
    return one("SMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"ema": PRICE},
    overlay=True,
    warmup=lambda period: period - 1,
    settles=lambda period: period + ema_faded(period),
    period=AVERAGED,
)
def ema(close: ArrayLike, period: int = 20) -> Floats:
    """Exponential moving average, alpha 2 / (period + 1), started with the simple average."""
    return one("EMA", close, timeperiod=period)


@indicator("trend", outputs={"wma": PRICE}, overlay=True, warmup=lambda period: period - 1, period=AVERAGED)
def wma(close: ArrayLike, period: int = 20) -> Floats:
    """Linearly weighted moving average, the latest bar weighing most."""
    return one("WMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"dema": PRICE},
    overlay=True,
    warmup=lambda period: 2 * (period - 1),
    settles=lambda period: 2 * period + 2 * ema_faded(period),
    period=AVERAGED,
)
def dema(close: ArrayLike, period: int = 20) -> Floats:
    """Double exponential average: twice the average less its own average, so that it lags less."""
    return one("DEMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"tema": PRICE},
    overlay=True,
    warmup=lambda period: 3 * (period - 1),
    settles=lambda period: 3 * period + 2 * ema_faded(period),
    period=AVERAGED,
)
def tema(close: ArrayLike, period: int = 20) -> Floats:
    """Triple exponential average: as the double one, with less lag still."""
    return one("TEMA", close, timeperiod=period)


@indicator("trend", outputs={"trima": PRICE}, overlay=True, warmup=lambda period: period - 1, period=AVERAGED)
def trima(close: ArrayLike, period: int = 20) -> Floats:
    """Triangular moving average, the middle bars weighing most."""
    return one("TRIMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"kama": PRICE},
    overlay=True,
    warmup=lambda period: period,
    settles=lambda period: period + faded((2.0 / 31.0) ** 2),  # its slowest pace
    period=WINDOW,
)
def kama(close: ArrayLike, period: int = 10) -> Floats:
    """Kaufman's adaptive average: quick in a trend, slow in noise."""
    return one("KAMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"t3": PRICE},
    overlay=True,
    warmup=lambda period, factor: 6 * (period - 1),
    settles=lambda period, factor: 6 * period + 3 * ema_faded(period),
    period=AVERAGED,
    factor=(0.0, 1.0, "how much of the lag is taken out"),
)
def t3(close: ArrayLike, period: int = 5, factor: float = 0.7) -> Floats:
    """Tillson's T3: six exponential averages in a row, weighted so that they lag little."""
    return one("T3", close, timeperiod=period, vfactor=factor)


@indicator(
    "trend",
    outputs={"rma": PRICE},
    overlay=True,
    warmup=lambda period: period - 1,
    settles=lambda period: period + wilder_faded(period),
    period=AVERAGED,
)
def rma(close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's smoothed average, alpha 1 / period."""
    return one("RMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"zlema": PRICE},
    overlay=True,
    warmup=lambda period: period - 1 + (period - 1) // 2,
    settles=lambda period: 2 * period + ema_faded(period),
    period=AVERAGED,
)
def zlema(close: ArrayLike, period: int = 20) -> Floats:
    """Zero-lag exponential average: of the price and its change over half the period."""
    return one("ZLEMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"hma": PRICE},
    overlay=True,
    warmup=lambda period: period + math.isqrt(period) - 2,
    period=WINDOW,
)
def hma(close: ArrayLike, period: int = 20) -> Floats:
    """Hull moving average: weighted averages combined so that they hardly lag."""
    return one("HMA", close, timeperiod=period)


@indicator(
    "trend",
    outputs={"alma": PRICE},
    overlay=True,
    warmup=lambda period, offset, sigma: period - 1,
    period=(1, 5_000, "bars averaged"),
    offset=(0.0, 1.0, "where the weight peaks, 1 is the latest bar"),
    sigma=(0.1, 100.0, "how narrow the peak is"),
)
def alma(close: ArrayLike, period: int = 9, offset: float = 0.85, sigma: float = 6.0) -> Floats:
    """Arnaud Legoux moving average: weights of a bell curve near the latest bar."""
    from core.indicators.loops import weighted_window

    weights = np.exp(-((np.arange(period) - offset * (period - 1)) ** 2) / (2.0 * (period / sigma) ** 2))
    return weighted_window(np.asarray(close), weights / weights.sum())


@indicator(
    "trend",
    outputs={"vidya": PRICE},
    overlay=True,
    warmup=lambda period, momentum: momentum,
    settles=lambda period, momentum: None,  # it stands still while the momentum is zero
    period=AVERAGED,
    momentum=(2, 100_000, "bars of the momentum that sets its pace"),
)
def vidya(close: ArrayLike, period: int = 14, momentum: int = 9) -> Floats:
    """Chande's variable index dynamic average: exponential, paced by the absolute momentum."""
    from core.indicators.loops import paced

    pace = np.abs(one("CMOU", close, timeperiod=momentum)) / 100.0
    return paced(np.asarray(close), pace * (2.0 / (period + 1.0)))


@indicator(
    "trend",
    outputs={"mcginley": PRICE},
    overlay=True,
    warmup=lambda period: 0,
    settles=lambda period: None,  # its pace depends on how far the price is
    period=AVERAGED,
)
def mcginley(close: ArrayLike, period: int = 14) -> Floats:
    """McGinley dynamic: an average that speeds up when the price runs away below it."""
    from core.indicators.loops import mcginley as dynamic

    return dynamic(np.asarray(close), float(period))


@indicator(
    "trend",
    outputs={"mama": PRICE, "fama": PRICE},
    overlay=True,
    warmup=lambda fast, slow: 32,
    settles=lambda fast, slow: None,  # its pace follows the measured cycle
    fast=(0.01, 0.99, "its quickest pace"),
    slow=(0.01, 0.99, "its slowest pace"),
)
def mama(close: ArrayLike, fast: float = 0.5, slow: float = 0.05) -> Lines:
    """MESA adaptive average, and the one that follows it: paced by the phase of the cycle."""
    return several("MAMA", close, fastlimit=fast, slowlimit=slow)


@indicator("trend", outputs={"midpoint": PRICE}, overlay=True, warmup=lambda period: period - 1, period=WINDOW)
def midpoint(close: ArrayLike, period: int = 14) -> Floats:
    """The middle between the highest and the lowest value."""
    return one("MIDPOINT", close, timeperiod=period)


@indicator("trend", outputs={"midprice": PRICE}, overlay=True, warmup=lambda period: period - 1, period=WINDOW)
def midprice(high: ArrayLike, low: ArrayLike, period: int = 14) -> Floats:
    """The middle between the highest high and the lowest low."""
    return one("MIDPRICE", high, low, timeperiod=period)


@indicator(
    "trend",
    outputs=BANDS,
    overlay=True,
    warmup=lambda period, width: period - 1,
    period=WINDOW,
    width=(0.01, 100.0, "population standard deviations to either side"),
)
def bollinger(close: ArrayLike, period: int = 20, width: float = 2.0) -> Lines:
    """Bollinger bands: the simple average and standard deviations around it."""
    return several("BBANDS", close, timeperiod=period, nbdevup=width, nbdevdn=width)


@indicator("trend", outputs=BANDS, overlay=True, warmup=lambda period: period - 1, period=WINDOW)
def donchian(high: ArrayLike, low: ArrayLike, period: int = 20) -> Lines:
    """Donchian channel: highest high, their mean, lowest low, this bar included."""
    upper, lower = one("MAX", high, timeperiod=period), one("MIN", low, timeperiod=period)
    return upper, (upper + lower) / 2.0, lower


@indicator(
    "trend",
    outputs=BANDS,
    overlay=True,
    warmup=lambda period, atr_period, width: max(period - 1, atr_period),
    settles=lambda period, atr_period, width: period + atr_period + ema_faded(period) + wilder_faded(atr_period),
    period=AVERAGED,
    atr_period=(1, 100_000, "bars of the average true range"),
    width=(0.01, 100.0, "average true ranges to either side"),
)
def keltner(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 20, atr_period: int = 10, width: float = 2.0
) -> Lines:
    """Keltner channel: the exponential average and average true ranges around it."""
    middle = one("EMA", close, timeperiod=period)
    reach = width * one("ATR", high, low, close, timeperiod=atr_period)
    return aligned(middle + reach, middle, middle - reach)


@indicator(
    "trend",
    outputs=BANDS,
    overlay=True,
    warmup=lambda period, width: period - 1,
    period=AVERAGED,
    width=(0.0001, 1.0, "fraction of the average to either side"),
)
def envelope(close: ArrayLike, period: int = 20, width: float = 0.025) -> Lines:
    """Envelope: the simple average and a fixed fraction of it to either side."""
    middle = one("SMA", close, timeperiod=period)
    return middle * (1.0 + width), middle, middle * (1.0 - width)


@indicator("trend", outputs=BANDS, overlay=True, warmup=lambda period: period - 1, period=WINDOW)
def acceleration_bands(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 20) -> Lines:
    """Headley's acceleration bands: averages of prices widened by each bar's range."""
    return several("ACCBANDS", high, low, close, timeperiod=period)


@indicator(
    "trend",
    outputs={"sar": PRICE},
    overlay=True,
    warmup=lambda acceleration, maximum: 1,
    settles=lambda acceleration, maximum: None,
    acceleration=(0.0, 10.0, "how much nearer it comes with each new extreme"),
    maximum=(0.0, 10.0, "the most it may come nearer on one bar"),
)
def sar(high: ArrayLike, low: ArrayLike, acceleration: float = 0.02, maximum: float = 0.2) -> Floats:
    """Wilder's parabolic stop and reverse."""
    return one("SAR", high, low, acceleration=acceleration, maximum=maximum)


@indicator(
    "trend",
    outputs={"supertrend": PRICE, "direction": SIGN},
    overlay=True,
    warmup=lambda period, width: period,
    settles=lambda period, width: None,
    period=WINDOW,
    width=(0.01, 100.0, "average true ranges between the price and the line"),
)
def supertrend(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 10, width: float = 3.0) -> Lines:
    """SuperTrend: a stop that trails by average true ranges; direction 1 while it lies below the price, else -1."""
    return aligned(*several("SUPERTREND", high, low, close, timeperiod=period, multiplier=width))


@indicator(
    "trend",
    outputs={"long": PRICE, "short": PRICE},
    overlay=True,
    warmup=lambda period, width: period,
    settles=lambda period, width: period + wilder_faded(period),
    period=LOOKBACK,
    width=WIDTH,
)
def chandelier(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 22, width: float = 3.0) -> Lines:
    """Chandelier exit: the stop of a long position below the highest high, of a short one above the lowest low."""
    reach = width * one("ATR", high, low, close, timeperiod=period)
    highest, lowest = extremes(high, low, period)
    return aligned(highest - reach, lowest + reach)


@indicator(
    "trend",
    outputs={"tenkan": PRICE, "kijun": PRICE, "span_a": PRICE, "span_b": PRICE, "lagging": DIFFERENCE},
    overlay=True,
    warmup=lambda tenkan, kijun, span, displacement: max(tenkan, kijun, span) - 1 + displacement,
    tenkan=(2, 100_000, "bars of the conversion line"),
    kijun=(2, 100_000, "bars of the base line"),
    span=(2, 100_000, "bars of span B"),
    displacement=(1, 100_000, "bars by which the cloud is drawn ahead"),
)
def ichimoku(
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    tenkan: int = 9,
    kijun: int = 26,
    span: int = 52,
    displacement: int = 26,
) -> Lines:
    """Ichimoku: lines, the cloud that stands at this bar, and the close less the close `displacement` bars before."""
    conversion = one("MIDPRICE", high, low, timeperiod=tenkan)
    base = one("MIDPRICE", high, low, timeperiod=kijun)
    slow = one("MIDPRICE", high, low, timeperiod=span)
    prices = np.asarray(close, dtype=np.float64)
    return aligned(
        conversion,
        base,
        lagged((conversion + base) / 2.0, displacement),
        lagged(slow, displacement),
        prices - lagged(prices, displacement),  # what the lagging line shows, without drawing it into the past
    )


@indicator(
    "trend",
    outputs={"jaw": PRICE, "teeth": PRICE, "lips": PRICE},
    overlay=True,
    warmup=lambda: 13 - 1 + 8,
    settles=lambda: 2 * 13 + 8 + wilder_faded(13),
)
def alligator(high: ArrayLike, low: ArrayLike) -> Lines:
    """Williams' alligator: smoothed averages of 13, 8 and 5 bars of the middle price, drawn 8, 5 and 3 bars ahead."""
    middle = one("MEDPRICE", high, low)
    jaw, teeth, lips = (lagged(one("RMA", middle, timeperiod=p), ahead) for p, ahead in ((13, 8), (8, 5), (5, 3)))
    return aligned(jaw, teeth, lips)
