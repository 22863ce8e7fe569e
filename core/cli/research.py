"""`orchestrator backtest | strategies | indicators`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import costs_of, opened, parameters_of

if TYPE_CHECKING:
    from core.research.backtest import Result

PERCENT = (
    "total_return", "buy_and_hold", "cagr", "max_drawdown", "volatility", "var_95", "cvar_95", "win_rate", "exposure",
)  # fmt: skip
SHOWN = (
    "final_equity", "total_return", "buy_and_hold", "cagr", "sharpe", "sortino", "calmar", "max_drawdown",
    "max_drawdown_duration", "volatility", "var_95", "cvar_95", "trades", "open_trades", "win_rate", "profit_factor",
    "expectancy", "exposure", "turnover", "fees_paid",
)  # fmt: skip


def backtest(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or path.py:Class.")],
    data: Annotated[list[str], typer.Option(help="A bars file, or VENUE:SYMBOL:TIMEFRAME; again for a portfolio.")],
    detail: Annotated[
        list[str] | None, typer.Option(help="Bars of a lower timeframe, which decide the order inside a bar.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the strategy, as name=value.")] = None,
    cash: Annotated[float, typer.Option(help="Starting cash, in the quote currency.")] = 10_000.0,
    fee: Annotated[float | None, typer.Option(help="Taker and maker fee, a fraction; 0.001 unless given.")] = None,
    slippage: Annotated[float | None, typer.Option(help="Slippage, a fraction; 0.0005 unless given.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, e.g. 2024-01-31.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day before which to stop.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from core.research.backtest import backtest as run
    from core.strategies import load

    chosen = load(strategy, parameters_of(param or []))
    costs = costs_of(fee, slippage)
    bars = opened(data)
    parts = opened(detail, bars) if detail else None
    result = run(chosen, bars, cash, costs, detail=parts, start=start, end=end)
    if report is not None:
        from core.research.report import write_report

        write_report(result, report)
        note(f"The report is in {report}.")
    if as_json:
        emit(result.document())
    else:
        _show(result)


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


def _show(result: "Result") -> None:
    """The statistics as a table on a terminal."""
    from rich.console import Console
    from rich.table import Table

    stats = result.stats
    table = Table(title=f"{result.strategy.name} on {', '.join(result.bars)}", show_header=False)
    for name in SHOWN:
        table.add_row(name.replace("_", " "), _told(name, stats[name]))
    console = Console()
    console.print(table)
    console.print(f"{stats['bars']:,} bars from {stats['start'][:16]} to {stats['end'][:16]}, {result.seconds:.3f} s")
    for warning in stats["warnings"]:
        console.print(f"Note: {warning}")


def _told(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in PERCENT:
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
