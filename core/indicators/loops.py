"""Kernels of the indicators that TA-Lib does not have: one pass over the bars, each value from what came before it."""

import numpy as np

from core.indicators.compiled import kernel
from core.indicators.described import Floats


@kernel
def weighted_window(values: Floats, weights: Floats) -> Floats:
    """The sum of the last values times the weights, (period,), the last weight for the latest."""
    n, period = len(values), len(weights)
    out = np.full(n, np.nan)
    for t in range(period - 1, n):
        total = 0.0
        for k in range(period):
            total += values[t - period + 1 + k] * weights[k]
        out[t] = total
    return out


@kernel
def paced(values: Floats, pace: Floats) -> Floats:
    """An average that moves by `pace` of the distance to the value; NaN while the pace is."""
    n = len(values)
    out = np.full(n, np.nan)
    started = False
    for t in range(n):
        if np.isnan(pace[t]):
            continue
        out[t] = out[t - 1] + pace[t] * (values[t] - out[t - 1]) if started else values[t]
        started = True
    return out


@kernel
def mcginley(values: Floats, period: float) -> Floats:
    """Moves by distance / (period * (value / average)^4), at most onto the value."""
    out = np.empty(len(values))
    out[0] = values[0]
    for t in range(1, len(values)):
        before = out[t - 1]
        proportion = values[t] / before if before != 0.0 else 1.0
        step = period * proportion**4
        out[t] = before + (values[t] - before) / max(step, 1.0)
    return out


@kernel
def fisher(position: Floats) -> tuple[Floats, Floats]:
    """Ehlers' transform of where the price lies in its range, -1 to 1, and the same a bar before."""
    n = len(position)
    line, before = np.full(n, np.nan), np.full(n, np.nan)
    smooth, value = 0.0, 0.0
    for t in range(n):
        if np.isnan(position[t]):
            continue
        smooth = min(max(0.33 * position[t] + 0.67 * smooth, -0.999), 0.999)
        before[t] = value
        value = 0.5 * np.log((1.0 + smooth) / (1.0 - smooth)) + 0.5 * value
        line[t] = value
    return line, before


@kernel
def weighted_prices(prices: Floats, volume: Floats, period: int) -> Floats:
    """The average of the last prices weighted by volume, the plain average where nothing was traded."""
    n = len(prices)
    out = np.full(n, np.nan)
    paid, traded, plain, active = 0.0, 0.0, 0.0, 0
    for t in range(n):
        if t % period == 0:  # summed anew now and then, so that rounding does not build up
            paid, traded, plain = 0.0, 0.0, 0.0
            for k in range(max(0, t - period + 1), t):
                paid += prices[k] * volume[k]
                traded += volume[k]
                plain += prices[k]
        elif t >= period:
            paid -= prices[t - period] * volume[t - period]
            traded -= volume[t - period]
            plain -= prices[t - period]
        if t >= period and volume[t - period] > 0.0:
            active -= 1
        if active == 0:
            paid, traded = 0.0, 0.0
        if volume[t] > 0.0:
            active += 1
        paid += prices[t] * volume[t]
        traded += volume[t]
        plain += prices[t]
        if t >= period - 1:
            out[t] = paid / traded if active > 0 else plain / period
    return out


@kernel
def moments(values: Floats, period: int) -> tuple[Floats, Floats]:
    """Rolling population skewness and excess kurtosis; 0 where the values do not vary."""
    n = len(values)
    skew, kurtosis = np.full(n, np.nan), np.full(n, np.nan)
    centre, s1, s2, s3, s4 = 0.0, 0.0, 0.0, 0.0, 0.0
    same = 1  # how many values up to this one are equal
    for t in range(n):
        same = same + 1 if t > 0 and values[t] == values[t - 1] else 1
        if t < period - 1:
            continue
        if (t - period + 1) % period == 0:  # summed anew around its mean once a window, so that nothing cancels
            centre, s1, s2, s3, s4 = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(t - period + 1, t + 1):
                centre += values[k] / period
            for k in range(t - period + 1, t + 1):
                d = values[k] - centre
                s1, s2, s3, s4 = s1 + d, s2 + d * d, s3 + d * d * d, s4 + d * d * d * d
        else:
            d = values[t - period] - centre
            s1, s2, s3, s4 = s1 - d, s2 - d * d, s3 - d * d * d, s4 - d * d * d * d
            d = values[t] - centre
            s1, s2, s3, s4 = s1 + d, s2 + d * d, s3 + d * d * d, s4 + d * d * d * d
        m1, m2, m3, m4 = s1 / period, s2 / period, s3 / period, s4 / period
        variance = m2 - m1 * m1
        if same >= period or not variance > 0.0:
            skew[t], kurtosis[t] = 0.0, 0.0
            continue
        skew[t] = (m3 - 3.0 * m1 * m2 + 2.0 * m1**3) / variance**1.5
        kurtosis[t] = (m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1**4) / (variance * variance) - 3.0
    return skew, kurtosis


@kernel
def streaks(values: Floats) -> Floats:
    """How many bars in a row the value has risen, negative where it has fallen."""
    out = np.zeros(len(values))
    for t in range(1, len(values)):
        if values[t] > values[t - 1]:
            out[t] = max(out[t - 1], 0.0) + 1.0
        elif values[t] < values[t - 1]:
            out[t] = min(out[t - 1], 0.0) - 1.0
    return out
