"""`orchestrator backtest | strategies | indicators`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import archived, costs_of, funding_of, opened, parameters_of, sizing_of, source_of, tried
from core.cli.progress import bar
from core.cli.shown import show


def backtest(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or path.py:Class.")],
    data: Annotated[list[str], typer.Option(help="A bars file, or VENUE:SYMBOL:TIMEFRAME; again for a portfolio.")],
    detail: Annotated[
        list[str] | None, typer.Option(help="Bars of a lower timeframe, which decide the order inside a bar.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the strategy, as name=value.")] = None,
    cash: Annotated[float, typer.Option(help="Starting cash, in the quote currency.")] = 10_000.0,
    fee: Annotated[float | None, typer.Option(help="Taker and maker fee, a fraction; 0.001 unless given.")] = None,
    maker_fee: Annotated[float | None, typer.Option(help="Maker fee, where it differs from --fee.")] = None,
    slippage: Annotated[float | None, typer.Option(help="Slippage, a fraction; 0.0005 unless given.")] = None,
    slippage_model: Annotated[str | None, typer.Option(help="fixed, volume_share or spread.")] = None,
    volume_share: Annotated[float | None, typer.Option(help="Most of a bar's volume that is filled; 0.25.")] = None,
    latency: Annotated[int | None, typer.Option(help="Whole bars between a decision and its order.")] = None,
    fill_on_touch: Annotated[bool, typer.Option("--fill-on-touch", help="Limits fill when touched.")] = False,
    leverage: Annotated[float | None, typer.Option(help="Of perpetuals; 1 unless given.")] = None,
    funding: Annotated[
        list[Path] | None, typer.Option(help="A file of a perpetual's funding rates; once per --data.")
    ] = None,
    sizing: Annotated[
        str | None, typer.Option(help="cash=500, quantity=0.1, fraction=0.5, volatility=0.2 or kelly=0.5.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, e.g. 2024-01-31.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day before which to stop.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report here.")] = None,
    keep: Annotated[bool, typer.Option("--save/--no-save", help="Keep the result for `orchestrator results`.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    _lean()
    from core.research.backtest import backtest as run
    from core.strategies import load

    chosen = load(strategy, parameters_of(param or []))
    costs = costs_of(
        fee, slippage, maker_fee=maker_fee, slippage_model=slippage_model, volume_share=volume_share, latency=latency,
        fill_on_touch=fill_on_touch or None, leverage=leverage,
    )  # fmt: skip
    size = sizing_of(sizing)
    bars = opened(data)
    parts = opened(detail, bars) if detail else None
    more: dict[str, Any] = {} if size is None else {"sizing": size}
    if funding:
        more["funding"] = funding_of(funding, bars)
    with bar(f"Testing {chosen.name}") as told:
        result = run(chosen, bars, cash, costs, detail=parts, start=start, end=end, progress=told, **more)
    result.tried = tried(result)
    if report is not None:
        from core.research.report import write_report

        write_report(result, report)
        note(f"The report is in {report}.")
    if as_json:
        emit(result.document())
    else:
        show(f"{result.strategy.name} on {', '.join(result.bars)}", result.stats, result.overfitting["sentence"])
        print(f"{len(result.equity):,} bars, {result.seconds:.3f} s")
    if keep:
        document, frames = result.kept()
        document["strategy"] = source_of(document["strategy"], strategy)
        archived("backtest", document, frames)


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
