"""TrendPullback: entries of a lower timeframe in the trend of a higher one, which is known only when it has closed."""

import numpy as np
import pytest

from core.errors import InvalidInput
from core.indicators import ema, rsi
from core.market.bars import Bars
from core.strategies import TrendPullback
from core.trading.strategy import Context
from tests.core.simulation.market import walk


def reference(bars: Bars, strategy: TrendPullback, frame: str, parts: int) -> list[float]:
    """Bar by bar, with the higher bars that had closed by then."""
    strength = rsi(bars.close, strategy.period)
    found, long = [], False
    for t in range(len(bars)):
        closes = bars[: t + 1].resample(frame).close
        wish = np.nan
        if len(closes) >= strategy.slow:
            up = ema(closes, strategy.fast)[-1] > ema(closes, strategy.slow)[-1]
            if not long and up and strength[t] < strategy.entry:
                long, wish = True, 1.0
            elif long and (not up or strength[t] > strategy.exit):
                long, wish = False, 0.0
        found.append(wish)
    assert parts * (len(closes) + 1) >= len(bars)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_it_signals_as_if_asked_bar_by_bar(seed: int) -> None:
    bars = walk(500, seed)
    strategy = TrendPullback(4, 3, 8, 7, 45.0, 60.0)
    signals = strategy.signals(bars, Context()).exposure
    np.testing.assert_array_equal(signals, reference(bars, strategy, "5m", 5))
    assert np.count_nonzero(signals == 1.0) > 3


@pytest.mark.parametrize("cut", [1, 20, 50, 151, 299])
def test_no_signal_depends_on_later_bars(cut: int) -> None:
    bars = walk(300, 8)
    whole, part = (TrendPullback().signals(each, Context()).exposure for each in (bars, bars[:cut]))
    np.testing.assert_array_equal(part, whole[:cut])


def test_bars_for_which_there_is_no_longer_timeframe_are_refused() -> None:
    with pytest.raises(InvalidInput, match="No timeframe is 4 times as long as 1w"):
        TrendPullback().signals(Bars(walk(5, 1).instrument, "1w", *[np.zeros(0)] * 6), Context())  # type: ignore[arg-type]
