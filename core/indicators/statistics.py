"""Rolling statistics of one series or two."""

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.arrays import lagged, ratio
from core.indicators.described import Floats, indicator
from core.indicators.ta import one
from core.indicators.terms import FRACTION, LOOKBACK, PERCENT, PRICE, SHORT, WINDOW

UNIT = "unit of the input"


@indicator("statistics", outputs={"stddev": UNIT}, warmup=lambda period: period - 1, period=WINDOW)
def stddev(close: ArrayLike, period: int = 20) -> Floats:
    """Population standard deviation."""
    return one("STDDEV", close, timeperiod=period)


@indicator("statistics", outputs={"variance": "its square"}, warmup=lambda period: period - 1, period=WINDOW)
def variance(close: ArrayLike, period: int = 20) -> Floats:
    """Population variance."""
    return one("VAR", close, timeperiod=period)


@indicator("statistics", outputs={"mean_deviation": UNIT}, warmup=lambda period: period - 1, period=SHORT)
def mean_deviation(close: ArrayLike, period: int = 20) -> Floats:
    """Mean absolute deviation from the mean."""
    return one("AVGDEV", close, timeperiod=period)


@indicator("statistics", outputs={"total": UNIT}, warmup=lambda period: period - 1, period=WINDOW)
def total(close: ArrayLike, period: int = 20) -> Floats:
    """Sum of the last values."""
    return one("SUM", close, timeperiod=period)


@indicator("statistics", outputs={"log_return": "log return"}, warmup=lambda period: period, period=LOOKBACK)
def log_return(close: ArrayLike, period: int = 1) -> Floats:
    """Logarithm of the value over the one `period` bars before."""
    values = np.asarray(close, dtype=np.float64)
    with np.errstate(all="ignore"):
        found: Floats = np.log(values / lagged(values, period))
    return found


@indicator("statistics", outputs={"zscore": "standard deviations"}, warmup=lambda period: period - 1, period=WINDOW)
def zscore(close: ArrayLike, period: int = 20) -> Floats:
    """How many standard deviations the value lies above its mean; 0 where nothing varies."""
    deviation = one("STDDEV", close, timeperiod=period)
    return ratio(np.asarray(close) - one("SMA", close, timeperiod=period), deviation, 0.0)


@indicator("statistics", outputs={"skewness": "third moment"}, warmup=lambda period: period - 1, period=WINDOW)
def skewness(close: ArrayLike, period: int = 50) -> Floats:
    """Population skewness; 0 where nothing varies."""
    from core.indicators.loops import moments

    return moments(np.asarray(close), period)[0]


@indicator("statistics", outputs={"kurtosis": "fourth moment less 3"}, warmup=lambda period: period - 1, period=WINDOW)
def kurtosis(close: ArrayLike, period: int = 50) -> Floats:
    """Population excess kurtosis; 0 where nothing varies."""
    from core.indicators.loops import moments

    return moments(np.asarray(close), period)[1]


@indicator(
    "statistics",
    outputs={"percentile": UNIT},
    warmup=lambda period, percent: period - 1,
    period=(2, 10_000, "bars looked back"),
    percent=(0.0, 100.0, "which percentile, 50 is the median"),
)
def percentile(close: ArrayLike, period: int = 30, percent: float = 50.0) -> Floats:
    """Percentile of the last values, nearest rank."""
    return one("PERCENTILE", close, timeperiod=period, percentile=percent)


@indicator(
    "statistics",
    outputs={"percent_rank": PERCENT},
    warmup=lambda period: period,
    period=(2, 10_000, "bars before this one"),
)
def percent_rank(close: ArrayLike, period: int = 100) -> Floats:
    """How many percent of the values before are no higher than this one."""
    return one("PERCENTRANK", close, timeperiod=period)


@indicator("statistics", outputs={"correlation": "-1 to 1"}, warmup=lambda period: period - 1, period=WINDOW)
def correlation(close: ArrayLike, other: ArrayLike, period: int = 30) -> Floats:
    """Pearson's correlation with another series; 0 where one does not vary."""
    return one("CORREL", close, other, timeperiod=period)


@indicator("statistics", outputs={"beta": "ratio"}, warmup=lambda period: period, period=WINDOW)
def beta(close: ArrayLike, other: ArrayLike, period: int = 30) -> Floats:
    """How much the returns move with those of another series: their covariance over its variance."""
    return one("BETA", other, close, timeperiod=period)


@indicator("statistics", outputs={"linreg": PRICE}, overlay=True, warmup=lambda period: period - 1, period=WINDOW)
def linreg(close: ArrayLike, period: int = 14) -> Floats:
    """Where the regression line of the last values ends."""
    return one("LINEARREG", close, timeperiod=period)


@indicator("statistics", outputs={"linreg_slope": "per bar"}, warmup=lambda period: period - 1, period=WINDOW)
def linreg_slope(close: ArrayLike, period: int = 14) -> Floats:
    """Slope of the regression line of the last values."""
    return one("LINEARREG_SLOPE", close, timeperiod=period)


@indicator("statistics", outputs={"linreg_angle": "degrees"}, warmup=lambda period: period - 1, period=WINDOW)
def linreg_angle(close: ArrayLike, period: int = 14) -> Floats:
    """Angle of the regression line of the last values."""
    return one("LINEARREG_ANGLE", close, timeperiod=period)


@indicator(
    "statistics", outputs={"linreg_intercept": PRICE}, overlay=True, warmup=lambda period: period - 1, period=WINDOW
)
def linreg_intercept(close: ArrayLike, period: int = 14) -> Floats:
    """Where the regression line of the last values begins."""
    return one("LINEARREG_INTERCEPT", close, timeperiod=period)


@indicator("statistics", outputs={"forecast": PRICE}, overlay=True, warmup=lambda period: period - 1, period=WINDOW)
def forecast(close: ArrayLike, period: int = 14) -> Floats:
    """Where the regression line of the last values points to on the next bar."""
    return one("TSF", close, timeperiod=period)


@indicator(
    "statistics",
    outputs={"autocorrelation": "-1 to 1"},
    warmup=lambda period, lag: period - 1 + lag + 1,
    period=WINDOW,
    lag=(1, 10_000, "bars between the returns compared"),
)
def autocorrelation(close: ArrayLike, period: int = 50, lag: int = 1) -> Floats:
    """Correlation of the returns with those `lag` bars before."""
    returns = one("ROCP", close, timeperiod=1)
    return one("CORREL", returns, lagged(returns, lag), timeperiod=period)


@indicator("statistics", outputs={"drawdown": FRACTION}, warmup=lambda period: period - 1, period=LOOKBACK)
def drawdown(close: ArrayLike, period: int = 365) -> Floats:
    """How far the value lies below the highest of the last values, 0 to 1."""
    from core.indicators.ta import extremes

    top, _ = extremes(close, close, period)
    return ratio(top - np.asarray(close), top, 0.0)
