"""Strategies that trade for you, each with its own money."""

from decimal import Decimal

from core import wording
from core.accounts import Role
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.converters import HOURLY, Timeframe
from core.commands.families.stopping import kept
from core.commands.loading import source_of, strategy_named
from core.commands.registry import command
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Facts, Reply, Table, Text
from core.trading.purses import venue_of
from core.trading.strategy import demand_startable, describe


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
    """Lets a strategy trade with money set apart for it; on a live account under a mandate.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin to trade
    timeframe: the bars it decides on, 1h when not said
    cash: how much it gets to trade with
    parameters: its own settings, e.g. fast=10 slow=30
    """
    chosen = strategy_named(ctx, strategy, parameters)
    demand_startable(chosen)
    live = venue_of(ctx.account)
    if live is not None:
        ctx.services.strategies.demand_startable(ctx.account, chosen, instrument, cash or Decimal(0))
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
        source = source_of(ctx, strategy, chosen)
        run = await ctx.services.strategies.start(ctx.account, chosen, instrument, timeframe, cash, source=source)
        note = f"It decides when a {timeframe} bar closes, from the next one on. Past results promise nothing."
        return [
            Facts(f"Strategy {run.number} is running", facts, note),
            Choices("Later", (Choice("See it", "running"), Choice("Stop it", f"stop {run.number}"))),
        ]

    described = describe(chosen)
    twins = [
        str(each.number)
        for each in await ctx.services.strategies.runs(ctx.account, running_only=True)
        if (each.strategy, each.instrument, each.timeframe) == (described["name"], instrument, timeframe)
        and {key: str(value) for key, value in each.parameters.items()}
        == {key: str(value) for key, value in described["parameters"].items()}
    ]
    again = (
        (f"Strategy {wording.listed(twins)} does exactly the same already: this one would trade beside it.",)
        if twins
        else ()
    )
    facts: tuple[tuple[str, str], ...] = (
        ("Strategy", settings_of(described["name"], described["parameters"])),
        ("Trades", f"{instrument.symbol} on {timeframe} bars, nothing else"),
        ("Money", f"{wording.money(cash, view.currency)}, never more"),
        ("Account", badge),
    )
    if live is not None:
        under = ctx.services.strategies.mandate(ctx.account, instrument, cash)
        until = f"up to {wording.money(under.cap, view.currency)} at a time, until {wording.moment(under.expires)}"
        facts = (*facts, ("Mandate", f"{under.number}: {until}"))
        again = (*again, f"This is real money on {live}.")
    return Proposal(
        f"Let {described['name']} trade {instrument.base} by itself?",
        facts,
        execute,
        f"start {described['name']} on {instrument.base}",
        view.mode,
        (*again, "It buys and sells without asking, until you stop it."),
        "Start it",
    )


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
    everything = await ctx.services.strategies.runs(ctx.account)
    active = [each for each in everything if each.state == "running"]
    ended = [each for each in everything if each.state != "running" and worth.get(each.id)]
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
    table = Table(
        title,
        columns,
        tuple(rows),
        (0, 3, 4),
        "No strategy is running. To begin: start sma_cross on btc 1h with 2000.",
    )
    return [table, *(Text(kept(each, view)) for each in ended)]


def settings_of(name: str, parameters: dict[str, object]) -> str:
    """'sma_cross fast=20 slow=50'."""
    return " ".join([name, *(f"{key}={value}" for key, value in parameters.items())])
