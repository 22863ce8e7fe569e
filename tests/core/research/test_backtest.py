"""backtest(): what it returns, that it equals a calculation by hand and vectorbt, and what it refuses."""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from core.errors import AppError, InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import backtest
from core.strategies import BuyAndHold, Donchian, SmaCross
from core.trading.costs import FREE, Costs
from core.trading.strategy import Context, Parameter, Signals
from tests.core.simulation.hand import sma_cross_equity
from tests.core.simulation.market import walk


@dataclass(frozen=True)
class Given:
    """A strategy that gives the signals it is made of."""

    made: Any
    name: ClassVar[str] = "given"
    summary: ClassVar[str] = "Given signals."
    parameters: ClassVar[dict[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        return self.made(bars) if callable(self.made) else self.made


def test_sma_cross_equals_the_calculation_by_hand_on_a_market_full_of_ties() -> None:
    for seed in range(6):
        bars = walk(400, seed, places=0 if seed % 2 else 1)
        bars = replace(bars, volume=np.zeros(len(bars)))
        result = backtest(SmaCross(3, 8), bars)
        equity, fills = sma_cross_equity(bars.open.tolist(), bars.close.tolist(), 3, 8, 10_000.0, 0.001, 0.0005)
        assert len(result.fills) == fills > 20
        np.testing.assert_allclose(result.equity, equity, rtol=1e-9)


@pytest.mark.realdata
def test_sma_cross_equals_the_calculation_by_hand_on_real_hours(shared_data: Path) -> None:
    bars = Bars.read(shared_data / "market" / "binance" / "1h" / "BTCUSDT.parquet")
    result = backtest(SmaCross(20, 50), bars)
    equity, fills = sma_cross_equity(bars.open.tolist(), bars.close.tolist(), 20, 50, 10_000.0, 0.001, 0.0005)
    assert len(result.fills) == fills
    np.testing.assert_allclose(result.equity, equity, rtol=1e-9)
    assert result.stats["final_equity"] == pytest.approx(equity[-1], rel=1e-9)


@pytest.mark.realdata
@pytest.mark.slow
def test_sma_cross_equals_vectorbt_on_real_hours(shared_data: Path) -> None:
    import pandas
    import vectorbt

    bars = Bars.read(shared_data / "market" / "binance" / "1h" / "BTCUSDT.parquet")
    result = backtest(SmaCross(20, 50), bars)
    frame = bars.to_pandas()
    above = pandas.Series(frame["close"].rolling(20).mean() > frame["close"].rolling(50).mean())
    known = frame["close"].rolling(50).mean().notna() & frame["close"].rolling(50).mean().shift(1).notna()
    entries = (above & ~above.shift(1, fill_value=False) & known).shift(1, fill_value=False)
    exits = (~above & above.shift(1, fill_value=False) & known).shift(1, fill_value=False)
    portfolio = vectorbt.Portfolio.from_signals(
        frame["close"], entries, exits, price=frame["open"], size=np.inf, fees=0.001, slippage=0.0005,
        init_cash=10_000.0, freq="1h",
    )  # fmt: skip
    assert result.stats["final_equity"] == pytest.approx(float(portfolio.value().iloc[-1]), rel=1e-9)
    np.testing.assert_allclose(result.equity, portfolio.value().to_numpy(), rtol=1e-9)
    assert len(result.fills) == len(portfolio.orders.records)


def test_a_free_buy_and_hold_returns_the_ratio_of_prices() -> None:
    bars = walk(200, 1)
    bars = replace(bars, volume=np.full(len(bars), 1e9))
    result = backtest(BuyAndHold(), bars, costs=FREE)
    assert result.equity[-1] / 10_000 == pytest.approx(bars.close[-1] / bars.open[1], rel=1e-12)
    assert result.stats["buy_and_hold"] == result.stats["total_return"]
    assert result.stats["open_trades"] == 1
    assert result.stats["win_rate"] is None


def test_the_result_holds_equity_returns_fills_trades_and_plain_statistics() -> None:
    result = backtest(SmaCross(3, 8), walk(500, 2))
    assert len(result.equity) == len(result.returns) == len(result.timestamps) == 500
    assert result.equity[-1] == pytest.approx(10_000 * np.prod(1 + result.returns))
    trades = result.trades
    assert list(trades.columns[:4]) == ["entry_time", "exit_time", "symbol", "side"]
    assert trades["pnl"].sum() == pytest.approx(result.equity[-1] - 10_000, abs=1e-6)
    assert trades["fees"].sum() == pytest.approx(result.stats["fees_paid"])
    assert result.fills["fee"].sum() == pytest.approx(result.stats["fees_paid"])
    assert result.stats["trades"] + result.stats["open_trades"] == len(trades)
    document = json.loads(result.to_json())
    assert set(document) >= {"stats", "trades", "strategy", "data", "seconds"}
    assert document["strategy"] == {"name": "sma_cross", "parameters": {"fast": 3, "slow": 8}}


@pytest.mark.parametrize("strategy", [SmaCross(3, 8), BuyAndHold()])
@pytest.mark.parametrize("late", [0, 7])
def test_the_document_tells_of_each_trade_what_the_trade_tells(strategy: Any, late: int) -> None:
    result = backtest(strategy, walk(400, 1))
    for times in (result.trade_columns["entry_time"], result.trade_columns["exit_time"]):
        times[times > 0] += late  # milliseconds
    told = result.document()["trades"]
    assert told == [trade.document() for trade in result.round_trips]
    assert told[-1]["exit_time"] is None or not told[-1]["open"]
    assert list(told[0]) == list(result.round_trips[0].document())


def test_a_flat_market_gives_no_nan_in_json() -> None:
    bars = walk(60, 1)
    level = np.full(60, 100.0)
    bars = replace(bars, open=level, high=level, low=level, close=level)
    document = backtest(SmaCross(3, 8), bars).document()
    json.dumps(document, allow_nan=False)
    assert document["stats"]["sharpe"] is None
    assert document["stats"]["trades"] == 0


def test_instruments_share_cash_and_each_gets_an_equal_part() -> None:
    one, other = walk(300, 3), walk(300, 4, instrument=Instrument("test", "OTHER", "USDT"))
    one, other = (replace(each, volume=np.full(300, 1e9)) for each in (one, other))
    result = backtest(BuyAndHold(), {"A": one, "B": other[40:]}, costs=FREE)
    halves = [5_000 * one.close[-1] / one.open[1], 0.0]
    at_entry = 5_000 + 5_000 * one.open[41] / one.open[1]  # equity at the opens when B is bought
    halves[1] = at_entry / 2 * other.close[-1] / other.open[41]
    cash = 5_000 - at_entry / 2
    expected = halves[0] + halves[1] + cash if cash > 0 else None
    if expected is None:  # A had risen: what cash was left is what B got
        expected = halves[0] + 5_000 * other.close[-1] / other.open[41]
    assert result.equity[-1] == pytest.approx(expected, rel=1e-9)
    assert set(result.fills["symbol"]) == {"A", "B"}


def test_a_lone_instrument_equals_itself_in_a_mapping_and_beside_an_idle_one() -> None:
    bars = walk(400, 5)
    alone = backtest(Donchian(5, 3), bars)
    mapped = backtest(Donchian(5, 3), {"X": bars})
    np.testing.assert_array_equal(alone.equity, mapped.equity)


def test_trading_from_a_date_on_uses_earlier_bars_to_warm_up() -> None:
    bars = walk(400, 6)
    result = backtest(SmaCross(3, 8), bars, start=int(bars.timestamp[200]))
    assert result.timestamps[0] == bars.timestamp[200]
    whole = backtest(SmaCross(3, 8), bars).fills
    assert result.fills["time"].iloc[0] in set(whole["time"])


def test_unknown_volume_is_told() -> None:
    bars = replace(walk(100, 7), volume=np.zeros(100))
    assert "no volume" in backtest(SmaCross(3, 8), bars).stats["warnings"][0]


def test_a_stop_from_the_signal_protects_the_position() -> None:
    bars = walk(50, 8)
    exposure = np.full(50, np.nan)
    exposure[0] = 1.0
    stop = np.full(50, np.nan)
    stop[0] = bars.low[1:].min() + 0.01
    result = backtest(Given(Signals(exposure, stop=stop)), replace(bars, volume=np.full(50, 1e9)), costs=FREE)
    assert [trade.exit_reason for trade in result.round_trips] == ["stop"]


def test_signals_may_be_the_bars_own_read_only_arrays() -> None:
    bars = walk(50, 8)
    result = backtest(Given(lambda given: Signals(np.where(given.close > 0, 1.0, 0.0), limit=given.low)), bars)
    assert result.stats["bars"] == 50


def wrong_signals(bars: Bars) -> Signals:
    return Signals(np.full(3, 1.0))


def failing(bars: Bars) -> Signals:
    raise ZeroDivisionError("by zero")


WRONG = {
    "no cash": lambda: backtest(SmaCross(), walk(100, 1), cash=0.0),
    "too few bars": lambda: backtest(SmaCross(20, 50), walk(40, 1)),
    "no bars": lambda: backtest(SmaCross(), {}),
    "two currencies": lambda: backtest(
        BuyAndHold(), {"A": walk(90, 1), "B": walk(90, 2, instrument=Instrument("test", "COIN", "EUR"))}
    ),
    "two timeframes": lambda: backtest(SmaCross(3, 8), {"A": walk(90, 1), "B": walk(90, 2, timeframe="5m")}),
    "fast above slow": lambda: SmaCross(50, 20),
    "wrong length": lambda: backtest(Given(wrong_signals), walk(50, 1)),
    "exposure too large": lambda: backtest(Given(Signals(np.full(50, 2.0))), walk(50, 1)),
    "negative stop": lambda: backtest(Given(Signals(np.full(50, 1.0), stop=np.full(50, -1.0))), walk(50, 1)),
    "broken strategy": lambda: backtest(Given(failing), walk(50, 1)),
    "no date": lambda: backtest(SmaCross(3, 8), walk(90, 1), start="soon"),
    "a start behind the end": lambda: backtest(SmaCross(3, 8), walk(90, 1), start="2030-01-01"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_sentence(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        WRONG[name]()
    assert "\n" not in refused.value.sentence()
    assert isinstance(refused.value, AppError)


def test_grids_of_the_instrument_hold_in_the_backtest() -> None:
    gridded = Instrument("test", "COIN", "USDT", Decimal("0.01"), Decimal("0.001"), Decimal(5))
    result = backtest(SmaCross(3, 8), walk(500, 2, instrument=gridded), costs=Costs())
    quantities = result.fills["quantity"].to_numpy()
    np.testing.assert_array_equal(quantities, np.round(quantities, 3))
    prices = result.fills["price"].to_numpy()
    np.testing.assert_array_equal(prices, np.round(prices, 2))


def test_instruments_of_different_quotes_are_named_in_the_refusal() -> None:
    euro = Instrument("test", "COIN", "EUR")
    with pytest.raises(InvalidInput, match=r"COIN/USDT, COIN/EUR cannot share .* EUR and USDT\.$"):
        backtest(BuyAndHold(), {"A": walk(90, 1), "B": walk(90, 2, instrument=euro)})


def repeated(bars: Bars, times: int) -> Bars:
    """A long history at little cost: the same bars again and again."""
    prices = {name: np.tile(getattr(bars, name), times) for name in ("open", "high", "low", "close", "volume")}
    return replace(bars, timestamp=np.arange(len(bars) * times) * 60_000, **prices)


def test_progress_of_a_long_run_comes_in_fine_steps_and_changes_nothing() -> None:
    bars = {"A": repeated(walk(600, 1), 200)}
    bars["B"] = repeated(walk(500, 2, instrument=Instrument("test", "OTHER", "USDT")), 200)
    for given in (bars["A"], bars):
        told: list[float] = []
        followed = backtest(SmaCross(3, 8), given, progress=told.append)
        assert told == sorted(told)
        assert told[0] == 0.0
        assert told[-1] == 1.0
        assert len(told) >= 5
        plain = backtest(SmaCross(3, 8), given)
        np.testing.assert_array_equal(plain.equity, followed.equity)
        np.testing.assert_array_equal(plain.raw_fills, followed.raw_fills)
        np.testing.assert_array_equal(plain.timestamps, followed.timestamps)


def test_holes_in_the_data_are_told() -> None:
    whole = np.arange(40)
    kept = np.delete(whole, [10, 11, 12, 30])
    price = 100.0 + np.sin(kept)
    instrument = Instrument("file", "COIN", "USDT")
    bars = Bars(instrument, "1h", kept * 3_600_000, price, price, price, price, np.full(len(kept), 1e6))
    warnings = backtest(BuyAndHold(), bars).stats["warnings"]
    assert warnings == ["COIN/USDT lacks 4 of 40 bars (holes in the data): nothing was decided or filled in them."]


def test_what_ends_before_the_others_is_told_of() -> None:
    long, short = walk(300, 1), walk(200, 2)
    result = backtest(BuyAndHold(), {"LONG": long, "SHORT": short})
    assert result.stats["warnings"] == [
        "The bars of SHORT end before the others': what is held then cannot be sold and counts at the last close."
    ]
    assert backtest(BuyAndHold(), {"LONG": long, "OTHER": walk(300, 2)}).stats["warnings"] == []
    held = result.trades.set_index("symbol").loc["SHORT"]
    assert held["exit_price"] == short.close[-1]
