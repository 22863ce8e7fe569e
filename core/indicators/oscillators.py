"""Where the price lies within what it lately did: in its range, among its extremes, around its average."""

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.arrays import aligned, lagged, ratio
from core.indicators.described import Floats, Lines, ema_faded, indicator, wilder_faded
from core.indicators.ta import extremes, one, several
from core.indicators.terms import (
    AVERAGED,
    DIFFERENCE,
    EITHER,
    LOOKBACK,
    PERCENT,
    SHORT,
    WINDOW,
)


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
    outputs={"k": PERCENT, "d": PERCENT},
    warmup=lambda period, signal: period + signal - 2,
    period=LOOKBACK,
    signal=AVERAGED,
)
def stochastic_fast(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14, signal: int = 3) -> Lines:
    """Fast stochastic: where the close lies in its recent range, and the average of that."""
    return several("STOCHF", high, low, close, fastk_period=period, fastd_period=signal)


@indicator(
    "momentum",
    outputs={"k": PERCENT, "d": PERCENT},
    warmup=lambda period, window, signal: period + window + signal - 2,
    settles=lambda period, window, signal: period + window + signal + wilder_faded(period),
    period=WINDOW,
    window=LOOKBACK,
    signal=AVERAGED,
)
def stochastic_rsi(close: ArrayLike, period: int = 14, window: int = 14, signal: int = 3) -> Lines:
    """Stochastic RSI: where the relative strength index lies in its own recent range, and the average of that."""
    return several("STOCHRSI", close, timeperiod=period, fastk_period=window, fastd_period=signal)


@indicator(
    "momentum",
    outputs={"k": "0 to 100", "d": "0 to 100", "j": "3k - 2d"},
    warmup=lambda period, smooth, signal: period + smooth + signal - 3,
    settles=lambda period, smooth, signal: (
        period + smooth + signal + 2 * wilder_faded(smooth) + 2 * wilder_faded(signal)
    ),
    period=LOOKBACK,
    smooth=AVERAGED,
    signal=AVERAGED,
)
def kdj(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 9, smooth: int = 3, signal: int = 3) -> Lines:
    """KDJ: a stochastic with Wilder's averages, and the line that runs ahead of both."""
    return several(
        "KDJ", high, low, close, fastk_period=period, slowk_period=smooth, slowk_matype=13, slowd_period=signal,
        slowd_matype=13,
    )  # fmt: skip


@indicator(
    "momentum",
    outputs={"smi": EITHER, "signal": EITHER},
    warmup=lambda period, fast, slow, signal: period + fast + slow + signal - 4,
    settles=lambda period, fast, slow, signal: (
        period + fast + slow + signal + ema_faded(fast) + ema_faded(slow) + ema_faded(signal)
    ),
    period=WINDOW,
    fast=(2, 100_000, "bars of the first smoothing"),
    slow=(2, 100_000, "bars of the second smoothing"),
    signal=(2, 100_000, "bars of the signal's average"),
)
def smi(
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    period: int = 13,
    fast: int = 2,
    slow: int = 25,
    signal: int = 9,
) -> Lines:
    """Stochastic momentum index: how far the close lies from the middle of its range, smoothed twice."""
    return several("SMI", high, low, close, timeperiod=period, fastperiod=fast, slowperiod=slow, signalperiod=signal)


@indicator("momentum", outputs={"williams_r": "-100 to 0"}, warmup=lambda period: period - 1, period=WINDOW)
def williams_r(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Williams' %R: how far the close lies below the highest high, in hundredths of the range."""
    return one("WILLR", high, low, close, timeperiod=period)


@indicator("momentum", outputs={"cci": "about -300 to 300"}, warmup=lambda period: period - 1, period=SHORT)
def cci(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 20) -> Floats:
    """Commodity channel index: the typical price's distance from its average, 100 is 1.5 mean deviations."""
    return one("CCI", high, low, close, timeperiod=period)


@indicator(
    "momentum",
    outputs={"ultimate": PERCENT},
    warmup=lambda short, medium, long: max(short, medium, long),
    short=LOOKBACK,
    medium=LOOKBACK,
    long=LOOKBACK,
)
def ultimate(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, short: int = 7, medium: int = 14, long: int = 28
) -> Floats:
    """Ultimate oscillator: buying pressure over three periods, the shortest weighing most."""
    return one("ULTOSC", high, low, close, timeperiod1=short, timeperiod2=medium, timeperiod3=long)


@indicator("momentum", outputs={"balance_of_power": "-1 to 1"}, warmup=lambda: 0)
def balance_of_power(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """Balance of power: the body of the bar over its range."""
    return one("BOP", open, high, low, close)


@indicator(
    "momentum",
    outputs={"bull": DIFFERENCE, "bear": DIFFERENCE},
    warmup=lambda period: period - 1,
    settles=lambda period: period + ema_faded(period),
    period=AVERAGED,
)
def elder_ray(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 13) -> Lines:
    """Elder ray: how far the high and the low lie above the exponential average of the close."""
    return several("ERI", high, low, close, timeperiod=period)


@indicator("momentum", outputs={"up": PERCENT, "down": PERCENT}, warmup=lambda period: period, period=WINDOW)
def aroon(high: ArrayLike, low: ArrayLike, period: int = 14) -> Lines:
    """Aroon: how lately the highest high and the lowest low were, 100 is on this bar."""
    down, up = several("AROON", high, low, timeperiod=period)
    return up, down


@indicator("momentum", outputs={"aroon_oscillator": EITHER}, warmup=lambda period: period, period=WINDOW)
def aroon_oscillator(high: ArrayLike, low: ArrayLike, period: int = 14) -> Floats:
    """Aroon oscillator: Aroon up less Aroon down."""
    return one("AROONOSC", high, low, timeperiod=period)


@indicator(
    "momentum",
    outputs={"fisher": "standard deviations", "signal": "standard deviations"},
    warmup=lambda period: period - 1,
    settles=lambda period: period + 50,  # both of its averages halve what is old on every bar, or nearly
    period=WINDOW,
)
def fisher(high: ArrayLike, low: ArrayLike, period: int = 9) -> Lines:
    """Ehlers' Fisher transform of the middle price's place in its range, and the same a bar before."""
    from core.indicators.loops import fisher as transformed

    middle = one("MEDPRICE", high, low)
    highest, lowest = extremes(middle, middle, period)
    return transformed(2.0 * ratio(middle - lowest, highest - lowest, 0.5) - 1.0)


@indicator(
    "momentum",
    outputs={"on": "1 while the bands are within the channel, else 0", "momentum": DIFFERENCE},
    warmup=lambda period, width, channel: 2 * (period - 1),
    period=WINDOW,
    width=(0.01, 100.0, "standard deviations of the Bollinger bands"),
    channel=(0.01, 100.0, "average ranges of the channel"),
)
def squeeze(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 20, width: float = 2.0, channel: float = 1.5
) -> Lines:
    """Squeeze: whether the Bollinger bands lie within the Keltner channel, and the regression of the distance."""
    middle = one("SMA", close, timeperiod=period)
    true_range = one("TRANGE", high, low, close)
    true_range[0] = np.asarray(high)[0] - np.asarray(low)[0]  # no close before the first bar
    within = width * one("STDDEV", close, timeperiod=period) < channel * one("SMA", true_range, timeperiod=period)
    highest, lowest = extremes(high, low, period)
    distance = np.asarray(close) - ((highest + lowest) / 2.0 + middle) / 2.0
    on = np.where(np.isnan(middle), np.nan, within.astype(np.float64))
    return aligned(on, one("LINEARREG", distance, timeperiod=period))


@indicator(
    "momentum",
    outputs={"rvgi": "-1 to 1", "signal": "-1 to 1"},
    warmup=lambda period: period + 5,
    period=AVERAGED,
)
def relative_vigor(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 10) -> Lines:
    """Relative vigor index: the body over the range, both smoothed, and the smoothed line."""
    body, reach = _swing(np.asarray(close) - np.asarray(open)), _swing(np.asarray(high) - np.asarray(low))
    line = ratio(one("SMA", body, timeperiod=period), one("SMA", reach, timeperiod=period), 0.0)
    return aligned(line, _swing(line))


def _swing(line: Floats) -> Floats:
    """The symmetrically weighted average of four bars."""
    return (line + 2.0 * lagged(line, 1) + 2.0 * lagged(line, 2) + lagged(line, 3)) / 6.0


@indicator(
    "momentum",
    outputs={"high": "price, at a swing high, else 0", "low": "price, at a swing low, else 0"},
    warmup=lambda left, right: left + right,
    left=(1, 1_000, "lower highs, or higher lows, before the swing"),
    right=(1, 1_000, "and after it; the swing shows that many bars late"),
)
def fractal(high: ArrayLike, low: ArrayLike, left: int = 2, right: int = 2) -> Lines:
    """Williams' fractal: swing highs and lows, told on the bar that confirms them."""
    tops, bottoms = several("FRACTAL", high, low, leftbars=left, rightbars=right)
    first = left + right
    found = np.full(len(tops), np.nan), np.full(len(tops), np.nan)
    for line, prices, marks in zip(found, (high, low), (tops, bottoms), strict=True):
        line[first:] = np.where(marks != 0, lagged(np.asarray(prices), right), 0.0)[first:]
    return found
