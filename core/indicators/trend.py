"""Averages, bands and stops that follow the price."""

from numpy.typing import ArrayLike

from core.indicators.described import Floats, Lines, ema_faded, indicator
from core.indicators.ta import one, several
from core.indicators.terms import AVERAGED, BANDS, PRICE, WINDOW


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
