"""Strategies that trade for you, each with its own money."""

from decimal import Decimal

from core import wording
from core.accounts import Role
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.converters import HOURLY, Timeframe
from core.commands.loading import strategy_named
from core.commands.registry import command
from core.errors import InvalidInput, NotFound
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Facts, Reply, Table, Text
from core.trading.strategy import describe


@command(
    family="strategies",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("start sma_cross on btc 1h with 2000", "start rsi on eth 15m with 500 entry=25"),
)
async def start(
    ctx: Context,
    strategy: str,
    instrument: Instrument,
    timeframe: Timeframe = HOURLY,
    cash: Decimal | None = None,
    **parameters: str,
) -> Reply | Proposal:
    """Lets a strategy trade on paper with money set apart for it.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin to trade
    timeframe: the bars it decides on, 1h when not said
    cash: how much it gets to trade with
    parameters: its own settings, e.g. fast=10 slow=30
    """
    chosen = strategy_named(ctx, strategy, parameters)
    view = await ctx.services.desk.portfolio(ctx.account)
    badge = wording.badge(view.mode, view.simulated)
    by_hand = sum((ledger.cash for ledger in view.ledgers if ledger.run is None), Decimal(0))
    free = max(Decimal(0), by_hand - view.reserved)
    if cash is None:
        line = f"start {strategy} on {instrument.base.lower()} {timeframe}" + "".join(
            f" {name}={value}" for name, value in parameters.items()
        )
        shares = [(free * share).quantize(Decimal(1)) for share in (Decimal("0.1"), Decimal("0.25"), Decimal("0.5"))]
        choices = tuple(
            Choice(wording.money(amount, view.currency), f"{line} with {amount}") for amount in shares if amount > 0
        )
        return [
            Choices(
                f"How much may it trade with? You have {wording.money(free, view.currency)} free ({badge}).", choices
            )
        ]
    if cash <= 0:
        raise InvalidInput(
            "A strategy needs money above zero.", hint="For example: start sma_cross on btc 1h with 2000."
        )
    if cash > free:
        raise InvalidInput(
            f"You have {wording.money(free, view.currency)} free, and this needs {wording.money(cash, view.currency)}."
        )

    async def execute() -> Reply:
        run = await ctx.services.strategies.start(ctx.account, chosen, instrument, timeframe, cash)
        note = f"It decides when a {timeframe} bar closes, from the next one on. Past results promise nothing."
        return [
            Facts(f"Strategy {run.number} is running", facts, note),
            Choices("Later", (Choice("See it", "running"), Choice("Stop it", f"stop {run.number}"))),
        ]

    described = describe(chosen)
    facts = (
        ("Strategy", settings_of(described["name"], described["parameters"])),
        ("Trades", f"{instrument.symbol} on {timeframe} bars, nothing else"),
        ("Money", f"{wording.money(cash, view.currency)}, never more"),
        ("Account", badge),
    )
    return Proposal(
        f"Let {described['name']} trade {instrument.base} by itself?",
        facts,
        execute,
        f"start {described['name']} on {instrument.base}",
        view.mode,
        ("It buys and sells without asking, until you stop it.",),
        "Start it",
    )


@command(
    family="strategies",
    role=Role.TRADER,
    private=True,
    examples=("stop 1", "stop sma_cross", "stop all strategies"),
    phrases=(
        "(stop|end|halt|kill|switch off|turn off) [the|my] [strategy|run|bot] [number] {order:run}",
        "(stop|end|halt|kill|switch off|turn off) [the|my] {strategy:run} [strategy|bot|run]",
        "(stop|end|halt|kill) [all] [of] [my|the] (strategies|bots) [now] {run=all}",
        "(stop|end|halt) [the|my] {instrument:run} (strategy|bot|run)",
        "(stop|end|halt) [the|my] (strategy|bot)",
    ),
)
async def stop(ctx: Context, run: str = "") -> Reply:
    """Stops a strategy, sells what it holds and returns its money.

    run: its number or name, or all
    """
    active = [each for each in await ctx.services.strategies.runs(ctx.account) if each.state == "running"]
    if not active:
        return [Text("No strategy is running.")]
    wanted = run.strip().lower().lstrip("#").removeprefix("bot ")
    if wanted in ("all", "everything"):
        chosen = active
    elif not wanted:
        chosen = active if len(active) == 1 else []
    elif wanted.isdigit():
        chosen = [each for each in active if each.number == int(wanted)]
    else:
        chosen = [
            each
            for each in active
            if wanted.replace(" ", "_") == each.strategy
            or wanted in (each.instrument.base.lower(), each.instrument.symbol.lower())
        ]
    if wanted and not chosen:
        names = [f"{each.number} ({each.strategy} on {each.instrument.base})" for each in active]
        raise NotFound(f"No running strategy is '{run[:40]}'.", hint=f"Running: {wording.listed(names)}.")
    if len(chosen) != 1 and wanted not in ("all", "everything"):
        options = tuple(
            Choice(f"{each.number}: {each.strategy} on {each.instrument.base} {each.timeframe}", f"stop {each.number}")
            for each in chosen or active
        )
        return [Choices("Which strategy should I stop?", (*options, Choice("All of them", "stop all")))]
    view = await ctx.services.desk.portfolio(ctx.account)
    said = []
    for each in chosen:
        ended = await ctx.services.strategies.stop(ctx.account, str(each.number))
        returned = (
            ""
            if ended.returned is None
            else f" {wording.money(ended.returned, view.currency)} came back of "
            f"{wording.money(ended.cash, view.currency)}."
        )
        said.append(f"Stopped strategy {ended.number}: {ended.strategy} on {ended.instrument.base}.{returned}")
    return [Text(f"{' '.join(said)} {wording.badge(view.mode, view.simulated)}.", "good")]


@command(
    family="strategies",
    private=True,
    aliases=("runs", "bots"),
    examples=("running",),
    phrases=(
        "[(show|list) [me]] [my] (running|active) (strategies|bots|runs)",
        "what [strategies|bots] (is|are) (running|active)",
        "which (strategies|bots) are (running|active)",
        "how (are|is) my (strategies|strategy|bots|bot) [doing]",
        "show [me] my (bots|strategies)",
        "is anything running",
        "my (bots|strategies)",
        "what strategies do i have running",
    ),
)
async def running(ctx: Context) -> Reply:
    """Lists your running strategies and how each does."""
    view = await ctx.services.desk.portfolio(ctx.account)
    worth = {ledger.run: ledger.equity for ledger in view.ledgers if ledger.run}
    active = [each for each in await ctx.services.strategies.runs(ctx.account) if each.state == "running"]
    rows = []
    for each in active:
        equity = worth.get(each.id)
        gain = (
            "–"
            if equity is None
            else f"{wording.signed(equity - each.cash, '')} "
            f"({wording.percent((equity - each.cash) / each.cash, sign=True)})"
        )
        rows.append(
            (
                str(each.number),
                settings_of(each.strategy, dict(each.parameters)),
                f"{each.instrument.base} {each.timeframe}",
                wording.money(each.cash, ""),
                gain,
                wording.day(each.started),
            )
        )
    title = f"Running strategies ({wording.badge(view.mode, view.simulated)}), in {view.currency}"
    columns = ("No.", "Strategy", "On", "Money", "Profit", "Since")
    return [
        Table(
            title,
            columns,
            tuple(rows),
            (0, 3, 4),
            "No strategy is running. To begin: start sma_cross on btc 1h with 2000.",
        )
    ]


@command(
    family="strategies",
    role=Role.TRADER,
    private=True,
    examples=("resume",),
    phrases=("(resume|continue|allow) trading [again]", "trade again", "lift the (halt|kill switch)"),
)
async def resume(ctx: Context) -> Reply:
    """Allows trading again after a panic stop; stopped strategies stay stopped."""
    await ctx.services.desk.resume(ctx.account)
    view = await ctx.services.desk.portfolio(ctx.account)
    return [
        Text(
            f"Trading is allowed again. Strategies that were stopped stay stopped. "
            f"{wording.badge(view.mode, view.simulated)}.",
            "good",
        )
    ]


def settings_of(name: str, parameters: dict[str, object]) -> str:
    """'sma_cross fast=20 slow=50'."""
    return " ".join([name, *(f"{key}={value}" for key, value in parameters.items())])
