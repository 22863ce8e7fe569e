"""Market data of real venues through ccxt, whose types end here: asked over REST, followed over websockets."""

import difflib
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from core.clock import Clock, SystemClock
from core.errors import InvalidInput, NotFound, Unavailable
from core.exchanges.connection import Connection, Pacing
from core.exchanges.failures import UNREADABLE, unreadable
from core.exchanges.mapping import instrument_of, quote_of
from core.exchanges.streams import MarketTrade, Streams, book_change, market_trade
from core.market import timeframes
from core.market.bars import Bars
from core.market.book import BookChange
from core.market.instrument import Instrument
from core.trading.exchange import Quote

PAGE = 300  # bars asked for at once where ccxt does not know the venue's limit
DEPTH = 50  # levels of a book that is asked for


class CcxtData:
    """Public data of one venue.

    endpoint_base: put before every address of the venue, see `led_through`
    sandbox: the venue's own test environment, whose prices are not the market's
    pace: who lets requests out at the venue's pace, beside ccxt's own throttle
    """

    def __init__(
        self,
        venue: str,
        endpoint_base: str | None = None,
        sandbox: bool = False,
        *,
        clock: Clock | None = None,
        pace: Pacing | None = None,
    ) -> None:
        self.connection = Connection(venue, endpoint_base, sandbox, pace=pace)
        self.name = self.connection.venue
        self.profile = self.connection.profile
        self.simulated = sandbox
        self.clock = clock or SystemClock()
        self.page = PAGE
        self._instruments: dict[str, Instrument] = {}
        self._streams = Streams(self, self.connection, self.clock)

    async def loaded(self) -> Any:
        """ccxt's client with the venue's markets in it, for those who share them. Raises NotFound, Unavailable."""
        client = await self.connection.open()
        self.page = _page_limit(client)
        if not client.markets:
            await self.connection.ask(lambda each: each.load_markets(), "instruments", "instruments")
        return client

    async def instruments(self) -> Sequence[Instrument]:
        """Every spot pair that trades, by name. Raises NotFound for an unknown venue, Unavailable."""
        if not self._instruments:
            client = await self.loaded()
            found = (
                instrument_of(self.name, market, client.precisionMode)
                for market in client.markets.values()
                if market.get("spot") and market.get("active") is not False
            )
            self._instruments = {instrument.symbol: instrument for instrument in sorted(found, key=_symbol)}
        return tuple(self._instruments.values())

    async def instrument(self, symbol: str) -> Instrument:
        """The pair of that symbol, e.g. BTC/USDT. Raises NotFound with the closest ones."""
        await self.instruments()
        found = self._instruments.get(symbol.upper())
        if found is None:
            close = difflib.get_close_matches(symbol.upper(), self._instruments, 3, 0.6)
            raise NotFound(
                f"{self.name} has no spot pair {symbol}.",
                hint=f"Did you mean {' or '.join(close)}?" if close else "Pairs are written like BTC/USDT.",
                symbol=symbol,
                venue=self.name,
            )
        return found

    async def quote(self, instrument: Instrument) -> Quote:
        """The market now: from a stream where one runs and is fresh, else asked. Raises NotFound, Unavailable."""
        listed = await self.instrument(instrument.symbol)
        live = self._streams.quote(listed)
        return live if live is not None else await self.asked_quote(listed)

    async def asked_quote(self, listed: Instrument) -> Quote:
        """The market as the venue answers now. Raises Unavailable."""
        ticker = await self.connection.ask(
            lambda each: each.fetch_ticker(listed.symbol), f"prices of {listed.symbol}", "ticker"
        )
        try:
            quote = quote_of(ticker, listed, self.clock.now(), self.simulated)
        except UNREADABLE as failed:
            raise unreadable(self.name, f"prices of {listed.symbol}") from failed
        if quote is None:
            raise Unavailable(f"{self.name} gives no price of {listed.symbol} now.", venue=self.name)
        return quote

    async def book(self, instrument: Instrument, depth: int = DEPTH) -> BookChange:
        """The book as it is now, as one snapshot. Raises NotFound, Unavailable."""
        listed = await self.instrument(instrument.symbol)
        told = await self.connection.ask(
            lambda each: each.fetch_order_book(listed.symbol, self._offered_depth(depth)),
            f"the book of {listed.symbol}",
            "book",
        )
        try:
            change = book_change(listed, told, self.clock.now_ms(), depth)
        except UNREADABLE as failed:
            raise unreadable(self.name, f"the book of {listed.symbol}") from failed
        if not len(change.bids) and not len(change.asks):
            raise Unavailable(f"{self.name} shows no book of {listed.symbol} now.", venue=self.name)
        return change

    async def trades(self, instrument: Instrument, limit: int = 100) -> Sequence[MarketTrade]:
        """The newest trades of the market, oldest first. Raises NotFound, Unavailable."""
        listed = await self.instrument(instrument.symbol)
        told = await self.connection.ask(
            lambda each: each.fetch_trades(listed.symbol, None, limit), f"trades of {listed.symbol}", "fills"
        )
        return [market_trade(listed, trade) for trade in sorted(told, key=lambda each: each.get("timestamp") or 0)]

    def stream_quotes(self, instrument: Instrument) -> AsyncIterator[Quote]:
        """Quotes as they change, for as long as the caller listens."""
        return self._streams.quotes(instrument)

    def stream_book(self, instrument: Instrument, depth: int = DEPTH) -> AsyncIterator[BookChange]:
        """The book after each change, as snapshots of its best `depth` levels on either side."""
        return self._streams.books(instrument, depth)

    def stream_trades(self, instrument: Instrument) -> AsyncIterator[MarketTrade]:
        """Trades of the market as they happen, each once."""
        return self._streams.trades(instrument)

    def stream_bars(self, instrument: Instrument, timeframe: str) -> AsyncIterator[Bars]:
        """The forming bar after each change; when it closes, the closed one and the new one together."""
        return self._streams.bars(instrument, timeframes.parse(timeframe))

    def freshness(self, instrument: Instrument) -> float | None:
        """Seconds since a stream of the pair last said anything; None where none runs."""
        return self._streams.freshness(instrument)

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        """Up to `limit` bars (fewer where the venue gives fewer at once); the last one may still be forming."""
        name = timeframes.parse(timeframe)
        listed = await self.instrument(instrument.symbol)
        offered = (await self.connection.open()).timeframes or {}
        if name not in offered:
            usable = ", ".join(each for each in timeframes.TIMEFRAMES if each in offered)
            raise InvalidInput(f"{self.name} has no {name} bars; it has {usable or 'none'}.", timeframe=name)
        count = min(limit, self.page)
        rows = await self.connection.ask(
            lambda each: each.fetch_ohlcv(listed.symbol, name, since, count),
            f"{name} bars of {listed.symbol}",
            "bars",
        )
        return self.made_bars(listed, name, rows, since)

    def made_bars(self, listed: Instrument, name: str, rows: Sequence[Any], since: int | None = None) -> Bars:
        """ccxt's rows as checked bars. Raises InvalidInput where the venue's bars open at other times."""
        by_time = {int(row[0]): row for row in rows if since is None or row[0] >= since}
        table = np.array([by_time[moment][1:6] for moment in sorted(by_time)], dtype=np.float64).reshape(-1, 5)
        times = np.array(sorted(by_time), dtype=np.int64)
        if times.size and (timeframes.floor(times, name) != times).all():  # weeks that start on Thursday, for example
            raise InvalidInput(
                f"The {name} bars of {self.name} open at other times than ours.",
                hint=f"Download its 1d bars; they can be resampled to {name}.",
            )
        place = partial("{} {} {} bar {} of the answer".format, self.name, listed.symbol, name)
        return Bars.checked(listed, name, times, *table.T, where=place)

    async def ping(self) -> float:
        client = await self.connection.open()
        began = time.perf_counter()
        if client.has.get("fetchTime"):
            await self.connection.ask(lambda each: each.fetch_time(), "the time")
        else:
            await self.connection.ask(lambda each: each.load_markets(True), "instruments", "instruments")
        return time.perf_counter() - began

    async def venue_time(self) -> int | None:
        """UTC ms by the venue's own clock; None where it does not tell. Raises Unavailable."""
        client = await self.connection.open()
        if not client.has.get("fetchTime"):
            await self.ping()
            return None
        return int(await self.connection.ask(lambda each: each.fetch_time(), "the time"))

    async def close(self) -> None:
        """Ends the streams and closes the connections; the next question opens new ones."""
        await self._streams.close()
        await self.connection.close()

    def _offered_depth(self, depth: int) -> int:
        """The least number of levels that the venue offers and that holds `depth`; KuCoin knows only two."""
        offered = {"kucoin": (20, 100), "bybit": (1, 50, 200)}.get(self.name)
        if offered is None:
            return min(depth, self.profile.book_depth)
        return next((each for each in offered if each >= depth), offered[-1])


def _symbol(instrument: Instrument) -> str:
    return instrument.symbol


def _page_limit(client: Any) -> int:
    """Bars that the venue gives at once."""
    features = getattr(client, "features", None) or {}
    limit = ((features.get("spot") or {}).get("fetchOHLCV") or {}).get("limit")
    return int(limit) if limit else PAGE
