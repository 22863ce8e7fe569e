"""Measures of returns, equity curves and trades, in float64.

returns: (n,) simple, per period, NaN ignored. equity: (n,) quote. Losses and drawdowns are positive fractions. A ratio
whose denominator is 0 (constant equity, no losing trade) and a measure of nothing is NaN, never an error; annual
figures use `periods_per_year`, which is 365 days' worth of bars in a market that never closes.
"""

from core.analytics.equity import (
    average_drawdown,
    drawdowns,
    equity_of,
    max_drawdown,
    max_drawdown_duration,
    returns_of,
    ulcer_index,
)
from core.analytics.ratios import (
    annual_return,
    cagr,
    calmar_ratio,
    downside_deviation,
    kurtosis,
    martin_ratio,
    omega_ratio,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    stability,
    total_return,
    volatility,
)
from core.analytics.tails import (
    common_sense_ratio,
    conditional_value_at_risk,
    cornish_fisher_holds,
    tail_ratio,
    value_at_risk,
)
from core.analytics.trades import (
    expectancy,
    exposure,
    kelly_fraction,
    longest_losing_streak,
    payoff_ratio,
    profit_factor,
    sqn,
    turnover,
    win_rate,
)

__all__ = [
    "annual_return",
    "average_drawdown",
    "cagr",
    "calmar_ratio",
    "common_sense_ratio",
    "conditional_value_at_risk",
    "cornish_fisher_holds",
    "downside_deviation",
    "drawdowns",
    "equity_of",
    "expectancy",
    "exposure",
    "kelly_fraction",
    "kurtosis",
    "longest_losing_streak",
    "martin_ratio",
    "max_drawdown",
    "max_drawdown_duration",
    "omega_ratio",
    "payoff_ratio",
    "profit_factor",
    "returns_of",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "sqn",
    "stability",
    "tail_ratio",
    "total_return",
    "turnover",
    "ulcer_index",
    "value_at_risk",
    "volatility",
    "win_rate",
]
