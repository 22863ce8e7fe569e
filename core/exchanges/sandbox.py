"""The sandbox venue: market data without a network, from the synthetic market, always labelled as simulated."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import numpy as np

from core.clock import Clock
from core.market import timeframes
from core.market.bars import Bars
from core.market.book import BookChange, Levels
from core.market.instrument import Instrument
from core.market.noise import key_of, uniform_pairs
from core.market.synthetic import CLOSES, OPENS, VENUE, SandboxMarket
from core.market.timeframes import DAY, MINUTE
from core.money import decimal_of
from core.trading.exchange import Quote

STEP = 5.0e-5  # between two levels of a book, fraction of the price
NOTIONAL = 20_000.0  # quote that lies at a level near the best price, on average
NARROW, WIDE = 1.0e-4, 2.0e-4  # bid-ask spread, fraction of the price
AT_ONCE = 32 * DAY  # a longer stretch of minutes is made off the event loop


class SandboxData:
    """Public data of the sandbox: quotes and bars of `SandboxMarket` at the clock's time."""

    name = VENUE
    simulated = True
    page = 1_000

    def __init__(self, clock: Clock, seed: int = 1) -> None:
        self._clock = clock
        self.market = SandboxMarket(seed)

    async def instruments(self) -> Sequence[Instrument]:
        return self.market.instruments()

    async def quote(self, instrument: Instrument) -> Quote:
        """Raises NotFound."""
        now, symbol = self._clock.now_ms(), instrument.symbol
        listed = self.market.instrument(symbol)
        last = decimal_of(self.market.price(symbol, now))
        half = decimal_of(self._spread(symbol, now)) / 2
        yesterday = max(now - DAY, OPENS * DAY)
        day = self.market.bars(symbol, "1m", yesterday, now)
        minute = self.market.forming(symbol, "1m", now)
        before = decimal_of(self.market.price(symbol, yesterday))
        high = max(day.high.max(initial=0.0), minute.high[0])
        low = min(day.low.min(initial=np.inf), minute.low[0])
        return Quote(
            instrument=listed,
            bid=listed.price(last * (1 - half), -1),
            ask=listed.price(last * (1 + half), 1),
            last=last,
            time=self._clock.now(),
            change=(last / before - 1).quantize(Decimal("0.000001")),
            high=decimal_of(float(high)),
            low=decimal_of(float(low)),
            volume=decimal_of(float(day.volume.sum() + minute.volume[0])).quantize(listed.lot_size),
            simulated=True,
        )

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        """Up to `limit` bars, the newest or those from `since` on; the last one may still be forming."""
        name = timeframes.parse(timeframe)
        length, now = timeframes.milliseconds(name), self._clock.now_ms()
        opened = timeframes.floor(now, name)  # the forming bar
        start = opened - (limit - 1) * length if since is None else timeframes.floor(since + length - 1, name)
        start = max(start, timeframes.floor(OPENS * DAY + length - 1, name))
        end = min(opened, start + limit * length, CLOSES * DAY)
        if end - start <= AT_ONCE:
            closed = self.market.bars(instrument.symbol, name, start, end)
        else:
            closed = await asyncio.to_thread(self.market.bars, instrument.symbol, name, start, end)
        if len(closed) >= limit or start > opened or end < opened:
            return closed
        return closed.followed_by(self.market.forming(instrument.symbol, name, now))

    async def book(self, instrument: Instrument, depth: int = 50) -> BookChange:
        """Levels around the quote that thin out and grow with their distance, another draw each second."""
        quote = await self.quote(instrument)
        listed, now = quote.instrument, self._clock.now_ms()
        step = max(float(listed.tick_size), float(quote.last) * STEP)
        steps = np.arange(depth)
        draws = uniform_pairs(key_of(self.market.seed, instrument.symbol, "depth"), now // 1000 * 64 + steps)
        sides: list[Levels] = []
        for sign, best, draw in ((-1, quote.bid, draws[0]), (1, quote.ask, draws[1])):
            prices = np.round((float(best) + sign * steps * step) / float(listed.tick_size)) * float(listed.tick_size)
            sizes = NOTIONAL / float(quote.last) * (0.5 + draw) * (1.0 + steps / 10)
            lots = np.maximum(1, np.round(sizes / float(listed.lot_size)))
            table = np.column_stack((prices, lots * float(listed.lot_size)))
            rounded: Levels = np.asarray(np.round(table, 10), dtype=np.float64)
            sides.append(rounded[rounded[:, 0] > 0])
        return BookChange(self.name, listed.symbol, now, sides[0], sides[1], snapshot=True)

    async def stream_book(self, instrument: Instrument, depth: int = 50) -> AsyncIterator[BookChange]:
        """The book once a second."""
        while True:
            yield await self.book(instrument, depth)
            await self._clock.sleep(1.0)

    async def ping(self) -> float:
        return 0.0

    async def close(self) -> None:
        """There is nothing to close."""

    def _spread(self, symbol: str, now: int) -> float:
        """Between 1 and 2 bp, another one each minute."""
        draw = uniform_pairs(key_of(self.market.seed, symbol, "spread"), np.array([now // MINUTE]))[0][0]
        return float(NARROW + (WIDE - NARROW) * draw)
