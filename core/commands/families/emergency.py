"""Getting out: the panic stop, which acts first, selling everything, which asks first, and trading again."""

from collections.abc import Sequence
from dataclasses import dataclass

from core import wording
from core.accounts import Role
from core.commands import sales
from core.commands.confirmations import Proposal, Settled
from core.commands.context import Context
from core.commands.factor import demand_code
from core.commands.outcomes import outcome, tone_of
from core.commands.registry import command
from core.commands.sales import Sale
from core.engine.views import AccountView, Panic, PositionView, Stopped
from core.errors import AppError
from core.reply import Block, Reply, Text
from core.trading.orders import Mode, Order
from core.trading.purses import mode_of, title_of

PANIC = "panic"  # what the sale is about that a panic stop offers
SELLING = 30.0  # seconds in which the sales at a venue are waited for


@dataclass(frozen=True, slots=True)
class Holding:
    """An account that holds something, or has something at work. trouble: why it could not be looked at"""

    account: str
    view: AccountView | None
    sales: Sequence[tuple[PositionView, Sale | None]] = ()
    orders: Sequence[Order] = ()
    trouble: str | None = None

    @property
    def held(self) -> list[PositionView]:
        return [each for each in self.view.positions if each.quantity] if self.view is not None else []


@command(
    family="trade",
    role=Role.TRADER,
    private=True,
    alone=True,
    examples=("panic",),
    phrases=("panic [now|stop|button|mode|panic]", "emergency stop", "hit the panic button"),
)
async def panic(ctx: Context) -> Reply | Proposal:
    """Stops everything on all your accounts at once: all orders, all strategies; then asks whether to sell."""
    done = await ctx.services.desk.panic(ctx.account)
    stuck = []
    for each in done.accounts:
        holding = {position.ledger for position in each.positions if position.quantity}
        for run in each.stopped:
            if run not in holding:  # only cash is left with it: that comes back without a sale
                try:
                    await ctx.services.strategies.stop(each.account, run)
                except AppError as failed:
                    told = f"The money of a strategy stays with it for now: {failed.sentence()}"
                    stuck.append(Text(told, "warning"))
    found = await holdings(ctx)
    told_of = [Text(f"{sentence(done)} {badge(found)}.", "warning"), *troubles(done), *stuck]
    if not any(each.held for each in found):
        return [*told_of, Text(unseen(found) or "You hold no coins, so there is nothing to sell.")]

    async def execute() -> Reply:
        return await sell_everything(ctx)

    return Proposal(
        "Sell everything you hold at the market, too?",
        facts_of(found),
        execute,
        "sell everything",
        mode(found),
        (),
        "Sell everything",
        "Keep it",
        before=tuple(told_of),
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
    """Sells everything you hold on all your accounts and stops all strategies, after a preview that you confirm."""
    found = await holdings(ctx)
    runs = [
        each for account in found
        for each in await ctx.services.strategies.runs(account.account, running_only=True)
    ]  # fmt: skip
    held, busy = any(each.held for each in found), any(each.orders for each in found)
    silent = [Text(f"{title_of(each.account)}: {each.trouble}", "warning") for each in found if each.trouble]
    if not held and not busy and not runs:
        nothing = (
            unseen(found)
            or "You hold no coins, no order is open and no strategy runs: there is nothing to sell or to stop."
        )
        return [*silent, Text(nothing)]
    facts = list(facts_of(found)) or [("Coins", "none to sell")]
    for each in found:
        if each.orders:
            numbers = wording.listed([str(order.number) for order in each.orders])
            told = f"{wording.plural(len(each.orders), 'order')} cancelled: {numbers}"
            facts.insert(-1, (named(found, each, "Orders"), told))
    if runs:
        names = wording.listed([f"{each.number} ({each.strategy} on {each.instrument.base})" for each in runs])
        facts.insert(-1, ("Strategies", f"stopped: {names}"))

    async def execute() -> Reply:
        closed = await ctx.services.desk.emergency.each(ctx.user.id, lambda account: wind_down(ctx, account), SELLING)
        return [*answers(closed), *await sell_everything(ctx)]

    stale = held and any(each.view is not None and each.view.stale for each in found)
    return Proposal(
        "Sell everything you hold at the market?" if held else "Stop everything?",
        tuple(facts),
        execute,
        "sell everything" if held else "stop everything",
        mode(found),
        ("Some prices are old: the market did not answer lately.",) if stale else (),
        "Sell everything" if held else "Stop everything",
        "Keep it",
        before=tuple(silent),
    )


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("resume",),
    phrases=("(resume|continue|allow) trading [again]", "trade again", "lift the (halt|kill switch)"),
)
async def resume(ctx: Context, *, code: str = "") -> Reply | Settled:
    """Allows trading again after a panic stop, once you confirm; stopped strategies stay stopped.

    code: your second factor, while a live account is armed (orchestrator user totp)
    """
    desk = ctx.services.desk
    if not await desk.halted(ctx.user.id):
        return [Text("The kill switch is off: trading is allowed.")]
    accounts = desk.emergency.accounts(ctx.user.id)
    armed = [title_of(account) for account in accounts if desk.arming.of(account) is not None]
    if armed:
        why = f"{wording.listed(armed)} is armed, so trading again needs your second factor."
        await demand_code(ctx, code, why, "resume")

    async def execute() -> Reply:
        await desk.resume(ctx.user.id)
        told = f"Trading is allowed again. Strategies that were stopped stay stopped. {wording.listed(titles)}."
        return [Text(told, "good")]

    titles = [title_of(account) for account in accounts]
    proposal = Proposal(
        "Allow trading again?",
        (("Accounts", wording.listed(titles)), ("Strategies", "those that were stopped stay stopped")),
        execute,
        "resume trading",
        "LIVE" if armed else "PAPER",
        (f"Orders are sent to {wording.listed(armed)} again.",) if armed else (),
        "Trade again",
        "Stay stopped",
        about=frozenset({"resume"}),
    )
    return Settled(proposal, frozenset({PANIC}))


# -- what is there ----------------------------------------------------------------------------------------------------


async def holdings(ctx: Context) -> list[Holding]:
    """All of the caller's accounts, looked at side by side."""
    desk = ctx.services.desk
    if not desk.emergency.accounts(ctx.user.id):
        await desk.open(ctx.user.id)

    async def look(account: str) -> Holding:
        view = await desk.portfolio(account)
        held = [each for each in view.positions if each.quantity]
        orders = [each for each in await desk.orders(account, limit=200) if each.request.parent is None]
        return Holding(account, view, await sales.sales(ctx, held, account), orders)

    looked = await desk.emergency.each(ctx.user.id, look)
    return [found or Holding(account, None, trouble=trouble) for account, found, trouble in looked]


def facts_of(found: Sequence[Holding]) -> tuple[tuple[str, str], ...]:
    """What selling it all would do, account by account."""
    facts: list[tuple[str, str]] = []
    for each in found:
        if each.view is not None and each.held:
            facts += [(named(found, each, name), told) for name, told in sales.rows(each.sales, each.view)]
    if any(each.view is not None and each.view.simulated for each in found):
        facts.append(("Market", f"{wording.SIMULATED} prices"))
    return tuple(facts)


def named(found: Sequence[Holding], of: Holding, name: str) -> str:
    """The name, with its account where there are several."""
    return name if len(found) == 1 else f"{title_of(of.account)}: {name}"


def badge(found: Sequence[Holding]) -> str:
    """'PAPER, SIMULATED prices', 'PAPER and LIVE binance'."""
    titles = [wording.badge(title_of(each.account), each.view is not None and each.view.simulated) for each in found]
    return wording.listed(titles)


def mode(found: Sequence[Holding]) -> Mode:
    """LIVE when any of it is at a venue."""
    return "LIVE" if any(mode_of(each.account) == "LIVE" and (each.held or each.orders) for each in found) else "PAPER"


# -- what was done ----------------------------------------------------------------------------------------------------


def sentence(done: Panic) -> str:
    """'Stopped: 2 orders cancelled, 1 strategy stopped. Nothing new is bought until you write resume.'"""
    runs = len(done.stopped)
    strategies = "1 strategy" if runs == 1 else f"{runs} strategies"
    where = "" if len(done.accounts) == 1 else f" on {len(done.accounts)} accounts"
    return (
        f"Stopped{where}: {wording.plural(len(done.cancelled), 'order')} cancelled, {strategies} stopped. "
        f"Nothing new is bought until you write resume."
    )


def unseen(found: Sequence[Holding]) -> str:
    """What cannot be said of accounts that do not answer; empty when all do."""
    silent = [title_of(each.account) for each in found if each.trouble or each.view is None]
    if not silent:
        return ""
    return (
        f"What you hold at {wording.listed(silent)} could not be looked at, so no sale is offered now. "
        "Write sell everything when it answers again."
    )


def troubles(done: Panic) -> list[Text]:
    """What the panic stop could not do, account by account."""
    found = [Text(text, "warning") for each in done.accounts if (text := trouble_of(each))]
    found += [Text(told, "warning") for told in done.elsewhere]
    if done.unwritten:
        told = f"The kill switch holds, but only until a restart: it could not be written down. {done.unwritten}"
        found.append(Text(told, "warning"))
    return found


def trouble_of(stopped: Stopped) -> str:
    """'LIVE kucoin: There was no answer within 6 seconds. Order 3 may still be open there; …'; empty for none."""
    if not stopped.trouble and not stopped.left:
        return ""
    text = f"{title_of(stopped.account)}: {stopped.trouble or 'Not every order could be cancelled.'}"
    if not stopped.left:
        return text
    numbers = wording.listed([str(each) for each in stopped.left])
    one = len(stopped.left) == 1
    return (
        f"{text} {'Order' if one else 'Orders'} {numbers} may still be open there; "
        f"{'it is' if one else 'they are'} cancelled as soon as it answers, and you are told."
    )


async def wind_down(ctx: Context, account: str) -> list[Block]:
    """Cancels every order of the account and stops its strategies; what was done and what was not."""
    cancelled = [each for each in await ctx.services.desk.cancel_all(account) if each.request.parent is None]
    lines: list[Block] = []
    if cancelled:
        numbers = wording.listed([str(each.number) for each in cancelled])
        lines.append(Text(f"Cancelled {wording.plural(len(cancelled), 'order')}: {numbers}.", "good"))
    for run in await ctx.services.strategies.runs(account, running_only=True):
        try:
            await ctx.services.strategies.stop(account, run)
            lines.append(Text(f"Stopped strategy {run.number}: {run.strategy} on {run.instrument.base}.", "good"))
        except AppError as failed:
            lines.append(Text(f"Strategy {run.number}: {failed.sentence()}", "warning"))
    return lines


async def sell_everything(ctx: Context) -> Reply:
    """Sells what is held on every account, and tells of each sale and of what could not be sold."""
    desk = ctx.services.desk

    async def sell(account: str) -> list[Block]:
        lines: list[Block] = []
        before = await desk.portfolio(account)
        shown = wording.badge(title_of(account), before.simulated)
        try:
            sold = await desk.flatten(account)
            fills = await desk.fills(account)
            lines += [Text(outcome(each, before.mode, before.simulated, fills), tone_of(each)) for each in sold]
        except AppError as failed:
            lines.append(Text(failed.sentence(), "warning"))
        after = await desk.portfolio(account)
        worth = f"Your account is worth {wording.money(after.equity, after.currency)}. {shown}."
        dust, small, left = desk.dust(account), list[str](), list[str]()
        for each in after.positions:
            if each.quantity:
                kind = small if each.instrument.key in dust else left
                kind.append(wording.quantity(each.quantity, each.instrument.base))
        rest = f" Of {wording.listed(small)} there is too little for an order." if small else ""
        if left:
            told = f"Not everything is sold: you still hold {wording.listed(left)}.{rest} {worth}"
            return [*lines, Text(told, "warning")]
        if small:
            return [*lines, Text(f"Everything that the venue takes is sold.{rest} {worth}", "good")]
        return [*lines, Text(f"Everything is sold. {worth}", "good")]

    return answers(await desk.emergency.each(ctx.user.id, sell, SELLING))


def answers(told: Sequence[tuple[str, list[Block] | None, str | None]]) -> list[Block]:
    """What was done at each account, and why nothing was."""
    found: list[Block] = []
    for account, lines, trouble in told:
        found += lines or []
        if trouble:
            found.append(Text(f"{title_of(account)}: {trouble}", "warning"))
    return found
