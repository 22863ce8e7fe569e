"""`orchestrator causality | monte-carlo`: whether a result can be believed."""

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import emit, note
from core.cli.inputs import opened, parameters_of
from core.cli.progress import bar

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
