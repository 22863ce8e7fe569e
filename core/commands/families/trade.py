"""Buying and selling: every order is previewed, confirmed once, and then sent once."""

from decimal import Decimal

from core import wording
from core.accounts import Role
from core.commands.confirmations import SECONDS, Proposal
from core.commands.context import Context
from core.commands.converters import Share
from core.commands.registry import command
from core.errors import InvalidInput, NotFound
from core.market.instrument import Instrument
from core.reply import Block, Choice, Choices, Reply, Table, Text, Tone
from core.trading.orders import Bracket, Limit, Order, OrderRequest, OrderStatus, Side, Stop, StopLimit, TrailingStop

FAR = Decimal("0.2")  # a limit this far from the market gets a warning


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    aliases=("b",),
    examples=("buy 0.1 btc", "buy $500 of eth", "buy 0.1 btc at 60k stop 55k target 70k", "/buy BTC 0.1 limit=60000"),
)
async def buy(
    ctx: Context,
    instrument: Instrument,
    quantity: Decimal | None = None,
    *,
    spend: Decimal | None = None,
    fraction: Share | None = None,
    limit: Decimal | None = None,
    stop: Decimal | None = None,
    target: Decimal | None = None,
) -> Reply | Proposal:
    """Buys a coin, after a preview that you confirm.

    instrument: the coin, such as btc
    quantity: how much of the coin
    spend: how much money instead, e.g. spend=500
    fraction: a share of your free cash instead, e.g. fraction=50%
    limit: buy at this price or below; at the market when not said
    stop: sell again if the price falls to this
    target: sell again when the price rises to this
    """
    return await ticket(ctx, Side.BUY, instrument, quantity, spend, fraction, limit, stop, target)


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    aliases=("s",),
    examples=("sell 0.1 btc", "sell half my eth", "sell all my sol at 200", "put a stop at 55000 on btc"),
)
async def sell(
    ctx: Context,
    instrument: Instrument,
    quantity: Decimal | None = None,
    *,
    spend: Decimal | None = None,
    fraction: Share | None = None,
    limit: Decimal | None = None,
    stop: Decimal | None = None,
    target: Decimal | None = None,
) -> Reply | Proposal:
    """Sells a coin you hold, after a preview that you confirm.

    instrument: the coin, such as btc
    quantity: how much of the coin
    spend: coins for this much money instead, e.g. spend=500
    fraction: a share of what you hold instead, e.g. fraction=50% or fraction=all
    limit: sell at this price or above; at the market when not said
    stop: wait, and sell if the price falls to this
    target: wait, and sell when the price rises to this
    """
    return await ticket(ctx, Side.SELL, instrument, quantity, spend, fraction, limit, stop, target)


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
    desk = ctx.services.desk
    request = await desk.draft(
        ctx.account,
        side,
        instrument,
        quantity=quantity,
        spend=spend,
        fraction=fraction,
        limit=limit,
        stop=stop,
        target=target,
    )
    preview = await desk.preview(request)
    request = preview.request
    subject = f"{side} {wording.quantity(preview.quantity, instrument.base)}{kind_of(request)}"
    facts = [
        ("Amount", wording.quantity(preview.quantity, instrument.base)),
        (
            "Price",
            f"{'' if isinstance(request.type, Limit) else 'about '}"
            f"{wording.price(preview.price, instrument)} {instrument.quote}",
        ),
        ("Total", wording.money(preview.notional, instrument.quote)),
        ("Fee", wording.money(preview.fee, instrument.quote)),
        ("Slippage", wording.percent(preview.slippage)),
        (f"{instrument.base} afterwards", f"{wording.percent(preview.exposure_after, 1)} of your equity"),
        *protection(request, instrument),
    ]
    if preview.checks:
        count = len(preview.checks)
        names = ", ".join(check.name for check in preview.checks)
        facts.append(("Limits checked", f"{count} of {count} kept: {names}"))
    if preview.simulated:
        facts.append(("Market", f"{wording.SIMULATED} prices"))
    # the facts say it already
    warnings = [each for each in preview.warnings if not each.startswith("Simulated market")]
    if limit is not None:
        warnings += far_away(side, limit, (await ctx.services.market.quote(instrument)).last, instrument)

    async def execute() -> Reply:
        order = await desk.submit(request, preview)
        return [Text(outcome(order, preview.mode, preview.simulated), tone_of(order))]

    return Proposal(
        f"{subject[0].upper()}{subject[1:]}?",
        tuple(facts),
        execute,
        subject,
        preview.mode,
        tuple(warnings),
        f"{side.capitalize()} {name.upper()}",
        seconds=SECONDS,
    )


def far_away(side: Side, limit: Decimal, last: Decimal, instrument: Instrument) -> list[str]:
    """Warns of a limit that looks like a slip of the finger."""
    distance = limit / last - 1 if last else Decimal(0)
    if abs(distance) < FAR:
        return []
    where = "above" if distance > 0 else "below"
    return [
        f"The limit is {wording.percent(abs(distance), 0)} {where} the market price of "
        f"{wording.price(last, instrument)}."
    ]


def kind_of(request: OrderRequest) -> str:
    """' at 60,000' for limits, ' at the market', ' if the price falls to 55,000' …"""
    show = request.instrument
    match request.type:
        case Limit(price) | Bracket(entry=Limit(price)):
            return f" at {wording.price(price, show)}"
        case Stop(trigger):
            return (
                f" if the price {'falls' if request.side is Side.SELL else 'rises'} to {wording.price(trigger, show)}"
            )
        case StopLimit(trigger, price):
            return f" at {wording.price(price, show)} once the price reaches {wording.price(trigger, show)}"
        case TrailingStop():
            return " by a trailing stop"
        case _:
            return " at the market"


def protection(request: OrderRequest, instrument: Instrument) -> list[tuple[str, str]]:
    """The protection an entry brings along."""
    if not isinstance(request.type, Bracket):
        return []
    found = []
    if request.type.stop is not None:
        found.append(("Stop", f"sells if the price falls to {wording.price(request.type.stop, instrument)}"))
    if request.type.target is not None:
        found.append(("Target", f"sells when the price rises to {wording.price(request.type.target, instrument)}"))
    return found


def outcome(order: Order, mode: str, simulated: bool) -> str:
    """What became of a submitted order, in a sentence."""
    request, instrument = order.request, order.request.instrument
    badge = wording.badge(mode, simulated)
    verb = "Bought" if request.side is Side.BUY else "Sold"
    amount = wording.quantity(order.filled, instrument.base)
    match order.status:
        case OrderStatus.FILLED:
            at = f"{wording.price(order.average_price or 0, instrument)} {instrument.quote}"
            fee = wording.money(order.fees, instrument.quote)
            guard = " ".join(f"{name}: {what}." for name, what in protection(request, instrument))
            return f"{verb} {amount} at {at}, fee {fee}. Order {order.number}, {badge}. {guard}".rstrip()
        case OrderStatus.PARTIAL:
            return f"{verb} {amount} so far; the rest of order {order.number} is open. {badge}."
        case OrderStatus.REJECTED:
            return f"Order {order.number} was refused: {order.reason or 'no reason was given'} {badge}."
        case OrderStatus.CANCELLED | OrderStatus.EXPIRED:
            return f"Order {order.number} ended without a fill: {order.reason or order.status.value} {badge}."
        case OrderStatus.UNKNOWN:
            return (
                f"It is not known yet whether order {order.number} arrived. It is being looked up and "
                f"will not be sent again. {badge}."
            )
        case _:
            size = wording.quantity(request.quantity or request.estimate, instrument.base)
            return f"Order {order.number} is placed: {request.side} {size}{kind_of(request)}. {badge}."


def tone_of(order: Order) -> Tone:
    """How the outcome feels."""
    if order.status in (OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.UNKNOWN):
        return "warning"
    return "good"


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
    ),
)
async def orders(ctx: Context, *words: str) -> Reply:
    """Lists your open orders; `orders all` lists the finished ones too."""
    everything = "all" in words
    found = await ctx.services.desk.orders(ctx.account, open_only=not everything, limit=30)
    view = await ctx.services.desk.portfolio(ctx.account)
    rows = tuple(
        (
            str(order.number),
            f"{order.request.side} "
            f"{wording.quantity(order.request.quantity or order.request.estimate, order.request.instrument.base)}",
            kind_of(order.request).strip(),
            order.status.value.replace("_", " "),
        )
        for order in found
    )
    title = f"{'Orders' if everything else 'Open orders'} ({wording.badge(view.mode, view.simulated)})"
    table = Table(title, ("No.", "Order", "How", "State"), rows, (0,), "No open orders.")
    offers = tuple(
        Choice(f"Cancel {order.number}", f"cancel {order.number}") for order in found[:5] if not order.status.final
    )
    return [table, Choices("Cancel one?", offers)] if offers else [table]


@command(
    family="trade",
    role=Role.TRADER,
    private=True,
    examples=("cancel 3", "cancel all orders"),
    phrases=(
        "(cancel|withdraw|kill|remove|delete) [my|the] [order|limit order] [number|no] {order}",
        "(cancel|withdraw) order [number] {order}",
        "cancel {order} [order]",
        "(cancel|withdraw|remove|delete) [all] [of] [my|the] [open] {instrument} (order|orders)",
        "(cancel|withdraw|kill|remove|delete) (all|everything|all [of] [my|the] [open|pending] "
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
    badge = wording.badge(view.mode, view.simulated)
    found = await desk.orders(ctx.account, open_only=True, limit=200)
    if instrument is not None:
        found = [each for each in found if each.request.instrument == instrument]
    if not order and instrument is None:
        if not found:
            return [Text("There is no open order to cancel.")]
        choices = tuple(
            Choice(
                f"{each.number}: {each.request.side} {each.request.instrument.base}{kind_of(each.request)}",
                f"cancel {each.number}",
            )
            for each in found[:8]
        )
        return [Choices("Which order should I cancel?", (*choices, Choice("All of them", "cancel all")))]
    if instrument is not None or order.lower() in ("all", "everything"):
        done = [await desk.cancel(ctx.account, str(each.number)) for each in found]
        if not done:
            return [Text("There is no open order to cancel.")]
        return [
            Text(
                f"Cancelled {wording.plural(len(done), 'order')}: "
                f"{wording.listed([str(each.number) for each in done])}. {badge}.",
                "good",
            )
        ]
    number = order.lstrip("#")
    if not number.isdigit():
        raise InvalidInput(
            f"'{order[:40]}' is not the number of an order.",
            hint="Write cancel 3, or cancel all; orders lists them.",
            value=order[:40],
        )
    if not any(each.number == int(number) for each in found):
        numbers = [str(each.number) for each in found]
        hint = (
            f"Open {'is' if len(numbers) == 1 else 'are'} {wording.listed(numbers)}."
            if numbers
            else "No order is open."
        )
        raise NotFound(f"There is no open order {number}.", hint=hint)
    ended = await desk.cancel(ctx.account, number)
    return [
        Text(
            f"Cancelled order {ended.number}: {ended.request.side} "
            f"{ended.request.instrument.base}{kind_of(ended.request)}. {badge}.",
            "good",
        )
    ]


@command(
    family="trade",
    role=Role.TRADER,
    private=True,
    examples=("panic",),
    phrases=(
        "(close|sell|stop|exit|liquidate|dump|flatten|kill|halt) (everything|it all|all)",
        "(close|flatten|exit|sell) all [my|the|of my] (positions|coins|holdings|trades)",
        "(close|flatten|exit) my (positions|account)",
        "emergency [stop]",
        "get me out [of everything|now]",
        "flatten",
        "(stop|halt) (all trading|trading)",
        "sell all [of] my (coins|crypto|stuff)",
        "kill switch",
        "sell everything [i (have|own)]",
    ),
)
async def panic(ctx: Context) -> Reply | Proposal:
    """Stops everything: cancels all orders and stops all strategies, then asks whether to sell what you hold."""
    desk = ctx.services.desk
    done = await desk.panic(ctx.account)
    view = await desk.portfolio(ctx.account)
    badge = wording.badge(view.mode, view.simulated)
    strategies = "1 strategy" if len(done.stopped) == 1 else f"{len(done.stopped)} strategies"
    told = Text(
        f"Stopped: {wording.plural(len(done.cancelled), 'order')} cancelled, {strategies} stopped. "
        f"Nothing new is bought until you write resume. {badge}.",
        "warning",
    )
    held = [each for each in done.positions if each.quantity]
    if not held:
        return [told, Text("You hold no coins, so there is nothing to sell.")]
    facts = tuple(
        (
            wording.quantity(each.quantity, each.instrument.base),
            f"worth {wording.money(each.value, each.instrument.quote)}",
        )
        for each in held
    )

    async def execute() -> Reply:
        sold = await desk.flatten(ctx.account)
        lines: list[Block] = [Text(outcome(order, view.mode, view.simulated), tone_of(order)) for order in sold]
        after = await desk.portfolio(ctx.account)
        left = wording.money(after.equity, after.currency)
        return [*lines, Text(f"Everything is sold. Your account is worth {left}. {badge}.", "good")]

    return Proposal(
        "Sell everything you hold at the market, too?",
        facts,
        execute,
        "sell everything",
        view.mode,
        (),
        "Sell everything",
        "Keep it",
        before=(told,),
    )
