"""Buying and selling: every order is previewed, confirmed once, and then sent once."""

from decimal import Decimal

from core.accounts import Role
from core.commands.confirmations import Proposal
from core.commands.context import Context
from core.commands.converters import Share
from core.commands.registry import command
from core.commands.tickets import ticket
from core.market.instrument import Instrument
from core.reply import Reply
from core.trading.orders import Side


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
    examples=("sell 0.1 btc", "sell half my eth", "sell all my sol at 200"),
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
