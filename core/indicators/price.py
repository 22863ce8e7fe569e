"""Prices of a bar, and the extremes of bars before."""

from numpy.typing import ArrayLike

from core.indicators.described import Floats, Lines, indicator
from core.indicators.ta import extremes, one, several
from core.indicators.terms import LOOKBACK, PRICE


@indicator("price", outputs={"average_price": PRICE}, overlay=True, warmup=lambda: 0)
def average_price(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """The mean of open, high, low and close."""
    return one("AVGPRICE", open, high, low, close)


@indicator("price", outputs={"median_price": PRICE}, overlay=True, warmup=lambda: 0)
def median_price(high: ArrayLike, low: ArrayLike) -> Floats:
    """The middle of high and low."""
    return one("MEDPRICE", high, low)


@indicator("price", outputs={"typical_price": PRICE}, overlay=True, warmup=lambda: 0)
def typical_price(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """The mean of high, low and close."""
    return one("TYPPRICE", high, low, close)


@indicator("price", outputs={"weighted_close": PRICE}, overlay=True, warmup=lambda: 0)
def weighted_close(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """The mean of high, low and twice the close."""
    return one("WCLPRICE", high, low, close)


@indicator(
    "price",
    outputs={"open": PRICE, "high": PRICE, "low": PRICE, "close": PRICE},
    overlay=True,
    warmup=lambda: 0,
    settles=lambda: 30,  # the start halves with every bar
)
def heikin_ashi(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Lines:
    """Heikin-Ashi candles: the close is the bar's mean price, the open the middle of the candle before."""
    return several("HA", open, high, low, close)


@indicator("price", outputs={"highest": PRICE}, overlay=True, warmup=lambda period: period - 1, period=LOOKBACK)
def highest(close: ArrayLike, period: int = 20) -> Floats:
    """The highest of the last values, this one included."""
    return extremes(close, close, period)[0]


@indicator("price", outputs={"lowest": PRICE}, overlay=True, warmup=lambda period: period - 1, period=LOOKBACK)
def lowest(close: ArrayLike, period: int = 20) -> Floats:
    """The lowest of the last values, this one included."""
    return extremes(close, close, period)[1]
