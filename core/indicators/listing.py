"""The indicators as data: what each is called, takes and returns."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator. inputs: bar columns; parameters: defaults by name; outputs: names of the arrays returned."""

    name: str
    summary: str
    inputs: tuple[str, ...]
    parameters: Mapping[str, float]
    outputs: tuple[str, ...]
    overlay: bool  # drawn over prices rather than below them


CATALOGUE: Mapping[str, Indicator] = {
    each.name: each
    for each in (
        Indicator("sma", "Simple moving average.", ("close",), {"period": 20}, ("sma",), True),
        Indicator("ema", "Exponential moving average.", ("close",), {"period": 20}, ("ema",), True),
        Indicator("wma", "Linearly weighted moving average.", ("close",), {"period": 20}, ("wma",), True),
        Indicator("rsi", "Relative strength index, 0 to 100.", ("close",), {"period": 14}, ("rsi",), False),
        Indicator("roc", "Rate of change, a fraction.", ("close",), {"period": 10}, ("roc",), False),
        Indicator(
            "macd", "Moving average convergence divergence.", ("close",), {"fast": 12, "slow": 26, "signal": 9},
            ("macd", "signal", "histogram"), False,
        ),
        Indicator(
            "bollinger", "Bands of standard deviations around the average.", ("close",), {"period": 20, "width": 2.0},
            ("upper", "middle", "lower"), True,
        ),
        Indicator("atr", "Average true range, in quote.", ("high", "low", "close"), {"period": 14}, ("atr",), False),
        Indicator(
            "donchian", "Highest high and lowest low.", ("high", "low"), {"period": 20}, ("upper", "middle", "lower"),
            True,
        ),
        Indicator(
            "stochastic", "Where the close lies in its recent range, 0 to 100.", ("high", "low", "close"),
            {"period": 14, "smooth": 3, "signal": 3}, ("k", "d"), False,
        ),
        Indicator("adx", "Strength of a trend, 0 to 100.", ("high", "low", "close"), {"period": 14}, ("adx",), False),
        Indicator("obv", "On-balance volume, base.", ("close", "volume"), {}, ("obv",), False),
    )
}  # fmt: skip


def catalogue() -> Mapping[str, Indicator]:
    """Every indicator by name."""
    return CATALOGUE
