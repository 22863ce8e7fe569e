"""The panel's texts and tables as HTML; every value is escaped here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

SHOWN_TRADES = 100
FRACTIONS = frozenset({
    "total_return", "cagr", "max_drawdown", "var_95", "cvar_95", "volatility", "win_rate", "exposure", "buy_and_hold",
})  # fmt: skip
LABELS = {
    "total_return": "Total return",
    "cagr": "Yearly return (CAGR)",
    "max_drawdown": "Largest drawdown",
    "volatility": "Yearly volatility",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "var_95": "Value at risk 95 %",
    "win_rate": "Winning trades",
    "profit_factor": "Profit factor",
    "expectancy": "Average trade",
    "exposure": "Time in the market",
    "trades": "Closed trades",
    "fees_paid": "Fees paid",
    "final_equity": "Final equity",
}


def title(name: str) -> str:
    """sma_cross -> Sma cross, with well-known abbreviations as they are written."""
    known = {"sma": "SMA", "ema": "EMA", "rsi": "RSI", "macd": "MACD", "atr": "ATR"}
    parts = [known.get(word, word) for word in name.split("_")]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def says(sentence: str) -> str:
    """What went wrong, in one sentence."""
    return f'<p class="says" role="alert">{escape(sentence)}</p>'


def done(result: Mapping[str, Any]) -> str:
    """That the backtest is done, told beside its button: the details may lie below the screen's end."""
    stats = result["stats"]
    told = f"Done: return {figure('total_return', stats.get('total_return'))}, "
    told += f"drawdown {figure('max_drawdown', stats.get('max_drawdown'))}. The details are below."
    return f'<p class="hint" role="status">{escape(told)}</p>'


def hint(text: str) -> str:
    return f'<p class="hint">{escape(text)}</p>'


def quote(data: Mapping[str, Any]) -> str:
    """The last price, the day's change, and SIMULATED where it is made up."""
    change = data.get("change")
    parts = [
        f'<span class="price">{escape(money(float(data["last"])))}</span>',
        f"<span>{escape(data['quote_currency'])}</span>",
    ]
    if change is not None:
        fraction = float(change)
        tone = "up" if fraction >= 0 else "down"
        parts.append(f'<span class="{tone}">{percent(fraction, sign=True)} in 24 h</span>')
    if data.get("label"):
        parts.append(f'<span class="badge">{escape(data["label"])}</span>')
    return f'<div class="price-line">{"".join(parts)}</div>'


def statistics(result: Mapping[str, Any]) -> str:
    """The headline figures, and all of them beside buy-and-hold, with the costs that were assumed."""
    stats, baseline = result["stats"], result["baseline_stats"]
    headline = [
        ("Return", figure("total_return", stats.get("total_return"))),
        ("Buy and hold", figure("total_return", baseline.get("total_return"))),
        ("Drawdown", figure("max_drawdown", stats.get("max_drawdown"))),
        ("Sharpe", figure("sharpe", stats.get("sharpe"))),
    ]
    rows = [
        (label, figure(name, stats.get(name)), figure(name, baseline.get(name)))
        for name, label in LABELS.items()
        if stats.get(name) is not None
    ]
    costs = result["costs"]
    terms = (
        f"{result['bars']:,} bars of {escape(result['timeframe'])}, {day(result['from'])} to {day(result['to'])}. "
        f"Costs: {percent(costs['taker_fee'])} fee and {percent(costs['slippage'])} slippage on every fill; "
        f"orders fill at the next bar's open."
    )
    return (
        f"<h2>{escape(title(result['strategy']))} on {escape(result['instrument'])}{badge(result)}</h2>"
        f'<dl class="headline">{"".join(f"<div><dt>{a}</dt><dd>{b}</dd></div>" for a, b in headline)}</dl>'
        + table("Statistics", ("Measure", "Strategy", "Buy and hold"), rows)
        + f'<p class="hint" style="margin-top:12px">{terms}</p>'
    )


def trades(result: Mapping[str, Any]) -> str:
    """The last trades, newest first."""
    found = list(result["trades"])
    rows = [
        (
            moment(one["entry_time"]),
            moment(one["exit_time"]) if one.get("exit_time") else "open",
            money(one["entry_price"]),
            money(one["exit_price"]) if one.get("exit_price") is not None else "–",
            "–" if one["profit"] is None else money(one["profit"]),
            "–" if one["return"] is None else percent(one["return"], sign=True),
        )
        for one in reversed(found[-SHOWN_TRADES:])
    ]
    shown = f"the last {SHOWN_TRADES} of {len(found):,}" if len(found) > SHOWN_TRADES else f"{len(found):,}"
    if not rows:
        return "<h2>Trades</h2>" + hint("The strategy did not trade in this time.")
    columns = ("Entry (UTC)", "Exit (UTC)", "Entry price", "Exit price", "Profit", "Return")
    return f"<h2>Trades ({shown})</h2>" + table("Trades", columns, rows, text_columns=2)


def table(name: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], text_columns: int = 1) -> str:
    """A table whose first column heads its rows; columns from `text_columns` on are numbers."""

    def css(index: int) -> str:
        return ' class="number"' if index >= text_columns else ""

    head = "".join(f'<th scope="col"{css(i)}>{escape(column)}</th>' for i, column in enumerate(columns))
    body = "".join(
        "<tr>"
        + f'<th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{css(i)}>{escape(cell)}</td>" for i, cell in enumerate(row[1:], 1))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroller" tabindex="0" role="group" aria-label="{escape(name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def badge(result: Mapping[str, Any]) -> str:
    label = result.get("label")
    return f' <span class="badge">{escape(label)}</span>' if label else ""


def figure(name: str, value: float | None) -> str:
    """A statistic as people read it."""
    if value is None:
        return "–"
    if name in FRACTIONS:
        return percent(value, sign=name in {"total_return", "cagr"})
    if name == "trades":
        return f"{int(value):,}"
    return f"{value:,.2f}".replace("-", "−")


def percent(fraction: float, *, sign: bool = False) -> str:
    text = f"{fraction * 100:+.2f}" if sign else f"{fraction * 100:.2f}"
    return text.replace("-", "−") + "\u00a0%"


def money(value: float) -> str:
    """Two decimals, more where the figure is small."""
    size = abs(value)
    digits = 2 if size >= 10 or size == 0 else 4 if size >= 0.01 else 8
    return f"{value:,.{digits}f}".replace("-", "−")


def moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")
