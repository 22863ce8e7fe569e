"""Streams over ccxt's websockets at a scripted Binance: kept up through drops and gaps, visibly old when they are."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.exchanges import streams
from core.exchanges.ccxt import CcxtData
from tests.core.exchanges.binance_account import BTC, Account
from tests.core.exchanges.scripted import NOW, Raw, Scripted

PATIENCE = 20


def ticker(last: str, time: int = NOW) -> dict[str, Any]:
    return {
        "e": "24hrTicker", "E": time, "s": "BTCUSDT", "p": "300.00", "P": "1.000", "w": "1", "x": "1", "c": last,
        "Q": "1", "b": last, "B": "1", "a": last, "A": "1", "o": "1", "h": "31000.00", "l": "29000.00", "v": "12",
        "q": "1", "O": 0, "C": time, "F": 0, "L": 1, "n": 1,
    }  # fmt: skip


def depth(first: int, last: int, bid: str, quantity: str = "1") -> dict[str, Any]:
    return {"e": "depthUpdate", "E": NOW + last, "s": "BTCUSDT", "U": first, "u": last, "b": [[bid, quantity]], "a": []}


def snapshot(last: int, bid: str) -> dict[str, Any]:
    return {"lastUpdateId": last, "bids": [[bid, "1"], ["29000.00", "5"]], "asks": [["30010.00", "2"]]}


def trade(number: int, price: str) -> dict[str, Any]:
    return {"e": "trade", "E": NOW, "s": "BTCUSDT", "t": number, "p": price, "q": "0.1", "T": NOW + number, "m": True}


@pytest.fixture
async def venue() -> AsyncIterator[Scripted]:
    async with Scripted(Account().script) as server:
        yield server


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(from_ms(NOW))


@pytest.fixture
async def data(venue: Scripted, clock: SimulatedClock) -> AsyncIterator[CcxtData]:
    source = CcxtData("binance", venue.base, clock=clock)
    await source.instruments()
    yield source
    await source.close()


async def next_of(stream: Any) -> Any:
    return await asyncio.wait_for(anext(stream), PATIENCE)


async def test_a_streamed_quote_answers_while_it_is_fresh(
    data: CcxtData, venue: Scripted, clock: SimulatedClock
) -> None:
    assert data.freshness(BTC) is None
    stream = data.stream_quotes(BTC)
    waiting = asyncio.ensure_future(next_of(stream))
    await venue.wire.until(1)
    assert venue.wire.subscribed == ["btcusdt@ticker"]
    await venue.wire.tell(ticker("30123.45"))
    quote = await waiting
    assert (quote.last, quote.change, quote.high) == (Decimal("30123.45"), Decimal("0.01"), Decimal(31_000))
    assert data.freshness(BTC) == 0
    assert (await data.quote(BTC)).last == Decimal("30123.45")
    assert venue.to("GET /api/v3/ticker/24hr") == []
    clock.set(clock.now() + timedelta(seconds=6))
    assert data.freshness(BTC) == 6
    assert (await data.quote(BTC)).last == 30_000  # too old: asked
    await stream.aclose()  # type: ignore[attr-defined]
    assert data.freshness(BTC) is None


async def test_a_dropped_stream_is_resubscribed_and_asked_for_meanwhile(
    data: CcxtData, venue: Scripted, clock: SimulatedClock
) -> None:
    stream = data.stream_quotes(BTC)
    waiting = asyncio.ensure_future(next_of(stream))
    await venue.wire.until(1)
    await venue.wire.tell(ticker("30100.00"))
    assert (await waiting).last == 30_100
    waiting = asyncio.ensure_future(next_of(stream))
    await asyncio.sleep(0)
    await venue.wire.drop()
    assert (await waiting).last == 30_000  # over REST, at once
    waiting = asyncio.ensure_future(next_of(stream))
    for _ in range(3):  # the pauses pass
        await asyncio.sleep(0)
        await clock.advance(2)
    await venue.wire.until(2)
    await venue.wire.tell(ticker("30200.00"))
    assert (await waiting).last == 30_200
    await stream.aclose()  # type: ignore[attr-defined]


async def test_where_no_stream_can_be_had_the_same_is_asked(
    data: CcxtData, venue: Scripted, clock: SimulatedClock
) -> None:
    venue.wire.refusing = True
    stream = data.stream_quotes(BTC)
    assert (await next_of(stream)).last == 30_000
    assert data.freshness(BTC) == 0
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_book_is_rebuilt_after_a_gap_in_its_sequence(
    data: CcxtData, venue: Scripted, clock: SimulatedClock
) -> None:
    venue.script["GET /api/v3/depth"] = snapshot(100, "30000.00")
    stream = data.stream_book(BTC, 2)
    waiting = asyncio.ensure_future(next_of(stream))
    await venue.wire.until(1)
    for _ in range(40):  # ccxt waits for some changes before it asks for the snapshot
        if waiting.done():
            break
        await venue.wire.tell(depth(101, 101, "30001.00"))
        await asyncio.sleep(0.02)
    change = await waiting
    assert change.snapshot
    assert change.bids.tolist() in ([[30_000.0, 1.0], [29_000.0, 5.0]], [[30_001.0, 1.0], [30_000.0, 1.0]])
    venue.script["GET /api/v3/depth"] = snapshot(200, "30050.00")
    before = len(venue.to("GET /api/v3/depth"))
    rebuilt = asyncio.ensure_future(_until_bid(stream, 30_050.0))
    for number in range(400):  # 102 is missing, so the book cannot be gone on with
        if rebuilt.done():
            break
        await venue.wire.tell(depth(150 + number, 150 + number, "29500.00"))
        await clock.advance(1)
        await asyncio.sleep(0.02)
    assert (await rebuilt).asks.tolist() == [[30_010.0, 2.0]]
    assert len(venue.to("GET /api/v3/depth")) > before
    await stream.aclose()  # type: ignore[attr-defined]


async def _until_bid(stream: Any, price: float) -> Any:
    async for change in stream:
        if change.bids[0, 0] == price:
            return change
    raise AssertionError("the stream ended")


async def test_every_trade_is_told_once(data: CcxtData, venue: Scripted) -> None:
    stream = data.stream_trades(BTC)
    waiting = asyncio.ensure_future(next_of(stream))
    await venue.wire.until(1)
    for message in (trade(1, "30000"), trade(2, "30001"), trade(2, "30001"), trade(3, "30002")):
        await venue.wire.tell(message)
    found = [await waiting, await next_of(stream), await next_of(stream)]
    assert [(each.id, each.price, each.taker_buys) for each in found] == [
        ("1", 30_000, False), ("2", 30_001, False), ("3", 30_002, False),
    ]  # fmt: skip
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_bar_that_closes_comes_with_its_successor(data: CcxtData, venue: Scripted) -> None:
    def kline(opened: int, close: str) -> dict[str, Any]:
        bar = {"t": opened, "T": opened + 59_999, "s": "BTCUSDT", "i": "1m", "o": "1", "h": "5", "l": "1", "c": close,
               "v": "2", "x": False}  # fmt: skip
        return {"e": "kline", "E": opened, "s": "BTCUSDT", "k": bar}

    minute = NOW // 60_000 * 60_000
    stream = data.stream_bars(BTC, "1m")
    waiting = asyncio.ensure_future(next_of(stream))
    await venue.wire.until(1)
    await venue.wire.tell(kline(minute, "3"))
    assert (await waiting).close.tolist() == [3.0]
    waiting = asyncio.ensure_future(next_of(stream))
    await asyncio.sleep(0)
    await venue.wire.tell(kline(minute + 60_000, "4"))
    closed = await waiting
    assert closed.timestamp.tolist() == [minute, minute + 60_000]
    assert closed.close.tolist() == [3.0, 4.0]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_closing_ends_every_stream(data: CcxtData, venue: Scripted) -> None:
    stream = data.stream_quotes(BTC)
    waiting = asyncio.ensure_future(next_of(stream))
    await venue.wire.until(1)
    await data.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_books_and_trades_are_asked_for(data: CcxtData, venue: Scripted) -> None:
    venue.script["GET /api/v3/depth"] = snapshot(100, "30000.00")
    venue.script["GET /api/v3/trades"] = [
        {"id": 1, "price": "30000", "qty": "0.1", "quoteQty": "3000", "time": NOW, "isBuyerMaker": True}
    ]
    venue.script["GET /api/v3/aggTrades"] = [
        {"a": 1, "p": "30000", "q": "0.1", "f": 1, "l": 1, "T": NOW, "m": True, "M": True}
    ]
    book = await data.book(BTC, 1)
    assert (book.snapshot, book.bids.tolist(), book.last) == (True, [[30_000.0, 1.0]], 100)
    (made,) = await data.trades(BTC)
    assert (made.id, made.price) == ("1", 30_000)


async def test_a_venue_that_asks_for_a_pause_gets_it_from_everybody(venue: Scripted) -> None:
    class Noted:
        def __init__(self) -> None:
            self.taken: list[float] = []
            self.pauses: list[float] = []

        async def take(self, venue: str, weight: float = 1.0, **_: Any) -> None:
            self.taken.append(weight)

        async def pause(self, venue: str, seconds: float, reason: str = "") -> None:
            self.pauses.append(seconds)

    pace = Noted()
    source = CcxtData("binance", venue.base, pace=pace)
    await source.quote(BTC)
    assert pace.taken == [20, 2]
    venue.script["GET /api/v3/ticker/24hr"] = Raw(429, '{"code":-1003,"msg":"Too many requests."}')
    with pytest.raises(streams.AppError, match="asks for a pause"):
        await source.quote(BTC)
    assert pace.pauses == [10.0]
    await source.close()
