"""Replay: recorded bars through the same feed, at the speed of the machine, on a simulated clock."""

from collections.abc import Sequence

import numpy as np

from core.clock import SimulatedClock, from_ms
from core.engine.feed import Feed
from core.engine.recorded import bar_at, quote_of
from core.errors import NotFound
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.trading.exchange import Quote


class ReplaySource:
    """Market data that knows the recorded bars up to the clock's time. All bars are of one timeframe."""

    simulated = True

    def __init__(self, bars: Sequence[Bars], clock: SimulatedClock) -> None:
        self.name = bars[0].instrument.venue
        self.recorded = {each.instrument: each for each in bars}
        self.timeframe = bars[0].timeframe
        self._clock = clock

    async def instruments(self) -> Sequence[Instrument]:
        return list(self.recorded)

    async def quote(self, instrument: Instrument) -> Quote:
        """The close of the last bar that has closed; of the first bar its open, before that. Raises NotFound."""
        bars = self._bars(instrument)
        length = timeframes.milliseconds(bars.timeframe)
        row = int(np.searchsorted(bars.timestamp, self._clock.now_ms() - length, side="right")) - 1
        quote = quote_of(instrument, bar_at(bars, max(0, row)), length, simulated=True)
        return Quote(instrument, quote.bid, quote.ask, quote.last, self._clock.now(), simulated=True)

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        """Closed bars of the recorded timeframe. Raises NotFound for another one."""
        bars = self._bars(instrument)
        if timeframe != bars.timeframe:
            raise NotFound(f"Only {bars.timeframe} bars of {instrument.symbol} were recorded.")
        closed = bars.between(since, self._clock.now_ms() - timeframes.milliseconds(timeframe) + 1)
        return closed[:limit]

    async def ping(self) -> float:
        return 0.0

    async def close(self) -> None:
        """Nothing to close."""

    def _bars(self, instrument: Instrument) -> Bars:
        bars = self.recorded.get(instrument)
        if bars is None:
            raise NotFound(f"{instrument.symbol} was not recorded.")
        return bars


async def replay(
    feed: Feed, source: ReplaySource, clock: SimulatedClock, start: int = 0, stop: int | None = None
) -> None:
    """Plays steps `start` to `stop` of the recording: a bar is matched and told when the clock reaches its end."""
    length = timeframes.milliseconds(source.timeframe)
    times = np.unique(np.concatenate([bars.timestamp for bars in source.recorded.values()]))
    for moment in times[start:stop].tolist():
        clock.set(max(clock.now(), from_ms(moment + length)))
        present = [
            (bars, row)
            for bars in source.recorded.values()
            if (row := int(np.searchsorted(bars.timestamp, moment))) < len(bars) and bars.timestamp[row] == moment
        ]
        await feed.play([bars[row : row + 1] for bars, row in present])
