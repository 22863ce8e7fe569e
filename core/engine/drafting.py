"""Drafting: which type of order a person means by the prices they give."""

from decimal import Decimal

from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import plain
from core.trading.orders import Bracket, Limit, Market, OrderType, Side, Stop, StopLimit, TrailingStop


def entry_of(kind: OrderType) -> OrderType:
    """The order that trades first."""
    return kind.entry if isinstance(kind, Bracket) else kind


def order_type(
    side: Side,
    instrument: Instrument,
    limit: Decimal | None,
    stop: Decimal | None,
    target: Decimal | None,
    trail: Decimal | None,
) -> OrderType:
    """The type meant by the prices a person gave. Raises InvalidInput where they contradict each other."""
    price = None if limit is None else instrument.price(limit)
    entry = Market() if price is None else Limit(price)
    if side is Side.BUY:
        if stop is None and target is None and trail is None:
            return entry
        if stop is not None and target is not None and stop >= target:
            raise InvalidInput(f"The stop {plain(stop)} must lie below the target {plain(target)} of a buy.")
        if price is not None and stop is not None and stop >= price:
            raise InvalidInput(f"The stop {plain(stop)} must lie below the limit {plain(price)} of a buy.")
        if trail is not None and trail >= 1:
            raise InvalidInput(f"The trail {plain(trail)} is a fraction below 1: 0.05 is 5 %.")
        return Bracket(entry, stop, target, trail)
    if sum(value is not None for value in (stop, target, trail)) > 1:
        raise InvalidInput("A sell order takes one of stop, target and trail.", hint="Place two orders for two prices.")
    if trail is not None:
        return TrailingStop(fraction=trail)
    if stop is not None:
        return Stop(stop) if price is None else StopLimit(stop, price)
    if target is not None:
        return Limit(instrument.price(target))
    return entry
