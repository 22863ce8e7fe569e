"""What the searching verbs print: tables on a terminal, and the doubt in a sentence."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

Document = Mapping[str, Any]  # as `--json` prints it, and as it is kept
LISTED = 8  # values of a parameter that was searched
NEEDED = {
    "sweep": {"space", "top", "metric", "skipped", "overfitting"},
    "optimize": {"space", "front", "metrics", "holdout", "overfitting"},
    "walk-forward": {"space", "windows", "stability", "overfitting"},
    "monte-carlo": {"percentiles", "method", "runs", "settings"},
}  # what the document of a kind must hold to be shown
SHOWN = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")  # beside the metric, in 80 columns
WALKED = (
    "final_equity", "total_return", "buy_and_hold", "cagr", "sharpe", "calmar", "max_drawdown", "trades", "win_rate",
    "profit_factor", "fees_paid",
)  # fmt: skip
PERCENT = ("total_return", "cagr", "max_drawdown", "volatility", "win_rate", "exposure", "buy_and_hold")
LIMIT = 1e6  # percents and ratios beyond are told as powers


def show_sweep(found: Document, top: int) -> None:
    """The best trials and what they are worth."""
    console = Console()
    names, metric = list(found["space"]), str(found["metric"])
    columns = list(dict.fromkeys((metric, *SHOWN)))
    table = Table(title=_titled(found, f"by {metric}"))
    _columns(table, names + columns)
    for each in found["top"][:top]:
        table.add_row(*_row(each["parameters"], each["stats"], names, columns))
    console.print(table)
    skipped = f", {found['skipped']:,} left out ({found['reason']})" if found["skipped"] else ""
    asked = f" of {found['asked']:,}" if found["partial"] else ""
    _line(console, f"{found['trials']:,}{asked} trials{skipped}{_before(found)}{_worked(found)}")
    _doubt(console, found["overfitting"])


def show_optimum(found: Document, top: int) -> None:
    """The best on both parts of the history, the front of several metrics, and what it is worth."""
    console = Console()
    names, wanted = list(found["space"]), [str(each).removeprefix("-") for each in found["metrics"]]
    columns = list(dict.fromkeys((*wanted, *SHOWN)))
    table = Table(title=_titled(found, f"by {', '.join(wanted)}"))
    _columns(table, ["", *names, *columns])
    several = len(wanted) > 1
    for each in found["front"][: top if several else 1]:
        table.add_row("searched", *_row(each["parameters"], each["stats"] or {}, names, columns))
        if each["out_of_sample"] is not None:
            after = _row({}, each["out_of_sample"], names, columns)
            table.add_row("held out", *after, style="dim" if several else None, end_section=not several)
    for each in [] if several else found["top"][1:top]:
        table.add_row("", *_row(each["parameters"], each["stats"] or {}, names, columns), style="dim")
    console.print(table)
    pruned = f", {found['pruned']:,} of them given up early" if found["pruned"] else ""
    _line(console, f"{found['trials']:,} trials{pruned}{_before(found)}{_worked(found)}")
    if found["degradation"] is not None:
        name = wanted[0].replace("_", " ")
        _line(console, f"On what was held out the {name} was {found['degradation']:.0%} of that found.")
    _doubt(console, found["overfitting"])


def show_walk(found: Document, most: int | None = None) -> None:
    """The windows (at most so many of them), the stitched run, and what it is worth."""
    console = Console()
    names, metric, steps = list(found["space"]), str(found["metric"]), found["windows"]
    table = Table(title=_titled(found, f"chosen by {metric}"))
    _columns(table, ["traded from", "to", *names, f"{metric} before", f"{metric} after", "return after"])
    for step in steps[:most]:
        after = step["out_of_sample"]
        table.add_row(
            step["test_start"][:10], step["test_end"][:10], *(f"{step['parameters'][name]:g}" for name in names),
            value(metric, step["in_sample"][metric]), value(metric, after[metric]),
            value("total_return", after["total_return"]),
        )  # fmt: skip
    console.print(table)
    if most is not None and len(steps) > most:
        _line(console, f"… and {len(steps) - most:,} windows more")
    stats = Table(show_header=False)
    for name in WALKED:
        stats.add_row(name.replace("_", " "), value(name, found["stats"][name]))
    stats.add_row("efficiency (growth after / before)", value("ratio", found["efficiency"]))
    stats.add_row("rank correlation before and after", value("ratio", found["rank_correlation"]))
    for name, chosen in found["stability"].items():
        told = f"{chosen['mean']:.4g} ± {chosen['deviation']:.3g}, {chosen['distinct']} different"
        stats.add_row(f"{name} chosen", told)
    console.print(stats)
    _line(console, f"{len(steps)} windows{_before(found)}{_worked(found)}")
    _doubt(console, found["overfitting"])


def show_bands(found: Document) -> None:
    """The result beside the percentiles of its histories, and what they mean."""
    from core.analytics.paths import FIGURES
    from core.research.monte_carlo import KINDS, LEVELS, WITH_REPLACEMENT

    made = WITH_REPLACEMENT if found["settings"].get("replace") else KINDS[found["method"]]
    table = Table(title=f"{found['strategy']['name']}: {made}")
    table.add_column("")
    for title in ("result", *(f"{level} %" for level in LEVELS)):
        table.add_column(title, justify="right")
    for name in FIGURES:
        values = [found["stats"][name], *found["percentiles"][name].values()]
        form = "{:.1%}" if name == "max_drawdown" else "{:,.2f}" if name == "sharpe" else "{:,.0f}"
        table.add_row(name.replace("_", " "), *("–" if each is None else form.format(each) for each in values))
    console = Console()
    console.print(table)
    console.print(found["sentence"])


def show_kept(kind: str, found: Document, top: int = 10) -> bool:
    """What the verb printed, of a kept run of a kind in NEEDED; False when its document lacks what that takes."""
    if not NEEDED[kind] <= found.keys():
        return False
    if kind == "monte-carlo":
        show_bands(found)
        _line(Console(), f"Kind {found['method']}, {found['runs']:,} runs, seed {found['seed']}")
        return True
    match kind:
        case "sweep":
            show_sweep(found, top)
        case "optimize":
            show_optimum(found, top)
        case _:
            show_walk(found, top)
    _line(Console(), f"Searched: {ranges(found)}")
    if kind == "optimize":
        told = f"held out: the last {found['holdout']:.0%}" if found["holdout"] else "nothing was held out"
        _line(Console(), f"By {found['sampler']}, seed {found['seed']}; {told}")
    if kind == "walk-forward":
        _line(Console(), f"Chosen on {found['train']}, traded on {found['test']}")
    return True


def ranges(found: Document) -> str:
    """'fast 5, 10, 20; slow 20 to 200': what was searched."""
    told = []
    for name, values in found["space"].items():
        if "sampler" in found and len(values) == 3 and values[0] < values[1] and values[2] < values[1]:
            low, high, step = values  # an optimisation keeps ranges so
            told.append(f"{name} {low:g} to {high:g} by {step:g}")
            continue
        few = ", ".join(f"{each:g}" for each in values[:LISTED])
        more = f" … {values[-1]:g} ({len(values)} values)" if len(values) > LISTED else ""
        told.append(f"{name} {few}{more}")
    return "; ".join(told)


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


def _titled(found: Document, how: str) -> str:
    return f"{found['strategy']['name']} on {', '.join(str(each['symbol']) for each in found['data'])}, {how}"


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False)


def _worked(found: Document) -> str:
    return f", {found['seconds']:.2f} s by {found['workers']}"


def _before(found: Document) -> str:
    earlier = found["overfitting"].get("earlier")
    return f", {earlier:,} earlier ones count as well" if earlier else ""


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
