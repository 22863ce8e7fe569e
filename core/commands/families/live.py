"""Live accounts: arming and disarming them, what there is, and replacing an open order."""

from decimal import Decimal

from core import wording
from core.accounts import Role
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.outcomes import kind_of, outcome, tone_of
from core.commands.registry import command
from core.engine.arming import caps_of, demand_hours
from core.errors import AppError, InvalidInput
from core.reply import Reply, Table, Text
from core.trading.purses import live_account, mode_of, title_of, venue_of

HOURS = 8


@command(
    family="account",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("arm binance cap=1000 hours=8 code=123456",),
)
async def arm(
    ctx: Context,
    venue: str,
    *,
    cap: Decimal | None = None,
    hours: int = HOURS,
    order: Decimal | None = None,
    loss: Decimal | None = None,
    code: str = "",
) -> Reply | Proposal:
    """Lets your account at a venue trade LIVE, within caps and for a while, after your second factor.

    venue: where, such as binance; its API keys must be there
    cap: the most that may be bought and held beyond what is there now
    hours: for how long
    order: the most for one order; the cap when not said
    loss: the most that a day (UTC) may cost; a tenth of the cap when not said
    code: the six digits of your second factor (orchestrator user totp)
    """
    desk, venue = ctx.services.desk, venue.strip().lower()
    if cap is None:
        raise InvalidInput("Say how much may be at stake.", hint=f"Write arm {venue} cap=1000 hours={HOURS} code=…")
    caps = caps_of(cap, order, loss)
    demand_hours(hours)
    if not code:
        raise InvalidInput("Arming needs your second factor.", hint=f"Write arm {venue} cap={cap} hours={hours} code=…")
    account = live_account(ctx.user.id, venue)
    view = await desk.portfolio(account)  # first: where there are no keys, the code stays good
    await desk.arming.prove(ctx.user.id, code)
    unit = view.currency

    async def execute() -> Reply:
        armed = await desk.arm(account, caps, hours)
        return [Text(f"Armed until {wording.moment(armed.expires)}. {title_of(account)}.", "warning")]

    return Proposal(
        f"Arm your account at {venue} for LIVE trading?",
        (
            ("Account", f"{title_of(account)}, worth {wording.money(view.equity, unit)}"),
            ("One order", f"at most {wording.money(caps.order, unit)}"),
            ("In all", f"at most {wording.money(caps.exposure, unit)} beyond what you hold there now"),
            ("A day's loss", f"at most {wording.money(caps.loss, unit)}, then only sales pass"),
            ("For", wording.plural(hours, "hour")),
        ),
        execute,
        f"arm {venue}",
        "LIVE",
        ("Orders are sent to the venue and cost real money.",),
        "Arm it",
        about=frozenset({account}),
    )


@command(family="account", role=Role.TRADER, private=True, examples=("disarm binance",))
async def disarm(ctx: Context, venue: str) -> Reply:
    """Ends LIVE trading at a venue at once; open orders stay, and you are told which.

    venue: where, such as binance
    """
    desk = ctx.services.desk
    account = live_account(ctx.user.id, venue.strip().lower())
    await desk.arming.disarm(account)
    left = await desk.orders(account)
    orders = f" {wording.plural(len(left), 'order')} still open there: panic cancels them." if left else ""
    return [Text(f"Disarmed: nothing new is bought at {venue_of(account)}.{orders} {title_of(account)}.", "good")]


@command(
    family="account",
    private=True,
    examples=("accounts",),
    phrases=("[(show|list)] [me] my [trading] accounts", "which accounts do i have"),
)
async def accounts(ctx: Context) -> Reply:
    """Lists your trading accounts: the one on paper, and those at venues you have keys for."""
    desk, rows = ctx.services.desk, []
    for account in [ctx.user.id, *await desk.live_accounts(ctx.user.id)]:
        armed = desk.arming.of(account)
        state = "always on" if mode_of(account) == "PAPER" else "not armed"
        if armed is not None:
            state = f"armed until {wording.moment(armed.expires)}, at most {wording.money(armed.caps.exposure, '')}"
        try:
            view = await desk.portfolio(account)
            worth = wording.money(view.equity, view.currency)
        except AppError as failed:
            worth = failed.message
        rows.append((title_of(account), worth, state))
    return [Table("Accounts", ("Account", "Worth", "State"), tuple(rows))]


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("replace 3 price=59000", "replace 3 quantity=0.2"),
)
async def replace(
    ctx: Context, order: str, *, price: Decimal | None = None, quantity: Decimal | None = None
) -> Reply | Proposal:
    """Puts another price or quantity in the place of an open limit order, after a preview that you confirm.

    order: its number
    price: the new price
    quantity: how much in all, what it has filled so far included
    """
    desk = ctx.services.desk
    request = await desk.redraft(ctx.account, order, price=price, quantity=quantity)
    old = await desk.order(ctx.account, request.replaces or "")
    instrument, left = request.instrument, (request.quantity or Decimal(0)) - old.filled
    if left <= 0:
        done = wording.quantity(old.filled, instrument.base)
        raise InvalidInput(f"Order {old.number} has filled {done} already.", hint="Ask for more, or cancel the rest.")
    last = (await ctx.services.market.quote(instrument)).last
    mode = mode_of(ctx.account)

    async def execute() -> Reply:
        ended = await desk.replace(request)
        return [Text(outcome(ended, mode, ctx.services.market.label(instrument) is not None), tone_of(ended))]

    shown = old.request
    return Proposal(
        f"Replace order {old.number}?",
        (
            ("Now", f"{shown.side} {wording.quantity(shown.quantity or 0, instrument.base)}{kind_of(shown)}"),
            ("Then", f"{request.side} {wording.quantity(request.quantity or 0, instrument.base)}{kind_of(request)}"),
            ("Filled so far", wording.quantity(old.filled, instrument.base)),
            ("Sent anew", wording.quantity(left, instrument.base)),
            ("Market", f"{wording.price(last, instrument)} {instrument.quote}"),
        ),
        execute,
        f"replace order {old.number}",
        mode,
        (),
        "Replace it",
        about=frozenset({old.id}),
    )
