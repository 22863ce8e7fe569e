"""Strategies on a live account: the decisions of paper, orders at a venue, and never one without a mandate."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from core.engine.arming import Caps
from core.engine.image import sized
from core.engine.live import LiveVenues
from core.engine.recorded import bar_at
from core.engine.views import Run
from core.errors import InvalidInput, RiskRefused, Unavailable
from core.market.bars import Bars
from core.risk.mandates import drawn
from core.store.outbox import SqlOutbox
from core.strategies.dca import Dca
from core.strategies.sma_cross import SmaCross
from core.trading.costs import Costs
from core.trading.orders import Market, Order, OrderStatus, Side, Stop
from core.trading.portfolio import fold
from core.trading.strategy import Context, Parameter, Signals
from core.trading.tickets import Ticket
from tests.core.engine.test_live import LIVE, Pocket
from tests.core.engine.venue import Venue
from tests.trading import ACCOUNT, BTC, EPOCH, HOUR, Room, synthetic_bars

D = Decimal
CASH = D(5_000)
COSTS = Costs(slippage=0.0)


class Killed(BaseException):
    """The process dies here."""


@dataclass(frozen=True, slots=True)
class Script:
    """Exposures, stops and limits (as a share of the close) by the number of the bar. wrong: from which on it fails"""

    exposures: Mapping[int, float] = field(default_factory=dict)
    stops: Mapping[int, float] = field(default_factory=dict)
    trails: Mapping[int, float] = field(default_factory=dict)
    limits: Mapping[int, float] = field(default_factory=dict)
    wrong: int = 99
    name: ClassVar[str] = "script"
    summary: ClassVar[str] = "Does as told."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        numbers = ((bars.timestamp - EPOCH) // HOUR).tolist()
        if numbers[-1] >= self.wrong:
            raise ValueError("no idea")

        def column(values: Mapping[int, float]) -> Any:
            return np.array([values.get(number, np.nan) for number in numbers])

        limit, stop = column(self.limits) * bars.close, column(self.stops) * bars.close
        return Signals(column(self.exposures), limit=limit, stop=stop, trail=column(self.trails))


@dataclass
class Floor:
    room: Room
    venue: Venue
    script: Script = Script()

    @property
    def trader(self) -> Any:
        return self.room.engine.trader

    async def give(self, cap: str = "6000") -> None:
        rules, now = self.room.engine.rules, self.room.clock.now()
        await rules.give(drawn(rules.next_number(LIVE), LIVE, ["BTC"], D(cap), D(7), now))

    async def begin(self, script: Script) -> Run:
        self.room.strategies["script"] = script
        run: Run = await self.trader.start(LIVE, script, BTC, "1h", CASH, source="script")
        return run

    async def play(self, start: int, stop: int) -> None:
        """Bars close; the venue's stops that the close reaches fill."""
        for number in range(start, stop):
            price = D(repr(float(self.room.recording[0].close[number])))
            self.venue.price = price
            for order in list(self.venue.orders.values()):
                kind = order.request.type
                if not order.status.final and isinstance(kind, Stop) and price <= kind.trigger:
                    self.venue.fill(order.id, order.request.quantity or D(0), price)
                    await self.room.engine.execution.take(self.venue.done[-1])
            await self.room.play(number, number + 1)
            await self.trader.quiet()

    async def orders(self, run: Run) -> list[Order]:
        return [each for each in await self.room.record.orders(run.account) if each.request.ledger == run.ledger]

    def open_at_venue(self) -> list[Order]:
        return [order for order in self.venue.orders.values() if not order.status.final]

    def held(self, run: Run) -> Decimal:
        position = self.room.engine.book.portfolio(LIVE, run.ledger).positions.get(BTC.key)
        return D(0) if position is None else position.quantity

    async def told(self) -> list[str]:
        waiting = await SqlOutbox(self.room.store).waiting(self.room.clock.now(), 1_000)
        return [each.document["text"] for each in waiting if each.kind == "AccountNotice"]

    async def agrees(self) -> None:
        journal = {a: n for a, n in fold(await self.room.record.entries(LIVE)).balances.items() if n}
        assert journal == await self.venue.balances()
        assert await self.room.engine.book.differences(LIVE) == []

    async def restart(self) -> None:
        await self.room.crash()
        await self.room.open()
        await self.trader.quiet()


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    room = Room(tmp_path, [synthetic_bars(1, 60)])
    venue = Venue(room.clock, {"USDT": D(20_000)}, D(30_000))
    room.options = {"live": LiveVenues(Pocket(), lambda account, name, keys: venue)}
    await room.open()
    await room.engine.desk.arm(LIVE, Caps(D(9_000), D(15_000), D(5_000)), 72)
    yield Floor(room, venue)
    await room.close()


def asked(orders: list[Order]) -> list[tuple[str, Side]]:
    """Which bar asked for which side."""
    return [(order.id.split("-")[1], order.request.side) for order in orders]


async def test_the_same_bars_give_the_same_decisions_on_paper_and_live(floor: Floor) -> None:
    await floor.give()
    strategy = SmaCross(fast=3, slow=7)
    floor.room.strategies["sma_cross"] = strategy
    paper = await floor.trader.start(ACCOUNT, strategy, BTC, "1h", CASH)
    live = await floor.trader.start(LIVE, strategy, BTC, "1h", CASH)
    await floor.play(0, 60)
    orders = await floor.orders(live)
    assert asked(orders) == asked(await floor.orders(paper))
    assert len(orders) > 4
    assert {order.status for order in orders} == {OrderStatus.FILLED}
    await floor.agrees()


async def test_a_strategy_starts_live_only_under_a_mandate_and_is_told_the_line_to_write(floor: Floor) -> None:
    with pytest.raises(RiskRefused) as refused:
        await floor.begin(Script({0: 1.0}))
    assert "there is none for this strategy on file" in refused.value.sentence()
    assert "mandate file instruments=btc" in refused.value.sentence()
    await floor.give("100")
    with pytest.raises(RiskRefused, match="allows 100"):
        await floor.begin(Script({0: 1.0}))
    assert (floor.venue.received, await floor.trader.runs(LIVE)) == ([], [])


async def test_what_cannot_trade_live_says_so_before_it_starts(floor: Floor) -> None:
    await floor.give()
    with pytest.raises(InvalidInput, match="trade on paper, not live"):
        await floor.trader.start(LIVE, Dca(), BTC, "1h", CASH)


async def test_money_for_a_run_moves_in_the_journal_alone_and_comes_back_when_it_stops(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({2: 0.8}))
    book = floor.room.engine.book
    assert book.total(LIVE, run.ledger, "USDT") == CASH
    assert book.total(LIVE, "manual", "USDT") == D(15_000)
    await floor.play(0, 4)
    assert floor.held(run) > 0
    stopped = await floor.trader.stop(LIVE, run)
    assert (stopped.state, floor.held(run), book.total(LIVE, run.ledger, "USDT")) == ("stopped", D(0), D(0))
    assert stopped.reason is not None
    assert book.total(LIVE, "manual", "USDT") == D(15_000) + (stopped.returned or 0)
    await floor.agrees()


async def test_a_run_may_stop_and_keep_its_coins_with_their_stop(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.7}))
    await floor.play(0, 3)
    await floor.trader.stop(LIVE, run, keep=True)
    assert floor.held(run) > 0
    assert [order.request.type for order in floor.open_at_venue()] == [floor.venue.received[-1].type]
    await floor.trader.stop(LIVE, run)
    assert (floor.held(run), floor.open_at_venue()) == (D(0), [])
    await floor.agrees()


async def test_a_stop_rests_at_the_venue_moves_with_the_signals_and_ends_the_position(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.8, 3: 0.9, 5: 1.2}))
    await floor.play(0, 3)
    [first] = floor.open_at_venue()
    close = floor.room.recording[0].close
    assert first.request.type == Stop(BTC.price(D(repr(float(close[1] * 0.8)))))
    assert (first.request.reduce_only, first.request.quantity) == (True, floor.held(run))
    await floor.play(3, 5)
    [second] = floor.open_at_venue()
    assert second.id != first.id
    assert second.request.type == Stop(BTC.price(D(repr(float(close[3] * 0.9)))))
    await floor.play(5, 6)  # the stop moves to where the market is already: it is sold at once
    assert (floor.held(run), floor.open_at_venue()) == (D(0), [])
    assert isinstance(floor.venue.received[-1].type, Market)
    await floor.play(6, 9)
    assert len([each for each in await floor.orders(run) if each.request.side is Side.BUY]) == 1
    await floor.agrees()


async def test_an_exit_takes_the_stop_back_before_it_sells(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 3: 0.2, 5: 0.0}, {1: 0.7}))
    await floor.play(0, 4)
    [guard] = floor.open_at_venue()
    assert guard.request.quantity == floor.held(run)
    await floor.play(4, 7)
    assert (floor.held(run), floor.open_at_venue()) == (D(0), [])
    await floor.agrees()


async def test_a_mandate_that_is_revoked_pauses_the_run_told_once_and_exits_still_pass(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.3, 3: 0.6, 4: 0.7, 6: 0.0}))
    await floor.play(0, 3)
    sent = len(floor.venue.received)
    await floor.room.engine.rules.revoke(LIVE, 1)
    await floor.play(3, 6)
    assert len(floor.venue.received) == sent
    pauses = [text for text in await floor.told() if "pauses" in text]
    assert len(pauses) == 1
    assert "Mandate 1 was revoked" in pauses[0]
    assert (await floor.trader.find(LIVE, run.id)).state == "running"
    await floor.play(6, 8)
    assert floor.held(run) == 0
    await floor.agrees()


async def test_an_arming_that_ran_out_pauses_the_run(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({2: 0.3}))
    await floor.room.engine.arming.disarm(LIVE)
    await floor.play(0, 4)
    assert (floor.venue.received, floor.held(run)) == ([], D(0))
    assert len([text for text in await floor.told() if "pauses" in text]) == 1


async def test_an_exit_that_the_venue_could_not_take_is_asked_for_again_and_a_missed_entry_is_not(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.3, 3: 0.0, 6: 0.4}))
    await floor.play(0, 3)
    assert floor.held(run) > 0

    async def away(request: Any, last: Any = None) -> Any:
        raise Unavailable("The venue is away.")

    with monkeypatch.context() as patched:
        patched.setattr(floor.venue, "place", away)
        await floor.play(3, 4)
    assert floor.held(run) > 0
    await floor.play(4, 5)
    assert floor.held(run) == 0
    with monkeypatch.context() as patched:
        patched.setattr(floor.venue, "place", away)
        await floor.play(5, 7)
    await floor.play(7, 9)
    assert floor.held(run) == 0
    await floor.agrees()


async def test_after_a_restart_a_bar_is_not_decided_twice_and_the_stop_stands(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 4: 0.8}, {1: 0.7}))
    await floor.play(0, 2)
    before = [order.id for order in floor.open_at_venue()]
    await floor.restart()
    assert [order.id for order in floor.open_at_venue()] == before
    await floor.play(1, 2)
    assert len(await floor.orders(run)) == 2
    await floor.play(2, 6)
    assert len([each for each in await floor.orders(run) if each.request.side is Side.BUY]) == 2
    [guard] = floor.open_at_venue()
    assert guard.request.quantity == floor.held(run)
    await floor.agrees()


async def test_killed_between_the_record_and_the_venue_nothing_is_sent_twice(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 4: 0.6}, {1: 0.7}))
    await floor.play(0, 1)

    async def dies(*_: Any) -> Any:
        raise Killed

    monkeypatch.setattr(floor.room.engine.execution, "_send", dies)
    await floor.play(1, 2)
    await floor.restart()
    [lost] = await floor.orders(run)
    assert (lost.status, floor.venue.received) == (OrderStatus.REJECTED, [])
    await floor.play(1, 2)
    assert floor.venue.received == []
    await floor.play(2, 6)
    assert [order.request.side for order in await floor.orders(run)][:2] == [Side.BUY, Side.BUY]
    assert floor.held(run) > 0
    await floor.agrees()


async def test_killed_between_the_entry_and_its_stop_the_next_start_places_the_stop(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.7}))
    await floor.play(0, 1)

    async def dies(*_: Any) -> bool:
        raise Killed

    monkeypatch.setattr(floor.trader._live, "_guard", dies)
    await floor.play(1, 2)
    assert (floor.held(run) > 0, floor.open_at_venue()) == (True, [])
    await floor.restart()
    [guard] = floor.open_at_venue()
    assert (type(guard.request.type), guard.request.quantity) == (Stop, floor.held(run))


async def test_limit_entries_and_exits_at_any_price_are_sized(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}))
    await floor.play(0, 3)
    portfolio, bar = floor.room.engine.book.portfolio(LIVE, run.ledger), bar_at(floor.room.recording[0], 2)
    random = np.random.default_rng(7)
    for price in (random.uniform(0.7, 1.3, 200) * bar.close).tolist():
        for exposure, side in ((0.95, Side.BUY), (0.1, Side.SELL), (0.0, Side.SELL)):
            found = sized(run, portfolio, Ticket("limit", side.sign, exposure=exposure, limit=price), bar, D(1), COSTS)
            cash, held = portfolio.balances["USDT"], portfolio.positions[BTC.key].quantity
            equity = cash + held * D(repr(price))
            gap = abs(D(repr(exposure)) * equity - held * D(repr(price)))
            assert found.side is side
            assert float(found.quantity * D(repr(price))) == pytest.approx(float(gap), rel=0.01, abs=1)
            assert found.quantity <= held or side is Side.BUY
            assert found.quantity == BTC.quantity(found.quantity)


async def test_an_order_whose_answer_was_lost_is_looked_up_and_never_sent_again(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.7}))
    await floor.play(0, 1)
    floor.venue.loses = True
    await floor.play(1, 4)
    assert [type(request.type) for request in floor.venue.received] == [Market, Stop]
    assert floor.held(run) > 0
    await floor.agrees()


async def test_panic_ends_live_runs_with_their_orders_and_sells_nothing(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 3: 0.9}, {1: 0.7}))
    await floor.play(0, 2)
    await floor.room.engine.desk.emergency.panic("sam")
    await floor.play(2, 5)
    assert floor.open_at_venue() == []
    assert floor.held(run) > 0
    assert (await floor.trader.find(LIVE, run.id)).state == "stopped"


async def test_a_short_signal_leaves_the_position_and_is_told_once(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 3: -0.5, 4: -0.7}))
    await floor.play(0, 6)
    assert floor.held(run) == 0
    assert len([text for text in await floor.told() if "asked to be short" in text]) == 1
    await floor.agrees()


async def test_prices_that_no_single_order_watches_open_nothing(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.7}, {1: 0.05}))
    await floor.play(0, 3)
    assert (floor.held(run), floor.venue.received) == (D(0), [])
    assert len([text for text in await floor.told() if "takes a trail, or a stop and a target" in text]) == 1


async def test_a_strategy_that_fails_leaves_its_position_and_its_stop(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.7}, wrong=3))
    await floor.play(0, 5)
    failed = await floor.trader.find(LIVE, run.id)
    assert failed.state == "failed"
    assert "no idea" in (failed.reason or "")
    [guard] = floor.open_at_venue()
    assert guard.request.quantity == floor.held(run)
    await floor.trader.stop(LIVE, run)
    assert (floor.held(run), floor.open_at_venue()) == (D(0), [])
    await floor.agrees()


async def test_what_a_limit_entry_fills_between_two_bars_is_protected_at_once(floor: Floor) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 4: 0.0}, {1: 0.7}, limits={1: 0.99}))
    await floor.play(0, 2)
    [entry] = floor.open_at_venue()
    part = BTC.quantity((entry.request.quantity or D(0)) / 2)
    for _ in range(2):
        await floor.room.engine.execution.take(floor.venue.fill(entry.id, part, floor.venue.price))
        await floor.trader.quiet()
        [guard] = [each for each in floor.open_at_venue() if each.request.side is Side.SELL]
        assert guard.request.quantity == floor.held(run)
    await floor.play(2, 6)  # the rest of the entry is cancelled, the stop taken back, everything sold
    assert (floor.held(run), floor.open_at_venue()) == (D(0), [])
    await floor.agrees()


async def test_stopping_to_keep_while_the_venue_is_away_sells_nothing_after_a_restart(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5, 2: 0.9}, {}, limits={2: 0.9}))
    await floor.play(0, 3)
    held = floor.held(run)

    async def away(order_id: str) -> Any:
        raise Unavailable("The venue is away.")

    with monkeypatch.context() as patched:
        patched.setattr(floor.venue, "cancel", away)
        with pytest.raises(Unavailable):
            await floor.trader.stop(LIVE, run, keep=True)
    await floor.restart()
    assert (floor.held(run), held > 0) == (held, True)
    assert (await floor.trader.find(LIVE, run.id)).state == "stopped"


async def test_protection_that_could_not_be_placed_is_told_once_and_placed_when_the_venue_answers(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.give()
    run = await floor.begin(Script({1: 0.5}, {1: 0.7}))
    place = floor.venue.place

    async def only_entries(request: Any, last: Any = None) -> Any:
        if isinstance(request.type, Stop):
            raise Unavailable("The venue is away.")
        return await place(request, last)

    with monkeypatch.context() as patched:
        patched.setattr(floor.venue, "place", only_entries)
        await floor.play(0, 2)
    assert floor.open_at_venue() == []
    for _ in range(3):  # what is to be tried again begins to wait, then to try
        await asyncio.sleep(0)
    await floor.room.clock.advance(20)
    for _ in range(3):
        await asyncio.sleep(0)
        await floor.trader.quiet()
    [guard] = floor.open_at_venue()
    assert guard.request.quantity == floor.held(run)
    assert len([text for text in await floor.told() if "is not protected now" in text]) == 1
