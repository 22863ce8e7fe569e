"""Measures of the bad end of returns: value at risk and the mean loss beyond it, by four methods.

Of the next period, as positive loss fractions: 0 when even the bad end is a gain.

historical          the returns themselves
gaussian            a normal distribution of their mean and sample deviation
cornish-fisher      that distribution bent to their skew and kurtosis
garch               filtered historical simulation: the shocks that a GARCH(1,1) leaves, at the volatility it forecasts
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from core.analytics import moments as sums
from core.analytics.series import NAN, Floats, confident, known, ratio
from core.analytics.trades import profit_factor
from core.errors import InvalidInput
from core.indicators.compiled import kernel

Method = Literal["historical", "gaussian", "cornish-fisher", "garch"]
SAMPLE = 8_192  # values that tell about where a quantile lies
NORMAL = NormalDist()


def value_at_risk(returns: ArrayLike, level: float = 0.95, method: Method = "historical") -> float:
    """The loss of the next period that is not exceeded at the confidence level, a positive fraction.

    returns: (n,) simple, per period, NaN ignored. level: 0.95 is the worst 5 %.
    NaN for no period; gaussian: below two periods; cornish-fisher: also without variation, or where skew and kurtosis
    are beyond what the expansion can express (cornish_fisher_holds); garch: below 100 periods, without variation, or
    where the model cannot be fitted. Sources: Jorion (2006), ch. 5; Favre and Galeano (2002); Barone-Adesi,
    Giannopoulos and Vosper (1999).
    """
    return _risk(returns, level, method)[0]


def conditional_value_at_risk(returns: ArrayLike, level: float = 0.95, method: Method = "historical") -> float:
    """The mean loss of the next period when it is at or beyond the value at risk, a positive fraction.

    As value_at_risk. Historical: the mean of the k + 1 worst of n returns, k = (n - 1)(1 - level) rounded down, which
    are those at or below the interpolated quantile. Sources: Rockafellar and Uryasev (2000); Maillard (2012).
    """
    return _risk(returns, level, method)[1]


def tail_ratio(returns: ArrayLike, level: float = 0.95) -> float:
    """Size of the gain at the confidence level per size of the loss at it; NaN for no period or a loss of 0."""
    values = known(returns)
    confident(level)
    if len(values) == 0:
        return NAN
    return float(ratio(abs(_lowest(-values, level)[0]), abs(_lowest(values, level)[0])))


def common_sense_ratio(returns: ArrayLike) -> float:
    """Tail ratio times profit factor of the periods; NaN where one of these is. Above 1 is common sense to pursue."""
    return tail_ratio(returns) * profit_factor(returns)


def cornish_fisher_holds(skew: float, excess_kurtosis: float, level: float = 0.95) -> bool:
    """Whether the Cornish-Fisher expansion has as much below its value at this level as the level says.

    The expansion bends the normal distribution by a cubic, which for large moments turns back: then part of what should
    lie beyond the value lies before it, and the value means nothing. What has less than a thousandth of the tail's
    probability is left out of the question. On the bends: Maillard (2012), "A User's Guide to the Cornish Fisher
    Expansion".
    """
    z = NORMAL.inv_cdf(1.0 - confident(level))
    far = -NORMAL.inv_cdf(min(level, 1.0 - level) / 1000.0)
    cubic = excess_kurtosis / 24 - skew**2 / 18
    square = skew / 6 + cubic * z
    flat = 1 - excess_kurtosis / 8 + 5 * skew**2 / 36 + square * z
    # What remains of the cubic less its value at z, divided by the distance from z, must be positive everywhere.
    places = [-far, far] + ([max(-far, min(far, -square / (2 * cubic)))] if cubic else [])
    return all(cubic * x**2 + square * x + flat > 0.0 for x in places)


def _risk(returns: ArrayLike, level: float, method: str) -> tuple[float, float]:
    """(value at risk, conditional value at risk)"""
    confident(level)
    if method not in METHODS:
        raise InvalidInput(f"No method '{method}' of value at risk; there are {', '.join(METHODS)}.")
    quantile, mean = METHODS[method](known(returns), level)
    return _loss(quantile), _loss(mean)


def _loss(value: float) -> float:
    return NAN if math.isnan(value) else max(0.0, -float(value))


def _lowest(values: Floats, level: float) -> tuple[float, float]:
    """(the quantile of 1 - level, interpolated, the mean of what lies at or below it)"""
    n = len(values)
    if n == 0:
        return NAN, NAN
    place = (n - 1) * (1.0 - level)
    k = int(place + 1e-9)  # 1 - 0.9 is a little below 0.1
    last = min(k + 1, n - 1)
    if n > 8 * SAMPLE:
        # A sorted sample tells where the quantile lies; what is above its neighbourhood needs no sorting.
        sample = np.sort(values[:: n // SAMPLE])
        few = _at_most(values, sample[min(len(sample) - 1, int(len(sample) * (1.0 - level)) + SAMPLE // 100)])
        values = few if len(few) > last else values
    # One place at a time: for two, numpy's selection does not use the processor's vectors.
    ordered = np.partition(values, k)
    after = float(np.min(ordered[k + 1 :])) if k + 1 < len(ordered) else float(ordered[k])
    share = max(0.0, place - k)
    return float(ordered[k] + (after - ordered[k]) * share), float(np.mean(ordered[: k + 1]))


@kernel
def _at_most(values: Floats, most: float) -> Floats:
    """values[values <= most], in a third of the time."""
    kept = np.empty(len(values) + 1)
    used = 0
    for value in values:
        kept[used] = value  # without a branch, which could not be foreseen
        used += value <= most
    return kept[:used].copy()


def _gaussian(returns: Floats, level: float) -> tuple[float, float]:
    found = sums.moments(returns, 0.0)
    point = NORMAL.inv_cdf(1.0 - level)
    mean, deviation = float(found[sums.M_MEAN]), float(found[sums.M_DEVIATION])
    return mean + deviation * point, mean - deviation * NORMAL.pdf(point) / (1.0 - level)


def _cornish_fisher(returns: Floats, level: float) -> tuple[float, float]:
    found = sums.moments(returns, 0.0)
    skew, kurtosis = float(found[sums.M_SKEW]), float(found[sums.M_KURTOSIS])
    if not cornish_fisher_holds(skew, kurtosis, level):
        return NAN, NAN
    z = NORMAL.inv_cdf(1.0 - level)
    bent = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    # The integral of the line above over the tail: that of a Hermite polynomial is the one below it times the density.
    beyond = 1 + z * skew / 6 + (z**2 - 1) * kurtosis / 24 - (2 * z**2 - 1) * skew**2 / 36
    mean, deviation = float(found[sums.M_MEAN]), float(found[sums.M_DEVIATION])
    return mean + deviation * bent, mean - deviation * beyond * NORMAL.pdf(z) / (1.0 - level)


def _garch(returns: Floats, level: float) -> tuple[float, float]:
    from core.analytics.garch import simulated

    next_returns = simulated(returns)
    return (NAN, NAN) if next_returns is None else _lowest(next_returns, level)


METHODS: dict[str, Callable[[Floats, float], tuple[float, float]]] = {
    "historical": _lowest,
    "gaussian": _gaussian,
    "cornish-fisher": _cornish_fisher,
    "garch": _garch,
}
