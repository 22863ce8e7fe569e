"""Measures of returns beside those of a benchmark.

returns, benchmark: (n,) simple, of the same periods; a period in which either is NaN is left out of both.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from core.analytics import moments as sums
from core.analytics.ratios import cagr
from core.analytics.series import NAN, Floats, pairs, per_period, ratio, yearly


def beta(returns: ArrayLike, benchmark: ArrayLike) -> float:
    """Covariance with the benchmark per variance of the benchmark; NaN below two periods or where it does not vary.

    Source: Sharpe (1964). A constant risk-free rate makes no difference to it.
    """
    own, other = pairs(returns, benchmark)
    if len(own) < 2:
        return NAN
    off = other - np.mean(other)
    deviation = math.sqrt(float(np.mean(off**2)))
    return float(np.mean(off * own)) / deviation**2 if deviation > _rounding(other) else NAN


def alpha(returns: ArrayLike, benchmark: ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Annualised (compounded) mean of what beta times the benchmark does not explain. risk_free: annual, a fraction.

    -1 when the mean is a total loss, NaN where beta is and when beyond a double. Source: Jensen (1968).
    """
    own, other = pairs(returns, benchmark)
    rate = per_period(risk_free, periods_per_year)
    slope = beta(own, other)
    if math.isnan(slope):
        return NAN
    mean = float(np.mean((own - rate) - slope * (other - rate)))
    return float(sums.annual_growth(1.0 + mean, 1, periods_per_year))


def tracking_error(returns: ArrayLike, benchmark: ArrayLike, periods_per_year: float) -> float:
    """Annualised sample deviation of the returns above the benchmark; NaN below two periods."""
    own, other = pairs(returns, benchmark)
    deviation = float(sums.moments(own - other, 0.0)[sums.M_DEVIATION])
    return deviation * math.sqrt(yearly(periods_per_year))


def information_ratio(returns: ArrayLike, benchmark: ArrayLike, periods_per_year: float) -> float:
    """Annualised mean return above the benchmark per tracking error; NaN below two periods or without variation.

    Source: Goodwin (1998), "The Information Ratio".
    """
    own, other = pairs(returns, benchmark)
    found = sums.moments(own - other, 0.0)
    return float(ratio(found[sums.M_MEAN], found[sums.M_DEVIATION], math.sqrt(yearly(periods_per_year))))


def up_capture(returns: ArrayLike, benchmark: ArrayLike, periods_per_year: float = 1.0) -> float:
    """Compound mean return per that of the benchmark, over the periods in which the benchmark gained.

    Per period by default; with periods_per_year the two are annualised first, which with short bars is soon beyond a
    double. NaN without such a period. Source: Morningstar (2011), "Upside/Downside Capture Ratio".
    """
    own, other = pairs(returns, benchmark)
    return _capture(own[other > 0.0], other[other > 0.0], periods_per_year)


def down_capture(returns: ArrayLike, benchmark: ArrayLike, periods_per_year: float = 1.0) -> float:
    """As up_capture, over the periods in which the benchmark lost; below 1 is a smaller loss than the benchmark's."""
    own, other = pairs(returns, benchmark)
    return _capture(own[other < 0.0], other[other < 0.0], periods_per_year)


def capture_ratio(returns: ArrayLike, benchmark: ArrayLike, periods_per_year: float = 1.0) -> float:
    """Up capture per down capture; NaN where either is, or where nothing is captured of the losses."""
    down = down_capture(returns, benchmark, periods_per_year)
    return up_capture(returns, benchmark, periods_per_year) / down if abs(down) > 1e-15 else NAN


def batting_average(returns: ArrayLike, benchmark: ArrayLike) -> float:
    """Share of the periods in which the return was above the benchmark's; NaN for none."""
    own, other = pairs(returns, benchmark)
    return float(np.mean(own - other > 0.0)) if len(own) else NAN


def _capture(own: Floats, other: Floats, periods_per_year: float) -> float:
    mine, market = cagr(own, periods_per_year), cagr(other, periods_per_year)
    return mine / market if abs(market) > 1e-15 else NAN


def _rounding(values: Floats) -> float:
    return 1e-15 * max(1.0, float(np.max(np.abs(values))))
