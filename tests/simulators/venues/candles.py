"""Candles and 24 hour figures of a pair, made of its trades."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tests.simulators.venues.values import ZERO, Traded

MINUTE, DAY = 60_000, 86_400_000
MONDAY = 4 * DAY  # 1970 began on a Thursday


@dataclass(slots=True)
class Candle:
    """time: UTC ms of the opening; volume in base, turnover in quote; bought: base volume of taker buys."""

    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    turnover: Decimal = ZERO
    trades: int = 0
    bought: Decimal = ZERO


class Candles:
    """The minutes of one pair; older ones may be coarser where they were seeded so."""

    def __init__(self) -> None:
        self._rows: list[Candle] = []

    def seed(self, rows: Iterable[Candle]) -> None:
        """History before the first trade, oldest first."""
        self._rows = [*rows, *self._rows]

    def add(self, trade: Traded) -> None:
        opened = trade.time - trade.time % MINUTE
        if not self._rows or self._rows[-1].time < opened:
            price = self._rows[-1].close if self._rows else trade.price
            first = trade.price if not self._rows else price
            self._rows.append(Candle(opened, first, first, first, first))
        row = self._rows[-1]
        row.high, row.low, row.close = max(row.high, trade.price), min(row.low, trade.price), trade.price
        row.volume += trade.quantity
        row.turnover += trade.quantity * trade.price
        row.trades += 1
        if trade.taker == "buy":
            row.bought += trade.quantity

    def of(self, span: int, start: int | None, end: int, limit: int) -> list[Candle]:
        """Up to `limit` candles of `span` ms that open in [start, end], flat ones where nothing was traded.

        The first ones where start is given, else the last ones.
        """
        shift = MONDAY if span == 7 * DAY else 0
        first = end - limit * span if start is None else start
        made: list[Candle] = []
        low = bisect_left(self._rows, first - (first - shift) % span, key=_time)
        for row in self._rows[low : bisect_right(self._rows, end, key=_time)]:
            opened = row.time - (row.time - shift) % span
            while made and made[-1].time + span < opened and len(made) < limit + 1:
                close = made[-1].close
                made.append(Candle(made[-1].time + span, close, close, close, close))
            if made and made[-1].time == opened:
                _join(made[-1], row)
            else:
                made.append(Candle(opened, row.open, row.high, row.low, row.close))
                made[-1].volume, made[-1].turnover = row.volume, row.turnover
                made[-1].trades, made[-1].bought = row.trades, row.bought
            if start is not None and len(made) > limit:
                break
        close = made[-1].close if made else ZERO
        while made and made[-1].time + span <= end - (end - shift) % span and len(made) < 2 * limit:
            made.append(Candle(made[-1].time + span, close, close, close, close))
        made = [each for each in made if each.time >= first and each.time <= end]
        return made[:limit] if start is not None else made[-limit:]

    def day(self, now: int) -> Candle | None:
        """The last 24 hours as one candle; None before the first trade."""
        rows = self._rows[bisect_right(self._rows, now - DAY, key=_time) :] or self._rows[-1:]
        if not rows:
            return None
        whole = Candle(rows[0].time, rows[0].open, rows[0].high, rows[0].low, rows[0].close)
        for row in rows:
            _join(whole, row)
        return whole


def _join(whole: Candle, part: Candle) -> None:
    whole.high, whole.low, whole.close = max(whole.high, part.high), min(whole.low, part.low), part.close
    whole.volume += part.volume
    whole.turnover += part.turnover
    whole.trades += part.trades
    whole.bought += part.bought


def _time(candle: Candle) -> int:
    return candle.time
