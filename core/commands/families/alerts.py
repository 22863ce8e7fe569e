"""Price alerts: set, list, remove. They fire once, wherever their owner can be reached."""

from decimal import Decimal
from typing import Literal

from core import wording
from core.commands.context import Context
from core.commands.registry import command
from core.errors import InvalidInput, NotFound
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Reply, Table, Text


@command(
    family="alerts",
    aliases=("notify", "alarm"),
    examples=("alert me when eth drops below 2500", "alert btc above 70000"),
)
async def alert(
    ctx: Context,
    instrument: Instrument,
    condition: Literal["above", "below"] | None = None,
    price: Decimal | None = None,
) -> Reply:
    """Tells you when a price is reached, once.

    instrument: the coin to watch
    condition: above or below; taken from the present price when not said
    price: the price to wait for
    """
    if price is None:
        return [Text(f"At which price of {instrument.base}? Write it like this: alert eth below 2500.")]
    if price <= 0:
        raise InvalidInput("The price of an alert must be above zero.", value=str(price))
    quote = await ctx.services.market.quote(instrument)
    condition = condition or ("above" if price > quote.last else "below")
    level = f"{wording.price(price)} {instrument.quote}"
    now = f"It is at {wording.price(quote.last, instrument)} now{' (SIMULATED)' if quote.simulated else ''}."
    if (quote.last >= price) if condition == "above" else (quote.last <= price):
        return [Text(f"{instrument.base} is {condition} {level} already. {now} No alert is set.", "warning")]
    made = await ctx.services.alerts.add(ctx.user.id, instrument, condition, price, quote.last)
    return [
        Text(f"Alert {made.id} is set: I tell you when {instrument.base} is {condition} {level}. {now}", "good"),
        Choices("Changed your mind?", (Choice("Remove it", f"delete alert {made.id}"),)),
    ]


@command(
    family="alerts",
    private=True,
    examples=("alerts",),
    phrases=(
        "[(show|list|see|get|give) [me]] [all|my|the] [my] [open|active|price|set] alerts",
        "what alerts (do i have|are set|are active|have i set) [set]",
        "what are my [price] alerts",
        "do i have [any] alerts [set]",
        "which alerts (do i have|are set|are active)",
        "list all alerts",
    ),
)
async def alerts(ctx: Context) -> Reply:
    """Lists your alerts."""
    everything = await ctx.services.alerts.list(ctx.user.id, waiting_only=False)
    found = [each for each in everything if each.fired is None]
    found += [each for each in everything if each.fired is not None][-5:]
    rows = tuple(
        (
            str(each.id),
            f"{symbol_of(each.instrument)} {each.condition} {wording.price(each.threshold)}",
            "waiting" if each.fired is None else f"fired {wording.moment(each.fired)}",
        )
        for each in found
    )
    table = Table(
        "Alerts", ("No.", "When", "State"), rows, (0,), "No alerts. To set one: alert me when eth drops below 2500."
    )
    offers = tuple(Choice(f"Remove {each.id}", f"delete alert {each.id}") for each in found[:5] if each.fired is None)
    return [table, Choices("Remove one?", offers)] if offers else [table]


@command(
    family="alerts",
    private=True,
    name="unalert",
    aliases=("delete-alert", "remove-alert"),
    examples=("delete alert 1", "delete all alerts"),
    phrases=(
        "(delete|remove|cancel|drop|clear|withdraw|stop) [my|the] [price] (alert|alerts|alarm) [number|no] {order}",
        "(delete|remove|cancel|clear|drop) (alerts|[all] [of] [my|the] alerts)",
        "(delete|remove|cancel|drop|clear) [my|the] [price] (alert|alerts|alarm) {words:order}",
    ),
)
async def unalert(ctx: Context, order: str = "all") -> Reply:
    """Removes an alert.

    order: its number, or all
    """
    found = [each for each in await ctx.services.alerts.list(ctx.user.id) if each.fired is None]
    number = order.lstrip("#").lower()
    if number == "all":
        for each in found:
            await ctx.services.alerts.delete(ctx.user.id, each.id)
        return [Text(f"Removed {wording.plural(len(found), 'alert')}." if found else "You have no alerts.", "good")]
    if not number.isdigit():
        raise InvalidInput(
            f"'{order[:40]}' is not the number of an alert.",
            hint="Write delete alert 1; alerts lists them.",
            value=order[:40],
        )
    if not any(each.id == int(number) for each in found):
        known = wording.listed([str(each.id) for each in found])
        raise NotFound(f"You have no alert {number}.", hint=f"Yours: {known}." if known else "You have no alerts.")
    await ctx.services.alerts.delete(ctx.user.id, int(number))
    return [Text(f"Removed alert {number}.", "good")]


def symbol_of(instrument: object) -> str:
    """BTC/USDT of an instrument or of its key."""
    return instrument.symbol if isinstance(instrument, Instrument) else str(instrument).partition(":")[2]
