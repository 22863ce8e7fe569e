"""Charts of a reply as PNG pictures, readable on a phone.

Drawn with Matplotlib's object interface on the Agg canvas: no global figure list, no display. Matplotlib is imported
at the first picture and is not safe in two threads at once, so that a lock lets one picture be drawn at a time.
"""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from core.clock import from_ms
from core.reply import Chart, Pane, Series, Tone

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
Milliseconds = npt.NDArray[np.int64]

DPI: Final = 150  # makes a 9-point letter 19 pixels high in a 900-pixel picture, which a phone shows at half its size
LONGEST: Final = 280  # bars drawn; more become thinner than a phone's pixel and are merged
FEWEST: Final = 12  # bars that would fill the width; fewer stand in the middle, not swollen
POINTS: Final = 1500  # points of a line; of more, the extremes of each stretch are kept

_drawing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme; rising and falling differ in lightness too, for eyes that see no red and green."""

    background: str
    panel: str
    grid: str
    text: str
    faint: str
    rising: str
    falling: str
    warning: str
    lines: tuple[str, ...]


DARK: Final = Palette(
    background="#10151d", panel="#141b25", grid="#253040", text="#e8edf4", faint="#93a1b3", rising="#2fd6a3",
    falling="#ff5d6c", warning="#ffb648", lines=("#4da3ff", "#ffb648", "#c58bff", "#5fe0e6", "#ff8fc7"),
)  # fmt: skip
LIGHT: Final = Palette(
    background="#ffffff", panel="#fbfcfe", grid="#e3e8ef", text="#17202c", faint="#5d6b7e", rising="#078a63",
    falling="#d3263a", warning="#b26a00", lines=("#1263c4", "#b26a00", "#7a36c9", "#0a7d86", "#b3256f"),
)  # fmt: skip


def png(chart: Chart, width: int = 900, height: int = 600, dark: bool = True) -> bytes:
    """The chart as a PNG of exactly width x height pixels. Slow (0.1 s): callers stay off the event loop."""
    palette = DARK if dark else LIGHT
    with _drawing:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=palette.background)
        FigureCanvasAgg(figure)
        panes = [prepared for prepared in map(_prepare, chart.panes) if prepared.series]
        if panes:
            _draw(figure, chart, panes, palette)
        else:
            _say_empty(figure, chart, palette)
        picture = BytesIO()
        figure.savefig(picture, format="png", facecolor=palette.background, metadata={"Description": _describe(chart)})
        return picture.getvalue()


# ---- what is drawn ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A series as arrays in order of time; values (n,) or, for candles, (n, 4)."""

    series: Series
    times: Milliseconds
    values: Floats


@dataclass(frozen=True, slots=True)
class _Prepared:
    pane: Pane
    series: tuple[_Drawn, ...]


def _prepare(pane: Pane) -> _Prepared:
    return _Prepared(pane, tuple(drawn for drawn in map(_arrays, pane.series) if np.isfinite(drawn.values).any()))


def _arrays(series: Series) -> _Drawn:
    """Null and infinity become NaN, which is drawn as a gap; a candle with a gap in it is left out."""
    times = np.asarray(series.times, dtype=np.int64).reshape(-1)
    shape = (len(times), 4) if series.kind == "candles" else (len(times),)
    values = np.array(_numbers(series.values), dtype=np.float64).reshape(shape)
    values[~np.isfinite(values)] = np.nan
    return _Drawn(series, times, values)


def _numbers(values: Any) -> Any:
    """None (NaN that travelled as JSON) as NaN, at any depth."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, list | tuple):
        return [_numbers(value) for value in values]
    return math.nan if values is None else values


def _merge_candles(times: Milliseconds, values: Floats) -> tuple[Milliseconds, Floats]:
    """At most LONGEST bars: neighbours become one with their first open, extremes and last close."""
    whole = np.isfinite(values).all(axis=1)
    times, values = times[whole], values[whole]
    if len(times) <= LONGEST:
        return times, values
    starts = _starts(len(times))
    ends = np.append(starts[1:], len(times)) - 1
    merged = np.column_stack([
        values[starts, 0],
        np.maximum.reduceat(values[:, 1], starts),
        np.minimum.reduceat(values[:, 2], starts),
        values[ends, 3],
    ])  # fmt: skip
    return times[starts], merged


def _merge_sums(times: Milliseconds, values: Floats) -> tuple[Milliseconds, Floats]:
    """At most LONGEST columns: volumes of neighbours add up, signed ones (a MACD histogram) are averaged."""
    known = np.isfinite(values)
    times, values = times[known], values[known]
    if len(times) <= LONGEST:
        return times, values
    starts = _starts(len(times))
    sums = np.add.reduceat(values, starts)
    counts = np.diff(np.append(starts, len(times)))
    return times[starts], sums if (values >= 0).all() else sums / counts


def _starts(count: int) -> npt.NDArray[np.int64]:
    """First index of each merged group; the same for candles and the volume under them."""
    size = math.ceil(count / LONGEST)
    return np.arange(0, count, size, dtype=np.int64)


def _thin(times: Milliseconds, values: Floats) -> tuple[Milliseconds, Floats]:
    """At most about POINTS points of a line: the lowest and highest of each stretch stay, as do gaps and both ends."""
    if len(times) <= POINTS:
        return times, values
    kept = {0, len(times) - 1}
    for stretch in np.array_split(np.arange(len(times)), POINTS // 3):
        known = stretch[np.isfinite(values[stretch])]
        if len(known):
            kept.update((int(known[values[known].argmin()]), int(known[values[known].argmax()])))
        if len(known) < len(stretch):
            kept.add(int(stretch[~np.isfinite(values[stretch])][0]))
    order = np.array(sorted(kept))
    return times[order], values[order]


# ---- the time axis ------------------------------------------------------------------------------------------


def _axis_times(panes: Iterable[_Prepared]) -> Milliseconds:
    """Every moment on the shared axis, those of the (merged) candles where there are any."""
    candles = [drawn for pane in panes for drawn in pane.series if drawn.series.kind == "candles"]
    if candles:
        return _merge_candles(candles[0].times, candles[0].values)[0]
    return np.unique(np.concatenate([drawn.times for pane in panes for drawn in pane.series]))


def _step(times: Milliseconds) -> float:
    """Milliseconds between neighbours, the usual distance; an hour where there is only one."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 3_600_000.0


def _time_ticks(first: float, last: float, most: int) -> tuple[list[float], list[str]]:
    """At most `most` round moments (UTC) between two times, with short labels; a new day or year says so."""
    minute, hour, day = 60_000, 3_600_000, 86_400_000
    span = max(last - first, 1.0)
    steps = [minute * n for n in (1, 2, 5, 10, 15, 30)] + [hour * n for n in (1, 2, 3, 4, 6, 12)]
    steps += [day * n for n in (1, 2, 5, 7, 10, 14)]
    step = next((step for step in steps if span / step <= most), None)
    moments = _months(first, last, most) if step is None else _rounds(first, last, step)
    labels: list[str] = []
    before = None
    for moment in moments:
        now = from_ms(int(moment))
        if step is None or step >= day:
            fresh = before is None or before.year != now.year
            text = f"{now:%b %Y}" if step is None and fresh else f"{now:%b}" if step is None else f"{now.day} {now:%b}"
        else:
            fresh = before is None or before.date() != now.date()
            text = f"{now.day} {now:%b}\n{now:%H:%M}" if fresh else f"{now:%H:%M}"
        labels.append(text)
        before = now
    return moments, labels


def _rounds(first: float, last: float, step: int) -> list[float]:
    start = math.ceil(first / step) * step
    return [float(moment) for moment in range(start, math.floor(last) + 1, step)]


def _months(first: float, last: float, most: int) -> list[float]:
    """First days of months (or quarters, years …) between two times."""
    begin, end = from_ms(int(first)), from_ms(int(last))
    months = (end.year - begin.year) * 12 + end.month - begin.month
    step = next((step for step in (1, 2, 3, 6) if months / step <= most), 12 * max(1, math.ceil(months / 12 / most)))
    found: list[float] = []
    for index in range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month):
        if index % step == 0:
            moment = float(np.datetime64(f"{index // 12:04d}-{index % 12 + 1:02d}-01", "ms").astype(np.int64))
            if first <= moment <= last:
                found.append(moment)
    return found


# ---- drawing ------------------------------------------------------------------------------------------------


def _draw(figure: "Figure", chart: Chart, panes: Sequence[_Prepared], palette: Palette) -> None:
    times = _axis_times(panes)
    step = _step(times)
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
    moments, labels = _time_ticks(first, last, most=max(2, int(width) // 130))
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
    axes: "Axes", prepared: _Prepared, palette: Palette, step: float, rising: dict[int, bool], small: bool
) -> None:
    colours = iter(palette.lines * (1 + len(prepared.series) // len(palette.lines)))
    limits: list[Floats] = []
    for drawn in prepared.series:
        match drawn.series.kind:
            case "candles":
                limits.append(_draw_candles(axes, drawn, palette, step))
            case "histogram":
                limits.append(_draw_histogram(axes, drawn, palette, step, rising))
            case "markers":
                limits.append(_draw_markers(axes, drawn, palette))
            case "line" | "area":
                limits.append(_draw_line(axes, drawn, _toned(drawn.series.tone, palette) or next(colours)))
    low = min(float(np.nanmin(values)) for values in limits)
    high = max(float(np.nanmax(values)) for values in limits)
    _set_limits(axes, low, high, [drawn.series.kind for drawn in prepared.series])
    _label_values(axes, prepared, palette, small)


def _directions(prepared: _Prepared) -> dict[int, bool]:
    """For each candle's time whether it rose."""
    for drawn in prepared.series:
        if drawn.series.kind == "candles":
            times, values = _merge_candles(drawn.times, drawn.values)
            return dict(zip(times.tolist(), (values[:, 3] >= values[:, 0]).tolist(), strict=True))
    return {}


def _toned(tone: Tone, palette: Palette) -> str | None:
    return {"good": palette.rising, "bad": palette.falling, "warning": palette.warning}.get(tone)


def _draw_candles(axes: "Axes", drawn: _Drawn, palette: Palette, step: float) -> Floats:
    from matplotlib.collections import LineCollection, PolyCollection

    times, values = _merge_candles(drawn.times, drawn.values)
    opened, high, low, closed = values.T
    colours = [palette.rising if up else palette.falling for up in closed >= opened]
    x = times.astype(np.float64)
    wicks = np.stack([np.column_stack([x, low]), np.column_stack([x, high])], axis=1)
    axes.add_collection(LineCollection(list(wicks), colors=colours, linewidths=0.9, zorder=2), autolim=False)
    half = step * 0.36
    bottom, top = np.minimum(opened, closed), np.maximum(opened, closed)
    corners = [(x - half, bottom), (x - half, top), (x + half, top), (x + half, bottom)]
    bodies = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    # An edge as thin as a hair keeps a bar whose open equals its close visible.
    axes.add_collection(
        PolyCollection(list(bodies), facecolors=colours, edgecolors=colours, linewidths=0.7, zorder=3), autolim=False
    )
    return np.array([low.min(), high.max()])


def _draw_histogram(
    axes: "Axes", drawn: _Drawn, palette: Palette, step: float, rising: dict[int, bool]
) -> Floats:  # fmt: skip
    from matplotlib.collections import PolyCollection

    times, values = _merge_sums(drawn.times, drawn.values)
    toned = _toned(drawn.series.tone, palette)
    signed = bool((values < 0).any())
    colours = [
        toned or (palette.rising if rising.get(int(time), value >= 0) else palette.falling) if signed or rising or toned
        else palette.lines[0]
        for time, value in zip(times, values, strict=True)
    ]  # fmt: skip
    x, half, zero = times.astype(np.float64), step * 0.36, np.zeros(len(times))
    corners = [(x - half, zero), (x - half, values), (x + half, values), (x + half, zero)]
    columns = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    axes.add_collection(PolyCollection(list(columns), facecolors=colours, alpha=0.65, linewidths=0), autolim=False)
    return np.array([min(0.0, float(values.min())), max(0.0, float(values.max()))])


def _draw_line(axes: "Axes", drawn: _Drawn, colour: str) -> Floats:
    times, values = _thin(drawn.times, drawn.values)
    lonely = np.isfinite(values).sum() == 1
    axes.plot(
        times, values, color=colour, linewidth=1.5, label=plain_math(drawn.series.name), zorder=4,
        marker="o" if lonely else "", markersize=4, solid_joinstyle="round",
    )  # fmt: skip
    if drawn.series.kind == "area":
        floor = float(np.nanmin(values))
        ceiling = float(np.nanmax(values))
        # Drawdowns hang from zero; what stays above zero stands on the pane's floor.
        base = ceiling if ceiling <= 0 else min(0.0, floor) if floor < 0 else floor - (ceiling - floor) * 0.08
        axes.fill_between(times, values, base, color=colour, alpha=0.2, linewidth=0, zorder=1)
    return values


def _draw_markers(axes: "Axes", drawn: _Drawn, palette: Palette) -> Floats:
    """buy ▲ below its price, sell ▼ above, anything else ●."""
    count = len(drawn.times)
    labels = ([str(label).lower() for label in drawn.series.labels] + [""] * count)[:count]
    buys = np.array([label.startswith(("buy", "long", "enter", "entry")) for label in labels], dtype=bool)
    sells = np.array([label.startswith(("sell", "short", "exit", "stop", "target")) for label in labels], dtype=bool)
    size = 62.0 if len(drawn.times) <= 40 else 34.0 if len(drawn.times) <= 120 else 14.0
    for chosen, shape, colour in (
        (buys, "^", palette.rising),
        (sells, "v", palette.falling),
        (~(buys | sells), "o", _toned(drawn.series.tone, palette) or palette.warning),
    ):
        if chosen.any():
            axes.scatter(
                drawn.times[chosen], drawn.values[chosen], s=size, marker=shape, color=colour,
                edgecolors=palette.background, linewidths=0.8, zorder=6, label=None,
            )  # fmt: skip
    return drawn.values


def _set_limits(axes: "Axes", low: float, high: float, kinds: Sequence[str]) -> None:
    if high - low <= abs(high) * 1e-9:  # one price all along: a flat line in the middle
        room = abs(high) * 0.01 or 1.0
        low, high = low - room, high + room
    columns = set(kinds) == {"histogram"}
    room = (high - low) * 0.08
    axes.set_ylim(low if columns and low == 0 else low - room, high + room * (1.5 if not columns else 1.0))


def _label_values(axes: "Axes", prepared: _Prepared, palette: Palette, small: bool) -> None:
    """Value ticks, the pane's unit, the legend and a tag at the last price."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3 if small else 6, prune="both"))
    kinds = [drawn.series.kind for drawn in prepared.series]
    tagged = next((drawn for kind in ("candles", "area", "line") for drawn in prepared.series
                   if drawn.series.kind == kind), None)  # fmt: skip
    last = _tag_last(axes, tagged, palette) if tagged is not None else math.nan
    height = axes.get_window_extent().height
    hidden = (high - low) * 20 / max(height, 1.0)  # ticks that the tag would cover

    def say(value: float, _: object) -> str:
        return "" if abs(value - last) < hidden else amount(value, high - low)

    axes.yaxis.set_major_formatter(FuncFormatter(say))
    handles, labels = axes.get_legend_handles_labels()
    if not labels and kinds == ["histogram"]:
        axes.text(
            0.012, 0.93, plain_math(" · ".join(filter(None, [prepared.series[0].series.name, prepared.pane.unit]))),
            transform=axes.transAxes,
            fontsize=7.5, color=palette.faint, va="top", zorder=8,
        )  # fmt: skip
        return
    if handles:
        legend = axes.legend(
            handles, labels, loc="upper left", ncols=min(4, len(labels)), fontsize=7.5, frameon=True, borderpad=0.35,
            handlelength=1.2, columnspacing=1.0, facecolor=palette.panel, edgecolor="none", framealpha=0.75,
            labelcolor=palette.text, borderaxespad=0.3, handletextpad=0.5,
        )  # fmt: skip
        legend.set_zorder(8)
    if prepared.pane.unit:
        axes.text(
            0.99, 0.97, plain_math(prepared.pane.unit), transform=axes.transAxes, fontsize=7.5, color=palette.faint,
            ha="right", va="top", zorder=8,
        )  # fmt: skip


def _tag_last(axes: "Axes", drawn: _Drawn, palette: Palette) -> float:
    """Writes the last value beside the axis and returns it."""
    closes = drawn.values[:, 3] if drawn.series.kind == "candles" else drawn.values
    known = np.flatnonzero(np.isfinite(closes))
    last = float(closes[known[-1]])
    if drawn.series.kind == "candles":
        colour = palette.rising if last >= drawn.values[known[-1], 0] else palette.falling
        axes.axhline(last, color=colour, linewidth=0.7, linestyle=(0, (4, 3)), alpha=0.8, zorder=1.5)
    else:
        colour = _toned(drawn.series.tone, palette) or palette.lines[0]
    low, high = axes.get_ylim()
    axes.annotate(
        amount(last, high - low), xy=(1, last), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", ha="left", fontsize=7.5, fontweight="bold", color=palette.background,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "none"}, zorder=9, annotation_clip=False,
    )  # fmt: skip
    return last


def amount(value: float, span: float) -> str:
    """A tick's number: as many decimals as tell neighbours on the axis apart, thousands grouped, millions as 1.2M."""
    size = max(abs(value), abs(span))
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if size >= limit:
            return f"{_unsigned_zero(round(value / limit, 2)):,.2f}".rstrip("0").rstrip(".") + letter
    digits = max(0, 2 - math.floor(math.log10(span))) if span > 0 else 2
    digits = 0 if size >= 10_000 and digits <= 1 else min(digits, 10)
    return f"{_unsigned_zero(round(value, digits)):,.{digits}f}"


def _unsigned_zero(value: float) -> float:
    return 0.0 if value == 0 else value


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


def plain_math(text: str) -> str:
    """Text whose dollar signs Matplotlib shows instead of reading formulas between them."""
    return text.replace("$", r"\$")
