"""The hub: books of several venues that mend themselves and say when they are stale."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest

from core.clock import SimulatedClock
from core.errors import NotFound, Unavailable
from core.exchanges.books import BookHub
from core.market.book import BookChange, levels_of
from core.market.instrument import Instrument
from core.trading.costs import Costs


class Told:
    """A venue that says what a test gives it."""

    simulated = False

    def __init__(self, name: str, quotes: Sequence[str] = ("USDT",)) -> None:
        self.name = name
        self.pairs = [Instrument(name, "BTC", quote, Decimal("0.01"), Decimal("0.001")) for quote in quotes]
        self.queue: asyncio.Queue[BookChange | Exception] = asyncio.Queue()
        self.answers: list[BookChange] = []
        self.asked = self.opened = 0

    async def instruments(self) -> Sequence[Instrument]:
        return self.pairs

    async def book(self, instrument: Instrument) -> BookChange:
        self.asked += 1
        if not self.answers:
            raise Unavailable(f"{self.name} does not answer.")
        return self.answers.pop(0)

    async def stream_book(self, instrument: Instrument) -> AsyncIterator[BookChange]:
        self.opened += 1
        while True:
            said = await self.queue.get()
            if isinstance(said, Exception):
                raise said
            yield said

    def snapshot(self, bid: float, ask: float, last: int | None = None, size: float = 1.0) -> BookChange:
        return self.change([(bid, size)], [(ask, size)], None, last, True)

    def change(
        self,
        bids: list[tuple[float, float]],
        asks: list[tuple[float, float]],
        first: int | None = None,
        last: int | None = None,
        snapshot: bool = False,
    ) -> BookChange:
        return BookChange(self.name, "BTC/USDT", 0, levels_of(bids), levels_of(asks), snapshot, first, last)

    async def say(self, *changes: BookChange | Exception) -> None:
        for change in changes:
            self.queue.put_nowait(change)
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def clock() -> SimulatedClock:
    return SimulatedClock()


async def test_changes_before_the_snapshot_are_put_on_top_of_it(clock: SimulatedClock) -> None:
    venue = Told("binance")
    hub, pair = BookHub({"binance": venue}, clock), venue.pairs[0]
    venue.answers = [venue.snapshot(99, 101, last=10)]
    hub.watch(pair)
    await venue.say(venue.change([(99.5, 2)], [], 9, 11), venue.change([], [(100.5, 3)], 12, 12))
    book = hub.book(pair)
    assert book is not None
    assert (book.bid, book.ask) == ((99.5, 2.0), (100.5, 3.0))
    assert venue.asked == 1
    await hub.stop()


async def test_a_gap_is_mended_by_asking_and_the_book_is_not_shown_meanwhile(clock: SimulatedClock) -> None:
    venue = Told("binance")
    hub, pair = BookHub({"binance": venue}, clock), venue.pairs[0]
    heard: list[float] = []
    hub.listen(lambda instrument, book: heard.append(book.bid[0] if book.bid else 0.0))
    hub.watch(pair)
    await venue.say(venue.snapshot(99, 101, last=10), venue.change([(99.2, 1)], [], 13, 13))
    assert hub.state(pair) == "gap"
    assert hub.book(pair) is None
    venue.answers = [venue.snapshot(98, 101, last=13)]
    await clock.advance(1)
    await venue.say(venue.change([(98.5, 1)], [], 14, 14))
    assert hub.state(pair) == "live"
    assert heard == [99.0, 98.5]
    await hub.stop()


async def test_a_silent_book_is_stale_and_is_asked_for(clock: SimulatedClock) -> None:
    venue = Told("binance")
    hub, pair = BookHub({"binance": venue}, clock), venue.pairs[0]
    hub.watch(pair)
    await venue.say(venue.snapshot(99, 101))
    assert hub.state(pair) == "live"
    await clock.advance(6)
    assert hub.stale(pair)
    with pytest.raises(Unavailable):
        await hub.fresh(pair)
    venue.answers = [venue.snapshot(97, 98)]
    assert (await hub.fresh(pair)).bid == (97.0, 1.0)
    assert hub.state(pair) == "live"
    await hub.stop()


async def test_a_broken_stream_is_taken_up_again_and_distrusted_until_its_snapshot(clock: SimulatedClock) -> None:
    venue = Told("binance")
    hub, pair = BookHub({"binance": venue}, clock), venue.pairs[0]
    hub.watch(pair)
    await venue.say(venue.snapshot(99, 101, last=5), OSError("gone"))
    assert hub.state(pair) == "gap"
    await clock.advance(3)
    await venue.say(venue.snapshot(98, 100, last=9))
    assert venue.opened == 2
    assert hub.state(pair) == "live"
    await hub.stop()


async def test_nobody_s_interest_ends_the_stream(clock: SimulatedClock) -> None:
    venue = Told("binance")
    hub, pair = BookHub({"binance": venue}, clock), venue.pairs[0]
    hub.watch(pair, seconds=10)
    await venue.say(venue.snapshot(99, 101))
    await clock.advance(11)
    await venue.say(venue.snapshot(98, 101))
    await venue.say(venue.snapshot(97, 101))
    assert venue.queue.qsize() == 1
    await hub.stop()


async def test_venues_are_merged_after_fees_and_what_has_no_rate_is_left_out_and_said(clock: SimulatedClock) -> None:
    cheap, dear, other = Told("kucoin"), Told("coinbase"), Told("kraken", ["USDC"])
    datas = {each.name: each for each in (cheap, dear, other)}
    fees = {"kucoin": 0.001, "coinbase": 0.006, "kraken": 0.0}
    hub = BookHub(datas, clock, costs=lambda venue: Costs(taker_fee=fees[venue]))
    for venue, ask in ((cheap, 100.3), (dear, 100.0), (other, 100.0)):
        venue.answers = [venue.snapshot(99, ask)] * 2
    book = await hub.merged(cheap.pairs[0])
    assert [book.outlets[int(row[3])].venue for row in book.asks] == ["kucoin", "coinbase"]
    assert book.asks[0][0] == pytest.approx(100.3 * 1.001)
    assert book.left_out == ("kraken BTC/USDC is left out: no rate of USDC to USDT is given.",)
    book = await hub.merged(cheap.pairs[0], {"USDC": 1.001})
    assert book.outlets[int(book.asks[0][3])].venue == "kraken"
    assert book.asks[0][1] == pytest.approx(100.1)
    await hub.stop()


async def test_a_venue_that_does_not_answer_is_left_out_and_said(clock: SimulatedClock) -> None:
    one, two = Told("kucoin"), Told("binance")
    hub = BookHub({"kucoin": one, "binance": two}, clock)
    one.answers = [one.snapshot(99, 101)]
    book = await hub.merged(one.pairs[0])
    assert [each.venue for each in book.outlets] == ["kucoin"]
    assert "binance does not answer" in book.left_out[0]
    with pytest.raises(NotFound):
        hub.watch(Instrument("mars", "BTC", "USDT"))
    await hub.stop()
