"""Measures of returns, equity curves and trades, in float64.

returns: (n,) simple, per period, NaN ignored. equity: (n,) quote. Losses and drawdowns are positive fractions. A ratio
whose denominator is 0 (constant equity, no losing trade) and a measure of nothing is NaN, never an error; annual
figures use `periods_per_year`, which is 365 days' worth of bars in a market that never closes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput

Floats = NDArray[np.float64]
NAN = float("nan")


def returns_of(equity: ArrayLike) -> Floats:
    """(n,) simple returns of an equity curve; the first is 0, and so is any after the equity has become 0."""
    values = np.asarray(equity, dtype=np.float64)
    returns = np.zeros(len(values))
    if len(values) > 1:
        np.divide(values[1:], values[:-1], out=returns[1:], where=values[:-1] > 0.0)
        returns[1:][values[:-1] > 0.0] -= 1.0
    return returns


def total_return(returns: ArrayLike) -> float:
    """Compounded return of all periods; 0 for none."""
    return float(np.prod(1.0 + _known(returns)) - 1.0)


def cagr(returns: ArrayLike, periods_per_year: float) -> float:
    """Compound annual growth rate; -1 when everything was lost, NaN for no period or when beyond a double."""
    known = _known(returns)
    growth = 1.0 + total_return(known)
    if len(known) == 0:
        return NAN
    if growth <= 0.0:
        return -1.0
    exponent = np.log(growth) * periods_per_year / len(known)
    return float(np.expm1(exponent)) if exponent < 700.0 else NAN


def volatility(returns: ArrayLike, periods_per_year: float) -> float:
    """Annualised sample standard deviation; NaN below two periods."""
    known = _known(returns)
    return float(np.std(known, ddof=1) * np.sqrt(periods_per_year)) if len(known) > 1 else NAN


def sharpe_ratio(returns: ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Annualised mean excess return per standard deviation. risk_free: annual, a fraction.

    NaN below two periods or without variation. Source: Sharpe (1994).
    """
    known = _known(returns)
    if len(known) < 2:
        return NAN
    excess = known - _per_period(risk_free, periods_per_year)
    return _ratio(float(np.mean(excess)), float(np.std(excess, ddof=1)), float(np.sqrt(periods_per_year)))


def sortino_ratio(returns: ArrayLike, periods_per_year: float, risk_free: float = 0.0) -> float:
    """Annualised mean excess return per downside deviation (root mean square of negative excess, over all periods).

    NaN without periods or without a negative one. Source: Sortino and van der Meer (1991).
    """
    known = _known(returns)
    if len(known) == 0:
        return NAN
    excess = known - _per_period(risk_free, periods_per_year)
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    return _ratio(float(np.mean(excess)), downside, float(np.sqrt(periods_per_year)))


def drawdowns(equity: ArrayLike) -> Floats:
    """(n,) distance below the highest equity so far, as a positive fraction."""
    values = np.asarray(equity, dtype=np.float64)
    if len(values) == 0:
        return np.empty(0)
    peaks = np.maximum.accumulate(values)
    result: Floats = np.zeros(len(values))
    np.divide(peaks - values, peaks, out=result, where=peaks > 0.0)
    return result


def max_drawdown(equity: ArrayLike) -> float:
    """The deepest drawdown, a positive fraction; 0 for a curve that never falls or is empty."""
    depths = drawdowns(equity)
    return float(np.max(depths)) if len(depths) else 0.0


def max_drawdown_duration(equity: ArrayLike) -> int:
    """The longest run of periods below an earlier high, the last one counted even when it has not ended."""
    under = drawdowns(equity) > 0.0
    if not under.any():
        return 0
    ends = np.flatnonzero(np.diff(np.concatenate(([0], under.view(np.int8), [0]))))
    return int(np.max(ends[1::2] - ends[::2]))


def calmar_ratio(equity: ArrayLike, periods_per_year: float) -> float:
    """Compound annual growth rate per maximal drawdown; NaN without a drawdown."""
    values = np.asarray(equity, dtype=np.float64)
    return _ratio(cagr(returns_of(values)[1:], periods_per_year), max_drawdown(values))


def value_at_risk(returns: ArrayLike, level: float = 0.95) -> float:
    """Historical value at risk, as a positive loss fraction (0 when even the bad end is a gain).

    level: confidence, 0.95 is the worst 5 %. NaN for no period. Source: Jorion (2006), ch. 5.
    """
    _level(level)
    known = _known(returns)
    return max(0.0, -float(np.quantile(known, 1.0 - level))) if len(known) else NAN


def conditional_value_at_risk(returns: ArrayLike, level: float = 0.95) -> float:
    """Mean loss of the periods at or beyond the value at risk, a positive fraction. NaN for no period.

    Source: Rockafellar and Uryasev (2000).
    """
    _level(level)
    known = _known(returns)
    if len(known) == 0:
        return NAN
    tail = known[known <= np.quantile(known, 1.0 - level)]
    return max(0.0, -float(np.mean(tail)))


def win_rate(profits: ArrayLike) -> float:
    """Share of trades with a profit above 0; NaN for no trade. profits: (n,) quote, net of fees."""
    known = _known(profits)
    return float(np.mean(known > 0.0)) if len(known) else NAN


def profit_factor(profits: ArrayLike) -> float:
    """Gross profit per gross loss; NaN without a loss."""
    known = _known(profits)
    return _ratio(float(np.sum(known[known > 0.0])), -float(np.sum(known[known < 0.0])))


def expectancy(profits: ArrayLike) -> float:
    """Mean profit per trade, in the unit given; NaN for no trade."""
    known = _known(profits)
    return float(np.mean(known)) if len(known) else NAN


def _known(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidInput(f"A measure takes a one-dimensional array; this one has {array.ndim} dimensions.")
    missing = np.isnan(array)
    return array[~missing] if missing.any() else array


def _per_period(annual: float, periods_per_year: float) -> float:
    if not periods_per_year > 0.0:
        raise InvalidInput(f"periods_per_year {periods_per_year} is not above zero.")
    return float((1.0 + annual) ** (1.0 / periods_per_year) - 1.0)


def _ratio(numerator: float, denominator: float, factor: float = 1.0) -> float:
    tiny = 1e-15 * max(1.0, abs(numerator))  # a constant series has a deviation of rounding only
    return numerator / denominator * factor if denominator > tiny else NAN


def _level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"The confidence level {level} is outside 0 to 1; 0.95 is the worst 5 %.")
