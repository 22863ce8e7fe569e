"""Step strategies on paper: the same orders, fills and memory as in a backtest, also when killed half-way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core.market.bars import Bars
from core.strategies import Dca, Grid
from core.trading.costs import Costs
from core.trading.intents import Aim, Cancel, CancelAll, Close, Intent, Place, Protect, Unprotect, View
from core.trading.strategy import Parameter
from core.trading.tickets import Ticket
from tests.property.test_paper import CASH, COSTS, expected, traded
from tests.trading import run, synthetic_bars


@dataclass(frozen=True)
class Moods:
    """Random intents of every kind, of the seed, the bar and what it remembers and sees."""

    seed: int = 0
    name: ClassVar[str] = "moods"
    summary: ClassVar[str] = "Asks for anything."
    parameters: ClassVar[Mapping[str, Parameter]] = {"seed": Parameter(0, 0, 10**9, help="seed")}

    def warmup(self) -> int:
        return 3

    def indicators(self, bars: Bars) -> dict[str, Any]:
        return {"sum": np.cumsum(bars.close)}

    def on_bar(self, view: View) -> Iterable[Intent]:
        memory = view.memory
        memory["seen"] = memory.get("seen", 0.0) + sum(fill.price * len(fill.label) + fill.ref for fill in view.fills)
        mood = int(memory["seen"] + view.value("sum")) % 1_000
        random = np.random.default_rng((self.seed, view.count, mood)).random(8)
        price = view.close
        if random[0] < 0.25 and view.cash > 200.0:
            stop = price * 0.9 if random[1] < 0.3 else None
            yield Place(Ticket("limit", 1, spend=100.0 + 50 * random[2], limit=price * 0.99, stop=stop), f"bid {mood}")
        if 0.25 <= random[0] < 0.4 and view.cash > 200.0:
            yield Place(Ticket("market", 1, spend=150.0), "now")
        if random[3] < 0.1:
            yield Aim(round(random[4], 2), take_profit=price * 1.05 if random[5] < 0.5 else np.nan)
        resting = view.orders
        sold = sum(order.ticket.quantity or 0.0 for order in resting if order.ticket.side < 0)
        if view.position > sold and random[5] < 0.2:
            part = (view.position - sold) * 0.5
            kind = Ticket("limit", -1, quantity=part, limit=price * 1.01, reduce_only=True)
            if random[6] < 0.3:
                kind = Ticket("stop", -1, quantity=part, trigger=price * 0.97, reduce_only=True)
            elif random[6] < 0.5:
                kind = Ticket("trailing", -1, quantity=part, trail=0.02, reduce_only=True)
            yield Place(kind, "out")
        if resting and random[6] < 0.1:
            yield Cancel(min(order.ref for order in resting if order.label != "none"))
        if random[7] < 0.03:
            yield CancelAll()
            yield Close()
        elif random[7] < 0.1:
            yield Protect(stop=price * 0.95, trail=0.03)
        elif random[7] < 0.13:
            yield Unprotect()


KINDS = [Moods(), Grid(levels=4, spacing=0.01), Grid(3, 0.005, 500.0, 0.02), Dca(5, 400.0, 0.01, 2.0, 0.01)]


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(
    strategy=st.sampled_from(KINDS),
    walk=st.integers(0, 10**9),
    volume=st.sampled_from([0.2, 2.0, 50.0]),
    costs=st.sampled_from(COSTS),
    cuts=st.lists(st.integers(1, 119), max_size=4, unique=True),
)
@example(strategy=KINDS[0], walk=1, volume=50.0, costs=COSTS[0], cuts=[20, 22, 61])
@example(strategy=KINDS[1], walk=2, volume=0.2, costs=COSTS[3], cuts=[7, 8, 60])
@example(strategy=KINDS[3], walk=3, volume=2.0, costs=COSTS[1], cuts=[])
@example(strategy=KINDS[0], walk=1112660, volume=0.2, costs=COSTS[1], cuts=[32])  # a close below the least notional
@example(strategy=KINDS[3], walk=430, volume=0.2, costs=COSTS[1], cuts=[25, 115])  # a purchase that is still filling
def test_a_step_strategy_on_paper_fills_as_its_backtest_one_by_one(
    strategy: Any, walk: int, volume: float, costs: Costs, cuts: list[int]
) -> None:
    bars = synthetic_bars(walk, 120, volume=volume)
    assert run(traded(strategy, bars, costs, cuts)) == expected(strategy, bars, costs)


@pytest.mark.parametrize("strategy", KINDS[1:], ids=["grid", "grid with a stop", "dca"])
def test_the_strategies_of_these_tests_do_trade(strategy: Any) -> None:
    assert len(expected(strategy, synthetic_bars(5, 120), Costs())) > 8


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_intents_of_every_kind_do_trade(seed: int) -> None:
    fills = expected(Moods(seed), synthetic_bars(seed, 120), Costs())
    assert len(fills) > 20
    assert {side for _, side, *_ in fills} == {"buy", "sell"}
    assert CASH > 0
