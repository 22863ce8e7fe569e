"""monte_carlo: how far luck alone may move a result, told by many histories that might as well have been.

trades: the same trades in other orders (or drawn with replacement); blocks: the same returns, drawn in blocks by the
stationary bootstrap; prices: the strategy run again on bars with noise; costs: the same signals, carried out at other
slippage and fees, some missed, some late. Run i of a seed is the same whatever is run beside it and wherever.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.analytics.paths import FIGURES, figures_of
from core.errors import InvalidInput
from core.jobs import Cancelled
from core.research import histories
from core.research.histories import Histories
from core.research.interruption import held
from core.research.jitter import Jitter
from core.research.result import Result, finite
from core.research.workers import Crew, chosen_scheduler, crew

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kind = Literal["trades", "blocks", "prices", "costs"]

KINDS: Mapping[str, str] = {
    "trades": "the same trades in other orders",
    "blocks": "the same returns, drawn anew in blocks",
    "prices": "the same market with noise on its prices",
    "costs": "the same signals, carried out with more or less luck",
}
WITH_REPLACEMENT = "as many of the same trades, drawn with replacement"
SETTINGS = {"trades": "replace", "blocks": "block", "prices": "noise", "costs": "jitter (missed, late)"}
NOISE = 0.25  # ranges of a bar
LEVELS = (5, 25, 50, 75, 95)  # percentiles
BATCHES, LARGEST = 100, 25  # parts in which the runs are done, and the most runs in one
ABOUT = ("strategy", "data", "costs")  # of the result's document


@dataclass(frozen=True, slots=True, eq=False)
class MonteCarlo:
    """What many histories came to.

    figures: (runs, 4) per run: FIGURES of core.analytics.paths, the Sharpe ratio annual
    bands: {"p5": (points,), …} equity in quote at each of axis (points,): UTC ms, or numbers of trades
    original: the result's own figures; partial: it was stopped before all runs that were asked for
    """

    kind: str
    asked: int
    seed: int
    cash: float
    ruin: float
    figures: Floats
    original: Floats
    axis: Integers
    equity: Floats
    bands: Mapping[str, Floats]
    partial: bool
    seconds: float
    settings: Mapping[str, Any]
    about: Mapping[str, Any] = field(repr=False)

    @property
    def runs(self) -> int:
        """Runs that were done."""
        return len(self.figures)

    @property
    def final_equity(self) -> Floats:
        return self.figures[:, 0]

    @property
    def max_drawdown(self) -> Floats:
        return self.figures[:, 1]

    @property
    def sharpe(self) -> Floats:
        return self.figures[:, 2]

    @property
    def probability_of_loss(self) -> float:
        """Share of the runs that end below the starting cash."""
        return float(np.mean(self.final_equity < self.cash * (1.0 - 1e-12)))

    @property
    def probability_of_ruin(self) -> float:
        """Share of the runs whose equity fell to `ruin` times the starting cash or below, at any time."""
        return float(np.mean(self.figures[:, 3] <= self.ruin * self.cash))

    def percentiles(self, name: str) -> dict[str, float | None]:
        """{"p5": …} of one of FIGURES over the runs; None where it is not defined in any."""
        values = self.figures[:, FIGURES.index(name)]
        known = values[np.isfinite(values)]
        return {f"p{level}": float(np.percentile(known, level)) if len(known) else None for level in LEVELS}

    @property
    def made(self) -> str:
        """What each history is, in words."""
        return WITH_REPLACEMENT if self.settings.get("replace") else KINDS[self.kind]

    @property
    def sentence(self) -> str:
        """What it means, for a trader."""
        ends, drops = self.percentiles("final_equity"), self.percentiles("max_drawdown")
        worst = drops["p95"] or 0.0
        told = f"{self.runs:,} histories ({self.made})"
        if self.kind == "trades" and not self.settings["replace"]:
            return (
                f"In {told} the deepest drawdown was {drops['p50'] or 0.0:.0%} in the middle and beyond {worst:.0%} in"
                f" one of twenty; the end is the same in all. {self._ruin()}"
            )
        low, high = float(self.final_equity.min()), float(self.final_equity.max())
        if high - low <= 1e-9 * self.cash:  # nothing was traded, or every price was the same
            fell = f" and one of twenty had a drawdown beyond {worst:.0%}" if worst > 0.0 else ""
            return f"All of {told} ended at {high:,.0f}, from {self.cash:,.0f}{fell}. {self._ruin()}"
        return (
            f"Of {told} half ended below {ends['p50']:,.0f} and one of twenty below {ends['p5']:,.0f}, from"
            f" {self.cash:,.0f}; one of twenty had a drawdown beyond {worst:.0%}."
            f" {self.probability_of_loss:.0%} lost money. {self._ruin()}"
        )

    def _ruin(self) -> str:
        return f"In {self.probability_of_ruin:.1%} the equity fell to {self.ruin:.0%} of the cash or below."

    def document(self) -> dict[str, Any]:
        """Plain values: what was run, percentiles, probabilities."""
        stats = {
            "initial_cash": self.cash,
            **{name: finite(value) for name, value in zip(FIGURES, self.original.tolist(), strict=True)},
            "median_final_equity": self.percentiles("final_equity")["p50"],
            "max_drawdown_p95": self.percentiles("max_drawdown")["p95"],
            "probability_of_loss": self.probability_of_loss,
            "probability_of_ruin": self.probability_of_ruin,
        }
        return {
            **self.about,
            "method": self.kind,
            "runs": self.runs,
            "asked": self.asked,
            "partial": self.partial,
            "seed": self.seed,
            "ruin": self.ruin,
            "settings": dict(self.settings),
            "stats": stats,
            "percentiles": {name: self.percentiles(name) for name in FIGURES},
            "sentence": self.sentence,
            "seconds": self.seconds,
        }

    def frames(self) -> dict[str, dict[str, Any]]:
        """{"bands": columns by axis, "runs": figures of each run}, as the archive keeps them."""
        by = "trade" if self.kind == "trades" else "time"
        return {
            "bands": {by: self.axis, "equity": self.equity, **self.bands},
            "runs": {name: self.figures[:, place] for place, name in enumerate(FIGURES)},
        }


@held()
def monte_carlo(
    result: Result,
    kind: Kind = "trades",
    runs: int = 1000,
    seed: int = 0,
    ruin: float = 0.5,
    *,
    replace: bool = False,
    block: float | None = None,
    noise: float | None = None,
    jitter: Jitter | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> MonteCarlo:
    """Many histories beside that of a backtest.

    ruin: share of the starting cash; equity at or below it is ruin
    replace: of trades, which are drawn with replacement rather than put into another order
    block: of blocks, average bars in one, chosen from the autocorrelation when not given
    noise: of prices, how far they are moved, in ranges of their bars, 0.25 when not given
    jitter: of costs, how signals are carried out
    workers: threads, one per core when not given; scheduler: a Dask scheduler, 'local' for none, by default that of
        ORCHESTRATOR_CLUSTER__SCHEDULER; the answer is the same
    progress: told the fraction done, 0 to 1; when it raises Cancelled, or on Ctrl-C, what is done is the result
    Raises InvalidInput for impossible settings and those of another kind, or a result with too few trades or bars.
    """
    began = time.perf_counter()
    demand_settings(kind, runs, seed, ruin, replace=replace, block=block, noise=noise, jitter=jitter)
    match kind:
        case "trades":
            made = histories.trades(result, seed, replace)
        case "blocks":
            made = histories.blocks(result, seed, block)
        case "prices":
            made = histories.prices(result, seed, NOISE if noise is None else noise)
        case "costs":
            made = histories.costs(result, seed, jitter or Jitter())
    figures, kept = np.empty((runs, len(FIGURES))), np.empty((runs, len(made.marks)))
    own, equity = np.empty(len(FIGURES)), np.empty(len(made.marks))
    figures_of(made.original, result.cash, made.marks, own, equity)
    done = np.zeros(runs, dtype=bool)
    with crew((made, result.cash), workers=workers, scheduler=chosen_scheduler(scheduler)) as hands:
        for first, end, found in _each(runs, hands, progress):
            figures[first:end], kept[first:end] = found
            done[first:end] = True
    if not done.any():
        raise KeyboardInterrupt
    figures, kept = figures[done], kept[done]
    for values in (figures, own[None, :]):
        values[:, 2] *= np.sqrt(made.year)
    levels = np.percentile(kept, LEVELS, axis=0)
    return MonteCarlo(
        kind=kind,
        asked=runs,
        seed=seed,
        cash=result.cash,
        ruin=ruin,
        figures=figures,
        original=own,
        axis=made.axis,
        equity=equity,
        bands={f"p{level}": values for level, values in zip(LEVELS, levels, strict=True)},
        partial=not done.all(),
        seconds=time.perf_counter() - began,
        settings=made.settings,
        about={name: value for name, value in result.document(trades=False).items() if name in ABOUT},
    )


def _each(
    runs: int, hands: Crew, progress: Callable[[float], None] | None
) -> Iterator[tuple[int, int, tuple[Floats, Floats]]]:
    """(first, end, figures and kept points of these runs) batch by batch, until all are done or somebody stops it."""
    size = max(1, min(LARGEST, runs // BATCHES))
    items = [(first, min(runs, first + size)) for first in range(0, runs, size)]
    try:
        for place, found in hands.each(_batch, items, progress):
            yield *items[place], found
    except (KeyboardInterrupt, Cancelled):
        return  # what is done by then is kept


def _batch(shared: tuple[Histories, float], runs: tuple[int, int]) -> tuple[Floats, Floats]:
    """The figures (runs, 4) and kept points (runs, points) of a batch."""
    made, cash = shared
    first, end = runs
    figures, kept = np.empty((end - first, len(FIGURES))), np.empty((end - first, len(made.marks)))
    for place, run in enumerate(range(first, end)):
        figures_of(made.path(run), cash, made.marks, figures[place], kept[place])
    return figures, kept


def demand_settings(
    kind: str,
    runs: int,
    seed: int,
    ruin: float,
    *,
    replace: bool = False,
    block: float | None = None,
    noise: float | None = None,
    jitter: Jitter | None = None,
) -> None:
    """Raises InvalidInput for settings that `monte_carlo` would refuse, before a long backtest has run for nothing."""
    _check(kind, runs, seed, ruin, NOISE if noise is None else noise)
    given = {"trades": replace, "blocks": block is not None, "prices": noise is not None, "costs": jitter is not None}
    _demand_own(kind, given)


def _demand_own(kind: str, given: Mapping[str, bool]) -> None:
    """Raises InvalidInput for a setting of another kind, which would change nothing. given: by the kind it is of."""
    for other, is_given in given.items():
        if is_given and other != kind:
            raise InvalidInput(
                f"{SETTINGS[other]} is a setting of the kind {other}; the kind {kind} takes {SETTINGS[kind]}."
            )


def _check(kind: str, runs: int, seed: int, ruin: float, noise: float) -> None:
    if kind not in KINDS:
        raise InvalidInput(f"'{kind}' is not a kind of simulation; accepted are {', '.join(KINDS)}.")
    if not 1 <= runs <= 1_000_000:
        raise InvalidInput(f"{runs} runs are not between 1 and 1,000,000; 1,000 are usual.")
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"The seed {seed} is outside 0 to {2**32 - 1}.")
    if not 0.0 <= ruin < 1.0:
        raise InvalidInput(f"ruin {ruin:g} is not a share of the cash from 0 to below 1; 0.5 is half of it.")
    if not 0.0 <= noise <= 10.0:
        raise InvalidInput(f"noise {noise:g} is not between 0 and 10 ranges of a bar.")
