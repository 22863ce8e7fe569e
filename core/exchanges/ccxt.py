"""Public market data of real venues through ccxt, whose types end here."""

import asyncio
import difflib
import importlib
import time
from collections.abc import Awaitable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import numpy as np

from core.clock import Clock, SystemClock, from_ms
from core.errors import InvalidInput, NotFound, Unavailable
from core.exchanges.endpoints import led_through
from core.exchanges.failures import explained
from core.exchanges.venues.quirks import OPTIONS
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.money import ZERO, decimal_of
from core.trading.exchange import Quote

T = TypeVar("T")

TIMEOUT = 15_000  # ms, of one request
TICK_SIZE = 4  # ccxt's way of telling a grid as its step; the other ways count digits
DECIMAL_PLACES = 2
PAGE = 300  # bars asked for at once where ccxt does not know the venue's limit


class CcxtData:
    """Public data of one venue.

    endpoint_base: put before every address of the venue, see `led_through`
    sandbox: the venue's own test environment, whose prices are not the market's
    """

    def __init__(
        self, venue: str, endpoint_base: str | None = None, sandbox: bool = False, *, clock: Clock | None = None
    ) -> None:
        self.name = venue.lower()
        self.simulated = sandbox
        self.page = PAGE
        self._base = endpoint_base
        self._clock = clock or SystemClock()
        self._exchange: Any = None
        self._opening = asyncio.Lock()
        self._instruments: dict[str, Instrument] = {}

    async def instruments(self) -> Sequence[Instrument]:
        """Every spot pair that trades, by name. Raises NotFound for an unknown venue, Unavailable."""
        exchange = await self._open()
        if not self._instruments:
            markets = await self._ask(exchange.load_markets(), "instruments")
            found = (
                _instrument(self.name, market, exchange.precisionMode)
                for market in markets.values()
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
        """Raises NotFound, Unavailable."""
        listed = await self.instrument(instrument.symbol)
        exchange = await self._open()
        ticker = await self._ask(exchange.fetch_ticker(listed.symbol), f"prices of {listed.symbol}")
        last = _decimal(ticker.get("last")) or _decimal(ticker.get("close"))
        if last is None or last <= 0:
            raise Unavailable(f"{self.name} gives no price of {listed.symbol} now.", venue=self.name)
        percentage = _decimal(ticker.get("percentage"))
        stamp = ticker.get("timestamp")
        return Quote(
            instrument=listed,
            bid=_decimal(ticker.get("bid")) or last,
            ask=_decimal(ticker.get("ask")) or last,
            last=last,
            time=from_ms(int(stamp)) if stamp else self._clock.now(),
            change=None if percentage is None else percentage / 100,
            high=_decimal(ticker.get("high")),
            low=_decimal(ticker.get("low")),
            volume=_decimal(ticker.get("baseVolume")),
            simulated=self.simulated,
        )

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        """Up to `limit` bars (fewer where the venue gives fewer at once); the last one may still be forming."""
        name = timeframes.parse(timeframe)
        listed = await self.instrument(instrument.symbol)
        exchange = await self._open()
        offered = exchange.timeframes or {}
        if name not in offered:
            usable = ", ".join(each for each in timeframes.TIMEFRAMES if each in offered)
            raise InvalidInput(f"{self.name} has no {name} bars; it has {usable or 'none'}.", timeframe=name)
        count = min(limit, self.page)
        rows = await self._ask(
            exchange.fetch_ohlcv(listed.symbol, name, since, count), f"{name} bars of {listed.symbol}"
        )
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
        exchange = await self._open()
        began = time.perf_counter()
        if exchange.has.get("fetchTime"):
            await self._ask(exchange.fetch_time(), "the time")
        else:
            await self._ask(exchange.load_markets(True), "instruments")
        return time.perf_counter() - began

    async def close(self) -> None:
        """Closes the connections; the next question opens new ones."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.close()

    async def _open(self) -> Any:
        async with self._opening:
            if self._exchange is None:
                library = await asyncio.to_thread(importlib.import_module, "ccxt.async_support")  # a second, cold
                self._exchange = self._build(library)
                self.page = _page_limit(self._exchange)
            return self._exchange

    def _build(self, library: Any) -> Any:
        if self.name not in library.exchanges:
            close = difflib.get_close_matches(self.name, library.exchanges, 3, 0.6)
            raise NotFound(
                f"'{self.name}' is no venue this program knows.",
                hint=f"Did you mean {' or '.join(close)}?"
                if close
                else "Well-known ones are binance, kraken, coinbase.",
                venue=self.name,
            )
        exchange = getattr(library, self.name)(
            {"enableRateLimit": True, "timeout": TIMEOUT, "options": dict(OPTIONS.get(self.name, {}))}
        )
        exchange.has["fetchCurrencies"] = False  # a second question that public data does not need
        if self.simulated:
            if not exchange.urls.get("test"):
                raise InvalidInput(f"{self.name} has no test environment.", hint="Leave its SANDBOX setting out.")
            exchange.set_sandbox_mode(True)  # before the addresses are rewritten, because it replaces them
        if self._base:
            exchange.urls["api"] = led_through(exchange.urls["api"], self._base, getattr(exchange, "hostname", None))
        return exchange

    async def _ask(self, question: Awaitable[T], asked: str) -> T:
        from ccxt.base.errors import BaseError

        try:
            return await question
        except BaseError as failed:
            raise explained(self.name, failed, asked) from failed
        except (OSError, TimeoutError) as failed:  # the connection, where ccxt let it through
            raise Unavailable(f"{self.name} cannot be reached for {asked}.", venue=self.name) from failed


def _symbol(instrument: Instrument) -> str:
    return instrument.symbol


def _instrument(venue: str, market: Any, mode: int) -> Instrument:
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    return Instrument(
        venue,
        str(market["base"]),
        str(market["quote"]),
        _grid(precision.get("price"), mode),
        _grid(precision.get("amount"), mode),
        _decimal((limits.get("cost") or {}).get("min")) or ZERO,
    )


def _grid(precision: Any, mode: int) -> Decimal:
    """A step of ccxt's as an exact decimal; 0 where the venue sets none."""
    if precision is None:
        return ZERO
    if mode == TICK_SIZE:
        return _decimal(precision) or ZERO
    return Decimal(1).scaleb(-int(precision)) if mode == DECIMAL_PLACES else ZERO


def _decimal(value: Any) -> Decimal | None:
    """ccxt's number, exact as its shortest form; None for what it does not know."""
    if value is None or value == "":
        return None
    try:
        return decimal_of(value)
    except InvalidInput:
        return None


def _page_limit(exchange: Any) -> int:
    """Bars that the venue gives at once."""
    features = getattr(exchange, "features", None) or {}
    limit = ((features.get("spot") or {}).get("fetchOHLCV") or {}).get("limit")
    return int(limit) if limit else PAGE
