"""Orders of several orders: one cancels the other, brackets, trailing stops, icebergs, slices, ladders and grids."""

import re
from decimal import Decimal
from typing import Literal

from core import wording
from core.accounts import Role
from core.commands import converters
from core.commands.composed import composed
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.converters import Share
from core.commands.registry import command
from core.engine.synthetics.grid import prices_of
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.reply import Reply
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Limit,
    Market,
    OneCancelsOther,
    Side,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip

Direction = Literal["buy", "sell"]
TENTH = Share(Decimal("0.1"))
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str) -> int:
    """'2h', '90m', '1h30m', '1 day' in seconds. Raises InvalidInput."""
    found = re.findall(r"(\d+)\s*(s|m|h|d)[a-z]*", text.strip().lower())
    if not found or re.sub(r"(\d+)\s*(s|m|h|d)[a-z]*\s*", "", text.strip().lower()):
        raise InvalidInput(
            f"'{text[:40]}' is not a length of time.", hint="Write it like 30m, 2h or 1d.", value=text[:40]
        )
    return sum(int(count) * UNITS[unit] for count, unit in found)


def numbers(text: str, name: str) -> tuple[Decimal, ...]:
    """'58k,56k,54000' as numbers. Raises InvalidInput."""
    return tuple(converters.number(part, name) for part in re.split(r"[;,]\s*(?!\d{3}(?:\D|$))|[;\s]+", text) if part)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True,
    examples=("oco sell 0.1 btc target=70000 stop=55000", "oco buy 0.1 btc price=50000 stop=65000"),
)  # fmt: skip
async def oco(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    target: Decimal | None = None, price: Decimal | None = None, stop: Decimal, limit: Decimal | None = None,
    spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Places a limit and a stop over the same coins; what is reached first cancels the other.

    side: buy or sell
    instrument: the coin, such as btc
    quantity: how much of the coin
    target: the price to sell at when it rises (price= says the same)
    price: the price to buy at when it falls
    stop: the price at which it is given up: sold when it falls, bought when it rises
    limit: makes the stop a limit order at this price, which may then stay unfilled
    spend: how much money instead of a quantity
    fraction: a share of what you hold, or of your cash, instead
    """
    wanted = target if target is not None else price
    if wanted is None or (target is not None and price is not None):
        raise InvalidInput("An OCO order needs one target, and a stop.", hint="For example target=70000 stop=55000.")
    return await composed(ctx, Side(side), instrument, OneCancelsOther(wanted, stop, limit), quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True, aliases=("trailing",),
    examples=("trail sell 0.1 btc by=3% from=65000", "trail sell 0.1 btc by=500"),
)  # fmt: skip
async def trail(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    by: str, from_: Decimal | None = None, spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Places a trailing stop: it follows the best price at a distance, and trades when the price turns by that much.

    side: sell follows the price upwards, buy downwards
    instrument: the coin, such as btc
    quantity: how much of the coin
    by: how far behind the best price: 3% of it, or 500 in money
    from: it begins to follow when the price gets there; at once when not said
    spend: how much money instead of a quantity
    fraction: a share of what you hold, or of your cash, instead
    """
    if by.strip().endswith("%"):
        kind = TrailingStop(fraction=converters.share(by, "by"), activation=from_)
    else:
        kind = TrailingStop(distance=converters.number(by, "by"), activation=from_)
    return await composed(ctx, Side(side), instrument, kind, quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True, aliases=("stop-limit",),
    examples=("stoplimit sell 0.1 btc stop=55000 price=54800",),
)  # fmt: skip
async def stoplimit(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    stop: Decimal, price: Decimal, spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Places a limit order once the market reaches a stop price; if the price jumps past the limit it stays unfilled.

    side: buy or sell
    instrument: the coin, such as btc
    quantity: how much of the coin
    stop: the price that sets it off
    price: the limit at which it then trades, or better
    spend: how much money instead of a quantity
    fraction: a share of what you hold, or of your cash, instead
    """
    return await composed(ctx, Side(side), instrument, StopLimit(stop, price), quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True,
    examples=("bracket 0.1 btc stop=55000 target=70000", "bracket 0.1 btc price=58000 stop=55000 trail=5%"),
)  # fmt: skip
async def bracket(
    ctx: Context, instrument: Instrument, quantity: Decimal | None = None, *,
    price: Decimal | None = None, stop: Decimal | None = None, target: Decimal | None = None,
    trail: Share | None = None, spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Buys a coin and protects what was bought with a stop, a target or a trailing stop; one cancels the other.

    instrument: the coin, such as btc
    quantity: how much of the coin
    price: buy at this price or below; at the market when not said
    stop: sell again if the price falls to this
    target: sell again when the price rises to this
    trail: sell again if the price falls this share from its best, e.g. trail=5%
    spend: how much money instead of a quantity
    fraction: a share of your cash instead
    """
    if stop is target is trail is None:
        raise InvalidInput("A bracket needs a stop, a target or a trail.", hint="For example stop=55000 target=70000.")
    kind = Bracket(Market() if price is None else Limit(price), stop, target, trail)
    return await composed(ctx, Side.BUY, instrument, kind, quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True,
    examples=("iceberg buy 1 btc price=60000 visible=0.1",),
)  # fmt: skip
async def iceberg(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    price: Decimal, visible: Decimal, spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Places a limit order of which only a part lies in the book at a time.

    side: buy or sell
    instrument: the coin, such as btc
    quantity: how much of the coin in all
    price: the limit
    visible: how much of the coin others see at a time
    spend: how much money instead of a quantity
    fraction: a share of what you hold, or of your cash, instead
    """
    return await composed(ctx, Side(side), instrument, Iceberg(price, visible), quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True,
    examples=("twap buy 1 btc over=2h slices=12", "twap sell 0.5 btc over=30m slices=6 limit=60000"),
)  # fmt: skip
async def twap(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    over: str, slices: int = 12, limit: Decimal | None = None,
    spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Trades in equal slices over a time, so that no single moment decides the price.

    side: buy or sell
    instrument: the coin, such as btc
    quantity: how much of the coin in all
    over: how long it takes, e.g. 2h, 90m, 1d
    slices: into how many parts
    limit: never worse than this price; at the market when not said
    spend: how much money instead of a quantity
    fraction: a share of what you hold, or of your cash, instead
    """
    return await composed(ctx, Side(side), instrument, Twap(seconds(over), slices, limit), quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True,
    examples=("vwap buy 1 btc over=4h slices=16", "vwap sell 1 btc over=4h participation=5%"),
)  # fmt: skip
async def vwap(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    over: str, slices: int = 12, participation: Share = TENTH, limit: Decimal | None = None,
    spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Trades in slices sized like the volume the market usually trades at that time of day.

    side: buy or sell
    instrument: the coin, such as btc
    quantity: how much of the coin in all
    over: how long it takes, e.g. 2h, 90m, 1d
    slices: into how many parts
    participation: the largest share of the market's usual volume, e.g. 10%
    limit: never worse than this price; at the market when not said
    spend: how much money instead of a quantity
    fraction: a share of what you hold, or of your cash, instead
    """
    kind = Vwap(seconds(over), slices, participation, limit)
    return await composed(ctx, Side(side), instrument, kind, quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True, aliases=("dca",),
    examples=(
        "ladder buy btc prices=58000;56000;54000 spend=1000",
        "ladder buy btc high=58000 low=50000 steps=5 spend=1000 stop=48000",
    ),
)  # fmt: skip
async def ladder(
    ctx: Context, side: Direction, instrument: Instrument, quantity: Decimal | None = None, *,
    prices: str | None = None, weights: str | None = None, high: Decimal | None = None, low: Decimal | None = None,
    steps: int = 5, stop: Decimal | None = None, target: Decimal | None = None,
    spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Places limit orders at several prices, to average in (or out) as the price moves.

    side: buy or sell
    instrument: the coin, such as btc
    quantity: how much of the coin in all
    prices: the prices, apart by a semicolon, e.g. 58000;56000;54000
    weights: how much of it at each price, e.g. 1;2;3; the same at each when not said
    high: with low and steps instead of prices: the highest price
    low: the lowest price
    steps: how many prices from high to low
    stop: sell what was bought if the price falls to this
    target: sell what was bought when the price rises to this
    spend: how much money in all instead of a quantity
    fraction: a share of your cash, or of what you hold, instead
    """
    if prices is not None:
        levels = numbers(prices, "prices")
    elif high is not None and low is not None and high > low and 2 <= steps <= 100:
        levels = tuple(high - (high - low) * step / (steps - 1) for step in range(steps))
    else:
        raise InvalidInput(
            "A ladder needs prices, or a high above a low and 2 to 100 steps.",
            hint="For example prices=58000;56000;54000, or high=58000 low=50000 steps=5.",
        )
    kind = Ladder(levels, () if weights is None else numbers(weights, "weights"), stop, target)
    return await composed(ctx, Side(side), instrument, kind, quantity, spend, fraction)


@command(
    family="trade", role=Role.TRADER, confirm=True, private=True,
    examples=("grid btc low=50000 high=60000 levels=10 spend=1000",),
)  # fmt: skip
async def grid(
    ctx: Context, instrument: Instrument, quantity: Decimal | None = None, *,
    low: Decimal, high: Decimal, levels: int = 10, spend: Decimal | None = None, fraction: Share | None = None,
) -> Reply | Proposal:  # fmt: skip
    """Buys at each level below the market and sells one level higher, again and again, until you cancel it.

    instrument: the coin, such as btc
    quantity: how much of the coin in all
    low: the lowest level
    high: the highest level
    levels: how many levels, both ends counted
    spend: how much money in all instead of a quantity
    fraction: a share of your cash instead
    """
    kind = Grid(low, high, levels)
    prices = prices_of(kind, instrument)
    gap = wording.price(prices[1] - prices[0], instrument)
    facts = [
        ("Levels", f"{levels} from {wording.price(low, instrument)} to {wording.price(high, instrument)}, {gap} apart")
    ]
    return await composed(ctx, Side.BUY, instrument, kind, quantity, spend, fraction, facts)
