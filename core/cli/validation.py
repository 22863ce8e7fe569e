"""`orchestrator causality | monte-carlo`: whether a result can be believed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import archived, opened, parameters_of, source_of
from core.cli.progress import bar
from core.cli.reports import demand_place
from core.cli.terms import STOPPED, Terms, with_terms

if TYPE_CHECKING:
    from core.research.causality import Causality


def causality(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or path.py:Class.")],
    data: Annotated[
        list[str] | None,
        typer.Option(help="A bars file, or VENUE:SYMBOL:TIMEFRAME; again for a portfolio. Made-up bars without it."),
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the strategy, as name=value.")] = None,
    cuts: Annotated[int, typer.Option(help="Places at which the history is cut.")] = 60,
    seed: Annotated[int, typer.Option(help="Decides the random cuts, and the made-up bars.")] = 0,
    timeframe: Annotated[str, typer.Option(help="Of the made-up bars.")] = "1h",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from core.research.causality import causality as test
    from core.strategies import load

    chosen = load(strategy, parameters_of(param or []))
    bars = opened(data) if data else None
    with bar(f"Testing {chosen.name}") as told:
        found = test(chosen, bars, cuts, seed=seed, timeframe=timeframe, progress=told)
    if as_json:
        emit(found.document())
    else:
        _show(found, made_up=not data)
    if not found.causal:
        if as_json:
            note(found.sentence)
        raise typer.Exit(1)


@with_terms
def monte_carlo(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or path.py:Class.")],
    terms: Terms,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the strategy, as name=value.")] = None,
    kind: Annotated[
        str,
        typer.Option(help="trades: shuffled; blocks: of returns; prices: with noise; costs: slippage and fill jitter."),
    ] = "trades",
    runs: Annotated[int, typer.Option(help="Histories to make.")] = 1000,
    seed: Annotated[int, typer.Option(help="Decides every history.")] = 0,
    ruin: Annotated[float, typer.Option(help="Share of the cash; equity at or below it is ruin.")] = 0.5,
    replace: Annotated[bool, typer.Option("--replace", help="Of trades: draw them with replacement.")] = False,
    block: Annotated[float | None, typer.Option(help="Of blocks: average bars in one; chosen when not given.")] = None,
    noise: Annotated[
        float | None, typer.Option(help="Of prices: how far they move, in ranges of their bars; 0.25 when not given.")
    ] = None,
    missed: Annotated[
        float | None, typer.Option(help="Of costs: share of the decisions not carried out; 0.01 when not given.")
    ] = None,
    late: Annotated[
        float | None, typer.Option(help="Of costs: share of the decisions a bar late; 0.1 when not given.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads; one per core unless given.")] = None,
    local: Annotated[bool, typer.Option("--local", help="On this machine, whatever the settings say.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report here.")] = None,
    save: Annotated[bool, typer.Option("--save/--no-save", help="Keep the result.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from core.research.backtest import backtest
    from core.research.jitter import Jitter
    from core.research.monte_carlo import demand_settings
    from core.research.monte_carlo import monte_carlo as simulate
    from core.strategies import load

    chosen = load(strategy, parameters_of(param or []))
    demand_place(report)
    agreed = terms.agreed()
    shares: dict[str, Any] = {name: share for name, share in (("missed", missed), ("late", late)) if share is not None}
    jitter = Jitter(**shares) if shares else None
    given: Any = kind
    demand_settings(kind, runs, seed, ruin, replace=replace, block=block, noise=noise, jitter=jitter)
    with bar(f"{runs:,} histories of {chosen.name}") as told:
        result = backtest(chosen, agreed.bars, costs=agreed.costs, **agreed.options)
        found = simulate(
            result, given, runs, seed, ruin, replace=replace, block=block, noise=noise, jitter=jitter,
            workers=workers, scheduler="local" if local else None, progress=told,
        )  # fmt: skip
    document = found.document()
    document |= {"strategy": source_of(document["strategy"], strategy), **agreed.told}
    saved = archived("monte-carlo", document, found.frames(), keep=save)
    if as_json:
        emit(document | ({} if saved is None else {"number": saved.number, "id": saved.id}))
    else:
        from core.cli.findings import show_bands

        show_bands(document)
    if report is not None:
        from core.research.monte_carlo_report import write_bands

        write_bands(found, report)
        note(f"The report is in {report}.")
    if found.partial:
        note(f"Stopped after {found.runs:,} of {found.asked:,} histories.")
        raise typer.Exit(STOPPED)


def _show(found: "Causality", made_up: bool) -> None:
    """The verdict, then how long the warm-up really is."""
    if not found.causal:
        note(found.sentence)
        return
    print(found.sentence)
    if found.warm_up is not None:
        print(found.warm_up.sentence)
    if made_up:
        print("The bars were made up; give --data to test on yours.")
