"""Searching parameters on the past, and how much of what is found is luck."""

import shlex
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from core import wording
from core.commands import charts
from core.commands.bars import past_bars
from core.commands.context import Context
from core.commands.converters import HOURLY, Period, Timeframe
from core.commands.families.research import ratio
from core.commands.loading import strategy_named
from core.commands.registry import command
from core.commands.works import worked
from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Facts, Reply, Table, Text
from core.trading.costs import Costs

if TYPE_CHECKING:
    from core.research.archive import Archive

MOST_TRIALS = 5_000
MOST_WORK = 400_000_000  # trials times bars
SHOWN = 5
USUAL = ("total_return", "sharpe", "max_drawdown", "trades")  # columns beside the metric
STOPPED = "It was stopped: this is what was done until then."
Parameters = Mapping[str, str]


@command(
    family="research",
    examples=("sweep sma_cross btc 1h", "sweep sma_cross btc 1h fast=5..50/5 slow=60..200/20"),
)
async def sweep(
    ctx: Context,
    strategy: str,
    instrument: Instrument,
    timeframe: Timeframe = HOURLY,
    period: Period | None = None,
    *,
    metric: str = "sharpe",
    cash: Decimal = Decimal(10_000),
    **parameters: str,
) -> Reply:
    """Tests every combination of a strategy's settings on past prices, and says how much of the best is luck.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin
    timeframe: the bars it decides on, 1h when not said
    period: 30d, 6mo, 1y, 2024; about 3,000 bars when not said
    metric: what ranks them: sharpe, total_return, calmar, max_drawdown …
    cash: the money it begins with, 10,000 when not said
    parameters: values to try, e.g. fast=5..50/5 slow=50,100,200; around the usual ones when not said
    """
    from core.research.space import combinations, grid_of

    kind, space = _asked(ctx, strategy, parameters)
    bars = await past_bars(ctx, instrument, timeframe, period)
    count = len(combinations(kind, grid_of(kind, space), MOST_TRIALS).strategies)
    _bearable(count, len(bars))
    options: dict[str, Any] = {"metric": metric, "cash": _money(cash)}
    found, number = await _run(ctx, f"Testing {count:,} settings of {kind.name}", _swept, kind, bars, space, options)
    title, line = _title(strategy, instrument, timeframe), _line(strategy, instrument, timeframe, period)
    if not len(found.ranked):
        return [Text(found.overfitting["sentence"], "warning")]
    names = list(found.grid)
    columns = trial_columns(names, found.metric.name)
    rows = [trial_row(each.parameters, each.stats, names, found.metric.name) for each in found.top(SHOWN)]
    skipped = f"; {found.skipped:,} left out, as {found.reason}".rstrip(".") if found.skipped else ""
    best = found.best
    return [
        Table(f"Sweep: {title}", columns, tuple(rows), tuple(range(len(columns)))),
        Facts(
            f"Best of {len(found):,}: {_told(best.parameters)}",
            _doubts(found.overfitting),
            f"{_where(ctx, bars, instrument)}{skipped}. {found.overfitting['sentence']}{_kept(number)}",
        ),
        *([Text(STOPPED, "warning")] if found.partial else []),
        Choices(
            "And now?",
            (
                Choice("Backtest the best", f"backtest {line} {_told(best.parameters, '=')}"),
                Choice("Walk forward", f"walkforward {line} {_said(parameters)}".rstrip()),
            ),
        ),
    ]


@command(
    family="research",
    aliases=("optimise",),
    examples=("optimize sma_cross btc 1h", "optimize sma_cross eth 4h 1y trials=200 metric=calmar"),
)
async def optimize(
    ctx: Context,
    strategy: str,
    instrument: Instrument,
    timeframe: Timeframe = HOURLY,
    period: Period | None = None,
    *,
    metric: str = "sharpe",
    trials: int = 100,
    sampler: str = "tpe",
    holdout: Decimal = Decimal("0.3"),
    seed: int = 0,
    cash: Decimal = Decimal(10_000),
    **parameters: str,
) -> Reply:
    """Searches a strategy's settings on the earlier part of the past, and tests the best on the rest.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin
    timeframe: the bars it decides on, 1h when not said
    period: 30d, 6mo, 1y, 2024; about 3,000 bars when not said
    metric: what to make large (small with a minus), or several as sharpe,-max_drawdown
    trials: settings to try, 100 when not said
    sampler: tpe, cmaes, random, grid or nsga2
    holdout: the last share of the past that the search does not see, 0.3 when not said
    seed: another number searches otherwise
    cash: the money it begins with, 10,000 when not said
    parameters: ranges to search, e.g. fast=5..50 slow=50..200; around the usual ones when not said
    """
    kind, space = _asked(ctx, strategy, parameters)
    if not 1 <= trials <= MOST_TRIALS:
        raise InvalidInput(f"{trials:,} trials are not between 1 and {MOST_TRIALS:,}.")
    bars = await past_bars(ctx, instrument, timeframe, period)
    _bearable(trials, len(bars))
    options: dict[str, Any] = {
        "metrics": metric.split(","), "trials": trials, "sampler": sampler, "holdout": float(holdout), "seed": seed,
        "cash": _money(cash),
    }  # fmt: skip
    found, number = await _run(ctx, f"Searching settings of {kind.name}", _optimized, kind, bars, space, options)
    title, line = _title(strategy, instrument, timeframe), _line(strategy, instrument, timeframe, period)
    if not found.front:
        return [Text(found.overfitting["sentence"], "warning")]
    name, best = found.goals.metrics[0].name, found.best
    names = list(found.described["space"])
    columns = ("On", *trial_columns(names, name))
    rows = []
    several = len(found.goals.metrics) > 1
    shown = zip(found.front[:SHOWN], found.held_out, strict=False) if several else [(best, found.held_out[0])]
    for each, after in shown:
        rows.append(("searched", *trial_row(each.parameters, each.stats or {}, names, name)))
        if after is not None:
            rows.append(("held out", *trial_row({}, after, names, name)))
    return [
        Table(f"Search: {title}", columns, tuple(rows), tuple(range(1, len(columns)))),
        Facts(
            f"Best of {len(found):,}: {_told(best.parameters)}",
            _doubts(found.overfitting),
            f"{_where(ctx, bars, instrument)}. {found.overfitting['sentence']}{_kept(number)}",
        ),
        *([Text(STOPPED, "warning")] if found.partial else []),
        Choices(
            "And now?",
            (
                Choice("Backtest the best", f"backtest {line} {_told(best.parameters, '=')}"),
                Choice("Walk forward", f"walkforward {line}"),
            ),
        ),
    ]


@command(
    family="research",
    aliases=("walk-forward", "wf"),
    examples=("walkforward sma_cross btc 1h", "walkforward sma_cross btc 4h 2y train=180d test=30d fast=5..25/5"),
)
async def walkforward(
    ctx: Context,
    strategy: str,
    instrument: Instrument,
    timeframe: Timeframe = HOURLY,
    period: Period | None = None,
    *,
    train: str = "",
    test: str = "",
    anchored: Literal["no", "yes"] = "no",
    metric: str = "sharpe",
    cash: Decimal = Decimal(10_000),
    **parameters: str,
) -> Reply:
    """Chooses settings on the past and trades them on what follows, window after window: a test without hindsight.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin
    timeframe: the bars it decides on, 1h when not said
    period: 30d, 6mo, 1y, 2024; about 3,000 bars when not said
    train: what settings are chosen on, e.g. 180d or 1000 (bars); half of the bars when not said
    test: what they are then traded on, e.g. 30d; an eighth of the bars when not said
    anchored: yes lets every window begin at the first bar
    metric: what chooses: sharpe, total_return, calmar, max_drawdown …
    cash: the money it begins with, 10,000 when not said
    parameters: values to try, e.g. fast=5..50/5 slow=50,100,200; around the usual ones when not said
    """
    from core.market.timeframes import milliseconds
    from core.research.space import combinations, grid_of
    from core.research.windows import windows

    kind, space = _asked(ctx, strategy, parameters)
    bars = await past_bars(ctx, instrument, timeframe, period)
    learn, trade = train or str(len(bars) // 2), test or str(len(bars) // 8)
    count = len(combinations(kind, grid_of(kind, space), MOST_TRIALS).strategies)
    parts = windows(bars.timestamp, learn, trade, anchored == "yes", milliseconds(timeframe))
    _bearable(count, sum(each.end - each.first for each in parts))
    options: dict[str, Any] = {
        "train": learn, "test": trade, "anchored": anchored == "yes", "metric": metric, "cash": _money(cash),
    }  # fmt: skip
    doing = f"Walking through {len(parts)} windows with {kind.name}"
    found, number = await _run(ctx, doing, _walked, kind, bars, space, options)
    title, name = _title(strategy, instrument, timeframe), found.metric.name
    names = list(found.described["space"])
    stats, label = found.stats, ctx.services.market.label(instrument)
    facts = (
        ("Return", wording.percent(stats["total_return"], sign=True)),
        ("Buy and hold", wording.percent(stats["buy_and_hold"], sign=True)),
        ("Deepest drawdown", wording.percent(stats["max_drawdown"])),
        ("Sharpe ratio", ratio(stats["sharpe"])),
        ("Trades", f"{stats['trades']:,}"),
        ("Kept of what was promised", "–" if found.efficiency is None else wording.percent(found.efficiency, 0)),
    )
    return [
        *walked([each.document() for each in found.steps], names, name, title),
        Facts(
            f"Without hindsight: {title}",
            facts,
            f"{_where(ctx, bars, instrument)}. {found.overfitting['sentence']}{_kept(number)}",
        ),
        *([Text(STOPPED, "warning")] if found.partial else []),
        charts.equity(
            found.timestamps,
            found.equity,
            f"{title}: equity without hindsight",
            instrument.quote,
            label or "BACKTEST",
            ("Buy and hold", [float(each) for each in found.result.buy_and_hold]),
        ),
        Choices(
            "And now?",
            (
                Choice(
                    "Backtest the latest choice",
                    f"backtest {_line(strategy, instrument, timeframe, period)}"
                    f" {_told(found.steps[-1].parameters, '=')}",
                ),
            ),
        ),
    ]


async def _run(
    ctx: Context, doing: str, work: Callable[..., Any], kind: type[Any], bars: Bars, space: Any, options: dict[str, Any]
) -> tuple[Any, int | None]:
    """What a search found, and its number among the kept results. One that is stopped keeps what it has done."""
    from core.research.archive import Archive

    options["scheduler"] = ctx.services.settings.cluster.scheduler or "local"
    archive = Archive(ctx.services.settings.data_dir / "results")
    subject = f"{doing} on {len(bars):,} bars"
    return await worked(ctx, subject, work, kind, bars, space, options, archive, ctx.user.id)


def _swept(
    kind: type[Any], bars: Bars, space: Any, options: dict[str, Any], archive: "Archive", owner: str, *, progress: Any
) -> tuple[Any, int | None]:
    from core.research.sweep import sweep as search

    found = search(kind, bars, space, Costs(), progress=progress, **options)
    return found, _saved(archive, "sweep", found, owner)


def _optimized(
    kind: type[Any], bars: Bars, space: Any, options: dict[str, Any], archive: "Archive", owner: str, *, progress: Any
) -> tuple[Any, int | None]:
    from core.research.optimize import optimize as search

    found = search(kind, bars, space, Costs(), progress=progress, **options)
    return found, _saved(archive, "optimize", found, owner)


def _walked(
    kind: type[Any], bars: Bars, space: Any, options: dict[str, Any], archive: "Archive", owner: str, *, progress: Any
) -> tuple[Any, int | None]:
    from core.research.walk_forward import walk_forward as search

    found = search(kind, bars, space, Costs(), progress=progress, **options)
    return found, _saved(archive, "walk-forward", found, owner)


def _saved(archive: "Archive", kind: str, found: Any, owner: str) -> int | None:
    """The number under which it is kept; None when the disk refuses, which loses nothing that is shown."""
    from core.research.archive import NotKept
    from core.research.sweep import data_of

    found.earlier = archive.earlier(found.ground.kind.name, data_of(found.ground.bars), found.tries, owner)
    document = found.document()  # here, off the event loop, as the doubt takes a second
    try:
        return archive.save(kind=kind, document=document, frames=found.frames(), owner=owner).number
    except NotKept:
        return None


def _asked(ctx: Context, strategy: str, parameters: Parameters) -> tuple[type[Any], dict[str, str] | None]:
    """The strategy's class and what to search; a parameter with one value stays as it is."""
    from core.research.space import searched

    kind = type(strategy_named(ctx, strategy, {}))
    several = {name: values for name, values in parameters.items() if any(mark in values for mark in (",", ":", ".."))}
    return kind, searched(kind, several, {name: value for name, value in parameters.items() if name not in several})


def _bearable(trials: int, bars: int) -> None:
    if trials * bars > MOST_WORK:
        raise InvalidInput(
            f"{trials:,} settings on {bars:,} bars are more than a chat can wait for.",
            hint="Try fewer values or a shorter period, or use `orchestrator sweep`.",
        )


def _money(cash: Decimal) -> float:
    if cash <= 0:
        raise InvalidInput(f"The cash {wording.money(cash)} is not above zero.")
    return float(cash)


def _title(strategy: str, instrument: Instrument, timeframe: str) -> str:
    return f"{strategy} on {instrument.symbol} {timeframe}"


def _line(strategy: str, instrument: Instrument, timeframe: str, period: Period | None) -> str:
    """The same words again, for a command that follows."""
    base = f"{shlex.quote(strategy)} {instrument.base.lower()} {timeframe}"
    return f"{base} period={period}" if period else base


def _said(parameters: Parameters) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())


def _told(parameters: Mapping[str, Any], between: str = " ") -> str:
    """'fast 10, slow 30', or 'fast=10 slow=30' for a command."""
    told = [f"{name}{between}{value:g}" for name, value in parameters.items()]
    return ", ".join(told) if between == " " else " ".join(told)


def walked(
    windows: list[dict[str, Any]], names: list[str], metric: str, title: str, most: int | None = None
) -> list[Table | Text]:
    """The windows with the settings chosen in them, at most so many, and how many more there are."""
    rows = tuple(
        (
            str(each["test_start"])[:10], *(f"{each['parameters'][key]:g}" for key in names),
            _value(metric, each["in_sample"][metric]), _value(metric, each["out_of_sample"][metric]),
            _value("total_return", each["out_of_sample"]["total_return"]),
        )
        for each in windows[:most]
    )  # fmt: skip
    spoken = metric.replace("_", " ")
    columns = ("Traded from", *names, f"{spoken} before", f"{spoken} after", "Return")
    table = Table(f"Walk forward: {title}", columns, rows, tuple(range(1, len(columns))))
    more = len(windows) - len(rows)
    return [table, Text(f"And {more:,} windows more.")] if more else [table]


def trial_columns(names: list[str], metric: str) -> tuple[str, ...]:
    first = () if metric in USUAL else (metric.replace("_", " "),)
    return (*names, *first, "Return", "Sharpe", "Drawdown", "Trades")


def trial_row(
    parameters: Mapping[str, Any], stats: Mapping[str, Any], names: list[str], metric: str
) -> tuple[str, ...]:
    chosen = [f"{parameters[name]:g}" if name in parameters else "" for name in names]
    first = (
        [] if metric in ("sharpe", "total_return", "max_drawdown", "trades") else [_value(metric, stats.get(metric))]
    )
    values = [_value(name, stats.get(name)) for name in ("total_return", "sharpe", "max_drawdown", "trades")]
    return (*chosen, *first, *values)


def _value(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in ("total_return", "cagr"):
        return wording.percent(value, sign=True)
    if name in ("max_drawdown", "volatility", "win_rate", "exposure"):
        return wording.percent(value)
    return f"{value:,}" if isinstance(value, int) else ratio(value)


def _doubts(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What speaks for skill and what for luck."""
    known = (
        ("Chance that its Sharpe ratio is above zero", facts.get("deflated_sharpe")),
        ("The same, had it been the only one tried", facts.get("probabilistic_sharpe")),
        ("How often the best of one half fell behind on the other", facts.get("overfitting")),
    )
    return tuple((name, wording.percent(value, 0)) for name, value in known if value is not None)


def _where(ctx: Context, bars: Bars, instrument: Instrument) -> str:
    label = ctx.services.market.label(instrument)
    first, last = wording.day(int(bars.timestamp[0])), wording.day(int(bars.timestamp[-1]))
    return f"{first} to {last}, {len(bars):,} bars{f', {label} prices' if label else ''}"


def _kept(number: int | None) -> str:
    return "" if number is None else f" Kept as result {number}."
