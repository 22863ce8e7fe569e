"""Sales at the market before they happen: the expected price, what they cost, and what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core import wording
from core.commands.context import Context
from core.engine.views import AccountView, PositionView
from core.errors import AppError
from core.trading.orders import Side


@dataclass(frozen=True, slots=True)
class Sale:
    """What selling a whole position is expected to do. price: with slippage; fee, returned, lost: quote

    slippage: fraction of the price; returned: after the fee; lost: what the position is worth now above `returned`
    """

    price: Decimal
    slippage: Decimal
    fee: Decimal
    returned: Decimal
    lost: Decimal


async def sale(ctx: Context, position: PositionView, account: str | None = None) -> Sale | None:
    """The desk's estimate, at the caller's account unless another is given.

    None while it cannot tell: no price, or coins that an open order still binds.
    """
    desk = ctx.services.desk
    try:
        request = await desk.draft(account or ctx.account, Side.SELL, position.instrument, quantity=position.quantity)
        found = await desk.preview(replace(request, ledger=position.ledger))
    except AppError:
        return None
    returned = found.notional - found.fee
    return Sale(found.price, found.slippage, found.fee, returned, position.value - returned)


async def sales(
    ctx: Context, held: Sequence[PositionView], account: str | None = None
) -> list[tuple[PositionView, Sale | None]]:
    """Each position with what its sale is expected to do."""
    return [(each, await sale(ctx, each, account)) for each in held]


def costs_of(expected: Sequence[Sale | None], currency: str) -> str:
    """'after costs: slippage 0.05 %, fee 0.61 USDT', or that costs are not counted."""
    known = [each for each in expected if each is not None]
    if len(known) < len(expected):
        return "before fees and slippage"
    slippage = max((each.slippage for each in known), default=Decimal(0))
    fee = sum((each.fee for each in known), Decimal(0))
    return f"after costs: slippage {wording.percent(slippage)}, fee {wording.money(fee, currency)}"


def rows(found: Sequence[tuple[PositionView, Sale | None]], view: AccountView) -> list[tuple[str, str]]:
    """A row for each sale, then the cash afterwards."""
    facts = []
    for position, expected in found:
        instrument = position.instrument
        if expected is None:
            line = (
                f"at about {wording.price(position.price, instrument)}, "
                f"worth {wording.money(position.value, instrument.quote)} before fees and slippage"
            )
        else:
            line = (
                f"at about {wording.price(expected.price, instrument)}, slippage {wording.percent(expected.slippage)}, "
                f"fee {wording.money(expected.fee, instrument.quote)}, "
                f"brings about {wording.money(expected.returned, instrument.quote)}"
            )
        facts.append((wording.quantity(position.quantity, instrument.base), line))
    expected_sales = [each for _, each in found]
    cash = view.equity - sum((each.lost for each in expected_sales if each is not None), Decimal(0))
    costs = f", {costs_of(expected_sales, view.currency)}" if found else ""
    facts.append(("Cash afterwards", f"about {wording.money(cash, view.currency)}{costs}"))
    return facts
