"""Order books: what lies at which price, over one venue or all; where an order of a size is done best."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from core import wording
from core.accounts import Role
from core.commands import guards
from core.commands.confirmations import SECONDS, Proposal
from core.commands.context import Context
from core.commands.converters import number
from core.commands.outcomes import outcome
from core.commands.registry import command
from core.engine.views import MANUAL, Preview
from core.errors import AppError, InvalidInput
from core.market.instrument import Instrument
from core.market.merged import NET, OUTLET, PRICE, SIZE, MergedBook
from core.market.splitting import Routed, best_execution, split
from core.money import ONE, ZERO
from core.reply import Block, Choice, Choices, Facts, Reply, Table, Text
from core.trading.orders import OrderRequest, OrderStatus, Side
from core.trading.purses import live_account, owner_of, venue_of

SHOWN = 10  # levels of each side
NEAR = 0.01  # depth is told within this fraction of the middle
ROOM = Decimal("1.01")  # money kept back for a market that moves between the preview and the orders

Scope = Literal["one", "all"]
Way = Literal["buy", "sell"]


@command(
    family="market",
    aliases=("orderbook", "depth", "dom"),
    examples=("book btc", "book btc all", "show me the order book of eth over all venues"),
    phrases=(
        "book {ticker}",
        "book {ticker} [(over|across|at|of|from)] [(all|every)] [the] (all|merged|combined|venues|exchanges)"
        "{scope=all}",
        "[(show|get|give) [me]] [the] (order book|orderbook|book|depth|market depth) [(of|for|on)] {ticker}",
        "[(show|get|give) [me]] [the] {ticker} (order book|orderbook|book|depth|market depth)",
        "[(show|get|give) [me]] [the] (merged|combined|whole|unified) (order book|orderbook|book|depth) "
        "[(of|for|on)] {ticker}{scope=all}",
        "[(show|get|give) [me]] [the] (order book|orderbook|book|depth) [(of|for|on)] {ticker} "
        "(over|across|at|of|from) (all|every) [the] (venues|exchanges|venue|exchange){scope=all}",
    ),
)
async def book(ctx: Context, instrument: Instrument, scope: Scope = "one", **rates: str) -> Reply:
    """Shows the order book of a coin, at its venue or merged over all venues after fees.

    instrument: a coin or a pair
    scope: one, or all for the books of all venues as one
    rates: of your currency per unit of another, to merge pairs in it: usdc=0.9998
    """
    services = ctx.services
    if scope == "all":
        return merged_reply(ctx, instrument, await services.books.merged(instrument, rates_of(rates)))
    answer = await services.venues.answered(instrument, services.books.fresh)
    found, instrument = answer.value, answer.instrument
    bids, asks = found.levels("bid", SHOWN).tolist(), found.levels("ask", SHOWN).tolist()
    rows = tuple(
        (*([wording.quantity(bid[1]), wording.price(bid[0], instrument)] if bid else ["", ""]),
         *([wording.price(ask[0], instrument), wording.quantity(ask[1])] if ask else ["", ""]))
        for bid, ask in paired(bids, asks)
    )  # fmt: skip
    blocks: list[Block] = [Text(answer.note, "warning")] if answer.note else []
    blocks.append(
        Table(
            f"{instrument.symbol} at {instrument.venue}{label(ctx, instrument)}",
            ("Bid size", "Bid", "Ask", "Ask size"),
            rows,
            (0, 1, 2, 3),
            "Nobody bids or asks.",
        )
    )
    if found.bid and found.ask:
        middle = (found.bid[0] + found.ask[0]) / 2
        within = [
            sum(level[0] * level[1] for level in found.levels(side).tolist() if abs(level[0] / middle - 1) <= NEAR)
            for side in ("bid", "ask")
        ]
        spread = found.ask[0] - found.bid[0]
        money = [wording.money(each, instrument.quote) for each in within]
        width = f"{wording.price(round(spread, 10), instrument)} {instrument.quote}"
        facts = (
            ("Spread", f"{width}, {wording.percent(spread / middle, 3)}"),
            ("Known depth within 1 %", f"bids {money[0]}, asks {money[1]}"),
        )
        age = services.books.age(instrument) or 0.0
        blocks.append(Facts("Depth", facts, f"From {instrument.venue}, heard {age:.1f} s ago."))
    name = instrument.base.lower()
    return [*blocks, Choices("More?", (Choice("All venues", f"book {name} all"), Choice("Price", f"price {name}")))]


def merged_reply(ctx: Context, instrument: Instrument, found: MergedBook) -> Reply:
    """Both sides of a merged book, best first after fees."""
    bids, asks = found.bids[:SHOWN].tolist(), found.asks[:SHOWN].tolist()
    rows = []
    for bid, ask in paired(bids, asks):
        rows.append((*told(found, bid, instrument), *reversed(told(found, ask, instrument))))
    columns = ("Venue", "Size", "Bid", "after fee", "after fee", "Ask", "Size", "Venue")
    title = f"{instrument.symbol} over {wording.plural(len(found.outlets), 'venue')}{label(ctx, instrument)}"
    blocks: list[Block] = [Table(title, columns, tuple(rows), (1, 2, 3, 4, 5, 6), "Nobody bids or asks.")]
    fees = [f"{each.venue} {wording.percent(each.fee)}" for each in found.outlets]
    rates = [
        f"{each.instrument.quote} at {wording.price(each.rate)} {found.quote}"
        for each in found.outlets
        if each.instrument.quote != found.quote
    ]
    lines = [f"Ordered by the price after taker fees ({', '.join(fees)})."]
    lines += [f"Converted: {wording.listed(rates)}."] if rates else []
    if bids and asks and bids[0][NET] > asks[0][NET]:
        lines.append("The best bid is above the best ask even after fees: see arbitrage.")
    return [*blocks, Text(" ".join([*lines, *found.left_out]))]


@command(
    family="market",
    aliases=("best-price", "cheapest"),
    examples=("best buy 2 btc", "where can i sell 3 eth best", "best sell 1 btc usdc=0.9998"),
    phrases=(
        "best {side} {size:quantity} [of] {ticker}",
        "[(what is|where is|show me|find)] [the] (best|cheapest) (price|place|venue|exchange|way|execution) "
        "(to|for) [(a|an)] {side} [of] {size:quantity} [of] {ticker}",
        "where (can|could|should|do) i {side} {size:quantity} [of] {ticker} [best|cheapest|cheap]",
        "best execution (to|for|of) {side} {size:quantity} [of] {ticker}",
        "best [(price|execution)] [(for|of)] {size:quantity} [of] {ticker}{side=buy}",
        "what would {size:quantity} {ticker} cost{side=buy}",
    ),
)
async def best(ctx: Context, side: Way, quantity: Decimal, instrument: Instrument, **rates: str) -> Reply:
    """Tells what an order of a size would cost over all venues: price, slippage, fees, and which part goes where.

    side: buy or sell
    quantity: how much of the coin
    instrument: the coin, such as btc
    rates: of your currency per unit of another, to use pairs in it: usdc=0.9998
    """
    found = await ctx.services.books.merged(instrument, rates_of(rates))
    routed = best_execution(found, side == "buy", quantity)
    blocks: list[Block] = [*estimate(ctx, routed, instrument, "Best execution")]
    if found.left_out:
        blocks.append(Text(" ".join(found.left_out)))
    size = wording.quantity(quantity)
    line = f"split {side} {size.replace(',', '')} {instrument.base.lower()}"
    return [*blocks, Choices("Do it?", (Choice("Preview it", line),))]


@command(
    family="trade",
    role=Role.TRADER,
    confirm=True,
    private=True,
    examples=("split buy 2 btc", "split sell 1 eth over all venues"),
    phrases=(
        "(split|spread|divide) {side} {size:quantity} [of] {ticker} "
        "[(over|across|between|among) [all] [the] [my] (venues|exchanges)]",
        "{side} {size:quantity} [of] {ticker} (split|spread|divided) "
        "(over|across|between|among) [all] [the] [my] (venues|exchanges)",
        "{side} {size:quantity} [of] {ticker} (over|across) [all] [the] [my] (venues|exchanges)",
    ),
)
async def split_(ctx: Context, side: Way, quantity: Decimal, instrument: Instrument) -> Reply | Proposal:
    """Places one order as a market order at each venue that has the best prices, after a preview that you confirm.

    side: buy or sell
    quantity: how much of the coin, of all parts together
    instrument: the coin, such as btc
    """
    found = await ctx.services.books.merged(instrument)
    budgets, purses, troubles = await means(ctx, found, Side(side))
    routed = split(found, side == "buy", quantity, budgets, purses)
    notes = [*troubles, *routed.notes, *found.left_out]
    if not routed.parts:
        raise InvalidInput(
            f"No venue can take a part of {wording.quantity(quantity, instrument.base)}. {' '.join(notes)}".strip(),
            hint="balance shows what is free.",
        )
    desk, previews = ctx.services.desk, list[Preview]()
    for part in routed.parts:
        target = part.outlet.instrument
        request = await desk.draft(account_at(ctx, target.venue), side, target, quantity=part.quantity)
        previews.append(await desk.preview(request))
    short = routed.missing > 0
    if short:
        notes.insert(
            0,
            f"Only {wording.quantity(routed.quantity, instrument.base)} of {wording.quantity(quantity)} find a place.",
        )
    modes = {preview.mode for preview in previews}
    mode = "LIVE" if "LIVE" in modes else previews[0].mode
    facts = (*figures(routed, instrument), *rows(routed, instrument))
    warnings = tuple(dict.fromkeys([*notes, *(each for preview in previews for each in preview.warnings)]))

    async def execute() -> Reply:
        told: list[Block] = []
        for preview in previews:
            told.append(await placed(ctx, preview.request, preview))
        return told

    subject = (
        f"{side} {wording.quantity(routed.quantity, instrument.base)} over {wording.plural(len(previews), 'venue')}"
    )
    return Proposal(
        f"{subject[0].upper()}{subject[1:]}, one market order each?",
        facts, execute, subject, mode, warnings, f"{side.capitalize()} {instrument.base}", seconds=SECONDS,
    )  # fmt: skip


async def placed(ctx: Context, request: OrderRequest, preview: Preview) -> Block:
    """Places one part; that it is refused does not keep the others from being placed."""
    venue = request.instrument.venue
    try:
        order = await ctx.services.desk.submit(request, preview)
    except AppError as refused:
        return Text(f"{venue}: {refused.sentence()}", "warning")
    good = order.status not in (OrderStatus.REJECTED, OrderStatus.UNKNOWN, OrderStatus.EXPIRED)
    fills = await ctx.services.desk.fills(request.account)
    return Text(f"{venue}: {outcome(order, preview.mode, preview.simulated, fills)}", "good" if good else "warning")


async def means(ctx: Context, found: MergedBook, side: Side) -> tuple[dict[str, Decimal], dict[str, str], list[str]]:
    """What each purse can spend, whose purse a venue uses, and why a venue has none.

    On paper one purse pays at all venues; coins lie where they were bought. Live, each venue has its own account.
    """
    budgets: dict[str, Decimal] = {}
    purses: dict[str, str] = {}
    troubles: list[str] = []
    for outlet in found.outlets:
        instrument, account = outlet.instrument, account_at(ctx, outlet.venue)
        if venue_of(account) and ctx.services.desk.account_for(owner_of(account), outlet.venue) != account:
            troubles.append(f"{outlet.venue} takes no part: your account there is not armed.")
            continue
        try:
            view = await ctx.services.desk.portfolio(account)
        except AppError as failed:
            troubles.append(f"{outlet.venue}: {failed.message}")
            continue
        if side is Side.BUY:
            manual = next((each.cash for each in view.ledgers if each.ledger == MANUAL), ZERO)
            purses[outlet.venue] = account
            budgets[account] = max(ZERO, manual - view.reserved) / ROOM
        else:
            position = guards.by_hand(view, instrument)
            budgets[outlet.venue] = ZERO if position is None else position.quantity
    return budgets, purses, troubles


def account_at(ctx: Context, venue: str) -> str:
    """The caller's account at the venue: the paper one for all while they trade on paper."""
    account = ctx.account
    return account if venue_of(account) is None else live_account(owner_of(account), venue)


def estimate(ctx: Context, routed: Routed, instrument: Instrument, title: str) -> list[Block]:
    """The figures of an order over venues, and its parts as a table."""
    what = f"{'buy' if routed.buy else 'sell'} {wording.quantity(routed.asked, instrument.base)}"
    if not routed.parts:
        return [Text(f"No venue has anything to {what} with now.", "warning")]
    parts = tuple(
        (
            part.outlet.venue,
            part.outlet.instrument.symbol,
            wording.quantity(part.quantity),
            wording.price(part.price, instrument),
            wording.price(part.worst, part.outlet.instrument),
            wording.money(part.fee, instrument.quote),
        )
        for part in routed.parts
    )
    columns = ("Venue", "Pair", "Part", "Average", "Last level", "Fee")
    return [
        Facts(
            f"{title}: {what}{label(ctx, instrument)}",
            tuple(figures(routed, instrument)),
            " ".join(routed.notes) or None,
        ),
        Table("Parts", columns, parts, (2, 3, 4, 5)),
    ]


def figures(routed: Routed, instrument: Instrument) -> list[tuple[str, str]]:
    """Price, slippage and fees of an order over venues."""
    quote = instrument.quote
    found = [
        ("Amount", wording.quantity(routed.quantity, instrument.base)),
        ("Expected price", f"{wording.price(routed.price, instrument)} {quote}"),
        (
            "Slippage",
            f"{wording.percent(routed.slippage, 3)} from the best price {wording.price(routed.touch, instrument)}",
        ),
        ("Total", wording.money(routed.notional, quote)),
        ("Fees", f"{wording.money(routed.fee, quote)}, {wording.percent(routed.fee / routed.notional)}"),
        ("After fees", f"{wording.price(routed.after_fees, instrument)} {quote} each"),
    ]
    if routed.missing > 0:
        found.append(
            ("Not to be had", f"{wording.quantity(routed.missing, instrument.base)}: the known books end there")
        )
    return found


def rows(routed: Routed, instrument: Instrument) -> list[tuple[str, str]]:
    """Each venue's part in a line."""
    return [
        (
            part.outlet.venue,
            f"{wording.quantity(part.quantity, instrument.base)} at about {wording.price(part.price, instrument)}, "
            f"fee {wording.money(part.fee, instrument.quote)}",
        )
        for part in routed.parts
    ]


def rates_of(given: Mapping[str, str]) -> dict[str, float]:
    """Rates by currency. Raises InvalidInput for what is no number above zero."""
    found = {}
    for name, text in given.items():
        rate = number(text, name)
        if not ONE / 1_000_000 < rate < 1_000_000:
            raise InvalidInput(f"A rate of {text[:40]} for {name.upper()} is not plausible.", hint="Write usdc=0.9998.")
        found[name.upper()] = float(rate)
    return found


def paired(bids: list[list[float]], asks: list[list[float]]) -> list[tuple[list[float] | None, list[float] | None]]:
    """Levels side by side, None where one side is shorter."""
    count = max(len(bids), len(asks))
    return [
        (bids[place] if place < len(bids) else None, asks[place] if place < len(asks) else None)
        for place in range(count)
    ]


def told(found: MergedBook, level: list[float] | None, instrument: Instrument) -> list[str]:
    """Venue, size, price and price after fees of a level; blanks where there is none."""
    if level is None:
        return [""] * 4
    prices = (wording.price(price, instrument) for price in (level[PRICE], round(level[NET], 10)))
    return [found.outlets[int(level[OUTLET])].venue, wording.quantity(level[SIZE]), *prices]


def label(ctx: Context, instrument: Instrument) -> str:
    return f" ({wording.SIMULATED})" if ctx.services.books.simulated(instrument.venue) else ""
