"""write_report: a backtest as one HTML file that needs nothing else and no network."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.analytics import measures
from core.clock import from_ms
from core.errors import InvalidInput
from core.research.backtest import Result
from core.research.drawing import Line, Mark, chart
from core.trading.costs import Costs
from core.trading.strategy import describe

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST_MARKS = 400
MOST_TRADES = 200
FACTORS = (1, 2, 3)


def write_report(result: Result, path: str | Path) -> Path:
    """Writes the report and returns its path. Raises InvalidInput when the place cannot be written."""
    target = Path(path)
    try:
        target.write_text(render(result), encoding="utf-8")
    except OSError as refused:
        raise InvalidInput(f"The report cannot be written to {target}: {refused.strerror}.") from None
    return target


def render(result: Result) -> str:
    """The report's HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("core.research"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"percent": percent, "number": number}
    first = next(iter(result.bars.values()))
    quote = first.instrument.quote
    return environment.get_template("report.html.j2").render(
        title=f"{result.strategy.name} on {', '.join(result.bars)}",
        strategy=describe(result.strategy),
        summary=result.strategy.summary,
        stats=result.stats,
        quote=quote,
        timeframe=first.timeframe,
        start=from_ms(int(result.timestamps[0])),
        end=from_ms(int(result.timestamps[-1])),
        simulated=any(each.instrument.venue == "sandbox" for each in result.bars.values()),
        equity=_equity(result),
        drawdown=_drawdown(result),
        prices=[(name, _price(result, name)) for name in list(result.bars)[:6]],
        marks_shown=MOST_MARKS,
        monthly=monthly(result),
        months=MONTHS,
        sensitivity=sensitivity(result),
        assumptions=assumptions(result),
        caveats=caveats(result),
        trades=result.round_trips[-MOST_TRADES:][::-1],
        trade_count=len(result.round_trips),
    )


def percent(value: float | None, digits: int = 2) -> str:
    """0.1234 -> '12.34 %'; a dash for None."""
    return "–" if value is None else f"{value * 100:,.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """1234.5 -> '1,234.50'; a dash for None."""
    return "–" if value is None else f"{value:,.{digits}f}"


def monthly(result: Result) -> list[tuple[int, list[float | None], float]]:
    """(year, twelve monthly returns or None, the year's return), calendar months in UTC."""
    months = result.timestamps.astype("datetime64[ms]").astype("datetime64[M]")
    starts = np.flatnonzero(np.r_[True, months[1:] != months[:-1]])
    ends = np.r_[starts[1:] - 1, len(months) - 1]
    before = np.r_[result.cash, result.equity[ends[:-1]]]
    growth = np.divide(result.equity[ends], before, out=np.ones(len(ends)), where=before > 0)
    table: dict[int, list[float | None]] = {}
    for month, factor in zip(months[starts].astype(np.int64).tolist(), growth.tolist(), strict=True):
        table.setdefault(1970 + month // 12, [None] * 12)[month % 12] = factor - 1.0
    return [
        (year, row, float(np.prod([1.0 + each for each in row if each is not None]) - 1.0))
        for year, row in table.items()
    ]


def sensitivity(result: Result) -> list[dict[str, Any]]:
    """The backtest run again at 1, 2 and 3 times its fees and slippage."""
    rows = []
    for factor in FACTORS:
        again = result if factor == 1 else result.rerun(result.costs.scaled(min(factor, _most(result.costs))))
        rows.append({"factor": factor, "stats": again.figures})
    return rows


def _most(costs: Costs) -> float:
    """The largest factor that keeps the costs within what Costs accepts."""
    fee = max(abs(costs.taker_fee), abs(costs.maker_fee))
    return min(0.2 / fee if fee else np.inf, 0.5 / costs.slippage if costs.slippage else np.inf)


def assumptions(result: Result) -> list[str]:
    """How fills were assumed, in plain words."""
    costs = result.costs
    slip = {
        "fixed": f"{percent(costs.slippage, 3)} worse than the price",
        "spread": f"half of a spread of {percent(costs.slippage, 3)} worse than the price",
        "volume_share": f"{percent(costs.slippage, 3)} times the root of its share of the bar's volume worse",
    }[costs.slippage_model]
    touch = "when their price is touched" if costs.fill_on_touch else "only when the market trades through their price"
    finer = next((each.timeframe for each in result.detail.values()), "")
    told = [
        "A signal is decided at a bar's close and filled from the next bar's open on"
        + (f", {costs.latency} bars later." if costs.latency else "."),
        f"A market or stop order fills {slip}; a stop jumped over by a gap fills at the open.",
        f"Fees: {percent(costs.taker_fee, 3)} of each trade as taker, {percent(costs.maker_fee, 3)} as maker.",
        f"Limit orders fill {touch}, at the better of the open and their price.",
        f"Orders meet the prices of {finer} bars inside each bar, and in one of those the stop before the target."
        if finer
        else "Where a stop and a target lie inside one bar, the stop is taken to come first.",
        f"One bar fills at most {percent(costs.volume_share, 0)} of its volume; the rest of an order waits.",
        "The position is valued at each bar's close. Cash earns no interest, nothing is lent.",
    ]
    if len(result.bars) > 1:
        told.append(f"The {len(result.bars)} instruments share the cash; each gets an equal part of the exposure.")
    return told


def caveats(result: Result) -> list[str]:
    """What stands beside the headline figures so that they are not believed too much."""
    stats = result.stats
    told = list(stats["warnings"])
    if stats["trades"] < 30:
        told.append(f"Only {stats['trades']} closed trades: too few to tell skill from luck.")
    years = len(result.equity) / result.periods_per_year
    if years < 1:
        told.append(f"The test spans {years * 12:.1f} months; annual figures are extrapolated.")
    if stats["total_return"] < stats["buy_and_hold"]:
        told.append("Buying and holding would have brought more.")
    if stats["open_trades"]:
        told.append("The position still open at the end is valued at the last close, without the cost of selling it.")
    told.append("The parameters may have been chosen knowing these prices; the past does not promise the future.")
    return told


def _equity(result: Result) -> str:
    lines = [
        Line("Strategy", np.maximum(result.equity, 1e-9), "own"),
        Line("Buy and hold", np.maximum(result.buy_and_hold, 1e-9), "held"),
    ]
    spread = max(float(line.values.max() / line.values.min()) for line in lines)
    return chart(result.timestamps, lines, "Equity against buy and hold", log=3.0 < spread < 1e7)


def _drawdown(result: Result) -> str:
    depth = -measures.drawdowns(np.r_[result.cash, result.equity])[1:]
    return chart(
        result.timestamps, [Line("Drawdown", depth, "loss", filled=True)], "Drawdown", height=150, percent=True
    )


def _price(result: Result, name: str) -> str:
    bars = result.bars[name]
    marks = []
    for trade in [each for each in result.round_trips if each.symbol == name][-MOST_MARKS // 2 :]:
        opened, closed = ("buy", "sell") if trade.side == "long" else ("sell", "buy")
        marks.append(_mark(trade.entry_time, trade.entry_price, opened, f"{trade.side} {trade.quantity:.6g}"))
        if trade.exit_time is not None:
            marks.append(_mark(trade.exit_time, trade.exit_price, closed, f"{trade.exit_reason}, {trade.pnl:+,.2f}"))
    return chart(
        bars.timestamp, [Line(name, bars.close, "price")], f"Price of {name} and trades", marks=marks, height=300
    )


def _mark(time: datetime, price: float, style: str, text: str) -> Mark:
    return Mark(int(time.timestamp() * 1000), price, style, f"{style} at {price:,.6g}, {time:%Y-%m-%d %H:%M}: {text}")
