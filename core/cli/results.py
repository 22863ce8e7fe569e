"""`orchestrator results …` and `orchestrator compare`: what was kept, and results side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import archive, archived, costs_of, opened, parameters_of, source_of, tried
from core.cli.progress import bar
from core.cli.reports import demand_place
from core.cli.shown import NAMES, show, table, told
from core.errors import BadData, InvalidInput

if TYPE_CHECKING:
    from core.research.archive import Saved
    from core.research.compare import Comparison, Side

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, show, export and remove saved results.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Which = Annotated[str, typer.Argument(help="A result's number or id.")]


@app.command("list")
def listed(
    kind: Annotated[str | None, typer.Option(help="backtest, sweep, optimize, walk-forward, monte-carlo.")] = None,
    last: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 30,
    as_json: Json = False,
) -> None:
    """List what is kept, the newest first."""
    found = archive().list(kind=kind, last=last)
    if as_json:
        emit([saved.summary() for saved in found])
        return
    if not found:
        print("No result has been kept yet.")
        return
    columns = ("No", "When", "Kind", "What", "Return", "Sharpe", "Drawdown", "Trades", "")
    table(columns, [_row(saved) for saved in found], numeric=(0, 4, 5, 6, 7))


@app.command("show")
def shown(number: Which, as_json: Json = False) -> None:
    """Show one: statistics, parameters, data, costs and the code that made it."""
    from core.cli.findings import NEEDED, show_kept

    run = archive().open(number)
    if as_json:
        emit(run.saved.summary())
        return
    saved = run.saved
    judged = saved.document.get("overfitting") or {}
    searched = saved.kind in NEEDED
    show(f"Result {saved.number}: {saved.title}", saved.stats, "" if searched else str(judged.get("sentence", "")))
    if searched:
        print()
    if searched and not show_kept(saved.kind, saved.document | {"stats": saved.stats}):
        print(judged.get("sentence", ""))
    if saved.formula:
        print("Formula: " + saved.formula.strip().replace("\n", "\n  "))
    for name, values in (("Parameters", saved.parameters), ("Costs", saved.costs)):
        if values:
            print(f"{name}: {', '.join(f'{key} {value}' for key, value in values.items())}")
    for each in saved.data:
        span = f"{each.get('timeframe')}, {each.get('bars', 0):,} bars, {each.get('fingerprint')}"
        print(f"Data: {each.get('symbol')} {span}")
    code = saved.document.get("code") or {}
    commit = f", commit {str(code['commit'])[:12]}" if code.get("commit") else ""
    print(f"Made {saved.created:%Y-%m-%d %H:%M} UTC by version {code.get('version')}{commit}.")
    if saved.partial:
        print("It was stopped early: this is what was found until then.")


@app.command("export")
def exported(
    number: Which,
    path: Annotated[Path, typer.Argument(help="A file, or for parquet and csv a folder of all tables.")],
    form: Annotated[str | None, typer.Option("--format", help="html, json, parquet or csv; by the ending.")] = None,
    as_json: Json = False,
) -> None:
    """Write one as an HTML report, JSON, Parquet or CSV."""
    target = archive().export(number, path, form)
    if as_json:
        emit({"path": str(target)})
    else:
        print(f"Result {number} is in {target}.")


@app.command("rerun")
def again(
    number: Which,
    data: Annotated[list[str], typer.Option(help="The bars it was run on, as --data of the backtest.")],
    detail: Annotated[
        list[str] | None, typer.Option(help="The finer bars that decided inside a bar, as --detail of the backtest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a kept backtest again and say whether the same comes out, bit for bit."""
    run = archive().open(number)
    bars = opened(data)
    found = run.rerun(bars, opened(detail, bars) if detail else None)
    if as_json:
        emit({"same": found.same, "sentence": found.sentence, "differences": found.differences})
    else:
        print(found.sentence)
    if not found.same:
        raise typer.Exit(1)


@app.command("remove")
def removed(numbers: Annotated[list[str], typer.Argument(help="Numbers or ids.")], as_json: Json = False) -> None:
    """Remove results."""
    gone = []
    for number in numbers:
        try:
            gone.append(archive().remove(number))
        except BadData:
            note(f"{archive().discard(number).name} could not be read and was removed.")
    if as_json:
        emit([saved.summary() for saved in gone])
        return
    for saved in gone:
        print(f"Removed result {saved.number}: {saved.title}.")


@app.command("prune")
def pruned(
    keep: Annotated[int, typer.Option(help="How many of the newest stay.")],
    as_json: Json = False,
) -> None:
    """Remove all but the newest."""
    gone = archive().prune(keep)
    if as_json:
        emit({"removed": [saved.number for saved in gone]})
    else:
        print(f"Removed {len(gone)} results.")


def compare(
    results: Annotated[list[str], typer.Argument(help="Numbers of kept results; with --data also strategies to run.")],
    data: Annotated[list[str] | None, typer.Option(help="Bars on which the strategies named are run.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="name=value, for the strategies that have it.")] = None,
    cash: Annotated[float, typer.Option(help="Starting cash, in the quote currency.")] = 10_000.0,
    fee: Annotated[float | None, typer.Option(help="Taker and maker fee, a fraction; 0.001 unless given.")] = None,
    slippage: Annotated[float | None, typer.Option(help="Slippage, a fraction; 0.0005 unless given.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, e.g. 2024-01-31.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day before which to stop.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report here.")] = None,
    keep: Annotated[bool, typer.Option("--save/--no-save", help="Keep the strategies' results.")] = True,
    as_json: Json = False,
) -> None:
    from core.research.compare import compare as beside
    from core.research.compare import side_of

    demand_place(report)
    sides: list[Side] = []
    named = [each for each in results if not each.removeprefix("#").isdigit()]
    if named and not data:
        raise InvalidInput(f"'{named[0]}' is not the number of a result; to run strategies, give the bars with --data.")
    twice = next((each for each in results if results.count(each) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{twice} is given twice.")
    bars = opened(data) if data else None
    for which in results:
        if which not in named:
            sides.append(side_of(archive().open(which)))
        elif bars is not None:
            from core.research.backtest import backtest
            from core.strategies import load

            usual = load(which)
            given = {name: value for name, value in parameters_of(param or []).items() if name in usual.parameters}
            with bar(f"Testing {which}") as progress:
                result = backtest(
                    load(which, given), bars, cash, costs_of(fee, slippage), start=start, end=end, progress=progress
                )
            result.tried = tried(result)
            taken = any(side.name == result.strategy.name for side in sides)  # two formulas, for example
            sides.append(side_of(result, which if taken else None))
            document, frames = result.kept()
            document["strategy"] = source_of(document["strategy"], which)
            archived("backtest", document, frames, keep=keep)
    found = beside(sides)
    if report is not None:
        from core.research.saved_report import write_comparison

        write_comparison(found, report)
        note(f"The report is in {report}.")
    if as_json:
        emit(found.document())
    else:
        _side_by_side(found)


def _side_by_side(found: "Comparison") -> None:
    names = [side.name for side in found.sides]
    rows = [
        (NAMES.get(name, name.replace("_", " ")), *(told(name, each) for each in values)) for name, values in found.rows
    ]
    table(("", *names), rows, numeric=range(1, len(names) + 1))
    if found.differing:
        print("\nWhat differs")
        table(("", *names), [(name, *values) for name, values in found.differing])
    if len(found.times):
        print("\nCorrelation of returns")
        cells = [
            (name, *("–" if value != value else f"{value:.2f}" for value in row.tolist()))
            for name, row in zip(names, found.correlation, strict=True)
        ]
        table(("", *names), cells, numeric=range(1, len(names) + 1))
        print()
    for pair in found.pairs:
        print(pair.sentence)
    for warning in found.warnings:
        print(f"Note: {warning}")


def _row(saved: "Saved") -> tuple[str, ...]:
    stats: dict[str, Any] = saved.stats
    what = saved.title + "".join(f" {name}={value}" for name, value in saved.parameters.items())
    return (
        str(saved.number),
        f"{saved.created:%Y-%m-%d %H:%M}",
        saved.kind,
        what if len(what) <= 70 else what[:69] + "…",
        *(told(name, stats.get(name)) for name in ("total_return", "sharpe", "max_drawdown", "trades")),
        "partial" if saved.partial else "",
    )
