"""Opportunities as they come, move and go, and the history of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.bus import Bus
from core.clock import SimulatedClock
from core.engine.opportunities import Opportunities
from core.events import OpportunityChanged
from core.exchanges.arbitrage import Arbitrage
from core.exchanges.books import BookHub
from core.exchanges.scanner import Policy
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from tests.core.exchanges.test_books import Told


class Desk:
    """Two venues, a watcher and what it said."""

    def __init__(self) -> None:
        self.clock, self.bus = SimulatedClock(), Bus()
        self.one, self.two = Told("kucoin"), Told("binance")
        self.hub = BookHub({"kucoin": self.one, "binance": self.two}, self.clock)
        self.watcher = Arbitrage(self.hub, self.clock, self.bus, policy=Policy(max_age=2.0, transfers=False))
        self.heard: list[OpportunityChanged] = []
        self.bus.subscribe(OpportunityChanged, self.hear)

    async def hear(self, event: OpportunityChanged) -> None:
        self.heard.append(event)

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.heard]

    async def stop(self) -> None:
        await self.watcher.stop()
        await self.hub.stop()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    made.watcher.follow([*made.one.pairs, *made.two.pairs])
    yield made
    await made.stop()


async def test_an_opportunity_appears_moves_and_goes_with_how_long_it_lived(desk: Desk) -> None:
    await desk.one.say(desk.one.snapshot(99, 100, size=10))
    await desk.two.say(desk.two.snapshot(102, 103, size=10))
    assert desk.states == ["appeared"]
    await desk.two.say(desk.two.snapshot(102.001, 103, size=10))  # not worth telling
    await desk.two.say(desk.two.snapshot(104, 105, size=10))
    assert desk.states == ["appeared", "moved"]
    await desk.clock.advance(0.25)
    await desk.two.say(desk.two.snapshot(99, 100, size=10))
    assert desk.states == ["appeared", "moved", "gone"]
    assert desk.heard[-1].lived == 0.25
    assert len({event.id for event in desk.heard}) == 1
    assert desk.heard[1].profit > desk.heard[0].profit > 0


async def test_silence_ends_an_opportunity(desk: Desk) -> None:
    await desk.one.say(desk.one.snapshot(99, 100, size=10))
    await desk.two.say(desk.two.snapshot(102, 103, size=10))
    await desk.clock.advance(2.6)
    await desk.two.say()
    assert desk.states == ["appeared", "gone"]
    assert desk.watcher.look() == []


async def test_a_gap_in_a_book_ends_what_it_promised(desk: Desk) -> None:
    await desk.one.say(desk.one.snapshot(99, 100, size=10))
    await desk.two.say(desk.two.snapshot(102, 103, last=5, size=10))
    assert len(desk.watcher.look()) == 1
    await desk.two.say(desk.two.change([(102, 9)], [], 8, 8))
    assert desk.watcher.look() == []


async def test_what_ended_is_kept_with_its_best_profit_and_its_life(desk: Desk, tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'kept.db'}", desk.clock)
    await store.open()
    kept = Opportunities(SqlTradingStore(store), desk.bus, kept=2)
    await kept.start()
    for bid in (102, 104, 106):
        await desk.one.say(desk.one.snapshot(99, 100, size=10))
        await desk.two.say(desk.two.snapshot(bid, bid + 1, size=10))
        await desk.two.say(desk.two.snapshot(bid - 1, bid, size=10))
        await desk.clock.advance(1.0)
        await desk.two.say(desk.two.snapshot(99, 100, size=10))
        await desk.clock.advance(0.1)
    await desk.watcher.told()
    found = await kept.past()
    assert [each.lived for each in found] == [1.0, 1.0]
    assert found[0].path == ("buy BTC/USDT at kucoin", "sell BTC/USDT at binance")
    assert found[0].profit > found[1].profit > 30
    assert found[0].ended > found[1].ended
    await kept.stop()
    await store.close()
