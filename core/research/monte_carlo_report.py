"""write_bands: a simulation as one HTML file that needs nothing else and no network."""

from pathlib import Path

from core.analytics.paths import FIGURES
from core.errors import InvalidInput
from core.research.drawing import Line, chart
from core.research.monte_carlo import KINDS, LEVELS, MonteCarlo
from core.research.report import number, percent

STYLES = {5: "edge", 25: "near", 50: "middle", 75: "near", 95: "edge"}


def write_bands(found: MonteCarlo, path: str | Path) -> Path:
    """Writes the page and returns its path. Raises InvalidInput when the place cannot be written."""
    target = Path(path)
    try:
        target.write_text(render(found), encoding="utf-8")
    except OSError as refused:
        raise InvalidInput(f"The report cannot be written to {target}: {refused.strerror}.") from None
    return target


def render(found: MonteCarlo) -> str:
    """The page's HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("core.research"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"percent": percent, "number": number}
    lines = [
        Line("the result", found.equity, "own"),
        *(Line(f"{level} %", found.bands[f"p{level}"], STYLES[level]) for level in LEVELS),
    ]
    drawn = chart(found.axis, lines, "Equity of the result among the simulated ones", dates=found.kind != "trades")
    document = found.document()
    return environment.get_template("monte_carlo.html.j2").render(
        found=found,
        document=document,
        simulated=any(str(each["instrument"]).startswith("sandbox:") for each in document["data"]),
        what=KINDS[found.kind],
        levels=[f"p{level}" for level in LEVELS],
        drawn=drawn,
        names=FIGURES,
    )
