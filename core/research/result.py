"""Result: what a backtest found; its statistics and tables are computed when first read."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.analytics import measures
from core.clock import from_ms
from core.market import timeframes
from core.market.bars import Bars
from core.research.tape import SIGNALS, Plan, Played, Rows, Tape, play
from core.research.trades import Columns, Trade, fill_columns, finite, profits, trade_columns, trades_of
from core.simulation import fields, trips
from core.trading.costs import Costs
from core.trading.strategy import Context, Strategy, describe

if TYPE_CHECKING:
    import pandas

__all__ = ["TIMES", "Result", "Trade", "finite", "framed"]

Floats = NDArray[np.float64]
TIMES = ("time", "entry_time", "exit_time")


class Result:
    """What a backtest found. Statistics and tables are computed when first read.

    equity: (n,) quote, at each close; timestamps: (n,) UTC ms of the bars' opens; raw_fills: the kernel's rows
    bars, detail: what the strategy saw and, where given, the finer bars that its orders were matched with
    """

    def __init__(self, strategy: Strategy, tape: Tape, plan: Plan, cash: float, costs: Costs, played: Played) -> None:
        self.strategy = strategy
        self.bars = tape.bars
        self.detail = tape.detail
        self.cash = cash
        self.costs = costs
        self.equity = played.equity
        self.timestamps = played.timestamps
        self.raw_fills = played.fills
        self.account = played.account
        self.warnings = list(tape.warnings)
        self.seconds = 0.0
        self._matched = played.steps
        self._tape = tape
        self._plan = plan
        self._fingerprints: dict[int, str] = {}

    @cached_property
    def returns(self) -> Floats:
        """(n,) simple returns per bar; the first is measured from the starting cash."""
        return measures.returns_of(np.concatenate(([self.cash], self.equity)))[1:]

    @property
    def periods_per_year(self) -> float:
        return timeframes.per_year(next(iter(self.bars.values())).timeframe)

    @cached_property
    def trips(self) -> Floats:
        """(trades, TRIP) rows of core.simulation.trips."""
        return trips.round_trips(self.raw_fills, len(self.bars))

    @cached_property
    def trade_columns(self) -> Columns:
        """The trades as arrays by name, in order of entry; times in UTC ms."""
        opens = [each.timestamp for each in self.bars.values()]
        return trade_columns(self.trips, list(self.bars), self._closes, opens)

    @cached_property
    def round_trips(self) -> list[Trade]:
        """The trades in order of entry; those still open at the end come with open=True."""
        return trades_of(self.trade_columns)

    @cached_property
    def trades(self) -> "pandas.DataFrame":
        """The round trips as a frame."""
        return framed(self.trade_columns)

    @cached_property
    def fills(self) -> "pandas.DataFrame":
        """Every fill: time, symbol, side, price, quantity, fee, maker, reason, remaining, order."""
        return framed(fill_columns(self.raw_fills, list(self.bars)))

    @property
    def _closes(self) -> Floats:
        return np.array([each.close[-1] for each in self.bars.values()])

    @cached_property
    def buy_and_hold(self) -> Floats:
        """(n,) equity of buying at the start with everything, in equal parts, at the same costs."""
        from core.strategies import BuyAndHold

        if isinstance(self.strategy, BuyAndHold):
            return self.equity
        held = [BuyAndHold().signals(each, Context()) for each in self.bars.values()]
        signals: list[Rows] = [dict.fromkeys(SIGNALS) | {"exposure": each.exposure} for each in held]
        return play(self._tape, signals, self.cash, self.costs).equity

    @cached_property
    def stats(self) -> dict[str, Any]:
        """The measures of core.analytics; None where one is not defined. Losses are positive fractions."""
        year, returns = self.periods_per_year, self.returns
        curve = np.concatenate(([self.cash], self.equity))
        still = self.trips[:, trips.T_OPEN] != 0.0
        closed = profits(self.trips[~still], self._closes)
        final = float(self.equity[-1])
        values: dict[str, Any] = {
            "total_return": final / self.cash - 1.0,
            "cagr": measures.cagr(returns, year),
            "sharpe": measures.sharpe_ratio(returns, year),
            "sortino": measures.sortino_ratio(returns, year),
            "calmar": measures.calmar_ratio(curve, year),
            "max_drawdown": measures.max_drawdown(curve),
            "max_drawdown_duration": measures.max_drawdown_duration(curve),
            "var_95": measures.value_at_risk(returns, 0.95),
            "cvar_95": measures.conditional_value_at_risk(returns, 0.95),
            "volatility": measures.volatility(returns, year),
            "trades": len(closed),
            "open_trades": int(np.count_nonzero(still)),
            "win_rate": measures.win_rate(closed),
            "profit_factor": measures.profit_factor(closed),
            "expectancy": measures.expectancy(closed),
            "exposure": float(self.account[fields.A_EXPOSED]) / self._matched,
            "turnover": float(self.account[fields.A_TURNOVER]) / self.cash,
            "fees_paid": float(self.account[fields.A_FEES]),
            "final_equity": final,
            "initial_cash": self.cash,
            "buy_and_hold": float(self.buy_and_hold[-1]) / self.cash - 1.0,
            "bars": len(self.equity),
            "start": from_ms(int(self.timestamps[0])).isoformat(),
            "end": from_ms(int(self.timestamps[-1])).isoformat(),
        }
        return {name: finite(value) for name, value in values.items()} | {"warnings": list(self.warnings)}

    def document(self, trades: bool = True) -> dict[str, Any]:
        """{"stats", "trades", "strategy", "data", "costs", "seconds"} in plain values, as `--json` prints it."""
        listed = {"trades": [trade.document() for trade in self.round_trips]} if trades else {}
        return {
            "stats": self.stats,
            **listed,
            "strategy": describe(self.strategy),
            "data": [_told(name, each, self._fingerprint(each)) for name, each in self.bars.items()],
            "detail": [_told(name, each, self._fingerprint(each)) for name, each in self.detail.items()],
            "costs": {name: getattr(self.costs, name) for name in self.costs.__dataclass_fields__},
            "seconds": self.seconds,
        }

    def _fingerprint(self, bars: Bars) -> str:
        """Of bars, computed once: of a million it takes as long as the backtest."""
        if id(bars) not in self._fingerprints:
            self._fingerprints[id(bars)] = bars.fingerprint()
        return self._fingerprints[id(bars)]

    def to_json(self) -> str:
        """The document as JSON text, without NaN or infinity."""
        return json.dumps(self.document(), allow_nan=False)

    def kept(self) -> tuple[dict[str, Any], dict[str, Columns]]:
        """(document, frames) as the archive keeps the run."""
        document = self.document(trades=False)
        frames = {
            "equity": {"time": self.timestamps, "equity": self.equity},
            "fills": fill_columns(self.raw_fills, list(self.bars)),
            "trades": self.trade_columns,
        }
        return document, frames

    def rerun(self, costs: Costs) -> "Result":
        """The same signals on the same bars from the same cash under other costs."""
        return Result(
            self.strategy,
            self._tape,
            self._plan,
            self.cash,
            costs,
            play(self._tape, self._plan, self.cash, costs),
        )


def _told(symbol: str, bars: Bars, fingerprint: str) -> dict[str, Any]:
    """What a document says of bars."""
    return {
        "symbol": symbol,
        "instrument": bars.instrument.key,
        "timeframe": bars.timeframe,
        "bars": len(bars),
        "fingerprint": fingerprint,
        "start": from_ms(int(bars.timestamp[0])).isoformat(),
        "end": from_ms(int(bars.timestamp[-1])).isoformat(),
    }


def framed(columns: Columns) -> "pandas.DataFrame":
    """The columns as pandas, times as UTC datetimes."""
    import pandas

    return pandas.DataFrame(
        {
            name: pandas.to_datetime(values, unit="ms", utc=True) if name in TIMES else values
            for name, values in columns.items()
        }
    )
