"""Getting out: the panic stop, which acts first, and selling everything, which asks first."""

from core import wording
from core.accounts import Role
from core.commands import sales
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.families.stopping import PANIC
from core.commands.outcomes import outcome, tone_of
from core.commands.registry import command
from core.engine.views import AccountView
from core.errors import AppError
from core.reply import Block, Reply, Text


@command(
    family="trade",
    role=Role.TRADER,
    private=True,
    alone=True,
    examples=("panic",),
    phrases=("panic [now|stop|button|mode|panic]", "emergency stop", "hit the panic button"),
)
async def panic(ctx: Context) -> Reply | Proposal:
    """Stops everything at once: cancels all orders, stops all strategies; then asks whether to sell what you hold."""
    desk = ctx.services.desk
    done = await desk.panic(ctx.account)
    holding = {each.ledger for each in done.positions if each.quantity}
    stuck = []
    for run in done.stopped:
        if run not in holding:  # only cash is left with it: that comes back without a sale
            try:
                await ctx.services.strategies.stop(ctx.account, run)
            except AppError as failed:
                stuck.append(Text(f"The money of a strategy stays with it for now: {failed.sentence()}", "warning"))
    view = await desk.portfolio(ctx.account)
    badge = wording.badge(view.mode, view.simulated)
    strategies = "1 strategy" if len(done.stopped) == 1 else f"{len(done.stopped)} strategies"
    told = Text(
        f"Stopped: {wording.plural(len(done.cancelled), 'order')} cancelled, {strategies} stopped. "
        f"Nothing new is bought until you write resume. {badge}.",
        "warning",
    )
    held = [each for each in view.positions if each.quantity]
    if not held:
        return [told, *stuck, Text("You hold no coins, so there is nothing to sell.")]

    facts = sales.rows(await sales.sales(ctx, held), view)
    if view.simulated:
        facts.append(("Market", f"{wording.SIMULATED} prices"))

    async def execute() -> Reply:
        return await sell_everything(ctx, view)

    return Proposal(
        "Sell everything you hold at the market, too?",
        tuple(facts),
        execute,
        "sell everything",
        view.mode,
        (),
        "Sell everything",
        "Keep it",
        before=(told, *stuck),
        about=frozenset({PANIC}),
    )


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    alone=True,
    examples=("sell everything",),
    phrases=(
        "(close|sell|exit|liquidate|dump|flatten) (everything|it all|all) [now|i (have|own|hold)]",
        "(close|flatten|exit|sell|dump|liquidate) all [of] (my|the) "
        "(positions|coins|holdings|trades|crypto|stuff|investments|assets)",
        "(close|flatten|exit|sell|dump|liquidate) all (positions|coins|holdings|trades)",
        "(close|flatten|exit|sell|liquidate) my (positions|account|portfolio|holdings|coins|crypto)",
        "get me out [of everything|now]",
        "flatten [everything|all]",
    ),
)
async def flatten(ctx: Context) -> Reply | Proposal:
    """Sells everything you hold and stops all strategies, after a preview that you confirm."""
    desk = ctx.services.desk
    view = await desk.portfolio(ctx.account)
    held = [each for each in view.positions if each.quantity]
    orders = await desk.orders(ctx.account, open_only=True, limit=200)
    runs = [each for each in await ctx.services.strategies.runs(ctx.account) if each.state == "running"]
    if not held and not orders and not runs:
        return [Text("You hold no coins, no order is open and no strategy runs: there is nothing to sell or to stop.")]
    *coins, cash = sales.rows(await sales.sales(ctx, held), view)
    facts = coins or [("Coins", "none to sell")]
    if orders:
        numbers = wording.listed([str(each.number) for each in orders])
        facts.append(("Orders", f"{wording.plural(len(orders), 'order')} cancelled: {numbers}"))
    if runs:
        names = wording.listed([f"{each.number} ({each.strategy} on {each.instrument.base})" for each in runs])
        facts.append(("Strategies", f"stopped: {names}"))
    facts.append(cash)
    if view.simulated:
        facts.append(("Market", f"{wording.SIMULATED} prices"))

    async def execute() -> Reply:
        cancelled = await desk.cancel_all(ctx.account)
        lines: list[Block] = []
        if cancelled:
            numbers = wording.listed([str(each.number) for each in cancelled])
            lines.append(Text(f"Cancelled {wording.plural(len(cancelled), 'order')}: {numbers}.", "good"))
        for run in await ctx.services.strategies.runs(ctx.account, running_only=True):
            try:
                await ctx.services.strategies.stop(ctx.account, run)
                lines.append(Text(f"Stopped strategy {run.number}: {run.strategy} on {run.instrument.base}.", "good"))
            except AppError as failed:
                lines.append(Text(f"Strategy {run.number}: {failed.sentence()}", "warning"))
        return [*lines, *await sell_everything(ctx, view)]

    return Proposal(
        "Sell everything you hold at the market?" if held else "Stop everything?",
        tuple(facts),
        execute,
        "sell everything" if held else "stop everything",
        view.mode,
        ("Some prices are old: the market did not answer lately.",) if view.stale and held else (),
        "Sell everything" if held else "Stop everything",
        "Keep it",
    )


async def sell_everything(ctx: Context, view: AccountView) -> Reply:
    """Sells what is held, and tells of each sale and of what could not be sold."""
    desk, badge = ctx.services.desk, wording.badge(view.mode, view.simulated)
    lines: list[Block] = []
    try:
        sold = await desk.flatten(ctx.account)
        lines += [Text(outcome(order, view.mode, view.simulated), tone_of(order)) for order in sold]
    except AppError as failed:
        lines.append(Text(failed.sentence(), "warning"))
    after = await desk.portfolio(ctx.account)
    worth = f"Your account is worth {wording.money(after.equity, after.currency)}. {badge}."
    left = [wording.quantity(each.quantity, each.instrument.base) for each in after.positions if each.quantity]
    if left:
        return [*lines, Text(f"Not everything is sold: you still hold {wording.listed(left)}. {worth}", "warning")]
    return [*lines, Text(f"Everything is sold. {worth}", "good")]
