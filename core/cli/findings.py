"""What the searching verbs print: tables on a terminal, and the doubt in a sentence."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from core.research.optimum import OptimizeResult
    from core.research.sweep import SweepResult
    from core.research.walk_forward import WalkForwardResult

SHOWN = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")  # beside the metric, in 80 columns
WALKED = (
    "final_equity", "total_return", "buy_and_hold", "cagr", "sharpe", "calmar", "max_drawdown", "trades", "win_rate",
    "profit_factor", "fees_paid",
)  # fmt: skip
PERCENT = ("total_return", "cagr", "max_drawdown", "volatility", "win_rate", "exposure", "buy_and_hold")
LIMIT = 1e6  # percents and ratios beyond are told as powers


def show_sweep(found: "SweepResult", top: int) -> None:
    """The best trials and what they are worth."""
    console = Console()
    names = list(found.grid)
    columns = list(dict.fromkeys((found.metric.name, *SHOWN)))
    table = Table(title=f"{found.ground.kind.name} on {', '.join(found.ground.bars)}, by {found.metric.name}")
    _columns(table, names + columns)
    for each in found.top(top):
        table.add_row(*_row(each.parameters, each.stats, names, columns))
    console.print(table)
    skipped = f", {found.skipped:,} left out ({found.reason})" if found.skipped else ""
    asked = f" of {found.asked:,}" if found.partial else ""
    console.print(
        f"{len(found):,}{asked} trials{skipped}{_before(found)}, {found.seconds:.2f} s by {found.workers}",
        highlight=False,
    )
    _doubt(console, found.overfitting)


def show_optimum(found: "OptimizeResult", top: int) -> None:
    """The best on both parts of the history, the front of several metrics, and what it is worth."""
    console = Console()
    names = list(found.described["space"])
    wanted = [each.name for each in found.goals.metrics]
    columns = list(dict.fromkeys((*wanted, *SHOWN)))
    table = Table(title=f"{found.ground.kind.name} on {', '.join(found.ground.bars)}, by {', '.join(wanted)}")
    _columns(table, ["", *names, *columns])
    if len(wanted) > 1:
        for each, after in zip(found.front[:top], found.held_out[:top], strict=True):
            table.add_row("searched", *_row(each.parameters, each.stats or {}, names, columns))
            if after is not None:
                table.add_row("held out", *_row({}, after, names, columns), style="dim")
    elif found.front:
        best, after = found.best, found.held_out[0]
        table.add_row("searched", *_row(best.parameters, best.stats or {}, names, columns))
        if after is not None:
            table.add_row("held out", *_row({}, after, names, columns), end_section=True)
        for each in found.top(top)[1:]:
            table.add_row("", *_row(each.parameters, each.stats or {}, names, columns), style="dim")
    console.print(table)
    pruned = f", {found.pruned:,} of them given up early" if found.pruned else ""
    console.print(
        f"{len(found):,} trials{pruned}{_before(found)}, {found.seconds:.2f} s by {found.workers}", highlight=False
    )
    if found.degradation is not None:
        name = wanted[0].replace("_", " ")
        console.print(f"On what was held out the {name} was {found.degradation:.0%} of that found.", highlight=False)
    _doubt(console, found.overfitting)


def show_walk(found: "WalkForwardResult") -> None:
    """The windows, the stitched run, and what it is worth."""
    console = Console()
    names, metric = list(found.described["space"]), found.metric.name
    table = Table(title=f"{found.ground.kind.name} on {', '.join(found.ground.bars)}, chosen by {metric}")
    _columns(table, ["traded from", "to", *names, f"{metric} before", f"{metric} after", "return after"])
    for each in found.steps:
        step = each.document()
        table.add_row(
            step["test_start"][:10], step["test_end"][:10],
            *(f"{each.parameters[name]:g}" for name in names), value(metric, each.inside[metric]),
            value(metric, each.outside[metric]), value("total_return", each.outside["total_return"]),
        )  # fmt: skip
    console.print(table)
    stats = Table(show_header=False)
    for name in WALKED:
        stats.add_row(name.replace("_", " "), value(name, found.stats[name]))
    stats.add_row("efficiency (growth after / before)", value("ratio", found.efficiency))
    stats.add_row("rank correlation before and after", value("ratio", found.correlation))
    for name, chosen in found.stability.items():
        told = f"{chosen['mean']:.4g} ± {chosen['deviation']:.3g}, {chosen['distinct']} different"
        stats.add_row(f"{name} chosen", told)
    console.print(stats)
    console.print(f"{len(found)} windows{_before(found)}, {found.seconds:.2f} s by {found.workers}", highlight=False)
    _doubt(console, found.overfitting)


def value(name: str, number: Any) -> str:
    """A statistic for people."""
    if number is None:
        return "–"
    if isinstance(number, int):
        return f"{number:,}"
    if abs(number) >= LIMIT:
        return f"{number:.1e}"
    return f"{number:.1%}" if name in PERCENT else f"{number:,.2f}"


def _columns(table: Table, names: list[str]) -> None:
    for name in names:
        table.add_column(name.replace("_", " "), justify="right" if name else "left", no_wrap=not name)


def _row(parameters: dict[str, Any], stats: dict[str, Any], names: list[str], columns: list[str]) -> list[str]:
    chosen = [f"{parameters[name]:g}" if name in parameters else "" for name in names]
    return [*chosen, *(value(name, stats.get(name)) for name in columns)]


def _before(found: "SweepResult | OptimizeResult | WalkForwardResult") -> str:
    return f", {found.earlier:,} earlier ones count as well" if found.earlier else ""


def _doubt(console: Console, facts: dict[str, Any]) -> None:
    console.print(facts["sentence"], style="bold", highlight=False, soft_wrap=True)
    told = [
        f"{label} {facts[name]:.1%}"
        for name, label in (
            ("probabilistic_sharpe", "probabilistic Sharpe ratio"),
            ("deflated_sharpe", "deflated"),
            ("overfitting", "probability of overfitting"),
            ("superior_ability", "p-value of being no better than holding"),
        )
        if facts.get(name) is not None
    ]
    if told:
        console.print(", ".join(told), style="dim", highlight=False)
