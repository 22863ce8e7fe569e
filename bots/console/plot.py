"""Charts in characters, for terminals: candles and lines in a grid of cells."""

import math
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from core import wording
from core.clock import from_ms
from core.reply import Chart, Series

RISING, FALLING, PLAIN = "green", "red", "cyan"
EIGHTHS = " ▁▂▃▄▅▆▇█"


def plot(chart: Chart, width: int = 80, height: int = 14) -> Text:
    """The first pane of the chart as text: a scale at the right, the dates below."""
    if not chart.panes or not chart.panes[0].series:
        return Text("")
    main = chart.panes[0].series[0]
    columns = max(10, min(width, 140) - 14)
    if main.kind == "candles":
        return candles(main, columns, height)
    return line(main, columns, height)


def candles(series: Series, columns: int, height: int) -> Text:
    """Each column one candle; several bars are merged when there are more bars than columns."""
    values = np.asarray(series.values, dtype=np.float64).reshape(-1, 4)
    values, times = merged(values, list(series.times), columns)
    if not len(values) or not np.isfinite(values).any():
        return Text("")
    low, high = float(np.nanmin(values[:, 2])), float(np.nanmax(values[:, 1]))
    rows = [[(" ", "")] * len(values) for _ in range(height)]
    for column, (first, top, bottom, last) in enumerate(values):
        if not math.isfinite(first + top + bottom + last):
            continue
        colour = RISING if last >= first else FALLING
        body = sorted((cell(first, low, high, height), cell(last, low, high, height)))
        for row in range(cell(top, low, high, height), cell(bottom, low, high, height) + 1):
            rows[row][column] = ("█" if body[0] <= row <= body[1] else "│", colour)
    return framed(rows, low, high, times)


def line(series: Series, columns: int, height: int) -> Text:
    """A filled line in eighths of a cell."""
    values = np.asarray([math.nan if value is None else value for value in series.values], dtype=np.float64)
    if not len(values) or not np.isfinite(values).any():
        return Text("")
    picks = np.unique(np.linspace(0, len(values) - 1, min(columns, len(values))).astype(int))
    values, times = values[picks], [series.times[pick] for pick in picks]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    rows = [[(" ", "")] * len(values) for _ in range(height)]
    for column, value in enumerate(values):
        if not math.isfinite(value):
            continue
        eighths = max(1, round((value - low) / (high - low or 1) * height * 8))
        for row in range(height):
            full = min(8, max(0, eighths - row * 8))
            rows[height - 1 - row][column] = (EIGHTHS[full], PLAIN)
    return framed(rows, low, high, times)


def merged(values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", times: list[int], columns: int) -> tuple[
    "np.ndarray[tuple[int, int], np.dtype[np.float64]]", list[int]
]:  # fmt: skip
    """At most `columns` candles: neighbours become one with the first open, the extremes and the last close."""
    if len(values) <= columns:
        return values, times
    size = math.ceil(len(values) / columns)
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    joined = [[group[0, 0], np.nanmax(group[:, 1]), np.nanmin(group[:, 2]), group[-1, 3]] for group in groups]
    return np.asarray(joined, dtype=np.float64), times[::size]


def cell(value: float, low: float, high: float, height: int) -> int:
    """The row of a value, 0 at the top."""
    share = (value - low) / (high - low) if high > low else 0.5
    return min(height - 1, max(0, round((1 - share) * (height - 1))))


def framed(rows: Sequence[Sequence[tuple[str, str]]], low: float, high: float, times: Sequence[int]) -> Text:
    """The cells with the scale beside and the first and last time below."""
    height, width = len(rows), len(rows[0])
    text = Text()
    for number, row in enumerate(rows):
        for character, colour in row:
            text.append(character, colour)
        if number % 4 == 0 or number == height - 1:
            text.append(f" {wording.price(high - (high - low) * number / max(1, height - 1))}", "dim")
        text.append("\n")
    first, last = (f"{from_ms(int(time)):%Y-%m-%d %H:%M}" for time in (times[0], times[-1]))
    text.append(first + " " * max(1, width - len(first) - len(last)) + last, "dim")
    return text
