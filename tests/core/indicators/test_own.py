"""Indicators equal their definitions, written here bar by bar in plain Python."""

import math
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from core import indicators
from tests.core.indicators.test_catalogue import HOUR, MONDAY, Columns, market

Line = list[float]
NAN = math.nan
N = 260
BARS: Columns = market(N, seed=21)
TIMES, OPEN, HIGH, LOW, CLOSE, VOLUME, OTHER = (
    BARS[name].tolist() for name in ("timestamp", "open", "high", "low", "close", "volume", "other")
)
TYPICAL = [(h + low + c) / 3 for h, low, c in zip(HIGH, LOW, CLOSE, strict=True)]
MIDDLE = [(h + low) / 2 for h, low in zip(HIGH, LOW, strict=True)]


def window(line: Line, t: int, period: int) -> Line:
    return line[t - period + 1 : t + 1]


def rolled(line: Line, period: int, measure: Callable[[Line], float]) -> Line:
    """`measure` of each window without unknown values."""
    out = []
    for t in range(len(line)):
        part = window(line, t, period) if t >= period - 1 else [NAN]
        out.append(NAN if any(map(math.isnan, part)) else measure(part))
    return out


def mean(values: Line) -> float:
    return math.fsum(values) / len(values)


def exponential(line: Line, period: int, alpha: float) -> Line:
    """Started with the simple average of the first `period` known values."""
    first = next(t for t in range(len(line)) if not math.isnan(line[t]))
    out = [NAN] * len(line)
    out[first + period - 1] = mean(line[first : first + period])
    for t in range(first + period, len(line)):
        out[t] = out[t - 1] + alpha * (line[t] - out[t - 1])
    return out


def ema(line: Line, period: int) -> Line:
    return exponential(line, period, 2 / (period + 1))


def true_ranges() -> Line:
    return [NAN] + [max(HIGH[t], CLOSE[t - 1]) - min(LOW[t], CLOSE[t - 1]) for t in range(1, N)]


def atr(period: int) -> Line:
    return exponential(true_ranges(), period, 1 / period)


def weighted(line: Line, period: int) -> Line:
    return rolled(line, period, lambda w: sum((k + 1) * x for k, x in enumerate(w)) / (period * (period + 1) / 2))


def combined(rule: Callable[..., float], *lines: Line) -> Line:
    return [rule(*values) for values in zip(*lines, strict=True)]


def shifted(line: Line, bars: int) -> Line:
    return [NAN] * bars + line[: len(line) - bars]


def together(*lines: Line) -> tuple[Line, ...]:
    """Unknown until all are known."""
    first = next(t for t in range(N) if not any(math.isnan(line[t]) for line in lines))
    return tuple([NAN] * first + line[first:] for line in lines)


def vwap(begins: Callable[[datetime, datetime], bool]) -> Line:
    out, paid, traded = [], 0.0, 0.0
    for t in range(N):
        now, before = (datetime.fromtimestamp(TIMES[k] / 1000, UTC) for k in (t, max(t - 1, 0)))
        if begins(now, before):
            paid = traded = 0.0
        paid, traded = paid + TYPICAL[t] * VOLUME[t], traded + VOLUME[t]
        out.append(paid / traded)
    return out


def anchored(first: int) -> Line:
    return [
        NAN if t < first else sum(TYPICAL[k] * VOLUME[k] for k in range(first, t + 1)) / sum(VOLUME[first : t + 1])
        for t in range(N)
    ]


def supertrend(period: int, width: float) -> tuple[Line, Line]:
    reach = atr(period)
    line, direction = [NAN] * N, [NAN] * N
    upper = lower = NAN
    for t in range(period, N):
        basic_upper, basic_lower = MIDDLE[t] + width * reach[t], MIDDLE[t] - width * reach[t]
        if t == period:
            upper, lower, up = basic_upper, basic_lower, True  # a rising trend to begin with
        else:
            before_upper, before_lower = upper, lower
            upper = basic_upper if basic_upper < before_upper or CLOSE[t - 1] > before_upper else before_upper
            lower = basic_lower if basic_lower > before_lower or CLOSE[t - 1] < before_lower else before_lower
            up = CLOSE[t] >= lower if direction[t - 1] > 0 else CLOSE[t] > upper
        line[t], direction[t] = (lower, 1.0) if up else (upper, -1.0)
    return line, direction


def heikin_ashi() -> tuple[Line, ...]:
    rows: list[tuple[float, float, float, float]] = []
    for t in range(N):
        close = (OPEN[t] + HIGH[t] + LOW[t] + CLOSE[t]) / 4
        open = (rows[-1][0] + rows[-1][3]) / 2 if rows else (OPEN[0] + CLOSE[0]) / 2
        rows.append((open, max(HIGH[t], open, close), min(LOW[t], open, close), close))
    return tuple(list(column) for column in zip(*rows, strict=True))


def ichimoku(tenkan: int, kijun: int, span: int, displacement: int) -> tuple[Line, ...]:
    def middle(period: int) -> Line:
        return [
            NAN if t < period - 1 else (max(window(HIGH, t, period)) + min(window(LOW, t, period))) / 2
            for t in range(N)
        ]

    conversion, base = middle(tenkan), middle(kijun)
    cloud = combined(lambda a, b: (a + b) / 2, conversion, base)
    lagging = combined(lambda now, then: now - then, CLOSE, shifted(CLOSE, displacement))
    return together(conversion, base, shifted(cloud, displacement), shifted(middle(span), displacement), lagging)


def profile(period: int, rows: int, share: float) -> tuple[Line, Line, Line]:
    point, top, bottom = [NAN] * N, [NAN] * N, [NAN] * N
    for t in range(period - 1, N):
        bars = range(t - period + 1, t + 1)
        least, most = min(LOW[k] for k in bars), max(HIGH[k] for k in bars)
        height = (most - least) / rows
        edges = [(least + row * height, least + (row + 1) * height) for row in range(rows)]
        held = [
            sum(VOLUME[k] * max(0.0, min(HIGH[k], upper) - max(LOW[k], lower)) / (HIGH[k] - LOW[k]) for k in bars)
            for lower, upper in edges
        ]
        equal = 1e-9 * sum(held)
        low = high = next(row for row in range(rows) if held[row] > max(held) - equal)
        point[t] = sum(edges[low]) / 2
        while sum(held[low : high + 1]) < share * sum(held) - equal:
            above = held[high + 1] if high + 1 < rows else -math.inf
            below = held[low - 1] if low else -math.inf
            low, high = (low, high + 1) if above >= below - equal else (low - 1, high)
        top[t], bottom[t] = edges[high][1], edges[low][0]
    return point, top, bottom


def pivots() -> tuple[Line, ...]:
    rows = []
    for t in range(N):
        day = TIMES[t] // (24 * HOUR)
        before = [k for k in range(N) if TIMES[k] // (24 * HOUR) == day - 1]
        if not before:
            rows.append((NAN,) * 7)
            continue
        high, low, close = max(HIGH[k] for k in before), min(LOW[k] for k in before), CLOSE[before[-1]]
        p = (high + low + close) / 3
        r1, s1, r2, s2 = 2 * p - low, 2 * p - high, p + (high - low), p - (high - low)
        rows.append((p, r1, s1, r2, s2, high + 2 * (p - low), low - 2 * (high - p)))
    return tuple(list(column) for column in zip(*rows, strict=True))


def choppiness(period: int) -> Line:
    out = [NAN] * N
    ranges = true_ranges()
    for t in range(period, N):
        bars = range(t - period + 1, t + 1)
        top, bottom = max(max(HIGH[k], CLOSE[k - 1]) for k in bars), min(min(LOW[k], CLOSE[k - 1]) for k in bars)
        out[t] = 100 * math.log10(sum(window(ranges, t, period)) / (top - bottom)) / math.log10(period)
    return out


def squeeze(period: int, width: float, channel: float) -> tuple[Line, Line]:
    ranges = [HIGH[0] - LOW[0], *true_ranges()[1:]]
    bands, reach = rolled(CLOSE, period, statistics.pstdev), rolled(ranges, period, mean)
    on = combined(lambda d, r: NAN if math.isnan(d) else float(width * d < channel * r), bands, reach)
    centre = combined(
        lambda top, bottom, average: ((top + bottom) / 2 + average) / 2,
        rolled(HIGH, period, max),
        rolled(LOW, period, min),
        rolled(CLOSE, period, mean),
    )
    distance = combined(lambda c, m: c - m, CLOSE, centre)

    def end(values: Line) -> float:
        slope, intercept = np.polyfit(range(period), values, 1)
        return float(intercept + slope * (period - 1))

    on, momentum = together(on, rolled(distance, period, end))
    return on, momentum


def fisher(period: int) -> tuple[Line, Line]:
    line, before, smooth, value = [NAN] * N, [NAN] * N, 0.0, 0.0
    for t in range(period - 1, N):
        top, bottom = max(window(MIDDLE, t, period)), min(window(MIDDLE, t, period))
        smooth = 0.66 * ((MIDDLE[t] - bottom) / (top - bottom) - 0.5) + 0.67 * smooth
        smooth = max(-0.999, min(0.999, smooth))
        before[t] = value
        value = 0.5 * math.log((1 + smooth) / (1 - smooth)) + 0.5 * value
        line[t] = value
    return line, before


def aroon(period: int) -> tuple[Line, Line]:
    """Of equal extremes the latest counts; the window holds this bar and `period` before."""

    def since(line: Line, extreme: Callable[[Line], float], t: int) -> float:
        part = window(line, t, period + 1)[::-1]
        return 100 * (period - part.index(extreme(part))) / period

    up = [NAN if t < period else since(HIGH, max, t) for t in range(N)]
    return up, [NAN if t < period else since(LOW, min, t) for t in range(N)]


def vortex(period: int) -> tuple[Line, Line]:
    plus = [NAN] + [abs(HIGH[t] - LOW[t - 1]) for t in range(1, N)]
    minus = [NAN] + [abs(LOW[t] - HIGH[t - 1]) for t in range(1, N)]
    ranges = rolled(true_ranges(), period, math.fsum)
    return tuple(combined(lambda m, r: m / r, rolled(moves, period, math.fsum), ranges) for moves in (plus, minus))


def chandelier(period: int, width: float) -> tuple[Line, ...]:
    reach = atr(period)
    return together(
        combined(lambda top, r: top - width * r, rolled(HIGH, period, max), reach),
        combined(lambda bottom, r: bottom + width * r, rolled(LOW, period, min), reach),
    )


def keltner(period: int, atr_period: int, width: float) -> tuple[Line, ...]:
    middle, reach = ema(CLOSE, period), atr(atr_period)
    upper = combined(lambda m, r: m + width * r, middle, reach)
    return together(upper, middle, combined(lambda m, r: m - width * r, middle, reach))


def hma(period: int) -> Line:
    faster = combined(lambda half, whole: 2 * half - whole, weighted(CLOSE, period // 2), weighted(CLOSE, period))
    return weighted(faster, math.isqrt(period))


def returns(line: Line) -> Line:
    return [NAN] + [line[t] / line[t - 1] - 1 for t in range(1, N)]


def beta(period: int) -> Line:
    mine, market_ = returns(CLOSE), returns(OTHER)
    return [
        NAN
        if t < period
        else statistics.covariance(window(mine, t, period), window(market_, t, period))
        / statistics.variance(window(market_, t, period))
        for t in range(N)
    ]


def log_returns() -> Line:
    return [NAN] + [math.log(CLOSE[t] / CLOSE[t - 1]) for t in range(1, N)]


def yang_zhang(period: int, span: float) -> Line:
    gaps = [NAN] + [math.log(OPEN[t] / CLOSE[t - 1]) for t in range(1, N)]
    bodies = [NAN] + [math.log(CLOSE[t] / OPEN[t]) for t in range(1, N)]
    within = [
        math.log(h / c) * math.log(h / o) + math.log(low / c) * math.log(low / o)
        for o, h, low, c in zip(OPEN, HIGH, LOW, CLOSE, strict=True)
    ]
    k = 0.34 / (1.34 + (period + 1) / (period - 1))
    return combined(
        lambda gap, body, rest: math.sqrt(span * (gap + k * body + (1 - k) * rest)),
        rolled(gaps, period, statistics.variance),
        rolled(bodies, period, statistics.variance),
        rolled(within, period, mean),
    )


def garman_klass(period: int, span: float) -> Line:
    squares = [
        0.5 * math.log(h / low) ** 2 - (2 * math.log(2) - 1) * math.log(c / o) ** 2
        for o, h, low, c in zip(OPEN, HIGH, LOW, CLOSE, strict=True)
    ]
    return rolled(squares, period, lambda w: math.sqrt(mean(w) * span))


def parkinson(period: int, span: float) -> Line:
    squares = [math.log(h / low) ** 2 / (4 * math.log(2)) for h, low in zip(HIGH, LOW, strict=True)]
    return rolled(squares, period, lambda w: math.sqrt(mean(w) * span))


def moment(order: int) -> Callable[[Line], float]:
    def standardised(values: Line) -> float:
        centre, deviation = mean(values), statistics.pstdev(values)
        return mean([((value - centre) / deviation) ** order for value in values])

    return standardised


def vidya(period: int, momentum: int) -> Line:
    changes = [NAN] + [CLOSE[t] - CLOSE[t - 1] for t in range(1, N)]
    pace = rolled(changes, momentum, lambda w: abs(sum(w)) / sum(map(abs, w)))
    out = [NAN] * N
    for t in range(momentum, N):
        before = out[t - 1]
        step = 2 / (period + 1) * pace[t]
        out[t] = CLOSE[t] if math.isnan(before) else before + step * (CLOSE[t] - before)
    return out


def mcginley(period: int) -> Line:
    out = [CLOSE[0]]
    for close in CLOSE[1:]:
        out.append(out[-1] + (close - out[-1]) / max(1.0, period * (close / out[-1]) ** 4))
    return out


def alma(period: int, offset: float, sigma: float) -> Line:
    weights = [math.exp(-((k - offset * (period - 1)) ** 2) / (2 * (period / sigma) ** 2)) for k in range(period)]
    return rolled(CLOSE, period, lambda w: sum(a * b for a, b in zip(weights, w, strict=True)) / sum(weights))


def ratio_of_sums(above: Line, below: Line, period: int) -> Line:
    return combined(lambda a, b: a / b, rolled(above, period, math.fsum), rolled(below, period, math.fsum))


def ulcer(period: int) -> Line:
    falls = combined(lambda c, top: (c - top) / top, CLOSE, rolled(CLOSE, period, max))
    return rolled(falls, period, lambda w: math.sqrt(mean([x * x for x in w])))


def fractal(left: int, right: int) -> tuple[Line, Line]:
    tops, bottoms = [NAN] * N, [NAN] * N
    for t in range(left + right, N):
        k = t - right
        around = [j for j in range(t - left - right, t + 1) if j != k]
        tops[t] = HIGH[k] if all(HIGH[k] > HIGH[j] for j in around) else 0.0
        bottoms[t] = LOW[k] if all(LOW[k] < LOW[j] for j in around) else 0.0
    return tops, bottoms


def sar(step: float, most: float) -> Line:
    """Wilder's, begun long where the first upward movement is the larger."""
    plus, minus = HIGH[1] - HIGH[0], LOW[0] - LOW[1]
    long = not (minus > plus and minus > 0)
    stop, extreme, pace = (LOW[0], HIGH[1], step) if long else (HIGH[0], LOW[1], step)
    out = [NAN] * N
    before_low, before_high = LOW[1], HIGH[1]
    for t in range(1, N):
        low_before, high_before, before_low, before_high = before_low, before_high, LOW[t], HIGH[t]
        if long and LOW[t] <= stop:
            long, stop = False, max(extreme, high_before, HIGH[t])
            out[t], pace, extreme = stop, step, LOW[t]
            stop = max(stop + pace * (extreme - stop), high_before, HIGH[t])
        elif not long and HIGH[t] >= stop:
            long, stop = True, min(extreme, low_before, LOW[t])
            out[t], pace, extreme = stop, step, HIGH[t]
            stop = min(stop + pace * (extreme - stop), low_before, LOW[t])
        elif long:
            out[t] = stop
            if HIGH[t] > extreme:
                extreme, pace = HIGH[t], min(pace + step, most)
            stop = min(stop + pace * (extreme - stop), low_before, LOW[t])
        else:
            out[t] = stop
            if LOW[t] < extreme:
                extreme, pace = LOW[t], min(pace + step, most)
            stop = max(stop + pace * (extreme - stop), high_before, HIGH[t])
    return out


CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("vwap", {}, vwap(lambda now, before: now.date() != before.date())),
    ("weekly_vwap", {}, vwap(lambda now, before: now.isocalendar()[:2] != before.isocalendar()[:2])),
    ("monthly_vwap", {}, vwap(lambda now, before: now.month != before.month)),
    ("anchored_vwap", {"bar": 17}, anchored(17)),
    ("anchored_vwap", {"since": MONDAY + 30 * HOUR - 1}, anchored(30)),
    ("anchored_vwap", {"bar": 40, "since": MONDAY}, anchored(40)),
    ("rolling_vwap", {"period": 7}, ratio_of_sums([p * v for p, v in zip(TYPICAL, VOLUME, strict=True)], VOLUME, 7)),
    ("vwma", {"period": 7}, ratio_of_sums([p * v for p, v in zip(CLOSE, VOLUME, strict=True)], VOLUME, 7)),
    ("volume_profile", {"period": 30, "rows": 12, "share": 0.7}, profile(30, 12, 0.7)),
    ("volume_profile", {"period": 5, "rows": 50, "share": 0.5}, profile(5, 50, 0.5)),
    ("supertrend", {"period": 10, "width": 3.0}, supertrend(10, 3.0)),
    ("supertrend", {"period": 5, "width": 1.5}, supertrend(5, 1.5)),
    ("heikin_ashi", {}, heikin_ashi()),
    ("ichimoku", {}, ichimoku(9, 26, 52, 26)),
    ("pivots", {}, pivots()),
    ("choppiness", {"period": 14}, choppiness(14)),
    ("squeeze", {}, squeeze(20, 2.0, 1.5)),
    ("fisher", {"period": 9}, fisher(9)),
    ("aroon", {"period": 14}, aroon(14)),
    ("vortex", {"period": 14}, vortex(14)),
    ("chandelier", {"period": 22, "width": 3.0}, chandelier(22, 3.0)),
    ("keltner", {"period": 20, "atr_period": 10, "width": 2.0}, keltner(20, 10, 2.0)),
    ("hma", {"period": 16}, hma(16)),
    ("zscore", {"period": 20}, rolled(CLOSE, 20, lambda w: (w[-1] - mean(w)) / statistics.pstdev(w))),
    ("beta", {"period": 30}, beta(30)),
    (
        "correlation",
        {"period": 30},
        [
            NAN if t < 29 else statistics.correlation(window(CLOSE, t, 30), window(OTHER, t, 30))
            for t in range(N)
        ],
    ),
    (
        "realised_volatility",
        {"period": 30, "span": 365.0},
        rolled(log_returns(), 30, lambda w: statistics.stdev(w) * math.sqrt(365)),
    ),
    ("yang_zhang", {"period": 20, "span": 365.0}, yang_zhang(20, 365.0)),
    ("garman_klass", {"period": 20, "span": 2.0}, garman_klass(20, 2.0)),
    ("parkinson", {"period": 20, "span": 2.0}, parkinson(20, 2.0)),
    ("skewness", {"period": 25}, rolled(CLOSE, 25, moment(3))),
    ("kurtosis", {"period": 25}, rolled(CLOSE, 25, lambda w: moment(4)(w) - 3)),
    ("vidya", {"period": 14, "momentum": 9}, vidya(14, 9)),
    ("mcginley", {"period": 10}, mcginley(10)),
    ("alma", {"period": 9}, alma(9, 0.85, 6.0)),
    ("ulcer_index", {"period": 14}, ulcer(14)),
    ("fractal", {"left": 2, "right": 3}, fractal(2, 3)),
    ("sar", {}, sar(0.02, 0.2)),
    ("wma", {"period": 11}, weighted(CLOSE, 11)),
    ("ema", {"period": 11}, ema(CLOSE, 11)),
    ("atr", {"period": 11}, atr(11)),
    ("drawdown", {"period": 30}, rolled(CLOSE, 30, lambda w: 1 - w[-1] / max(w))),
    ("percentile", {"period": 9, "percent": 50.0}, rolled(CLOSE, 9, statistics.median)),
    ("percent_rank", {"period": 20}, rolled(CLOSE, 21, lambda w: 5.0 * sum(x <= w[-1] for x in w[:-1]))),
    ("donchian", {"period": 9}, together(
        rolled(HIGH, 9, max),
        combined(lambda a, b: (a + b) / 2, rolled(HIGH, 9, max), rolled(LOW, 9, min)),
        rolled(LOW, 9, min),
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters", "expected"), CASES, ids=[f"{case[0]} {case[1] or ''}" for case in CASES]
)
def test_an_indicator_equals_its_definition(name: str, parameters: dict[str, Any], expected: Any) -> None:
    found = indicators.catalogue()[name].compute(BARS, **parameters)
    lines = expected if isinstance(expected, tuple) else (expected,)
    assert len(found) == len(lines)
    for line, right in zip(found, lines, strict=True):
        np.testing.assert_allclose(line, right, rtol=1e-9, atol=1e-9)


def test_pivots_wait_for_a_whole_day() -> None:
    late = {name: column[5:] for name, column in BARS.items()}
    pivot = indicators.catalogue()["pivots"].compute(late)[0]
    assert np.isnan(pivot[: 24 - 5 + 24]).all()
    np.testing.assert_array_equal(pivot[24 - 5 + 24 :], indicators.catalogue()["pivots"].compute(BARS)[0][48:])


def test_a_price_weighted_by_nothing_is_the_plain_one() -> None:
    none = {**BARS, "volume": np.zeros(N)}
    compute = indicators.catalogue()
    np.testing.assert_allclose(compute["vwap"].compute(none)[0], TYPICAL)
    np.testing.assert_allclose(compute["vwma"].compute(none, period=5)[0][4:], rolled(CLOSE, 5, mean)[4:])
    np.testing.assert_array_equal(compute["relative_volume"].compute(none)[0][20:], 0.0)


def test_a_profile_of_one_price_is_that_price() -> None:
    flat = {"high": np.full(9, 7.0), "low": np.full(9, 7.0), "volume": np.ones(9)}
    for line in indicators.catalogue()["volume_profile"].compute(flat, period=4):
        np.testing.assert_array_equal(line[3:], 7.0)


def test_a_profile_is_the_same_in_any_unit_of_volume() -> None:
    compute = indicators.catalogue()["volume_profile"].compute
    plain, large = compute(BARS, share=1.0), compute({**BARS, "volume": BARS["volume"] * 2.0**60}, share=1.0)
    np.testing.assert_array_equal(plain, large)


def test_moments_of_values_far_from_zero_are_exact() -> None:
    values = [1e9 + x for x in CLOSE]
    np.testing.assert_allclose(
        indicators.skewness(np.array(values), 25)[24:], rolled(values, 25, moment(3))[24:], rtol=1e-5, atol=1e-6
    )
