"""Line charts as inline SVG: no script, no font, no request; colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

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
    known = np.concatenate([each[np.isfinite(each)] for each in shown])
    if not len(known):
        return _empty(title, height)
    low, high = float(np.min(known)), float(np.max(known))
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
    for shown_value in _log_ticks(math.exp(low), math.exp(high)) if log else _ticks(low, high):
        value, label = math.log(shown_value) if log else shown_value, _label(shown_value, percent)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{label}</text>')
    for k in range(5):
        time = first + (last - first) * k / 4
        anchor = ("start", "middle", "middle", "middle", "end")[k]
        told = f"{from_ms(int(time)):%Y-%m-%d}" if dates else f"{time:,.0f}"
        parts.append(f'<text x="{x(time):.1f}" y="{height - 7}" text-anchor="{anchor}">{told}</text>')
    for line, values in zip(lines, shown, strict=True):
        known_points = [(t, v) for t, v in zip(chosen, values.tolist(), strict=True) if math.isfinite(v)]
        points = " ".join(f"{x(float(times[t])):.1f},{y(v):.1f}" for t, v in known_points)
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


def histogram(values: Floats, title: str, *, bins: int = 40, height: int = 200, percent: bool = True) -> str:
    """The SVG of how often values fall into equal ranges, those below zero in the colour of a loss.

    The outer percent on each side is counted in the outermost ranges, so that one outlier does not flatten the rest.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return _empty(title, height)
    low, high = (float(each) for each in np.quantile(known, [0.01, 0.99]))
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / bins or 1.0
    below = max(1, math.ceil(-low / step)) if low < 0.0 else 0
    edges = (np.arange(below + max(1, math.ceil(high / step)) + 1) - below) * step
    counts = np.histogram(np.clip(known, edges[0], np.nextafter(edges[-1], edges[0])), edges)[0]
    most = int(counts.max())
    width = (WIDTH - LEFT - RIGHT) / len(counts)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" preserveAspectRatio="none">',
        f"<title>{escape(title)}</title>",
    ]
    room = height - TOP - BOTTOM
    for tick in _ticks(0.0, float(most)):
        at = TOP + room * (1.0 - tick / most)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{tick:,.4g}</text>')
    for k, count in enumerate(counts.tolist()):
        tall = room * count / most
        told = f"{_label(edges[k], percent)} to {_label(edges[k + 1], percent)}: {count:,}"
        parts.append(
            f'<rect class="bar {"down" if edges[k] < -step / 2 else "up"}" x="{LEFT + k * width + 0.5:.1f}"'
            f' y="{TOP + room - tall:.1f}" width="{max(width - 1.0, 0.5):.1f}" height="{tall:.1f}">'
            f"<title>{told}</title></rect>"
        )
    for value in _ticks(float(edges[0]), float(edges[-1])):
        at = LEFT + (value - edges[0]) / (edges[-1] - edges[0]) * (WIDTH - LEFT - RIGHT)
        parts.append(f'<text x="{at:.1f}" y="{height - 7}" text-anchor="middle">{_label(value, percent)}</text>')
    return "".join([*parts, "</svg>"])


def thinned(values: Floats, points: int = POINTS) -> Integers:
    """Rows to draw: of each stretch the lowest and the highest value, so that no spike is lost."""
    n = len(values)
    if n <= 2 * points:
        return np.arange(n)
    size = -(-n // points)
    whole = n // size * size
    parts = values[:whole].reshape(-1, size)
    with np.errstate(invalid="ignore"):
        lows, highs = np.argmin(parts, axis=1), np.argmax(parts, axis=1)
    firsts = np.arange(len(parts)) * size
    return np.unique(np.concatenate([[0], firsts + lows, firsts + highs, [n - 1]]))


def _thinned(lines: Sequence[Line]) -> Integers:
    return thinned(lines[0].values)


def _empty(title: str, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<text x="{WIDTH / 2}" y="{height / 2}" text-anchor="middle">Too little to draw</text></svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """About five round values between low and high."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= raw)
    first = math.ceil(low / step)
    return [k * step + 0.0 for k in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between low and high, fewer where they are many, evenly where they are few."""
    powers = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    for steps in ((1, 2, 5), (1,)):
        found = [step * power for power in powers for step in steps if low <= step * power <= high]
        if len(found) <= 8:
            return found if len(found) > 2 else _ticks(low, high)
    return found[:: -(-len(found) // 8)]


def _label(value: float, percent: bool) -> str:
    if percent:
        return f"{value * 100:.4g} %".replace("-0 %", "0 %")
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
