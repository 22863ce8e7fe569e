"""Backtest, paper, and paper killed half-way give the same fills, one by one."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core.engine.recorded import bar_at
from core.market.bars import Bars
from core.research.backtest import backtest
from core.trading.costs import Costs
from core.trading.portfolio import fold
from tests.trading import ACCOUNT, Room, Whims, facts, run, synthetic_bars

CASH = 10_000


def expected(strategy: Any, bars: Bars, costs: Costs) -> list[tuple[int, str, float, float, float, bool]]:
    fills = backtest(strategy, bars, float(CASH), costs).fills
    return [
        (int(row.time.value // 1_000_000), row.side, row.price, row.quantity, row.fee, row.maker)
        for row in fills.itertuples()
    ]


async def traded(
    strategy: Any, bars: Bars, costs: Costs, cuts: list[int]
) -> list[tuple[int, str, float, float, float, bool]]:
    """What the whole pipeline fills, crashing before each of the steps in `cuts`."""
    with tempfile.TemporaryDirectory() as folder:
        room = await Room(Path(folder), [bars], costs, {strategy.name: strategy}).open()
        try:
            cash = fold(await room.record.entries(ACCOUNT)).balances["USDT"]
            started = await room.engine.trader.start(
                ACCOUNT, strategy, bars.instrument, bars.timeframe, cash, source=strategy.name
            )
            position = 0
            for cut in [*sorted(cuts), len(bars)]:
                await room.play(position, cut)
                position = cut
                if cut == len(bars):
                    break
                if cut % 3 == 1:  # killed between the matching of a bar and the decision on it
                    await room.engine.venue.on_market({bars.instrument: bar_at(bars, cut)})
                await room.crash()
                await room.open()
                if cut % 3 == 2:  # the last bar is delivered once more
                    position -= 1
            now = await room.engine.trader.find(ACCOUNT, started.id)
            assert now.state == "running", now.reason
            assert await room.engine.book.differences(ACCOUNT) == []
            for order in await room.record.orders(ACCOUNT):
                if order.request.quantity is not None:
                    assert order.filled <= order.request.quantity
            return facts(await room.fills(started.ledger))
        finally:
            await room.close()


COSTS = [
    Costs(),
    Costs(slippage_model="volume_share", slippage=0.01, volume_share=0.05),
    Costs(slippage=0.001, slippage_model="spread", maker_fee=0.0002, latency=1),
    Costs(volume_share=0.02, fill_on_touch=True),
]


@settings(max_examples=12, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**9),
    walk=st.integers(0, 10**9),
    volume=st.sampled_from([0.2, 2.0, 50.0]),
    costs=st.sampled_from(COSTS),
    cuts=st.lists(st.integers(1, 119), max_size=4, unique=True),
)
@example(seed=1, walk=1, volume=0.2, costs=COSTS[3], cuts=[20, 22, 60, 61])
@example(seed=2, walk=2, volume=2.0, costs=COSTS[1], cuts=[])
def test_random_strategies_fill_alike_in_backtest_on_paper_and_on_paper_killed_half_way(
    seed: int, walk: int, volume: float, costs: Costs, cuts: list[int]
) -> None:
    bars = synthetic_bars(walk, 120, volume=volume)
    wanted = expected(Whims(seed), bars, costs)
    assert run(traded(Whims(seed), bars, costs, [])) == wanted
    if cuts:
        assert run(traded(Whims(seed), bars, costs, cuts)) == wanted


def test_the_random_strategies_do_trade_in_every_way() -> None:
    found = backtest(Whims(3), synthetic_bars(3, 2_000, volume=2.0), float(CASH), COSTS[3]).fills
    assert {"entry", "exit", "stop", "target", "trail"} <= set(found["reason"])
    assert (found["remaining"] > 0).any()
    assert found["maker"].any()
    assert set(found["side"]) == {"buy", "sell"}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["BTCUSDT", "ETHUSDT"])
def test_recorded_bars_fill_alike_in_backtest_on_paper_and_on_paper_killed_half_way(
    shared_data: Path, name: str
) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / f"{name}.parquet")[3_000:3_400]
    costs = Costs(volume_share=1e-4)
    wanted = expected(Whims(7), bars, costs)
    assert len(wanted) > 50
    assert run(traded(Whims(7), bars, costs, [50, 199, 200, 333])) == wanted


@pytest.mark.realdata
@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
@given(
    name=st.sampled_from(["BTCUSDT", "ETHUSDT"]),
    seed=st.integers(0, 10**9),
    start=st.integers(0, 12_000),
    cuts=st.lists(st.integers(1, 199), min_size=1, max_size=3, unique=True),
)
def test_random_strategies_fill_alike_on_recorded_bars(
    shared_data: Path, name: str, seed: int, start: int, cuts: list[int]
) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / f"{name}.parquet")[start : start + 200]
    costs = Costs(volume_share=1e-4)
    wanted = expected(Whims(seed), bars, costs)
    assert len(wanted) > 5
    assert run(traded(Whims(seed), bars, costs, cuts)) == wanted
