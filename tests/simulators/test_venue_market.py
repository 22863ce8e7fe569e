"""The market that is served for trying by hand is lively, never crossed, and at times open to arbitrage."""

import itertools

from tests.simulators.venues.__main__ import PRICES, Market
from tests.simulators.venues.server import Loopback


def test_a_seeded_market_moves_with_small_gaps_between_venues() -> None:
    venues = Loopback()
    market = Market(venues, seed=1)
    market.open()
    gaps = 0
    for _ in range(20):
        before = dict(market.prices)
        market.move()
        assert all(before[asset] != market.prices[asset] for asset in PRICES)
        books = [venue.matching.books["BTC/USDT"] for venue in venues.venues.values()]
        bids, asks = ([book.best(side) for book in books] for side in ("buy", "sell"))
        assert all(bid < ask for bid, ask in zip(bids, asks, strict=True))
        gaps += max(bids) > min(asks)
    assert gaps > 0
    assert all(len(book.levels("sell")) == 25 for book in books)


def test_the_market_comes_with_two_months_of_candles() -> None:
    venues = Loopback()
    Market(venues, seed=1).open()
    venue = venues["binance"]
    hours = venue.candles["ETH/USDT"].of(3_600_000, None, venue.now(), 1_000)
    assert len(hours) == 1_000
    assert all(later.time - earlier.time == 3_600_000 for earlier, later in itertools.pairwise(hours))
    assert all(row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high for row in hours)
