"""Stopping a strategy: a sale is previewed, and what holds nothing stops at once."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from core import wording
from core.accounts import Role
from core.commands import guards, sales
from core.commands.confirmations import Proposal, Settled
from core.commands.context import Context
from core.commands.registry import command
from core.commands.sales import Sale
from core.engine.views import AccountView, PositionView, Run
from core.errors import AppError, Conflict, NotFound
from core.reply import Block, Choice, Choices, Reply, Text


@command(
    family="strategies",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("stop 1", "stop sma_cross", "stop all strategies", "stop 1 and keep the coins"),
    phrases=(
        "(stop|end|halt|kill|switch off|turn off) [the|my] [strategy|run|bot] [number] {order:run}",
        "(stop|end|halt|kill|switch off|turn off) [the|my] {strategy:run} [strategy|bot|run]",
        "(stop|end|halt|kill) [all] [of] [my|the] (strategies|bots) [now] {run=all}",
        "(stop|end|halt) [the|my] {instrument:run} (strategy|bot|run)",
        "(stop|end|halt) [the|my] (strategy|bot)",
        "(stop|end|halt) [the|my] [strategy|run|bot] [number] {order:run} [and|but] "
        "keep [the|its|my] [coins|position|holdings] {keep=yes}",
        "(stop|end|halt) [the|my] {strategy:run} [strategy|bot] (and|but) "
        "keep [the|its|my] [coins|position|holdings] {keep=yes}",
        "(stop|end|halt) all [of] [my|the] [strategies|bots] [and|but] "
        "keep [the|their|my] [coins|positions|holdings] {keep=yes} {run=all}",
    ),
)
async def stop(ctx: Context, run: str = "", *, keep: Literal["yes", "no"] | None = None) -> Reply | Proposal | Settled:
    """Stops a strategy, sells what it holds and returns its money, after a preview where there is something to sell.

    run: its number or name, or all
    keep: yes stops it without selling: its coins and money stay apart until you stop it again
    """
    view = await ctx.services.desk.portfolio(ctx.account)
    worth = {ledger.run: ledger.equity for ledger in view.ledgers if ledger.run}
    everything = await ctx.services.strategies.runs(ctx.account)
    active = [each for each in everything if each.state == "running"]
    ended = [] if keep == "yes" else [each for each in everything if each.state != "running" and worth.get(each.id)]
    if not active and not ended:
        return [Text("No strategy is running.")]
    wanted = run.strip().lower().lstrip("#").removeprefix("bot ")
    chosen = named(wanted, active) or named(wanted, ended)
    if wanted and not chosen:
        names = [f"{each.number} ({each.strategy} on {each.instrument.base})" for each in active or ended]
        raise NotFound(f"No running strategy is '{run[:40]}'.", hint=f"Running: {wording.listed(names)}.")
    if len(chosen) != 1 and wanted not in ("all", "everything"):
        options = tuple(
            Choice(f"{each.number}: {each.strategy} on {each.instrument.base} {each.timeframe}", f"stop {each.number}")
            for each in chosen or active
        )
        return [Choices("Which strategy should I stop?", (*options, Choice("All of them", "stop all")))]
    if keep == "yes":
        return Settled(await left_standing(ctx, chosen), frozenset(each.id for each in chosen))
    orders = await ctx.services.desk.orders(ctx.account, open_only=True, limit=200)
    busy = {each.request.ledger for each in orders} | {each.ledger for each in view.positions if each.quantity}
    if not any(each.ledger in busy for each in chosen):
        return await stopped(ctx, chosen)
    return await preview(ctx, view, chosen)


def named(wanted: str, runs: Sequence[Run]) -> list[Run]:
    """The runs that a number, a name or a coin means; the only one when nothing is said."""
    if wanted in ("all", "everything"):
        return list(runs)
    if not wanted:
        return list(runs) if len(runs) == 1 else []
    if wanted.isdigit():
        return [each for each in runs if each.number == int(wanted)]
    return [
        each
        for each in runs
        if wanted.replace(" ", "_") == each.strategy
        or wanted in (each.instrument.base.lower(), each.instrument.symbol.lower())
    ]


async def preview(ctx: Context, view: AccountView, chosen: Sequence[Run]) -> Proposal:
    """What stopping sells, cancels and brings back."""
    orders = await ctx.services.desk.orders(ctx.account, open_only=True, limit=200)
    facts = []
    for run in chosen:
        held = await sales.sales(ctx, held_by(run, view))
        what = [f"sells {sale_of(position, sale)}" for position, sale in held]
        open_orders = [str(each.number) for each in orders if each.request.ledger == run.ledger]
        if open_orders:
            what.append(f"cancels {wording.plural(len(open_orders), 'order')}: {wording.listed(open_orders)}")
        back = sum((ledger.equity for ledger in view.ledgers if ledger.run == run.id), Decimal(0))
        back -= sum((sale.lost for _, sale in held if sale is not None), Decimal(0))
        costs = f" {sales.costs_of([sale for _, sale in held], view.currency)}" if held else ""
        what.append(f"{'about ' if held else ''}{wording.money(back, view.currency)} come back{costs}")
        facts.append((f"{run.number}: {run.strategy} on {run.instrument.base}", "; ".join(what)))
    if view.simulated:
        facts.append(("Market", f"{wording.SIMULATED} prices"))
    names = wording.listed([f"{each.number} ({each.strategy} on {each.instrument.base})" for each in chosen])
    which = "all" if len(chosen) > 1 else str(chosen[0].number)
    alternative = Choices(
        "Stop without selling instead?", (Choice("Stop and keep the coins", f"stop {which} and keep the coins"),)
    )
    running = any(each.state == "running" for each in chosen)
    subject = f"stop strategy {names}" if running else f"sell what strategy {names} left"

    async def execute() -> Reply:
        now = {each.id: each for each in await ctx.services.strategies.runs(ctx.account)}
        for run in chosen:
            after = now.get(run.id, run)
            if after.state != run.state and not after.returned:
                raise Conflict(
                    f"Strategy {run.number} was stopped since the preview and keeps its coins: none were sold."
                )
        return await stopped(ctx, chosen)

    silent = ("Some prices are old: while the market does not answer, nothing can be sold.",) if view.stale else ()
    return Proposal(
        f"{subject[0].upper()}{subject[1:]}, and sell at the market?"
        if running
        else f"{subject[0].upper()}{subject[1:]}?",
        tuple(facts),
        execute,
        subject,
        view.mode,
        silent,
        "Stop and sell" if running else "Sell",
        "Let it run" if running else "Keep it",
        before=(alternative,) if running else (),
        about=frozenset(each.id for each in chosen),
    )


async def stopped(ctx: Context, chosen: Sequence[Run]) -> Reply:
    """Stops each run and tells what came back; one that cannot be sold does not keep the others running."""
    view = await ctx.services.desk.portfolio(ctx.account)
    badge = wording.badge(view.mode, view.simulated)
    lines: list[Block] = []
    for each in chosen:
        name = f"strategy {each.number}: {each.strategy} on {each.instrument.base}"
        try:
            ended = await ctx.services.strategies.stop(ctx.account, each.id)
        except AppError as failed:
            if isinstance(failed, Conflict) and (await ctx.services.strategies.find(ctx.account, each.id)).returned:
                lines.append(Text(f"Strategy {each.number} is already stopped. {badge}.", "warning"))
                continue
            lines.append(
                Text(
                    f"Stopped {name}, but what it holds could not be sold: {failed.sentence()} "
                    f"To try again: stop {each.number}. {badge}.",
                    "warning",
                )
            )
            continue
        returned = (
            ""
            if ended.returned is None
            else f" {wording.money(ended.returned, view.currency)} came back of "
            f"{wording.money(ended.cash, view.currency)}."
        )
        lines.append(Text(f"Stopped {name}.{returned} {badge}.", "good"))
    return lines


async def left_standing(ctx: Context, chosen: Sequence[Run]) -> Reply:
    """Stops each run and leaves its coins and money where they are."""
    for each in chosen:
        await ctx.services.strategies.stop(
            ctx.account, await ctx.services.strategies.find(ctx.account, each.id), keep=True
        )
    view = await ctx.services.desk.portfolio(ctx.account)
    return [Text(f"{kept(each, view)} {wording.badge(view.mode, view.simulated)}.", "good") for each in chosen]


def kept(run: Run, view: AccountView) -> str:
    """What a stopped run still holds, and how to get it back."""
    cash = sum((ledger.cash for ledger in view.ledgers if ledger.run == run.id), Decimal(0))
    coins = [wording.quantity(each.quantity, each.instrument.base) for each in held_by(run, view)]
    holds = wording.listed([*coins, wording.money(cash, view.currency)])
    armed = "".join(
        f"Its {guards.short(guards.guard_of(each), each.instrument)} on {each.instrument.base} stays in force "
        f"until stop {run.number} sells. "
        for each in held_by(run, view)
        if guards.guard_of(each)
    )
    return (
        f"Strategy {run.number} ({run.strategy} on {run.instrument.base}) is stopped and keeps {holds}. {armed}"
        f"To sell and get the money back: stop {run.number}."
    )


def held_by(run: Run, view: AccountView) -> list[PositionView]:
    """What the run's ledger holds."""
    return [each for each in view.positions if each.ledger == run.ledger and each.quantity]


def sale_of(position: PositionView, sale: Sale | None) -> str:
    """'0.01 BTC at about 61,000.00 USDT'."""
    instrument = position.instrument
    amount = wording.quantity(position.quantity, instrument.base)
    return f"{amount} at about {wording.price(sale.price if sale else position.price, instrument)} {instrument.quote}"
