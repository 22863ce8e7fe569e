"""Feed: the market as the engine sees it. Quotes, closed bars, and the matching of paper orders, in that order.

Every price goes to the paper venue first and is published afterwards, so that nobody acts on a price that open orders
have not seen. Bars are told once each, oldest first. A source that fails makes quotes old, never stops the feed.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from core.bus import Bus
from core.clock import Clock, to_ms
from core.engine.naming import resolve
from core.engine.recorded import bar_at, joined
from core.engine.sources import Source, SourceState
from core.errors import AppError, InvalidInput, NotFound, Unavailable
from core.events import Bar, BarClosed, QuoteChanged
from core.jobs import end_task
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument, parse_key
from core.trading.exchange import MarketData, Quote

INTEREST = 120.0  # seconds for which an instrument somebody asked for is kept fresh
CATCH_UP = 1_000  # bars at most per instrument with which missed time is made good
CATCH_UP_FRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
GAP = 90.0  # seconds without a quote after which bars make good what the ticks missed
PAGE = 500


class Matcher(Protocol):
    """Who matches open orders against the market before anybody else hears of it (the paper venue)."""

    async def on_market(self, bars: Mapping[Instrument, Bar]) -> None: ...
    def waiting(self) -> Mapping[Instrument, int]:
        """Instruments with open orders, and since when (UTC ms) their orders have seen no market."""
        ...


@dataclass(slots=True)
class _BarWatch:
    instrument: Instrument
    timeframe: str
    last: int  # UTC ms, open of the last bar told
    holders: int = 1
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class Feed:
    """Quotes and bars of one or more sources.

    sources: by preference; the first that answers when the feed starts is where new instruments are looked up
    interval: seconds between two looks at a watched instrument; matcher: sees every price first
    """

    def __init__(
        self,
        sources: Sequence[MarketData],
        clock: Clock,
        bus: Bus,
        *,
        matcher: Matcher | None = None,
        interval: float = 1.0,
        patience: float = 8.0,
    ) -> None:
        if not sources:
            raise InvalidInput("The feed needs at least one market data source.")
        self._sources = {source.name: Source(source, clock, interval=interval, patience=patience) for source in sources}
        self._primary = next(iter(self._sources))
        self._clock = clock
        self._bus = bus
        self._matcher = matcher
        self._interval = interval
        self._quotes: dict[Instrument, Quote] = {}
        self._interest: dict[Instrument, int] = {}  # until, UTC ms
        self._watchers: list[Callable[[], Iterable[Instrument]]] = []
        self._bars: dict[tuple[Instrument, str], _BarWatch] = {}
        self._chosen = False
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("feed")

    # -- life ---------------------------------------------------------------------------------------------------

    def attach(self, matcher: Matcher) -> None:
        """Names who sees every price first."""
        self._matcher = matcher

    async def choose(self) -> str:
        """Settles on the first source that answers. Returns its name; the first one's when none does."""
        for name, source in self._sources.items():
            if await source.answers():
                self._primary = name
                break
        self._chosen = True
        return self._primary

    async def start(self) -> None:
        """Chooses the source, makes good what was missed while nobody looked, and begins to look."""
        if not self._chosen:
            await self.choose()
            await self.catch_up()
        self._task = asyncio.create_task(self._run(), name="feed")

    async def rest(self) -> None:
        """Stops looking; quotes grow old."""
        await end_task(self._task)
        self._task = None

    async def stop(self) -> None:
        """Stops looking and closes the sources."""
        await self.rest()
        for source in self._sources.values():
            await source.data.close()

    async def _run(self) -> None:
        while True:
            try:
                await self.turn()
            except Exception as error:  # the feed's outermost frame: whatever broke, the next turn comes
                self._log.error("feed turn failed", exc_info=error)
            await self._clock.sleep(self._interval)

    async def turn(self) -> None:
        """One look at everything that is watched: quotes first, then bars that have closed since."""
        for instrument in self.watched():
            if not self._resting(instrument):
                with contextlib.suppress(AppError):
                    await self.poke(instrument)
        for watch in tuple(self._bars.values()):
            if not self._resting(watch.instrument):
                with contextlib.suppress(AppError):
                    await self._close_bars(watch)

    # -- what people and services ask -----------------------------------------------------------------------------

    @property
    def source_name(self) -> str:
        """Where new instruments are looked up, e.g. 'sandbox' or 'binance'."""
        return self._primary

    @property
    def stood_in(self) -> bool:
        """Whether the chosen source is not the preferred one, because that did not answer when the feed started."""
        return self._primary != next(iter(self._sources))

    @property
    def simulated(self) -> bool:
        return self._sources[self._primary].data.simulated

    def label(self, instrument: Instrument) -> str | None:
        """'SIMULATED' when the instrument's prices are made up, else None."""
        source = self._sources.get(instrument.venue)
        return "SIMULATED" if source is not None and source.data.simulated else None

    def states(self) -> list[SourceState]:
        """How every source does, for health pages and doctors."""
        return [source.state() for source in self._sources.values()]

    async def instruments(self, venue: str | None = None) -> Sequence[Instrument]:
        """What a venue trades; the chosen source when none is named."""
        return await self._named(venue).instruments()

    async def instrument(self, text: str, venue: str | None = None) -> Instrument:
        """The instrument a person means: 'btc', 'BTC/USDT', 'eth-usdt', 'ethusdt', 'binance:BTC/USDT'.

        venue: where a name without a venue is looked up; the chosen source by default
        Raises NotFound with suggestions.
        """
        word = text.strip()
        if ":" in word:
            venue, base, quote = parse_key(word)
            word = f"{base}/{quote}"
        return resolve(word, await self._named(venue).instruments())

    async def quote(self, instrument: Instrument, *, max_age: float | None = None) -> Quote:
        """The instrument's quote, asked afresh when it is older than `max_age` seconds (two looks by default).

        Raises Unavailable when the source does not answer and nothing is known; else the last known quote is
        returned, whose time tells its age.
        """
        self.watch(instrument)
        limit = 2 * self._interval if max_age is None else max_age
        age = self.age(instrument)
        if age is None or age >= limit:
            try:
                return await self.poke(instrument)
            except AppError:
                if age is None:
                    raise
        return self._quotes[instrument]

    async def poke(self, instrument: Instrument) -> Quote:
        """Looks at the market now; open orders see the price before this returns. Raises Unavailable."""
        source = self._source(instrument)
        asked = self._clock.now_ms()
        quote = await source.ask(source.data.quote(instrument))
        await self._tell(quote, asked)
        return quote

    def known(self, instrument: Instrument) -> Quote | None:
        """The last quote there was, however old."""
        return self._quotes.get(instrument)

    def age(self, instrument: Instrument) -> float | None:
        """Seconds since the last quote; None when there was none."""
        quote = self._quotes.get(instrument)
        return None if quote is None else (self._clock.now_ms() - to_ms(quote.time)) / 1000

    async def bars(self, instrument: Instrument, timeframe: str, count: int = 500, *, forming: bool = False) -> Bars:
        """The newest `count` bars, oldest first; the one that is still forming only when asked for."""
        self.watch(instrument)
        length = timeframes.milliseconds(timeframe)
        now = self._clock.now_ms()
        first = timeframes.floor(now, timeframe) - (count - (1 if forming else 0)) * length
        bars = await self.history(instrument, timeframe, int(first))
        if not forming:
            bars = bars.between(end_ms=now - length + 1)
        return bars[max(0, len(bars) - count) :]

    async def history(self, instrument: Instrument, timeframe: str, since: int) -> Bars:
        """All bars that open at or after `since` (UTC ms), page by page; the last may still be forming."""
        source = self._source(instrument)
        length = timeframes.milliseconds(timeframe)
        pages: list[Bars] = []
        while True:
            page = await source.ask(source.data.bars(instrument, timeframe, since=since, limit=PAGE))
            page = page.between(start_ms=since)
            pages.append(page)
            if not len(page) or int(page.timestamp[-1]) + length > self._clock.now_ms():
                break
            since = int(page.timestamp[-1]) + 1
        return joined(pages)

    # -- who wants to be told -------------------------------------------------------------------------------------

    def watch(self, instrument: Instrument, seconds: float = INTEREST) -> None:
        """Keeps the instrument fresh for a while."""
        until = self._clock.now_ms() + int(seconds * 1000)
        self._interest[instrument] = max(until, self._interest.get(instrument, 0))

    def watch_for(self, watcher: Callable[[], Iterable[Instrument]]) -> None:
        """Keeps whatever `watcher()` names fresh, for as long as it names it (alerts, positions)."""
        self._watchers.append(watcher)

    def watched(self) -> list[Instrument]:
        """Every instrument that is looked at in each turn."""
        now = self._clock.now_ms()
        self._interest = {instrument: until for instrument, until in self._interest.items() if until > now}
        wanted = dict.fromkeys(self._interest)
        for watcher in self._watchers:
            wanted.update(dict.fromkeys(watcher()))
        wanted.update(dict.fromkeys(watch.instrument for watch in self._bars.values()))
        if self._matcher is not None:
            wanted.update(dict.fromkeys(self._matcher.waiting()))
        return [instrument for instrument in wanted if instrument.venue in self._sources]

    def want_bars(self, instrument: Instrument, timeframe: str, after: int) -> None:
        """From now on tells BarClosed for each bar that opens after `after` (UTC ms), once."""
        watch = self._bars.get((instrument, timeframe))
        if watch is None:
            self._bars[instrument, timeframe] = _BarWatch(instrument, timeframe, after)
        else:
            watch.holders += 1

    def drop_bars(self, instrument: Instrument, timeframe: str) -> None:
        """The opposite of one `want_bars`."""
        watch = self._bars.get((instrument, timeframe))
        if watch is not None:
            watch.holders -= 1
            if watch.holders <= 0:
                del self._bars[instrument, timeframe]

    # -- how the market arrives -----------------------------------------------------------------------------------

    async def play(self, bars: Sequence[Bars]) -> None:
        """Recorded bars, one of each instrument, as if they had just closed: matched first, told afterwards."""
        now = {each.instrument: bar_at(each, 0) for each in bars}
        if self._matcher is not None:
            await self._matcher.on_market(now)
        for each in bars:
            bar = now[each.instrument]
            watch = self._bars.get((each.instrument, each.timeframe))
            if watch is not None and bar.time > watch.last:
                watch.last = bar.time
                await self._bus.publish(BarClosed(each.instrument, each.timeframe, bar))

    async def catch_up(self) -> None:
        """Lets open orders see the bars that passed while nobody looked."""
        if self._matcher is None:
            return
        for instrument, since in self._matcher.waiting().items():
            if instrument.venue in self._sources:
                with contextlib.suppress(AppError):
                    await self._make_good(instrument, since)

    async def _make_good(self, instrument: Instrument, since: int) -> None:
        assert self._matcher is not None
        missed = self._clock.now_ms() - since
        for frame in CATCH_UP_FRAMES:
            length = timeframes.milliseconds(frame)
            if missed / length > CATCH_UP and frame != CATCH_UP_FRAMES[-1]:
                continue
            if missed < length:
                return
            # A bar that was already open when the orders last saw the market tells nothing sure about the time after.
            first = -(-since // length) * length
            try:
                bars = await self.history(instrument, frame, first)
            except (NotFound, InvalidInput):  # the source has no such timeframe
                continue
            bars = bars.between(end_ms=self._clock.now_ms() - length + 1)
            for index in range(len(bars)):
                await self._matcher.on_market({instrument: bar_at(bars, index)})
            self._log.info("made good", instrument=instrument.key, bars=len(bars), timeframe=frame)
            return

    async def _tell(self, quote: Quote, asked: int) -> None:
        before = self._quotes.get(quote.instrument)
        if before is not None and quote.time < before.time:
            return
        if before is not None and (quote.time - before.time).total_seconds() > GAP:
            await self.catch_up()
        self._quotes[quote.instrument] = quote
        if self._matcher is not None:
            price = float(quote.last)
            # A venue's clock may run behind ours: what it says when asked is the market of then, at the earliest.
            tick = Bar(max(asked, to_ms(quote.time)), price, price, price, price, math.nan)
            await self._matcher.on_market({quote.instrument: tick})
        await self._bus.publish(QuoteChanged(quote))

    async def _close_bars(self, watch: _BarWatch) -> None:
        length = timeframes.milliseconds(watch.timeframe)
        if watch.busy.locked() or self._clock.now_ms() < watch.last + 2 * length:
            return
        async with watch.busy:
            bars = await self.history(watch.instrument, watch.timeframe, watch.last + 1)
            bars = bars.between(end_ms=self._clock.now_ms() - length + 1)
            for index in range(len(bars)):
                bar = bar_at(bars, index)
                watch.last = bar.time
                await self._bus.publish(BarClosed(watch.instrument, watch.timeframe, bar))

    def _named(self, venue: str | None) -> Source:
        found = self._sources.get(venue or self._primary)
        if found is None:
            raise NotFound(
                f"No venue is called '{venue}' here.", hint=f"There is {', '.join(self._sources)}.", venue=venue
            )
        return found

    def _source(self, instrument: Instrument) -> Source:
        source = self._sources.get(instrument.venue)
        if source is None:
            raise Unavailable(
                f"There is no market data for {instrument.key}: {instrument.venue} is not connected.",
                hint=f"Connected is {', '.join(self._sources)}.",
                instrument=instrument.key,
            )
        return source

    def _resting(self, instrument: Instrument) -> bool:
        source = self._sources.get(instrument.venue)
        return source is None or source.resting
