"""doubt: how much of the best of many trials is luck, from what the search itself has counted and kept."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analytics.measures import returns_of
from core.research.result import Result

Floats = NDArray[np.float64]
CONVINCING = 0.95  # a deflated Sharpe ratio from which on luck is unlikely
TOLERABLE = 0.2  # a probability of overfitting up to which the choice holds
PARTS = (16, 12, 8, 6, 4)  # that the history is cut into for cross-validation
MOST = 5_000  # trials that are compared with each other


def doubt(best: Result, sharpes: Floats, returns: Floats, earlier: int = 0) -> dict[str, Any]:
    """The best trial's deflated Sharpe ratio, the probability of overfitting, and tests of the whole family.

    sharpes: (trials,) annual, of all trials, NaN where one has none; earlier: trials of former searches
    returns: (blocks, trials) over equal parts of the time, without trials that were not run
    Plain keys, None where a value cannot be said; "sentence" is the verdict for a trader.
    """
    from core.analytics.significance import overfitting_of

    year = best.periods_per_year
    known = sharpes[np.isfinite(sharpes)] / np.sqrt(year)
    count = max(1, len(sharpes) + earlier)
    variance = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
    facts = overfitting_of(best.returns, trials=count, variance=variance, periods_per_year=year)
    facts |= {"sharpe_variance": variance * year, "compared": 0, "earlier": earlier}
    facts |= {"overfitting": None, "overfitting_slope": None, "reality_check": None, "superior_ability": None}
    sample = compared(returns)
    if sample.shape[1] > 1:
        facts["compared"] = sample.shape[1]
        facts |= _cross_validated(sample) | _family(sample, best)
    return facts | {"sentence": verdict(facts)}


def compared(returns: Floats) -> Floats:
    """The trials that are compared with each other: all, or evenly spread ones of very many."""
    whole = returns[:, np.isfinite(returns).all(axis=0)] if returns.size else np.empty((0, 0))
    step = -(-whole.shape[1] // MOST) if whole.shape[1] else 1
    return np.asarray(whole[:, ::step], dtype=np.float64)


def _cross_validated(returns: Floats) -> dict[str, Any]:
    from core.analytics.significance import probability_of_overfitting

    parts = next((each for each in PARTS if len(returns) >= 2 * each), None)
    if parts is None:
        return {}
    found = probability_of_overfitting(returns, parts)
    slope = None if np.isnan(found.slope) else found.slope
    return {"overfitting": found.probability, "overfitting_slope": slope}


def _family(returns: Floats, best: Result) -> dict[str, Any]:
    """p-values that no trial is better than buying and holding."""
    from core.analytics.significance import reality_check, superior_predictive_ability

    held, rows = best.buy_and_hold, len(returns)
    ends = np.arange(1, rows + 1) * len(held) // rows - 1
    excess = returns - returns_of(np.concatenate(([best.cash], held[ends])))[1:, None]
    if rows < 8:
        return {}
    found = {
        "reality_check": reality_check(excess).p_value,
        "superior_ability": superior_predictive_ability(excess).consistent,
    }
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def verdict(facts: dict[str, Any]) -> str:
    """One plain sentence."""
    trials, chance, split = facts["trials"], facts["deflated_sharpe"], facts["overfitting"]
    if chance is None:
        return "Too little happened to tell skill from luck."
    if trials == 1:
        return str(facts["sentence"])
    if facts["probabilistic_sharpe"] <= 0.5:
        return f"None of the {trials:,} trials is worth choosing: even the best earned nothing for its risk."
    fell = f"chosen on half of the history, the best fell behind the middle on the other in {split or 0.0:.0%} of cases"
    ahead = f"a probability of {chance:.0%} of a Sharpe ratio above zero"
    if chance < CONVINCING:
        also = "" if split is None else f", and {fell}"
        return f"The best of {trials:,} trials may well be luck: {ahead}{also}."
    if split is not None and split > TOLERABLE:
        return f"Something here works, yet which parameters are best is mostly luck: {fell}."
    return f"The best of {trials:,} trials is hardly luck: {ahead}{'' if split is None else f', and {fell}'}."
