"""How fast and how far the price moves."""

from numpy.typing import ArrayLike

from core.errors import InvalidInput
from core.indicators.described import Floats, Lines, ema_faded, indicator, wilder_faded
from core.indicators.ta import one, several
from core.indicators.terms import AVERAGED, DIFFERENCE, FAST, FRACTION, LOOKBACK, PERCENT, SIGNAL, SLOW, WINDOW


def _ordered(fast: float, slow: float, **rest: float) -> None:
    if fast >= slow:
        raise InvalidInput(f"fast {fast} must be below slow {slow}.")


@indicator(
    "momentum",
    outputs={"rsi": PERCENT},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def rsi(close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's relative strength index."""
    return one("RSI", close, timeperiod=period)


@indicator("momentum", outputs={"roc": FRACTION}, warmup=lambda period: period, period=LOOKBACK)
def roc(close: ArrayLike, period: int = 10) -> Floats:
    """Rate of change: the change against `period` bars before."""
    return one("ROCP", close, timeperiod=period)


@indicator(
    "momentum",
    outputs={"macd": DIFFERENCE, "signal": DIFFERENCE, "histogram": DIFFERENCE},
    warmup=lambda fast, slow, signal: slow + signal - 2,
    settles=lambda fast, slow, signal: slow + signal + ema_faded(slow) + ema_faded(signal),
    check=_ordered,
    fast=FAST,
    slow=SLOW,
    signal=SIGNAL,
)
def macd(close: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> Lines:
    """MACD: the difference of two exponential averages, its own average, and their difference."""
    return several("MACD", close, fastperiod=fast, slowperiod=slow, signalperiod=signal)


@indicator(
    "momentum",
    outputs={"k": PERCENT, "d": PERCENT},
    warmup=lambda period, smooth, signal: period + smooth + signal - 3,
    period=LOOKBACK,
    smooth=AVERAGED,
    signal=AVERAGED,
)
def stochastic(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14, smooth: int = 3, signal: int = 3
) -> Lines:
    """Stochastic: where the close lies in its recent range, smoothed, and the average of that."""
    return several("STOCH", high, low, close, fastk_period=period, slowk_period=smooth, slowd_period=signal)


@indicator(
    "momentum",
    outputs={"adx": PERCENT},
    warmup=lambda period: 2 * period - 1,
    settles=lambda period: 2 * period + 2 * wilder_faded(period),
    period=WINDOW,
)
def adx(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's average directional index: how strong a trend is, whichever its direction."""
    return one("ADX", high, low, close, timeperiod=period)
