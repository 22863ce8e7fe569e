"""Venues: how each one does, and at which of them you look and trade."""

from core import wording
from core.commands.confirmations import Settled
from core.commands.context import Context
from core.commands.registry import command
from core.errors import AppError
from core.exchanges.health import Health
from core.reply import Block, Choice, Choices, Facts, Reply, Table, Text
from core.trading.purses import venue_of

ANY = ("default", "auto", "any", "none")  # words that take a choice back


@command(
    family="market",
    private=True,
    aliases=("exchanges", "health"),
    examples=("venues", "how are the exchanges doing"),
    phrases=(
        "[(show|list) [me]] [all|the|my] [configured] (venues|exchanges)",
        "(what|which) (venues|exchanges) (are there|do you have|can i use|are (connected|up|down|configured))",
        "how are [the|my] (venues|exchanges) [doing]",
        "(is|are) (the|my) (venue|venues|exchange|exchanges) (up|down|ok|healthy|working)",
        "(venue|exchange|exchanges) (health|status|state)",
        "[what is] the (health|status|state) of [the|my] (venues|exchanges)",
    ),
)
async def venues(ctx: Context) -> Reply:
    """Shows every configured venue: its state, how fast it answers, errors, the age of its prices, its clock."""
    found = ctx.services.venues.states()
    rows = tuple(
        (
            f"{health.venue} (yours)" if health.venue == ctx.venue else health.venue,
            f"{health.state}, {wording.SIMULATED}" if health.simulated else health.state,
            f"{seconds(health.p50)} / {seconds(health.p95)}",
            wording.percent(health.errors, 0) if health.asked else "–",
            seconds(health.staleness),
            "–" if health.skew is None else f"{health.skew:+.1f} s",
            mode(ctx, health.venue),
        )
        for health in found
    )
    columns = ("Venue", "State", "Answers in, half / 95 %", "Errors", "Price age", "Clock off", "You trade")
    blocks: list[Block] = [Table("Venues, over the last five minutes", columns, rows, (2, 3, 4, 5))]
    blocks += [Text(troubled(health), "warning") for health in found if health.state not in ("healthy", "unknown")]
    others = tuple(
        Choice(f"Switch to {health.venue}", f"venue {health.venue}") for health in found if health.venue != ctx.venue
    )
    return [*blocks, Choices("Look and trade somewhere else?", others[:6])] if others else blocks


@command(
    family="market",
    private=True,
    aliases=("exchange",),
    examples=("venue", "venue kucoin", "switch to kraken"),
    phrases=(
        "(switch|change|go|move) [over] [the|my] [(venue|exchange)] to {venue:name}",
        "use {venue:name} [as (my|the) (venue|exchange)]",
        "(trade|look) (on|at) {venue:name}",
        "(which|what) (venue|exchange) (am i (on|at|using)|is (mine|this)|do i use|are you using)",
        "what is my (venue|exchange)",
        "where (am i trading|do i trade)",
    ),
)
async def venue(ctx: Context, name: str = "") -> Reply | Settled:
    """Tells at which venue you look and trade, or switches to another one.

    name: the venue to switch to; default takes your choice back
    """
    word = name.strip().lower()
    if not word:
        return [*described(ctx, ctx.venue), *offers(ctx)]
    router = ctx.services.venues
    wanted = None if word in ANY else router.venue(word).name
    before = ctx.venue
    await ctx.services.preferences.choose(ctx.user.id, wanted)
    told = "unchanged" if ctx.venue == before else "switched"
    blocks = described(ctx, ctx.venue)
    if told == "unchanged":
        return [Text(f"You are at {ctx.venue} already."), *blocks]
    health = router.health(ctx.venue)
    if not health.simulated:
        try:
            count = len(await ctx.services.market.instruments(ctx.venue))
            said = Text(f"Switched from {before} to {ctx.venue}, which trades {wording.plural(count, 'pair')}.", "good")
        except AppError as silent:
            said = Text(f"Switched from {before} to {ctx.venue}, but: {silent.sentence()}", "warning")
    else:
        said = Text(f"Switched from {before} to {ctx.venue}.", "good")
    stays = Text("Positions, stops and strategies that you have stay where they are, at the prices of their own venue.")
    return Settled([said, *blocks, stays], everything=True)


def described(ctx: Context, name: str) -> list[Block]:
    """What it means to be at the venue: whose prices, and with which money."""
    health = ctx.services.venues.health(name)
    live = trades_live(ctx, name)
    prices = f"{wording.SIMULATED}: made up by the built-in sandbox" if health.simulated else f"of {name}"
    if live:
        means = f"every order you confirm is sent to {name} and trades real money"
    elif health.simulated:
        means = "orders fill in your paper account at made-up prices"
    else:
        means = f"orders fill in your paper account at the prices of {name}; nothing is sent there"
    facts = (
        ("Prices", prices),
        ("You trade", f"{'LIVE' if live else 'PAPER'}: {means}"),
        ("State", f"{health.state}: {health.reason}"),
    )
    blocks: list[Block] = [Facts(f"Your venue: {name}", facts)]
    if health.out:
        blocks.append(Text(troubled(health), "warning"))
    return blocks


def offers(ctx: Context) -> list[Block]:
    """The other venues, to switch to."""
    others = [name for name in ctx.services.venues.names if name != ctx.venue]
    choices = tuple(Choice(f"Switch to {name}", f"venue {name}") for name in others[:6])
    return [Choices("Another one?", choices)] if choices else []


def trades_live(ctx: Context, name: str) -> bool:
    """Whether the caller's orders at the venue would trade real money now."""
    return venue_of(ctx.services.desk.account_for(ctx.user.id, name)) is not None


def mode(ctx: Context, name: str) -> str:
    return "LIVE, armed" if trades_live(ctx, name) else "PAPER"


def troubled(health: Health) -> str:
    """What is wrong at a venue, and what to do."""
    return f"{health.venue}: {health.reason}.{health.again}{f' {health.hint}' if health.hint else ''}"


def seconds(value: float | None) -> str:
    """'0.12 s', '34 s', '–'."""
    if value is None:
        return "–"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
