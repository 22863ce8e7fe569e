"""Line charts as inline SVG: no script, no font, no request; colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 80, 12, 10, 28
POINTS = 900  # one per pixel is what an eye can see


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. style: the CSS class that colours it."""

    name: str
    values: Floats
    style: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A triangle at a time and a value. style: buy or sell."""

    time: int  # ms
    value: float
    style: str
    title: str


def chart(
    times: Integers, lines: Sequence[Line], title: str, *, height: int = 260, percent: bool = False,
    marks: Sequence[Mark] = (), log: bool = False, dates: bool = True,
) -> str:  # fmt: skip
    """The SVG of curves over common times. percent: values are fractions; log: a logarithmic scale (values above 0).

    dates: whether `times` are UTC ms; else they are shown as the numbers they are
    """
    chosen = _thinned(lines)
    shown = [np.log(line.values[chosen]) if log else line.values[chosen] for line in lines]
    low = min(float(np.min(each)) for each in shown)
    high = max(float(np.max(each)) for each in shown)
    if percent:
        low = min(low, 0.0)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    low, high = (
        (low, high + 0.04 * (high - low)) if percent else (low - 0.03 * (high - low), high + 0.03 * (high - low))
    )
    first, last = float(times[0]), float(max(times[-1], times[0] + 1))

    def x(time: float) -> float:
        return LEFT + (time - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (height - TOP - BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" preserveAspectRatio="none">',
        f"<title>{escape(title)}</title>",
    ]
    for shown_value in _ticks(math.exp(low), math.exp(high)) if log else _ticks(low, high):
        value, label = math.log(shown_value) if log else shown_value, _label(shown_value, percent)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{label}</text>')
    for k in range(5):
        time = first + (last - first) * k / 4
        anchor = ("start", "middle", "middle", "middle", "end")[k]
        told = f"{from_ms(int(time)):%Y-%m-%d}" if dates else f"{time:,.0f}"
        parts.append(f'<text x="{x(time):.1f}" y="{height - 7}" text-anchor="{anchor}">{told}</text>')
    for line, values in zip(lines, shown, strict=True):
        points = " ".join(f"{x(float(times[t])):.1f},{y(float(v)):.1f}" for t, v in zip(chosen, values, strict=True))
        if line.filled:
            began, ended, base = x(float(times[chosen[0]])), x(float(times[chosen[-1]])), y(min(high, max(low, 0.0)))
            outline = f"{began:.1f},{base:.1f} {points} {ended:.1f},{base:.1f}"
            parts.append(f'<polygon class="{line.style} area" points="{outline}"/>')
        parts.append(f'<polyline class="{line.style}" points="{points}"/>')
    for mark in marks:
        across, down = x(float(mark.time)), y(math.log(mark.value) if log else mark.value)
        tip = 6 if mark.style == "buy" else -6
        parts.append(
            f'<path class="mark {mark.style}" d="M{across:.1f} {down:.1f} l-4 {tip} l8 0 z">'
            f"<title>{escape(mark.title)}</title></path>"
        )
    parts.append("</svg>")
    return "".join(parts)


def _thinned(lines: Sequence[Line]) -> Integers:
    """Rows to draw: of each stretch the lowest and the highest of the first line, so that no spike is lost."""
    values = lines[0].values
    n = len(values)
    if n <= 2 * POINTS:
        return np.arange(n)
    edges = np.linspace(0, n, POINTS + 1).astype(np.int64)
    chosen = {0, n - 1}
    for first, end in pairwise(edges.tolist()):
        part = values[first:end]
        chosen |= {int(first + np.argmin(part)), int(first + np.argmax(part))}
    return np.array(sorted(chosen))


def _ticks(low: float, high: float) -> list[float]:
    """About five round values between low and high."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= raw)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _label(value: float, percent: bool) -> str:
    if percent:
        return f"{value * 100:.4g} %".replace("-0 %", "0 %")
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
