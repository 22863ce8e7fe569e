"""Streams of a venue: websocket first, REST where there is none or it is broken, and a visible age of what is known.

A stream that drops is resubscribed with growing pauses; meanwhile the same is asked over REST. A book whose sequence
breaks is dropped by ccxt and read anew from a snapshot, as is every book after a drop.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import structlog

from core.clock import Clock, from_ms
from core.errors import AppError
from core.exchanges.connection import Connection
from core.exchanges.mapping import decimal, quote_of
from core.jobs import end_task
from core.market.bars import Bars
from core.market.book import BookChange, Levels
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.exchange import Quote

T = TypeVar("T")

FRESH = 5.0  # seconds for which a streamed quote answers in place of a question
SILENCE = 20.0  # seconds without a message after which the same is asked over REST
POLL = 1.0  # seconds between two questions while there is no stream
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a broken stream is tried again
# What a ticker stream is asked for; Kraken's tells new bids and asks only after a trade, unless asked for them.
TICKER: Mapping[str, Mapping[str, Any]] = {"kraken": {"event_trigger": "bbo"}}


@dataclass(frozen=True, slots=True)
class MarketTrade:
    """A trade of the market. taker_buys: the buyer took the seller's price; None where the venue does not say."""

    instrument: Instrument
    id: str
    price: Decimal
    quantity: Decimal
    time: datetime
    taker_buys: bool | None = None


class Asked(Protocol):
    """Who answers over REST what a stream would tell."""

    name: str
    simulated: bool

    async def instrument(self, symbol: str) -> Instrument: ...
    async def loaded(self) -> Any: ...
    async def asked_quote(self, listed: Instrument) -> Quote: ...
    async def book(self, instrument: Instrument, depth: int) -> BookChange: ...
    async def trades(self, instrument: Instrument, limit: int = 100) -> Sequence[MarketTrade]: ...
    async def bars(
        self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500
    ) -> Bars: ...
    def made_bars(self, listed: Instrument, name: str, rows: Sequence[Any], since: int | None = None) -> Bars: ...


class Streams:
    """The streams of one client."""

    def __init__(self, data: Asked, connection: Connection, clock: Clock) -> None:
        self._data = data
        self._connection = connection
        self._clock = clock
        self._heard: dict[str, int] = {}  # pair -> UTC ms of the last message
        self._running: dict[str, int] = {}  # pair -> streams that run
        self._quotes: dict[str, Quote] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closings = 0  # streams end when this moves
        self._log = structlog.get_logger("streams")

    # -- what is known ------------------------------------------------------------------------------------------

    def freshness(self, instrument: Instrument) -> float | None:
        """Seconds since a stream of the pair last said anything; None where none runs."""
        heard = self._heard.get(instrument.symbol)
        if heard is None or not self._running.get(instrument.symbol):
            return None
        return max(self._clock.now_ms() - heard, 0) / 1000

    def quote(self, instrument: Instrument) -> Quote | None:
        """The streamed quote, while it is fresh."""
        quote, age = self._quotes.get(instrument.symbol), self.freshness(instrument)
        return quote if quote is not None and age is not None and age < FRESH else None

    async def close(self) -> None:
        """Ends every stream."""
        self._closings += 1
        for task in tuple(self._tasks):
            with contextlib.suppress(Exception):  # a stream that broke meanwhile
                await end_task(task)
        self._quotes.clear()
        self._heard.clear()

    # -- streams ------------------------------------------------------------------------------------------------

    async def quotes(self, instrument: Instrument) -> AsyncGenerator[Quote, None]:
        listed = await self._data.instrument(instrument.symbol)

        async def watch(client: Any) -> Quote | None:
            if self._best_only(client):
                told = (await client.watch_bids_asks([listed.symbol])).get(listed.symbol) or {}
            else:
                told = await client.watch_ticker(listed.symbol, dict(TICKER.get(self._data.name, {})))
            quote = self._with_day(quote_of(told, listed, self._clock.now(), self._data.simulated), listed)
            if quote is not None:
                self._quotes[listed.symbol] = quote
            return quote

        async def ask() -> Quote | None:
            return await self._data.asked_quote(listed)

        before: Quote | None = None
        stream = self._kept(listed, ("watchTicker", "watchBidsAsks"), watch, ask)
        async with contextlib.aclosing(stream):
            async for quote in stream:
                if quote is not None and quote != before:
                    before = quote
                    yield quote

    async def books(self, instrument: Instrument, depth: int) -> AsyncGenerator[BookChange, None]:
        listed = await self._data.instrument(instrument.symbol)

        async def watch(client: Any) -> BookChange:
            told = await client.watch_order_book(listed.symbol)
            change = book_change(listed, told, self._clock.now_ms(), depth)
            self._note_best(listed, change)
            return change

        stream = self._kept(listed, ("watchOrderBook",), watch, lambda: self._data.book(listed, depth))
        async with contextlib.aclosing(stream):
            async for change in stream:
                yield change

    async def trades(self, instrument: Instrument) -> AsyncGenerator[MarketTrade, None]:
        listed = await self._data.instrument(instrument.symbol)
        begun, told = self._clock.now_ms(), dict[str, None]()

        async def watch(client: Any) -> Sequence[MarketTrade]:
            await client.watch_trades(listed.symbol)
            # All that is kept, not only the message: what came between two looks is in it as well.
            return [market_trade(listed, trade) for trade in client.trades.get(listed.symbol, ())]

        stream = self._kept(listed, ("watchTrades",), watch, lambda: self._data.trades(listed))
        async with contextlib.aclosing(stream):
            async for group in stream:
                for trade in group:
                    if trade.id not in told and trade.time >= from_ms(begun - 1000):
                        told[trade.id] = None
                        yield trade
                for old in list(told)[:-10_000]:
                    del told[old]

    async def bars(self, instrument: Instrument, timeframe: str) -> AsyncGenerator[Bars, None]:
        listed = await self._data.instrument(instrument.symbol)

        async def watch(client: Any) -> Bars:
            await client.watch_ohlcv(listed.symbol, timeframe)
            rows = list(client.ohlcvs[listed.symbol][timeframe])[-2:]
            return self._data.made_bars(listed, timeframe, rows)

        stream = self._kept(listed, ("watchOHLCV",), watch, lambda: self._data.bars(listed, timeframe, limit=2))
        async with contextlib.aclosing(stream):
            last = 0
            async for bars in stream:
                if len(bars):
                    fresh = bars if last and int(bars.timestamp[-1]) > last else bars[-1:]
                    last = int(bars.timestamp[-1])
                    yield fresh

    # -- how a stream is kept up ----------------------------------------------------------------------------------

    async def _kept(
        self,
        listed: Instrument,
        abilities: Sequence[str],
        watch: Callable[[Any], Coroutine[Any, Any, T]],
        ask: Callable[[], Awaitable[T]],
    ) -> AsyncGenerator[T, None]:
        """What `watch` tells, message by message; what `ask` tells while the stream is missing, broken or silent."""
        symbol, wait, retry = listed.symbol, FIRST_WAIT, 0
        pump: Pump[T] | None = None
        self._running[symbol] = self._running.get(symbol, 0) + 1
        closings = self._closings
        try:
            while closings == self._closings:
                client = await self._data.loaded()
                offered = any(client.has.get(ability) for ability in abilities)
                if pump is None and offered and self._clock.now_ms() >= retry:
                    pump = Pump(partial(watch, client), partial(self._hear, symbol), f"{self._data.name} {symbol}")
                    self._tasks.add(pump.task)
                if pump is not None:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(pump.told.wait(), SILENCE)
                    if closings != self._closings:
                        return
                    if pump.values:
                        wait = FIRST_WAIT
                        yield pump.take()
                        continue
                    if pump.task.done():
                        failed = None if pump.task.cancelled() else pump.task.exception()
                        self._log.warning(
                            "stream broken", venue=self._data.name, symbol=symbol, failed=type(failed).__name__
                        )
                        self._tasks.discard(pump.task)
                        pump, retry = None, self._clock.now_ms() + int(wait * 1000)
                        wait = min(2 * wait, LONGEST_WAIT)
                        _forget(client, symbol)
                try:
                    answer = await ask()
                except Exception as failed:  # whatever it is, the stream goes on for as long as somebody listens
                    reason = failed.message if isinstance(failed, AppError) else repr(failed)
                    self._log.info("no answer", venue=self._data.name, symbol=symbol, reason=reason)
                else:
                    self._hear(symbol)
                    yield answer
                if pump is None:
                    await self._clock.sleep(POLL)
        finally:
            self._running[symbol] -= 1
            if pump is not None:
                self._tasks.discard(pump.task)
                await pump.stop()

    def _hear(self, symbol: str) -> None:
        self._heard[symbol] = self._clock.now_ms()

    def _best_only(self, client: Any) -> bool:
        """Whether the ticker stream holds no bid and ask, as Bybit's, so that another one is listened to."""
        return bool(client.has.get("watchBidsAsks")) and (
            self._data.name == "bybit" or not client.has.get("watchTicker")
        )

    def _with_day(self, quote: Quote | None, listed: Instrument) -> Quote | None:
        """The quote with the day's figures of the one before, where it has none."""
        before = self._quotes.get(listed.symbol)
        if quote is None or before is None or quote.high is not None:
            return quote
        return replace(quote, change=before.change, high=before.high, low=before.low, volume=before.volume)

    def _note_best(self, listed: Instrument, change: BookChange) -> None:
        """The best bid and ask of a streamed book are newer than the last quote."""
        before = self._quotes.get(listed.symbol)
        if before is None or not len(change.bids) or not len(change.asks):
            return
        bid, ask = decimal(float(change.bids[0, 0])) or ZERO, decimal(float(change.asks[0, 0])) or ZERO
        self._quotes[listed.symbol] = replace(before, bid=bid, ask=ask, time=from_ms(change.time))


class Pump(Generic[T]):
    """Watches without a pause, so that no message falls between two looks; keeps the newest for whoever listens.

    ccxt answers a watch with the next message only: nothing is awaited here between one and the next.
    """

    def __init__(self, watch: Callable[[], Coroutine[Any, Any, T]], hear: Callable[[], None], name: str) -> None:
        self.told = asyncio.Event()
        self.values: list[T] = []
        self._watch = watch
        self._hear = hear
        self.task = asyncio.create_task(self._run(), name=name)
        self.task.add_done_callback(lambda _: self.told.set())

    async def _run(self) -> None:
        while True:
            self.values = [await self._watch()]
            self._hear()
            self.told.set()

    def take(self) -> T:
        """The newest value, once."""
        value = self.values.pop()
        if not self.task.done():
            self.told.clear()
        return value

    async def stop(self) -> None:
        with contextlib.suppress(Exception):  # what broke the stream was told, or nobody listens any more
            await end_task(self.task)


def book_change(listed: Instrument, told: Any, now: int, depth: int) -> BookChange:
    """A book of ccxt's as one snapshot of its best levels."""
    nonce = told.get("nonce")
    return BookChange(
        listed.venue,
        listed.symbol,
        int(told.get("timestamp") or now),
        _levels(told.get("bids") or (), depth),
        _levels(told.get("asks") or (), depth),
        snapshot=True,
        last=int(nonce) if nonce is not None else None,
    )


def _levels(side: Sequence[Any], depth: int) -> Levels:
    return np.array([(level[0], level[1]) for level in side[:depth]], dtype=np.float64).reshape(-1, 2)


def market_trade(listed: Instrument, trade: Any) -> MarketTrade:
    """A public trade of ccxt's."""
    side = trade.get("side")
    price, amount = decimal(trade.get("price")) or ZERO, decimal(trade.get("amount")) or ZERO
    stamp = int(trade.get("timestamp") or 0)
    return MarketTrade(
        listed,
        str(trade.get("id") or f"{stamp}:{price}:{amount}"),
        price,
        amount,
        from_ms(stamp),
        taker_buys=None if side is None else side == "buy",
    )


def _forget(client: Any, symbol: str) -> None:
    """Drops a book that may miss changes, so that the next subscription starts from a snapshot."""
    books = getattr(client, "orderbooks", None)
    if books is not None:
        books.pop(symbol, None)
