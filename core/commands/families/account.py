"""You and other people: who may use the assistant, logging in to the web app, starting over."""

import re
from decimal import Decimal

from core import wording
from core.accounts import Role
from core.commands.confirmations import Proposal
from core.commands.context import LONGEST_NAME, Context
from core.commands.registry import command
from core.commands.utterance.words import tidy
from core.errors import Conflict, InvalidInput
from core.reply import Block, Choice, Choices, Facts, Reply, Table, Text

SURFACES = ("telegram", "discord", "web")
LARGEST_RESET = Decimal(1_000_000_000)


@command(
    family="account",
    aliases=("me", "id"),
    examples=("whoami",),
    phrases=("who am i", "what is my (id|role|name)", "what am i allowed to do"),
)
async def whoami(ctx: Context) -> Reply:
    """Shows who you are to the assistant, and what you may do."""
    caller = ctx.caller
    facts = (
        ("Name", ctx.user.name),
        ("Role", str(ctx.user.role)),
        ("Here", f"{caller.surface} id {caller.external_id}"),
    )
    return [Facts("You", facts)]


@command(
    family="account",
    role=Role.ADMIN,
    private=True,
    aliases=("users",),
    examples=("people",),
    phrases=(
        "[(show|list) [me]] [all|the] (people|users)",
        "who (is allowed|has access|can use this|can use you|asked for access)",
        "who may use (this|you)",
    ),
)
async def people(ctx: Context) -> Reply:
    """Lists who may use the assistant, and who asked to."""
    users = ctx.services.users
    rows = tuple(
        (
            person.user.name,
            str(person.user.role) if person.user.active else "switched off",
            ", ".join(f"{each.surface} {each.external_id}" for each in person.identities) or "–",
        )
        for person in await users.people()
    )
    blocks: list[Block] = [Table("People", ("Name", "Role", "Reached at"), rows)]
    asked = list(await users.strangers())[:8]
    if asked:
        blocks.append(
            Table(
                "Asked for access",
                ("Who", "Id", "Last"),
                tuple(
                    (each.name or "–", f"{each.surface} {each.external_id}", wording.moment(each.last_seen))
                    for each in asked
                ),
            )
        )
        blocks.append(
            Choices(
                "Let somebody in? They may look, not trade.",
                tuple(
                    Choice(f"Allow {each.name or each.external_id}", f"allow {each.surface} {each.external_id}")
                    for each in asked[:4]
                ),
            )
        )
    return blocks


@command(
    family="account",
    role=Role.ADMIN,
    private=True,
    examples=("allow telegram 123456789", "allow telegram 123456789 trader"),
)
async def allow(ctx: Context, surface: str, id: str, role: str = "viewer", *, name: str = "") -> Reply:
    """Lets a person in: viewers look, traders trade on their own paper account.

    surface: where they write from: telegram, discord or web
    id: their id there, which the assistant tells them
    role: viewer, trader, moderator or admin; viewer when not said
    name: what to call them
    """
    where = surface.lower()
    if where not in SURFACES:
        raise InvalidInput(
            f"'{surface[:30]}' is not a place people write from.",
            hint=f"Choose {wording.listed(list(SURFACES), 'or')}.",
            value=surface[:30],
        )
    if where != "web" and not re.fullmatch(r"\d{1,20}", id):
        raise InvalidInput(
            f"'{id[:30]}' is not a {where} id.",
            hint="It is a number, which the assistant tells to whoever writes to it.",
            value=id[:30],
        )
    called = tidy(name)
    if len(called) > LONGEST_NAME:
        raise InvalidInput(f"A name has at most {LONGEST_NAME} characters, and this one has {len(called)}.")
    user = await ctx.services.users.allow(ctx.user, where, id, Role.named(role), called)
    return [Text(f"{where.capitalize()} {id} is allowed as {user.role}.", "good")]


@command(family="account", role=Role.ADMIN, private=True, examples=("revoke telegram 123456789",))
async def revoke(ctx: Context, surface: str, id: str) -> Reply:
    """Shuts a person out again.

    surface: telegram, discord or web
    id: their id there
    """
    if surface.lower() == ctx.caller.surface and id == ctx.caller.external_id:
        raise Conflict("That is you. Nobody can shut themselves out here.")
    await ctx.services.users.revoke(ctx.user, surface.lower(), id)
    return [Text(f"{surface.capitalize()} {id} is not allowed any more.", "good")]


@command(family="account", open=True, examples=("claim ABCD-EFGH-JKMN",))
async def claim(ctx: Context, *code: str) -> Reply:
    """Makes you the owner, with the one-time code that the start prints.

    code: the code, as printed
    """
    if ctx.user.role is Role.OWNER:
        return [Text("You are the owner already.")]
    await ctx.services.users.claim(" ".join(code), ctx.caller.surface, ctx.caller.external_id, ctx.caller.name)
    return [Text("You are the owner of this assistant now.", "good")]


@command(
    family="account",
    private=True,
    aliases=("web", "dashboard"),
    examples=("login",),
    phrases=(
        "(log|sign) me in",
        "[(open|give|show|send) [me]] [the|a] (dashboard|web app|login link|web link|website)",
        "(log|sign) in",
    ),
)
async def login(ctx: Context) -> Reply:
    """Makes a link that logs you in to the web app, once."""
    gateway = ctx.services.settings.gateway
    token = await ctx.services.users.login_link(ctx.user)
    base = str(
        ctx.services.app_info.get("gateway_url") or gateway.public_url or f"http://{gateway.host}:{gateway.port}"
    ).rstrip("/")
    return [
        Text(f"{base}/login?token={token}"),
        Text("The link works once, for fifteen minutes. Do not pass it on.", "warning"),
    ]


@command(
    family="account",
    role=Role.TRADER,
    confirm=True,
    private=True,
    alone=True,
    examples=("reset", "reset 5000"),
    phrases=(
        "(reset|restart|wipe|clear) [my|the] [paper] account",
        "start over",
        "(reset|restart) everything",
        "reset my (balance|paper money|money)",
    ),
)
async def reset(ctx: Context, cash: Decimal = Decimal(10_000)) -> Reply | Proposal:
    """Starts your paper account over with fresh money.

    cash: how much, 10,000 when not said
    """
    if not 0 < cash <= LARGEST_RESET:
        raise InvalidInput(
            f"A paper account can start with more than 0 and up to {wording.money(LARGEST_RESET)}, "
            f"not {wording.money(cash)}.",
            hint="For example: reset 10000.",
        )
    desk = ctx.services.desk
    view = await desk.portfolio(ctx.account)

    async def execute() -> Reply:
        await desk.reset(ctx.account, cash)
        return [
            Text(
                f"Your paper account starts over with {wording.money(cash, view.currency)}. "
                f"{wording.badge(view.mode, view.simulated)}.",
                "good",
            )
        ]

    facts = (
        ("Worth now", wording.money(view.equity, view.currency)),
        ("Afterwards", wording.money(cash, view.currency)),
    )
    warnings = ("Open orders are cancelled, strategies stop and positions are dropped. This cannot be undone.",)
    subject = f"start over with {wording.money(cash, view.currency)}"
    return Proposal(
        "Start your paper account over?", facts, execute, subject, view.mode, warnings, "Start over", "Keep it"
    )
