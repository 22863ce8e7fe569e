"""Time axis: the moments a picture spans, and round ones among them with labels."""

import math
from collections.abc import Iterable

import numpy as np

from bots.charts.arrays import Milliseconds, Prepared, merge_candles
from core.clock import from_ms


def axis_times(panes: Iterable[Prepared]) -> Milliseconds:
    """Every moment on the shared axis, those of the (merged) candles where there are any."""
    candles = [drawn for pane in panes for drawn in pane.series if drawn.series.kind == "candles"]
    if candles:
        return merge_candles(candles[0].times, candles[0].values)[0]
    return np.unique(np.concatenate([drawn.times for pane in panes for drawn in pane.series]))


def step_of(times: Milliseconds) -> float:
    """Milliseconds between neighbours, the usual distance; an hour where there is only one."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 3_600_000.0


def time_ticks(first: float, last: float, most: int) -> tuple[list[float], list[str]]:
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
