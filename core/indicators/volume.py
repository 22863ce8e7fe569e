"""What was traded, and where."""

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.arrays import lagged, ratio
from core.indicators.described import Floats, Lines, ema_faded, indicator
from core.indicators.ta import extremes, one
from core.indicators.terms import AVERAGED, FAST, FRACTION, LOOKBACK, PERCENT, PRICE, RATIO, SLOW, VOLUME, WINDOW


def _never() -> None:
    return None


@indicator("volume", outputs={"obv": VOLUME}, warmup=lambda: 0, settles=_never)
def obv(close: ArrayLike, volume: ArrayLike) -> Floats:
    """On-balance volume: volume summed with the sign of the close's change."""
    return one("OBV", close, volume)


@indicator("volume", outputs={"ad": VOLUME}, warmup=lambda: 0, settles=_never)
def ad(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> Floats:
    """Chaikin's accumulation/distribution line: volume summed by where the close lies in the bar's range."""
    return one("AD", high, low, close, volume)


@indicator(
    "volume",
    outputs={"adosc": VOLUME},
    warmup=lambda fast, slow: max(fast, slow) - 1,
    settles=lambda fast, slow: max(fast, slow) + ema_faded(max(fast, slow)),
    fast=FAST,
    slow=SLOW,
)
def adosc(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, fast: int = 3, slow: int = 10
) -> Floats:
    """Chaikin's oscillator: the fast exponential average of the accumulation line less the slow one."""
    return one("ADOSC", high, low, close, volume, fastperiod=fast, slowperiod=slow)


@indicator("volume", outputs={"cmf": "-1 to 1"}, warmup=lambda period: period - 1, period=WINDOW)
def cmf(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, period: int = 20) -> Floats:
    """Chaikin money flow: volume by where the close lies in the bar's range, over all volume."""
    return one("CMF", high, low, close, volume, timeperiod=period)


@indicator("volume", outputs={"mfi": PERCENT}, warmup=lambda period: period, period=WINDOW)
def mfi(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, period: int = 14) -> Floats:
    """Money flow index: money traded on rising bars over all money traded."""
    return one("MFI", high, low, close, volume, timeperiod=period)


@indicator(
    "volume",
    outputs={"force_index": "price difference times volume"},
    warmup=lambda period: period,
    settles=lambda period: period + ema_faded(period),
    period=AVERAGED,
)
def force_index(close: ArrayLike, volume: ArrayLike, period: int = 13) -> Floats:
    """Elder's force index: the change times the volume, averaged exponentially."""
    return one("EFI", close, volume, timeperiod=period)


@indicator("volume", outputs={"market_facilitation": "price difference per volume"}, warmup=lambda: 0)
def market_facilitation(high: ArrayLike, low: ArrayLike, volume: ArrayLike) -> Floats:
    """Market facilitation index: the bar's range per volume, 0 where nothing was traded."""
    return ratio(np.asarray(high) - np.asarray(low), np.asarray(volume, dtype=np.float64), 0.0)


@indicator("volume", outputs={"nvi": "index"}, warmup=lambda: 0, settles=_never)
def nvi(close: ArrayLike, volume: ArrayLike) -> Floats:
    """Negative volume index: returns compounded on bars whose volume falls."""
    return one("NVI", close, volume)


@indicator("volume", outputs={"pvi": "index"}, warmup=lambda: 0, settles=_never)
def pvi(close: ArrayLike, volume: ArrayLike) -> Floats:
    """Positive volume index: returns compounded on bars whose volume rises."""
    return one("PVI", close, volume)


@indicator("volume", outputs={"pvt": VOLUME}, warmup=lambda: 0, settles=_never)
def pvt(close: ArrayLike, volume: ArrayLike) -> Floats:
    """Price volume trend: volume summed times the close's return."""
    return one("PVT", close, volume)


@indicator(
    "volume",
    outputs={"pvo": FRACTION},
    warmup=lambda fast, slow: max(fast, slow) - 1,
    settles=lambda fast, slow: max(fast, slow) + ema_faded(max(fast, slow)),
    fast=FAST,
    slow=SLOW,
)
def pvo(volume: ArrayLike, fast: int = 12, slow: int = 26) -> Floats:
    """Percentage volume oscillator: how far the fast average of volume lies above the slow one."""
    return one("PVO", volume, fastperiod=fast, slowperiod=slow, matype=1) / 100.0


@indicator("volume", outputs={"relative_volume": RATIO}, warmup=lambda period: period, period=LOOKBACK)
def relative_volume(volume: ArrayLike, period: int = 20) -> Floats:
    """Relative volume: this bar's over the average of the bars before it; 0 where these saw none."""
    before = lagged(one("SMA", volume, timeperiod=period), 1)
    return ratio(np.asarray(volume, dtype=np.float64), before, 0.0)


@indicator("volume", outputs={"wad": "price differences summed"}, warmup=lambda: 0, settles=_never)
def wad(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """Williams' accumulation/distribution: rises and falls against the true range, summed."""
    return one("WAD", high, low, close)


@indicator(
    "volume",
    outputs={"ease_of_movement": "price squared per volume"},
    warmup=lambda period: period,
    period=AVERAGED,
)
def ease_of_movement(high: ArrayLike, low: ArrayLike, volume: ArrayLike, period: int = 14) -> Floats:
    """Arms' ease of movement: how far the middle price comes per volume, times the range, averaged."""
    middle = one("MEDPRICE", high, low)
    reach = np.asarray(high) - np.asarray(low)
    moved = (middle - lagged(middle, 1)) * reach
    return one("SMA", ratio(moved, np.asarray(volume, dtype=np.float64), 0.0), timeperiod=period)


@indicator("volume", outputs={"vwma": PRICE}, overlay=True, warmup=lambda period: period - 1, period=AVERAGED)
def vwma(close: ArrayLike, volume: ArrayLike, period: int = 20) -> Floats:
    """Moving average weighted by volume; plain where nothing was traded."""
    from core.indicators.loops import weighted_prices

    return weighted_prices(np.asarray(close), np.asarray(volume), period)


@indicator("volume", outputs={"rolling_vwap": PRICE}, overlay=True, warmup=lambda period: period - 1, period=AVERAGED)
def rolling_vwap(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, period: int = 20) -> Floats:
    """Volume-weighted average of the typical price over the last bars."""
    from core.indicators.loops import weighted_prices

    return weighted_prices(one("TYPPRICE", high, low, close), np.asarray(volume), period)


@indicator(
    "volume",
    outputs={"poc": PRICE, "value_high": PRICE, "value_low": PRICE},
    overlay=True,
    warmup=lambda period, rows, share: period - 1,
    period=(1, 2_000, "bars whose volume is laid out"),
    rows=(1, 500, "prices into which their range is cut"),
    share=(0.01, 1.0, "fraction of the volume within the value area"),
)
def volume_profile(
    high: ArrayLike, low: ArrayLike, volume: ArrayLike, period: int = 200, rows: int = 24, share: float = 0.7
) -> Lines:
    """Volume profile: the price most was traded at, and the area around it that holds a share of the volume."""
    from core.indicators.profile import profile

    highest, lowest = extremes(high, low, period)
    return profile(np.asarray(high), np.asarray(low), np.asarray(volume), highest, lowest, period, rows, share)
