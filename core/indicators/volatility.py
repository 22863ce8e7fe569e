"""How widely the price moves."""

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.arrays import lagged, ratio
from core.indicators.described import Floats, ema_faded, indicator, wilder_faded
from core.indicators.ta import extremes, one, several
from core.indicators.terms import AVERAGED, DIFFERENCE, FRACTION, LOOKBACK, PERCENT, RATIO, WINDOW

SPAN = (0.0001, 10_000_000.0, "bars that the figure spans, 365 on daily bars for a year")
VOLATILITY = "standard deviation of log returns"


@indicator(
    "volatility",
    outputs={"atr": DIFFERENCE},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=LOOKBACK,
)
def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Wilder's average true range."""
    return one("ATR", high, low, close, timeperiod=period)


@indicator(
    "volatility",
    outputs={"natr": FRACTION},
    warmup=lambda period: period,
    settles=lambda period: period + wilder_faded(period),
    period=LOOKBACK,
)
def natr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """The average true range as a fraction of the close."""
    return ratio(one("ATR", high, low, close, timeperiod=period), np.asarray(close), 0.0)


@indicator("volatility", outputs={"true_range": DIFFERENCE}, warmup=lambda: 1)
def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """True range: from the higher of the high and the close before to the lower of the low and the close before."""
    return one("TRANGE", high, low, close)


@indicator("volatility", outputs={"average_range": DIFFERENCE}, warmup=lambda period: period - 1, period=AVERAGED)
def average_range(high: ArrayLike, low: ArrayLike, period: int = 14) -> Floats:
    """The simple average of high less low."""
    return one("ADR", high, low, timeperiod=period)


@indicator(
    "volatility",
    outputs={"chaikin_volatility": FRACTION},
    warmup=lambda period, change: period - 1 + change,
    settles=lambda period, change: period + change + ema_faded(period),
    period=WINDOW,
    change=LOOKBACK,
)
def chaikin_volatility(high: ArrayLike, low: ArrayLike, period: int = 10, change: int = 10) -> Floats:
    """Chaikin's volatility: the change of the exponential average of high less low."""
    return one("CVI", high, low, timeperiod=period, rocperiod=change) / 100.0


@indicator(
    "volatility",
    outputs={"mass_index": "sum of ratios"},
    warmup=lambda period, window: 2 * (period - 1) + window - 1,
    settles=lambda period, window: 2 * period + window + 2 * ema_faded(period),
    period=WINDOW,
    window=WINDOW,
)
def mass_index(high: ArrayLike, low: ArrayLike, period: int = 9, window: int = 25) -> Floats:
    """Mass index: the range's average over the average of that, summed; a bulge above 27 hints at a turn."""
    return one("MASSI", high, low, fastperiod=period, slowperiod=window)


@indicator(
    "volatility",
    outputs={"relative_volatility": PERCENT},
    warmup=lambda period, window: period + window - 2,
    settles=lambda period, window: period + window + wilder_faded(period),
    period=LOOKBACK,
    window=WINDOW,
)
def relative_volatility(close: ArrayLike, period: int = 14, window: int = 10) -> Floats:
    """Dorsey's relative volatility index: the standard deviation on rising bars over that on all."""
    return one("RVI", close, timeperiod=period, stddevperiod=window)


@indicator(
    "volatility",
    outputs={"bandwidth": FRACTION},
    warmup=lambda period, width: period - 1,
    period=WINDOW,
    width=(0.01, 100.0, "population standard deviations to either side"),
)
def bandwidth(close: ArrayLike, period: int = 20, width: float = 2.0) -> Floats:
    """Bollinger bandwidth: how far the bands lie apart, over their middle."""
    upper, middle, lower = several("BBANDS", close, timeperiod=period, nbdevup=width, nbdevdn=width)
    return ratio(upper - lower, middle, 0.0)


@indicator(
    "volatility",
    outputs={"percent_b": "0 at the lower band, 1 at the upper"},
    warmup=lambda period, width: period - 1,
    period=WINDOW,
    width=(0.01, 100.0, "population standard deviations to either side"),
)
def percent_b(close: ArrayLike, period: int = 20, width: float = 2.0) -> Floats:
    """Bollinger's %b: where the value lies between the bands; 0.5 where they meet."""
    upper, _, lower = several("BBANDS", close, timeperiod=period, nbdevup=width, nbdevdn=width)
    return ratio(np.asarray(close) - lower, upper - lower, 0.5)


@indicator(
    "volatility",
    outputs={"choppiness": PERCENT},
    warmup=lambda period: period,
    period=WINDOW,
)
def choppiness(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Choppiness: 100 where the price went back and forth within its range, towards 0 in a straight trend."""
    went = one("SUM", one("TRANGE", high, low, close), timeperiod=period)
    before = np.asarray(close).copy()
    before[1:] = np.asarray(close)[:-1]  # true ranges begin at the close before
    highest, lowest = extremes(np.maximum(high, before), np.minimum(low, before), period)
    came = ratio(went, highest - lowest, float(period))
    return 100.0 * np.log10(np.maximum(came, 1.0)) / np.log10(period)


@indicator(
    "volatility",
    outputs={"realised_volatility": VOLATILITY},
    warmup=lambda period, span: period,
    period=WINDOW,
    span=SPAN,
)
def realised_volatility(close: ArrayLike, period: int = 30, span: float = 1.0) -> Floats:
    """Realised volatility: the sample standard deviation of log returns, times the root of `span`."""
    return one("STDDEV", _log_returns(close), timeperiod=period) * np.sqrt(span * period / (period - 1))


@indicator(
    "volatility",
    outputs={"parkinson": VOLATILITY},
    warmup=lambda period, span: period - 1,
    period=AVERAGED,
    span=SPAN,
)
def parkinson(high: ArrayLike, low: ArrayLike, period: int = 30, span: float = 1.0) -> Floats:
    """Parkinson's volatility, from highs and lows."""
    squares = _logs(high, low) ** 2 / (4.0 * np.log(2.0))
    return _rooted(one("SMA", squares, timeperiod=period), span)


@indicator(
    "volatility",
    outputs={"garman_klass": VOLATILITY},
    warmup=lambda period, span: period - 1,
    period=AVERAGED,
    span=SPAN,
)
def garman_klass(
    open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 30, span: float = 1.0
) -> Floats:
    """Garman and Klass's volatility, from all four prices of a bar."""
    squares = 0.5 * _logs(high, low) ** 2 - (2.0 * np.log(2.0) - 1.0) * _logs(close, open) ** 2
    return _rooted(one("SMA", squares, timeperiod=period), span)


@indicator(
    "volatility",
    outputs={"rogers_satchell": VOLATILITY},
    warmup=lambda period, span: period - 1,
    period=AVERAGED,
    span=SPAN,
)
def rogers_satchell(
    open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 30, span: float = 1.0
) -> Floats:
    """Rogers and Satchell's volatility, which a drift does not inflate."""
    return _rooted(one("SMA", _rogers_satchell(open, high, low, close), timeperiod=period), span)


@indicator(
    "volatility",
    outputs={"yang_zhang": VOLATILITY},
    warmup=lambda period, span: period,
    period=WINDOW,
    span=SPAN,
)
def yang_zhang(
    open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 30, span: float = 1.0
) -> Floats:
    """Yang and Zhang's volatility, which counts gaps between bars and is not inflated by a drift."""
    share = 0.34 / (1.34 + (period + 1) / (period - 1))
    sample = period / (period - 1)
    gaps = sample * one("VAR", _logs(open, lagged(np.asarray(close), 1)), timeperiod=period)
    bodies = sample * one("VAR", _logs(close, open), timeperiod=period)
    within = one("SMA", _rogers_satchell(open, high, low, close), timeperiod=period)
    return _rooted(gaps + share * bodies + (1.0 - share) * within, span)


@indicator("volatility", outputs={"ulcer_index": FRACTION}, warmup=lambda period: 2 * (period - 1), period=WINDOW)
def ulcer_index(close: ArrayLike, period: int = 14) -> Floats:
    """Ulcer index: the root of the mean squared drawdown from the highest value of the last `period` bars."""
    highest, _ = extremes(close, close, period)
    drawdown = ratio(np.asarray(close) - highest, highest, 0.0)
    return _rooted(one("SMA", drawdown**2, timeperiod=period), 1.0)


@indicator(
    "volatility",
    outputs={"atr_ratio": RATIO},
    warmup=lambda fast, slow: max(fast, slow),
    settles=lambda fast, slow: max(fast, slow) + max(wilder_faded(fast), wilder_faded(slow)),
    fast=(1, 100_000, "bars of the recent average"),
    slow=(1, 100_000, "bars of the usual average"),
)
def atr_ratio(high: ArrayLike, low: ArrayLike, close: ArrayLike, fast: int = 7, slow: int = 50) -> Floats:
    """How wide bars lately are against what is usual: the average true range of few bars over that of many."""
    return ratio(one("ATR", high, low, close, timeperiod=fast), one("ATR", high, low, close, timeperiod=slow), 1.0)


def _logs(above: ArrayLike, below: ArrayLike) -> Floats:
    with np.errstate(all="ignore"):
        found: Floats = np.log(np.asarray(above) / np.asarray(below))
    return found


def _log_returns(close: ArrayLike) -> Floats:
    return _logs(close, lagged(np.asarray(close), 1))


def _rogers_satchell(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    return _logs(high, close) * _logs(high, open) + _logs(low, close) * _logs(low, open)


def _rooted(squares: Floats, span: float) -> Floats:
    """The root; rounding may leave a variance a hair below zero."""
    found: Floats = np.sqrt(np.maximum(squares, 0.0) * span)
    return found
