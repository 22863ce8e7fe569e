"""Result: what a backtest found; its statistics and tables are computed when first read."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.analytics import measures
from core.clock import from_ms
from core.market import timeframes
from core.research.tape import SIGNALS, Plan, Played, Rows, Tape, play
from core.simulation import fields, trips
from core.trading.costs import Costs
from core.trading.strategy import Context, Strategy, describe

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip from flat to flat. return_: profit per entry notional; bars: from the entry's to the exit's bar.

    pnl: quote, net of fees; of an open trade at the last close. exit_reason: exit, stop, target, trail or open.
    """

    entry_time: datetime
    exit_time: datetime | None
    symbol: str
    side: str
    quantity: float
    entry_price: float
    exit_price: float
    pnl: float
    return_: float
    fees: float
    bars: int
    exit_reason: str
    open: bool

    def document(self) -> dict[str, Any]:
        """Plain values, times as ISO texts."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["return"] = values.pop("return_")
        for name in ("entry_time", "exit_time"):
            values[name] = None if values[name] is None else values[name].isoformat()
        return {name: finite(value) for name, value in values.items()}


class Result:
    """What a backtest found. Statistics and tables are computed when first read.

    equity: (n,) quote, at each close; timestamps: (n,) UTC ms of the bars' opens; raw_fills: the kernel's rows
    bars, detail: what the strategy saw and, where given, the finer bars that its orders were matched with
    """

    def __init__(
        self, strategy: Strategy, tape: Tape, plan: Plan, cash: float, costs: Costs, played: Played
    ) -> None:
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
    def round_trips(self) -> list[Trade]:
        """The trades in order of entry; those still open at the end come with open=True."""
        symbols = list(self.bars)
        closes = [float(each.close[-1]) for each in self.bars.values()]
        trades = []
        for row in self.trips:
            i = int(row[trips.T_INSTRUMENT])
            open_ = bool(row[trips.T_OPEN])
            began, ended = int(row[trips.T_ENTRY_TIME]), row[trips.T_EXIT_TIME]
            until = self.timestamps[-1] if open_ else int(ended)
            first, last = np.searchsorted(self.bars[symbols[i]].timestamp, [began, until], side="right")
            closed = row[trips.T_CLOSED]
            trades.append(
                Trade(
                    entry_time=from_ms(began),
                    exit_time=None if open_ else from_ms(int(ended)),
                    symbol=symbols[i],
                    side="long" if row[trips.T_SIDE] > 0 else "short",
                    quantity=float(row[trips.T_BOUGHT]),
                    entry_price=float(row[trips.T_ENTRY_NOTIONAL] / row[trips.T_BOUGHT]),
                    exit_price=closes[i] if open_ else float(row[trips.T_EXIT_NOTIONAL] / closed),
                    pnl=_profit(row, closes[i]),
                    return_=_profit(row, closes[i]) / float(row[trips.T_ENTRY_NOTIONAL]),
                    fees=float(row[trips.T_FEES]),
                    bars=int(last - first),
                    exit_reason="open" if open_ else fields.REASONS[int(row[trips.T_REASON])],
                    open=open_,
                )
            )
        return trades

    @cached_property
    def trades(self) -> "pandas.DataFrame":
        """The round trips as a frame."""
        import pandas

        names = [name.rstrip("_") for name in Trade.__dataclass_fields__]
        rows = [[getattr(trade, name) for name in Trade.__dataclass_fields__] for trade in self.round_trips]
        return pandas.DataFrame(rows, columns=names)

    @cached_property
    def fills(self) -> "pandas.DataFrame":
        """Every fill: time, symbol, side, price, quantity, fee, maker, reason, remaining, order."""
        import pandas

        rows = self.raw_fills[self.raw_fills[:, fields.F_QUANTITY] > 0.0]
        symbols = np.array(list(self.bars), dtype=object)
        return pandas.DataFrame(
            {
                "time": pandas.to_datetime(rows[:, fields.F_TIME].astype(np.int64), unit="ms", utc=True),
                "symbol": symbols[rows[:, fields.F_INSTRUMENT].astype(np.int64)],
                "side": np.where(rows[:, fields.F_SIDE] > 0, "buy", "sell"),
                "price": rows[:, fields.F_PRICE],
                "quantity": rows[:, fields.F_QUANTITY],
                "fee": rows[:, fields.F_FEE],
                "maker": rows[:, fields.F_MAKER] != 0.0,
                "reason": [fields.REASONS[int(code)] for code in rows[:, fields.F_REASON]],
                "remaining": rows[:, fields.F_REMAINING],
                "order": rows[:, fields.F_REF].astype(np.int64),
            }
        )

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
        last = [float(each.close[-1]) for each in self.bars.values()]
        closed = [_profit(row, 0.0) for row in self.trips if not row[trips.T_OPEN]]
        still = [_profit(row, last[int(row[trips.T_INSTRUMENT])]) for row in self.trips if row[trips.T_OPEN]]
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
            "open_trades": len(still),
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

    def document(self) -> dict[str, Any]:
        """{"stats", "trades", "strategy", "data", "seconds"} in plain values, as `--json` prints it."""
        return {
            "stats": self.stats,
            "trades": [trade.document() for trade in self.round_trips],
            "strategy": describe(self.strategy),
            "data": [
                {
                    "symbol": name,
                    "instrument": each.instrument.key,
                    "timeframe": each.timeframe,
                    "bars": len(each),
                    "fingerprint": each.fingerprint(),
                }
                for name, each in self.bars.items()
            ],
            "detail": [
                {"symbol": name, "timeframe": each.timeframe, "bars": len(each), "fingerprint": each.fingerprint()}
                for name, each in self.detail.items()
            ],
            "costs": {name: getattr(self.costs, name) for name in self.costs.__dataclass_fields__},
            "seconds": self.seconds,
        }

    def to_json(self) -> str:
        """The document as JSON text, without NaN or infinity."""
        return json.dumps(self.document(), allow_nan=False)

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


def finite(value: Any) -> Any:
    """The value, or None in place of a NaN or an infinity."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def _profit(row: Floats, close: float) -> float:
    """Profit of a trip net of fees, what is still open valued at `close`."""
    left = (row[trips.T_BOUGHT] - row[trips.T_CLOSED]) * close if row[trips.T_OPEN] else 0.0
    gained = row[trips.T_EXIT_NOTIONAL] + left - row[trips.T_ENTRY_NOTIONAL]
    return float(row[trips.T_SIDE] * gained - row[trips.T_FEES])
