"""Small made-up markets for tests."""

from decimal import Decimal

import numpy as np

from core.events import Bar
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.market.timeframes import milliseconds

COIN = Instrument("test", "COIN", "USDT")
GRIDDED = Instrument("test", "COIN", "USDT", Decimal("0.01"), Decimal("0.001"), Decimal("5"))


def walk(n: int, seed: int, *, instrument: Instrument = COIN, places: int = 2, timeframe: str = "1m") -> Bars:
    """A random walk around 100 on a grid of `places` decimals, so coarse a grid that averages tie."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, n))), places)
    opened = np.round(np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, 0.002, n)), places)
    spread = np.round(np.abs(rng.normal(0, 0.6, (2, n))), places)
    high, low = np.maximum(opened, close) + spread[0], np.minimum(opened, close) - spread[1]
    volume = np.round(rng.uniform(0, 60, n), 3) * (rng.random(n) > 0.05)
    return Bars.checked(
        instrument,
        timeframe,
        np.arange(n) * milliseconds(timeframe),
        opened,
        np.round(high, places),
        np.round(low, places),
        close,
        volume,
    )


def rows(bars: Bars) -> list[Bar]:
    """The bars one by one."""
    columns = (bars.timestamp, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return [Bar(int(each[0]), *map(float, each[1:])) for each in zip(*columns, strict=True)]
