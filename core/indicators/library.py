"""Causal indicators on float64 arrays, TA-Lib underneath.

Each takes (n,) arrays and returns (n,) arrays, NaN in the warm-up. Leading NaNs of an input lengthen the warm-up; a NaN
further on makes the rest NaN. Fewer bars than the warm-up give all NaN; an empty array gives an empty one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import talib
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput

Floats = NDArray[np.float64]


def sma(close: ArrayLike, period: int = 20) -> Floats:
    """Simple moving average over `period` bars."""
    _period("period", period, 1)
    return _one(talib.SMA, [close], timeperiod=period) if period > 1 else _copy(close)


def ema(close: ArrayLike, period: int = 20) -> Floats:
    """Exponential moving average, alpha 2 / (period + 1), started with the simple average."""
    _period("period", period, 1)
    return _one(talib.EMA, [close], timeperiod=period) if period > 1 else _copy(close)


def wma(close: ArrayLike, period: int = 20) -> Floats:
    """Linearly weighted moving average, the latest bar weighing most."""
    _period("period", period, 1)
    return _one(talib.WMA, [close], timeperiod=period) if period > 1 else _copy(close)


def rsi(close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's relative strength index, 0 to 100."""
    _period("period", period, 2)
    return _one(talib.RSI, [close], timeperiod=period)


def roc(close: ArrayLike, period: int = 10) -> Floats:
    """Change against `period` bars before, as a fraction."""
    _period("period", period, 1)
    return _one(talib.ROCP, [close], timeperiod=period)


def macd(close: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Floats, Floats, Floats]:
    """(macd, signal, histogram): the difference of two exponential averages, its own average, and their difference."""
    _period("fast", fast, 2)
    _period("slow", slow, 2)
    _period("signal", signal, 1)
    if fast >= slow:
        raise InvalidInput(f"fast {fast} must be below slow {slow}.")
    line, average, rest = _several(talib.MACD, [close], 3, fastperiod=fast, slowperiod=slow, signalperiod=signal)
    return line, average, rest


def bollinger(close: ArrayLike, period: int = 20, width: float = 2.0) -> tuple[Floats, Floats, Floats]:
    """(upper, middle, lower): the simple average and `width` population standard deviations around it."""
    _period("period", period, 2)
    if not 0.0 < width < 100.0:
        raise InvalidInput(f"width {width} is outside 0 to 100 standard deviations.")
    upper, middle, lower = _several(
        talib.BBANDS, [close], 3, timeperiod=period, nbdevup=float(width), nbdevdn=float(width)
    )
    return upper, middle, lower


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's average true range, in quote."""
    _period("period", period, 1)
    return _one(talib.ATR, [high, low, close], timeperiod=period)


def donchian(high: ArrayLike, low: ArrayLike, period: int = 20) -> tuple[Floats, Floats, Floats]:
    """(upper, middle, lower): highest high, their mean, lowest low of the last `period` bars, this one included."""
    _period("period", period, 2)
    upper = _one(talib.MAX, [high], timeperiod=period)
    lower = _one(talib.MIN, [low], timeperiod=period)
    return upper, (upper + lower) / 2.0, lower


def stochastic(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14, smooth: int = 3, signal: int = 3
) -> tuple[Floats, Floats]:
    """(k, d): where the close lies in the range of `period` bars, smoothed, and its average; 0 to 100."""
    for name, value in (("period", period), ("smooth", smooth), ("signal", signal)):
        _period(name, value, 1)
    k, d = _several(talib.STOCH, [high, low, close], 2, fastk_period=period, slowk_period=smooth, slowd_period=signal)
    return k, d


def adx(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's average directional index, 0 to 100."""
    _period("period", period, 2)
    return _one(talib.ADX, [high, low, close], timeperiod=period)


def obv(close: ArrayLike, volume: ArrayLike) -> Floats:
    """On-balance volume: volume summed with the sign of the close's change."""
    return _one(talib.OBV, [close, volume])


def _period(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or int(value) != value or not least <= value <= 100_000:
        raise InvalidInput(f"{name} {value} is not a whole number from {least} to 100000.")


def _array(values: ArrayLike) -> Floats:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidInput(f"An indicator takes one-dimensional arrays; this one has {array.ndim} dimensions.")
    return array


def _copy(values: ArrayLike) -> Floats:
    return _array(values).copy()


def _one(function: Callable[..., Any], inputs: list[ArrayLike], **parameters: float) -> Floats:
    return _several(function, inputs, 1, **parameters)[0]


def _several(
    function: Callable[..., Any], inputs: list[ArrayLike], outputs: int, **parameters: float
) -> tuple[Floats, ...]:
    """TA-Lib on the part behind the leading NaNs; all NaN where nothing is left of it."""
    arrays = [_array(values) for values in inputs]
    n = len(arrays[0])
    if any(len(array) != n for array in arrays):
        raise InvalidInput(f"The inputs have different lengths: {', '.join(str(len(array)) for array in arrays)}.")
    known = ~np.isnan(arrays[0])
    for array in arrays[1:]:
        known &= ~np.isnan(array)
    first = int(np.argmax(known)) if known.any() else n
    results = tuple(np.full(n, np.nan) for _ in range(outputs))
    if n - first >= 1:
        found = function(*(array[first:] for array in arrays), **parameters)
        for result, values in zip(results, found if outputs > 1 else (found,), strict=True):
            result[first:] = values
    return results
