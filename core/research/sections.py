"""The sections of a backtest's report, from what a fresh result and a kept one both know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analytics import measures
from core.analytics.correlation import correlations
from core.analytics.rolling import rolling_sharpe, rolling_volatility
from core.clock import from_ms
from core.research.drawing import Line, Mark, chart, histogram
from core.research.page import Cards, Cell, Figure, Grid, Section, heat, number, percent, signed
from core.research.trades import Columns
from core.trading.costs import Costs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST_MARKS = 400
MOST_TRADES = 200
MOST_PRICES = 6
WORST = 5
LEVELS = (("p5", "edge"), ("p25", "near"), ("p50", "middle"), ("p75", "near"), ("p95", "edge"))
TOLD = (("middle", "half is below"), ("near", "half lies between"), ("edge", "nine of ten lie between"))
LEAST_ROLLED = 60  # bars below which nothing is rolled


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a report shows of a backtest.

    times, equity: (n,) UTC ms and quote; hold, prices: (times, values), perhaps thinned, none where not known
    trades: columns as core.research.trades has them; finer: timeframe of the detail; costs: None where not known
    """

    strategy: dict[str, Any]
    summary: str
    stats: dict[str, Any]
    overfitting: dict[str, Any]
    costs: Costs
    symbols: list[str]
    quote: str
    timeframe: str
    finer: str
    times: Integers
    equity: Floats
    cash: float
    hold: tuple[Integers, Floats] | None
    prices: dict[str, tuple[Integers, Floats]]
    trades: Columns
    periods_per_year: float
    simulated: bool

    @property
    def returns(self) -> Floats:
        return measures.returns_of(np.concatenate(([self.cash], self.equity)))[1:]


def headline(shown: Seen) -> Cards:
    """The figures that come first."""
    stats = shown.stats
    return Cards(
        [
            ("Return", percent(stats["total_return"])),
            ("Buy and hold", percent(stats["buy_and_hold"])),
            (f"Final equity, {shown.quote}", number(stats["final_equity"])),
            ("Per year", percent(stats["cagr"])),
            ("Deepest drawdown", percent(stats["max_drawdown"])),
            ("Longest drawdown, bars", f"{stats['max_drawdown_duration']:,}"),
            ("Sharpe ratio", number(stats["sharpe"])),
            ("Sortino ratio", number(stats["sortino"])),
            ("Calmar ratio", number(stats["calmar"])),
            ("Omega ratio", number(stats.get("omega"))),
            ("Volatility per year", percent(stats["volatility"])),
            ("Worst 5 % of bars lose", percent(stats["var_95"])),
            ("… on average", percent(stats["cvar_95"])),
            ("Ulcer index", percent(stats.get("ulcer_index"))),
            ("Skew of returns", number(stats.get("skew"))),
            ("Excess kurtosis", number(stats.get("kurtosis"))),
        ]
    )


def skill(shown: Seen) -> Cards:
    """What tells skill from luck."""
    found = shown.overfitting
    needed = found.get("minimum_track_record")
    low, high = found.get("sharpe_low"), found.get("sharpe_high")
    tried = found.get("trials", 1)
    many = [
        (f"… after {tried:,} tries", percent(found.get("deflated_sharpe"), 1)),
        ("Sharpe by luck of so many", number(found.get("luck_sharpe"))),
    ]
    return Cards(
        [
            ("Sharpe ratio, 95 % within", f"{number(low)} to {number(high)}" if low is not None else "–"),
            ("Chance that it is above zero", percent(found.get("probabilistic_sharpe"), 1)),
            *(many if tried > 1 else []),
            ("Tries on these bars", f"{tried:,}"),
            ("Bars needed to tell", "–" if needed is None or needed > 1e12 else f"{needed:,.0f}"),
            ("Bars there are", f"{found.get('track_record', len(shown.equity)):,}"),
        ],
        "Skill or luck",
    )


def bands(axis: Integers, equity: Floats | None, levels: Mapping[str, Floats], *, dates: bool) -> Figure:
    """The equity of a result among that of simulated ones. levels: by p5, p25, p50, p75, p95, those that there are."""
    drawn = [(name, style) for name, style in LEVELS if name in levels]
    own = [] if equity is None else [Line("the result", equity, "own")]
    lines = [*own, *(Line(name, levels[name], style) for name, style in drawn)]
    styles = {style for _, style in drawn}
    key = [*((line.style, line.name) for line in own), *(told for told in TOLD if told[0] in styles)]
    low, high = (float(of([of(line.values) for line in lines])) for of in (np.nanmin, np.nanmax))
    picture = chart(
        axis, lines, "Equity of the result among simulated ones", dates=dates, log=0.0 < low < high / 3.0 < low * 1e6
    )
    return Figure("The result among the simulated ones", picture, key)


def curves(shown: Seen) -> list[Section]:
    """Equity against holding, and the drawdown."""
    lines = [Line("Strategy", np.maximum(shown.equity, 1e-9), "own")]
    key = [("own", "strategy")]
    if shown.hold is not None:
        held = np.interp(shown.times, *shown.hold) if len(shown.hold[0]) != len(shown.times) else shown.hold[1]
        lines.append(Line("Buy and hold", np.maximum(held, 1e-9), "held"))
        key.append(("held", f"buy and hold at the same costs, in {shown.quote}"))
    spread = max(float(line.values.max() / line.values.min()) for line in lines)
    title = "Equity against buy and hold" if shown.hold is not None else "Equity"
    drawn = chart(shown.times, lines, title, log=3.0 < spread < 1e7)
    depth = -measures.drawdowns(np.r_[shown.cash, shown.equity])[1:]
    below = chart(shown.times, [Line("Drawdown", depth, "loss", filled=True)], "Drawdown", height=150, percent=True)
    return [Figure(title, drawn, key), Figure("Drawdown", below, caption="Distance below the highest equity so far")]


def prices(shown: Seen) -> list[Section]:
    """Each instrument's price with the trades on it."""
    found: list[Section] = []
    for name, (times, close) in list(shown.prices.items())[:MOST_PRICES]:
        rows = np.flatnonzero(shown.trades["symbol"] == name)
        late = "" if len(rows) * 2 <= MOST_MARKS else f"; the latest {MOST_MARKS} marks"
        title = f"Trades on the price of {name}"
        drawn = chart(
            times, [Line(name, close, "price")], f"Price of {name} and trades", marks=_marks(shown, rows), height=300
        )
        found.append(Figure(title, drawn, [("buy", "bought"), ("sell", "sold" + late)]))
    return found


def _marks(shown: Seen, rows: Integers) -> list[Mark]:
    marks = []
    columns = shown.trades
    for k in rows[-MOST_MARKS // 2 :].tolist():
        opened, closed = ("buy", "sell") if columns["side"][k] == "long" else ("sell", "buy")
        size = f"{columns['side'][k]} {columns['quantity'][k]:.6g}"
        marks.append(_mark(int(columns["entry_time"][k]), float(columns["entry_price"][k]), opened, size))
        if not columns["open"][k]:
            told = f"{columns['exit_reason'][k]}, {columns['pnl'][k]:+,.2f}"
            marks.append(_mark(int(columns["exit_time"][k]), float(columns["exit_price"][k]), closed, told))
    return marks


def _mark(time: int, price: float, style: str, text: str) -> Mark:
    return Mark(time, price, style, f"{style} at {price:,.6g}, {from_ms(time):%Y-%m-%d %H:%M}: {text}")


def monthly(times: Integers, equity: Floats, cash: float) -> list[tuple[int, list[float | None], float]]:
    """(year, twelve monthly returns or None, the year's return), calendar months in UTC."""
    calendar = times.astype("datetime64[ms]").astype("datetime64[M]")
    starts = np.flatnonzero(np.r_[True, calendar[1:] != calendar[:-1]])
    ends = np.r_[starts[1:] - 1, len(calendar) - 1]
    before = np.r_[cash, equity[ends[:-1]]]
    growth = np.divide(equity[ends], before, out=np.ones(len(ends)), where=before > 0)
    table: dict[int, list[float | None]] = {}
    for month, factor in zip(calendar[starts].astype(np.int64).tolist(), growth.tolist(), strict=True):
        table.setdefault(1970 + month // 12, [None] * 12)[month % 12] = factor - 1.0
    return [
        (year, row, float(np.prod([1.0 + each for each in row if each is not None]) - 1.0))
        for year, row in table.items()
    ]


def months(shown: Seen) -> Grid:
    """Returns by calendar month."""
    rows: list[list[Cell | str]] = [
        [str(year), *(_shaded(each) for each in row), _shaded(total)]
        for year, row, total in monthly(shown.times, shown.equity, shown.cash)
    ]
    return Grid("Monthly returns", ("Year", *MONTHS, "Year"), rows)


def _shaded(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(percent(value, 1), shade=max(-1.0, min(1.0, value * 6)))


def worst(shown: Seen) -> Grid | None:
    """The deepest drawdowns with their times."""
    curve = np.concatenate(([shown.cash], shown.equity))
    under = measures.drawdowns(curve)
    below = np.flatnonzero(np.diff(np.concatenate(([False], under > 0.0, [False])).astype(np.int8)))
    starts, ends = below[::2], below[1::2]
    if not len(starts):
        return None
    depth = np.maximum.reduceat(under, starts)  # between two drawdowns there are zeros
    rows: list[list[Cell | str]] = []
    for k in np.argsort(-depth)[:WORST].tolist():
        first, end = int(starts[k]), int(ends[k])
        low = first + int(np.argmax(under[first:end]))
        over = end < len(curve)
        rows.append(
            [
                _day(shown, first - 1), _day(shown, low), _day(shown, end) if over else "not yet",
                Cell(percent(float(depth[k])), "fell"), f"{low - first + 1:,}", f"{end - low:,}" if over else "–",
            ]
        )  # fmt: skip
    columns = ("High", "Low", "High again", "Depth", "Bars down", "Bars up")
    return Grid("The deepest drawdowns", columns, rows)


def _day(shown: Seen, place: int) -> str:
    """The day of a place of the curve, whose first is the starting cash."""
    return f"{from_ms(int(shown.times[max(0, place - 1)])):%Y-%m-%d}"


def rolled(shown: Seen) -> list[Section]:
    """Sharpe ratio and volatility of a tenth of the time, moved along."""
    n = len(shown.equity)
    if n < LEAST_ROLLED:
        return []
    window, year, returns = max(20, n // 10), shown.periods_per_year, shown.returns
    told = f"Over the last {window:,} bars at each time"
    found: list[Section] = []
    for title, values, parts in (
        ("Rolling Sharpe ratio", rolling_sharpe(returns, window, year), False),
        ("Rolling volatility per year", rolling_volatility(returns, window, year), True),
    ):
        drawn = chart(shown.times, [Line(title, values, "own")], title, height=170, percent=parts)
        found.append(Figure(title, drawn, caption=told))
    return found


def outcomes(shown: Seen) -> list[Section]:
    """How the trades ended: their returns, and why they were left."""
    columns = shown.trades
    closed = ~columns["open"].astype(bool)
    if not closed.any():
        return []
    returns, pnl = columns["return"][closed], columns["pnl"][closed]
    reasons = columns["exit_reason"][closed]
    rows: list[list[Cell | str]] = []
    for reason in sorted(set(reasons.tolist())):
        some = reasons == reason
        total = float(pnl[some].sum())
        rows.append(
            [
                str(reason), f"{int(some.sum()):,}", percent(float((pnl[some] > 0).mean()), 1),
                percent(float(returns[some].mean())), signed(number(total), total),
            ]
        )  # fmt: skip
    stats = shown.stats
    cards = Cards(
        [
            ("Closed trades", f"{stats['trades']:,}"),
            ("Won", percent(stats["win_rate"], 1)),
            ("Profit factor", number(stats["profit_factor"])),
            ("Mean profit per trade", number(stats["expectancy"])),
            ("Mean gain per mean loss", number(stats.get("payoff_ratio"))),
            ("System quality number", number(stats.get("sqn"))),
            ("Lost in a row, at most", f"{stats.get('longest_losing_streak') or 0:,}"),
            ("Bars held, median", f"{float(np.median(columns['bars'][closed])):,.0f}"),
        ],
        "How the trades ended",
    )
    drawn = histogram(returns, "Returns of the trades")
    return [
        cards,
        Figure("Returns of the trades", drawn, caption="How many closed trades ended with which return, after fees"),
        Grid("Why trades were left", ("Reason", "Trades", "Won", "Mean return", f"Profit, {shown.quote}"), rows),
    ]


def activity(shown: Seen) -> Cards:
    """How much was traded and what it cost."""
    stats = shown.stats
    paid = stats["fees_paid"]
    years = len(shown.equity) / shown.periods_per_year
    items = [
        ("Time in the market", percent(stats["exposure"], 1)),
        ("Turnover, times the cash", number(stats["turnover"], 1)),
        ("… per year", number(stats["turnover"] / years, 1) if years else "–"),
        (f"Fees paid, {shown.quote}", number(paid)),
        ("Fees per starting cash", percent(paid / shown.cash)),
    ]
    for name, label in (
        ("funding_paid", "Funding paid"),
        ("interest_paid", "Interest paid"),
        ("insured_losses", "Borne by the insurance fund"),
    ):
        if stats.get(name):
            items.append((f"{label}, {shown.quote}", number(stats[name])))
    if stats.get("liquidations"):
        items.append(("Liquidations", f"{stats['liquidations']:,}"))
    return Cards(items, "Activity and costs")


def instruments(shown: Seen) -> list[Section]:
    """What each instrument of a portfolio contributed, and how their prices move together."""
    if len(shown.symbols) < 2:
        return []
    rows: list[list[Cell | str]] = []
    for name in shown.symbols:
        mine = shown.trades["symbol"] == name
        profit, fees = float(shown.trades["pnl"][mine].sum()), float(shown.trades["fees"][mine].sum())
        rows.append(
            [
                name, f"{int(mine.sum()):,}", signed(number(profit), profit),
                signed(percent(profit / shown.cash), profit), number(fees),
            ]
        )  # fmt: skip
    columns = ("Instrument", "Trades", f"Profit, {shown.quote}", "Of the cash", "Fees")
    found: list[Section] = [Grid("What each instrument contributed", columns, rows)]
    known = [name for name in shown.symbols if name in shown.prices]
    if len(known) > 1:
        times = shown.prices[known[0]][0]
        for name in known[1:]:
            times = np.intersect1d(times, shown.prices[name][0], assume_unique=True)
        if len(times) > 20:
            closes = [shown.prices[name][1][np.searchsorted(shown.prices[name][0], times)] for name in known]
            square = correlations(np.column_stack([measures.returns_of(close)[1:] for close in closes]))
            found.append(
                heat("Correlation of the prices' returns", "", known, known, square, "1 moves together, -1 against it")
            )
    return found


def trades(shown: Seen) -> Grid:
    """The latest round trips."""
    columns = shown.trades
    count = len(columns["open"])
    rows: list[list[Cell | str]] = []
    for k in range(count - 1, max(-1, count - 1 - MOST_TRADES), -1):
        one = {name: values[k] for name, values in columns.items()}
        rows.append(
            [
                f"{from_ms(int(one['entry_time'])):%Y-%m-%d %H:%M}",
                "still open" if one["open"] else f"{from_ms(int(one['exit_time'])):%Y-%m-%d %H:%M}",
                str(one["symbol"]), str(one["side"]), f"{one['quantity']:.6g}", f"{one['entry_price']:,.6g}",
                f"{one['exit_price']:,.6g}", signed(number(float(one["pnl"])), float(one["pnl"])),
                percent(float(one["return"])), str(one["exit_reason"]),
            ]
        )  # fmt: skip
    names = ("Entered", "Left", "Instrument", "Side", "Quantity", "In at", "Out at", f"Profit, {shown.quote}", "Return",
             "Reason")  # fmt: skip
    late = f" (the latest {len(rows)} of {count:,})" if count > len(rows) else ""
    return Grid(f"Trades{late}", names, rows)
