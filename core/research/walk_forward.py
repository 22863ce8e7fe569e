"""walk_forward: parameters are chosen on the past and traded on what follows, window after window, as one run.

What comes out is one curve of which no bar was seen when its parameters were chosen.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import Moment, moment
from core.research.interruption import held
from core.research.result import JUDGED, Result, described, described_kind, tried_as
from core.research.running import Runner
from core.research.space import Given, combinations, grid_of, values_of
from core.research.stitched import Leg, stitched
from core.research.sweep import costs_of, data_of, ground_of, long_enough, plain
from core.research.trial import COLUMNS, Floats, Ground, Metric, Span
from core.research.windows import Window, windows
from core.research.workers import chosen_scheduler
from core.trading.costs import Costs

if TYPE_CHECKING:
    import pandas

OUTSIDE = 0.25  # of the progress of a window: its trials on the part that follows


@dataclass(frozen=True, slots=True)
class Step:
    """A window and what was chosen in it.

    inside: statistics of the chosen on the part it was chosen on; outside: of the stitched run in the part that follows
    correlation: of the trials' ranks by the metric before and after the cut; None where it cannot be said
    """

    window: Window
    start: int  # UTC ms, as the next two
    cut: int
    end: int
    strategy: Any
    inside: dict[str, Any]
    outside: dict[str, Any]
    trials: int
    correlation: float | None

    @property
    def parameters(self) -> dict[str, int | float]:
        return values_of(self.strategy)

    def document(self) -> dict[str, Any]:
        """Plain values, times as ISO texts."""
        return {
            "number": self.window.number,
            "train_start": from_ms(self.start).isoformat(),
            "test_start": from_ms(self.cut).isoformat(),
            "test_end": from_ms(self.end).isoformat(),
            "parameters": self.parameters,
            "in_sample": self.inside,
            "out_of_sample": self.outside,
            "trials": self.trials,
            "rank_correlation": self.correlation,
        }


class WalkForwardResult:
    """What a walk forward found. result: the whole backtest of the stitched run; steps: its windows."""

    def __init__(
        self, ground: Ground, metric: Metric, steps: list[Step], result: Result, asked: int, described: dict[str, Any],
        sharpes: Floats,
    ) -> None:  # fmt: skip
        self.ground, self.metric, self.steps, self.result = ground, metric, steps, result
        self.asked, self.described = asked, described
        self.partial = len(steps) < asked
        self.workers = "threads"
        self.seconds = 0.0
        self.earlier = 0  # other tries of the strategy on these bars; set it before `overfitting` is read
        self._sharpes = sharpes

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def equity(self) -> Floats:
        """(n,) quote, of the stitched run at each close, from the bar on whose close the first window decides."""
        return self.result.equity

    @property
    def timestamps(self) -> NDArray[np.int64]:
        """(n,) UTC ms of the bars' opens."""
        return self.result.timestamps

    @property
    def stats(self) -> dict[str, Any]:
        """The statistics of the stitched run, as of any backtest; what tells skill from luck counts every trial."""
        figures = self.result.figures
        told = {name: value for name, value in figures.items() if name != "warnings"}
        return told | {name: self.overfitting[name] for name in JUDGED} | {"warnings": figures["warnings"]}

    @cached_property
    def trials(self) -> int:
        """Combinations that were tried in the largest window."""
        return max((each.trials for each in self.steps), default=0)

    @cached_property
    def efficiency(self) -> float | None:
        """Yearly growth of the stitched run over the mean of what the chosen promised; None without a promise."""
        promised = [each.inside["total_return"] for each in self.steps]
        years = [(each.cut - each.start) / (365 * timeframes.DAY) for each in self.steps]
        inside = _growth(promised, years)
        outside = _growth(
            [each.outside["total_return"] for each in self.steps],
            [(each.end - each.cut) / (365 * timeframes.DAY) for each in self.steps],
        )
        return outside / inside if inside is not None and outside is not None and inside > 0.0 else None

    @cached_property
    def degradation(self) -> float | None:
        """Mean of the metric after the cut over its mean before; None where it is not above 0 before."""
        pairs = [
            (each.inside[self.metric.name], each.outside[self.metric.name])
            for each in self.steps
            if each.inside[self.metric.name] is not None and each.outside[self.metric.name] is not None
        ]
        before = float(np.mean([each for each, _ in pairs])) if pairs else 0.0
        return float(np.mean([each for _, each in pairs])) / before if before > 0.0 else None

    @cached_property
    def correlation(self) -> float | None:
        """Mean over the windows of the correlation of the trials' ranks before and after the cut."""
        known = [each.correlation for each in self.steps if each.correlation is not None]
        return float(np.mean(known)) if known else None

    @cached_property
    def stability(self) -> dict[str, dict[str, Any]]:
        """By parameter: the values chosen in order, how many differ, mean, deviation, and their ratio (variation)."""
        found = {}
        for name in self.ground.kind.parameters:
            values = [each.parameters[name] for each in self.steps]
            mean, deviation = float(np.mean(values)), float(np.std(values))
            found[name] = {
                "values": values,
                "distinct": len(set(values)),
                "mean": mean,
                "deviation": deviation,
                "variation": deviation / abs(mean) if mean else None,
            }
        return found

    @cached_property
    def overfitting(self) -> dict[str, Any]:
        """Whether the stitched run is luck: its probabilistic Sharpe ratio, and deflated by the trials of a window."""
        from core.analytics.significance import overfitting_of

        year = self.result.periods_per_year
        known = self._sharpes[np.isfinite(self._sharpes)] / np.sqrt(year)
        variance = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
        facts = overfitting_of(
            self.result.returns, trials=max(1, self.trials + self.earlier), variance=variance, periods_per_year=year
        )
        return facts | {"earlier": self.earlier} | {"sentence": self.verdict(facts["probabilistic_sharpe"])}

    @property
    def tries(self) -> list[dict[str, Any]]:
        """What makes each combination another one, as the archive counts them."""
        every = combinations(self.ground.kind, self.described["space"]).strategies
        return [tried_as(described(each)) for each in every]

    def verdict(self, chance: float | None) -> str:
        """One plain sentence."""
        gained, held = self.result.figures["total_return"], self.result.figures["buy_and_hold"]
        if chance is None:
            return "Out of sample it hardly traded, so this says nothing about it."
        beside = "more" if gained > held else "less" if gained < held else "as much"
        than = "than" if beside != "as much" else "as"
        told = f"Out of sample it made {gained:+.1%}, {beside} {than} holding ({held:+.1%})"
        if chance >= 0.95:
            return f"{told}; that its Sharpe ratio is above zero has a probability of {chance:.0%}."
        return f"{told}; with a probability of {chance:.0%} of a Sharpe ratio above zero it may well be luck."

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each window: times, parameters, the main statistics before and after the cut."""
        import pandas

        frame = pandas.DataFrame(self.table)
        for name in ("train_start", "test_start", "test_end"):
            frame[name] = pandas.to_datetime(frame[name], unit="ms", utc=True)
        return frame

    @property
    def table(self) -> dict[str, NDArray[Any]]:
        """(windows,) arrays by name."""
        found: dict[str, NDArray[Any]] = {
            "train_start": np.array([each.start for each in self.steps], dtype=np.int64),
            "test_start": np.array([each.cut for each in self.steps], dtype=np.int64),
            "test_end": np.array([each.end for each in self.steps], dtype=np.int64),
        }
        for name in self.ground.kind.parameters:
            found[name] = np.array([each.parameters[name] for each in self.steps])
        for name in dict.fromkeys((self.metric.name, "total_return", "sharpe", "max_drawdown")):
            for label, side in (("in_sample", "inside"), ("out_of_sample", "outside")):
                values = [getattr(each, side)[name] for each in self.steps]
                found[f"{label}_{name}"] = np.array([np.nan if value is None else value for value in values])
        found["rank_correlation"] = np.array([_number(each.correlation) for each in self.steps])
        return found

    def document(self) -> dict[str, Any]:
        """Plain values, as `--json` prints them."""
        return {
            "strategy": described_kind(self.ground.kind, {}),
            "data": data_of(self.ground.bars),
            "costs": costs_of(self.ground.costs),
            "cash": self.ground.cash,
            **self.described,
            "metric": self.metric.name,
            "windows": [each.document() for each in self.steps],
            "asked": self.asked,
            "partial": self.partial,
            "trials": self.trials,
            "stats": self.stats,
            "efficiency": self.efficiency,
            "degradation": self.degradation,
            "rank_correlation": self.correlation,
            "stability": self.stability,
            "overfitting": self.overfitting,
            "workers": self.workers,
            "seconds": self.seconds,
        }

    def frames(self) -> dict[str, dict[str, Any]]:
        """The tables that are kept with it."""
        return {
            "windows": dict(self.table),
            "equity": {"time": self.timestamps, "equity": self.equity},
        }


@held()
def walk_forward(
    kind: type[Any],
    bars: Bars | Mapping[str, Bars],
    grid: Given | None = None,
    costs: Costs | None = None,
    *,
    train: int | str = "180d",
    test: int | str = "30d",
    anchored: bool = False,
    metric: str = "sharpe",
    cash: float = 10_000.0,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
    start: Moment = None,
    end: Moment = None,
    instruments: Mapping[str, Instrument] | None = None,
    detail: Bars | Mapping[str, Bars] | None = None,
    scheduler: str | None = None,
    **options: Any,
) -> WalkForwardResult:
    """Chooses the best combination of the grid on each training part and trades it on the test part that follows.

    train, test: bars, or durations such as '180d'; anchored: every training part begins at the first bar, else they
        move on. The test parts follow each other without gap or overlap, and no bar of one is seen when its parameters
        are chosen; indicators warm up on the bars before it.
    The stitched run is one backtest: cash and positions go on from window to window, and at the first bar of each the
        position becomes what the new parameters last asked for (see core.research.stitched).
    metric, workers, progress, scheduler, options: as in `sweep`
    Raises InvalidInput for unknown names, and for bars that are too few for two windows.
    """
    began = time.perf_counter()
    found, wanted = grid_of(kind, grid), Metric.of(metric)
    every = combinations(kind, found)
    ground = ground_of(kind, bars, costs, cash, instruments, detail, options, 0)
    whole = Span(moment(start), moment(end))
    shown = next(iter(ground.bars.values())).between(whole.start, whole.end)
    length = timeframes.milliseconds(shown.timeframe)
    parts = windows(shown.timestamp, train, test, anchored, length)
    times = np.append(shown.timestamp, int(shown.timestamp[-1]) + length)
    walk = _Walk(ground, every.strategies, wanted, times, whole)
    with Runner(ground, workers, chosen_scheduler(scheduler)) as runner:
        chosen = walk.through(parts, runner, progress)
        used = runner.kind
    if walk.stopped and not chosen:
        raise walk.stopped
    legs = walk.legs(parts, chosen)
    result = ground.backtest(stitched(legs), Span(legs[0].start, legs[-1].end))
    steps = walk.steps(parts, chosen, result)
    described = {
        "space": {name: list(values) for name, values in found.items()}, "train": str(train), "test": str(test),
        "anchored": anchored, "skipped": every.skipped,
    }  # fmt: skip
    sharpes = np.concatenate([each.sharpes for each in chosen])
    done = WalkForwardResult(ground, wanted, steps, result, len(parts), described, sharpes)
    done.workers = used
    done.seconds = time.perf_counter() - began
    return done


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """The best of a window. sharpes: of all its trials on the training part."""

    strategy: Any
    stats: dict[str, Any]
    trials: int
    correlation: float | None
    sharpes: Floats


class _Walk:
    """The choosing, window by window."""

    def __init__(
        self, ground: Ground, strategies: tuple[Any, ...], metric: Metric, times: NDArray[np.int64], whole: Span
    ) -> None:
        self._ground, self._strategies, self._metric = ground, strategies, metric
        self._times, self._whole = times, whole
        self.stopped: BaseException | None = None  # what has interrupted it

    def through(self, parts: list[Window], runner: Runner, progress: Callable[[float], None] | None) -> list[_Chosen]:
        """What is chosen in each window; those before an interruption."""
        chosen: list[_Chosen] = []
        for number, window in enumerate(parts):

            def told(share: float, base: int = number) -> None:
                if progress:
                    progress((base + share) / len(parts))

            inside = Span(int(self._times[window.first]), int(self._times[window.cut]))
            outside = Span(inside.end, int(self._times[window.end]))
            usable, _ = long_enough(self._strategies, self._ground, inside)
            parameters = [values_of(each) for each in usable]
            before = runner.run(inside, parameters, lambda share: told((1.0 - OUTSIDE) * share))
            if before.stopped:
                self.stopped = before.stopped
                break
            after = runner.run(outside, parameters, lambda share: told(1.0 - OUTSIDE + OUTSIDE * share))
            if after.stopped:
                self.stopped = after.stopped
                break
            scores = self._metric.sign * before.table[:, self._metric.column]
            if np.isfinite(scores).any():
                best = int(np.nanargmax(np.where(np.isfinite(scores), scores, np.nan)))
            elif chosen:  # nothing traded: what was chosen before goes on
                best = next((i for i, each in enumerate(usable) if each == chosen[-1].strategy), 0)
            else:
                best = 0
            later = self._metric.sign * after.table[:, self._metric.column]
            sharpes = before.table[:, COLUMNS.index("sharpe")]
            chosen.append(
                _Chosen(usable[best], plain(before.table[best]), len(usable), rank_correlation(scores, later), sharpes)
            )
        return chosen

    def legs(self, parts: list[Window], chosen: list[_Chosen]) -> list[Leg]:
        """When each choice decides: from the close of the last bar before its test part to that of the part's last."""
        found = []
        for window, each in zip(parts, chosen, strict=False):
            last = window.number + 1 == len(chosen)
            end = int(self._times[window.end]) if last else int(self._times[window.end - 1])
            found.append(Leg(each.strategy, int(self._times[window.cut - 1]), end))
        return found

    def steps(self, parts: list[Window], chosen: list[_Chosen], result: Result) -> list[Step]:
        """The windows with what became of the choices in the stitched run."""
        from core.analytics.summary import SUMMARY, summarise

        curve, year = np.concatenate(([result.cash], result.equity)), result.periods_per_year
        found = []
        for window, each in zip(parts, chosen, strict=False):
            start, cut, end = (int(self._times[row]) for row in (window.first, window.cut, window.end))
            first, last = np.searchsorted(result.timestamps, [cut, end])
            values = summarise(curve[first + 1 : last + 1].copy(), float(curve[first]), year)
            outside = dict.fromkeys(COLUMNS)
            told = plain(np.array([values[SUMMARY.index(name)] if name in SUMMARY else np.nan for name in COLUMNS]))
            found.append(
                Step(window, start, cut, end, each.strategy, each.stats, outside | told, each.trials, each.correlation)
            )
        return found


def rank_correlation(before: Floats, after: Floats) -> float | None:
    """Spearman's correlation of the trials that have both; None for fewer than three or without variation."""
    known = np.isfinite(before) & np.isfinite(after)
    if np.count_nonzero(known) < 3 or np.ptp(before[known]) == 0.0 or np.ptp(after[known]) == 0.0:
        return None
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(before[known]), rankdata(after[known]))[0, 1])


def _growth(returns: list[float | None], years: list[float]) -> float | None:
    """Yearly growth of returns that follow each other; None when everything was lost or nothing is known."""
    if not returns or any(each is None or each <= -1.0 for each in returns) or not sum(years) > 0.0:
        return None
    exponent = float(np.sum(np.log1p(np.array(returns, dtype=np.float64)))) / sum(years)
    return float(np.expm1(exponent)) if exponent < 700.0 else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
