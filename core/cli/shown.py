"""Statistics and tables as a terminal shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

PERCENT = (
    "total_return", "buy_and_hold", "cagr", "max_drawdown", "volatility", "var_95", "cvar_95", "win_rate", "exposure",
    "ulcer_index", "probabilistic_sharpe", "deflated_sharpe", "overfitting", "reality_check",
    "superior_ability",
)  # fmt: skip
SHOWN = (
    "final_equity", "total_return", "buy_and_hold", "cagr", "sharpe", "sortino", "calmar", "omega", "max_drawdown",
    "max_drawdown_duration", "ulcer_index", "volatility", "var_95", "cvar_95", "tail_ratio", "skew", "kurtosis",
    "trades", "open_trades", "win_rate", "profit_factor", "payoff_ratio", "expectancy", "sqn", "exposure", "turnover",
    "fees_paid", "funding_paid", "interest_paid", "liquidations", "sharpe_low", "sharpe_high", "probabilistic_sharpe",
    "deflated_sharpe", "trials", "minimum_track_record", "overfitting", "reality_check", "superior_ability",
)  # fmt: skip
NAMES = {
    "minimum_track_record": "bars needed to tell",
    "overfitting": "overfitting, chance",
    "reality_check": "reality check, p",
    "superior_ability": "superior ability, p",
    "sharpe_low": "sharpe, 95 % from",
    "sharpe_high": "sharpe, 95 % to",
}


def show(title: str, stats: Mapping[str, Any], sentence: str = "") -> None:
    """The statistics as two columns, then the period, a sentence and the warnings."""
    print(f"\n{title}\n")
    rows = [(NAMES.get(name, name.replace("_", " ")), told(name, stats[name])) for name in SHOWN if name in stats]
    half = -(-len(rows) // 2)
    left, right = rows[:half], [*rows[half:], ("", "")]
    for (name, value), (other, more) in zip(left, right, strict=False):
        print(f"  {name:<22}{value:>16}     {other:<22}{more:>16}".rstrip())
    if stats.get("start"):
        print(f"\n{str(stats['start'])[:16].replace('T', ' ')} to {str(stats['end'])[:16].replace('T', ' ')}")
    if sentence:
        print(sentence)
    for warning in stats.get("warnings") or []:
        print(f"Note: {warning}")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> None:
    """Rows under column names."""
    widths = [max(len(each) for each in cells) for cells in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = (
            cell.rjust(width) if place in numeric else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def told(name: str, value: Any) -> str:
    """A statistic as people read it; a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, str | bool):
        return str(value)
    if name in PERCENT:
        return f"{value:.2%}"
    if name == "minimum_track_record":
        return f"{value:,.0f}" if value < 1e12 else "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
