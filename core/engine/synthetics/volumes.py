"""Volumes: what the market usually trades in each piece of a stretch of time, from the feed's bars."""

from decimal import Decimal

import numpy as np

from core.clock import Clock
from core.engine.feed import Feed
from core.errors import AppError
from core.market.instrument import Instrument
from core.money import decimal_of
from core.trading.orders import Vwap

DAYS = 7  # of hourly bars that tell what is usual
HOUR = 3_600_000
DAY = 24 * HOUR


async def usual_volumes(feed: Feed, clock: Clock, instrument: Instrument, kind: Vwap) -> tuple[Decimal, ...]:
    """Base per piece: the mean volume of the same hours of the day over the last week; empty where nothing is known."""
    try:
        bars = await feed.bars(instrument, "1h", DAYS * 24)
    except AppError:
        return ()
    if not len(bars):
        return ()
    hours = (bars.timestamp % DAY) // HOUR
    volume = np.nan_to_num(bars.volume)
    mean = float(volume.mean())
    rate = [float(volume[hours == hour].mean()) if np.any(hours == hour) else mean for hour in range(24)]
    piece, start = kind.duration * 1_000 / kind.slices, clock.now_ms()
    return tuple(
        decimal_of(round(_between(rate, start + i * piece, start + (i + 1) * piece), 8)) for i in range(kind.slices)
    )


def _between(rate: list[float], start: float, end: float) -> float:
    """What is usual from start to end (UTC ms), by the hour's rate."""
    total = 0.0
    while start < end:
        edge = min(end, (start // HOUR + 1) * HOUR)
        total += rate[int(start % DAY // HOUR)] * (edge - start) / HOUR
        start = edge
    return total
