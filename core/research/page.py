"""Page: a report as sections, and `render`, which makes of them one HTML file that needs nothing else, no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cards:
    """Named values in boxes, in order."""

    items: Sequence[tuple[str, str]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. svg: as core.research.drawing makes it; key: (style of the line, what it is), caption: plain text."""

    title: str
    svg: str
    key: Sequence[tuple[str, str]] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in a grid. tone: gain, fell or nothing; shade: from -1 (loss) to 1 (gain) colours the ground."""

    text: str
    tone: str = ""
    shade: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under column names, the first column naming the row. note: a line below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences as a list; `boxed` puts them where they are not overlooked."""

    title: str
    lines: Sequence[str]
    boxed: bool = False


Section = Cards | Figure | Grid | Lines


@dataclass(frozen=True, slots=True)
class Page:
    """A title, a few lines below it, and the sections."""

    title: str
    lines: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)
    badge: str = ""


def render(page: Page) -> str:
    """The page's HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("core.research"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["kind"] = lambda section: type(section).__name__
    environment.filters["cell"] = lambda value: value if isinstance(value, Cell) else Cell(value)
    return environment.get_template("page.html.j2").render(page=page)


def write(text: str, path: str | Path) -> Path:
    """Writes the page and returns its path. Raises InvalidInput when the place cannot be written."""
    target = Path(path)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise InvalidInput(f"The report cannot be written to {target}: {refused.strerror}.") from None
    return target


def percent(value: float | None, digits: int = 2) -> str:
    """0.1234 -> '12.34 %'; a dash for None."""
    return "–" if value is None else f"{value * 100:,.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """1234.5 -> '1,234.50'; a dash for None."""
    return "–" if value is None else f"{value:,.{digits}f}"


def signed(text: str, value: float | None) -> Cell:
    """A cell that is green for a gain and red for a loss."""
    return Cell(text, "" if value is None or value == 0 else "gain" if value > 0 else "fell")


def heat(
    title: str, corner: str, across: Sequence[str], down: Sequence[str], values: Floats, note: str = "",
    form: str = ".2f",
) -> Grid:  # fmt: skip
    """A heat map as a table: (down, across) values, shaded by their size; NaN is an empty cell."""
    most = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    rows = [
        [Cell(name), *(Cell(format(x, form), shade=x / most if most else 0.0) if np.isfinite(x) else "" for x in row)]
        for name, row in zip(down, values.tolist(), strict=True)
    ]
    return Grid(title, [corner, *across], rows, note)
