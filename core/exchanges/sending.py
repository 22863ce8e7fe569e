"""What is sent: an order request as the arguments of ccxt's `create_order`, on the venue's grids.

Quantities are rounded down to the lot and limit prices away from the market's favour (a buy down, a sell up), so that
rounding never spends more than was asked and never crosses the balance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from core.clock import to_ms
from core.errors import OrderRefused
from core.exchanges.venues import Profile
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.trading.orders import (
    Iceberg,
    Limit,
    Market,
    OneCancelsOther,
    OrderRequest,
    Side,
    Stop,
    StopLimit,
    TimeInForce,
    TrailingStop,
)  # fmt: skip

CENT = Decimal("0.00000001")
MARGIN = Decimal("0.01")  # fraction of the price


@dataclass(frozen=True, slots=True)
class Sending:
    """Arguments of `create_order`. amount: base; an estimate where `params` carry a cost in quote."""

    symbol: str
    kind: str
    side: str
    amount: Decimal
    price: Decimal | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    trigger: bool = False  # it waits for a price before it lies in the book


def described(request: OrderRequest) -> str:
    """'buy 0.1 BTC/USDT', for errors."""
    if request.quantity is not None:
        size = plain(request.quantity)
    elif request.spend is not None:
        size = f"for {plain(request.spend)} {request.instrument.quote} of"
    else:
        size = plain(request.estimate)
    return f"{request.side.value} {size} {request.instrument.symbol}"


def sending(
    profile: Profile,
    request: OrderRequest,
    listed: Instrument,
    client: str,
    price: Decimal,
    taker_fee: Decimal,
    buys_by_cost: bool = False,
) -> Sending:
    """The order as the venue is sent it. Raises OrderRefused, and InvalidInput for less than a lot.

    listed: the pair as the venue lists it now; price: its market price, for the smallest size and for `spend`
    buys_by_cost: ccxt sizes market buys at this venue in quote only; one by quantity goes out as a limit order that
        fills at once or not at all, MARGIN above the market
    """
    kind = request.type
    if not profile.capabilities.places(kind):
        raise OrderRefused(
            f"{profile.title} does not keep orders of the type {type(kind).__name__} itself.",
            hint="This program keeps such orders; it must be running for them to act.",
            venue=profile.name,
            kind="type",
        )
    sell = request.side is Side.SELL
    away = 1 if sell else -1
    params: dict[str, Any] = {**profile.order_params, profile.client_id_param: client}
    limit: Decimal | None = None
    name, trigger = "market", False
    swept = (
        buys_by_cost and isinstance(kind, Market) and not sell and (request.spend is None or not profile.cost_orders)
    )
    match kind:
        case Market() if swept:
            name, limit = "limit", listed.price(price * (1 + MARGIN), 1)
            if limit <= 0:
                raise OrderRefused(f"{listed.symbol} has no price now, so {described(request)} cannot be sent.")
        case Market():
            pass
        case Limit(wanted):
            name, limit = "limit", listed.price(wanted, away)
        case Stop(level):
            trigger, params["stopLossPrice"] = True, float(listed.price(level))
        case StopLimit(level, wanted):
            name, trigger, limit = "limit", True, listed.price(wanted, away)
            params["stopLossPrice"] = float(listed.price(level))
        case TrailingStop():
            trigger = True
            params |= _trail(profile, kind, listed)
        case Iceberg(wanted, visible):
            name, limit = "limit", listed.price(wanted, away)
            shown = plain(listed.quantity(visible))
            params |= {each: _flag(text.format(visible=shown)) for each, text in profile.iceberg.items()}
        case OneCancelsOther(wanted, _, _):
            name, limit = "oco", listed.price(wanted, away)
        case _:  # the remaining composites are native nowhere
            raise OrderRefused(f"{profile.title} does not keep orders of the type {type(kind).__name__} itself.")
    if limit is not None and limit <= 0:
        raise OrderRefused(f"The price {plain(limit)} of the order ({described(request)}) is not above zero.")
    params |= profile.time_in_force[TimeInForce.IOC] if swept else _time(profile, request, name)
    amount, cost = _size(profile, request, listed, price if swept else limit or price, taker_fee)
    notional = cost if cost is not None else (amount or ZERO) * (limit or price)
    if price > 0 and notional < listed.min_notional:
        raise OrderRefused(
            f"The order ({described(request)}) is worth {plain(notional.quantize(CENT))} {listed.quote}, and"
            f" {profile.title} takes none below {plain(listed.min_notional)} {listed.quote}.",
            hint="Order more.",
            venue=profile.name,
            kind="minimum",
        )
    if cost is not None:
        params["cost"] = float(cost)
        amount = cost / price if price > 0 else listed.lot_size or CENT  # ccxt wants one, and sends the cost
    assert amount is not None
    return Sending(listed.symbol, name, request.side.value, amount, limit, params, trigger)


def _size(
    profile: Profile, request: OrderRequest, listed: Instrument, price: Decimal, taker_fee: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """(quantity in base, cost in quote): one of them. A spend includes the fee, so the fee is taken off first."""
    if request.quantity is not None:
        return listed.quantity(request.quantity), None
    if request.spend is None:  # an exposure was turned into a quantity when the limits were checked
        return listed.quantity(request.estimate), None
    net = request.spend / (1 + max(taker_fee, ZERO))
    step = listed.tick_size if listed.tick_size else CENT
    if profile.cost_orders and isinstance(request.type, Market) and request.side is Side.BUY:
        return None, (net / step).to_integral_value(ROUND_DOWN) * step
    if price <= 0:
        raise OrderRefused(f"{listed.symbol} has no price now, so an order by value cannot be sized.")
    return listed.quantity(net / price), None


def _time(profile: Profile, request: OrderRequest, name: str) -> Mapping[str, Any]:
    """The time in force; a market order has none."""
    if name == "market" and request.time_in_force in (TimeInForce.GTC, TimeInForce.IOC):
        return {}
    if name == "oco" and request.time_in_force is TimeInForce.GTC:
        return {}
    wanted = profile.time_in_force.get(request.time_in_force)
    if wanted is None or name in ("market", "oco"):
        raise OrderRefused(
            f"{profile.title} knows no '{request.time_in_force.value}' for this order ({described(request)}).",
            hint=f"It knows {', '.join(each.value for each in profile.time_in_force)}.",
            venue=profile.name,
            kind="time_in_force",
        )
    if request.time_in_force is not TimeInForce.GTD:
        return wanted
    if request.expires is None:
        raise OrderRefused(f"An order good till a date needs that date ({described(request)}).")
    end = to_ms(request.expires) // 1000
    begin = to_ms(request.created) // 1000 if request.created is not None else end
    words = {"{unix}": end, "{seconds}": max(end - begin, 1), "{iso}": f"{request.expires:%Y-%m-%dT%H:%M:%SZ}"}
    return {each: words.get(text, text) for each, text in wanted.items()}


def _trail(profile: Profile, kind: TrailingStop, listed: Instrument) -> Mapping[str, Any]:
    """The parameters of a trailing stop: those that the venue has for this form of it."""
    if kind.fraction is not None:
        words = {
            "percent": plain(kind.fraction * 100),
            "basis": str((kind.fraction * 10_000).to_integral_value()),
        }
    else:
        words = {"distance": plain(listed.price(kind.distance or ZERO))}
    filled = {}
    for name, text in profile.trail.items():
        if any(f"{{{word}}}" in text for word in ("percent", "basis", "distance")):
            if any(f"{{{word}}}" in text for word in words):
                filled[name] = text.format(**words)
        else:
            filled[name] = text
    return filled


def _flag(text: str) -> Any:
    return True if text == "true" else text
