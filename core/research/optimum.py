"""OptimizeResult: what a search found, on the part it saw and on the part it did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.research.doubt import doubt
from core.research.result import Result, described, described_kind, tried_as
from core.research.space import values_of
from core.research.sweep import costs_of, data_of
from core.research.trial import COLUMNS, Floats, Ground, Metric, Span

if TYPE_CHECKING:
    import pandas

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Goals:
    """The metrics that a search makes large or small."""

    metrics: tuple[Metric, ...]

    def scores(self, rows: Floats) -> Floats:
        """(trials, metrics), more is better."""
        return np.column_stack([each.sign * rows[:, each.column] for each in self.metrics])


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A trial of a search. stats: None when it was given up before the end; row, blocks: as core.research.trial."""

    number: int
    strategy: Any
    stats: dict[str, Any] | None
    row: Floats
    blocks: Floats | None

    @property
    def parameters(self) -> dict[str, int | float]:
        return values_of(self.strategy)

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {"number": self.number, "parameters": self.parameters, "stats": self.stats}


class OptimizeResult:
    """What a search found. outcomes: every trial in order; inside, outside: the stretches searched and held out."""

    def __init__(
        self, ground: Ground, goals: Goals, inside: Span, outside: Span | None, outcomes: Sequence[Outcome],
        described: dict[str, Any], study: str | None, refused: int, partial: bool,
    ) -> None:  # fmt: skip
        self.ground, self.goals, self.inside, self.outside = ground, goals, inside, outside
        self.outcomes, self.described, self.study = tuple(outcomes), described, study
        self.refused, self.partial = refused, partial
        self.workers = "threads"
        self.seconds = 0.0
        self.earlier = 0  # other tries of the strategy on these bars; set it before `overfitting` is read

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def pruned(self) -> int:
        """Trials that were given up before the end."""
        return sum(each.stats is None for each in self.outcomes)

    @cached_property
    def values(self) -> Floats:
        """(trials, COLUMNS) statistics on the part that was searched, NaN where there is none."""
        return np.array([each.row for each in self.outcomes]).reshape(len(self.outcomes), len(COLUMNS))

    @cached_property
    def front(self) -> list[Outcome]:
        """The trials that no other beats in every metric, the best by the first metric first; equal ones once."""
        scores = self.goals.scores(self.values) if len(self) else np.empty((0, 1))
        known = [i for i in range(len(scores)) if np.isfinite(scores[i]).all()]
        order = sorted(known, key=lambda i: tuple(-scores[i]))
        kept: list[int] = []
        for i in order:
            beaten = any((scores[j] >= scores[i]).all() for j in kept)
            if not beaten:
                kept.append(i)
        return [self.outcomes[i] for i in kept]

    @property
    def best(self) -> Outcome:
        """The best trial, by the first metric where there are several. Raises InvalidInput when there is none."""
        if not self.front:
            names = " and ".join(each.name for each in self.goals.metrics)
            raise InvalidInput(f"No trial has a {names}: none of them traded enough.")
        return self.front[0]

    def top(self, count: int = SHOWN) -> list[Outcome]:
        """The best trials: the front, and then by the first metric; each set of parameters once."""
        scores = self.goals.scores(self.values)[:, 0] if len(self) else np.empty(0)
        ranked = [self.outcomes[int(i)] for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])]
        seen: dict[tuple[Any, ...], Outcome] = {}
        for each in [*(self.front if len(self.goals.metrics) > 1 else []), *ranked]:
            seen.setdefault(tuple(each.parameters.values()), each)
        return list(seen.values())[:count]

    @cached_property
    def in_sample(self) -> Result:
        """The whole backtest of the best on the part that was searched."""
        found: Result = self.ground.backtest(self.best.strategy, self.inside)
        return found

    @cached_property
    def out_of_sample(self) -> Result | None:
        """The whole backtest of the best on the part that was held out; None when nothing was."""
        if self.outside is None:
            return None
        found: Result = self.ground.backtest(self.best.strategy, self.outside)
        return found

    @cached_property
    def held_out(self) -> list[dict[str, Any] | None]:
        """Statistics on the part that was held out, of each trial of the front (the first twenty)."""
        if self.outside is None:
            return [None for _ in self.front[:SHOWN]]
        return [dict(self.ground.backtest(each.strategy, self.outside).stats) for each in self.front[:SHOWN]]

    @cached_property
    def overfitting(self) -> dict[str, Any]:
        """How much of the best is luck, every trial counted: see core.research.doubt."""
        if not self.front:
            return {"trials": len(self), "sentence": "No trial could be measured, so there is nothing to doubt."}
        blocks = [each.blocks for each in self.outcomes if each.blocks is not None and len(each.blocks)]
        returns = np.array(blocks).T if len(blocks) > 1 else np.empty((0, 0))
        return doubt(self.in_sample, self.values[:, COLUMNS.index("sharpe")], returns, self.earlier)

    @property
    def tries(self) -> list[dict[str, Any]]:
        """What makes each trial another one, as the archive counts them."""
        return [tried_as(described(each.strategy)) for each in self.outcomes]

    @property
    def degradation(self) -> float | None:
        """The first metric out of sample over the same in sample; None where it cannot be said."""
        after = self.held_out[0] if self.front and self.held_out else None
        name = self.goals.metrics[0].name
        before = self.best.stats if self.front else None
        if after is None or not before or not before[name] or after[name] is None or before[name] <= 0:
            return None
        return float(after[name] / before[name])

    @property
    def table(self) -> dict[str, NDArray[Any]]:
        """(trials,) arrays by name: number, each parameter, then each statistic."""
        found: dict[str, NDArray[Any]] = {"number": np.array([each.number for each in self.outcomes], dtype=np.int64)}
        for name in self.ground.kind.parameters:
            found[name] = np.array([getattr(each.strategy, name) for each in self.outcomes])
        return found | {name: self.values[:, i] for i, name in enumerate(COLUMNS)}

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each trial in order."""
        import pandas

        return pandas.DataFrame(self.table)

    def document(self, top: int = SHOWN) -> dict[str, Any]:
        """Plain values, as `--json` prints them."""
        best = self.best if self.front else None
        after = self.held_out[0] if best else None
        return {
            "strategy": described_kind(self.ground.kind, {} if best is None else best.parameters),
            "data": data_of(self.ground.bars),
            "costs": costs_of(self.ground.costs),
            "cash": self.ground.cash,
            "space": self.described["space"],
            "metrics": self.described["metrics"],
            "sampler": self.described["sampler"],
            "pruner": self.described["pruner"],
            "seed": self.described["seed"],
            "holdout": self.described["holdout"],
            "study": self.study,
            "trials": len(self),
            "pruned": self.pruned,
            "refused": self.refused,
            "partial": self.partial,
            "stats": {} if best is None else best.stats,
            "best": None if best is None else best.document(),
            "in_sample": None if best is None else best.stats,
            "out_of_sample": after,
            "degradation": self.degradation,
            "front": [
                each.document() | {"out_of_sample": later}
                for each, later in zip(self.front[:SHOWN], self.held_out, strict=True)
            ],
            "top": [each.document() for each in self.top(top)],
            "overfitting": self.overfitting,
            "workers": self.workers,
            "seconds": self.seconds,
        }

    def frames(self) -> dict[str, dict[str, Any]]:
        """The tables that are kept with it: every trial, and the equity of the best, held out where there is such."""
        found: dict[str, dict[str, Any]] = {"table": dict(self.table)}
        if self.front:
            shown = self.out_of_sample or self.in_sample
            found["equity"] = {"time": shown.timestamps, "equity": shown.equity}
        return found
