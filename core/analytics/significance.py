"""Significance: whether a Sharpe ratio is more than luck, given how long the record is and how many were tried.

Sharpe ratios here are per period, not annual, unless a name says so. The functions take returns (n,), or `Moments`
where only these are known. What cannot be said (fewer than two returns, none that varies) is NaN.
Sources: Bailey and López de Prado (2012), The Sharpe Ratio Efficient Frontier; (2014), The Deflated Sharpe Ratio.
"""

from dataclasses import dataclass
from math import e, erfc, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.analytics.bootstrap import (
    aggregated,
    bootstrap_interval,
    optimal_block_length,
    paired_bootstrap,
)
from core.analytics.families import RealityCheck, SuperiorAbility, reality_check, superior_predictive_ability
from core.analytics.moments import M_DEVIATION, M_KURTOSIS, M_MEAN, M_SKEW, moments
from core.analytics.overfitting import (
    Overfitting,
    block_sums,
    overfitting_from_blocks,
    probability_of_overfitting,
)
from core.errors import InvalidInput

__all__ = [
    "Moments", "Overfitting", "RealityCheck", "SuperiorAbility", "aggregated", "block_sums", "bootstrap_interval",
    "deflated_sharpe_ratio", "expected_maximum_sharpe", "minimum_track_record", "moments_of", "optimal_block_length",
    "overfitting_from_blocks", "overfitting_of", "paired_bootstrap", "probabilistic_sharpe_ratio",
    "probability_of_overfitting", "reality_check", "superior_predictive_ability",
]  # fmt: skip

Floats = NDArray[np.float64]
NAN = float("nan")
EULER = 0.5772156649015329  # the Euler-Mascheroni constant
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Moments:
    """What the significance of a Sharpe ratio depends on. kurtosis: 3 for a normal distribution."""

    count: int
    sharpe: float
    skewness: float = 0.0
    kurtosis: float = 3.0

    @property
    def spread(self) -> float:
        """Standard deviation of the estimated Sharpe ratio, times sqrt(count - 1)."""
        variance = 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        return sqrt(variance) if variance > 0.0 else NAN


def moments_of(returns: ArrayLike) -> Moments:
    """The moments of returns (n,), NaN ignored; a Sharpe ratio of NaN below two or without variation."""
    values = np.asarray(returns, dtype=np.float64)
    missing = np.isnan(values)
    known = values[~missing] if missing.any() else values
    n = len(known)
    if n < 2:
        return Moments(n, NAN, NAN, NAN)
    found = moments(known, 0.0)
    deviation = float(found[M_DEVIATION])
    if not deviation > 1e-12 * max(abs(float(known.min())), abs(float(known.max()))):
        return Moments(n, NAN, NAN, NAN)
    return Moments(n, float(found[M_MEAN]) / deviation, float(found[M_SKEW]), float(found[M_KURTOSIS]) + 3.0)


def probabilistic_sharpe_ratio(returns: ArrayLike | Moments, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio is above `benchmark` (per period), whatever the distribution's tails.

    Source: Bailey and López de Prado (2012), eq. 11.
    """
    known = returns if isinstance(returns, Moments) else moments_of(returns)
    if known.count < 2:
        return NAN
    return _normal((known.sharpe - benchmark) * sqrt(known.count - 1.0) / known.spread)


def deflated_sharpe_ratio(returns: ArrayLike | Moments, trials: ArrayLike | tuple[int, float]) -> float:
    """The probability that the true Sharpe ratio is above 0 although the best of many trials was chosen.

    trials: the Sharpe ratios (per period) of all trials as a list or array, the chosen one's too; or the tuple
        (count, variance) of them. Source: Bailey and López de Prado (2014), eq. 9.
    """
    if isinstance(trials, tuple) and len(trials) == 2:
        count, variance = int(trials[0]), float(trials[1])
    else:
        sharpes = np.asarray(trials, dtype=np.float64)
        sharpes = sharpes[np.isfinite(sharpes)]
        count, variance = len(sharpes), float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else 0.0
    return probabilistic_sharpe_ratio(returns, expected_maximum_sharpe(count, variance))


def expected_maximum_sharpe(count: int, variance: float) -> float:
    """The largest Sharpe ratio to be expected of `count` independent trials without skill; 0 for a single one.

    variance: of the trials' Sharpe ratios. Source: Bailey and López de Prado (2014), eq. 6. Raises InvalidInput.
    """
    if count < 1:
        raise InvalidInput(f"{count} trials are too few: at least the one that was run counts.")
    if not variance >= 0.0:
        raise InvalidInput(f"A variance of {variance} among the trials' Sharpe ratios is below 0.")
    if count == 1:
        return 0.0
    first, second = NORMAL.inv_cdf(1.0 - 1.0 / count), NORMAL.inv_cdf(1.0 - 1.0 / (count * e))
    return sqrt(variance) * ((1.0 - EULER) * first + EULER * second)


def minimum_track_record(returns: ArrayLike | Moments, benchmark: float = 0.0, level: float = 0.95) -> float:
    """Periods that a record must have for its Sharpe ratio to be above `benchmark` with this confidence.

    Infinite when it is not above. Source: Bailey and López de Prado (2012), eq. 13.
    """
    known = returns if isinstance(returns, Moments) else moments_of(returns)
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"A confidence of {level} is not between 0 and 1; 0.95 is 95 %.")
    if not np.isfinite(known.sharpe):
        return NAN
    if known.sharpe <= benchmark:
        return float("inf")
    return 1.0 + known.spread**2 * (NORMAL.inv_cdf(level) / (known.sharpe - benchmark)) ** 2


def overfitting_of(
    returns: ArrayLike,
    *,
    trials: int = 1,
    variance: float | None = None,
    periods_per_year: float = 365.0,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """What belongs beside every Sharpe ratio, in plain keys; None where it cannot be said.

    trials: variants of the strategy that were tried on these bars, this one included
    variance: of their Sharpe ratios per period; when not known, that of trials without skill, 1 / (n - 1)
    probabilistic_sharpe, deflated_sharpe: probabilities; luck_sharpe: the annual Sharpe ratio that the best of so many
        trials without skill would show; minimum_track_record: bars; sharpe_low, sharpe_high: interval of the annual
        Sharpe ratio by the stationary bootstrap, of runs of bars_per_run bars each
    """
    known = moments_of(returns)
    runs, run = aggregated(returns)
    if variance is None:
        variance = 1.0 / max(1, known.count - 1)
    luck = expected_maximum_sharpe(trials, variance)
    needed = minimum_track_record(known, 0.0, level)
    low, high = bootstrap_interval(runs, "sharpe", level, samples, seed, periods_per_year=periods_per_year / run)
    facts: dict[str, Any] = {
        "probabilistic_sharpe": probabilistic_sharpe_ratio(known),
        "deflated_sharpe": probabilistic_sharpe_ratio(known, luck),
        "trials": trials,
        "luck_sharpe": luck * sqrt(periods_per_year),
        "minimum_track_record": needed,
        "track_record": known.count,
        "level": level,
        "sharpe_low": low,
        "sharpe_high": high,
        "bars_per_run": run,
        "skewness": known.skewness,
        "kurtosis": known.kurtosis,
    }
    facts = {name: value if _finite(value) else None for name, value in facts.items()}
    return facts | {"sentence": _sentence(facts)}


def _sentence(facts: dict[str, Any]) -> str:
    """What the facts mean, for a trader."""
    chance, level, trials = facts["deflated_sharpe"], facts["level"], facts["trials"]
    if chance is None:
        return "Too little happened to tell skill from luck."
    tried = "" if trials == 1 else f" after {trials:,} trials"
    if chance >= level:
        return f"With {chance:.1%} probability the Sharpe ratio is above zero{tried}, if the future is like the past."
    needed, record = facts["minimum_track_record"], facts["track_record"]
    if facts["probabilistic_sharpe"] <= 0.5:
        return "It earned nothing for its risk: its Sharpe ratio is not above zero."
    told = f"The Sharpe ratio is above zero{tried} with a probability of only {chance:.1%}: this may well be luck"
    if trials == 1 and needed is not None and needed > record:
        return f"{told}. It would take {needed:,.0f} bars like these to tell, and there are {record:,}."
    return f"{told}."


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or bool(np.isfinite(value))


def _normal(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * erfc(-z / sqrt(2.0))
