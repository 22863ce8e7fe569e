"""This product on the cases, through its public functions with every fill rule on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cases
import numpy as np

from core.indicators import rsi
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import backtest
from core.research.sweep import sweep
from core.strategies import MomentumRotation, SmaCross
from core.trading.costs import FREE, Costs
from core.trading.strategy import Context, Signals

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


def bars_of(data: Mapping[str, Any], base: str = "BTC", column: int | None = None) -> Bars:
    taken = [data[name] if column is None else np.ascontiguousarray(data[name][:, column]) for name in COLUMNS]
    return Bars.checked(Instrument("bench", base, "USDT"), "1m", *taken)


@dataclass(frozen=True)
class Bids:
    """Bids below the close where the RSI falls below its entry, protected by stop, target and trail."""

    name = "bids"
    summary = "RSI limit entries."
    parameters: Any = None

    def warmup(self) -> int:
        return int(cases.RSI["period"]) + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        rows = cases.purchases(rsi(bars.close, int(cases.RSI["period"])))
        bid = bars.close[rows] * (1.0 - cases.RSI["below"])
        return Signals.at(
            len(bars), rows, 1.0, bid, bid * (1.0 - cases.RSI["stop"]), bid * (1.0 + cases.RSI["target"]),
            cases.RSI["trail"],
        )  # fmt: skip


def sma(data: Mapping[str, Any]) -> Callable[[], float]:
    bars, costs = bars_of(data), Costs(cases.FEE, cases.FEE, cases.SLIPPAGE)

    def work() -> float:
        result = backtest(SmaCross(20, 50), bars, cases.CASH, costs)
        return float(result.equity[-1]) if len(result.trips) else np.nan

    return work


def grid(data: Mapping[str, Any]) -> Callable[[], Any]:
    bars, costs = bars_of(data), Costs(cases.FEE, cases.FEE, cases.SLIPPAGE)

    def work() -> Any:
        found = sweep(SmaCross, bars, {"fast": list(cases.FAST), "slow": list(cases.SLOW)}, costs, cash=cases.CASH)
        return found.table["final_equity"]

    return work


def bids(data: Mapping[str, Any]) -> Callable[[], float]:
    bars, costs = bars_of(data), Costs(cases.FEE, cases.FEE, 0.0)

    def work() -> float:
        result = backtest(Bids(), bars, cases.CASH, costs)
        return float(result.equity[-1]) if len(result.trips) else np.nan

    return work


def rotation(data: Mapping[str, Any]) -> Callable[[], float]:
    bars = {f"C{i:02}": bars_of(data, f"C{i:02}", i) for i in range(data["close"].shape[1])}
    strategy = MomentumRotation(**cases.ROTATION)

    def work() -> float:
        result = backtest(strategy, bars, cases.CASH, FREE)
        return float(result.equity[-1]) if len(result.trips) else np.nan

    return work


CASES = {"sma": sma, "sweep": grid, "rsi": bids, "rotation": rotation}
