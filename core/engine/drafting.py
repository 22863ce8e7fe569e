"""Drafting: which type of order a person means by the prices they give, and whether they lie where they make sense."""

from decimal import Decimal

from core import wording
from core.engine.synthetics.terms import demand_workable
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import plain
from core.trading.orders import (
    Bracket,
    Limit,
    Market,
    OneCancelsOther,
    OrderRequest,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
)


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
            raise InvalidInput(
                f"The stop {wording.grouped(stop)} must lie below the target {wording.grouped(target)} of a buy."
            )
        if price is not None and stop is not None and stop >= price:
            raise InvalidInput(
                f"The stop {wording.grouped(stop)} must lie below the limit {wording.grouped(price)} of a buy."
            )
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


def protection(stop: Decimal | None, target: Decimal | None, trail: Decimal | None) -> OrderType | None:
    """The order that sells a whole position at these prices; None for none. Raises InvalidInput."""
    if trail is not None and (stop is not None or target is not None):
        raise InvalidInput("A live position takes a trail, or a stop and a target.", hint="Leave one of them out.")
    if trail is not None:
        return TrailingStop(fraction=trail)
    if stop is not None and target is not None:
        return OneCancelsOther(target, stop)
    if stop is not None:
        return Stop(stop)
    return None if target is None else Limit(target)


def demand_sides(request: OrderRequest, last: Decimal, fill: Decimal) -> None:
    """Raises InvalidInput when a stop or target would be reached at once: it lies on the wrong side of the market.

    last: the market; fill: the price that the entry can expect
    """
    demand_workable(request, last)
    match request.type:
        case Bracket(Limit(price), stop, target) if price < last:
            demand_between(stop, target, "the limit of", price, price)
        case Bracket(_, stop, target):
            demand_between(stop, target, "the market at", last, max(fill, last))
        case Stop(trigger) | StopLimit(trigger, _) if request.side is Side.SELL:
            demand_below("stop", trigger, "the market at", last)
        case Stop(trigger) | StopLimit(trigger, _):
            demand_above("stop", trigger, "the market at", last)


def demand_protection(stop: Decimal | None, target: Decimal | None, trail: Decimal | None, last: Decimal) -> None:
    """Raises InvalidInput when a price that is to protect what is held would be reached at once, or is none."""
    for name, value in (("stop", stop), ("target", target), ("trail", trail)):
        if value is not None and not value > 0:
            raise InvalidInput(f"The {name} {plain(value)} is not above zero.")
    if trail is not None and trail >= 1:
        raise InvalidInput(f"The trail {plain(trail)} is a fraction below 1: 0.05 is 5 %.")
    demand_between(stop, target, "the market at", last, last)


def demand_between(stop: Decimal | None, target: Decimal | None, where: str, low: Decimal, high: Decimal) -> None:
    """Raises InvalidInput unless the stop lies below `low` and the target above `high`."""
    if stop is not None:
        demand_below("stop", stop, where, low)
    if target is not None:
        demand_above("target", target, where, high)


def demand_below(name: str, value: Decimal, where: str, price: Decimal) -> None:
    """Raises InvalidInput unless the value lies below the price."""
    if value >= price:
        raise InvalidInput(f"The {name} {wording.grouped(value)} must lie below {where} {wording.grouped(price)}.")


def demand_above(name: str, value: Decimal, where: str, price: Decimal) -> None:
    """Raises InvalidInput unless the value lies above the price."""
    if value <= price:
        raise InvalidInput(f"The {name} {wording.grouped(value)} must lie above {where} {wording.grouped(price)}.")
