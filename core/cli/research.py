"""`orchestrator backtest | strategies`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import archived, parameters_of, source_of, tried
from core.cli.progress import bar
from core.cli.reports import demand_place
from core.cli.shown import show
from core.cli.terms import Terms, with_terms


@with_terms
def backtest(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or path.py:Class.")],
    terms: Terms,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the strategy, as name=value.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report here.")] = None,
    keep: Annotated[bool, typer.Option("--save/--no-save", help="Keep the result for `orchestrator results`.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    _lean()
    from core.research.backtest import backtest as run
    from core.strategies import load

    chosen = load(strategy, parameters_of(param or []))
    demand_place(report)
    agreed = terms.agreed()
    with bar(f"Testing {chosen.name}") as told:
        result = run(chosen, agreed.bars, costs=agreed.costs, progress=told, **agreed.options)
    result.tried = tried(result)
    if not as_json:
        show(f"{result.strategy.name} on {', '.join(result.bars)}", result.stats, result.overfitting["sentence"])
        print(f"{len(result.equity):,} bars, {result.seconds:.3f} s")
    saved = None
    if keep:
        document, frames = result.kept()
        document["strategy"] = source_of(document["strategy"], strategy)
        saved = archived("backtest", agreed.told | document, frames)
    if as_json:
        emit(result.document() | ({} if saved is None else {"number": saved.number, "id": saved.id}))
    if report is not None:
        from core.research.report import write_report

        write_report(result, report)
        note(f"The report is in {report}.")


def _lean() -> None:
    """Arrays that are freed go back to the system at once: 20 MB of a million bars, where the C library can be told."""
    if sys.platform == "linux":
        import ctypes

        tell = getattr(ctypes.CDLL(None), "mallopt", None)
        if tell is not None:
            tell(-3, 1 << 20)  # M_MMAP_THRESHOLD


def strategies(as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False) -> None:
    from core.strategies import catalogue
    from core.strategies.loading import own

    mine, failed = own()
    rows = [
        {
            "name": name,
            "summary": kind.summary,
            "parameters": {
                key: {"default": each.default, "low": each.low, "high": each.high, "step": each.step, "help": each.help}
                for key, each in kind.parameters.items()
            },
        }
        for name, kind in (catalogue() | mine).items()
    ]
    for sentence in failed:
        typer.echo(sentence, err=True)
    if as_json:
        emit(rows)
        return
    for row in rows:
        told: Any = row["parameters"]
        _line(str(row["name"]), str(row["summary"]))
        for key, each in told.items():
            _line("", f"{key}={each['default']}  {each['help']} ({each['low']} to {each['high']})")


def _line(name: str, text: str) -> None:
    print(f"{name:22}{text}")
