"""Tickets: an order as it is shown before it is confirmed, and told afterwards."""

import re
from dataclasses import replace
from decimal import Decimal

from core import wording
from core.commands import guards
from core.commands.confirmations import SECONDS, Proposal
from core.commands.context import Context
from core.commands.outcomes import kind_of, outcome, tone_of
from core.engine.views import Preview
from core.errors import AppError, RiskRefused, Unavailable
from core.market.instrument import Instrument
from core.money import plain
from core.reply import Choice, Choices, Reply, Text
from core.trading.orders import Bracket, Limit, OrderRequest, OrderStatus, Side
from core.trading.purses import mode_of, venue_of

FAR = Decimal("0.2")  # a limit this far from the market gets a warning
GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2},\d{3}(?![\d.,])")


async def ticket(
    ctx: Context,
    side: Side,
    instrument: Instrument,
    quantity: Decimal | None,
    spend: Decimal | None,
    fraction: Decimal | None,
    limit: Decimal | None,
    stop: Decimal | None,
    target: Decimal | None,
) -> Reply | Proposal:
    """The preview of an order, or a question when it is not sized."""
    sizes = [size for size in (quantity, spend, fraction) if size is not None]
    name = instrument.base.lower()
    if len(sizes) != 1:
        lead = "How much" if not sizes else "Only one amount, please: how much"
        return [Text(f"{lead} {instrument.base}? For example: {side} 0.1 {name}, or {side} $500 of {name}.")]
    desk, account, elsewhere = ctx.services.desk, account_at(ctx, instrument), None
    if side is Side.BUY:  # what reduces exposure is never kept from going
        try:
            await ctx.services.venues.demand(instrument)
        except Unavailable as out:
            instrument, elsewhere = await offered(ctx, out)
            account = desk.account_for(ctx.user.id, instrument.venue)
    else:
        account, instrument = await held_at(ctx, account, instrument)
    request = await desk.draft(
        account,
        side,
        instrument,
        quantity=quantity,
        spend=spend,
        fraction=fraction,
        limit=limit,
        stop=stop,
        target=target,
    )
    try:
        preview = await desk.preview(request)
    except RiskRefused as refused:
        return await other_reading(ctx, request, refused)
    request = preview.request
    view = await desk.portfolio(account)
    position = guards.by_hand(view, instrument)
    before, held = guards.guard_of(position), Decimal(0) if position is None else position.quantity
    at = f" on {instrument.venue}" if elsewhere else ""
    subject = f"{side} {wording.quantity(preview.quantity, instrument.base)}{kind_of(request)}{at}"
    quote = await ctx.services.market.quote(instrument)

    async def execute() -> Reply:
        order = await desk.submit(request, preview)
        lines = [outcome(order, preview.mode, preview.simulated, await desk.fills(account))]
        if order.status is OrderStatus.FILLED:
            now = guards.by_hand(await desk.portfolio(account), instrument)
            if now is not None and guards.guard_of(now) and preview.mode == "PAPER":
                amount = f"all {wording.quantity(now.quantity, instrument.base)}"
                lines += [f"{row}: {what}." for row, what in guards.told(guards.guard_of(now), instrument, amount)]
                lines += replaced(request, before, instrument)
            if isinstance(request.type, Bracket) and preview.mode == "LIVE":
                lines += [f"{row}: {what}." for row, what in protection(request, before, held, order.filled)]
        elif not order.status.final:
            lines += [f"{row}: {what}." for row, what in protection(request, before, held, preview.quantity)]
        return [Text(" ".join(lines), tone_of(order))]

    return Proposal(
        f"{subject[0].upper()}{subject[1:]}?",
        (
            *venue_facts(ctx, instrument),
            *facts_of(preview),
            *protection(request, before, held, preview.quantity),
            *account_facts(preview),
        ),
        execute,
        subject,
        preview.mode,
        (*filter(None, [elsewhere]), *warnings_of(preview, side, limit, quote.last, instrument)),
        f"{side.capitalize()} {name.upper()}",
        seconds=SECONDS,
    )


def account_at(ctx: Context, instrument: Instrument) -> str:
    """The account an order for the instrument belongs to: the caller's own, or the one at the venue that they named."""
    return (
        ctx.account if instrument.venue == ctx.venue else ctx.services.desk.account_for(ctx.user.id, instrument.venue)
    )


async def held_at(ctx: Context, account: str, instrument: Instrument) -> tuple[str, Instrument]:
    """Where coins are sold: at a live account that is not armed, where they are there and not in the account meant.

    Selling what is held passes without arming, so that nobody has to arm an account to get out of it.
    """
    desk = ctx.services.desk
    if mode_of(account) == "LIVE" or guards.by_hand(await desk.portfolio(account), instrument) is not None:
        return account, instrument
    found: list[tuple[str, Instrument]] = []
    for each in desk.exposed(account):
        if instrument.venue not in (ctx.venue, venue_of(each)):  # another venue was named
            continue
        view = await desk.portfolio(each)
        for position in view.positions:
            listed = position.instrument
            if listed.symbol == instrument.symbol and guards.by_hand(view, listed) is not None:
                found.append((each, listed))
    at_venue = [each for each in found if venue_of(each[0]) == instrument.venue]
    return (at_venue or (found if len(found) == 1 else [(account, instrument)]))[0]


def venue_facts(ctx: Context, instrument: Instrument) -> list[tuple[str, str]]:
    """Where the order goes, where there is more than one place."""
    venues = ctx.services.venues
    real = [name for name in venues.names if not venues.venue(name).simulated]
    return [("Venue", instrument.venue)] if len(real) > 1 or instrument.venue != ctx.venue else []


async def offered(ctx: Context, out: Unavailable) -> tuple[Instrument, str]:
    """The same pair at the venue that is healthy, and what to say of it. Raises `out` unless the policy offers that."""
    other = out.details.get("other")
    if ctx.services.venues.policy.orders != "offer" or not other:
        raise out
    instrument = await ctx.services.market.instrument(str(other))
    return instrument, f"{out.message} This would be an order at {instrument.venue} instead."


def facts_of(preview: Preview) -> list[tuple[str, str]]:
    """What the order itself comes to."""
    request, instrument = preview.request, preview.request.instrument
    entry = request.type.entry if isinstance(request.type, Bracket) else request.type
    return [
        ("Amount", wording.quantity(preview.quantity, instrument.base)),
        (
            "Price",
            f"{'' if isinstance(entry, Limit) else 'about '}"
            f"{wording.price(preview.price, instrument)} {instrument.quote}",
        ),
        ("Total", wording.money(preview.notional, instrument.quote)),
        ("Fee", wording.money(preview.fee, instrument.quote)),
        ("Slippage", wording.percent(preview.slippage)),
        (f"{instrument.base} afterwards", f"{wording.percent(preview.exposure_after, 1)} of your equity"),
    ]


def account_facts(preview: Preview) -> list[tuple[str, str]]:
    """What was looked at around the order."""
    facts = []
    if preview.checks:
        count = len(preview.checks)
        names = ", ".join(check.name for check in preview.checks)
        facts.append(("Limits checked", f"{count} of {count} kept: {names}"))
    if preview.simulated:
        facts.append(("Market", f"{wording.SIMULATED} prices"))
    return facts


def protection(request: OrderRequest, before: guards.Guard, held: Decimal, quantity: Decimal) -> list[tuple[str, str]]:
    """What protects the position, or on live accounts a part of it, once the order has filled."""
    match request.type:
        case Bracket(_, stop, target, trail):
            if mode_of(request.account) == "LIVE":  # it watches what this order buys, and nothing else
                whole = wording.quantity(held + quantity, request.instrument.base)
                amount = f"{wording.quantity(quantity)} of the {whole} you then hold"
                return guards.told(guards.Guard(stop, target, trail), request.instrument, amount)
            return guards.brought(guards.Guard(stop, target, trail), before, held, quantity, request.instrument)
        case _ if mode_of(request.account) == "LIVE":  # its orders sell what they were placed for, no more
            return []
        case _ if request.side is Side.BUY:
            return guards.brought(guards.Guard(), before, held, quantity, request.instrument)
        case _:
            return guards.left(before, held, quantity, request.instrument)


def replaced(request: OrderRequest, before: guards.Guard, instrument: Instrument) -> list[str]:
    """Says which earlier prices an order's protection took the place of."""
    if not isinstance(request.type, Bracket):
        return []
    new = request.type
    gone = [
        guards.shown(name, old, instrument)
        for name, old, given in (("Stop", before.stop, new.stop), ("Target", before.target, new.target))
        if old is not None and given is not None
    ]
    return [f"It replaces your {wording.listed(gone)}."] if gone else []


def warnings_of(
    preview: Preview, side: Side, limit: Decimal | None, last: Decimal, instrument: Instrument
) -> list[str]:
    """What a person should know before a yes; what the facts say already is left out."""
    warnings = [each for each in preview.warnings if not each.startswith("Simulated market")]
    if limit is not None and (side is Side.SELL or limit < last):  # a buy far above is refused by the collar
        warnings += far_away(limit, last, instrument)
    return warnings


def far_away(limit: Decimal, last: Decimal, instrument: Instrument) -> list[str]:
    """Warns of a limit that looks like a slip of the finger."""
    distance = limit / last - 1 if last else Decimal(0)
    if abs(distance) < FAR:
        return []
    where = "above" if distance > 0 else "below"
    return [
        f"The limit is {wording.percent(abs(distance), 0)} {where} the market price of "
        f"{wording.price(last, instrument)}."
    ]


async def other_reading(ctx: Context, request: OrderRequest, refused: RiskRefused) -> Reply:
    """Asks about 1,000 where 1.000 is all that the account could pay for. Raises what refused it otherwise."""
    quantity = request.quantity
    if quantity is None or not GROUPED.search(ctx.line) or f"{quantity:,.0f}" not in ctx.line:
        raise refused
    smaller = request.instrument.quantity(quantity / 1000)
    try:
        await ctx.services.desk.preview(replace(request, quantity=smaller))
    except AppError:
        raise refused from None
    name = request.instrument.base
    line = GROUPED.sub(lambda found: plain(smaller) if found[0] == f"{quantity:,.0f}" else found[0], ctx.line, count=1)
    question = f"{refused.message} I read {quantity:,.0f} {name}. Did you mean {plain(smaller)} {name}?"
    return [Choices(question, (Choice(line, line),))]
