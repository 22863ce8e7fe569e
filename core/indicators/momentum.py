"""How fast and how far the price moves."""

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InvalidInput
from core.indicators.arrays import aligned
from core.indicators.described import Floats, Lines, ema_faded, indicator, wilder_faded
from core.indicators.ta import one, several
from core.indicators.terms import (
    AVERAGED,
    DIFFERENCE,
    EITHER,
    FAST,
    FRACTION,
    LOOKBACK,
    PERCENT,
    SHORT,
    SIGNAL,
    SLOW,
    WINDOW,
)


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


@indicator("momentum", outputs={"mom": DIFFERENCE}, warmup=lambda period: period, period=LOOKBACK)
def mom(close: ArrayLike, period: int = 10) -> Floats:
    """Momentum: the value less the one `period` bars before."""
    return one("MOM", close, timeperiod=period)


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
    outputs={"apo": DIFFERENCE},
    warmup=lambda fast, slow: slow - 1,
    settles=lambda fast, slow: slow + ema_faded(slow),
    check=_ordered,
    fast=FAST,
    slow=SLOW,
)
def apo(close: ArrayLike, fast: int = 12, slow: int = 26) -> Floats:
    """Absolute price oscillator: the fast exponential average less the slow one."""
    return one("APO", close, fastperiod=fast, slowperiod=slow, matype=1)


@indicator(
    "momentum",
    outputs={"ppo": FRACTION},
    warmup=lambda fast, slow: slow - 1,
    settles=lambda fast, slow: slow + ema_faded(slow),
    check=_ordered,
    fast=FAST,
    slow=SLOW,
)
def ppo(close: ArrayLike, fast: int = 12, slow: int = 26) -> Floats:
    """Percentage price oscillator: how far the fast exponential average lies above the slow one."""
    return one("PPO", close, fastperiod=fast, slowperiod=slow, matype=1) / 100.0


@indicator(
    "momentum",
    outputs={"cmo": EITHER},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=WINDOW,
)
def cmo(close: ArrayLike, period: int = 14) -> Floats:
    """Chande momentum oscillator, with Wilder's averages: gains less losses over their sum."""
    return one("CMO", close, timeperiod=period)


@indicator(
    "momentum",
    outputs={"trix": FRACTION},
    warmup=lambda period: 3 * (period - 1) + 1,
    settles=lambda period: 3 * period + 2 * ema_faded(period),
    period=AVERAGED,
)
def trix(close: ArrayLike, period: int = 15) -> Floats:
    """TRIX: the change of an exponential average taken three times."""
    return one("TRIX", close, timeperiod=period) / 100.0


@indicator(
    "momentum",
    outputs={"tsi": EITHER},
    warmup=lambda slow, fast: slow + fast - 1,
    settles=lambda slow, fast: slow + fast + ema_faded(slow) + ema_faded(fast),
    slow=(2, 100_000, "bars of the first smoothing"),
    fast=(2, 100_000, "bars of the second smoothing"),
)
def tsi(close: ArrayLike, slow: int = 25, fast: int = 13) -> Floats:
    """True strength index: the change, smoothed twice, over the absolute change smoothed alike."""
    return one("TSI", close, firstperiod=slow, secondperiod=fast)


@indicator(
    "momentum",
    outputs={"awesome": DIFFERENCE},
    warmup=lambda fast, slow: slow - 1,
    check=_ordered,
    fast=FAST,
    slow=SLOW,
)
def awesome(high: ArrayLike, low: ArrayLike, fast: int = 5, slow: int = 34) -> Floats:
    """Awesome oscillator: the fast simple average of the middle price less the slow one."""
    return one("AO", high, low, fastperiod=fast, slowperiod=slow)


@indicator(
    "momentum",
    outputs={"accelerator": DIFFERENCE},
    warmup=lambda fast, slow, signal: slow + signal - 2,
    check=_ordered,
    fast=FAST,
    slow=SLOW,
    signal=(2, 100_000, "bars of the signal's average"),
)
def accelerator(high: ArrayLike, low: ArrayLike, fast: int = 5, slow: int = 34, signal: int = 5) -> Floats:
    """Accelerator: the awesome oscillator less its own average."""
    return one("AC", high, low, fastperiod=fast, slowperiod=slow, signalperiod=signal)


@indicator(
    "momentum",
    outputs={"coppock": FRACTION},
    warmup=lambda period, short, long: max(short, long) + period - 1,
    period=AVERAGED,
    short=LOOKBACK,
    long=LOOKBACK,
)
def coppock(close: ArrayLike, period: int = 10, short: int = 11, long: int = 14) -> Floats:
    """Coppock curve: the weighted average of two rates of change added up."""
    return one("COPPOCK", close, wmaperiod=period, roc1period=short, roc2period=long) / 100.0


@indicator(
    "momentum",
    outputs={"dpo": DIFFERENCE},
    warmup=lambda period: max(period - 1, period // 2 + 1),
    period=WINDOW,
)
def dpo(close: ArrayLike, period: int = 20) -> Floats:
    """Detrended price oscillator: the value half a period before less today's average, so that nothing looks ahead."""
    return one("DPO", close, timeperiod=period)


@indicator("momentum", outputs={"forecast": FRACTION}, warmup=lambda period: period, period=WINDOW)
def forecast_oscillator(close: ArrayLike, period: int = 14) -> Floats:
    """Forecast oscillator: how far the value lies above what the regression of the bars before it foresaw."""
    return one("FOSC", close, timeperiod=period) / 100.0


@indicator("momentum", outputs={"imi": PERCENT}, warmup=lambda period: period - 1, period=SHORT)
def intraday_momentum(open: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Intraday momentum index: the bodies of rising bars over all bodies."""
    return one("IMI", open, close, timeperiod=period)


@indicator("momentum", outputs={"qstick": DIFFERENCE}, warmup=lambda period: period - 1, period=AVERAGED)
def qstick(open: ArrayLike, close: ArrayLike, period: int = 10) -> Floats:
    """Qstick: the average body of the bars."""
    return one("QSTICK", open, close, timeperiod=period)


@indicator(
    "momentum",
    outputs={"connors_rsi": PERCENT},
    warmup=lambda period, streak, rank: max(period, streak, rank + 1),
    settles=lambda period, streak, rank: None,  # a streak may be as long as it likes
    period=WINDOW,
    streak=WINDOW,
    rank=(2, 5_000, "bars among which the change is ranked"),
)
def connors_rsi(close: ArrayLike, period: int = 3, streak: int = 2, rank: int = 100) -> Floats:
    """Connors RSI: the mean of the RSI, the RSI of the streak of rises or falls, and the rank of the last change."""
    from core.indicators.loops import streaks

    run = one("RSI", streaks(np.asarray(close)), timeperiod=streak)
    return (
        one("RSI", close, timeperiod=period)
        + run
        + one("PERCENTRANK", one("ROCP", close, timeperiod=1), timeperiod=rank)
    ) / 3.0


@indicator(
    "momentum",
    outputs={"kst": FRACTION, "signal": FRACTION},
    warmup=lambda signal: 30 + 15 - 1 + signal - 1,
    signal=SIGNAL,
)
def kst(close: ArrayLike, signal: int = 9) -> Lines:
    """Pring's know sure thing: four smoothed rates of change added up, and the average of the sum."""
    line = np.zeros(len(np.asarray(close)))
    for weight, (change, smooth) in enumerate(((10, 10), (15, 10), (20, 10), (30, 15)), start=1):
        line = line + weight * one("SMA", one("ROCP", close, timeperiod=change), timeperiod=smooth)
    return aligned(line, one("SMA", line, timeperiod=signal))
