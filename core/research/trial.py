"""Trials: a strategy with many parameters on the same bars, measured as `backtest(...).stats` measures one.

What all trials share (the bars, the tape, the costs) is prepared once per stretch of time. Each trial runs the same
signals through the same kernel, and keeps its statistics and a short series of returns instead of its whole curve.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analytics.summary import returns_from
from core.errors import InvalidInput
from core.indicators.shared import shared
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research import backtest as one
from core.research.detail import by_symbol
from core.research.tape import Plan, Played, Signalled, Tape, laid_out, opening, play, record, slots
from core.simulation.addresses import addresses
from core.simulation.many import FOUND, measure, run_many
from core.trading.costs import Costs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CURVE = (
    "total_return", "cagr", "sharpe", "sortino", "calmar", "max_drawdown", "max_drawdown_duration", "volatility",
    "final_equity",
)  # fmt: skip
TRADES = ("trades", "open_trades", "win_rate", "profit_factor", "expectancy")
ACCOUNT = ("exposure", "turnover", "fees_paid")
COLUMNS = (*CURVE, *TRADES, *ACCOUNT)
LESS = ("max_drawdown", "max_drawdown_duration", "volatility", "fees_paid", "turnover", "open_trades")  # is better
WHOLE = ("max_drawdown_duration", "trades", "open_trades")  # counts
PLACES = np.array([FOUND.index(name) for name in COLUMNS])
KEPT = 4  # stretches of time whose tape is kept


@dataclass(frozen=True, slots=True)
class Metric:
    """A column by which trials are ranked. sign: 1 where more is better, -1 where less is."""

    name: str
    sign: int

    @classmethod
    def of(cls, text: str) -> "Metric":
        """'sharpe', or with a minus before it where less shall be better. Raises InvalidInput that lists the names."""
        name = text.strip().lstrip("-").replace("-", "_").lower()
        if name not in COLUMNS:
            raise InvalidInput(f"There is no metric '{text}'.", hint=f"There are: {', '.join(COLUMNS)}.", metric=text)
        return cls(name, -1 if name in LESS or text.strip().startswith("-") else 1)

    @property
    def column(self) -> int:
        return COLUMNS.index(self.name)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time. start: trading starts there (UTC ms; what is earlier warms up); end: exclusive, UTC ms."""

    start: int | None = None
    end: int | None = None


@dataclass(eq=False)
class Ground:
    """What every trial of a search has in common. It travels to other processes without what is prepared of it."""

    kind: type[Any]
    bars: dict[str, Bars]
    cash: float
    costs: Costs
    instruments: Mapping[str, Instrument] | None = None
    detail: dict[str, Bars] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # further arguments of backtest()
    blocks: int = 0  # returns kept of each trial
    _stages: "OrderedDict[Span, Stage]" = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stages": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._stages, self._lock = OrderedDict(), threading.Lock()

    def stage(self, span: Span) -> "Stage":
        """The prepared stretch."""
        with self._lock:
            found = self._stages.get(span)
            if found is None:
                found = self._stages[span] = Stage(self, span)
                while len(self._stages) > KEPT:
                    self._stages.popitem(last=False)
            return found

    def backtest(self, strategy: Any, span: Span, progress: Callable[[float], None] | None = None) -> Any:
        """The whole Result of one strategy on a stretch of these bars."""
        lone = len(self.bars) == 1
        bars = next(iter(self.bars.values())) if lone and not self.options else self.bars
        return one.backtest(
            strategy, bars, self.cash, self.costs, instruments=self.instruments, detail=self.detail,
            progress=progress, start=span.start, end=span.end, **self.options,
        )  # fmt: skip


class Stage:
    """A stretch of the bars, ready for any number of trials."""

    def __init__(self, ground: Ground, span: Span) -> None:
        self.ground, self.span = ground, span
        held = one.shared_bars(ground.bars, ground.instruments)
        fine = by_symbol(ground.detail, held) if ground.detail else {}
        self.known = {name: bars.between(None, span.end) for name, bars in held.items()}
        self.skips = {name: one.rows_before(name, bars, span.start) for name, bars in self.known.items()}
        self.traded = {name: bars[self.skips[name] :] for name, bars in self.known.items()}
        options = ground.options
        self.sizing = options.get("sizing")
        self.other = bool(options.keys() - {"sizing", "funding"})
        self.tape: Tape = record(self.traded, fine, options.get("funding"))
        self.year = timeframes.per_year(next(iter(held.values())).timeframe)

    def run(self, strategies: Sequence[Any], room: Floats) -> tuple[Floats, Floats]:
        """(trials, COLUMNS) statistics, NaN where one is not defined, and (trials, blocks) returns."""
        if self.other:
            return _stacked([self._whole(each) for each in strategies])
        plans = [self._plan(each) for each in strategies]
        signalled = [each for each in plans if isinstance(each, Signalled)]
        if len(signalled) == len(plans) and self.tape.aligned and self.tape.steps is None:
            return self._together(signalled, room)
        return _stacked([self._alone(each, room) for each in plans])

    def _plan(self, strategy: Any) -> Plan:
        one.enough(strategy, self.known)
        return one.planned(strategy, self.known, self.skips, None, self.sizing)

    def _alone(self, plan: Plan, room: Floats) -> tuple[Floats, Floats]:
        played = play(self.tape, plan, self.ground.cash, self.ground.costs, room=room)
        return self._measured(played), self._blocks(played.equity)

    def _together(self, plans: Sequence[Signalled], room: Floats) -> tuple[Floats, Floats]:
        """All in one call of the kernel, during which other threads may have the interpreter."""
        tape, cash, costs = self.tape, self.ground.cash, self.ground.costs
        laid = [laid_out(tape, plan) for plan in plans]  # outlives the call, as the tape does
        ends = self._ends(tape.rows)
        found, returns = np.empty((len(plans), len(FOUND))), np.empty((len(plans), len(ends)))
        done = run_many(
            opening(tape, cash, costs, self.sizing), tape.book, slots(tape, costs), addresses(tape.columns),
            np.array([addresses(each) for each in laid]), np.zeros_like(tape.ends), tape.ends, True,
            np.array([plan.share for plan in plans]), self.year, room, ends, found, returns,
        )  # fmt: skip
        if done < len(plans):
            self._alone(plans[done], room)  # refuses it in words
        return found[:, PLACES], returns

    def _measured(self, played: Played) -> Floats:
        found: Floats = np.empty(len(FOUND))
        measure(
            played.equity, played.fills, played.account, len(self.traded), self.ground.cash, self.year, played.steps,
            found,
        )  # fmt: skip
        measured: Floats = found[PLACES]
        return measured

    def _whole(self, strategy: Any) -> tuple[Floats, Floats]:
        """By `backtest` itself, which knows what its further arguments mean."""
        result = self.ground.backtest(strategy, self.span)
        stats = result.stats
        values = [np.nan if stats[name] is None else float(stats[name]) for name in COLUMNS]
        return np.array(values), self._blocks(result.equity)

    def _blocks(self, equity: Floats) -> Floats:
        """Returns over equal parts of the time; the first is measured from the starting cash."""
        return returns_from(equity[self._ends(len(equity))], self.ground.cash)

    def _ends(self, steps: int) -> Integers:
        """The last step of each of so many equal parts of the time."""
        count = min(self.ground.blocks, steps)
        return np.arange(1, count + 1, dtype=np.int64) * steps // max(count, 1) - 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some trials of one stretch: the parameters of each."""

    span: Span
    parameters: tuple[Mapping[str, int | float], ...]


def run_chunk(ground: Ground, chunk: Chunk) -> tuple[Floats, Floats]:
    """(trials, COLUMNS) statistics and (trials, blocks) returns; the work of one call of a worker."""
    stage = ground.stage(chunk.span)
    room = np.empty(stage.tape.rows)
    with shared():
        return stage.run([ground.kind(**each) for each in chunk.parameters], room)


def _stacked(found: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.array([row for row, _ in found]), np.array([blocks for _, blocks in found])
