"""Books, best execution and split orders, as people ask for them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from core.app import App, build
from core.clock import SimulatedClock
from core.exchanges.sandbox import SandboxData
from core.market.book import BookChange, levels_of
from core.market.instrument import Instrument
from core.settings import Settings
from core.trading.exchange import Quote
from tests.dialog.conftest import START, Room


class Venue(SandboxData):
    """The sandbox under another name, whose book holds two levels on either side."""

    def __init__(self, clock: SimulatedClock, name: str, shift: str = "0") -> None:
        super().__init__(clock, 1)
        self.name, self.shift = name, Decimal(shift)

    def here(self, instrument: Instrument) -> Instrument:
        return replace(instrument, venue=self.name)

    async def instruments(self) -> Sequence[Instrument]:
        return [self.here(each) for each in await super().instruments()]

    async def quote(self, instrument: Instrument) -> Quote:
        found = await super().quote(instrument)
        return replace(found, instrument=self.here(found.instrument))

    async def book(self, instrument: Instrument, depth: int = 50) -> BookChange:
        last = (await self.quote(instrument)).last
        sides = [
            levels_of((last * (1 + sign * (Decimal(step) / 1000) + self.shift), Decimal("0.02")) for step in (1, 2))
            for sign in (-1, 1)
        ]
        return BookChange(self.name, instrument.symbol, self._clock.now_ms(), sides[0], sides[1], True)


class Rooms(Room):
    """A room with two venues, of which the second can be moved."""

    def __init__(self, app: App, clock: SimulatedClock, other: Venue) -> None:
        super().__init__(app, clock)
        self.other = other


@pytest.fixture
async def venues(tmp_path: Path) -> AsyncIterator[Rooms]:
    clock = SimulatedClock(START)
    sources = [Venue(clock, "alpha"), Venue(clock, "beta", "0.0001")]
    app = build(Settings(data_dir=tmp_path), clock=clock, roles=("trader",), sources=sources)
    await app.start()
    try:
        yield Rooms(app, clock, sources[1])
    finally:
        stopping = asyncio.ensure_future(app.stop())
        while not stopping.done():
            await clock.advance(1.0)
            await asyncio.sleep(0.005)
        await stopping


async def test_a_book_shows_levels_spread_and_where_it_is_from(room: Room) -> None:
    shown = await room.says("show me the order book of btc")
    assert "BTC/USDT at sandbox (SIMULATED)" in shown
    assert "Bid size | Bid | Ask | Ask size" in shown
    assert "Known depth within 1 %" in shown


async def test_the_merged_book_names_venues_and_fees(venues: Room) -> None:
    shown = await venues.says("book btc all")
    assert "BTC/USDT over 2 venues" in shown
    assert "alpha 0.10 %, beta 0.10 %" in shown
    assert await venues.says("show me the book of btc across all venues") == shown


async def test_best_execution_names_price_slippage_fee_and_parts(venues: Room) -> None:
    shown = await venues.says("where can i buy 0.03 btc best")
    assert "Best execution: buy 0.03 BTC" in shown
    for word in ("Expected price", "Slippage", "Fees", "alpha | BTC/USDT | 0.02", "beta | BTC/USDT | 0.01"):
        assert word in shown
    assert "(Preview it) split buy 0.03 btc" in shown
    assert "Not to be had" in await venues.says("best sell 5 btc")


async def test_a_split_order_is_previewed_and_places_one_order_at_each_venue(venues: Room) -> None:
    preview = await venues.says("split buy 0.03 btc")
    assert "Buy 0.03 BTC over 2 venues, one market order each? [PAPER]" in preview
    assert "alpha: 0.02 BTC" in preview
    done = await venues.says("yes")
    assert "alpha: Bought 0.02" in done
    assert "beta: Bought 0.01" in done
    sold = await venues.says("sell 0.03 btc over all venues")
    assert "Sell 0.03 BTC over 2 venues" in sold
    assert "beta: Sold 0.01" in await venues.says("yes")


async def test_a_split_never_spends_more_than_there_is_or_sells_what_is_not_held(venues: Room) -> None:
    assert "No venue can take a part of 1 BTC. alpha takes no part: there is no free BTC." in await venues.says(
        "split sell 1 btc"
    )
    assert "of 5 find a place" in await venues.says("split buy 5 btc")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("best buy 0 btc", "not above zero"),
        ("best buy 1 btc usdc=dear", "'dear' is not an amount"),
        ("best buy 1 btc usdc=0", "A rate of 0 for USDC is not plausible"),
        ("best hold 1 btc", "'hold' is not a side"),
        ("book nosuchcoin", "NOSUCHCOIN"),
    ],
)
async def test_what_cannot_be_meant_is_answered_in_a_sentence(venues: Room, line: str, part: str) -> None:
    assert part in await venues.says(line)


async def test_arbitrage_lists_what_pays_after_fees_and_keeps_what_went(venues: Rooms) -> None:
    assert "Nothing pays after fees" in await venues.says("arbitrage btc")
    beta = venues.other
    beta.shift = Decimal(900)  # BTC costs so much more there
    await venues.clock.advance(3)
    shown = await venues.says("show me arbitrage opportunities")
    assert "Arbitrage over alpha and beta (SIMULATED)" in shown
    assert "buy BTC/USDT at alpha, sell BTC/USDT at beta | 0.04 BTC" in shown
    assert "Nothing is executed." in shown
    beta.shift = Decimal(0)
    await venues.clock.advance(3)
    assert "Nothing pays after fees" in await venues.says("arbitrage")
    await venues.until(lambda: not venues.app.services.arbitrage.alive)
    assert "buy BTC/USDT at alpha, sell BTC/USDT at beta | 0.04" in await venues.says("arbitrage history")


async def test_arbitrage_says_when_there_is_nothing_to_compare_or_no_such_coin(room: Room) -> None:
    assert "Connected is sandbox" in await room.says("arbitrage")
    assert "No opportunity has come and gone yet" in await room.says("arbitrage history")
    assert "'5' is not a coin" in await room.says("arbitrage 5")
