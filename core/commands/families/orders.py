"""Open orders: looking at them and cancelling them."""

from collections.abc import Callable

from core import wording
from core.accounts import Role
from core.commands import guards
from core.commands.context import Context
from core.commands.families import protection
from core.commands.outcomes import kind_of
from core.commands.registry import command
from core.errors import AppError, InvalidInput, NotFound
from core.market.instrument import Instrument
from core.reply import Block, Choice, Choices, Reply, Table, Text
from core.trading.orders import Bracket, Order, OrderRequest
from core.trading.purses import title_of, venue_of

PAPER = "paper"  # where an order is that is at no venue, in cancel 3@paper


@command(
    family="trade",
    private=True,
    aliases=("open-orders",),
    examples=("orders",),
    phrases=(
        "[(show|list|see|get) [me]] [all|my|the] [all|my|the] [open|pending|active|current|working] orders",
        "what orders (are open|do i have [open]|are pending)",
        "what are my [open] orders",
        "which orders are (open|pending)",
        "do i have [any] [open|pending] orders",
        "are there [any] open orders",
        "any open orders",
        "open orders",
        "(show|list|see|what (is|are)|where (is|are)) [me] (my|the) "
        "(stop|stops|target|targets|protection|stop loss|stop losses)",
        "[my] (stops|targets|protection|stop losses)",
    ),
)
async def orders(ctx: Context, *words: str) -> Reply:
    """Lists your open orders and what protects your coins; `orders all` lists the finished orders too."""
    everything, desk = "all" in words, ctx.services.desk
    view = await desk.portfolio(ctx.account)
    listed = f"{'Orders' if everything else 'Open orders'}"
    found = nested(await desk.orders(ctx.account, open_only=not everything, limit=30))
    blocks: list[Block] = [
        order_table(found, f"{listed} ({wording.badge(title_of(ctx.account), view.simulated)})", everything)
    ]
    guarded = protection.table(view)
    if guarded:
        blocks.append(Table("Protection", ("Pair", "What", "At"), tuple(guarded)))
    offers = [Choice(f"Cancel {order.number}", f"cancel {order.number}") for order in whole(found)[:5]]
    for account in desk.exposed(ctx.account):
        if there := nested(await desk.orders(account, open_only=True, limit=30)):
            blocks.append(order_table(there, f"Open orders ({desk.titled(account)})", False))
            offers += [
                Choice(f"Cancel {each.number} at {venue_of(account)}", f"/cancel {each.number}@{venue_of(account)}")
                for each in whole(there)[:5]
            ]
    return [*blocks, Choices("Cancel one?", tuple(offers))] if offers else blocks


def order_table(found: list[Order], title: str, everything: bool) -> Table:
    """The orders of one account. everything: finished ones, too, and why they ended"""
    ids = {order.id for order in found}
    rows = tuple(
        (
            str(order.number),
            f"{'└ ' if order.request.parent in ids else ''}{order.request.side} {amount_of(order)}",
            how(order.request),
            order.status.value.replace("_", " "),
            *((order.reason or "",) if everything else ()),
        )
        for order in found
    )
    columns = ("No.", "Order", "How", "State", *(("Why",) if everything else ()))
    return Table(title, columns, rows, (0,), "No orders yet." if everything else "No open orders.")


def whole(found: list[Order]) -> list[Order]:
    """The open ones that can be cancelled by themselves: parts end with the order they belong to."""
    ids = {order.id for order in found}
    return [order for order in found if order.request.parent not in ids and not order.status.final]


def nested(found: list[Order]) -> list[Order]:
    """The same orders, each order of several orders followed by those."""
    ids = {order.id for order in found}
    rows: list[Order] = []
    for order in found:
        if order.request.parent not in ids:
            rows += [order, *(child for child in reversed(found) if child.request.parent == order.id)]
    return rows


def amount_of(order: Order) -> str:
    """What was filled, of what was asked: '0.1 of 0.25 BTC'; what was asked until something is."""
    asked, base = order.request.quantity, order.request.instrument.base
    if not order.filled:
        return wording.quantity(asked or order.request.estimate, base)
    whole = asked is None or wording.quantity(asked) == wording.quantity(order.filled)
    return (
        wording.quantity(order.filled, base)
        if whole
        else (f"{wording.quantity(order.filled)} of {wording.quantity(asked or order.filled, base)}")
    )


def how(request: OrderRequest) -> str:
    """'at 50,000.00, stop 45,000.00, target 70,000.00': how it trades, and what it brings to protect its coins."""
    kind = kind_of(request).strip()
    match request.type:
        case Bracket(_, stop, target, trail):
            return f"{kind}, {guards.short(guards.Guard(stop, target, trail), request.instrument)}"
        case _:
            return kind


@command(
    family="trade",
    role=Role.TRADER,
    private=True,
    examples=("cancel 3", "cancel all orders"),
    phrases=(
        "(cancel|kill|remove|delete) [my|the] [order|limit order] [number|no] {order}",
        "(cancel|withdraw) order [number] {order}",
        "cancel {order} [order]",
        "(cancel|withdraw|remove|delete) [all] [of] [my|the] [open] {instrument} (order|orders)",
        "cancel (all|everything){order=all}",
        "(cancel|withdraw|kill|remove|delete|close|clear) (all [of] [my|the] [open|pending] "
        "orders|[my|the] [open] orders|every order){order=all}",
    ),
)
async def cancel(ctx: Context, order: str = "", *, instrument: Instrument | None = None) -> Reply:
    """Cancels an open order.

    order: its number, or all
    instrument: only the orders of this coin, e.g. instrument=btc
    """
    desk = ctx.services.desk
    view = await desk.portfolio(ctx.account)
    found = [(ctx.account, each) for each in whole(await desk.orders(ctx.account, open_only=True, limit=200))]
    for account in desk.exposed(ctx.account):
        found += [(account, each) for each in whole(await desk.orders(account, open_only=True, limit=200))]
    if instrument is not None:
        found = [each for each in found if each[1].request.instrument.symbol == instrument.symbol]

    def badge(account: str) -> str:
        return wording.badge(title_of(ctx.account), view.simulated) if account == ctx.account else desk.titled(account)

    def choice(account: str, each: Order) -> Choice:
        name = f"{each.number}: {each.request.side} {each.request.instrument.base}{kind_of(each.request)}"
        if account == ctx.account and sum(other.number == each.number for _, other in found) == 1:
            return Choice(name, f"cancel {each.number}")
        return Choice(f"{name}, {badge(account)}", f"/cancel {each.number}@{venue_of(account) or PAPER}")

    if not order and instrument is None:
        if not found:
            return [Text("There is no open order to cancel.")]
        choices = tuple(choice(*each) for each in found[:8])
        return [Choices("Which order should I cancel?", (*choices, Choice("All of them", "cancel all")))]
    if instrument is not None or order.lower() in ("all", "everything"):
        if not found:
            return [Text("There is no open order to cancel.")]
        return await cancel_each(ctx, found, badge)
    number, _, where = order.lstrip("#").partition("@")
    if not number.isdigit():
        raise InvalidInput(
            f"'{order[:40]}' is not the number of an order.",
            hint="Write cancel 3, or cancel all; orders lists them.",
            value=order[:40],
        )
    meant = [
        (account, each)
        for account, each in found
        if each.number == int(number) and where.lower() in ("", venue_of(account) or PAPER)
    ]
    if len(meant) > 1:
        return [Choices(f"Which order {number}?", tuple(choice(*each) for each in meant))]
    if not meant:
        numbers = [str(each.number) for _, each in found]
        hint = (
            f"Open {'is' if len(numbers) == 1 else 'are'} {wording.listed(numbers)}."
            if numbers
            else "No order is open."
        )
        raise NotFound(f"There is no open order {number}{f' at {where}' if where else ''}.", hint=hint)
    account, _ = meant[0]
    ended = await desk.cancel(account, meant[0][1].id)
    return [
        Text(
            f"Cancelled order {ended.number}: {ended.request.side} "
            f"{ended.request.instrument.base}{kind_of(ended.request)}. {badge(account)}.",
            "good",
        ),
        *unprotected(ended),
    ]


def unprotected(ended: Order) -> list[Block]:
    """What is left behind by a cancelled order: coins that nothing protects now."""
    left = (ended.reason or "").removeprefix("Cancelled on request.").strip()
    return [Text(left, "warning")] if left else []


async def cancel_each(ctx: Context, found: list[tuple[str, Order]], badge: Callable[[str], str]) -> Reply:
    """Cancels them, and says which, account by account; one that cannot be cancelled keeps no other."""
    blocks: list[Block] = []
    for account in dict.fromkeys(account for account, _ in found):
        done, failed = list[Order](), list[str]()
        for each in [order for owner, order in found if owner == account]:
            try:
                done.append(await ctx.services.desk.cancel(account, each.id))
            except AppError as refused:
                failed.append(f"Order {each.number}: {refused.sentence()}")
        if done:
            numbers = wording.listed([str(each.number) for each in done])
            blocks.append(Text(f"Cancelled {wording.plural(len(done), 'order')}: {numbers}. {badge(account)}.", "good"))
            blocks += [text for each in done for text in unprotected(each)]
        if failed:
            blocks.append(Text(f"{' '.join(failed)} {badge(account)}.", "warning"))
    return blocks
