"""`orchestrator sweep | optimize | walk-forward`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import archive, archived, parameters_of, source_of
from core.cli.progress import bar
from core.cli.reports import demand_place, write_found
from core.cli.terms import STOPPED, Terms, with_terms
from core.research.interruption import held

Strategy = Annotated[str, typer.Argument(help="A strategy's name, or path.py:Class.")]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        help="Values of a parameter: fast=5:50:5 or fast=5,10,20; again for another. Else around the defaults."
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        "--grid",
        help="Range of a parameter: fast=5:50 or fast=5:50:5 or fast=5,10,20; else around the defaults.",
    ),
]
Param = Annotated[list[str] | None, typer.Option(help="A parameter that stays as it is, as name=value.")]
Workers = Annotated[int | None, typer.Option(help="Threads or processes; one per core unless given.")]
Local = Annotated[bool, typer.Option("--local", help="Use this machine though a Dask scheduler is set.")]
Top = Annotated[int, typer.Option(min=1, max=1000, help="Best trials to show.")]
Report = Annotated[Path | None, typer.Option(help="Write a self-contained HTML report here.")]
Keep = Annotated[bool, typer.Option("--save/--no-save", help="Keep the result for `orchestrator results`.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@with_terms
def sweep(
    strategy: Strategy,
    terms: Terms,
    grid: Grid = None,
    param: Param = None,
    metric: Annotated[str, typer.Option(help="What ranks the trials, e.g. sharpe, calmar, max_drawdown.")] = "sharpe",
    top: Top = 10,
    report: Report = None,
    workers: Workers = None,
    local: Local = False,
    keep: Keep = True,
    as_json: AsJson = False,
) -> None:
    from core.cli.findings import show_sweep
    from core.research.sweep import sweep as run

    kind, space = searched(strategy, grid, param)
    demand_place(report)
    agreed = terms.agreed()
    with held():
        with bar(f"Sweeping {kind.name}") as told:
            found = run(
                kind, agreed.bars, space, agreed.costs, metric=metric, workers=workers, progress=told,
                scheduler=_scheduler(local), **agreed.options,
            )  # fmt: skip
        wish = _Wish(agreed.told, strategy, keep, as_json, report, top)
        _done(found, "sweep", wish, lambda told: show_sweep(told, top))


@with_terms
def optimize(
    strategy: Strategy,
    terms: Terms,
    ranges: Ranges = None,
    param: Param = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="What to make large (small with a minus before it); again for several.")
    ] = None,
    sampler: Annotated[str, typer.Option(help="tpe, cmaes, random, grid or nsga2.")] = "tpe",
    trials: Annotated[int, typer.Option(help="Combinations to try in all.")] = 100,
    pruner: Annotated[str, typer.Option(help="none, median or halving: gives up trials that begin badly.")] = "none",
    holdout: Annotated[float, typer.Option(help="Last share of the history that the search does not see.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Decides the result, whatever the workers.")] = 0,
    study: Annotated[str | None, typer.Option(help="Keep the trials under this name.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study, up to --trials in all.")] = False,
    top: Top = 10,
    report: Report = None,
    workers: Workers = None,
    local: Local = False,
    keep: Keep = True,
    as_json: AsJson = False,
) -> None:
    from core import settings
    from core.cli.findings import show_optimum
    from core.research.optimize import optimize as run
    from core.research.studies import address

    kind, space = searched(strategy, ranges, param)
    demand_place(report)
    agreed = terms.agreed()
    chosen = settings.load() if study is not None else None
    database = None if chosen is None else address(chosen.database, chosen.data_dir)
    with held():
        with bar(f"Optimizing {kind.name}") as told:
            found = run(
                kind, agreed.bars, space, agreed.costs, metrics=metric or ["sharpe"], sampler=sampler, trials=trials,
                pruner=pruner, holdout=holdout, seed=seed, study=study, database=database, resume=resume,
                workers=workers, progress=told, scheduler=_scheduler(local), **agreed.options,
            )  # fmt: skip
        if found.partial and study:
            note(f"Go on with --study {study} --resume.")
        wish = _Wish(agreed.told, strategy, keep, as_json, report, top)
        _done(found, "optimize", wish, lambda told: show_optimum(told, top))


@with_terms
def walk_forward(
    strategy: Strategy,
    terms: Terms,
    grid: Grid = None,
    param: Param = None,
    train: Annotated[str, typer.Option(help="What parameters are chosen on: bars, or a time like 180d.")] = "180d",
    test: Annotated[str, typer.Option(help="What they are then traded on: bars, or a time like 30d.")] = "30d",
    anchored: Annotated[bool, typer.Option("--anchored", help="Every training part begins at the first bar.")] = False,
    metric: Annotated[str, typer.Option(help="What chooses, e.g. sharpe, calmar, max_drawdown.")] = "sharpe",
    report: Report = None,
    workers: Workers = None,
    local: Local = False,
    keep: Keep = True,
    as_json: AsJson = False,
) -> None:
    from core.cli.findings import show_walk
    from core.research.walk_forward import walk_forward as run

    kind, space = searched(strategy, grid, param)
    demand_place(report)
    agreed = terms.agreed()
    with held():
        with bar(f"Walking forward with {kind.name}") as told:
            found = run(
                kind, agreed.bars, space, agreed.costs, train=train, test=test, anchored=anchored, metric=metric,
                workers=workers, progress=told, scheduler=_scheduler(local), **agreed.options,
            )  # fmt: skip
        _done(found, "walk-forward", _Wish(agreed.told, strategy, keep, as_json, report), show_walk)


def searched(
    strategy: str, grid: list[str] | None, param: list[str] | None
) -> tuple[type[Any], Mapping[str, str] | None]:
    """The strategy's class, and the values to search; parameters that are fixed are grids of one value.

    Raises NotFound and InvalidInput.
    """
    from core.research.space import pairs_of
    from core.research.space import searched as searched_of
    from core.strategies import load

    kind = type(load(strategy))
    return kind, searched_of(kind, pairs_of(grid or []), parameters_of(param or []))


def _scheduler(local: bool) -> str | None:
    return "local" if local else None


@dataclass(frozen=True, slots=True)
class _Wish:
    """How what is found shall be kept and shown. told: what is kept beside it; top: trials in the document, if any."""

    told: dict[str, Any]
    strategy: str
    keep: bool
    as_json: bool
    report: Path | None
    top: int | None = None


def _done(found: Any, kind: str, wish: _Wish, show: Callable[[Mapping[str, Any]], None]) -> None:
    """Keeps and shows what was found; what was interrupted too, with the exit code of an interruption."""
    from core.research.sweep import data_of

    found.earlier = archive().earlier(found.ground.kind.name, data_of(found.ground.bars), found.tries)
    document = found.document() if wish.top is None else found.document(wish.top)
    document |= {"strategy": source_of(document["strategy"], wish.strategy), **wish.told}
    frames = found.frames()
    saved = archived(kind, document, frames, keep=wish.keep)
    if wish.as_json:
        emit(document | ({} if saved is None else {"number": saved.number, "id": saved.id}))
    else:
        show(document)
    write_found(wish.report, kind, document, frames, saved)
    if found.partial:
        note("Stopped before the end: this is what was done until then.")
        raise typer.Exit(STOPPED)
