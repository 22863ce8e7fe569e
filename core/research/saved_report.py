"""render_saved: a kept run of any kind as one HTML file; write_comparison: results side by side."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from core.analytics.catalogue import MEASURES
from core.errors import InvalidInput
from core.market.instrument import parse_key
from core.research import page, report, sections
from core.research.archive import SavedRun
from core.research.compare import Comparison
from core.research.drawing import Line, chart
from core.research.page import Cards, Cell, Figure, Grid, Lines, Page, Section, heat, number, percent
from core.research.runfile import Frame
from core.research.sections import Seen
from core.trading.costs import Costs

STYLES = ("own", "held", "third", "fourth", "fifth", "sixth")
KINDS = {"monte-carlo": "Monte Carlo", "optimize": "Optimisation"}
SHOWN = 50  # rows of a table of trials
MOST_CELLS = 40  # values of a parameter across a heat map
SHARES = ("probabilistic_sharpe", "deflated_sharpe", "overfitting", "reality_check", "superior_ability")
PERCENTS = (
    "total_return", "cagr", "max_drawdown", "volatility", "var_95", "cvar_95", "win_rate", "exposure", "buy_and_hold",
    "ulcer_index", "max_drawdown_p95", "probability_of_loss", "probability_of_ruin", *SHARES,
)  # fmt: skip
COLUMNS = ("total_return", "sharpe", "sortino", "calmar", "max_drawdown", "trades", "win_rate", "profit_factor")
WHOLE = ("trades", "open_trades", "max_drawdown_duration", "trials", "bars", "runs", "minimum_track_record")
JUDGED = (
    ("probabilistic_sharpe", "Chance that the Sharpe ratio is above zero"), ("deflated_sharpe", "… after all trials"),
    ("overfitting", "Probability of overfitting"), ("reality_check", "No better than holding: reality check"),
    ("superior_ability", "No better than holding: Hansen"), ("trials", "Trials counted"),
    ("luck_sharpe", "Sharpe by luck of so many"), ("track_record", "Bars there are"),
    ("minimum_track_record", "Bars needed to tell"),
)  # fmt: skip
SHORT = {
    "train_start": "trained from", "test_start": "traded from", "test_end": "to", "total_return": "return",
    "max_drawdown": "drawdown",
}  # fmt: skip
TIMES = ("time", "start", "end")


def render_saved(run: SavedRun) -> str:
    """The page of a kept run."""
    if run.kind == "backtest":
        return page.render(report.page_of(seen(run), made=_made(run)))
    parts = [
        *_told(run), *_judged(run), *_bands(run), *_grids(run), *_chosen(run), *_equity(run), *_windows(run),
        *_figures(run), *_table(run), *_costs(run),
    ]  # fmt: skip
    title = f"{KINDS.get(run.kind, run.kind.capitalize())} of {run.saved.title}"
    return page.render(Page(title, [_asked(run), _made(run)], parts, _badge(run)))


def write_comparison(found: Comparison, path: str | Path) -> Path:
    """Writes the page and returns its path. Raises InvalidInput when the place cannot be written."""
    return page.write(render_comparison(found), path)


def render_comparison(found: Comparison) -> str:
    """The page of results side by side."""
    names = [side.name for side in found.sides]
    parts: list[Section] = []
    if notes := [pair.sentence for pair in found.pairs] + found.warnings:
        parts.append(Lines("Before you choose one", notes, boxed=True))
    if len(found.times):
        drawn = [(name, curve) for name, curve in zip(names, found.growth, strict=True) if len(curve)]
        lines = [Line(name, curve, STYLES[k % len(STYLES)]) for k, (name, curve) in enumerate(drawn)]
        key = [(line.style, line.name) for line in lines]
        parts.append(Figure("Equity from 1", chart(found.times, lines, "Equity of each, from 1"), key))
    rows = [[_label(name), *(_value(name, each) for each in values)] for name, values in found.rows]
    parts.append(Grid("Statistics", ("", *names), rows))
    if found.differing:
        parts.append(Grid("What differs", ("", *names), [[name, *values] for name, values in found.differing]))
    if len(found.times):
        parts.append(heat("Correlation of returns", "", names, names, found.correlation))
        tests = [
            [
                f"{pair.first} and {pair.second}",
                *(number(x) if np.isfinite(x) else "–" for x in (pair.difference, pair.low, pair.high)),
                number(pair.p_value, 3) if np.isfinite(pair.p_value) else "–",
            ]
            for pair in found.pairs
        ]
        note = "By the paired stationary bootstrap; a small p means that luck alone seldom makes such a difference."
        columns = ("Sharpe ratios", "First less second", "95 % from", "to", "p")
        parts.append(Grid("Is one better?", columns, tests, note))
    every = [str(each.get("instrument", "")) for side in found.sides for each in side.data]
    badge = "SIMULATED MARKET" if any(each.startswith("sandbox:") for each in every) else ""
    return page.render(Page("Results side by side", [", ".join(names)], parts, badge))


def seen(run: SavedRun) -> Seen:
    """What a report shows of a kept backtest. Raises InvalidInput when parts of it are missing."""
    document, data = run.document, run.saved.data
    if not data or "trades" not in run.frames or not len(run.equity):
        raise InvalidInput(f"Result {run.number} lacks the tables that a report needs; export it as json.")
    venue, _, quote = parse_key(str(data[0]["instrument"]))
    known = {field.name for field in fields(Costs)}
    held, stacked = run.frame("hold"), run.frame("prices")
    symbols = [str(each["symbol"]) for each in data]
    prices = {}
    for name in symbols:
        mine = stacked["symbol"] == name if stacked else np.zeros(0, bool)
        if mine.any():
            prices[name] = (stacked["time"][mine], stacked["close"][mine])
    return Seen(
        strategy=document["strategy"],
        summary=str(document.get("summary", "")),
        stats=run.stats,
        overfitting=document.get("overfitting") or {},
        costs=Costs(**{name: value for name, value in run.saved.costs.items() if name in known}),
        symbols=symbols,
        quote=quote,
        timeframe=str(data[0]["timeframe"]),
        finer=next((str(each["timeframe"]) for each in document.get("detail") or []), ""),
        times=run.timestamps,
        equity=run.equity,
        cash=run.cash,
        hold=(held["time"], held["equity"]) if held else None,
        prices=prices,
        trades=run.frame("trades"),
        periods_per_year=float(document["periods_per_year"]),
        simulated=venue == "sandbox",
    )


def _made(run: SavedRun) -> str:
    code = run.document.get("code") or {}
    commit = f", commit {str(code['commit'])[:12]}" if code.get("commit") else ""
    head = f"Result {run.number}, made" if run.number else "Made"
    return f"{head} {run.saved.created:%Y-%m-%d %H:%M} UTC by version {code.get('version')}{commit}."


def _asked(run: SavedRun) -> str:
    data = "; ".join(
        f"{each.get('symbol')} {each.get('timeframe')}, {int(each.get('bars') or 0):,} bars from"
        f" {str(each.get('start', ''))[:10]} to {str(each.get('end', ''))[:10]}"
        for each in run.saved.data
    )
    partial = " It was stopped early: this is what was found until then." if run.saved.partial else ""
    return f"{data}.{partial}" if data else partial.strip()


def _badge(run: SavedRun) -> str:
    sandbox = any(str(each.get("instrument", "")).startswith("sandbox:") for each in run.saved.data)
    return "SIMULATED MARKET" if sandbox else "PARTIAL" if run.saved.partial else ""


def _told(run: SavedRun) -> list[Section]:
    """The sentences of the run, and what belongs beside its figures."""
    document = run.document
    overfitting = document.get("overfitting") or {}
    lines = [str(document["sentence"])] if document.get("sentence") else []
    lines += [str(overfitting["sentence"])] if overfitting.get("sentence") else []
    lines += run.saved.warnings
    return [Lines("Before you believe it", lines, boxed=True)] if lines else []


def _judged(run: SavedRun) -> list[Section]:
    """What tells skill from luck."""
    found = run.document.get("overfitting") or {}
    told = [
        (label, percent(found[name], 1) if name in SHARES else _value(name, found[name]))
        for name, label in JUDGED
        if isinstance(found.get(name), int | float)
    ]
    if isinstance(found.get("sharpe_low"), float) and isinstance(found.get("sharpe_high"), float):
        told.insert(0, ("Sharpe ratio, 95 % within", f"{found['sharpe_low']:.2f} to {found['sharpe_high']:.2f}"))
    return [Cards(told, "Skill or luck")] if told else []


def _chosen(run: SavedRun) -> list[Section]:
    """The parameters: of a search, those of the best trial."""
    chosen = [(name.replace("_", " "), _value(name, value)) for name, value in run.saved.parameters.items()]
    title = "The best trial" if run.document.get("space") else "Parameters"
    return [Cards(chosen, title)] if chosen else []


def _figures(run: SavedRun) -> list[Section]:
    """The statistics."""
    judged = {"sharpe_low", "sharpe_high", *(name for name, _ in JUDGED)}
    stats = [
        (_label(name), _value(name, value))
        for name, value in run.stats.items()
        if isinstance(value, int | float) and name not in judged
    ]
    return [Cards(stats, "Statistics")] if stats else []


def _equity(run: SavedRun) -> list[Section]:
    if len(run.equity) < 2:
        return []
    values = np.maximum(run.equity, 1e-9)
    log = 3.0 < float(values.max() / values.min()) < 1e7
    label = "Equity out of sample, stitched" if run.kind == "walk-forward" else "Equity"
    return [Figure(label, chart(run.timestamps, [Line(label, values, "own")], label, log=log))]


def _bands(run: SavedRun) -> list[Section]:
    """Percentiles of simulated equity around the result's own."""
    frame = run.frame("bands")
    axis = next((name for name in ("time", "trade") if name in frame), None)
    found: list[Section] = []
    if axis is not None and any(name in frame for name, _ in sections.LEVELS):
        found.append(sections.bands(frame[axis], frame.get("equity"), frame, dates=axis == "time"))
    if percentiles := run.document.get("percentiles"):
        names = list(next(iter(percentiles.values())))
        rows = [
            [_label(name), _value(name, run.stats.get(name)), *(_value(name, each.get(level)) for level in names)]
            for name, each in percentiles.items()
        ]
        columns = [f"{name.removeprefix('p')} %" for name in names]
        found.append(Grid("Over all histories", ("", "The result", *columns), rows))
    return found


def _grids(run: SavedRun) -> list[Section]:
    """A heat map of the metric where two parameters were varied."""
    table, space = run.frame("table"), run.document.get("space") or {}
    varied = [name for name in space if name in table and len(np.unique(table[name])) > 1]
    metric = str(run.document.get("metric") or "sharpe")
    if len(varied) < 2 or metric not in table or table[metric].dtype == object:
        return []
    down, across = varied[:2]
    rows, row = np.unique(table[down], return_inverse=True)
    columns, column = np.unique(table[across], return_inverse=True)
    if len(rows) > MOST_CELLS or len(columns) > MOST_CELLS:
        return []
    best = np.full((len(rows), len(columns)), np.nan)
    for i, j, value in zip(row.tolist(), column.tolist(), table[metric].tolist(), strict=True):
        best[i, j] = np.nanmax([best[i, j], value]) if np.isfinite([best[i, j], value]).any() else np.nan
    note = f"The {metric.replace('_', ' ')} of each pair" + (
        ", the best over the other parameters." if len(varied) > 2 else "."
    )
    labels = [f"{value:g}" for value in columns.tolist()], [f"{value:g}" for value in rows.tolist()]
    title = f"{metric.replace('_', ' ').capitalize()} by {down} and {across}"
    return [
        heat(
            title,
            f"{down} \\ {across}",
            *labels,
            best,
            f"{note} Neighbours that agree are a better sign than one peak.",
        )
    ]


def _windows(run: SavedRun) -> list[Section]:
    frame = run.frame("windows")
    return [_grid("Windows", frame, None)] if frame else []


def _table(run: SavedRun) -> list[Section]:
    """The best trials."""
    table = run.frame("table")
    if not table:
        return []
    metric = str(run.document.get("metric") or "sharpe")
    order = np.arange(len(next(iter(table.values()))))
    if metric in table and table[metric].dtype != object:
        best = table[metric] if metric in ("max_drawdown", "volatility") else -table[metric]
        order = np.argsort(np.where(np.isnan(best), np.inf, best), kind="stable")
    shown = [name for name in table if name in run.saved.parameters or name in (run.document.get("space") or {})]
    shown += [name for name in (metric, *COLUMNS) if name in table and name not in shown]
    late = f" (the best {SHOWN} of {len(order):,})" if len(order) > SHOWN else ""
    return [_grid(f"Trials{late}", {name: table[name] for name in shown or table}, order[:SHOWN])]


def _grid(title: str, frame: Frame, order: Any) -> Grid:
    rows = range(len(next(iter(frame.values())))) if order is None else order.tolist()
    cells: list[list[Cell | str]] = [
        [_value(name, values[k].item() if hasattr(values[k], "item") else values[k]) for name, values in frame.items()]
        for k in rows
    ]
    return Grid(title, [_column(name) for name in frame], cells)


def _costs(run: SavedRun) -> list[Section]:
    if not run.saved.costs:
        return []
    shown = [(name.replace("_", " ").capitalize(), _cost(name, value)) for name, value in run.saved.costs.items()]
    return [Cards(shown, "Costs")]


def _cost(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and name != "leverage":
        return f"{value * 100:.4g} %"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _label(name: str) -> str:
    return MEASURES[name].label if name in MEASURES else name.replace("_", " ").capitalize()


def _column(name: str) -> str:
    """A column's name, short: the two sides of a walk-forward's cut are before and after."""
    for sample, side in (("in_sample_", "before"), ("out_of_sample_", "after")):
        if name.startswith(sample):
            return f"{_column(name.removeprefix(sample))} {side}"
    return SHORT.get(name, name.replace("_", " "))


def _value(name: str, value: Any) -> str:
    """As people read it: fractions as percent, whole numbers whole, times as days."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int) and value > 10**11 and name.rpartition("_")[2] in TIMES:
        from core.clock import from_ms

        return f"{from_ms(value):%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    if name in PERCENTS or name.partition("sample_")[2] in PERCENTS:
        return percent(value)
    if isinstance(value, int) or name in WHOLE:
        return f"{value:,.0f}"
    bare = name.rpartition("sample_")[2]
    if bare in MEASURES and MEASURES[bare].unit == "ratio":
        return number(value)
    return (
        f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3g}"
    )


__all__ = ["render_comparison", "render_saved", "write_comparison"]
