"""Many histories beside one result: what each kind keeps and varies, seeds, cancellation, documents and the page."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from core.analytics import measures
from core.errors import InvalidInput
from core.jobs import Cancelled
from core.market.bars import Bars
from core.market.funding import Funding
from core.market.instrument import Instrument
from core.research.asked import asked
from core.research.backtest import Result, backtest
from core.research.jitter import Jitter
from core.research.monte_carlo import MonteCarlo, monte_carlo
from core.research.monte_carlo_report import write_bands
from core.strategies import BuyAndHold, RsiReversion, SmaCross
from core.trading.costs import FREE, Costs
from core.trading.intents import Aim
from core.trading.sizing import FixedCash
from core.trading.strategy import Parameter, Signals
from tests.core.simulation.market import walk

KINDS: Any = ("trades", "blocks", "prices", "costs")


@pytest.fixture(scope="module")
def result() -> Result:
    return backtest(SmaCross(4, 11), walk(1_500, 3, timeframe="1h"))


@pytest.fixture(scope="module")
def portfolio() -> Result:
    return backtest(SmaCross(4, 11), {f"COIN{i}/USDT": walk(600, i, timeframe="1h") for i in range(3)})


@dataclass(frozen=True)
class Stepper:
    """A step strategy: buys every tenth bar, sells five bars later."""

    name: ClassVar[str] = "stepper"
    summary: ClassVar[str] = "For tests."
    parameters: ClassVar[dict[str, Parameter]] = {}

    def warmup(self) -> int:
        return 1

    def on_bar(self, view: Any) -> list[Any]:
        return {0: [Aim(exposure=1.0)], 5: [Aim(exposure=0.0)]}.get(view.count % 10, [])


@pytest.mark.parametrize("kind", KINDS)
def test_the_original_is_that_of_the_backtest(result: Result, kind: Any) -> None:
    found = monte_carlo(result, kind, 5)
    assert found.original[0] == pytest.approx(result.stats["final_equity"], rel=1e-9)
    if kind != "trades":
        assert found.original[1] == pytest.approx(result.stats["max_drawdown"], rel=1e-9)
        assert found.original[2] == pytest.approx(result.stats["sharpe"], rel=1e-9)
        assert found.original[3] == pytest.approx(min(result.cash, result.equity.min()), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_whatever_the_workers(result: Result, kind: Any) -> None:
    one = monte_carlo(result, kind, 30, seed=5, workers=1)
    many = monte_carlo(result, kind, 30, seed=5, workers=4)
    assert np.array_equal(one.figures, many.figures)
    assert all(np.array_equal(one.bands[name], many.bands[name]) for name in one.bands)
    assert not np.array_equal(one.figures, monte_carlo(result, kind, 30, seed=6).figures)
    assert np.array_equal(one.figures[:10], monte_carlo(result, kind, 10, seed=5).figures)


def test_trades_in_another_order_end_the_same_and_fall_differently(result: Result) -> None:
    found = monte_carlo(result, "trades", 200)
    assert found.final_equity == pytest.approx(np.full(200, result.equity[-1]))
    assert found.max_drawdown.std() > 0.0
    assert found.probability_of_loss in (0.0, 1.0)
    drawn = monte_carlo(result, "trades", 200, replace=True)
    assert drawn.final_equity.std() > 0.0
    assert 0.0 < drawn.probability_of_loss <= 1.0
    assert "(the same trades in other orders)" in found.sentence
    assert "(as many of the same trades, drawn with replacement)" in drawn.sentence


def test_an_open_trade_counts_too() -> None:
    bars = walk(400, 1, timeframe="1h")
    result = next(
        found
        for end in range(300, 400)
        if (found := backtest(SmaCross(3, 9), bars[:end])).stats["open_trades"] and found.stats["trades"] > 5
    )
    assert monte_carlo(result, "trades", 3).original[0] == pytest.approx(result.equity[-1])


def test_blocks_of_returns_centre_on_the_result(result: Result) -> None:
    found = monte_carlo(result, "blocks", 2_000)
    logs = np.log(found.final_equity / result.cash)
    error = logs.std() / math.sqrt(2_000)
    assert abs(logs.mean() - math.log(result.equity[-1] / result.cash)) < 4 * error
    assert found.settings["block"] >= 1.0
    longer = monte_carlo(result, "blocks", 10, block=50.0)
    assert longer.settings["block"] == 50.0


def test_the_middle_of_blocks_is_the_growth_of_a_plain_random_walk() -> None:
    result = backtest(BuyAndHold(), walk(2_000, 9, timeframe="1d"), costs=FREE)
    found = monte_carlo(result, "blocks", 2_000, block=1.0)
    spread = np.log(found.final_equity).std()
    assert spread == pytest.approx(np.log1p(result.returns).std() * math.sqrt(2_000), rel=0.06)


def test_noise_on_prices_keeps_what_is_held_and_varies_what_is_timed(result: Result) -> None:
    held = monte_carlo(backtest(BuyAndHold(), result.bars, costs=FREE), "prices", 20, noise=0.3)
    assert held.final_equity == pytest.approx(np.full(20, held.original[0]), rel=0.05)  # bought one bar later
    timed = monte_carlo(result, "prices", 20, noise=0.3)
    assert timed.final_equity.std() > 0.01 * result.cash
    assert monte_carlo(result, "prices", 3, noise=0.0).final_equity == pytest.approx(np.full(3, result.equity[-1]))


def test_worse_fills_cost_money(result: Result) -> None:
    dear = Jitter(slippage=(2.0, 4.0), fees=(1.0, 2.0), missed=0.0, late=0.0)
    found = monte_carlo(result, "costs", 50, jitter=dear)
    assert np.all(found.final_equity < result.equity[-1])
    same = Jitter(slippage=(1.0, 1.0), fees=(1.0, 1.0), missed=0.0, late=0.0)
    assert np.all(monte_carlo(result, "costs", 3, jitter=same).final_equity == result.equity[-1])


def test_missed_and_late_decisions_change_the_trades() -> None:
    exposure = np.array([np.nan, 1.0, np.nan, 0.0, 1.0, np.nan])
    given = asked(BuyAndHold(), Signals(exposure, stop=np.full(6, 9.0)), 6)
    rng = np.random.default_rng(1)
    late = Jitter(missed=0.0, late=1.0).carried(given, 6, rng)
    assert late.rows.tolist() == [0, 2, 3, 5]
    assert np.array_equal(late["exposure"], [np.nan, 1.0, 0.0, 1.0], equal_nan=True)
    missed = Jitter(missed=1.0, late=0.0).carried(given, 6, rng)
    assert missed.rows.tolist() == [0, 2, 5]
    assert np.isnan(missed["exposure"]).all()
    assert given.rows.tolist() == [0, 1, 2, 3, 4, 5]  # the strategy's own stay
    last = asked(BuyAndHold(), Signals.at(6, [4, 5], [1.0, 0.0]), 6)
    assert Jitter(missed=0.0, late=1.0).carried(last, 6, rng).rows.tolist() == [4, 5]  # nothing can come later


def test_fees_that_are_paid_back_stay(result: Result) -> None:
    costs = Costs(maker_fee=-0.0001)
    drawn = Jitter().costs(costs, np.random.default_rng(2))
    assert drawn.maker_fee == -0.0001
    assert 0.5 * costs.slippage <= drawn.slippage <= 3.0 * costs.slippage


@pytest.mark.parametrize("detailed", [False, True])
def test_noise_keeps_the_size_of_positions_and_the_funding(detailed: bool) -> None:
    bars = walk(600, 3, timeframe="15m", instrument=Instrument("test", "COIN", "USDT", kind="perpetual"))
    funding = Funding(bars.timestamp[::32].copy(), np.full(19, 0.004))
    hours: Any = {"detail": bars} if detailed else {}
    under = backtest(
        SmaCross(3, 9), bars.resample("1h") if detailed else bars, sizing=FixedCash(3_000.0), funding=funding, **hours
    )
    plain = backtest(SmaCross(3, 9), under.bars, sizing=FixedCash(3_000.0), funding=funding)
    found = monte_carlo(under, "prices", 2, noise=0.0)
    assert found.final_equity == pytest.approx(np.full(2, plain.equity[-1]), rel=1e-12)
    assert plain.equity[-1] != backtest(SmaCross(3, 9), under.bars, sizing=FixedCash(3_000.0)).equity[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_portfolios_have_histories_too(portfolio: Result, kind: Any) -> None:
    found = monte_carlo(portfolio, kind, 8)
    assert found.runs == 8
    assert np.isfinite(found.figures).all()
    assert [each["symbol"] for each in found.document()["data"]] == list(portfolio.bars)


@pytest.mark.parametrize("kind", KINDS)
def test_strategies_that_are_asked_bar_by_bar_have_histories_too(kind: Any) -> None:
    strategy: Any = Stepper()
    found = monte_carlo(backtest(strategy, walk(300, 3, timeframe="1h"), 500.0), kind, 4)
    assert found.runs == 4
    assert found.final_equity.std() > 0.0 or kind == "trades"


def test_bands_are_ordered_and_on_the_axis_of_the_result(result: Result) -> None:
    found = monte_carlo(result, "blocks", 300)
    stacked = np.array([found.bands[f"p{level}"] for level in (5, 25, 50, 75, 95)])
    assert np.all(np.diff(stacked, axis=0) >= 0.0)
    assert stacked.shape == (5, 200)
    assert found.axis[-1] == result.timestamps[-1]
    assert found.equity[-1] == pytest.approx(result.equity[-1])
    trades = monte_carlo(result, "trades", 10)
    assert trades.axis[-1] == len(result.trips)


def test_drawdown_and_sharpe_are_those_of_the_measures() -> None:
    result = backtest(RsiReversion(), walk(300, 6, timeframe="1h"))
    found = monte_carlo(result, "prices", 1, noise=0.0)
    curve = np.append(result.cash, result.equity)
    assert found.max_drawdown[0] == pytest.approx(measures.max_drawdown(curve))
    assert found.sharpe[0] == pytest.approx(measures.sharpe_ratio(result.returns, result.periods_per_year))


def test_ruin_counts_the_lowest_equity(result: Result) -> None:
    found = monte_carlo(result, "blocks", 300, ruin=0.9)
    lowest = found.figures[:, 3]
    assert found.probability_of_ruin == np.mean(lowest <= 9_000.0)
    assert monte_carlo(result, "blocks", 300, ruin=0.0).probability_of_ruin == 0.0


def stops_after(share: float, error: type[BaseException]) -> Callable[[float], None]:
    def told(done: float) -> None:
        if done >= share:
            raise error("stop")

    return told


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_what_is_done_when_it_is_stopped_is_kept(result: Result, error: type[BaseException]) -> None:
    found = monte_carlo(result, "prices", 400, workers=1, progress=stops_after(0.2, error))
    assert found.partial
    assert 0 < found.runs < 400
    assert found.asked == 400
    assert found.document()["partial"] is True
    whole = monte_carlo(result, "prices", 400).figures
    assert all(any(np.array_equal(row, each) for each in whole) for row in found.figures)


def test_progress_ends_at_one(result: Result) -> None:
    told: list[float] = []
    found = monte_carlo(result, "blocks", 50, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert not found.partial


def test_the_document_is_plain_and_says_what_was_done(result: Result) -> None:
    found = monte_carlo(result, "blocks", 40, seed=9)
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["method"] == "blocks"
    assert document["strategy"] == {"name": "sma_cross", "parameters": {"fast": 4, "slow": 11}}
    assert document["seed"] == 9
    assert document["stats"]["initial_cash"] == 10_000.0
    assert list(document["percentiles"]["final_equity"]) == ["p5", "p25", "p50", "p75", "p95"]
    frames = found.frames()
    assert len(frames["bands"]["time"]) == len(frames["bands"]["p50"]) == 200
    assert len(frames["runs"]["final_equity"]) == 40


def test_a_history_without_variation_has_no_sharpe_ratio_and_gives_no_error() -> None:
    flat = walk(200, 1)
    still = Bars(flat.instrument, "1h", np.arange(200) * 3_600_000, *([np.full(200, 100.0)] * 4), np.ones(200))
    found = monte_carlo(backtest(BuyAndHold(), still, costs=FREE), "blocks", 5)
    assert found.percentiles("sharpe")["p50"] is None
    assert found.document()["stats"]["sharpe"] is None
    assert found.sentence.startswith(
        "All of 5 histories (the same returns, drawn anew in blocks) ended at 10,000, from 10,000. In 0.0%"
    )


@pytest.mark.parametrize("kind", ["trades", "blocks"])
def test_the_page_needs_nothing_else(result: Result, kind: Any, tmp_path: Path) -> None:
    found: MonteCarlo = monte_carlo(result, kind, 30)
    page = write_bands(found, tmp_path / "bands.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert found.sentence.split(".")[0] in page
    assert page.count("<polyline") == 10  # the curves, and what tells them apart
    assert "SIMULATED" not in page
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_bands(found, tmp_path / "no" / "where.html")


def test_the_page_of_a_made_up_market_says_so(tmp_path: Path) -> None:
    bars = walk(300, 3, timeframe="1h", instrument=Instrument("sandbox", "BTC", "USDT"))
    page = write_bands(monte_carlo(backtest(RsiReversion(), bars), "blocks", 5), tmp_path / "bands.html").read_text()
    assert "SIMULATED MARKET" in page


@pytest.mark.realdata
def test_histories_of_a_real_market(shared_data: Path) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / "BTCUSDT.parquet")
    result = backtest(SmaCross(), bars)
    for kind in KINDS:
        found = monte_carlo(result, kind, 20)
        assert np.isfinite(found.figures).all()
        assert np.all((found.max_drawdown > 0.0) & (found.max_drawdown < 1.0))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "luck"}, "'luck' is not a kind of simulation; accepted are trades, blocks, prices, costs"),
        ({"runs": 0}, "0 runs are not between 1 and 1,000,000"),
        ({"ruin": 1.5}, "ruin 1.5 is not a share"),
        ({"noise": -1.0}, "noise -1 is not between 0 and 10"),
        ({"workers": 0}, "0 workers"),
        ({"kind": "blocks", "block": 0.2}, "block length of 0.2"),
        ({"kind": "blocks", "noise": 0.5}, "noise is a setting of the kind prices; the kind blocks takes block"),
        ({"kind": "blocks", "replace": True}, "replace is a setting of the kind trades; the kind blocks takes block"),
        ({"kind": "trades", "block": 5.0}, "block is a setting of the kind blocks; the kind trades takes replace"),
        ({"kind": "prices", "jitter": Jitter()}, "jitter .* of the kind costs; the kind prices takes noise"),
    ],
)
def test_impossible_settings_are_refused(result: Result, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        monte_carlo(result, **settings)


def test_impossible_jitter_is_refused() -> None:
    with pytest.raises(InvalidInput, match="missed 2 is not a share"):
        Jitter(missed=2.0)
    with pytest.raises(InvalidInput, match="slippage is varied by factors"):
        Jitter(slippage=(3.0, 1.0))


def test_too_few_trades_are_refused(result: Result) -> None:
    held = backtest(BuyAndHold(), result.bars)
    with pytest.raises(InvalidInput, match="buy_and_hold made 1 trade, and at least 5 are needed"):
        monte_carlo(held, "trades", 10)
