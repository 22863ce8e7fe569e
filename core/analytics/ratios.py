"""Measures of returns: growth, variation, and return per unit of risk.

returns: (n,) simple, per period, NaN ignored. periods_per_year: 365 days' worth of bars in a market that never closes.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from core.analytics import moments as sums
from core.analytics.equity import max_drawdown, ulcer_index
from core.analytics.series import NAN, Floats, floats, known, per_period, ratio, yearly
from core.analytics.summary import growth_of_equity


def total_return(returns: ArrayLike) -> float:
    """Compounded return of all periods; 0 for none."""
    return float(sums.growth_of(known(returns)) - 1.0)


def cagr(returns: ArrayLike, periods_per_year: float) -> float:
    """Compound annual growth rate; -1 when everything was lost, NaN for no period or when beyond a double."""
    values = known(returns)
    return float(sums.annual_growth(sums.growth_of(values), len(values), yearly(periods_per_year)))


annual_return = cagr


def volatility(returns: ArrayLike, periods_per_year: float) -> float:
    """Annualised sample standard deviation; NaN below two periods."""
    return float(_moments(returns)[sums.M_DEVIATION]) * math.sqrt(yearly(periods_per_year))


def downside_deviation(returns: ArrayLike, periods_per_year: float, required: float = 0.0) -> float:
    """Annualised root mean square of what returns lack to `required` (per period), over all periods; NaN for none.

    Source: Sortino and van der Meer (1991).
    """
    return float(_moments(returns, required)[sums.M_DOWNSIDE]) * math.sqrt(yearly(periods_per_year))


def skewness(returns: ArrayLike) -> float:
    """Third standardised moment of the population (no correction for its size); NaN without variation."""
    return float(_moments(returns)[sums.M_SKEW])


def kurtosis(returns: ArrayLike) -> float:
    """Excess kurtosis of the population, 0 for a normal distribution; NaN without variation."""
    return float(_moments(returns)[sums.M_KURTOSIS])


def sharpe_ratio(returns: ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Annualised mean excess return per standard deviation. risk_free: annual, a fraction.

    NaN below two periods or without variation. Source: Sharpe (1994), "The Sharpe Ratio".
    """
    found = _moments(returns, per_period(risk_free, periods_per_year))
    return float(ratio(found[sums.M_MEAN], found[sums.M_DEVIATION], math.sqrt(periods_per_year)))


def sortino_ratio(returns: ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Annualised mean excess return per downside deviation (root mean square of negative excess, over all periods).

    NaN without periods or without a negative one. Source: Sortino and van der Meer (1991).
    """
    found = _moments(returns, per_period(risk_free, periods_per_year))
    return float(ratio(found[sums.M_MEAN], found[sums.M_DOWNSIDE], math.sqrt(periods_per_year)))


def omega_ratio(returns: ArrayLike, required: float = 0.0) -> float:
    """Sum of what returns exceed `required` (per period) by, per sum of what they lack.

    NaN below two periods or where none is below. Source: Keating and Shadwick (2002), "An Introduction to Omega".
    """
    excess = known(returns) - required
    if len(excess) < 2:
        return NAN
    return float(ratio(np.sum(np.maximum(excess, 0.0)), -np.sum(np.minimum(excess, 0.0))))


def stability(returns: ArrayLike) -> float:
    """Share of the variance of the cumulated log returns that a straight line explains (R²).

    NaN below two periods, without variation, or when everything was lost.
    """
    values = known(returns)
    if len(values) < 2 or np.min(values) <= -1.0:
        return NAN
    path = np.cumsum(np.log1p(values))
    time = np.arange(len(path)) - (len(path) - 1) / 2.0
    path = path - np.mean(path)
    if not np.max(np.abs(path)) > 1e-15:
        return NAN
    return float(min(1.0, (time @ path) ** 2 / ((time @ time) * (path @ path))))


def calmar_ratio(equity: ArrayLike, periods_per_year: float) -> float:
    """Compound annual growth rate per maximal drawdown; NaN without a drawdown. equity: (n,) quote.

    Source: Young (1991), "Calmar Ratio: A Smoother Tool", over the whole curve rather than 36 months.
    """
    values = floats(equity)
    return float(ratio(_annual(values, periods_per_year), max_drawdown(values)))


def martin_ratio(equity: ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Annual growth above the risk-free rate per ulcer index; NaN without a drawdown. Also ulcer performance index.

    Source: Martin and McCann (1989).
    """
    values = floats(equity)
    return float(ratio(_annual(values, periods_per_year) - risk_free, ulcer_index(values)))


def _annual(equity: Floats, periods_per_year: float) -> float:
    yearly(periods_per_year)
    if len(equity) < 2:
        return NAN
    growth, count = growth_of_equity(equity[1:], equity[0])
    return float(sums.annual_growth(growth, count, periods_per_year))


def _moments(returns: ArrayLike, threshold: float = 0.0) -> Floats:
    values = floats(returns)
    found = sums.moments(values, threshold)
    # Looking for NaN beforehand would cost as much as the measure.
    return sums.moments(known(values), threshold) if np.isnan(found[sums.M_MEAN]) else found
