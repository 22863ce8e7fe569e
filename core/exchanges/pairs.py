"""One-cancels-other pairs that the venue keeps itself: order lists of Binance's, for which ccxt has no own name."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.exchanges.identity import client_id
from core.exchanges.sending import Sending
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.trading.orders import OneCancelsOther, Order, OrderRequest, OrderStatus, Side

# Where the pair stands when its legs stand so; the first that fits.
PRECEDENCE = (OrderStatus.PARTIAL, OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.REJECTED, OrderStatus.CANCELLED)


async def place_pair(client: Any, request: OrderRequest, sent: Sending, listed: Instrument, legs: Sequence[str]) -> Any:
    """Places both legs at once. legs: client ids of the limit and of the stop. Returns the venue's raw answer."""
    kind = request.type
    assert isinstance(kind, OneCancelsOther)
    sell = request.side is Side.SELL
    target, stop = ("above", "below") if sell else ("below", "above")
    asked: dict[str, Any] = {
        "symbol": client.market(sent.symbol)["id"],
        "side": "SELL" if sell else "BUY",
        "quantity": client.amount_to_precision(sent.symbol, float(sent.amount)),
        "listClientOrderId": client_id(request.id, listed.venue),
        f"{target}Type": "LIMIT_MAKER",
        f"{target}Price": plain(sent.price or ZERO),
        f"{target}ClientOrderId": legs[0],
        f"{stop}StopPrice": plain(listed.price(kind.trigger)),
        f"{stop}ClientOrderId": legs[1],
        "newOrderRespType": "RESULT",
    }
    if kind.stop_price is None:
        asked[f"{stop}Type"] = "STOP_LOSS"
    else:
        asked |= {
            f"{stop}Type": "STOP_LOSS_LIMIT",
            f"{stop}Price": plain(listed.price(kind.stop_price, 1 if sell else -1)),
            f"{stop}TimeInForce": "GTC",
        }
    return await client.privatePostOrderListOco(asked)


def as_one(request: OrderRequest, legs: Sequence[Order]) -> Order:
    """The pair as one order: what both legs filled, and open while one of them is."""
    filled = sum((leg.filled for leg in legs), ZERO)
    value = sum(((leg.average_price or ZERO) * leg.filled for leg in legs), Decimal(0))
    statuses = {leg.status for leg in legs}
    status = next((each for each in PRECEDENCE if each in statuses), OrderStatus.EXPIRED)
    if filled and status is OrderStatus.OPEN:
        status = OrderStatus.PARTIAL
    first = next(leg for leg in legs if leg.status in (status, OrderStatus.OPEN) or len(statuses) > 0)
    updated = max((leg.updated for leg in legs if leg.updated is not None), default=None)
    return replace(
        first,
        request=request,
        status=status,
        filled=filled,
        average_price=value / filled if filled else None,
        reason=None if status is OrderStatus.FILLED else first.reason,
        updated=updated,
    )
