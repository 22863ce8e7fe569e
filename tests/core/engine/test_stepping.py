"""Step strategies on paper: their orders, what they remember, and what is refused or ends them."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from core.clock import from_ms
from core.errors import InvalidInput
from core.risk.limits import PAPER
from core.strategies import Dca, Grid, MomentumRotation
from core.trading.intents import CancelAll, Intent, Place, View
from core.trading.orders import Bracket, Limit, OrderStatus, Side
from core.trading.strategy import Parameter
from core.trading.tickets import Ticket
from tests.trading import ACCOUNT, BTC, Room, synthetic_bars


@dataclass(frozen=True)
class Told:
    """Asks for what it is told to, bar by bar, and counts in its memory."""

    script: Mapping[int, Any]
    name: ClassVar[str] = "told"
    summary: ClassVar[str] = "Does as told."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 1

    def on_bar(self, view: View) -> Iterable[Intent] | None:
        view.memory["bars"] = view.memory.get("bars", 0) + 1
        view.memory["labels"] = [order.label for order in view.orders]
        given: Any = self.script.get(view.memory["bars"])
        return given(view) if callable(given) else given


FAR = Ticket("limit", 1, quantity=0.01, limit=20_000.0)
OWN = Ticket("limit", 1, spend=500.0, limit=20_000.0, stop=19_000.0, expires=2_000_000_000_000, time_in_force="gtd")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path, [synthetic_bars(1, 40)])
    await room.open()
    yield room
    await room.close()


async def started(room: Room, script: Mapping[int, Any], cash: int = 2_000) -> Any:
    strategy = Told(script)
    room.strategies["told"] = strategy
    return await room.engine.trader.start(ACCOUNT, strategy, BTC, "1h", Decimal(cash), source="told")


async def test_orders_have_ids_that_follow_from_run_bar_and_number_and_reserve_what_they_may_cost(room: Room) -> None:
    run = await started(room, {2: [Place(FAR, "one"), Place(OWN, "two")]})
    await room.play(0, 3)
    orders = {each.id: each for each in await room.record.orders(ACCOUNT)}
    time = int(room.recording[0].timestamp[1])
    assert list(orders) == [f"{run.id}-{time}-0", f"{run.id}-{time}-1"]
    first, second = (each.request for each in orders.values())
    assert (first.type, first.quantity, first.side) == (Limit(Decimal(20_000)), Decimal("0.01"), Side.BUY)
    assert second.type == Bracket(Limit(Decimal(20_000)), Decimal(19_000))
    assert (second.spend, second.expires) == (Decimal(500), from_ms(2_000_000_000_000))
    book = room.engine.book
    assert book.reserved(ACCOUNT, run.ledger, "USDT") == Decimal("200.2") + 500
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert (found.memory["labels"], sorted(found.labels.values())) == (["one", "two"], ["one", "two"])


async def test_memory_and_labels_outlive_a_crash(room: Room) -> None:
    run = await started(room, {2: [Place(FAR, "one")], 9: [CancelAll()]})
    await room.play(0, 5)
    await room.crash()
    await room.open()
    await room.play(5, 8)
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert found.memory == {"bars": 8, "labels": ["one"]}
    await room.play(8, 11)
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert (found.memory["labels"], found.labels) == ([], {})
    (order,) = await room.record.orders(ACCOUNT)
    assert order.status is OrderStatus.CANCELLED
    assert room.engine.book.reserved(ACCOUNT, run.ledger, "USDT") == 0


async def test_a_refused_order_is_left_out_and_told_and_the_others_are_placed(room: Room) -> None:
    dear = Ticket("limit", 1, quantity=1.0, limit=20_000.0)
    bare = Ticket("limit", -1, quantity=1.0, limit=40_000.0)
    run = await started(room, {1: [Place(FAR), Place(dear), Place(FAR), Place(bare)]})
    await room.play(0, 2)
    assert [each.id[-2:] for each in await room.record.orders(ACCOUNT)] == ["-0", "-2"]
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert found.state == "running"
    assert found.reason is not None
    assert "is free" in found.reason


async def test_two_orders_of_one_bar_share_the_cash(room: Room) -> None:
    half = Ticket("limit", 1, spend=1_500.0, limit=20_000.0)
    run = await started(room, {1: [Place(half), Place(half)], 3: [CancelAll(), Place(replace(half, spend=1_900.0))]})
    await room.play(0, 2)
    assert len(await room.record.orders(ACCOUNT)) == 1
    await room.play(2, 5)
    orders = await room.record.orders(ACCOUNT)
    assert [each.request.spend for each in orders if not each.status.final] == [Decimal(1_900)]
    assert room.engine.book.reserved(ACCOUNT, run.ledger, "USDT") == 1_900


async def test_panic_stops_new_exposure_of_a_step_strategy(tmp_path: Path) -> None:
    room = Room(tmp_path, [synthetic_bars(1, 30)], options={"limits": PAPER})
    await room.open()
    try:
        run = await started(room, {2: [Place(FAR)]})
        await room.engine.desk._register.save(
            (await room.engine.desk.open(ACCOUNT)).__class__(ACCOUNT, opened=room.clock.now(), halted=True)
        )
        await room.play(0, 4)
        assert await room.record.orders(ACCOUNT) == []
        assert (await room.engine.trader.find(ACCOUNT, run.id)).state == "running"
    finally:
        await room.close()


def broken(view: View) -> None:
    raise ValueError("no idea")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (broken, r"told failed in .*test_stepping\.py, line \d+: ValueError: no idea"),
        (["buy"], "told asked for 'buy', which is no intent"),
        (
            [Place(Ticket("market", 1, quantity=0.01, targets=((50_000.0, 0.5),)))],
            "takes its profit in parts: that can be backtested, but not traded on paper",
        ),
        (lambda view: view.memory.update(now={1, 2}), "keeps in its memory what cannot be stored"),
    ],
    ids=["raises", "nonsense", "targets", "memory"],
)
async def test_what_it_does_wrong_is_one_sentence(room: Room, given: Any, sentence: str) -> None:
    run = await started(room, {2: given})
    await room.play(0, 4)
    found = await room.engine.trader.find(ACCOUNT, run.id)
    assert found.reason is not None
    assert re.search(sentence, found.reason)
    assert "\n" not in found.reason
    assert await room.record.orders(ACCOUNT) == []
    assert found.state == "failed"


async def test_a_strategy_of_several_instruments_is_not_started(room: Room) -> None:
    with pytest.raises(InvalidInput, match="momentum_rotation weighs several instruments") as refused:
        await room.engine.trader.start(ACCOUNT, MomentumRotation(), BTC, "1h", Decimal(1_000))
    assert refused.value.hint == "It can be backtested."


@pytest.mark.parametrize("strategy", [Grid(4, 0.005), Dca(4, 200.0, 0.01)], ids=["grid", "dca"])
async def test_a_shipped_one_is_started_stopped_and_sold(room: Room, strategy: Any) -> None:
    room.strategies[strategy.name] = strategy
    run = await room.engine.trader.start(ACCOUNT, strategy, BTC, "1h", Decimal(2_000))
    assert run.source == strategy.name
    await room.play(0, 20)
    assert len(await room.fills(run.ledger)) > 2
    stopped = await room.engine.trader.stop(ACCOUNT, run.id)
    assert stopped.state == "stopped"
    book = room.engine.book
    assert book.open_orders(ACCOUNT, run.ledger) == []
    assert book.portfolio(ACCOUNT, run.ledger).balances == {"USDT": 0, "BTC": 0}
    assert book.portfolio(ACCOUNT, "manual").balances["USDT"] == 8_000 + (stopped.returned or 0)
    assert await book.differences(ACCOUNT) == []
