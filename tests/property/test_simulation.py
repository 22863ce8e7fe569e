"""What holds for any market and any signals: nothing is lost, nothing sees the future, paper equals backtest."""

import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.market.bars import Bars
from core.research.backtest import backtest
from core.simulation import fields
from core.simulation.account import SignalRow, SimulatedAccount, fill_of
from core.strategies import catalogue
from core.trading.costs import FREE, Costs
from core.trading.strategy import Context, Parameter, PortfolioStrategy, Signals, StepStrategy
from tests.core.simulation.market import COIN, GRIDDED, rows, walk

NAN = float("nan")


@dataclass(frozen=True)
class Random:
    """Random exposures, limits, stops, targets and trails around the close."""

    seed: int
    shorts: bool = True
    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "Random signals."
    parameters: ClassVar[dict[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        rng = np.random.default_rng(self.seed)
        n = len(bars)

        def some(values: Any, share: float) -> Any:
            return np.where(rng.random(n) < share, values, NAN)

        exposure = some(np.round(rng.uniform(-1 if self.shorts else 0, 1, n), 1), 0.2)
        away = np.where(exposure < 0, -1, 1)
        return Signals(
            exposure,
            limit=some(bars.close * (1 - away * rng.uniform(-0.002, 0.01, n)), 0.3),
            stop=some(bars.close * (1 - away * rng.uniform(0.001, 0.03, n)), 0.3),
            take_profit=some(bars.close * (1 + away * rng.uniform(0.001, 0.03, n)), 0.3),
            trail=some(rng.uniform(0.005, 0.05, n), 0.2),
        )


costs = st.builds(
    Costs,
    taker_fee=st.sampled_from([0.0, 0.001]), maker_fee=st.sampled_from([0.0, 0.0005, -0.0001]),
    slippage=st.sampled_from([0.0, 0.0005]), slippage_model=st.sampled_from(["fixed", "volume_share", "spread"]),
    volume_share=st.sampled_from([0.05, 0.25, 1.0]), latency=st.sampled_from([0, 0, 1, 3]), fill_on_touch=st.booleans(),
)  # fmt: skip
seeds = st.integers(0, 10_000)
coins = st.sampled_from([COIN, GRIDDED])


@settings(max_examples=60)
@given(seeds, coins, costs, st.sets(st.integers(1, 149), max_size=3))
def test_a_stepped_and_restarted_account_fills_exactly_as_the_backtest(
    seed: int, coin: Any, rules: Costs, restarts: set[int]
) -> None:
    bars = walk(150, seed, instrument=coin)
    strategy = Random(seed)
    result = backtest(strategy, bars, 2_000.0, rules)
    signals = strategy.signals(bars, Context())
    columns = (signals.exposure, signals.limit, signals.stop, signals.take_profit, signals.trail)
    account = SimulatedAccount(2_000.0, rules)
    account.add(coin)
    fills, equity = [], []
    for t, bar in enumerate(rows(bars)):
        if t in restarts:
            account = SimulatedAccount.restored(json.loads(json.dumps(account.state())), [coin], rules)
        fills += account.step({0: bar})
        equity.append(account.equity())
        row = SignalRow(*(float(column[t]) for column in columns if column is not None))
        account.apply(0, account.decide(0, row))
    raw = result.raw_fills
    assert fills == [fill_of(row) for row in raw[raw[:, fields.F_QUANTITY] > 0]]
    assert equity == result.equity.tolist()


@settings(max_examples=60)
@given(seeds, coins, costs)
def test_cash_and_coins_are_conserved(seed: int, coin: Any, rules: Costs) -> None:
    bars = walk(200, seed, instrument=coin)
    result = backtest(Random(seed), bars, 2_000.0, rules)
    fills = result.fills
    side = np.where(fills["side"] == "buy", 1.0, -1.0)
    cash = 2_000.0 - float((side * fills["price"] * fills["quantity"] + fills["fee"]).sum())
    held = float((side * fills["quantity"]).sum())
    assert cash == pytest.approx(float(result.account[fields.A_CASH]), abs=1e-6)
    assert result.equity[-1] == pytest.approx(cash + held * bars.close[-1], abs=1e-6)
    assert (fills["price"] > 0).all()
    limit = bars.volume[np.searchsorted(bars.timestamp, fills["time"].astype("datetime64[ms, UTC]").astype(np.int64))]
    per_bar = fills.assign(room=limit * rules.volume_share).groupby("time").agg({"quantity": "sum", "room": "first"})
    assert (per_bar["quantity"] <= per_bar["room"] * (1 + 1e-9)).all()


@settings(max_examples=40)
@given(seeds, costs)
def test_a_long_only_account_never_owes(seed: int, rules: Costs) -> None:
    bars = walk(200, seed)
    result = backtest(Random(seed, shorts=False), bars, 2_000.0, rules)
    fills = result.fills
    side = np.where(fills["side"] == "buy", 1.0, -1.0)
    cash = 2_000.0 - (side * fills["price"] * fills["quantity"] + fills["fee"]).cumsum()
    assert (cash >= -1e-9).all()
    assert ((side * fills["quantity"]).cumsum() >= -1e-9).all()


@settings(max_examples=25)
@given(seeds, costs, st.integers(60, 199), st.sampled_from(sorted(catalogue())))
def test_a_backtest_of_a_prefix_is_a_prefix_of_the_backtest(seed: int, rules: Costs, cut: int, name: str) -> None:
    bars = walk(200, seed)
    strategy = catalogue()[name]()
    whole, part = backtest(strategy, bars, costs=rules), backtest(strategy, bars[:cut], costs=rules)
    np.testing.assert_array_equal(whole.equity[:cut], part.equity)
    known = whole.raw_fills[whole.raw_fills[:, fields.F_TIME] < bars.timestamp[cut]]
    np.testing.assert_array_equal(known, part.raw_fills)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_no_strategy_sees_the_future(name: str) -> None:
    bars, strategy = walk(300, 12), catalogue()[name]()

    def decided(part: Bars) -> list[Any]:
        if isinstance(strategy, StepStrategy):
            return [backtest(strategy, part).raw_fills[:, : fields.F_PHASE]] if len(part) > strategy.warmup() else []
        if isinstance(strategy, PortfolioStrategy):
            made = strategy.allocate({"COIN/USDT": part}, Context())["COIN/USDT"]
        else:
            made = strategy.signals(part, Context())
        return [made.exposure, made.limit, made.stop, made.take_profit, made.trail]

    whole = decided(bars)
    for cut in range(1, 300, 13):
        for part, all_of_it in zip(decided(bars[:cut]), whole, strict=False):
            if part is not None:
                np.testing.assert_array_equal(part, all_of_it[: len(part)])


@settings(max_examples=25)
@given(seeds, st.sampled_from([0.5, 2.0, 4.0]), costs)
def test_prices_and_cash_in_another_unit_give_the_same_returns(seed: int, k: float, rules: Costs) -> None:
    bars = walk(150, seed)
    scaled = replace(bars, open=bars.open * k, high=bars.high * k, low=bars.low * k, close=bars.close * k)
    one, other = backtest(Random(seed), bars, 2_000.0, rules), backtest(Random(seed), scaled, 2_000.0 * k, rules)
    np.testing.assert_allclose(other.equity, one.equity * k, rtol=1e-12)


@given(seeds)
def test_a_free_buy_and_hold_is_the_ratio_of_prices(seed: int) -> None:
    bars = replace(walk(80, seed), volume=np.full(80, 1e9))
    result = backtest(catalogue()["buy_and_hold"](), bars, costs=FREE)
    assert result.equity[-1] / 10_000 == pytest.approx(bars.close[-1] / bars.open[1], rel=1e-12)


@settings(max_examples=25)
@given(seeds, costs, st.integers(2, 4))
def test_instruments_with_gaps_fill_as_the_stepped_account_does(seed: int, rules: Costs, count: int) -> None:
    rng = np.random.default_rng(seed)
    whole = {}
    for k in range(count):
        bars = walk(120, seed + k, instrument=replace(COIN, base=f"COIN{k}"))
        kept = np.flatnonzero(rng.random(120) > 0.2)
        columns = ("timestamp", "open", "high", "low", "close", "volume")
        whole[f"COIN{k}"] = replace(bars, **{name: getattr(bars, name)[kept] for name in columns})
    strategy = Random(seed)
    result = backtest(strategy, whole, 2_000.0, rules)
    account = SimulatedAccount(2_000.0, rules)
    for bars in whole.values():
        account.add(bars.instrument)
    given_signals = [strategy.signals(bars, Context()) for bars in whole.values()]
    by_time: dict[int, list[tuple[int, int]]] = {}
    for i, bars in enumerate(whole.values()):
        for t, time in enumerate(bars.timestamp.tolist()):
            by_time.setdefault(time, []).append((i, t))
    lists = [rows(bars) for bars in whole.values()]
    fills, equity = [], []
    for time in sorted(by_time):
        fills += account.step({i: lists[i][t] for i, t in by_time[time]})
        equity.append(account.equity())
        for i, t in by_time[time]:
            made = given_signals[i]
            columns_now = (made.limit, made.stop, made.take_profit, made.trail)
            row = SignalRow(
                float(made.exposure[t]) / count, *(float(column[t]) for column in columns_now if column is not None)
            )
            account.apply(i, account.decide(i, row))
    raw = result.raw_fills
    assert fills == [fill_of(row) for row in raw[raw[:, fields.F_QUANTITY] > 0]]
    assert equity == result.equity.tolist()
    assert result.timestamps.tolist() == sorted(by_time)


@settings(max_examples=60)
@given(seeds, costs, st.sampled_from([1.0, 3.0, 20.0]), st.sampled_from(["spot", "perpetual"]), st.integers(1, 3))
def test_what_trades_brought_is_what_equity_changed_by(
    seed: int, rules: Costs, leverage: float, kind: Any, count: int
) -> None:
    rules = replace(rules, leverage=leverage, funding_rate=0.002, borrow_rate=0.8)
    bars = {
        f"COIN{k}": walk(200, seed + k, instrument=replace(COIN, base=f"COIN{k}", kind=kind), timeframe="1h")
        for k in range(count)
    }
    result = backtest(Random(seed), bars, 2_000.0, rules)
    trades, stats = result.trades, result.stats
    brought = float(trades["pnl"].sum())
    assert brought + stats["insured_losses"] == pytest.approx(stats["final_equity"] - 2_000.0, abs=1e-6)
    paid = float(trades["financing"].sum())
    assert paid == pytest.approx(stats["funding_paid"] + stats["interest_paid"], abs=1e-6)
    assert float(trades["fees"].sum()) == pytest.approx(stats["fees_paid"], abs=1e-6)
    raw = result.raw_fills[result.raw_fills[:, fields.F_QUANTITY] > 0]
    for i, each in enumerate(bars.values()):
        mine = raw[raw[:, fields.F_INSTRUMENT] == i]
        row = np.searchsorted(each.timestamp, mine[:, fields.F_TIME].astype(np.int64))
        slack = rules.slippage + 1e-12
        assert (mine[:, fields.F_PRICE] <= each.high[row] * (1.0 + slack)).all()
        assert (mine[:, fields.F_PRICE] >= each.low[row] * (1.0 - slack)).all()


@dataclass(frozen=True)
class Stated:
    """Random exposures at many closes, at market, carried out `late` bars later."""

    seed: int
    share: float
    late: int = 0
    name: ClassVar[str] = "stated"
    summary: ClassVar[str] = "Random exposures."
    parameters: ClassVar[dict[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        rng = np.random.default_rng(self.seed)
        n = len(bars)
        said = np.where(rng.random(n) < self.share, rng.choice([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0], n), NAN)
        return Signals(np.concatenate((np.full(self.late, NAN), said))[:n])


@settings(max_examples=40)
@given(seeds, st.sampled_from([0.1, 0.6, 1.0]), st.integers(1, 12), st.integers(1, 2))
def test_latency_carries_out_every_decision_so_many_bars_late(seed: int, share: float, late: int, count: int) -> None:
    rules = Costs(slippage=0.001, volume_share=1.0)
    bars = {
        f"COIN{k}": replace(walk(80, seed + k, instrument=replace(COIN, base=f"COIN{k}")), volume=np.full(80, 1e9))
        for k in range(count)
    }
    found = backtest(Stated(seed, share), bars, 2_000.0, replace(rules, latency=late))
    wanted = backtest(Stated(seed, share, late), bars, 2_000.0, rules)
    np.testing.assert_array_equal(found.equity, wanted.equity)
    assert found.fills.drop(columns="order").equals(wanted.fills.drop(columns="order"))
