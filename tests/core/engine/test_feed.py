"""The feed: what a person calls an instrument, bars told once and in order, and sources that fail."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.bus import Bus
from core.clock import SimulatedClock, from_ms, to_ms
from core.engine.feed import Feed
from core.engine.naming import resolve
from core.errors import InvalidInput, NotFound, Unavailable
from core.events import Bar, BarClosed, QuoteChanged
from core.exchanges.sandbox import SandboxData
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.trading.exchange import Quote
from tests.trading import BTC, EPOCH, ETH, HOUR, synthetic_bars

LISTED = [BTC, ETH, replace(BTC, quote="EUR"), replace(ETH, base="SOL"), replace(ETH, base="DOGE")]
BARS = synthetic_bars(4, 400)


class Source:
    """A venue over recorded hours. holes: opens that are missing; down: it does not answer."""

    def __init__(self, clock: SimulatedClock, name: str = "file", *, simulated: bool = False) -> None:
        self.name, self.clock, self.simulated = name, clock, simulated
        self.down = self.closed = False
        self.late = 0
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        if self.down:
            raise Unavailable(f"{self.name} is away.")

    async def instruments(self) -> list[Instrument]:
        self.check()
        return [replace(each, venue=self.name) for each in LISTED]

    async def quote(self, instrument: Instrument) -> Quote:
        self.check()
        price = Decimal(100 + (self.clock.now_ms() - EPOCH) // 60_000)
        return Quote(instrument, price, price, price, self.clock.now(), simulated=self.simulated)

    async def bars(self, instrument: Instrument, timeframe: str, *, since: Any = None, limit: int = 500) -> Bars:
        self.check()
        if timeframe != "1h":
            raise NotFound("Only hours.")
        begun = BARS.between(since, self.clock.now_ms() + 1)
        begun = begun[: max(0, len(begun) - self.late)]
        return replace(begun[:limit], instrument=instrument)

    async def ping(self) -> float:
        self.check()
        return 0.01

    async def close(self) -> None:
        self.closed = True


class Matching:
    """Notes what it saw, and what had been published by then."""

    def __init__(self) -> None:
        self.seen: list[Bar] = []
        self.wanted: dict[Instrument, int] = {}

    async def on_market(self, bars: Any) -> None:
        self.seen += bars.values()

    def waiting(self) -> dict[Instrument, int]:
        return self.wanted


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(from_ms(EPOCH + 100 * HOUR))


@pytest.fixture
def source(clock: SimulatedClock) -> Source:
    return Source(clock)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("btc", "BTC/USDT"), ("BTC", "BTC/USDT"), ("bitcoin", "BTC/USDT"), ("eth-usdt", "ETH/USDT"),
        ("ETH/USDT", "ETH/USDT"), ("ethusdt", "ETH/USDT"), ("btc/eur", "BTC/EUR"), ("BTC_EUR", "BTC/EUR"),
        ("doge", "DOGE/USDT"), ("ether", "ETH/USDT"), ("sol usdt", "SOL/USDT"),
    ],
)  # fmt: skip
def test_an_instrument_is_found_by_what_people_call_it(text: str, symbol: str) -> None:
    assert resolve(text, LISTED).symbol == symbol


@pytest.mark.parametrize(("text", "near"), [("bct", "BTC/USDT"), ("dog", "DOGE/USDT"), ("eth/usd", "ETH/USDT")])
def test_an_unknown_name_gets_suggestions(text: str, near: str) -> None:
    with pytest.raises(NotFound) as unknown:
        resolve(text, LISTED)
    assert near in str(unknown.value.hint)


async def test_the_first_source_that_answers_is_chosen_and_others_stay_reachable(clock: SimulatedClock) -> None:
    dead, alive = Source(clock, "far"), Source(clock, "near", simulated=True)
    dead.down = True
    feed = Feed([dead, alive], clock, Bus())
    assert await feed.choose() == "near"
    assert (await feed.instrument("btc")).venue == "near"
    assert feed.label(await feed.instrument("btc")) == "SIMULATED"
    dead.down = False
    assert (await feed.instrument("far:BTC/USDT")).venue == "far"
    assert feed.label(replace(BTC, venue="far")) is None
    with pytest.raises(NotFound, match="No venue is called 'moon'"):
        await feed.instrument("moon:BTC/USDT")


async def test_orders_see_a_price_before_anybody_hears_of_it(clock: SimulatedClock, source: Source) -> None:
    matching, bus = Matching(), Bus()
    feed = Feed([source], clock, bus, matcher=matching)
    heard: list[int] = []

    async def hear(event: QuoteChanged) -> None:
        heard.append(len(matching.seen))

    bus.subscribe(QuoteChanged, hear)
    await feed.poke(BTC)
    assert heard == [1]
    assert matching.seen[0].time == clock.now_ms()
    assert np.isnan(matching.seen[0].volume)


async def test_every_bar_is_told_once_and_in_order_also_when_the_venue_is_late(
    clock: SimulatedClock, source: Source
) -> None:
    bus = Bus()
    feed = Feed([source], clock, bus)
    told: list[int] = []

    async def hear(event: BarClosed) -> None:
        told.append(event.bar.time)

    bus.subscribe(BarClosed, hear)
    feed.want_bars(BTC, "1h", EPOCH + 97 * HOUR)
    feed.want_bars(BTC, "1h", EPOCH + 97 * HOUR)  # a second run on the same bars
    for step in range(20):
        source.late = 2 if step % 3 == 0 else 0  # the newest bars are not there yet
        await feed.turn()
        clock.set(clock.now() + timedelta(minutes=31))
    assert told == [EPOCH + hour * HOUR for hour in range(98, 98 + len(told))]
    assert len(told) == 11
    feed.drop_bars(BTC, "1h")
    assert BTC in feed.watched()
    feed.drop_bars(BTC, "1h")
    assert feed.watched() == []


async def test_a_failing_source_makes_quotes_old_and_is_left_alone_for_a_while(
    clock: SimulatedClock, source: Source
) -> None:
    feed = Feed([source], clock, Bus())
    first = await feed.quote(BTC)
    source.down = True
    clock.set(clock.now() + timedelta(seconds=30))
    assert await feed.quote(BTC) == first  # the last known one, whose time tells its age
    assert feed.age(BTC) == 30
    state = feed.states()[0]
    assert (state.connected, state.error) == (False, "file is away.")
    asked = source.asked
    await feed.turn()
    assert source.asked == asked
    source.down = False
    clock.set(clock.now() + timedelta(seconds=61))
    await feed.turn()
    assert feed.age(BTC) == 0
    assert feed.states()[0].connected


async def test_a_price_that_never_was_is_unavailable(clock: SimulatedClock, source: Source) -> None:
    source.down = True
    feed = Feed([source], clock, Bus())
    with pytest.raises(Unavailable, match="file does not answer: file is away"):
        await feed.quote(BTC)
    with pytest.raises(Unavailable, match="moon is not connected"):
        await feed.quote(replace(BTC, venue="moon"))


async def test_time_that_passed_unseen_is_made_good_with_bars(clock: SimulatedClock, source: Source) -> None:
    matching = Matching()
    matching.wanted = {BTC: EPOCH + 90 * HOUR + 1}
    feed = Feed([source], clock, Bus(), matcher=matching)
    await feed.catch_up()
    assert [bar.time for bar in matching.seen] == [EPOCH + hour * HOUR for hour in range(91, 100)]


async def test_bars_are_the_newest_closed_ones_over_many_pages(clock: SimulatedClock, source: Source) -> None:
    feed = Feed([source], clock, Bus())
    bars = await feed.bars(BTC, "1h", 50)
    assert len(bars) == 50
    assert int(bars.timestamp[-1]) == EPOCH + 99 * HOUR
    forming = await feed.bars(BTC, "1h", 50, forming=True)
    assert int(forming.timestamp[-1]) == EPOCH + 100 * HOUR
    assert len(forming) == 50


async def test_interest_fades(clock: SimulatedClock, source: Source) -> None:
    feed = Feed([source], clock, Bus())
    await feed.quote(BTC)
    feed.watch_for(lambda: [ETH])
    assert set(feed.watched()) == {BTC, ETH}
    clock.set(clock.now() + timedelta(minutes=3))
    assert feed.watched() == [ETH]


async def test_the_feed_looks_by_itself_until_it_is_stopped(clock: SimulatedClock, source: Source) -> None:
    bus = Bus()
    feed = Feed([source], clock, bus)
    heard: list[QuoteChanged] = []

    async def hear(event: QuoteChanged) -> None:
        heard.append(event)

    bus.subscribe(QuoteChanged, hear)
    feed.watch(BTC)
    await feed.start()
    for _ in range(1_000):
        await asyncio.sleep(0)
        await clock.advance(0.1)
        if len(heard) >= 3:
            break
    await feed.stop()
    assert len(heard) == 3
    assert source.closed


async def test_the_sandbox_feeds_long_histories(clock: SimulatedClock) -> None:
    feed = Feed([SandboxData(clock)], clock, Bus())
    await feed.choose()
    btc = await feed.instrument("btc")
    assert feed.label(btc) == "SIMULATED"
    bars = await feed.bars(btc, "1h", 1_200)
    assert len(bars) == 1_200
    assert int(bars.timestamp[-1]) + HOUR <= clock.now_ms() < int(bars.timestamp[-1]) + 2 * HOUR
    assert to_ms((await feed.quote(btc)).time) == clock.now_ms()


def test_a_feed_without_sources_is_refused(clock: SimulatedClock) -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        Feed([], clock, Bus())
