"""Marks: one series on its pane, as candles, columns, a line or markers. Each returns the values it must show."""

from typing import TYPE_CHECKING

import numpy as np

from bots.charts.arrays import Drawn, Floats, merge_candles, merge_sums, thin
from bots.charts.label import plain_math
from bots.charts.palette import Palette, toned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_candles(axes: "Axes", drawn: Drawn, palette: Palette, step: float) -> Floats:
    from matplotlib.collections import LineCollection, PolyCollection

    times, values = merge_candles(drawn.times, drawn.values)
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


def draw_histogram(
    axes: "Axes", drawn: Drawn, palette: Palette, step: float, rising: dict[int, bool]
) -> Floats:  # fmt: skip
    from matplotlib.collections import PolyCollection

    times, values = merge_sums(drawn.times, drawn.values)
    own = toned(drawn.series.tone, palette)
    signed = bool((values < 0).any())
    colours = [
        own or (palette.rising if rising.get(int(time), value >= 0) else palette.falling) if signed or rising or own
        else palette.lines[0]
        for time, value in zip(times, values, strict=True)
    ]  # fmt: skip
    x, half, zero = times.astype(np.float64), step * 0.36, np.zeros(len(times))
    corners = [(x - half, zero), (x - half, values), (x + half, values), (x + half, zero)]
    columns = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    axes.add_collection(PolyCollection(list(columns), facecolors=colours, alpha=0.65, linewidths=0), autolim=False)
    return np.array([min(0.0, float(values.min())), max(0.0, float(values.max()))])


def draw_line(axes: "Axes", drawn: Drawn, colour: str) -> Floats:
    times, values = thin(drawn.times, drawn.values)
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


def draw_markers(axes: "Axes", drawn: Drawn, palette: Palette) -> Floats:
    """buy ▲ below its price, sell ▼ above, anything else ●."""
    count = len(drawn.times)
    labels = ([str(label).lower() for label in drawn.series.labels] + [""] * count)[:count]
    buys = np.array([label.startswith(("buy", "long", "enter", "entry")) for label in labels], dtype=bool)
    sells = np.array([label.startswith(("sell", "short", "exit", "stop", "target")) for label in labels], dtype=bool)
    size = 62.0 if len(drawn.times) <= 40 else 34.0 if len(drawn.times) <= 120 else 14.0
    for chosen, shape, colour in (
        (buys, "^", palette.rising),
        (sells, "v", palette.falling),
        (~(buys | sells), "o", toned(drawn.series.tone, palette) or palette.warning),
    ):
        if chosen.any():
            axes.scatter(
                drawn.times[chosen], drawn.values[chosen], s=size, marker=shape, color=colour,
                edgecolors=palette.background, linewidths=0.8, zorder=6, label=None,
            )  # fmt: skip
    return drawn.values
