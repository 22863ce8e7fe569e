"""The table of orders: what was filled, of what was asked."""

from decimal import Decimal

import pytest

from core.commands.families.orders import amount_of
from core.market.instrument import Instrument
from core.trading.orders import Market, Order, OrderRequest, Side

BTC = Instrument("sandbox", "BTC", "USDT")


@pytest.mark.parametrize(
    ("asked", "filled", "shown"),
    [
        ("0.25", "0", "0.25 BTC"),
        ("0.25", "0.1", "0.1 of 0.25 BTC"),
        ("0.25", "0.25", "0.25 BTC"),
        (None, "0", "0.3 BTC"),
        (None, "0.29", "0.29 BTC"),
    ],
)
def test_an_order_shows_what_was_filled_of_what_was_asked(asked: str | None, filled: str, shown: str) -> None:
    quantity, exposure = (None, Decimal("0.5")) if asked is None else (Decimal(asked), None)
    request = OrderRequest("o", "ann", BTC, Side.BUY, Market(), quantity, exposure=exposure, estimate=Decimal("0.3"))
    assert amount_of(Order(request, filled=Decimal(filled))) == shown
