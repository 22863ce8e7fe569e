"""Protection: the stop and target that watch what you hold; set, moved and removed after a preview."""

from decimal import Decimal
from typing import Literal

from core import wording
from core.accounts import Role
from core.commands import guards
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.converters import Share
from core.commands.guards import Guard
from core.commands.registry import command
from core.engine.drafting import demand_protection, protection
from core.engine.views import MANUAL, AccountView, PositionView
from core.errors import Conflict, NotFound
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Facts, Reply, Text
from core.trading.orders import Side
from core.trading.purses import mode_of

PROCESS = "Stops live in this process: they rest while it does not run, and are made good afterwards."


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    aliases=("guard",),
    examples=("protect btc stop 60000 target 70000", "put a stop at 55k on my btc", "protect btc off"),
)
async def protect(
    ctx: Context,
    instrument: Instrument | None = None,
    *,
    stop: Decimal | None = None,
    target: Decimal | None = None,
    trail: Share | None = None,
    remove: Literal["stop", "target", "trail", "all"] | None = None,
) -> Reply | Proposal:
    """Sets, moves or removes the stop and target of a coin you hold, after a preview that you confirm.

    instrument: the coin; may be left out when you hold only one
    stop: sell all of it if the price falls to this
    target: sell all of it when the price rises to this
    trail: sell all of it if the price falls this share from its best, e.g. trail=5%
    remove: stop, target, trail or all
    """
    desk = ctx.services.desk
    view = await desk.portfolio(ctx.account)
    held = [each for each in view.positions if each.ledger == MANUAL and each.quantity > 0]
    if instrument is None:
        wanted = [each for each in held if guards.guard_of(each)] if remove else held
        wanted = [each for each in held if guards.guard_of(each)] or wanted if len(wanted) > 1 else wanted
        if remove and not wanted:
            return [Text(f"There is no {'protection' if remove == 'all' else remove} to remove.")]
        if len(wanted) != 1:
            return which(held, stop, target, trail, remove)
        instrument = wanted[0].instrument
    position = guards.by_hand(view, instrument)
    if position is None:
        raise NotFound(f"You hold no {instrument.base} by hand, so there is nothing to protect.")
    before = guards.guard_of(position)
    after = changed(before, Guard(stop, target, trail), remove)
    if stop is None and target is None and trail is None and remove is None:
        return shown(position, before)
    if remove and after == before and stop is target is trail is None:
        return [Text(f"There is no {'protection' if remove == 'all' else remove} to remove.")]
    if after == before:
        return [Text(f"That is how it stands already: {guards.short(before, instrument)}.", "warning")]
    if after:
        quote = await ctx.services.market.quote(instrument)
        demand_protection(after.stop, after.target, after.trail, quote.last)
    amount = f"all {wording.quantity(position.quantity, instrument.base)}"
    badge = wording.badge(view.mode, view.simulated)

    async def execute() -> Reply:
        now = guards.by_hand(await desk.portfolio(ctx.account), instrument)
        if now is None or guards.guard_of(now) != before or now.quantity != position.quantity:
            raise Conflict(
                f"Your {instrument.base} or what protects it changed since the preview; nothing was changed."
            )
        await desk.protect(ctx.account, instrument, stop=after.stop, target=after.target, trail=after.trail)
        if not after:
            return [Text(f"Nothing protects your {amount.removeprefix('all ')} any more. {badge}.", "good")]
        lines = " ".join(f"{name}: {what}." for name, what in guards.told(after, instrument, amount))
        return [Text(f"{lines} {badge}.", "good")]

    facts = [
        ("Position", f"{amount.removeprefix('all ')}, now at {wording.price(position.price, instrument)}"),
        *rows(before, after, instrument, amount),
    ]
    if view.simulated:
        facts.append(("Market", f"{wording.SIMULATED} prices"))
    verb = "Change what protects" if before and after else "Protect" if after else "Stop protecting"
    return Proposal(
        f"{verb} your {instrument.base}?",
        tuple(facts),
        execute,
        f"{guards.short(after, instrument)} on {instrument.base}"
        if after
        else f"stop protecting your {instrument.base}",
        view.mode,
        (*await selling(ctx, instrument), *((PROCESS,) if lives_here(ctx, after) else ())),
        about=frozenset({f"protection of {instrument.symbol}"}),
    )


def lives_here(ctx: Context, guard: Guard) -> bool:
    """Whether this process watches the prices, so that they rest while it does not run."""
    if not guard or mode_of(ctx.account) == "PAPER":
        return bool(guard)
    kind = protection(guard.stop, guard.target, guard.trail)
    return kind is not None and not ctx.services.desk.at_venue(ctx.account, kind)


def changed(before: Guard, given: Guard, remove: str | None) -> Guard:
    """The protection after the change: what is not named stays."""
    if remove == "all":
        before = Guard()
    kept = {name: None if remove == name else getattr(before, name) for name in ("stop", "target", "trail")}
    return Guard(
        given.stop if given.stop is not None else kept["stop"],
        given.target if given.target is not None else kept["target"],
        given.trail if given.trail is not None else kept["trail"],
    )


def rows(before: Guard, after: Guard, instrument: Instrument, amount: str) -> list[tuple[str, str]]:
    """What each price will do, and what it replaces or ends."""
    found = []
    for name, line in guards.told(after, instrument, amount):
        old = getattr(before, name.lower())
        new = old is None or old == getattr(after, name.lower())
        found.append((name, line if new else f"{line}; replaces your {guards.shown(name, old, instrument)}"))
    for name in ("Stop", "Target", "Trail"):
        old = getattr(before, name.lower())
        if old is not None and getattr(after, name.lower()) is None:
            found.append((name, f"your {guards.shown(name, old, instrument)} is removed"))
    return found


def shown(position: PositionView, guard: Guard) -> Reply:
    """What protects a position, and how to change it."""
    instrument, name = position.instrument, position.instrument.base.lower()
    amount = f"all {wording.quantity(position.quantity, instrument.base)}"
    facts = guards.told(guard, instrument, amount) or [("Protection", "none")]
    note = f"To set it: protect {name} stop {wording.price(position.price * Decimal('0.9'), instrument)}"
    offers = (Choice("Remove it", f"protect {name} off"),) if guard else ()
    return [Facts(f"Your {instrument.base}", tuple(facts), note), *([Choices("Change it?", offers)] if offers else [])]


def which(
    held: list[PositionView], stop: Decimal | None, target: Decimal | None, trail: Decimal | None, remove: str | None
) -> Reply:
    """Asks which coin is meant."""
    if not held:
        return [Text("You hold no coins by hand, so there is nothing to protect.")]
    given = "".join(
        f" {name}={value}" for name, value in (("stop", stop), ("target", target), ("trail", trail)) if value
    )
    given += f" remove={remove}" if remove else ""
    lines = tuple(Choice(each.instrument.base, f"/protect {each.instrument.symbol}{given}") for each in held[:8])
    return [Choices("Of which coin?", lines)]


async def selling(ctx: Context, instrument: Instrument) -> list[str]:
    """Warns of open orders that sell the same coins."""
    found = [
        str(each.number)
        for each in await ctx.services.desk.orders(ctx.account)
        if each.request.instrument == instrument and each.request.side is Side.SELL and each.request.ledger == MANUAL
    ]
    if not found:
        return []
    return [f"{'Order' if len(found) == 1 else 'Orders'} {wording.listed(found)} would sell {instrument.base}, too."]


def table(view: AccountView) -> list[tuple[str, str, str]]:
    """(coin, what is sold, at which prices) of every protected position."""
    return [
        (
            each.instrument.symbol,
            f"sells all {wording.quantity(each.quantity, each.instrument.base)}",
            guards.short(guards.guard_of(each), each.instrument),
        )
        for each in view.positions
        if guards.guard_of(each)
    ]
