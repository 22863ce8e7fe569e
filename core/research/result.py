"""Result: what a backtest found; its statistics and tables are computed when first read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.analytics import measures
from core.analytics.summary import SUMMARY, summarise
from core.clock import from_ms
from core.market import timeframes
from core.market.bars import Bars
from core.market.funding import Funding
from core.research.asked import asked
from core.research.drawing import thinned
from core.research.sizes import words_of
from core.research.tape import Plan, Played, Signalled, Tape, play
from core.research.trades import Columns, Trade, documents_of, fill_columns, finite, profits, trade_columns, trades_of
from core.simulation import fields, trips
from core.trading.costs import Costs
from core.trading.sizing import Sizing
from core.trading.strategy import Context, Strategy, describe

if TYPE_CHECKING:
    import pandas

__all__ = ["TIMES", "Result", "Trade", "Trials", "described", "described_kind", "finite", "framed", "tried_as"]

Floats = NDArray[np.float64]
DRAWN = 12  # instruments whose prices are kept with a run, for its report
ENOUGH_TRIALS = 5  # of which the Sharpe ratios are known, so that their variance says something
JUDGED = (
    "probabilistic_sharpe", "deflated_sharpe", "trials", "sharpe_low", "sharpe_high", "minimum_track_record",
)  # fmt: skip
TIMES = ("time", "entry_time", "exit_time")


@dataclass(frozen=True, slots=True)
class Trials:
    """How often a strategy was tried on data. sharpes: annual, of those tries of which one is known."""

    count: int
    sharpes: tuple[float, ...] = ()


class Result:
    """What a backtest found. Statistics and tables are computed when first read.

    equity: (n,) quote, at each close; timestamps: (n,) UTC ms of the bars' opens; raw_fills: the kernel's rows
    tried: how often this strategy has been tried on these bars, this run included; set it before `stats` are read
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
        self.tried = Trials(1)
        self._matched = played.steps
        self._paid = played.paid
        self._tape = tape
        self._plan = plan
        self._fingerprints: dict[int, str] = {}

    @property
    def sizing(self) -> Sizing | None:
        """What an exposure became; None for a share of the equity."""
        return self._plan.sizing

    @property
    def funding(self) -> dict[str, Funding]:
        """The histories of funding that it was traded under, by symbol."""
        return self._tape.histories

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
        return trade_columns(self.trips, list(self.bars), self._closes, opens, self._paid)

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
        held = BuyAndHold()
        every = [asked(held, held.signals(each, Context()), len(each)) for each in self.bars.values()]
        return play(self._tape, Signalled(every), self.cash, self.costs).equity

    @cached_property
    def stats(self) -> dict[str, Any]:
        """The measures of core.analytics, with what tells skill from luck; None where one is not defined.

        Losses are positive fractions.
        """
        judged = {name: self.overfitting[name] for name in JUDGED}
        warnings = self.figures["warnings"]
        return (
            {name: value for name, value in self.figures.items() if name != "warnings"}
            | judged
            | {"warnings": warnings}
        )

    @cached_property
    def figures(self) -> dict[str, Any]:
        """`stats` without what tells skill from luck, which takes longer than all of them."""
        year, returns = self.periods_per_year, self.returns
        curve = np.concatenate(([self.cash], self.equity))
        found = dict(zip(SUMMARY, summarise(self.equity, self.cash, year).tolist(), strict=True))
        still = self.trips[:, trips.T_OPEN] != 0.0
        closed = profits(self.trips[~still], self._closes)
        values: dict[str, Any] = {
            "total_return": found["total_return"],
            "cagr": found["cagr"],
            "sharpe": found["sharpe"],
            "sortino": found["sortino"],
            "calmar": found["calmar"],
            "omega": measures.omega_ratio(returns),
            "max_drawdown": found["max_drawdown"],
            "max_drawdown_duration": int(found["max_drawdown_duration"]),
            "ulcer_index": measures.ulcer_index(curve),
            "var_95": measures.value_at_risk(returns, 0.95),
            "cvar_95": measures.conditional_value_at_risk(returns, 0.95),
            "tail_ratio": measures.tail_ratio(returns),
            "volatility": found["volatility"],
            "skew": found["skew"],
            "kurtosis": found["kurtosis"],
            "trades": len(closed),
            "open_trades": int(np.count_nonzero(still)),
            "win_rate": measures.win_rate(closed),
            "profit_factor": measures.profit_factor(closed),
            "payoff_ratio": measures.payoff_ratio(closed),
            "expectancy": measures.expectancy(closed),
            "sqn": measures.sqn(closed),
            "longest_losing_streak": measures.longest_losing_streak(closed),
            "exposure": float(self.account[fields.A_EXPOSED]) / self._matched,
            "turnover": float(self.account[fields.A_TURNOVER]) / self.cash,
            "fees_paid": float(self.account[fields.A_FEES]),
            "funding_paid": float(self.account[fields.A_FUNDING]),
            "interest_paid": float(self.account[fields.A_INTEREST]),
            "insured_losses": float(self.account[fields.A_INSURED]),
            "liquidations": int(np.count_nonzero(self.raw_fills[:, fields.F_REASON] == fields.LIQUIDATED)),
            "final_equity": found["final_equity"],
            "initial_cash": self.cash,
            "buy_and_hold": float(self.buy_and_hold[-1]) / self.cash - 1.0,
            "bars": len(self.equity),
            "start": from_ms(int(self.timestamps[0])).isoformat(),
            "end": from_ms(int(self.timestamps[-1])).isoformat(),
        }
        return {name: finite(value) for name, value in values.items()} | {"warnings": list(self.warnings)}

    @cached_property
    def overfitting(self) -> dict[str, Any]:
        """What tells skill from luck, by core.analytics.significance.overfitting_of; "sentence" says it in words."""
        from core.analytics.significance import overfitting_of

        year = self.periods_per_year
        sharpes = [each for each in self.tried.sharpes if np.isfinite(each)]
        enough = len(sharpes) >= ENOUGH_TRIALS
        return overfitting_of(
            self.returns,
            trials=self.tried.count,
            variance=float(np.var(sharpes, ddof=1)) / year if enough else None,
            periods_per_year=year,
        )

    def document(self, trades: bool = True) -> dict[str, Any]:
        """{"stats", "trades", "strategy", "data", "costs", "seconds"} in plain values, as `--json` prints it."""
        listed = {"trades": documents_of(self.trade_columns)} if trades else {}
        return {
            "stats": self.stats,
            **listed,
            "overfitting": self.overfitting,
            "strategy": described(self.strategy),
            "data": self.data,
            "detail": [_told(name, each, self._fingerprint(each)) for name, each in self.detail.items()],
            "costs": {name: getattr(self.costs, name) for name in self.costs.__dataclass_fields__},
            "sizing": words_of(self.sizing),
            "seconds": self.seconds,
        }

    @property
    def data(self) -> list[dict[str, Any]]:
        """What was traded: symbol, timeframe, bars, fingerprint, start and end of each instrument."""
        return [_told(name, each, self._fingerprint(each)) for name, each in self.bars.items()]

    def _fingerprint(self, bars: Bars) -> str:
        """Of bars, computed once: of a million it takes as long as the backtest."""
        if id(bars) not in self._fingerprints:
            self._fingerprints[id(bars)] = bars.fingerprint()
        return self._fingerprints[id(bars)]

    def to_json(self) -> str:
        """The document as JSON text, without NaN or infinity."""
        return json.dumps(self.document(), allow_nan=False)

    def kept(self) -> tuple[dict[str, Any], dict[str, Columns]]:
        """(document, frames) as the archive keeps the run; prices and holding as thin as a drawing needs them."""
        document = self.document(trades=False) | {"summary": self.strategy.summary, "cash": self.cash}
        document["periods_per_year"] = self.periods_per_year
        held = thinned(self.buy_and_hold)
        closes = {name: (each, thinned(each.close)) for name, each in list(self.bars.items())[:DRAWN]}
        frames = {
            "equity": {"time": self.timestamps, "equity": self.equity},
            "fills": fill_columns(self.raw_fills, list(self.bars)),
            "trades": self.trade_columns,
            "hold": {"time": self.timestamps[held], "equity": self.buy_and_hold[held]},
            "prices": {
                "symbol": np.concatenate([np.full(len(rows), name, object) for name, (_, rows) in closes.items()]),
                "time": np.concatenate([each.timestamp[rows] for each, rows in closes.values()]),
                "close": np.concatenate([each.close[rows] for each, rows in closes.values()]),
            },
        }
        if self.funding:
            frames["funding"] = {
                "symbol": np.concatenate(
                    [np.full(len(each.rates), name, object) for name, each in self.funding.items()]
                ),
                "time": np.concatenate([each.timestamps for each in self.funding.values()]),
                "rate": np.concatenate([each.rates for each in self.funding.values()]),
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
        **({} if bars.instrument.kind == "spot" else {"kind": bars.instrument.kind}),
    }


def described(strategy: Strategy) -> dict[str, Any]:
    """Name and parameters, and of a formula what it is made of, since its name may come to mean another."""
    return describe(strategy) | _formula(type(strategy))


def described_kind(kind: type[Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same of what was searched: its class, and the parameters that were chosen, if any were."""
    return {"name": kind.name, "parameters": dict(parameters)} | _formula(kind)


def _formula(kind: type[Any]) -> dict[str, Any]:
    formula = getattr(kind, "document", "")
    return {"formula": formula} if isinstance(formula, str) and formula else {}


def tried_as(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a try of a strategy another one: its parameters, and of a formula the formula."""
    own = {"formula": strategy["formula"]} if strategy.get("formula") else {}
    return {**(strategy.get("parameters") or {}), **own}


def framed(columns: Columns) -> "pandas.DataFrame":
    """The columns as pandas, times as UTC datetimes."""
    import pandas

    return pandas.DataFrame(
        {
            name: pandas.to_datetime(values, unit="ms", utc=True) if name in TIMES else values
            for name, values in columns.items()
        }
    )
