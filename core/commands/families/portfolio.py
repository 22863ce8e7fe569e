"""What you own and how it does."""

from core import wording
from core.commands import charts, guards
from core.commands.context import Context
from core.commands.converters import Period
from core.commands.converters import period as period_of
from core.commands.registry import command
from core.engine.views import AccountView
from core.market.instrument import Instrument, parse_key
from core.reply import Block, Facts, Reply, Table, Text
from core.trading.purses import title_of


@command(
    family="portfolio",
    private=True,
    aliases=("bal", "cash", "wallet", "account", "funds", "equity"),
    examples=("balance", "how much money do I have"),
    phrases=(
        "[(show|check|see|get|give|tell) [me]] [what is] [my|the] [account|current|paper] "
        "(balance|balances|wallet|cash|funds|equity|account|account balance)",
        "how much (money|cash|usdt|dollars|usd|crypto) (do i have|have i got|is left|is in my account) "
        "[left|now|in my account|available]",
        "what is (in|left in) my (account|wallet)",
        "what do i have",
        "how much do i have [left]",
        "how rich am i",
        "what am i worth",
        "how much {instrument} (do i (have|own|hold)|have i got)",
        "what is my account worth",
        "how much is (in my account|my account worth)",
    ),
)
async def balance(ctx: Context, *, instrument: Instrument | None = None) -> Reply:
    """Shows your cash and coins, and what they are worth.

    instrument: only this coin, e.g. instrument=btc
    """
    view = await ctx.services.desk.portfolio(ctx.account)
    facts = [
        ("Account", wording.badge(title_of(ctx.account), view.simulated)),
        ("Worth", wording.money(view.equity, view.currency)),
        ("Cash", wording.money(view.cash, view.currency)),
    ]
    if view.reserved:
        facts.append(("Of it for open orders", wording.money(view.reserved, view.currency)))
    facts += [
        (f"With {ledger.name}", wording.money(ledger.equity, view.currency)) for ledger in view.ledgers if ledger.run
    ]
    note = "Some prices are old: the market did not answer lately." if view.stale else None
    nothing = f"You hold no {instrument.base}." if instrument else "Nothing yet."
    blocks: list[Block] = [
        Facts("Balance", tuple(facts), note),
        Table("Holdings", ("Asset", "Amount", "Value"), rows_of(view, instrument), (1, 2), nothing),
    ]
    for account in ctx.services.desk.exposed(ctx.account):
        other = await ctx.services.desk.portfolio(account)
        title = f"Holdings ({ctx.services.desk.titled(account)})"
        blocks.append(Table(title, ("Asset", "Amount", "Value"), rows_of(other, instrument), (1, 2), nothing))
    return blocks


def rows_of(view: AccountView, instrument: Instrument | None) -> tuple[tuple[str, str, str], ...]:
    """What is held of each asset, or of one, and what it is worth."""
    return tuple(
        (
            line.asset,
            wording.money(line.total, "") if line.asset == view.currency else wording.quantity(line.total),
            "–" if line.value is None else wording.money(line.value, view.currency),
        )
        for line in view.balances
        if line.total and (instrument is None or line.asset == instrument.base)
    )


@command(
    family="portfolio",
    private=True,
    aliases=("pos", "holdings", "portfolio"),
    examples=("positions", "what do I own"),
    phrases=(
        "[(show|list|see|get|give) [me]] [all|my|the] [my] [open|current] (positions|holdings|portfolio)",
        "what (do i|am i) (own|hold|holding|owning) [now|right now]",
        "what are my [open] (positions|holdings)",
        "what coins do i (have|own|hold)",
        "what is in my portfolio",
        "do i have [any] [open] positions",
        "what have i (got|bought)",
        "which coins do i (have|own|hold)",
        "how (is|are) my (portfolio|positions|coins|holdings) [doing]",
        "what (positions|coins) (do i have|are open)",
    ),
)
async def positions(ctx: Context) -> Reply:
    """Lists what you hold, with entry price, profit and protection; each strategy's holdings apart."""
    desk = ctx.services.desk
    view = await desk.portfolio(ctx.account)
    found = [
        held_table(view, f"Positions ({wording.badge(title_of(ctx.account), view.simulated)}), in {view.currency}")
    ]
    for account in desk.exposed(ctx.account):
        other = await desk.portfolio(account)
        if any(held.quantity for held in other.positions):
            found.append(held_table(other, f"Positions ({desk.titled(account)}), in {other.currency}"))
    out = [Text("panic reaches all of these: it cancels what is open there, and offers to sell everything.")]
    return [*found, *(out if len(found) > 1 else [])]


def held_table(view: AccountView, title: str) -> Table:
    """The positions of one account."""
    names = {ledger.ledger: ledger.name for ledger in view.ledgers}
    rows = []
    for held in view.positions:
        if not held.quantity:
            continue
        invested = held.entry_price * abs(held.quantity)
        rows.append(
            (
                held.instrument.symbol,
                wording.quantity(held.quantity),
                wording.price(held.entry_price, held.instrument),
                wording.price(held.price, held.instrument),
                wording.money(held.value, ""),
                f"{wording.signed(held.unrealised, '')} "
                f"({wording.percent(held.unrealised / invested if invested else None, sign=True)})",
                guards.short(guards.guard_of(held), held.instrument),
                "you" if held.ledger == "manual" else names.get(held.ledger, held.ledger),
            )
        )
    columns = ("Pair", "Amount", "Entry", "Now", "Value", "Profit", "Protected", "By")
    return Table(title, columns, tuple(rows), (1, 2, 3, 4, 5), "You hold no coins. To begin: buy 0.01 btc.")


@command(
    family="portfolio",
    private=True,
    aliases=("pnl", "performance", "p&l", "profits"),
    examples=("profit", "how am I doing", "profit this month"),
    phrases=(
        "how am i doing [{period}]",
        "how are we doing [{period}]",
        "am i (up|down|winning|losing|in profit) [or (up|down|losing|winning)] [{period}]",
        "[(show|give) [me]] [what is] [my] (profit|pnl|p&l|performance|gains|losses|returns) [(for|over)] [{period}]",
        "[(show|give) [me]] [(what are|how are)] my results",
        "how much (did i|have i) (make|made|lose|lost|earn|earned|win|won) [{period}]",
        "(did|have) i (make|made|lose|lost) [any] money [{period}]",
        "how (did i do|have i done) [{period}]",
        "how much (money|profit) (did i|have i) (make|made|lose|lost) [{period}]",
        "am i making money",
        "what is my (profit|pnl|performance|return) [{period}]",
        "profit (for|over|since) {period}",
        "how is my (account|trading|money) doing [{period}]",
        "how is it going",
        "how is business",
    ),
)
async def profit(ctx: Context, period: Period | None = None) -> Reply:
    """Shows your profit and how your account's worth moved.

    period: today, this week, this month, 30d, 1y; since the last reset when not said
    """
    since = period_of(period, ctx.services.clock.now())[0] if period else None
    view = await ctx.services.desk.profit(ctx.account, since)
    money = view.currency
    facts = (
        ("Profit", f"{wording.signed(view.total, money)} ({wording.percent(view.fraction, sign=True)})"),
        ("Realised", wording.signed(view.realised, money)),
        ("Open positions", wording.signed(view.unrealised, money)),
        ("Fees paid", wording.money(view.fees, money)),
        ("Exits", f"{view.trades} (sales that closed a position or a part of one)"),
        ("Account", wording.badge(title_of(ctx.account), view.simulated)),
    )
    title = f"Profit {f'since {wording.moment(since)}' if since else 'since the beginning'}"
    blocks: list[Block] = [Facts(title, facts)]
    if len(view.equity_times) > 1 and len(set(view.equity_values)) > 1:
        label = wording.SIMULATED if view.simulated else view.mode
        blocks.append(charts.equity(view.equity_times, view.equity_values, "What your account was worth", money, label))
    return blocks


@command(
    family="portfolio",
    private=True,
    aliases=("history", "trades"),
    examples=("fills",),
    phrases=(
        "[(show|list|see) [me]] [my|the] [last|latest|recent|trade|past] "
        "(trades|fills|history|transactions|executions)",
        "[(show|list) [me]] my trade history",
        "what did i (buy|sell|trade) [today|lately|recently]",
        "what have i (traded|sold) [today|lately|recently]",
        "trade history",
        "order history",
    ),
)
async def fills(ctx: Context) -> Reply:
    """Lists your latest trades."""
    view = await ctx.services.desk.portfolio(ctx.account)
    names = {ledger.ledger: ledger.name for ledger in view.ledgers}
    found = await ctx.services.desk.fills(ctx.account, 20)
    rows = []
    for fill in found:
        _, base, quote = parse_key(fill.instrument)
        rows.append(
            (
                wording.moment(fill.time)[:16],
                f"{'bought' if fill.side.sign > 0 else 'sold'} {wording.quantity(fill.quantity, base)}",
                f"{wording.price(fill.price)} {quote}",
                wording.money(fill.fee, ""),
                "you" if fill.ledger == "manual" else names.get(fill.ledger, "a strategy"),
            )
        )
    title = f"Latest trades ({wording.badge(title_of(ctx.account), view.simulated)}), times in UTC"
    return [Table(title, ("Time", "Trade", "Price", "Fee", "By"), tuple(rows), (2, 3), "No trades yet.")]
