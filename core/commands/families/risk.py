"""Risk: the limits of a person, and the mandates under which live accounts are traded without a human at the button."""

from decimal import Decimal
from typing import Literal

from core import wording
from core.accounts import Role
from core.commands.ceilings import CEILINGS, EVERY, Ceiling, ceiling, names
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.factor import demand_code
from core.commands.registry import command
from core.engine.means import Used
from core.errors import InvalidInput, NotFound
from core.reply import Block, Choice, Choices, Reply, Table, Text
from core.risk.limits import Limits, loosened, percent
from core.risk.mandates import Mandate, drawn
from core.trading.purses import live_account, mode_of, title_of, venue_of

KINDS = ("paper", "live")
WEEK = Decimal(7)


@command(
    family="account",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("limits", "limits order 500", "limits daily-loss 5%", "limits instruments btc,eth", "limits live reset"),
    phrases=("(show|list|what are) [me] my [trading|risk] limits", "my [trading|risk] limits"),
)
async def limits(
    ctx: Context, name: str = "", *value: str, account: Literal["paper", "live"] | None = None, code: str = ""
) -> Reply | Proposal:
    """Shows your limits and how much of them is used, or changes one: tighter at once, looser once you confirm.

    name: order, position, exposure, asset, total, daily-loss, drawdown, per-minute, collar, instruments, forbidden
    account: paper or live; the account you trade with when not said
    code: your second factor, to loosen a limit of live accounts
    """
    words = [name, *value]
    if words[0].lower() in KINDS:
        account, words = ("live" if words[0].lower() == "live" else "paper"), [*words[1:], ""]
    kind = account or ("paper" if venue_of(ctx.account) is None else "live")
    name, text = words[0], " ".join(words[1:]).strip()
    desk = ctx.services.desk
    if not name:
        kinds = KINDS if account is None else (kind,)
        return [table for each in kinds if (table := await table_of(ctx, each)) is not None]
    purse = await purse_of(ctx, kind)
    rules = desk.means.rules
    before, usual, unit = rules.chosen(purse), rules.usual(purse), (await desk.open(ctx.user.id)).currency
    changed: tuple[Ceiling, ...]
    if name.lower() in ("reset", "usual", "default"):
        changed, after = CEILINGS, usual
    elif not text:
        one = ceiling(name)
        hint = f"Write limits {one.name} and the new one."
        return [Text(f"{one.name}: {one.what}. {kind.upper()}: {one.shown(before, unit)}. {hint}")]
    else:
        one = ceiling(name)
        changed, after = (one,), one.changed(before, text, usual)
    rows = [
        (each.name, f"{each.shown(before, unit)} → {each.shown(after, unit)}")
        for each in changed
        if getattr(before, each.field) != getattr(after, each.field)
    ]
    if not rows:
        return [Text(f"That is how it is: nothing changes. {kind.upper()}.")]

    async def execute() -> Reply:
        await rules.set_limits(purse, after, before)
        told = "; ".join(f"{each} {change}" for each, change in rows)
        return [Text(f"Set: {told}. It counts from now on. {kind.upper()}.", "good")]

    looser = loosened(before, after)
    if not looser:
        return await execute()
    if kind == "live":
        line = " ".join(["limits", "live", *words]).strip()
        await demand_code(ctx, code, "Loosening a limit of live accounts needs your second factor.", line)
    return Proposal(
        "Loosen your limits?",
        tuple(rows),
        execute,
        f"limits: {wording.listed([each for each, _ in rows])}",
        "LIVE" if kind == "live" else "PAPER",
        ("More can be lost than before.",),
        "Loosen",
        "Keep them",
        about=frozenset({f"limits:{kind}"}),
    )


@command(
    family="account",
    private=True,
    examples=("mandates",),
    phrases=("(show|list) [me] my mandates", "my mandates"),
)
async def mandates(ctx: Context) -> Reply:
    """Lists the mandates under which strategies, webhooks and copied traders may trade your live accounts."""
    means, now = ctx.services.desk.means, ctx.services.clock.now()
    rows = []
    for each in given(ctx):
        state = f"until {wording.moment(each.expires)}"
        if each.revoked is not None:
            state = f"revoked {wording.moment(each.revoked)}"
        elif not each.stands(now):
            state = f"ended {wording.moment(each.expires)}"
        used = wording.grouped(means.at_stake(each), 2) if each.stands(now) else "–"
        order = "–" if each.order is None else wording.grouped(each.order, 2)
        rows.append((str(each.number), title_of(each.account), covered(each), wording.grouped(each.cap, 2), used, order,
                     state))  # fmt: skip
    columns = ("No.", "Account", "For", "Cap", "At stake", "One order", "State")
    empty = "No mandate was given: live accounts are traded by hand only. To give one: mandate VENUE instruments=btc …"
    return [Table("Mandates", columns, tuple(rows), empty=empty)]


@command(
    family="account",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("mandate binance instruments=btc cap=1000 days=7 code=123456", "mandate revoke 2"),
)
async def mandate(
    ctx: Context,
    venue: str,
    *number: str,
    instruments: str = "",
    cap: Decimal | None = None,
    days: Decimal = WEEK,
    order: Decimal | None = None,
    code: str = "",
) -> Reply | Proposal:
    """Lets strategies, webhooks and copied traders trade a live account, after your second factor; or revokes that.

    venue: where, such as binance; or revoke, and the number of the mandate
    instruments: the coins or pairs it is for, such as btc,eth; or all
    cap: the most that may be at stake at a time
    days: for how long, at most 90
    order: the most for one order; the cap when not said
    code: the six digits of your second factor (orchestrator user totp)
    """
    desk, venue = ctx.services.desk, venue.strip().lower()
    if venue == "revoke":
        return await revoked(ctx, list(number))
    if number:
        raise InvalidInput(f"I do not know what '{number[0][:40]}' stands for.", hint=usage(venue))
    if cap is None or not instruments:
        raise InvalidInput("Say what it is for and how much may be at stake.", hint=usage(venue))
    if not code:
        raise InvalidInput("A mandate needs your second factor.", hint=usage(venue))
    wanted = () if instruments.strip().lower() in EVERY else names(instruments)
    account = live_account(ctx.user.id, venue)
    rules, clock, top = desk.means.rules, ctx.services.clock, cap
    shown = drawn(rules.next_number(account), account, wanted, top, days, clock.now(), order)
    unit = (await desk.open(account)).currency
    await desk.arming.prove(ctx.user.id, code)

    async def execute() -> Reply:
        new = drawn(rules.next_number(account), account, wanted, top, days, clock.now(), order)
        await rules.give(new)
        told = f"Mandate {new.number} is given until {wording.moment(new.expires)}. To end it: mandate revoke"
        return [Text(f"{told} {new.number}. {title_of(account)}.", "warning")]

    warnings = ["Orders are sent to the venue without asking you, and cost real money."]
    if desk.arming.of(account) is None:
        warnings.append(f"The account is not armed: nothing trades before arm {venue}.")
    return Proposal(
        f"Let strategies, webhooks and copied traders trade your account at {venue}?",
        (
            ("For", covered(shown)),
            ("At stake at a time", f"at most {wording.money(top, unit)}"),
            ("One order", f"at most {wording.money(top if order is None else order, unit)}"),
            ("Until", wording.moment(shown.expires)),
        ),
        execute,
        f"mandate on {venue}",
        "LIVE",
        tuple(warnings),
        "Give it",
        about=frozenset({f"mandate:{account}"}),
    )


# -- limits -----------------------------------------------------------------------------------------------------------


async def purse_of(ctx: Context, kind: str) -> str:
    """An account of the kind, for which the limits are kept. Raises NotFound without a live one."""
    if kind == "paper":
        return ctx.user.id
    desk = ctx.services.desk
    live = [each for each in desk.emergency.accounts(ctx.user.id) if mode_of(each) == "LIVE"]
    found = live or await desk.live_accounts(ctx.user.id)
    if not found:
        raise NotFound("You have no live account.", hint="Add a venue's API keys first.")
    return found[0]


async def table_of(ctx: Context, kind: str) -> Table | None:
    """The limits of the kind with what is used of each; None for live ones where there is no live account."""
    desk = ctx.services.desk
    try:
        purse = await purse_of(ctx, kind)
    except NotFound:
        return None
    unit = (await desk.open(ctx.user.id)).currency
    for account in desk.means.accounts(purse):
        await desk.portfolio(account)  # at the newest prices
    await desk.means.ready(purse)
    chosen, used = desk.means.rules.chosen(purse), desk.means.used(purse)
    parts = used_of(used, chosen, unit)
    rows = tuple((each.name, each.shown(chosen, unit), parts.get(each.name, "–"), each.what) for each in CEILINGS)
    for account in desk.means.accounts(purse):
        armed = desk.arming.of(account)
        if armed is not None:  # what was agreed when it was armed counts beside, and only arming anew changes it
            at, caps = venue_of(account), armed.caps
            rows += (
                (f"armed, {at}", wording.money(caps.order, unit), "–", "one order"),
                (
                    f"armed, {at}",
                    wording.money(caps.exposure, unit),
                    "–",
                    "all that is bought beyond what was held then",
                ),
                (f"armed, {at}", wording.money(caps.loss, unit), "–", "what a day (UTC) may cost"),
            )
    return Table(f"Limits, {kind.upper()}", ("Limit", "Setting", "Used now", "What it limits"), rows)


def used_of(used: Used, limits: Limits, unit: str) -> dict[str, str]:
    """How much of each limit is used, in words."""
    asset, most = used.positions[0] if used.positions else ("", Decimal(0))
    in_asset = f" in {asset}" if asset else ""
    wealth = used.wealth
    return {
        "position": f"{wording.money(most, unit)}{in_asset}",
        "asset": f"{percent(most / wealth)}{in_asset}" if wealth > 0 else "–",
        "total": percent(used.exposure.total / wealth) if wealth > 0 else "–",
        "daily-loss": f"{percent(used.standing.lost_share)}, {wording.money(used.standing.lost, unit)}",
        "drawdown": f"{percent(used.standing.drawdown)} of {wording.money(used.standing.peak, unit)}",
        "per-minute": str(used.recent),
    }


# -- mandates ---------------------------------------------------------------------------------------------------------


def given(ctx: Context) -> list[Mandate]:
    """All mandates of the caller."""
    desk = ctx.services.desk
    return [each for account in desk.emergency.accounts(ctx.user.id) for each in desk.means.rules.mandates(account)]


def covered(mandate: Mandate) -> str:
    """'BTC and ETH', 'every instrument'."""
    return wording.listed(list(mandate.instruments)) or "every instrument"


def usage(venue: str) -> str:
    """What to write."""
    return f"Write mandate {venue} instruments=btc cap=1000 days=7 code=…"


async def revoked(ctx: Context, words: list[str]) -> Reply:
    """Ends a mandate at once. words: its number, and its venue where several accounts have one of that number"""
    number = words[0].lstrip("#") if words else ""
    place = words[1].lower() if len(words) > 1 else ""
    standing = [each for each in given(ctx) if each.stands(ctx.services.clock.now())]
    if not number.isdigit():
        options = tuple(
            Choice(f"{each.number}: {covered(each)}, {title_of(each.account)}",
                   f"mandate revoke {each.number} {venue_of(each.account)}")
            for each in standing
        )  # fmt: skip
        return [Choices("Which mandate should end?", options) if options else Text("No mandate stands.")]
    of_number = [each for each in given(ctx) if str(each.number) == str(int(number))]
    found = [each for each in of_number if each in standing and place in ("", venue_of(each.account))]
    if len(found) > 1:
        options = tuple(
            Choice(title_of(each.account), f"mandate revoke {number} {venue_of(each.account)}") for each in found
        )
        return [Choices(f"Mandate {number} of which account?", options)]
    if not found:
        known = wording.listed([f"{each.number} ({title_of(each.account)})" for each in standing]) or "none"
        raise NotFound(f"No mandate {number[:10]} stands.", hint=f"Standing: {known}.")
    ended, cancelled, left = await ctx.services.desk.revoke(found[0].account, found[0].number)
    lines: list[Block] = [Text(f"Mandate {ended.number} is revoked. {title_of(ended.account)}.", "good")]
    if cancelled:
        numbers = wording.listed([str(each.number) for each in cancelled])
        lines.append(Text(f"Cancelled {wording.plural(len(cancelled), 'order')} made under it: {numbers}.", "good"))
    if left:
        numbers = wording.listed([str(each.number) for each in left])
        lines.append(Text(f"The venue did not cancel: {numbers}. To try again: cancel {left[0].number}.", "warning"))
    return lines
