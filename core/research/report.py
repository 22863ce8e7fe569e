"""write_report: a backtest as one HTML file that needs nothing else and no network."""

from pathlib import Path
from typing import Any

import numpy as np

from core.clock import from_ms
from core.research import page, sections
from core.research.backtest import Result
from core.research.page import Cell, Grid, Lines, Page, number, percent, signed
from core.research.sections import Seen
from core.trading.costs import Costs
from core.trading.strategy import describe

__all__ = ["assumptions", "caveats", "monthly", "number", "percent", "render", "sensitivity", "write_report"]

FACTORS = (1, 2, 3)


def write_report(result: Result, path: str | Path) -> Path:
    """Writes the report and returns its path. Raises InvalidInput when the place cannot be written."""
    return page.write(render(result), path)


def render(result: Result) -> str:
    """The report's HTML."""
    return page.render(page_of(seen(result), sensitivity(result)))


def seen(result: Result) -> Seen:
    """What a report shows of a result."""
    first = next(iter(result.bars.values()))
    return Seen(
        strategy=describe(result.strategy),
        summary=result.strategy.summary,
        stats=result.stats,
        overfitting=result.overfitting,
        costs=result.costs,
        symbols=list(result.bars),
        quote=first.instrument.quote,
        timeframe=first.timeframe,
        finer=next((each.timeframe for each in result.detail.values()), ""),
        times=result.timestamps,
        equity=result.equity,
        cash=result.cash,
        hold=(result.timestamps, result.buy_and_hold),
        prices={name: (each.timestamp, each.close) for name, each in result.bars.items()},
        trades=result.trade_columns,
        periods_per_year=result.periods_per_year,
        simulated=any(each.instrument.venue == "sandbox" for each in result.bars.values()),
    )


def page_of(shown: Seen, costlier: list[dict[str, Any]] | None = None, made: str = "") -> Page:
    """The report of a backtest. costlier: `sensitivity`, where it could be run; made: when and by what it was run."""
    parameters = ", ".join(f"{name} {value}" for name, value in shown.strategy["parameters"].items())
    lines = [
        f"{shown.summary}{f' Parameters: {parameters}.' if parameters else ''}",
        f"{shown.stats['bars']:,} bars of {shown.timeframe}, {from_ms(int(shown.times[0])):%Y-%m-%d %H:%M} to"
        f" {from_ms(int(shown.times[-1])):%Y-%m-%d %H:%M} UTC, starting with {number(shown.cash)} {shown.quote}",
        *([made] if made else []),
    ]
    parts = [
        sections.headline(shown),
        Lines("Before you believe it", caveats(shown), boxed=True),
        *sections.curves(shown),
        sections.skill(shown),
        *sections.prices(shown),
        sections.months(shown),
        *([_costlier(costlier)] if costlier else []),
        sections.worst(shown),
        *sections.rolled(shown),
        *sections.outcomes(shown),
        sections.activity(shown),
        *sections.instruments(shown),
        Lines("What was assumed", assumptions(shown)),
        sections.trades(shown),
    ]
    title = f"{shown.strategy['name']} on {', '.join(shown.symbols)}"
    return Page(title, lines, [part for part in parts if part], "SIMULATED MARKET" if shown.simulated else "")


def monthly(result: Result) -> list[tuple[int, list[float | None], float]]:
    """(year, twelve monthly returns or None, the year's return), calendar months in UTC."""
    return sections.monthly(result.timestamps, result.equity, result.cash)


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


def assumptions(shown: Seen) -> list[str]:
    """How fills were assumed, in plain words."""
    costs = shown.costs
    slip = {
        "fixed": f"{percent(costs.slippage, 3)} worse than the price",
        "spread": f"half of a spread of {percent(costs.slippage, 3)} worse than the price",
        "volume_share": f"{percent(costs.slippage, 3)} times the root of its share of the bar's volume worse",
    }[costs.slippage_model]
    touch = "when their price is touched" if costs.fill_on_touch else "only when the market trades through their price"
    told = [
        "A signal is decided at a bar's close and filled from the next bar's open on"
        + (f", {costs.latency} bars later." if costs.latency else "."),
        f"A market or stop order fills {slip}; a stop jumped over by a gap fills at the open.",
        f"Fees: {percent(costs.taker_fee, 3)} of each trade as taker, {percent(costs.maker_fee, 3)} as maker.",
        f"Limit orders fill {touch}, at the better of the open and their price.",
        f"Orders meet the prices of {shown.finer} bars inside each bar, and in one of those the stop before the target."
        if shown.finer
        else "Where a stop and a target lie inside one bar, the stop is taken to come first.",
        f"One bar fills at most {percent(costs.volume_share, 0)} of its volume; the rest of an order waits.",
        "The position is valued at each bar's close. Cash earns no interest.",
    ]
    if costs.leverage > 1.0:
        told.append(
            f"On perpetuals a full position is {costs.leverage:g} times the equity; when less than"
            f" {percent(costs.maintenance_margin)} of its notional is left, it is liquidated, at a fee of"
            f" {percent(costs.liquidation_fee)} more."
        )
    if costs.borrow_rate:
        told.append(f"What a spot short borrows costs {percent(costs.borrow_rate)} a year.")
    if shown.stats.get("funding_paid"):
        told.append(
            f"Longs pay shorts of perpetuals {percent(costs.funding_rate, 3)} every 8 hours where no history is given."
        )
    if len(shown.symbols) > 1:
        told.append(f"The {len(shown.symbols)} instruments share the cash; each gets an equal part of the exposure.")
    return told


def caveats(shown: Seen) -> list[str]:
    """What stands beside the headline figures so that they are not believed too much."""
    stats = shown.stats
    told = [str(shown.overfitting["sentence"])] if shown.overfitting.get("sentence") else []
    told += stats.get("warnings") or []
    if stats["trades"] < 30:
        told.append(f"Only {stats['trades']} closed trades: too few to tell skill from luck.")
    years = len(shown.equity) / shown.periods_per_year
    if years < 1:
        told.append(f"The test spans {years * 12:.1f} months; annual figures are extrapolated.")
    if stats["total_return"] < stats["buy_and_hold"]:
        told.append("Buying and holding would have brought more.")
    if stats["open_trades"]:
        told.append("The position still open at the end is valued at the last close, without the cost of selling it.")
    told.append("The parameters may have been chosen knowing these prices; the past does not promise the future.")
    return told


def _costlier(rows: list[dict[str, Any]]) -> Grid:
    cells: list[list[Cell | str]] = []
    for row in rows:
        stats = row["stats"]
        cells.append(
            [
                f"{row['factor']}×{' (as tested)' if row['factor'] == 1 else ''}",
                signed(percent(stats["total_return"]), stats["total_return"]),
                number(stats["final_equity"]),
                number(stats["sharpe"]),
                percent(stats["max_drawdown"]),
                number(stats["fees_paid"]),
            ]
        )
    columns = ("Fees and slippage", "Return", "Final equity", "Sharpe", "Drawdown", "Fees paid")
    return Grid("If trading cost more", columns, cells)
