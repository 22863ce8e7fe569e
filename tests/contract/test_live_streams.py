"""Streams of real venues' adapters at loopback venues: quotes, books, trades and candles, through drops and gaps."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from core.exchanges.ccxt import CcxtData
from core.market.instrument import Instrument
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import Venue


@dataclass
class Place:
    """A venue with a market at 29,990 to 30,010, and its public data."""

    venue: Venue
    data: CcxtData
    instrument: Instrument

    def quote(self, bid: int) -> None:
        self.venue.quote("BTC/USDT", bid, bid + 20)


@pytest.fixture(params=["binance", "kucoin", "kraken", "coinbase"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with Loopback() as venues:
        venue = venues[request.param]
        venue.list("BTC/USDT")
        venue.quote("BTC/USDT", 29_990, 30_010)
        venue.trade_through("BTC/USDT", 30_000)
        venue.quote("BTC/USDT", 29_990, 30_010)
        data = CcxtData(request.param, venues.base)
        (await data.connection.open()).enableRateLimit = False  # ccxt lets one request a second out to Kraken
        yield Place(venue, data, await data.instrument("BTC/USDT"))
        await data.close()


async def reached(place: Place, stream: Any, bid: int) -> Any:
    """The first thing told whose best bid is `bid`, while the market goes on moving there."""

    async def listen() -> Any:
        async for told in stream:
            best = float(told.bid) if hasattr(told, "bid") else float(told.bids[0, 0])
            if best == bid:
                return told
        raise AssertionError("the stream ended")

    async def move() -> None:
        while True:
            place.quote(bid - 5)
            place.quote(bid)
            await asyncio.sleep(0.05)

    moving = asyncio.ensure_future(move())
    try:
        return await asyncio.wait_for(listen(), 25)
    finally:
        moving.cancel()


async def test_books_follow_the_market_through_a_drop_and_a_gap(place: Place) -> None:
    stream = place.data.stream_book(place.instrument, 5)
    book = await reached(place, stream, 29_900)
    assert book.snapshot
    assert book.asks[0, 0] == 29_920
    assert len(book.bids) == 5
    place.venue.misbehave("gap")
    assert (await reached(place, stream, 29_800)).asks[0, 0] == 29_820
    place.venue.misbehave("drop_socket")
    assert (await reached(place, stream, 29_700)).asks[0, 0] == 29_720
    await stream.aclose()  # type: ignore[attr-defined]


async def test_quotes_follow_the_market_and_answer_for_it(place: Place) -> None:
    stream = place.data.stream_quotes(place.instrument)
    quote = await reached(place, stream, 29_900)
    assert quote.ask == 29_920
    asked = len(place.venue.questions)
    assert (await place.data.quote(place.instrument)).bid in (29_895, 29_900)
    assert len(place.venue.questions) == asked
    age = place.data.freshness(place.instrument)
    assert age is not None
    assert age < 5
    await stream.aclose()  # type: ignore[attr-defined]


async def test_trades_and_candles_are_told(place: Place) -> None:
    trades, bars = place.data.stream_trades(place.instrument), place.data.stream_bars(place.instrument, "1m")

    async def trade() -> None:
        price = 30_100
        while True:
            price += 1
            place.venue.trade_through("BTC/USDT", price)
            await asyncio.sleep(0.05)

    trading = asyncio.ensure_future(trade())
    seen = [await asyncio.wait_for(anext(trades), 25) for _ in range(3)]
    assert len({each.id for each in seen}) == 3
    assert all(each.price >= 30_000 for each in seen)  # a venue may begin with the last ones
    bar = await asyncio.wait_for(anext(bars), 25)
    assert bar.close[-1] > 30_000
    trading.cancel()
    await trades.aclose()  # type: ignore[attr-defined]
    await bars.aclose()  # type: ignore[attr-defined]


async def test_books_and_trades_are_asked_for(place: Place) -> None:
    book = await place.data.book(place.instrument, 3)
    assert (book.bids[0, 0], book.asks[0, 0]) == (29_990, 30_010)
    assert len(book.bids) == 3
    assert await place.data.trades(place.instrument)
