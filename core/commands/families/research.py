"""Testing ideas on the past, honestly: with costs, and beside simply holding."""

import math
import shlex
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core import wording
from core.commands import charts
from core.commands.bars import past_bars
from core.commands.context import Context
from core.commands.converters import HOURLY, Period, Timeframe
from core.commands.loading import own_strategies, results_of, source_of, strategy_named
from core.commands.registry import command
from core.commands.works import worked
from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Facts, Reply, Table, Text
from core.research.sizes import sizing_of
from core.trading.costs import Costs
from core.trading.sizing import Sizing
from core.trading.strategy import Strategy

if TYPE_CHECKING:
    from core.research.archive import Archive, Saved
    from core.research.backtest import Result


@command(
    family="research",
    aliases=("bt",),
    examples=(
        "backtest sma_cross btc 1h",
        "backtest rsi on eth 1h last year",
        "backtest sma_cross btc 4h period=1y fast=10 slow=40",
    ),
)
async def backtest(
    ctx: Context,
    strategy: str,
    instrument: Instrument,
    timeframe: Timeframe = HOURLY,
    period: Period | None = None,
    *,
    cash: Decimal = Decimal(10_000),
    fee: Decimal | None = None,
    slippage: Decimal | None = None,
    sizing: str | None = None,
    leverage: Decimal | None = None,
    **parameters: str,
) -> Reply:
    """Tests a strategy on past prices, with fees and slippage, beside simply holding the coin.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin
    timeframe: the bars it decides on, 1h when not said
    period: 30d, 6mo, 1y, 2024 or 2024-01-01..2024-06-30; about 3,000 bars when not said
    cash: the money it begins with, 10,000 when not said
    fee: share of each trade, 0.001 is 0.1 %
    slippage: share by which each trade is worse than the price, 0.0005 when not said
    sizing: how large positions are: cash=500, quantity=0.1, fraction=0.5, volatility=0.2 or kelly=0.5
    leverage: of perpetuals, 1 when not said
    parameters: the strategy's own settings, e.g. fast=10 slow=30
    """
    chosen = strategy_named(ctx, strategy, parameters)
    if cash <= 0:
        raise InvalidInput(f"The cash {wording.money(cash)} is not above zero.")
    given: dict[str, Decimal | None] = {"taker_fee": fee, "maker_fee": fee, "slippage": slippage, "leverage": leverage}
    rates: dict[str, Any] = {name: float(value) for name, value in given.items() if value is not None}
    costs = Costs(**rates)
    size = sizing_of(sizing)
    bars = await past_bars(ctx, instrument, timeframe, period)
    keep = Keep(results_of(ctx), ctx.user.id, source_of(ctx, strategy))
    subject = f"Testing {strategy} on {len(bars):,} bars"
    tested = await worked(ctx, subject, test, chosen, bars, float(cash), costs, size, keep)
    result = tested.result
    label = ctx.services.market.label(instrument)
    title = f"{strategy} on {instrument.symbol} {timeframe}"
    where = (
        f"{wording.day(int(bars.timestamp[0]))} to {wording.day(int(bars.timestamp[-1]))}, {len(bars):,} "
        f"bars{f', {label} prices' if label else ''}"
    )
    # A formula is one word only in quotes, and then no sentence.
    named = f"{strategy} on" if strategy == shlex.quote(strategy) else shlex.quote(strategy)
    return [
        Facts(
            f"Backtest: {title}",
            facts_of(result.stats, instrument.quote),
            f"{where}. {verdict(result.stats)} {result.overfitting['sentence']} {tested.told}".rstrip(),
        ),
        charts.equity(
            result.timestamps,
            result.equity,
            f"{title}: equity",
            instrument.quote,
            label or "BACKTEST",
            ("Buy and hold", result.buy_and_hold.tolist()),
        ),
        Choices(
            "And now?",
            (
                Choice("Trade it on paper", f"start {named} {instrument.base.lower()} {timeframe}"),
                *tested.choices,
                Choice("Other strategies", "strategies"),
            ),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Keep:
    """Where and as what a run is kept."""

    archive: "Archive"
    owner: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """A backtest with its place in the archive; why says why it has none. before: the latest result before it."""

    result: "Result"
    saved: "Saved | None"
    why: str = ""
    before: int | None = None

    @property
    def told(self) -> str:
        return self.why if self.saved is None else f"Kept as result {self.saved.number}."

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What can be done with what was kept."""
        if self.saved is None:
            return ()
        number = self.saved.number
        beside = (Choice(f"Compare with {self.before}", f"compare {self.before} {number}"),) if self.before else ()
        return (*beside, Choice("Report as a file", f"export {number} html"))


def test(
    strategy: Strategy, bars: Bars, cash: float, costs: Costs, size: Sizing | None, keep: Keep, *, progress: Any
) -> Tested:
    """The backtest, its statistics, and its place among the kept results; runs in a job."""
    from core.research.archive import NotKept
    from core.research.backtest import backtest as run
    from core.research.result import described, tried_as

    more: dict[str, Any] = {} if size is None else {"sizing": size}
    result = run(strategy, bars, cash, costs, progress=progress, **more)
    identity = tried_as(described(strategy))
    result.tried = keep.archive.trials(strategy.name, result.data, keep.owner, identity)
    document, frames = result.kept()
    if keep.source:
        document["strategy"]["source"] = keep.source
    before = keep.archive.list(keep.owner, kind="backtest", last=1)
    try:
        saved = keep.archive.save(kind="backtest", document=document, frames=frames, owner=keep.owner)
    except NotKept as refused:
        return Tested(result, None, refused.sentence())
    return Tested(result, saved, before=before[0].number if before else None)


def facts_of(stats: dict[str, Any], currency: str) -> tuple[tuple[str, str], ...]:
    """The statistics that matter, the loss beside the gain and holding beside both."""
    return (
        ("Return", wording.percent(stats["total_return"], sign=True)),
        ("Buy and hold", wording.percent(stats["buy_and_hold"], sign=True)),
        ("Deepest drawdown", wording.percent(stats["max_drawdown"])),
        ("Final equity", wording.money(stats["final_equity"], currency)),
        ("Sharpe ratio", within(stats)),
        ("Chance that it is skill", chance(stats)),
        ("Trades", traded(stats)),
        ("Profit factor", ratio(stats.get("profit_factor"))),
        ("Time in the market", wording.percent(stats["exposure"], 0)),
        ("Fees paid", wording.money(stats["fees_paid"], currency)),
    )


def traded(stats: dict[str, Any]) -> str:
    """'34, 35 % of them won'; what was not closed at the end is told apart."""
    count, still = int(stats["trades"]), int(stats.get("open_trades") or 0)
    won = f", {wording.percent(stats['win_rate'], 0)} of them won" if count else " closed"
    return f"{count:,}{won}" + (f", {still:,} still open" if still else "")


def within(stats: dict[str, Any]) -> str:
    """The Sharpe ratio with the interval that holds it."""
    low, high = stats.get("sharpe_low"), stats.get("sharpe_high")
    told = ratio(stats.get("sharpe"))
    return told if low is None or high is None else f"{told}, 95 % within {ratio(low)} to {ratio(high)}"


def chance(stats: dict[str, Any]) -> str:
    """The chance that the Sharpe ratio is above zero, given how often one tried."""
    value, tried = stats.get("deflated_sharpe"), int(stats.get("trials") or 1)
    if value is None:
        return "–"
    return wording.percent(value, 0) + (f" after {tried:,} tries" if tried > 1 else "")


def ratio(value: Any) -> str:
    """Two decimals; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{float(value):.2f}"


def verdict(stats: dict[str, Any]) -> str:
    """One honest sentence."""
    mine, held, trades = float(stats["total_return"]), float(stats["buy_and_hold"]), int(stats["trades"])
    held_on = int(stats.get("open_trades") or 0)
    if trades == 0 and not held_on:
        return "It never traded, so this says nothing about it."
    beaten = (
        "It did better than holding"
        if mine > held
        else "Simply holding did better"
        if mine < held
        else "It did as well as holding"
    )
    few = f", on only {wording.plural(trades, 'closed trade')}, which proves little" if trades < 30 else ""
    if trades == 0:
        few = ", and nothing that it bought was sold again"
    return f"{beaten}{few}. Costs are included; the past promises nothing."


@command(
    family="research",
    aliases=("strats",),
    examples=("strategies",),
    phrases=(
        "[(show|list|see|give) [me]] [all|the] [the] [available] strategies",
        "what strategies (are there|do you have|do you know|exist|can i (use|run|test))",
        "which strategies [(are there|do you have|can i (use|run|test))]",
    ),
)
async def strategies(ctx: Context) -> Reply:
    """Lists the strategies that can be tested and started, with their settings."""
    from core.strategies import catalogue

    rows = [row_of(name, kind) for name, kind in sorted(catalogue().items())]
    own, failed = own_strategies(ctx) if ctx.caller.private else ({}, ())  # nobody's own are told to a group
    rows += [row_of(name, kind) for name, kind in own.items()]
    table = Table("Strategies", ("Name", "What it does", "Settings"), tuple(rows))
    return [
        table,
        *(Text(sentence, "warning") for sentence in failed),
        Text(
            "To test one: backtest sma_cross btc 1h fast=10 slow=30. To let it trade: start sma_cross on btc "
            "1h with 2000."
        ),
    ]


def row_of(name: str, kind: type[Strategy]) -> tuple[str, str, str]:
    """Name, what it does, settings."""
    return name, kind.summary, ", ".join(f"{key}={each.default}" for key, each in kind.parameters.items()) or "–"
