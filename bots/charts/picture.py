"""Picture: a chart drawn as a PNG.

Drawn with Matplotlib's object interface on the Agg canvas: no global figure list, no display. Matplotlib is imported
at the first picture and is not safe in two threads at once, so that a lock lets one picture be drawn at a time.
"""

import threading
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np

from bots.charts.arrays import Floats, Prepared, merge_candles, prepare
from bots.charts.label import plain_math
from bots.charts.marks import draw_candles, draw_histogram, draw_line, draw_markers
from bots.charts.palette import DARK, LIGHT, Palette, toned
from bots.charts.time_axis import axis_times, step_of, time_ticks
from bots.charts.value_axis import label_values, set_limits
from core.clock import from_ms
from core.reply import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 150  # makes a 9-point letter 19 pixels high in a 900-pixel picture, which a phone shows at half its size
FEWEST: Final = 12  # bars that would fill the width; fewer stand in the middle, not swollen

_drawing = threading.Lock()


def png(chart: Chart, width: int = 900, height: int = 600, dark: bool = True) -> bytes:
    """The chart as a PNG of exactly width x height pixels. Slow (0.1 s): callers stay off the event loop."""
    palette = DARK if dark else LIGHT
    with _drawing:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=palette.background)
        FigureCanvasAgg(figure)
        panes = [prepared for prepared in map(prepare, chart.panes) if prepared.series]
        if panes:
            _draw(figure, chart, panes, palette)
        else:
            _say_empty(figure, chart, palette)
        picture = BytesIO()
        figure.savefig(picture, format="png", facecolor=palette.background, metadata={"Description": _describe(chart)})
        return picture.getvalue()


def _draw(figure: "Figure", chart: Chart, panes: Sequence[Prepared], palette: Palette) -> None:
    times = axis_times(panes)
    step = step_of(times)
    every = np.concatenate([drawn.times for pane in panes for drawn in pane.series])
    first, last = float(min(every.min(), times[0])), float(max(every.max(), times[-1]))
    weights = [max(prepared.pane.weight, 0.05) for prepared in panes]
    width, height = figure.get_size_inches() * DPI
    grid = figure.add_gridspec(
        len(panes), 1, height_ratios=weights, hspace=0.06, left=0.025, right=1 - 118 / width,
        top=1 - 74 / height, bottom=62 / height,
    )  # fmt: skip
    rising = {time: rose for prepared in panes for time, rose in _directions(prepared).items()}
    shared: Axes | None = None
    for row, prepared in enumerate(panes):
        axes = figure.add_subplot(grid[row, 0], sharex=shared)
        shared = shared or axes
        _dress(axes, palette)
        _draw_pane(axes, prepared, palette, step, rising, small=weights[row] < max(weights) / 2)
        axes.tick_params(labelbottom=row == len(panes) - 1)
    assert shared is not None
    room = max(step, (last - first) * 0.012, (FEWEST * step - (last - first)) / 2)
    shared.set_xlim(first - room, last + room)
    moments, labels = time_ticks(first, last, most=max(2, int(width) // 130))
    if not moments:
        moments, labels = [first], [f"{from_ms(int(first)):%d %b\n%H:%M}"]
    shared.set_xticks(moments)
    figure.axes[-1].set_xticklabels(labels)
    _stamp(figure, chart, palette)


def _dress(axes: "Axes", palette: Palette) -> None:
    axes.set_facecolor(palette.panel)
    axes.grid(True, color=palette.grid, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.yaxis.tick_right()
    axes.tick_params(colors=palette.faint, labelsize=7.5, length=0, pad=4)
    for side in axes.spines.values():
        side.set_color(palette.grid)
        side.set_linewidth(0.6)


def _draw_pane(
    axes: "Axes", prepared: Prepared, palette: Palette, step: float, rising: dict[int, bool], small: bool
) -> None:
    colours = iter(palette.lines * (1 + len(prepared.series) // len(palette.lines)))
    limits: list[Floats] = []
    for drawn in prepared.series:
        match drawn.series.kind:
            case "candles":
                limits.append(draw_candles(axes, drawn, palette, step))
            case "histogram":
                limits.append(draw_histogram(axes, drawn, palette, step, rising))
            case "markers":
                limits.append(draw_markers(axes, drawn, palette))
            case "line" | "area":
                limits.append(draw_line(axes, drawn, toned(drawn.series.tone, palette) or next(colours)))
    low = min(float(np.nanmin(values)) for values in limits)
    high = max(float(np.nanmax(values)) for values in limits)
    set_limits(axes, low, high, [drawn.series.kind for drawn in prepared.series])
    label_values(axes, prepared, palette, small)


def _directions(prepared: Prepared) -> dict[int, bool]:
    """For each candle's time whether it rose."""
    for drawn in prepared.series:
        if drawn.series.kind == "candles":
            times, values = merge_candles(drawn.times, drawn.values)
            return dict(zip(times.tolist(), (values[:, 3] >= values[:, 0]).tolist(), strict=True))
    return {}


def _stamp(figure: "Figure", chart: Chart, palette: Palette) -> None:
    """Title above, time zone below, and the label twice: as a badge and across the picture."""
    width, height = figure.get_size_inches() * DPI
    top = 1 - 36 / height
    room = 0.63 if chart.label else 0.95
    size = 12.0
    title = figure.text(
        0.025, top, plain_math(chart.title), fontsize=size, fontweight="bold", color=palette.text, va="center"
    )
    drawn = title.get_window_extent().width / width
    if drawn > room:
        title.set_fontsize(max(7.0, size * room / drawn))
    figure.text(0.98, 14 / height, "UTC", fontsize=7.5, color=palette.faint, ha="right", va="center")
    if chart.label:
        label = plain_math(chart.label)
        figure.text(
            0.98, top, label, fontsize=10, fontweight="bold", color=palette.background, va="center", ha="right",
            bbox={"boxstyle": "round,pad=0.35", "facecolor": palette.warning, "edgecolor": "none"},
        )  # fmt: skip
        figure.text(
            0.46, 0.52, label, fontsize=min(44.0, 400 / max(len(label), 1)), fontweight="bold", color=palette.text,
            alpha=0.07, ha="center", va="center", rotation=20, zorder=0.5,
        )  # fmt: skip


def _say_empty(figure: "Figure", chart: Chart, palette: Palette) -> None:
    _stamp(figure, chart, palette)
    figure.text(0.5, 0.5, "No data to draw yet", fontsize=13, color=palette.faint, ha="center", va="center")


def _describe(chart: Chart) -> str:
    words = " — ".join(filter(None, [chart.title, chart.label, chart.alt]))
    return words.encode("latin-1", "replace").decode("latin-1")  # all that a PNG's text chunk holds
