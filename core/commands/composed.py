"""Composed orders: the preview of an order of any type, and what became of it."""

from collections.abc import Sequence
from decimal import Decimal

from core import wording
from core.commands.confirmations import SECONDS, Proposal
from core.commands.context import Context
from core.commands.outcomes import kind_of, outcome, tone_of
from core.commands.tickets import account_facts, facts_of
from core.engine.views import Preview
from core.market.instrument import Instrument
from core.reply import Reply, Text
from core.trading.orders import Bracket, OneCancelsOther, OrderType, Side, TrailingStop

PROCESS = "Stops live in this process"


async def composed(
    ctx: Context,
    side: Side,
    instrument: Instrument,
    kind: OrderType,
    quantity: Decimal | None,
    spend: Decimal | None = None,
    fraction: Decimal | None = None,
    facts: Sequence[tuple[str, str]] = (),
) -> Reply | Proposal:
    """The preview of the order, or a question when it is not sized. facts: rows that only this type has"""
    if sum(size is not None for size in (quantity, spend, fraction)) != 1:
        name = instrument.base.lower()
        return [Text(f"How much {instrument.base}? Say one amount, for example 0.1 {name}, spend=500 or fraction=50%.")]
    desk = ctx.services.desk
    request = await desk.compose(ctx.account, side, instrument, kind, quantity=quantity, spend=spend, fraction=fraction)
    preview = await desk.preview(request)
    request = preview.request
    subject = f"{side} {wording.quantity(preview.quantity, instrument.base)}{kind_of(request)}"

    async def execute() -> Reply:
        order = await desk.submit(request, preview)
        placed = [each for each in await desk.orders(ctx.account, limit=500) if each.request.parent == order.id]
        lines = [outcome(order, preview.mode, preview.simulated)]
        if placed and not order.status.final:
            count = wording.plural(len(placed), "order")
            lines.append(f"{count} of it {'rests' if len(placed) == 1 else 'rest'} at the venue now.")
        return [Text(" ".join(lines), tone_of(order))]

    rows = [("Each", why) if not what else (what, why) for what, why in facts]
    return Proposal(
        f"{subject[0].upper()}{subject[1:]}?",
        (*worst(preview), *rows, *desk.homes(request), *account_facts(preview)),
        execute,
        subject,
        preview.mode,
        tuple(each for each in preview.warnings if not each.startswith(("Simulated market", PROCESS))),
        f"{side.capitalize()} {instrument.base}",
        seconds=SECONDS,
    )


def worst(preview: Preview) -> list[tuple[str, str]]:
    """What the order comes to, in the worst case where its price is not sure."""
    facts = facts_of(preview)
    if isinstance(preview.request.type, OneCancelsOther | TrailingStop | Bracket):
        return [("Price at worst" if name == "Price" else name, value) for name, value in facts]
    return facts
