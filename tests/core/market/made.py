"""Bars made for tests."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument

BTC = Instrument("test", "BTC", "USDT")
START = 1_640_995_200_000  # Saturday 2022-01-01


def bars(count: int, timeframe: str = "1h", start: int = START, seed: int = 0, holes: tuple[int, ...] = ()) -> Bars:
    """A random walk; the bars at the indices in `holes` are left out."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opens = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opens, close) * (1 + random.random(count) * 0.01)
    low = np.minimum(opens, close) * (1 - random.random(count) * 0.01)
    kept = np.setdiff1d(np.arange(count), np.array(holes, dtype=int))
    times = start + np.arange(count) * timeframes.milliseconds(timeframe)
    columns = (times, opens, high, low, close, random.random(count) * 10)
    return Bars.checked(BTC, timeframe, *(column[kept] for column in columns))


@st.composite
def any_bars(draw: Any, timeframe: str = "1h", most: int = 200) -> Bars:
    """Bars with holes, of any length and start."""
    count = draw(st.integers(2, most))
    holes = draw(st.sets(st.integers(1, count - 1), max_size=count // 3))
    start = timeframes.floor(draw(st.integers(1_500_000_000_000, 1_800_000_000_000)), timeframe)
    return bars(count, timeframe, start, draw(st.integers(0, 99)), tuple(sorted(holes)))
