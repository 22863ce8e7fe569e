"""The sandbox market: made-up prices that behave like real ones, the same in every process and after every restart.

A price is a pure function of (seed, symbol, time). Days have a volatility and a return of their own, drawn from hashed
normals; minutes divide a day's variance by an hour-of-day profile and by clusters of hours and minutes, and are pinned
to the day's return; seconds run through the open, high, low and close of their minute. Longer bars are sums of minutes.

Calibrated against Binance spot, 2020-2023 (8 pairs, 1h and 1m bars); measured figures -> what is aimed at here:
- standard deviation of 1h returns: BTC 0.0063-0.0068, ETH 0.0081, XRP and ADA 0.013 -> 0.0064, 0.0083, 0.0096-0.0102
- excess kurtosis: 1m 93-107, 1h 11-13 (BTC, ETH; others 18-100), 1d 3.4-4.5 -> 1m 15-150, 1h 6-40, 1d 1.5-20
- autocorrelation of |1h return|: 0.28 at 1 h, 0.16 at 6 h, 0.17 at 24 h, 0.10 at 96 h -> 0.2-0.4, 0.1-0.3, 0.06-0.25,
  above 0.02
- autocorrelation of returns: -0.05 to 0.04 at one bar -> within 0.05 of 0
- mean |return| by UTC hour: 0.78 at 05:00, 1.31 at 14:00 (of the mean); at weekends 0.75 of the week's mean
- correlation of 1h returns between pairs: 0.67 (XRP-DOGE) to 0.89 (BTC-ETH) -> 0.5-0.95
- mean of log(high/low) over mean of |log(close/open)|: 1.8-1.9 at 1m, 2.2 at 1h -> 1.6-2.3
- log volume: standard deviation 1.1-1.2 at 1m, 0.8-1.0 at 1h; correlation with |1h return| 0.27-0.55 -> 0.25-0.7
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.errors import InvalidInput, NotFound
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.market.noise import averaged, decaying, key_of, normal_pairs, uniform_pairs
from core.market.timeframes import DAY, MINUTE, SECOND

FloatArray = NDArray[np.float64]

VENUE = "sandbox"
OPENS = 16_436  # days since 1970: 2015-01-01
CLOSES = OPENS + 40 * 365
BLOCK_DAYS = 8  # days of minutes that are made at once
KEPT_BLOCKS = 64  # of 0.5 MB each
KEPT_MINUTES = 6000  # minutes whose seconds are kept
MINUTES = 1440  # of a day
KNOT = 5  # minutes between the knots of the quick volatility clusters

# Mean |return| by UTC hour and by weekday (Monday first), of their mean
BY_HOUR = np.array([
    1.12, 0.94, 0.89, 0.82, 0.78, 0.78, 0.84, 0.87, 0.91, 0.83, 0.85, 0.88,
    1.10, 1.26, 1.31, 1.20, 1.18, 1.07, 1.13, 1.11, 1.04, 0.99, 1.04, 1.01,
])  # fmt: skip
BY_WEEKDAY = np.array([1.05, 1.11, 1.16, 1.08, 1.08, 0.75, 0.77])
VOLUME_BY_HOUR = np.array([
    1.05, 0.88, 0.88, 0.80, 0.75, 0.78, 0.86, 0.94, 0.98, 0.87, 0.91, 0.91,
    1.28, 1.48, 1.54, 1.32, 1.27, 1.07, 1.13, 1.04, 0.90, 0.70, 0.84, 0.88,
])  # fmt: skip

# Spread of log volatility: over days, over hours within a day, over minutes within an hour, and minute by minute
DAILY, HOURLY, QUICK, SINGLE = 0.44, 0.36, 0.32, 0.36
DAY_WEIGHTS = decaying(((2.0, 1.0), (18.0, 0.45)), 90)
HOUR_WEIGHTS = decaying(((4.0, 1.0),), 36)
QUICK_WEIGHTS = decaying(((5.0, 1.0),), 30)
SHARED = 0.92  # correlation of a symbol's volatility with the market's
RETURN_HALF_LIFE = 500.0  # days in which a price far from its centre comes half the way back
RANGE = 0.80  # share of a minute's variance that its high and low show


@dataclass(frozen=True, slots=True)
class Listing:
    """A symbol of the sandbox. price: centre of the long run; volatility: a year's; market: correlation with it."""

    base: str
    price: float
    volatility: float
    market: float
    hourly_turnover: float  # quote, median
    tick_size: str
    lot_size: str


LISTINGS = {
    f"{listing.base}/USDT": listing
    for listing in (
        Listing("BTC", 60_000.0, 0.60, 0.96, 4.0e7, "0.01", "0.00001"),
        Listing("ETH", 3_000.0, 0.78, 0.97, 2.5e7, "0.01", "0.0001"),
        Listing("SOL", 150.0, 1.05, 0.91, 6.0e6, "0.01", "0.001"),
        Listing("BNB", 550.0, 0.75, 0.92, 5.0e6, "0.01", "0.001"),
        Listing("XRP", 0.6, 0.90, 0.83, 6.0e6, "0.0001", "0.1"),
        Listing("ADA", 0.5, 0.95, 0.89, 4.0e6, "0.0001", "0.1"),
        Listing("DOGE", 0.15, 1.00, 0.85, 4.0e6, "0.00001", "1"),
        Listing("LTC", 90.0, 0.85, 0.91, 2.0e6, "0.01", "0.001"),
    )
}
SYMBOLS = tuple(LISTINGS)


@dataclass(frozen=True, slots=True)
class _Days:
    """Of each day since the sandbox opened: log price at its start (n + 1,), its volatility and log volatility (n,)."""

    level: FloatArray
    volatility: FloatArray
    mood: FloatArray


@dataclass(frozen=True, slots=True)
class _Minutes:
    """Minute bars of a block of days, each array (minutes of the block,)."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


class SandboxMarket:
    """Bars and prices of the sandbox's symbols at any time from 2015 to 2054, up to any moment asked for."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self._days: dict[str, _Days] = {}
        self._blocks: OrderedDict[tuple[str, int], _Minutes] = OrderedDict()
        self._seconds: OrderedDict[tuple[str, int], FloatArray] = OrderedDict()
        self._lock = threading.Lock()
        hours = np.arange(MINUTES) / 60.0
        centres = np.arange(-1, 25) + 0.5
        self._profile = np.interp(hours, centres, BY_HOUR[np.arange(-1, 25) % 24]) ** 2
        self._volume_profile = np.interp(hours, centres, VOLUME_BY_HOUR[np.arange(-1, 25) % 24])

    def instruments(self) -> list[Instrument]:
        """Every pair that is traded here."""
        return [self.instrument(symbol) for symbol in SYMBOLS]

    def instrument(self, symbol: str) -> Instrument:
        """The pair and its grids. Raises NotFound."""
        listing = self._listing(symbol)
        return Instrument(
            VENUE, listing.base, "USDT", Decimal(listing.tick_size), Decimal(listing.lot_size), Decimal(5)
        )

    def bars(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> Bars:
        """The bars that open at or after `start_ms` and have closed by `end_ms`."""
        instrument, name = self.instrument(symbol), timeframes.parse(timeframe)
        length = timeframes.milliseconds(name)
        first = timeframes.floor(start_ms + length - 1, name)
        last = timeframes.floor(end_ms, name)
        if last <= first:
            nothing = np.empty(0)
            return Bars(instrument, name, np.empty(0, np.int64), nothing, nothing, nothing, nothing, nothing)
        self._within(first)
        self._within(last - 1)
        if length < MINUTE:
            return self._second_bars(instrument, name, first, last)
        times = np.arange(first, last, MINUTE)
        minutes = self._minutes(symbol, first // MINUTE, last // MINUTE)
        return Bars(
            instrument, "1m", times, minutes.open, minutes.high, minutes.low, minutes.close, minutes.volume
        ).resample(name)

    def price(self, symbol: str, ms: int) -> float:
        """The last traded price at a moment, on the tick grid."""
        self._within(ms)
        points = self._points(symbol, ms // MINUTE)
        second, part = divmod(ms % MINUTE, SECOND)
        value = points[second] + (points[second + 1] - points[second]) * (part / SECOND)
        return float(_on_grid(np.array([value]), float(self._listing(symbol).tick_size))[0])

    def forming(self, symbol: str, timeframe: str, ms: int) -> Bars:
        """The one bar of that timeframe that is open at `ms`, as far as it has come by then."""
        name = timeframes.parse(timeframe)
        start, minute = timeframes.floor(ms, name), ms // MINUTE
        self._within(start)
        self._within(ms)
        past = self.bars(symbol, "1m", start, minute * MINUTE)
        points, elapsed = self._points(symbol, minute), ms % MINUTE
        from_second = max(0, (start - minute * MINUTE) // SECOND)
        seen = np.append(points[from_second : elapsed // SECOND + 1], self.price(symbol, ms))
        share = (elapsed - from_second * SECOND) / MINUTE
        volume = float(self._minutes(symbol, minute, minute + 1).volume[0]) * share
        return Bars(
            self.instrument(symbol),
            name,
            np.array([start]),
            (past.open[:1] if len(past) else seen[:1]),
            np.array([max(seen.max(), past.high.max(initial=0.0))]),
            np.array([min(seen.min(), past.low.min(initial=np.inf))]),
            seen[-1:],
            np.array([past.volume.sum() + volume]),
        )

    def _listing(self, symbol: str) -> Listing:
        listing = LISTINGS.get(symbol)
        if listing is None:
            raise NotFound(f"The sandbox has no {symbol}.", hint=f"It has {', '.join(SYMBOLS)}.", symbol=symbol)
        return listing

    def _within(self, ms: int) -> None:
        if not OPENS * DAY <= ms < CLOSES * DAY:
            raise InvalidInput(
                f"The sandbox market knows the time from {from_ms(OPENS * DAY):%Y-%m-%d}"
                f" to {from_ms(CLOSES * DAY):%Y-%m-%d}, not {ms} ms."
            )

    def _key(self, *parts: object) -> int:
        return key_of(self.seed, *parts)

    def _table(self, symbol: str) -> _Days:
        """The days of a symbol, always made from the first to the last so that everyone agrees to the last bit."""
        if symbol in self._days:
            return self._days[symbol]
        listing = self._listing(symbol)
        count = CLOSES - OPENS
        days = np.arange(OPENS, CLOSES)
        own = np.sqrt(1 - SHARED**2)
        mood = SHARED * averaged(self._key("market", "day"), OPENS, count, DAY_WEIGHTS, 0.15)
        mood += own * averaged(self._key(symbol, "day"), OPENS, count, DAY_WEIGHTS, 0.15)
        mood *= DAILY
        weekday = BY_WEEKDAY[(days + 3) % 7]
        volatility = listing.volatility / np.sqrt(365.0 * (BY_WEEKDAY**2).mean()) * weekday * np.exp(mood - DAILY**2)
        shock = listing.market * normal_pairs(self._key("market", "return"), days)[0]
        shock += np.sqrt(1 - listing.market**2) * normal_pairs(self._key(symbol, "return"), days)[0]
        back = 0.5 ** (1.0 / RETURN_HALF_LIFE)
        level, levels = 0.0, [0.0]
        for step in (volatility * shock).tolist():
            level = back * level + step
            levels.append(level)
        table = _Days(np.array(levels) + np.log(listing.price), volatility, mood)
        self._days[symbol] = table
        return table

    def _minutes(self, symbol: str, first: int, last: int) -> _Minutes:
        """Minute bars from minute `first` of 1970 up to `last`, exclusive."""
        size = BLOCK_DAYS * MINUTES
        numbers = range(first // size, (last - 1) // size + 1)
        blocks = [self._block(symbol, number) for number in numbers]
        shift = numbers[0] * size
        cut = slice(first - shift, last - shift)
        return _Minutes(
            np.concatenate([block.open for block in blocks])[cut],
            np.concatenate([block.high for block in blocks])[cut],
            np.concatenate([block.low for block in blocks])[cut],
            np.concatenate([block.close for block in blocks])[cut],
            np.concatenate([block.volume for block in blocks])[cut],
        )

    def _block(self, symbol: str, number: int) -> _Minutes:
        key = (symbol, number)
        with self._lock:  # backtests ask from threads of their own
            if (known := self._blocks.get(key)) is not None:
                self._blocks.move_to_end(key)
                return known
        made = self._make_block(symbol, number * BLOCK_DAYS)
        with self._lock:
            self._blocks[key] = made
            while len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return made

    def _make_block(self, symbol: str, first_day: int) -> _Minutes:
        """The minutes of BLOCK_DAYS days; arrays are (days, minutes of a day) until they are flattened."""
        listing, table = self._listing(symbol), self._table(symbol)
        shape = (BLOCK_DAYS, MINUTES)
        rows = np.clip(np.arange(first_day, first_day + BLOCK_DAYS) - OPENS, 0, CLOSES - OPENS - 1)
        counters = np.arange(first_day * MINUTES, (first_day + BLOCK_DAYS) * MINUTES)

        mood = self._mood(symbol, first_day)
        together, jump = normal_pairs(self._key("market", "minute"), counters)
        alone, noise = normal_pairs(self._key(symbol, "minute"), counters)
        shock = listing.market * together + np.sqrt(1 - listing.market**2) * alone

        variance = self._profile * np.exp(2.0 * mood).reshape(shape)
        variance /= variance.sum(axis=1, keepdims=True)
        start, end = table.level[rows][:, None], table.level[rows + 1][:, None]
        scale = table.volatility[rows][:, None] * np.sqrt(variance)
        steps = scale * (shock * np.exp(SINGLE * jump - SINGLE**2)).reshape(shape)
        steps += variance * (end - start - steps.sum(axis=1, keepdims=True))  # a bridge to the day's close
        close = start + np.cumsum(steps, axis=1)
        close[:, -1:] = end
        opening = np.concatenate([start, close[:, :-1]], axis=1)

        up, down = uniform_pairs(self._key(symbol, "range"), counters)
        squared, spread = (close - opening) ** 2, 2.0 * RANGE * scale**2
        high = (opening + close + np.sqrt(squared - spread * np.log(up).reshape(shape))) / 2
        low = (opening + close - np.sqrt(squared - spread * np.log(down).reshape(shape))) / 2

        tick = float(listing.tick_size)
        loudness = 1.25 * (mood + table.mood[rows].repeat(MINUTES)) + 0.35 * np.abs(shock) + 0.45 * noise
        turnover = listing.hourly_turnover / 60.0 * np.exp(loudness - 0.3).reshape(shape) * self._volume_profile
        turnover *= (BY_WEEKDAY[(rows + OPENS + 3) % 7])[:, None]
        volume = _on_grid(turnover / np.exp(close), float(listing.lot_size))
        opens, highs, lows, closes = (_on_grid(np.exp(each), tick).ravel() for each in (opening, high, low, close))
        return _Minutes(opens, highs, lows, closes, volume.ravel())

    def _mood(self, symbol: str, first_day: int) -> FloatArray:
        """Log volatility of each minute of a block about its day's: hours drift into each other, and so do minutes."""
        own = np.sqrt(1 - SHARED**2)
        total = np.zeros(BLOCK_DAYS * MINUTES)
        minutes = np.arange(BLOCK_DAYS * MINUTES)
        for stream, size, spread, weights, skew in (
            ("hour", 60, HOURLY, HOUR_WEIGHTS, 0.3),
            ("quick", KNOT, QUICK, QUICK_WEIGHTS, 0.2),
        ):
            count = BLOCK_DAYS * MINUTES // size + 1
            first = first_day * MINUTES // size
            knots = SHARED * averaged(self._key("market", stream), first, count, weights, skew)
            knots += own * averaged(self._key(symbol, stream), first, count, weights, skew)
            total += spread * np.interp(minutes, np.arange(count) * size, knots)
        return total

    def _points(self, symbol: str, minute: int) -> FloatArray:
        """Prices at the seconds 0 to 60 of a minute (61,), which touch its open, high, low and close and no more."""
        key = (symbol, minute)
        if (known := self._seconds.get(key)) is not None:
            return known
        bar = self._minutes(symbol, minute, minute + 1)
        opening, high, low, close = (float(array[0]) for array in (bar.open, bar.high, bar.low, bar.close))
        wobble = normal_pairs(self._key(symbol, "second"), np.arange(minute * 64, minute * 64 + 61))[0]
        when = uniform_pairs(self._key(symbol, "extremes"), np.array([minute]))
        early, late = 1 + int(when[0][0] * 29), 31 + int(when[1][0] * 29)
        rises_first = close < opening if high - low > 2 * abs(close - opening) else close <= opening
        knots = [opening, high, low, close] if rises_first else [opening, low, high, close]
        seconds = np.array([0, early, late, 60])
        path = np.interp(np.arange(61), seconds, knots)
        walk = np.cumsum(wobble) * (high - low) / 16
        path += walk - np.interp(np.arange(61), seconds, walk[seconds])
        points = np.clip(_on_grid(path, float(self._listing(symbol).tick_size)), low, high)
        points[seconds] = knots
        with self._lock:
            self._seconds[key] = points
            while len(self._seconds) > KEPT_MINUTES:
                self._seconds.popitem(last=False)
        return points

    def _second_bars(self, instrument: Instrument, name: str, first: int, last: int) -> Bars:
        symbol = instrument.symbol
        minutes = range(first // MINUTE, (last - 1) // MINUTE + 1)
        points = np.stack([self._points(symbol, minute) for minute in minutes])
        opens, closes = points[:, :-1].ravel(), points[:, 1:].ravel()
        volume = self._minutes(symbol, minutes[0], minutes[-1] + 1).volume.repeat(60) / 60
        times = np.arange(minutes[0] * MINUTE, (minutes[-1] + 1) * MINUTE, SECOND)
        whole = Bars(
            instrument, name, times, opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, volume
        )
        return whole.between(first, last)


def _on_grid(values: FloatArray, grid: float) -> FloatArray:
    """The nearest positive multiples of the grid, as the floats that a reader of decimals would get."""
    per_unit = round(1.0 / grid)
    return np.asarray(np.maximum(np.rint(values * per_unit), 1.0) / per_unit)
