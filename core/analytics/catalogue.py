"""MEASURES: what each statistic of a result is, as data, so that every surface lists, ranks and formats alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

import numpy as np

from core.errors import InvalidInput

Unit = Literal["fraction", "ratio", "count", "money", "time", "texts"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A statistic by its key in a result.

    unit: fraction (a renderer shows it in percent), ratio, count, money (quote), time (ISO 8601) or texts
    higher_is_better: None where neither is, so that nothing can be ranked by it
    """

    name: str
    label: str
    summary: str
    unit: Unit
    higher_is_better: bool | None = None


def measure(name: str) -> Measure:
    """The measure of that key; InvalidInput for another, naming the nearest."""
    found = MEASURES.get(name)
    if found is None:
        near = get_close_matches(name, MEASURES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(MEASURES)}."
        raise InvalidInput(f"No measure '{name}'; {hint}")
    return found


def rankable() -> tuple[str, ...]:
    """The keys that results can be ranked by."""
    return tuple(name for name, each in MEASURES.items() if each.higher_is_better is not None)


def ranking(name: str, values: Iterable[float | None]) -> list[int]:
    """The places of the values, the best first; equal ones in their order, unknown ones (None, NaN) last.

    InvalidInput for a measure of which neither more nor less is better.
    """
    found = measure(name)
    if found.higher_is_better is None:
        raise InvalidInput(f"Results cannot be ranked by '{name}'; choose one of {', '.join(rankable())}.")
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    keys = -numbers if found.higher_is_better else numbers
    return [int(place) for place in np.argsort(keys, kind="stable")]  # NaN is sorted to the end


def _all() -> dict[str, Measure]:
    higher, lower = True, False
    listed: tuple[tuple[str, str, str, Unit, bool | None], ...] = (
        ("total_return", "Total return", "Equity at the end per starting cash, less 1.", "fraction", higher),
        ("cagr", "Annual growth", "Compound growth rate per year of 365 days.", "fraction", higher),
        ("sharpe", "Sharpe", "Annualised mean return per standard deviation.", "ratio", higher),
        ("sortino", "Sortino", "Annualised mean return per downside deviation.", "ratio", higher),
        ("calmar", "Calmar", "Annual growth per maximal drawdown.", "ratio", higher),
        ("omega", "Omega", "Sum of the gains per sum of the losses of all periods.", "ratio", higher),
        ("martin", "Martin", "Annual growth per ulcer index.", "ratio", higher),
        ("max_drawdown", "Maximal drawdown", "The deepest fall below an earlier high.", "fraction", lower),
        ("max_drawdown_duration", "Longest drawdown", "The most bars in a row below an earlier high.", "count", lower),
        ("average_drawdown", "Average drawdown", "Mean distance below the highest equity so far.", "fraction", lower),
        ("ulcer_index", "Ulcer index", "Root mean square of the drawdowns of all bars.", "fraction", lower),
        ("volatility", "Volatility", "Annualised standard deviation of the returns.", "fraction", lower),
        ("downside_deviation", "Downside deviation", "Annualised root mean square of the losses.", "fraction", lower),
        ("var_95", "Value at risk 95 %", "The loss of a bar that 5 % of all bars exceed.", "fraction", lower),
        ("cvar_95", "Conditional VaR 95 %", "Mean loss of the worst 5 % of all bars.", "fraction", lower),
        ("tail_ratio", "Tail ratio", "Size of the best 5 % quantile per that of the worst.", "ratio", higher),
        ("common_sense_ratio", "Common sense ratio", "Tail ratio times gains per losses.", "ratio", higher),
        ("skew", "Skew", "Asymmetry of the returns; negative where the losses are the outliers.", "ratio", higher),
        ("kurtosis", "Kurtosis", "Excess kurtosis of the returns; 0 for a normal distribution.", "ratio", None),
        ("stability", "Stability", "Share of the growth's variance that a straight line explains.", "fraction", higher),
        ("beta", "Beta", "Change of the return per change of the benchmark's.", "ratio", None),
        ("alpha", "Alpha", "Annual return that the benchmark does not explain.", "fraction", higher),
        ("information_ratio", "Information ratio", "Mean return above the benchmark per deviation.", "ratio", higher),
        ("up_capture", "Up capture", "Share of the benchmark's gains that was taken.", "ratio", higher),
        ("down_capture", "Down capture", "Share of the benchmark's losses that was taken.", "ratio", lower),
        ("probabilistic_sharpe", "Probabilistic Sharpe", "Probability that Sharpe is above zero.", "fraction", higher),
        ("deflated_sharpe", "Deflated Sharpe", "That probability after so many trials.", "fraction", higher),
        ("trials", "Trials", "Variants of the strategy tried on these bars.", "count", None),
        ("sharpe_low", "Sharpe, low end", "Low end of the interval of the Sharpe ratio.", "ratio", higher),
        ("sharpe_high", "Sharpe, high end", "High end of the interval of the Sharpe ratio.", "ratio", None),
        ("minimum_track_record", "Record needed", "Bars that would make the Sharpe convincing.", "count", lower),
        ("trades", "Trades", "Round trips that have ended.", "count", None),
        ("open_trades", "Open trades", "Round trips that have not ended.", "count", None),
        ("win_rate", "Win rate", "Share of the ended trades with a profit.", "fraction", higher),
        ("profit_factor", "Profit factor", "Gross profit of the trades per gross loss.", "ratio", higher),
        ("payoff_ratio", "Payoff ratio", "Mean winning trade per mean losing trade.", "ratio", higher),
        ("expectancy", "Expectancy", "Mean profit per trade.", "money", higher),
        ("sqn", "System quality", "Mean profit of a trade per deviation, times √trades.", "ratio", higher),
        ("kelly_fraction", "Kelly fraction", "Share of the capital that grows fastest at stake.", "fraction", higher),
        ("longest_losing_streak", "Losing streak", "The most losing trades in a row.", "count", lower),
        ("exposure", "Exposure", "Share of the time with a position.", "fraction", None),
        ("turnover", "Turnover", "Notional traded per starting cash.", "ratio", None),
        ("fees_paid", "Fees", "Fees of all fills.", "money", lower),
        ("funding_paid", "Funding", "Funding of perpetuals, paid less received.", "money", lower),
        ("interest_paid", "Interest", "Interest on what shorts of coins borrow.", "money", lower),
        ("insured_losses", "Insured losses", "What liquidations lost beyond the account.", "money", lower),
        ("liquidations", "Liquidations", "Positions that the venue closed for want of margin.", "count", lower),
        ("final_equity", "Final equity", "Cash and positions at the last close.", "money", higher),
        ("initial_cash", "Starting cash", "Cash before the first bar.", "money", None),
        ("buy_and_hold", "Buy and hold", "Total return of buying everything at the start.", "fraction", None),
        ("bars", "Bars", "Bars that were traded.", "count", None),
        ("start", "Start", "When the first bar opened.", "time", None),
        ("end", "End", "When the last bar opened.", "time", None),
        ("warnings", "Warnings", "What makes the figures doubtful.", "texts", None),
    )
    return {name: Measure(name, label, summary, unit, better) for name, label, summary, unit, better in listed}


MEASURES: Mapping[str, Measure] = MappingProxyType(_all())
