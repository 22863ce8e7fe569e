"""Indicators: what there is, what each takes and gives, and what it says about a coin."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from core import wording
from core.commands import charts
from core.commands.context import Context
from core.commands.converters import HOURLY, Timeframe
from core.commands.registry import command
from core.errors import InvalidInput, NotFound
from core.indicators.described import CATEGORIES, Indicator
from core.indicators.terms import FRACTION, PRICE
from core.market.bars import COLUMNS, Bars
from core.market.instrument import Instrument
from core.reply import Chart, Choice, Choices, Facts, Reply, Table, Text

SHOWN = 120  # bars on a chart


@command(
    family="research",
    aliases=("studies",),
    examples=("indicators", "indicators momentum"),
    phrases=(
        "[(show|list|see|give) [me]] [all|the] [the] [available] (indicators|studies)",
        "(what|which) indicators [(are there|do you have|do you know|exist|can i use)]",
    ),
)
async def indicators(ctx: Context, category: str = "") -> Reply:
    """Lists the indicators, or those of one category with their settings.

    category: trend, momentum, volatility, volume, price, statistics, cycle or pattern
    """
    from core.indicators import catalogue

    every = list(catalogue().values())
    if not category:
        rows = tuple((name, ", ".join(each.name for each in every if each.category == name)) for name in CATEGORIES)
        hint = "To see one: indicator rsi. To compute it: indicator rsi btc 1h. One category: indicators momentum."
        return [Table(f"{len(every)} indicators", ("Category", "Indicators"), rows), Text(hint)]
    if category.lower() not in CATEGORIES:
        raise NotFound(
            f"There is no category '{category[:40]}' of indicators.", hint=f"There are {', '.join(CATEGORIES)}."
        )
    told = tuple((each.name, each.summary, settings(each)) for each in every if each.category == category.lower())
    return [Table(f"Indicators: {category.lower()}", ("Name", "What it is", "Settings"), told)]


@command(
    family="research",
    aliases=("study",),
    examples=("indicator rsi", "indicator rsi btc 1h", "indicator correlation btc 1d against=eth period=60"),
)
async def indicator(
    ctx: Context,
    name: str,
    instrument: Instrument | None = None,
    timeframe: Timeframe = HOURLY,
    *,
    against: Instrument | None = None,
    **parameters: str,
) -> Reply:
    """Describes an indicator; with a coin, computes and draws it.

    name: such as rsi; indicators lists them
    instrument: the coin; without one the indicator is described
    timeframe: the bars it is computed on, 1h when not said
    against: the other coin, of those that compare two
    parameters: the indicator's own settings, e.g. period=21
    """
    from core.indicators import named

    try:
        told = named(name)
    except NotFound as unknown:
        raise NotFound(
            unknown.message, hint=(unknown.hint or "").replace("`orchestrator indicators`", "indicators")
        ) from None
    chosen = told.checked({key: number(text) for key, text in parameters.items()})
    if instrument is None:
        return description(told)
    if "other" in told.inputs and against is None:
        raise InvalidInput(
            f"{told.name} compares two coins.",
            hint=f"Name the other one: indicator {told.name} {instrument.base.lower()} {timeframe} against=eth.",
        )
    needed = charts.needs(told, chosen, timeframe)
    market = ctx.services.market
    bars = await market.bars(instrument, timeframe, SHOWN + needed)
    other = await market.bars(against, timeframe, SHOWN + needed) if against and "other" in told.inputs else None
    beside = f" against {against.symbol}" if other is not None and against is not None else ""
    given = ", ".join(f"{key} {value:g}" for key, value in chosen.items())
    title = f"{told.name} of {instrument.symbol} {timeframe}{beside}"
    found = await ctx.services.jobs.run(
        studied, told.name, chosen, bars, other, f"{title}{f', {given}' if given else ''}", market.label(instrument)
    )
    return list(found)


def number(text: str) -> float | str:
    """The number a text stands for, or the text, which is then refused by name."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def settings(told: Indicator) -> str:
    """period=14, or a dash."""
    return ", ".join(f"{name}={each.default:g}" for name, each in told.parameters.items()) or "–"


def description(told: Indicator) -> Reply:
    """What it is, takes and gives."""
    settled = told.settles()
    facts = [
        *((f"{name}={each.default:g}", f"{each.help}, {each.low:g} to {each.high:,.10g}") for name, each in
          told.parameters.items()),
        ("Gives", ", ".join(f"{each.name} ({each.unit})" for each in told.outputs)),
        ("Computed from", ", ".join(told.inputs)),
        ("Warm-up", told.waits or wording.plural(told.warmup(), "bar")),
    ]  # fmt: skip
    if settled is not None and settled > told.warmup():
        facts.append(("Settles", f"after {wording.plural(settled, 'bar')} the first one no longer matters"))
    compare = " against=eth" if "other" in told.inputs else ""
    return [
        Facts(told.name, tuple(facts), told.summary),
        Choices("Compute it?", (Choice("On BTC, hourly", f"indicator {told.name} btc 1h{compare}"),)),
    ]


def studied(
    name: str, chosen: dict[str, Any], bars: Bars, other: Bars | None, title: str, label: str | None
) -> tuple[Facts, Chart]:
    """The latest values and the drawing."""
    from core.indicators import named

    told = named(name)
    if other is not None:
        bars, other = together(bars, other)
    columns = {column: getattr(bars, column) for column in COLUMNS}
    lines = told.compute(columns if other is None else {**columns, "other": other.close}, **chosen)
    if not len(bars) or all(math.isnan(line[-1]) for line in lines):
        raise InvalidInput(f"There are only {len(bars)} bars, too few for {title}.", hint="Choose shorter settings.")
    facts = tuple(
        (each.name, value(float(line[-1]), each.unit, bars.instrument))
        for each, line in zip(told.outputs, lines, strict=True)
    )
    where = f"{label} prices. " if label else ""
    return (
        Facts(title, facts, f"{where}On the bar from {wording.moment(int(bars.timestamp[-1]))}. {told.summary}"),
        drawn(told, lines, bars, title, label),
    )


def together(bars: Bars, other: Bars) -> tuple[Bars, Bars]:
    """The bars that both have."""
    _, mine, theirs = np.intersect1d(bars.timestamp, other.timestamp, assume_unique=True, return_indices=True)
    picked = [
        replace(each, **{column: getattr(each, column)[rows] for column in COLUMNS})
        for each, rows in ((bars, mine), (other, theirs))
    ]
    return picked[0], picked[1]


def value(number: float, unit: str, instrument: Instrument) -> str:
    """As people read it."""
    if math.isnan(number):
        return "–"
    if unit == PRICE:
        return wording.price(number, instrument)
    return wording.percent(number) if unit == FRACTION else f"{number:,.5g}"


def drawn(told: Indicator, lines: tuple[Any, ...], bars: Bars, title: str, label: str | None) -> Chart:
    """Candles with what is a price over them, and the rest below."""
    chart = charts.candles(bars, (), SHOWN, title, label)
    over, below = charts.placed(told, lines, bars, slice(max(0, len(bars) - SHOWN), None), told.name)
    main, *rest = chart.panes
    return replace(chart, panes=(replace(main, series=(*main.series, *over)), *rest, *below))
