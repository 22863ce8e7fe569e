"""A made-up venue for tests: quotes and bars at a clock's time, and every way of not answering."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from core.clock import Clock
from core.errors import AppError, NotFound
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.trading.exchange import Quote

BTC = Instrument("made", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
ETH = Instrument("made", "ETH", "USDT", Decimal("0.01"), Decimal("0.0001"), Decimal(5))


class MadeVenue:
    """failing: raised by every question while set; late: ms by which its prices lag; ahead: ms by which its clock is"""

    simulated = False

    def __init__(
        self, name: str, clock: Clock, *, price: str = "60000", listed: Sequence[Instrument] = (BTC, ETH)
    ) -> None:
        self.name, self._clock = name, clock
        self.price = Decimal(price)
        self.listed = tuple(replace(each, venue=name) for each in listed)
        self.failing: BaseException | None = None
        self.late = self.ahead = 0
        self.asked: list[str] = []
        self.closed = False

    async def instruments(self) -> Sequence[Instrument]:
        self._check("instruments")
        return self.listed

    async def quote(self, instrument: Instrument) -> Quote:
        self._check("quote")
        found = next((each for each in self.listed if each.symbol == instrument.symbol), None)
        if found is None:
            raise NotFound(f"{self.name} has no {instrument.symbol}.")
        moment = self._clock.now() - timedelta(milliseconds=self.late)
        half = self.price / 10_000
        return Quote(found, self.price - half, self.price + half, self.price, moment)

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        self._check("bars")
        length = timeframes.milliseconds(timeframe)
        last = timeframes.floor(self._clock.now_ms(), timeframe)
        first = last - (limit - 1) * length if since is None else -(-since // length) * length
        times = np.arange(first, last + 1, length, dtype=np.int64)[:limit]
        flat = np.full(times.size, float(self.price))
        return Bars.checked(instrument, timeframe, times, flat, flat, flat, flat, np.ones(times.size))

    async def venue_time(self) -> int | None:
        self._check("time")
        return self._clock.now_ms() + self.ahead

    async def ping(self) -> float:
        self._check("ping")
        return 0.01

    async def close(self) -> None:
        self.closed = True

    def _check(self, question: str) -> None:
        self.asked.append(question)
        if self.failing is not None:
            raise self.failing


def geo_block(venue: str) -> AppError:
    from core.errors import Unavailable

    return Unavailable(f"{venue} refuses connections from this country (HTTP 451).", kind="geo", lasting=True)
