"""Recorded bars one at a time: as the bar, the page, the quote that the engine reads."""

from collections.abc import Sequence

from core.clock import from_ms
from core.events import Bar
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.money import decimal_of
from core.trading.exchange import Quote


def bar_at(bars: Bars, index: int) -> Bar:
    """The bar at a row."""
    return Bar(
        int(bars.timestamp[index]),
        float(bars.open[index]),
        float(bars.high[index]),
        float(bars.low[index]),
        float(bars.close[index]),
        float(bars.volume[index]),
    )


def joined(pages: Sequence[Bars]) -> Bars:
    """Pages of the same bars, in order, as one."""
    import numpy as np

    kept = [page for page in pages if len(page)] or pages[:1]
    if len(kept) == 1:
        return kept[0]
    columns = ("timestamp", "open", "high", "low", "close", "volume")
    arrays = [np.concatenate([getattr(page, name) for page in kept]) for name in columns]
    return Bars(kept[0].instrument, kept[0].timeframe, *arrays)


def quote_of(instrument: Instrument, bar: Bar, length: int, *, simulated: bool) -> Quote:
    """The quote that stood when a recorded bar closed: its close on both sides."""
    close = decimal_of(bar.close)
    return Quote(instrument, close, close, close, from_ms(bar.time + length), simulated=simulated)
