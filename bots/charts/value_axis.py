"""Value axis: a pane's range, its ticks and legend, and the tag at the last value."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bots.charts.arrays import Drawn, Prepared
from bots.charts.label import amount, plain_math
from bots.charts.palette import Palette, toned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def set_limits(axes: "Axes", low: float, high: float, kinds: Sequence[str]) -> None:
    if high - low <= abs(high) * 1e-9:  # one price all along: a flat line in the middle
        room = abs(high) * 0.01 or 1.0
        low, high = low - room, high + room
    columns = set(kinds) == {"histogram"}
    room = (high - low) * 0.08
    axes.set_ylim(low if columns and low == 0 else low - room, high + room * (1.5 if not columns else 1.0))


def label_values(axes: "Axes", prepared: Prepared, palette: Palette, small: bool) -> None:
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


def _tag_last(axes: "Axes", drawn: Drawn, palette: Palette) -> float:
    """Writes the last value beside the axis and returns it."""
    closes = drawn.values[:, 3] if drawn.series.kind == "candles" else drawn.values
    known = np.flatnonzero(np.isfinite(closes))
    last = float(closes[known[-1]])
    if drawn.series.kind == "candles":
        colour = palette.rising if last >= drawn.values[known[-1], 0] else palette.falling
        axes.axhline(last, color=colour, linewidth=0.7, linestyle=(0, (4, 3)), alpha=0.8, zorder=1.5)
    else:
        colour = toned(drawn.series.tone, palette) or palette.lines[0]
    low, high = axes.get_ylim()
    axes.annotate(
        amount(last, high - low), xy=(1, last), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", ha="left", fontsize=7.5, fontweight="bold", color=palette.background,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "none"}, zorder=9, annotation_clip=False,
    )  # fmt: skip
    return last
