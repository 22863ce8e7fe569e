"""Measures of closed trades and of what was held.

profits: (n,) of closed trades, net of fees, in quote or per unit risked; NaN ignored.
"""

import numpy as np
from numpy.typing import ArrayLike

from core.analytics.series import NAN, known, ratio
from core.errors import InvalidInput


def win_rate(profits: ArrayLike) -> float:
    """Share of trades with a profit above 0; NaN for no trade. profits: (n,) quote, net of fees."""
    values = known(profits)
    return float(np.mean(values > 0.0)) if len(values) else NAN


def profit_factor(profits: ArrayLike) -> float:
    """Gross profit per gross loss; NaN without a loss."""
    values = known(profits)
    return float(ratio(np.sum(np.maximum(values, 0.0)), -np.sum(np.minimum(values, 0.0))))


def expectancy(profits: ArrayLike) -> float:
    """Mean profit per trade, in the unit given; NaN for no trade."""
    values = known(profits)
    return float(np.mean(values)) if len(values) else NAN


def payoff_ratio(profits: ArrayLike) -> float:
    """Mean profit of the winning trades per mean loss of the losing ones; NaN without either."""
    values = known(profits)
    won, lost = values[values > 0.0], values[values < 0.0]
    return float(ratio(float(np.mean(won)), -float(np.mean(lost)))) if len(won) and len(lost) else NAN


def sqn(profits: ArrayLike) -> float:
    """System quality number: mean profit per sample deviation, times the square root of the number of trades.

    NaN below two trades or without variation. Source: Tharp (2008), "Definitive Guide to Position Sizing", for
    multiples of the risk taken; with profits in quote it is the t-statistic of their mean.
    """
    values = known(profits)
    if len(values) < 2:
        return NAN
    scale = float(np.max(np.abs(values)))  # so that rounding is told from variation in any currency
    if not 0.0 < scale < np.inf:
        return NAN
    values = values / scale
    return float(ratio(float(np.mean(values)), float(np.std(values, ddof=1)), float(np.sqrt(len(values)))))


def kelly_fraction(profits: ArrayLike) -> float:
    """Share of the capital to stake that makes it grow fastest, of two outcomes: the mean profit and the mean loss.

    profits: per unit staked. Negative where the trades lose on average; NaN without winners or losers.
    Source: Kelly (1956).
    """
    won = win_rate(profits)
    return float(won - (1.0 - won) / payoff) if (payoff := payoff_ratio(profits)) > 0.0 else NAN


def longest_losing_streak(profits: ArrayLike) -> int:
    """The most losing trades in a row; 0 for no trade."""
    lost = np.concatenate(([False], known(profits) < 0.0, [False]))
    turns = np.flatnonzero(lost[1:] != lost[:-1])
    return int(np.max(turns[1::2] - turns[::2])) if len(turns) else 0


def exposure(positions: ArrayLike) -> float:
    """Share of the periods with a position other than 0; NaN for none. positions: (n,) of any unit."""
    values = known(positions)
    return float(np.mean(values != 0.0)) if len(values) else NAN


def turnover(notionals: ArrayLike, capital: float) -> float:
    """Notional traded, bought and sold alike, per capital. notionals: (n,) quote, of the fills."""
    if not capital > 0.0:
        raise InvalidInput(f"A capital of {capital} is not above zero.")
    return float(np.sum(np.abs(known(notionals))) / capital)
