"""write_bands: a simulation as one HTML file that needs nothing else and no network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.analytics.catalogue import MEASURES
from core.analytics.paths import FIGURES
from core.research import page, sections
from core.research.monte_carlo import LEVELS, MonteCarlo
from core.research.page import Grid, Lines, Page, Section, number, percent


def write_bands(found: MonteCarlo, path: str | Path) -> Path:
    """Writes the page and returns its path. Raises InvalidInput when the place cannot be written."""
    return page.write(render(found), path)


def render(found: MonteCarlo) -> str:
    """The page's HTML."""
    document = found.document()
    data = " ".join(f"{each['symbol']} {each['timeframe']}, {each['bars']:,} bars." for each in document["data"])
    early = f" Stopped early: {found.asked:,} were asked for." if found.partial else ""
    levels = [f"p{level}" for level in LEVELS]
    rows = [_row(name, document["stats"], document["percentiles"][name], levels) for name in FIGURES]
    dates = found.kind != "trades"
    parts: list[Section] = [
        Lines("Before you believe it", [found.sentence], boxed=True),
        sections.bands(found.axis, found.equity, found.bands, dates=dates),
        Grid("Over all histories", ("", "The result", *(f"{level} %" for level in LEVELS)), rows),
        Lines(
            "What it says",
            [
                f"Loss: {percent(found.probability_of_loss, 1)} of the histories.",
                f"Ruin ({percent(found.ruin, 0)} of the cash or less, at any time):"
                f" {percent(found.probability_of_ruin, 1)}.",
                "Every simulation says how a result varies if the future is made of the same stuff as the past. It does"
                " not say that it is.",
            ],
        ),
    ]
    told = f"{found.runs:,} histories: {found.made}. {data} Seed {found.seed}.{early}"
    simulated = any(str(each["instrument"]).startswith("sandbox:") for each in document["data"])
    title = f"How far luck may move {document['strategy']['name']}"
    return page.render(Page(title, [told], parts, "SIMULATED MARKET" if simulated else ""))


def _row(name: str, stats: Mapping[str, Any], found: Mapping[str, Any], levels: list[str]) -> list[str]:
    """A figure of the result and of the histories."""
    shown = percent if name == "max_drawdown" else number
    label = MEASURES[name].label if name in MEASURES else name.replace("_", " ").capitalize()
    return [label, shown(stats[name]), *(shown(found[level]) for level in levels)]
