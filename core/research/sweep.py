"""sweep: every combination of a strategy's parameters on the same bars, and what choosing the best of them is worth."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import Moment, Result, moment, shared_bars
from core.research.doubt import doubt
from core.research.interruption import held
from core.research.result import described, described_kind, tried_as
from core.research.running import Runner, Trials
from core.research.space import Given, Grid, combinations, grid_of, values_of
from core.research.trial import COLUMNS, WHOLE, Ground, Metric, Span
from core.research.workers import chosen_scheduler
from core.trading.costs import Costs

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]
BLOCKS = 1_024  # returns kept of each trial
ROOM = 8_000_000  # numbers that all of them may take
SHOWN = 20  # rows that a document shows


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial: its place in the grid's order, its strategy and its statistics (None where one is not defined)."""

    number: int
    strategy: Any
    stats: dict[str, Any]

    @property
    def parameters(self) -> dict[str, int | float]:
        return values_of(self.strategy)

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {"number": self.number, "parameters": self.parameters, "stats": self.stats}


class SweepResult:
    """What a sweep found. Trials are numbered in the grid's order, the last parameter changing fastest.

    strategies: those the trials ran; grid: the values of each parameter; metric: what ranks them
    values: (trials, COLUMNS) statistics as `backtest(...).stats` has them, NaN where one is not defined
    returns: (blocks, trials) returns over equal parts of the time
    skipped, reason: combinations that the strategy refuses, and its first refusal; partial: whether it was stopped
    """

    def __init__(
        self,
        ground: Ground,
        span: Span,
        grid: Grid,
        metric: Metric,
        strategies: Sequence[Any],
        trials: Trials,
        skipped: int = 0,
        reason: str | None = None,
        asked: int | None = None,
    ) -> None:
        self.ground, self.span, self.grid, self.metric = ground, span, grid, metric
        kept = np.flatnonzero(trials.done)
        self.strategies = tuple(strategies[i] for i in kept.tolist())
        self.values: Floats = trials.table[kept]
        self.returns: Floats = trials.blocks[kept].T
        self.skipped, self.reason = skipped, reason
        self.asked = len(strategies) if asked is None else asked
        self.partial = len(kept) < self.asked
        self.workers = "threads"
        self.seconds = 0.0
        self.earlier = 0  # other tries of the strategy on these bars; set it before `overfitting` is read

    def __len__(self) -> int:
        return len(self.strategies)

    def __repr__(self) -> str:
        best = f"best {self.metric.name} by {self.best.parameters}" if len(self.ranked) else "nothing traded"
        return f"<SweepResult {self.ground.kind.name}: {len(self):,} trials, {best}>"

    @cached_property
    def ranked(self) -> NDArray[np.int64]:
        """Trials from best to worst by the metric, equal ones in the grid's order, without those that have none."""
        scores = self.metric.sign * self.values[:, self.metric.column]
        order = np.argsort(-scores, kind="stable")
        return order[np.isfinite(scores[order])]

    @property
    def best(self) -> Tried:
        """The best trial by the metric. Raises InvalidInput when no trial has it."""
        if not len(self.ranked):
            raise InvalidInput(f"No trial has a {self.metric.name}: none of them traded enough.")
        return self.trial(int(self.ranked[0]))

    def trial(self, number: int) -> Tried:
        """A trial by its number."""
        return Tried(number, self.strategies[number], plain(self.values[number]))

    def top(self, count: int = SHOWN) -> list[Tried]:
        """The best trials."""
        return [self.trial(int(i)) for i in self.ranked[:count]]

    @cached_property
    def table(self) -> dict[str, NDArray[Any]]:
        """(trials,) arrays by name: each parameter, then each statistic."""
        found: dict[str, NDArray[Any]] = {
            name: np.array([getattr(strategy, name) for strategy in self.strategies])
            for name in self.ground.kind.parameters
        }
        return found | {name: self.values[:, i] for i, name in enumerate(COLUMNS)}

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each trial, in the grid's order: parameters and statistics."""
        import pandas

        frame = pandas.DataFrame(self.table)
        return frame.astype({name: "int64" for name in WHOLE if not frame[name].isna().any()})

    def heatmap(self, x: str, y: str, metric: str | None = None) -> "pandas.DataFrame":
        """The best value of the metric for each pair of values of two parameters: columns x, rows y."""
        for name in (x, y):
            if name not in self.ground.kind.parameters:
                raise InvalidInput(f"{self.ground.kind.name} has no parameter '{name}'.")
        wanted = self.metric if metric is None else Metric.of(metric)
        frame = self.to_pandas().dropna(subset=[wanted.name])
        groups = frame.groupby([y, x])[wanted.name]
        return (groups.max() if wanted.sign > 0 else groups.min()).unstack()

    def result(self, number: int | None = None) -> Result:
        """The whole backtest of a trial; of the best when no number is given."""
        found: Result = self.ground.backtest((self.best if number is None else self.trial(number)).strategy, self.span)
        return found

    @cached_property
    def best_result(self) -> Result:
        """The whole backtest of the best trial."""
        return self.result()

    @cached_property
    def overfitting(self) -> dict[str, Any]:
        """How much of the best trial is luck: see core.research.doubt."""
        if not len(self.ranked):
            return {
                "trials": len(self),
                "sentence": f"No trial has a {self.metric.name}, so there is nothing to doubt.",
            }
        sharpes = self.values[:, COLUMNS.index("sharpe")]
        return doubt(self.best_result, sharpes, self.returns, self.earlier)

    @property
    def tries(self) -> list[dict[str, Any]]:
        """What makes each trial another one, as the archive counts them."""
        return [tried_as(described(each)) for each in self.strategies]

    def document(self, top: int = SHOWN) -> dict[str, Any]:
        """Plain values, as `--json` prints them."""
        best = self.best if len(self.ranked) else None
        return {
            "strategy": described_kind(self.ground.kind, {} if best is None else best.parameters),
            "data": data_of(self.ground.bars),
            "costs": costs_of(self.ground.costs),
            "cash": self.ground.cash,
            "span": {"start": self.span.start, "end": self.span.end},
            "space": {name: list(values) for name, values in self.grid.items()},
            "metric": self.metric.name,
            "trials": len(self),
            "asked": self.asked,
            "skipped": self.skipped,
            "reason": self.reason,
            "partial": self.partial,
            "stats": {} if best is None else best.stats,
            "best": None if best is None else best.document(),
            "top": [each.document() for each in self.top(top)],
            "overfitting": self.overfitting,
            "workers": self.workers,
            "seconds": self.seconds,
        }

    def frames(self) -> dict[str, dict[str, Any]]:
        """The tables that are kept with it: every trial, and the equity of the best."""
        found: dict[str, dict[str, Any]] = {"table": dict(self.table)}
        if len(self.ranked):
            found["equity"] = {"time": self.best_result.timestamps, "equity": self.best_result.equity}
        return found


@held()
def sweep(
    kind: type[Any],
    bars: Bars | Mapping[str, Bars],
    grid: Given | None = None,
    costs: Costs | None = None,
    *,
    cash: float = 10_000.0,
    metric: str = "sharpe",
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
    start: Moment = None,
    end: Moment = None,
    instruments: Mapping[str, Instrument] | None = None,
    detail: Bars | Mapping[str, Bars] | None = None,
    scheduler: str | None = None,
    **options: Any,
) -> SweepResult:
    """Backtests every valid combination of the grid; the statistics are those of `backtest(...).stats`.

    kind: the strategy's class, such as SmaCross
    grid: values by parameter, sequences or texts ('5:50:5', '5,10,20'); some hundred around the defaults when not given
    metric: ranks the trials (core.research.trial.COLUMNS); more is better, less of a drawdown, volatility or cost
    workers: threads or processes, one per core when not given; scheduler: a Dask scheduler, 'local' for none, by
        default the one of ORCHESTRATOR_CLUSTER__SCHEDULER; the answer is the same
    progress: told the fraction done; Ctrl-C, or Cancelled raised by it, keeps what is done: the result is `partial`
    options: further arguments of `backtest`, such as sizing and funding
    Raises InvalidInput for unknown names, an empty or too large grid, and bars that no combination can use.
    """
    began = time.perf_counter()
    found = grid_of(kind, grid)
    wanted = Metric.of(metric)
    every = combinations(kind, found)
    ground = ground_of(kind, bars, costs, cash, instruments, detail, options, blocks_for(len(every.strategies)))
    span = Span(moment(start), moment(end))
    usable, short = long_enough(every.strategies, ground, span)
    with Runner(ground, workers, chosen_scheduler(scheduler)) as runner:
        trials = runner.run(span, [values_of(each) for each in usable], progress)
        used = runner.kind
    if trials.stopped and not trials.done.any():
        raise trials.stopped
    result = SweepResult(
        ground, span, found, wanted, usable, trials, every.skipped + len(every.strategies) - len(usable),
        every.reason or short,
    )  # fmt: skip
    result.workers = used
    result.seconds = time.perf_counter() - began
    return result


def ground_of(
    kind: type[Any],
    bars: Bars | Mapping[str, Bars],
    costs: Costs | None,
    cash: float,
    instruments: Mapping[str, Instrument] | None,
    detail: Bars | Mapping[str, Bars] | None,
    options: Mapping[str, Any],
    blocks: int,
) -> Ground:
    """What the trials of a search share. Raises InvalidInput as `backtest` does."""
    if not 0.0 < cash < 1e15:
        raise InvalidInput(f"Starting cash must be above 0 and below 1e15, not {cash}.")
    held = shared_bars(bars)
    symbol = next(iter(held))
    fine = {symbol: detail} if isinstance(detail, Bars) else dict(detail or {})
    return Ground(
        kind, held, cash, Costs() if costs is None else costs, instruments, fine or None, dict(options), blocks
    )


def blocks_for(trials: int) -> int:
    """How many returns are kept of each of so many trials, so that all together stay small."""
    return max(32, min(BLOCKS, ROOM // max(1, trials)))


def long_enough(strategies: Sequence[Any], ground: Ground, span: Span) -> tuple[list[Any], str | None]:
    """The strategies that the bars suffice for, and why another is left out. Raises InvalidInput when they never do."""
    known = [len(each.between(None, span.end)) for each in ground.bars.values()]
    there = max(known) if hasattr(ground.kind, "allocate") else min(known)
    kept = [each for each in strategies if each.warmup() < there]
    short = next((each for each in strategies if each.warmup() >= there), None)
    if short is None:
        return kept, None
    fewest = min(each.warmup() for each in strategies)
    if not kept:
        raise InvalidInput(
            f"{short.name} needs more than {fewest} bars with any of these parameters, and there are {there}.",
            needed=fewest,
            bars=there,
        )
    return kept, f"{short.name} needs more than {short.warmup()} bars and there are {there}."


def plain(row: Floats) -> dict[str, Any]:
    """Statistics by name in plain values, None where one is not defined."""
    found: dict[str, Any] = {}
    for name, value in zip(COLUMNS, row.tolist(), strict=True):
        found[name] = None if not np.isfinite(value) else int(value) if name in WHOLE else value
    return found


def data_of(bars: Mapping[str, Bars]) -> list[dict[str, Any]]:
    """What the bars were, as it is kept with results."""
    from core.clock import from_ms

    return [
        {
            "symbol": name,
            "instrument": each.instrument.key,
            "timeframe": each.timeframe,
            "bars": len(each),
            "start": from_ms(int(each.timestamp[0])).isoformat(),
            "end": from_ms(int(each.timestamp[-1])).isoformat(),
            "fingerprint": each.fingerprint(),
            **({} if each.instrument.kind == "spot" else {"kind": each.instrument.kind}),
        }
        for name, each in bars.items()
    ]


def costs_of(costs: Costs) -> dict[str, Any]:
    """The costs by name."""
    return {name: getattr(costs, name) for name in costs.__dataclass_fields__}
