"""Results that were kept: listed, shown again, side by side, and as files."""

import asyncio
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core import wording
from core.commands import charts
from core.commands.context import Context
from core.commands.families.research import chance, facts_of, ratio, within
from core.commands.loading import results_of
from core.commands.registry import command
from core.errors import InvalidInput, NotFound
from core.market.instrument import parse_key
from core.reply import Chart, Choice, Choices, Facts, File, Pane, Reply, Table, Text
from core.research.archive import KINDS, Saved, SavedRun

LISTED = 15
BEST, WINDOWS = 5, 10  # rows of trials, and of windows
MOST_COMPARED = 8
LARGEST = 20 * 2**20  # bytes of a file that is sent in a chat
MIMES = {
    "html": "text/html", "json": "application/json", "parquet": "application/vnd.apache.parquet", "csv": "text/csv",
}  # fmt: skip


@command(
    family="research",
    private=True,
    examples=("results", "results sweep"),
    phrases=(
        "[(show|list) [me]] [(my|the)] (last|latest|saved|kept|backtest|test) results",
        "(show|list) [me] [the] results",
    ),
)
async def results(ctx: Context, kind: str = "") -> Reply:
    """Lists your kept results: backtests, sweeps and the rest, the newest first.

    kind: backtest, sweep, optimize, walk-forward or monte-carlo; all of them when not said
    """
    chosen = kind_named(kind)
    found = await asyncio.to_thread(results_of(ctx).list, ctx.user.id, chosen, LISTED)
    table = Table(
        "Results",
        ("No", "When", "What", "Return", "Sharpe", "Drawdown"),
        tuple(row_of(saved) for saved in found),
        (0, 3, 4, 5),
        f"No {chosen} has been kept yet." if chosen else "Nothing has been kept yet. A backtest is kept when it ends.",
    )
    if not found:
        return [table]
    first = found[0].number
    choices = [Choice(f"Show {first}", f"result {first}")]
    if len(found) > 1:
        choices.append(Choice(f"Compare {found[1].number} and {first}", f"compare {found[1].number} {first}"))
    return [table, Choices("", tuple(choices))]


@command(family="research", private=True, examples=("result 12", "show my last sweep"))
async def result(ctx: Context, number: int | None = None, kind: str = "") -> Reply:
    """Shows a kept result again.

    number: as results lists it; the latest when not said
    kind: backtest, sweep, optimize, walk-forward or monte-carlo, when the latest of these is meant
    """
    if number is None:
        (number,) = await latest(ctx, 1, kind_named(kind))
    run = await asyncio.to_thread(results_of(ctx).open, number, ctx.user.id)
    saved, currency = run.saved, quote(run.saved)
    settings = ", ".join(f"{name}={value}" for name, value in saved.parameters.items())
    judged = saved.document.get("overfitting") or {}
    note = f"{wording.day(saved.created)}, {settings or 'usual settings'}. {judged.get('sentence', '')}".rstrip()
    stats = saved.stats
    usual = all(stats.get(name) is not None for name in ("total_return", "buy_and_hold", "win_rate", "exposure"))
    facts = facts_of(stats, currency) if usual else few(stats)
    blocks: list[Any] = [Facts(f"Result {number}: {saved.kind} of {saved.title}", facts, note)]
    blocks += told_again(saved)
    if saved.formula:
        blocks.append(Text(f"Formula: {saved.formula.strip()}"))
    if saved.partial:
        blocks.append(Text("It was stopped early: this is what was found until then.", "warning"))
    if len(run.equity) > 1:
        blocks.append(
            charts.equity(run.timestamps, run.equity, f"{saved.title}: equity", currency, label_of(saved.data))
        )
    forms = ("html", "parquet", "csv", "json")
    blocks.append(Choices("As a file?", tuple(Choice(form.upper(), f"export {number} {form}") for form in forms)))
    return blocks


@command(family="research", private=True, examples=("export 12 html", "export 12 csv"))
async def export(ctx: Context, number: int | None = None, form: str = "html", kind: str = "") -> Reply:
    """Sends a kept result as a file: the report, or its tables.

    number: as results lists it; the latest when not said
    form: html, json, parquet or csv; html when not said
    kind: backtest, sweep, optimize, walk-forward or monte-carlo, when the latest of these is meant
    """
    chosen = form.lower().lstrip(".")
    if chosen not in MIMES:
        raise InvalidInput(f"'{form[:20]}' is not a format of results.", hint=f"Choose one of {', '.join(MIMES)}.")
    if number is None:
        (number,) = await latest(ctx, 1, kind_named(kind))
    name = f"result-{number}.{chosen}"
    content = await ctx.services.jobs.run(written, results_of(ctx).open(number, ctx.user.id), name, chosen)
    if len(content) > LARGEST:
        raise InvalidInput(
            f"The file has {len(content) / 2**20:.0f} MB, and {LARGEST // 2**20} MB is the most that is sent here.",
            hint=f"At the terminal: orchestrator results export {number} {name}",
        )
    return [File.of(name, MIMES[chosen], content)]


@command(
    family="research",
    private=True,
    examples=("compare 3 7", "compare 3 7 12", "compare my last two backtests"),
)
async def compare(ctx: Context, *numbers: str) -> Reply:
    """Puts kept results side by side: figures, equity, correlation, and whether one is better than luck makes it.

    numbers: two or more, as results lists them, or: last 2 backtests
    """
    from core.research.compare import compare as beside
    from core.research.compare import side_of

    chosen = [
        word.lstrip("#") for word in " ".join(numbers).replace(",", " ").split()
        if word.lower() not in ("and", "with", "results")
    ]  # fmt: skip
    if chosen and chosen[0].lower() == "last":
        count = int(chosen[1]) if len(chosen) > 1 and re.fullmatch(r"\d{1,2}", chosen[1]) else 2
        kind = kind_named(chosen[-1]) if not chosen[-1].isdigit() and len(chosen) > 1 else None
        chosen = [str(each) for each in reversed(await latest(ctx, count, kind))]
    if len(chosen) > MOST_COMPARED:
        raise InvalidInput(
            f"{len(chosen)} results are too many to put side by side.", hint=f"{MOST_COMPARED} are the most."
        )
    if len(chosen) < 2:
        raise InvalidInput("A comparison takes the numbers of two results or more.", hint="For example: compare 3 7.")
    if wrong := next((word for word in chosen if not word.isdigit()), None):
        raise InvalidInput(f"'{wrong[:20]}' is not the number of a result.", hint="results lists them.")
    if twice := next((word for word in chosen if chosen.count(word) > 1), None):
        raise InvalidInput(f"Result {twice} is given twice.", hint="results lists them.")
    archive, owner = results_of(ctx), ctx.user.id
    found = await ctx.services.jobs.run(lambda: beside([side_of(archive.open(each, owner)) for each in chosen]))
    names = [side.name for side in found.sides]
    rows = [
        ("Return", [percent(side.stats.get("total_return")) for side in found.sides]),
        ("Sharpe ratio", [within(side.stats) for side in found.sides]),
        ("Chance that it is skill", [chance(side.stats) for side in found.sides]),
        ("Deepest drawdown", [percent(side.stats.get("max_drawdown")) for side in found.sides]),
        ("Trades", [str(side.stats.get("trades", "–")) for side in found.sides]),
        *((name.capitalize(), values) for name, values in found.differing),
    ]
    blocks: list[Any] = [Table("Side by side", ("", *names), tuple((name, *values) for name, values in rows))]
    if len(found.times):
        keep = charts.thinned(len(found.times))
        lines = [
            charts.series("line", name, found.times[keep], curve[keep])
            for name, curve in zip(names, found.growth, strict=True)
            if len(curve)
        ]
        alt = ". ".join(
            f"{name} ends at {curve[-1]:.2f}" for name, curve in zip(names, found.growth, strict=True) if len(curve)
        )
        label = label_of([each for side in found.sides for each in side.data])
        blocks.append(Chart("Equity from 1", (Pane(tuple(lines)),), label, f"{alt}."))
        told = [
            f"The returns of {names[i]} and {names[j]} have a correlation of {ratio(float(found.correlation[i, j]))}."
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ]
        blocks.append(Text(" ".join([*(pair.sentence for pair in found.pairs), *told][:8])))
    blocks += [Text(warning, "warning") for warning in found.warnings]
    return blocks


def kind_named(kind: str) -> str | None:
    """The kind as the archive calls it; None for any. Raises InvalidInput."""
    chosen = kind.lower().rstrip("s").replace("_", "-").replace(" ", "-")
    chosen = {"walkforward": "walk-forward", "montecarlo": "monte-carlo", "optimise": "optimize", "result": ""}.get(
        chosen, chosen
    )
    if chosen and chosen not in KINDS:
        raise InvalidInput(f"'{kind[:30]}' is not a kind of result.", hint=f"There are {', '.join(KINDS)}.")
    return chosen or None


async def latest(ctx: Context, count: int, kind: str | None) -> list[int]:
    """The numbers of the caller's latest results, the newest first. Raises NotFound when there are fewer."""
    found = await asyncio.to_thread(results_of(ctx).list, ctx.user.id, kind, count)
    if len(found) < count:
        there = wording.plural(len(found), f"{kind or 'result'}") if found else f"no {kind or 'result'}"
        raise NotFound(f"There {'is' if len(found) < 2 else 'are'} {there} kept.", hint="results lists what there is.")
    return [saved.number for saved in found]


def written(run: SavedRun, name: str, form: str) -> bytes:
    """The file's bytes; runs in a job."""
    from core.research.export import export as write

    with tempfile.TemporaryDirectory() as folder:
        return write(run, Path(folder) / name, form).read_bytes()


def label_of(data: Sequence[Mapping[str, Any]]) -> str:
    """How a chart of results on these data is marked: that prices were made up weighs more than that it is the past."""
    made_up = any(str(each.get("instrument")).startswith("sandbox:") for each in data)
    return wording.SIMULATED if made_up else "BACKTEST"


def row_of(saved: Saved) -> tuple[str, ...]:
    """Number, when, what, return, Sharpe ratio, drawdown."""
    settings = " ".join(f"{name}={value}" for name, value in saved.parameters.items())
    kind = "" if saved.kind == "backtest" else f"{saved.kind}: "
    stats = saved.stats
    return (
        str(saved.number),
        wording.day(saved.created),
        f"{kind}{saved.title} {settings}".strip() + (" (partial)" if saved.partial else ""),
        percent(stats.get("total_return")),
        ratio(stats.get("sharpe")),
        percent(stats.get("max_drawdown")),
    )


def told_again(saved: Saved) -> list[Table | Text]:
    """The table of a search or simulation: best trials, windows with what was chosen, or percentiles."""
    from core.commands.families import search, validation

    found = saved.document
    if saved.kind == "monte-carlo" and found.get("percentiles"):
        told = Text(f"{found.get('runs', 0):,} histories of kind {found.get('method')}. {found.get('sentence', '')}")
        return [validation.percentiles(saved.stats, found["percentiles"], saved.title), told]
    names = list(found.get("space") or {})
    if saved.kind == "walk-forward" and found.get("windows"):
        return search.walked(found["windows"], names, str(found["metric"]), saved.title, WINDOWS)
    if saved.kind not in ("sweep", "optimize") or not found.get("top"):
        return []
    metric = str(found.get("metric") or found["metrics"][0]).removeprefix("-")
    held = found.get("out_of_sample")
    later = [search.trial_row({}, held, names, metric)] if held else []
    best = [search.trial_row(each["parameters"], each["stats"] or {}, names, metric) for each in found["top"][:BEST]]
    marked = [("searched" if held else "", *row) for row in best[:1]] + [("held out", *row) for row in later]
    rows = (*marked, *(("", *row) for row in best[1:]))
    title = f"The best of {int(found.get('trials') or 0):,} trials by {metric.replace('_', ' ')}: {saved.title}"
    columns = ("On", *search.trial_columns(names, metric))
    return [Table(title, columns, rows, tuple(range(1, len(columns))))]


FRACTIONS = frozenset(
    {
        "total_return",
        "cagr",
        "max_drawdown",
        "volatility",
        "win_rate",
        "exposure",
        "buy_and_hold",
        "var_95",
        "cvar_95",
        "probabilistic_sharpe",
        "deflated_sharpe",
        "overfitting",
        "reality_check",
        "superior_ability",
        "probability_of_loss",
        "probability_of_ruin",
        "max_drawdown_p95",
    }
)


def few(stats: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Whatever figures a run of another kind has."""
    return tuple(
        (name.replace("_", " ").capitalize(), figure(name, value))
        for name, value in stats.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


def figure(name: str, value: Any) -> str:
    """As people read it."""
    if name in FRACTIONS:
        return wording.percent(value)
    if name in ("final_equity", "fees_paid", "expectancy"):
        return wording.money(value)
    return f"{value:,}" if isinstance(value, int) else ratio(value)


def percent(value: Any) -> str:
    """A fraction as percent; a dash where there is none."""
    return "–" if value is None else wording.percent(value)


def quote(saved: Saved) -> str:
    """The currency of the run; nothing when it is not known."""
    return parse_key(str(saved.data[0]["instrument"]))[2] if saved.data and saved.data[0].get("instrument") else ""
