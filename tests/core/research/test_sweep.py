"""sweep(): every trial equals a backtest, however the work is divided; what is kept, ranked and doubted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from core.errors import InvalidInput
from core.jobs import Cancelled
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import backtest
from core.research.sweep import SweepResult, sweep
from core.strategies import Donchian, RsiReversion, SmaCross, catalogue
from core.trading.costs import FREE, Costs
from core.trading.sizing import FixedCash, VolatilityTarget
from core.trading.strategy import Context, Parameter, Signals, check
from tests.core.simulation.market import GRIDDED, walk

GRID = {"fast": [2, 3, 5, 8], "slow": [5, 8, 13, 21]}


@dataclass(frozen=True)
class Stubborn:
    """A strategy in plain Python that holds the interpreter, and can be told to fail."""

    name: ClassVar[str] = "stubborn"
    summary: ClassVar[str] = "Counts."
    parameters: ClassVar[Mapping[str, Parameter]] = {"every": Parameter(3, 1, 1000, 1, "bars between changes")}
    every: int = 3

    def __post_init__(self) -> None:
        check(self)

    def warmup(self) -> int:
        return 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        if self.every == 13:
            raise ValueError("thirteen")
        exposure = [float(i // self.every % 2) if i % self.every == 0 else float("nan") for i in range(len(bars))]
        return Signals(np.array(exposure))


def assert_equals_backtests(result: SweepResult, bars: Any, **options: Any) -> None:
    assert len(result) > 0
    for number in range(len(result)):
        tried = result.trial(number)
        stats = backtest(tried.strategy, bars, **options).stats
        for name, value in tried.stats.items():
            if stats[name] is None:
                assert value is None, name
            else:
                assert value == pytest.approx(stats[name], rel=1e-12, abs=1e-300), (tried, name)


@pytest.mark.parametrize(
    ("kind", "grid", "costs"),
    [
        (SmaCross, GRID, Costs()),
        (SmaCross, GRID, FREE),
        (
            Donchian,
            {"entry": [3, 8], "exit": [2, 4], "stop": [1.0, 3.0], "period": [5]},
            Costs(slippage_model="spread"),
        ),
        (RsiReversion, {"period": [3, 7], "entry": [20.0, 40.0]}, Costs(latency=2, volume_share=0.01)),
    ],
)
def test_every_trial_equals_the_backtest_of_its_parameters(kind: type, grid: Mapping[str, Any], costs: Costs) -> None:
    bars = replace(walk(1500, 3), instrument=GRIDDED)
    assert_equals_backtests(sweep(kind, bars, grid, costs, workers=2), bars, costs=costs)


def test_a_part_of_the_time_and_another_grid_and_cash_are_those_of_the_backtest() -> None:
    bars = walk(900, 5)
    options: dict[str, Any] = {
        "start": 200 * 60_000, "end": "1970-01-01T12:00", "cash": 777.0,
        "instruments": {"COIN/USDT": replace(bars.instrument, lot_size=Decimal("0.5"))},
    }  # fmt: skip
    assert_equals_backtests(sweep(SmaCross, bars, GRID, workers=1, **options), bars, **options)


def test_a_portfolio_shares_its_cash_in_a_sweep_too() -> None:
    bars = {"A": walk(600, 1), "B": replace(walk(500, 2), instrument=Instrument("test", "B", "USDT"))}
    assert_equals_backtests(sweep(SmaCross, bars, GRID), bars)


def test_detail_decides_inside_the_bars_of_a_sweep_too() -> None:
    fine = walk(3000, 8)
    bars = fine.resample("15m")
    grid = {"entry": [3], "exit": [2], "stop": [0.5, 1.0], "period": [5]}
    assert_equals_backtests(sweep(Donchian, bars, grid, detail=fine), bars, detail=fine)


def test_strategies_that_step_or_share_out_are_swept_too() -> None:
    shipped = catalogue()
    bars = walk(500, 1)
    assert_equals_backtests(sweep(shipped["grid"], bars, {"spacing": [0.01, 0.03]}), bars)
    both = {"A": bars, "B": replace(walk(500, 2), instrument=Instrument("test", "B", "USDT"))}
    rotation = shipped["momentum_rotation"]
    name, described = next(iter(rotation.parameters.items()))
    assert_equals_backtests(sweep(rotation, both, {name: [described.default]}), both)


def test_sizes_are_those_of_the_backtest() -> None:
    bars = walk(800, 4)
    for size in (FixedCash(500.0), VolatilityTarget(0.5, 30)):
        assert_equals_backtests(sweep(SmaCross, bars, GRID, sizing=size), bars, sizing=size)


def test_processes_and_threads_give_the_same_numbers() -> None:
    from core.research.running import Runner
    from core.research.sweep import ground_of
    from core.research.trial import Chunk, Span, run_chunk
    from core.research.workers import crew

    ground = ground_of(Stubborn, walk(400, 6), None, 10_000.0, None, None, {}, 64)
    parameters: list[dict[str, int | float]] = [{"every": every} for every in (1, 2, 3, 4, 5, 6, 7)]
    with Runner(ground, 2) as runner:
        here = runner.run(Span(), parameters)
    chunks = [Chunk(Span(), tuple(parameters[at : at + 2])) for at in range(0, 7, 2)]
    with crew(ground, kind="processes", workers=2) as processes:
        there = dict(processes.each(run_chunk, chunks))
    np.testing.assert_array_equal(here.table, np.concatenate([there[i][0] for i in range(4)]))
    np.testing.assert_array_equal(here.blocks, np.concatenate([there[i][1] for i in range(4)]))


def test_trials_are_ranked_by_the_metric_and_less_drawdown_is_better() -> None:
    bars = walk(1200, 9)
    by_sharpe = sweep(SmaCross, bars, GRID)
    frame = by_sharpe.to_pandas()
    assert list(frame[["fast", "slow"]].itertuples(index=False, name=None))[:3] == [(2, 5), (2, 8), (2, 13)]
    assert by_sharpe.best.stats["sharpe"] == frame["sharpe"].max()
    assert by_sharpe.best.parameters == {"fast": by_sharpe.best.strategy.fast, "slow": by_sharpe.best.strategy.slow}
    calm = sweep(SmaCross, bars, GRID, metric="max_drawdown")
    assert calm.best.stats["max_drawdown"] == frame["max_drawdown"].min()
    assert sweep(SmaCross, bars, GRID, metric="-trades").best.stats["trades"] == frame["trades"].min()
    assert [each.number for each in by_sharpe.top(3)] == by_sharpe.ranked[:3].tolist()
    assert by_sharpe.result(2).stats["final_equity"] == pytest.approx(frame["final_equity"][2], rel=1e-12)
    heat = by_sharpe.heatmap("fast", "slow")
    assert heat.loc[13, 3] == frame[(frame.fast == 3) & (frame.slow == 13)]["sharpe"].item()
    assert np.isnan(heat.loc[5, 5])


def test_combinations_that_cannot_be_are_skipped_and_counted() -> None:
    result = sweep(SmaCross, walk(300, 1), {"fast": [5, 10], "slow": [5, 10, 400]})
    assert [each.parameters for each in (result.trial(i) for i in range(len(result)))] == [{"fast": 5, "slow": 10}]
    assert result.skipped == 5
    assert not result.partial
    with pytest.raises(InvalidInput, match="needs more than 401 bars with any of these parameters, and there are 300"):
        sweep(SmaCross, walk(300, 1), {"slow": [400, 500]})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"metric": "luck"}, "There is no metric 'luck'. There are: total_return"),
        ({"workers": 0}, "0 workers is outside 1 to 512"),
        ({"cash": -1.0}, "Starting cash"),
        ({"start": "soon"}, "is not a date"),
        ({"scheduler": "localhost"}, "is not the address of a Dask scheduler"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sweep(SmaCross, walk(300, 1), GRID, **options)
    assert sentence in refused.value.sentence()


def test_what_fails_inside_a_strategy_is_told_with_its_place() -> None:
    with pytest.raises(InvalidInput, match=r"stubborn failed in .*test_sweep.py, line \d+: ValueError: thirteen"):
        sweep(Stubborn, walk(300, 1), {"every": [1, 2, 3, 13, 4]}, workers=2)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, lambda: Cancelled("Enough.")])
def test_an_interrupted_sweep_keeps_what_was_done(interruption: Any) -> None:
    def told(fraction: float) -> None:
        if fraction > 0.2:
            raise interruption()

    result = sweep(SmaCross, walk(3000, 2), {"fast": range(2, 30), "slow": range(30, 60)}, workers=1, progress=told)
    assert result.partial
    assert 0 < len(result) < 28 * 30
    assert result.best.stats["sharpe"] == np.nanmax(result.table["sharpe"])
    assert result.document()["asked"] == 28 * 30


def test_progress_goes_up_to_the_end() -> None:
    fractions: list[float] = []
    sweep(SmaCross, walk(500, 2), {"fast": range(2, 12), "slow": range(20, 30)}, progress=fractions.append)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)


def test_the_deflated_sharpe_ratio_knows_how_many_were_tried() -> None:
    from core.analytics.significance import deflated_sharpe_ratio

    result = sweep(SmaCross, walk(4000, 12), {"fast": range(2, 12), "slow": range(15, 65, 5)})
    told = result.overfitting
    sharpes = result.table["sharpe"] / np.sqrt(365 * 1440)
    assert told["trials"] == 100
    assert told["deflated_sharpe"] == pytest.approx(deflated_sharpe_ratio(result.best_result.returns, list(sharpes)))
    assert told["deflated_sharpe"] < told["probabilistic_sharpe"]
    assert 0.0 <= told["overfitting"] <= 1.0
    assert 0.0 < told["superior_ability"] <= 1.0
    assert str(len(result)) in told["sentence"] or "luck" in told["sentence"]


def test_the_returns_that_are_kept_add_up_to_the_equity() -> None:
    result = sweep(SmaCross, walk(3000, 4), GRID)
    assert result.returns.shape == (1024, len(result))
    np.testing.assert_allclose(np.prod(1.0 + result.returns, axis=0) - 1.0, result.table["total_return"], rtol=1e-9)


def test_nothing_that_trades_is_said_to_be_best_of_nothing() -> None:
    result = sweep(SmaCross, walk(60, 4), {"fast": [2], "slow": [55]}, metric="profit_factor")
    with pytest.raises(InvalidInput, match="No trial has a profit_factor"):
        _ = result.best
    assert "nothing to doubt" in result.document()["overfitting"]["sentence"]


def test_the_document_is_plain_json() -> None:
    import json

    document = json.loads(json.dumps(sweep(SmaCross, walk(500, 3), GRID).document(top=3), allow_nan=False))
    assert document["strategy"]["name"] == "sma_cross"
    assert document["space"]["fast"] == [2, 3, 5, 8]
    assert document["trials"] == 13
    assert document["skipped"] == 3
    assert len(document["top"]) == 3
