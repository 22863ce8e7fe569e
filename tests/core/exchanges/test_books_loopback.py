"""The real adapters' books, from loopback venues, merged and compared."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from core.bus import Bus
from core.clock import SystemClock
from core.exchanges.arbitrage import Arbitrage
from core.exchanges.books import BookHub
from core.exchanges.ccxt import CcxtData
from core.market.book import Book
from core.market.instrument import Instrument
from tests.simulators.venues.server import Loopback

NAMES = ("binance", "kucoin")


async def heard(hub: BookHub, instrument: Instrument, wanted: Callable[[Book], bool]) -> None:
    """Waits until a book the hub trusts is as wanted."""
    reached = asyncio.Event()

    def listener(told: Instrument, book: Book) -> None:
        if told == instrument and wanted(book):
            reached.set()

    book = hub.book(instrument)
    unlisten = hub.listen(listener)
    if book is None or not wanted(book):
        async with asyncio.timeout(20):
            await reached.wait()
    unlisten()


async def test_streams_of_two_venues_are_merged_and_what_pays_between_them_is_found() -> None:
    async with Loopback() as venues:
        for name in NAMES:
            venues[name].list("BTC/USDT", Decimal("0.1"), Decimal("0.0001"), Decimal(5))
        venues["binance"].quote("BTC/USDT", Decimal(60_000), Decimal(60_001), Decimal(1))
        venues["kucoin"].quote("BTC/USDT", Decimal(60_010), Decimal(60_011), Decimal(1))
        clock, bus = SystemClock(), Bus()
        datas = {name: CcxtData(name, venues.base, clock=clock) for name in NAMES}
        hub = BookHub(datas, clock)
        watcher = Arbitrage(hub, clock, bus)
        try:
            pairs = [await datas[name].instrument("BTC/USDT") for name in NAMES]
            merged = await hub.merged(pairs[0])
            assert [merged.outlets[int(row[0][3])].venue for row in (merged.bids, merged.asks)] == ["kucoin", "binance"]
            watcher.follow(await hub.comparable(["BTC"], simulated=False))
            assert watcher.watched == tuple(pairs)
            assert watcher.look() == []
            venues["kucoin"].quote("BTC/USDT", Decimal(60_600), Decimal(60_601), Decimal(1))
            await heard(hub, pairs[1], lambda book: book.bid is not None and book.bid[0] == 60_600)
            await hub.renewed(pairs[0], 0.0)
            [found] = watcher.look()
            assert found.now.path == ("buy BTC/USDT at binance", "sell BTC/USDT at kucoin")
            assert found.now.profit > 0
        finally:
            await watcher.stop()
            await hub.stop()
            for data in datas.values():
                await data.close()
