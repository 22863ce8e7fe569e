"""optimize: searches a strategy's parameters on the earlier part of a history and judges the best on the rest.

Trials are asked for and answered in batches of fixed size, and each batch's sampler is seeded by the batch's number:
the seed decides the result, whatever the number of workers and wherever they are, also of a study that was resumed.
"""

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.errors import AppError, Conflict, InvalidInput, NotFound
from core.jobs import Cancelled
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import Moment, moment
from core.research.interruption import held, safe_point
from core.research.optimum import Goals, OptimizeResult, Outcome
from core.research.ranges import Dimension, chosen, dimensions_of, single, suggested, written
from core.research.running import Runner
from core.research.space import Given, values_of
from core.research.studies import optuna, storage
from core.research.sweep import costs_of, ground_of, plain
from core.research.trial import COLUMNS, Floats, Ground, Metric, Span
from core.research.workers import chosen_scheduler
from core.trading.costs import Costs

Sampler = Literal["tpe", "cmaes", "random", "grid", "nsga2"]
Pruner = Literal["none", "median", "halving"]
SAMPLERS = ("tpe", "cmaes", "random", "grid", "nsga2")
PRUNERS = ("none", "median", "halving")
BATCH = 8  # trials that are asked for together
PARTS = (0.25, 0.5)  # of the history, after which pruning looks
MOST = 20_000  # trials of one study
REFUSED = 50  # combinations in a row that a strategy refuses, per trial of a batch, before the search gives up
BLOCKS = 256  # returns kept of each trial


@held()
def optimize(
    kind: type[Any],
    bars: Bars | Mapping[str, Bars],
    space: Given | None = None,
    costs: Costs | None = None,
    *,
    metrics: str | Sequence[str] = "sharpe",
    sampler: str = "tpe",
    trials: int = 100,
    pruner: str = "none",
    holdout: float = 0.3,
    seed: int = 0,
    study: str | None = None,
    database: str | None = None,
    resume: bool = False,
    cash: float = 10_000.0,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
    start: Moment = None,
    end: Moment = None,
    instruments: Mapping[str, Instrument] | None = None,
    detail: Bars | Mapping[str, Bars] | None = None,
    scheduler: str | None = None,
    **options: Any,
) -> OptimizeResult:
    """The best parameters of the part of the history that is not held out, and what they did on the part that is.

    space: by parameter a range as text ('5:50', '0.5:3:0.25') or the values to choose from; around the defaults when
        not given
    metrics: what to make large, or small where less is better (max_drawdown, volatility) or a minus stands before it;
        several give the front of those that no other beats in all
    sampler: tpe, cmaes, random, grid or nsga2; pruner: none, median or halving, which give up trials that do badly on
        the first quarter or half
    holdout: share of the history that no trial sees
    study: a name under which the trials are kept in `database` (see core.research.studies.address); resume: go on with
        it up to `trials` in all
    progress, workers, scheduler, options: as in `sweep`
    Raises InvalidInput, NotFound for a study to resume that is not there, Conflict for one that is there already.
    """
    began = time.perf_counter()
    goals = Goals(tuple(Metric.of(each) for each in ([metrics] if isinstance(metrics, str) else metrics)))
    _check(goals, sampler, pruner, trials, holdout, seed)
    dimensions = dimensions_of(kind, space)
    if all(single(each) is not None for each in dimensions.values()):
        told = " ".join(f"{name}={single(each):g}" for name, each in dimensions.items())
        raise InvalidInput(
            f"{told} leaves nothing to search: give {next(iter(dimensions))} a range or several values, such as"
            " fast=5:50, fast=5:50:5 or fast=5,10,20.",
        )
    ground = ground_of(kind, bars, costs, cash, instruments, detail, options, BLOCKS)
    inside, outside = divided(ground, Span(moment(start), moment(end)), holdout)
    described = {
        "strategy": kind.name, "space": {name: each.document() for name, each in dimensions.items()},
        "metrics": [("-" if each.sign < 0 else "") + each.name for each in goals.metrics], "sampler": sampler,
        "pruner": pruner, "holdout": holdout, "seed": seed, "cash": cash, "costs": costs_of(ground.costs),
        "data": {name: each.fingerprint() for name, each in ground.bars.items()}, "span": [inside.start, inside.end],
    }  # fmt: skip
    kept = _study(study, database, resume, goals, described)
    with Runner(ground, workers, chosen_scheduler(scheduler)) as runner:
        search = _Search(kept, ground, dimensions, goals, sampler, pruner, seed, inside, runner)
        outcomes = search.run(trials, progress)
        used = runner.kind
    if search.stopped and not outcomes:
        raise search.stopped
    result = OptimizeResult(
        ground, goals, inside, outside, outcomes, described, study, search.refused, search.stopped is not None
    )
    result.workers = used
    result.seconds = time.perf_counter() - began
    return result


def divided(ground: Ground, span: Span, holdout: float) -> tuple[Span, Span | None]:
    """The part that is searched and the part that is held out, None for none. Raises InvalidInput for too few bars."""
    first = next(iter(ground.bars.values())).between(span.start, span.end)
    if not holdout:
        return span, None
    cut = int(len(first) * (1.0 - holdout))
    if cut < 2 or len(first) - cut < 2:
        raise InvalidInput(f"{len(first)} bars are too few to hold out {holdout:.0%} of them.", bars=len(first))
    at = int(first.timestamp[cut])
    return Span(span.start, at), Span(at, span.end)


def _check(goals: Goals, sampler: str, pruner: str, trials: int, holdout: float, seed: int) -> None:
    if not goals.metrics:
        raise InvalidInput("A search needs at least one metric, such as sharpe.")
    if len({each.name for each in goals.metrics}) < len(goals.metrics):
        raise InvalidInput("Each metric can be given once.")
    if sampler not in SAMPLERS:
        raise InvalidInput(f"There is no sampler '{sampler}'; there are {', '.join(SAMPLERS)}.", sampler=sampler)
    if pruner not in PRUNERS:
        raise InvalidInput(f"There is no pruner '{pruner}'; there are {', '.join(PRUNERS)}.", pruner=pruner)
    if pruner != "none" and len(goals.metrics) > 1:
        raise InvalidInput(f"Trials can be pruned by one metric only, and there are {len(goals.metrics)}.")
    if sampler == "cmaes" and len(goals.metrics) > 1:
        raise InvalidInput("The sampler cmaes takes one metric only; nsga2 and tpe take several.")
    if not 1 <= trials <= MOST:
        raise InvalidInput(f"{trials:,} trials is outside 1 to {MOST:,}.", trials=trials)
    if not 0.0 <= holdout <= 0.9:
        raise InvalidInput(f"A holdout of {holdout:g} is outside 0 to 0.9; 0.3 keeps the last 30 % out of the search.")
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"The seed {seed} is outside 0 to {2**32 - 1}.")


def _study(name: str | None, database: str | None, resume: bool, goals: Goals, described: dict[str, Any]) -> Any:
    library = optuna()
    directions = ["maximize" if each.sign > 0 else "minimize" for each in goals.metrics]
    if database is None or name is None:
        if resume:
            raise InvalidInput("A study can be resumed by its name only.")
        return library.create_study(directions=directions)
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise InvalidInput(f"'{name[:100]}' is no name for a study.")
    there = storage(database)
    try:
        kept = library.load_study(study_name=name, storage=there)
    except KeyError:
        if resume:
            others = sorted(library.get_all_study_names(there))[:10]
            hint = f"There are: {', '.join(others)}." if others else "None has been kept yet."
            raise NotFound(f"There is no study '{name}' to resume.", hint=hint) from None
        kept = library.create_study(study_name=name, storage=there, directions=directions)
        kept.set_user_attr("described", json.dumps(described))
        return kept
    if not resume:
        raise Conflict(f"There is a study '{name}' already.", hint="Resume it, or choose another name.")
    before = json.loads(kept.user_attrs.get("described", "{}"))
    after = json.loads(json.dumps(described))
    changed = [key for key, value in after.items() if before.get(key) != value]
    if changed == ["space"]:
        raise Conflict(
            f"The study '{name}' was begun with {_ranges(before['space'], after['space'])}, and it is to go on with"
            f" {_ranges(after['space'], before['space'])}.",
            hint="Give the ranges that it was begun with, or choose another name to begin another study.",
        )
    if changed:
        told = ["ranges" if key == "space" else key for key in changed]
        raise Conflict(
            f"The study '{name}' was begun with other values of {', '.join(told)}.", hint="Choose another name."
        )
    return kept


def _ranges(space: Mapping[str, list[int | float]], other: Mapping[str, list[int | float]]) -> str:
    """Those that differ from another's, as they are given: fast=2:30 and slow=10:90:5."""
    names = [name for name in {**space, **other} if space.get(name) != other.get(name)]
    return " and ".join(f"{name}={written(space[name])}" if name in space else f"no range of {name}" for name in names)


@dataclass(slots=True)
class _Asked:
    """A trial that is asked for: Optuna's, its parameters, and whether it is given up."""

    trial: Any
    parameters: dict[str, int | float]
    pruned: bool = False


class _Search:
    """The loop of asking and telling."""

    def __init__(
        self, study: Any, ground: Ground, dimensions: Mapping[str, Dimension], goals: Goals, sampler: str, pruner: str,
        seed: int, span: Span, runner: Runner,
    ) -> None:  # fmt: skip
        self._library = optuna()
        self._study, self._ground, self._dimensions, self._goals = study, ground, dimensions, goals
        self._sampler, self._seed, self._span, self._runner = sampler, seed, span, runner
        self._pruning = pruner != "none"
        self._blocks: dict[int, Floats] = {}
        self._fewest = min(len(each.between(None, span.end)) for each in ground.bars.values())
        self._known: dict[tuple[int | float, ...], tuple[Floats, Floats]] = {}
        self.refused = 0
        self.stopped: BaseException | None = None  # what has interrupted it
        if pruner == "median":
            study.pruner = self._library.pruners.MedianPruner(n_startup_trials=BATCH)
        elif pruner == "halving":
            study.pruner = self._library.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
        states = self._library.trial.TrialState
        for left in study.get_trials(deepcopy=False, states=(states.RUNNING, states.WAITING)):
            study.tell(left.number, state=states.FAIL)  # of a run that was interrupted

    def run(self, wanted: int, progress: Callable[[float], None] | None) -> list[Outcome]:
        """The outcomes of all trials of the study, up to `wanted`. An interruption keeps those that are done."""
        try:
            if self._sampler == "grid":
                wanted = self._lay_out(wanted)
            self._recall(None if progress is None else self._told(progress, 0, len(self._finished()), wanted))
            while (done := len(self._finished())) < wanted:
                safe_point()
                told = None if progress is None else self._told(progress, done, min(BATCH, wanted - done), wanted)
                if not self._batch(min(BATCH, wanted - done), told):
                    break
        except (KeyboardInterrupt, Cancelled) as interruption:
            self.stopped = interruption
        if progress and not self.stopped:
            progress(1.0)
        return self._outcomes()

    def _recall(self, progress: Callable[[float], None] | None) -> None:
        """Measures the trials of an earlier run once more: the study has kept their statistics, not their returns."""
        found = [each for each in self._finished() if "stats" in each.user_attrs]
        parameters = {each.number: values_of(self._strategy(each)) for each in found}
        new = {self._key(self._span, each): each for each in parameters.values()}
        if not new:
            return
        measured = self._runner.run(self._span, list(new.values()), progress)
        for key, row, blocks, done in zip(new, measured.table, measured.blocks, measured.done, strict=True):
            if done:
                self._known[key] = (row, blocks)
        for number, each in parameters.items():
            if (key := self._key(self._span, each)) in self._known:
                self._blocks[number] = self._known[key][1]
        if measured.stopped:
            raise measured.stopped

    def _strategy(self, trial: Any) -> Any:
        """The strategy that one of the study's trials has run."""
        return self._ground.kind(**{name: chosen(trial.params, name, each) for name, each in self._dimensions.items()})

    def _told(self, progress: Callable[[float], None], done: int, size: int, wanted: int) -> Callable[[float], None]:
        return lambda fraction: progress((done + size * fraction) / wanted)

    def _finished(self) -> list[Any]:
        states = self._library.trial.TrialState
        found: list[Any] = self._study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
        return [each for each in found if "stats" in each.user_attrs or "part" in each.user_attrs]

    def _lay_out(self, wanted: int) -> int:
        """Queues the combinations of a grid that the strategy accepts; how many trials there can be."""
        from core.research.space import combinations

        grid = {name: each.values() for name, each in self._dimensions.items()}
        found = combinations(self._ground.kind, grid, MOST)
        self.refused += found.skipped
        usable = [each for each in found.strategies if each.warmup() < self._fewest][:wanted]
        if not usable:
            raise InvalidInput(f"No combination can be used with {self._fewest} bars.", bars=self._fewest)
        for strategy in usable[len(self._finished()) :]:
            self._study.enqueue_trial({name: getattr(strategy, name) for name in self._dimensions})
        return len(usable)

    def _batch(self, size: int, progress: Callable[[float], None] | None) -> bool:
        """Asks for some trials, measures and tells them; False when the strategy accepts no more."""
        asked = self._ask(size)
        if not asked:
            return False
        alive = asked
        spans = [self._part(share) for share in PARTS] if self._pruning else []
        steps = [*enumerate(spans, 1), (0, self._span)]
        for number, (step, span) in enumerate(steps):
            told = (
                None if progress is None
                else lambda done, number=number: progress((number + done) / len(steps))
            )  # fmt: skip
            self._measure(alive, span, step, told)
            alive = [each for each in alive if not each.pruned]
        return True

    def _ask(self, size: int) -> list[_Asked]:
        """Trials with parameters that the strategy accepts, `size` of them unless it keeps on refusing."""
        states = self._library.trial.TrialState
        place = len(self._study.get_trials(deepcopy=False))
        seed = int(np.random.SeedSequence([self._seed, place]).generate_state(1)[0])
        asked: list[_Asked] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's, of experimental features
            self._study.sampler = self._made(seed)
            for _ in range(REFUSED * size):
                safe_point()  # what was asked for is told to have failed when the study is resumed
                trial = self._study.ask()
                parameters = {name: suggested(trial, name, each) for name, each in self._dimensions.items()}
                try:
                    strategy = self._ground.kind(**parameters)
                    if strategy.warmup() >= self._fewest:
                        raise InvalidInput(f"{strategy.name} needs more than {strategy.warmup()} bars.")
                except AppError:
                    self.refused += 1
                    # a sampler learns from what was pruned, and asks ever again for what has failed
                    self._study.tell(trial, state=states.PRUNED if len(self._goals.metrics) == 1 else states.FAIL)
                    continue
                asked.append(_Asked(trial, values_of(strategy)))
                if len(asked) == size:
                    break
        if not asked and not self._finished():
            raise InvalidInput(
                f"{self._ground.kind.name} accepts none of {REFUSED * size} combinations of these ranges with"
                f" {self._fewest} bars."
            )
        return asked

    def _made(self, seed: int) -> Any:
        samplers = self._library.samplers
        match self._sampler:
            case "cmaes":
                return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
            case "nsga2":
                return samplers.NSGAIISampler(seed=seed, population_size=2 * BATCH)
            case "random" | "grid":
                return samplers.RandomSampler(seed=seed)
        return samplers.TPESampler(seed=seed, constant_liar=True)

    def _part(self, share: float) -> Span:
        first = next(iter(self._ground.bars.values())).between(self._span.start, self._span.end)
        return Span(self._span.start, int(first.timestamp[max(1, int(len(first) * share))]))

    def _measure(self, alive: list[_Asked], span: Span, step: int, told: Callable[[float], None] | None) -> None:
        """Measures the trials on a stretch; step 0 is the whole. Raises what has interrupted it."""
        there = min(len(each.between(None, span.end)) for each in self._ground.bars.values())
        able = [each for each in alive if self._ground.kind(**each.parameters).warmup() < there]
        new = {self._key(span, each.parameters): each.parameters for each in able}
        missing = {key: parameters for key, parameters in new.items() if key not in self._known}
        found = self._runner.run(span, list(missing.values()), told)
        if found.stopped:
            raise found.stopped
        for key, row, blocks in zip(missing, found.table, found.blocks, strict=True):
            self._known[key] = (row, blocks)
        for each in able:
            row, blocks = self._known[self._key(span, each.parameters)]
            self._tell(each, row, blocks, step)

    def _key(self, span: Span, parameters: Mapping[str, int | float]) -> tuple[int | float, ...]:
        return (span.end or 0, *parameters.values())

    def _tell(self, asked: _Asked, row: Floats, blocks: Floats, step: int) -> None:
        states, trial = self._library.trial.TrialState, asked.trial
        values = [float(row[each.column]) for each in self._goals.metrics]
        if step:
            if np.isfinite(values[0]):
                trial.report(values[0], step)
                asked.pruned = bool(trial.should_prune())
            if asked.pruned:
                trial.set_user_attr("part", step)
                self._study.tell(trial, state=states.PRUNED)
            return
        trial.set_user_attr("stats", plain(row))
        self._blocks[trial.number] = blocks
        if np.isfinite(values).all():
            self._study.tell(trial, values)
        else:
            self._study.tell(trial, state=states.PRUNED)  # it has no such metric, having hardly traded

    def _outcomes(self) -> list[Outcome]:
        found = []
        for each in self._finished():
            stats = each.user_attrs.get("stats")
            row = [np.nan if stats is None or stats[name] is None else float(stats[name]) for name in COLUMNS]
            found.append(
                Outcome(each.number, self._strategy(each), stats, np.array(row), self._blocks.get(each.number))
            )
        return found
