"""Terms: whether an order of several orders can work at all, what it is expected to cost, and where its parts live."""

from dataclasses import replace
from decimal import Decimal

from core import wording
from core.engine.synthetics.grid import each_of, prices_of
from core.engine.synthetics.guard import Guard, leg_of
from core.engine.synthetics.ladder import shares
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import ONE, ZERO, plain
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    OneCancelsOther,
    OrderRequest,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip

Composite = OneCancelsOther | Iceberg | Twap | Vwap | Ladder | Grid
HERE = "watched in this process: it rests while the process does not run"
THERE = "rests at the venue"


def on_grid(kind: OrderType, instrument: Instrument) -> OrderType:
    """The type with its prices on the instrument's ticks and its parts on its lots."""
    price = instrument.price
    match kind:
        case OneCancelsOther(limit, trigger, stop_price):
            return OneCancelsOther(price(limit), price(trigger), None if stop_price is None else price(stop_price))
        case StopLimit(trigger, limit):
            return StopLimit(price(trigger), price(limit))
        case Iceberg(limit, visible):
            return Iceberg(price(limit), instrument.quantity(visible))
        case Twap(limit=Decimal() as limit) | Vwap(limit=Decimal() as limit):
            return replace(kind, limit=price(limit))
        case Ladder(prices):
            stop, target = (None if each is None else price(each) for each in (kind.stop, kind.target))
            return replace(kind, prices=tuple(price(each) for each in prices), stop=stop, target=target)
        case _:
            return kind


def reference(kind: OrderType, side: Side, instrument: Instrument, last: Decimal) -> Decimal:
    """The price by which an amount of money becomes a quantity, and the worst that the order expects to trade at."""
    match kind:
        case OneCancelsOther(price, trigger, stop_price):
            worst = trigger if stop_price is None else stop_price
            return max(price, worst) if side is Side.BUY else min(price, worst)
        case Iceberg(price) | Stop(price) | StopLimit(_, price):
            return price
        case Twap(limit=limit) | Vwap(limit=limit):
            return last if limit is None else min(last, limit) if side is Side.BUY else max(last, limit)
        case Ladder(prices, weights):
            chosen = weights or (ONE,) * len(prices)
            return sum((p * w for p, w in zip(prices, chosen, strict=True)), ZERO) / sum(chosen, ZERO)
        case Grid():
            levels = prices_of(kind, instrument)[:-1]
            return sum(levels, ZERO) / len(levels)
        case _:
            return last


def demand_workable(request: OrderRequest, last: Decimal) -> None:
    """Raises InvalidInput, with the value and what would do, for what cannot work on this instrument now."""
    instrument, quantity = request.instrument, request.quantity or ZERO
    if not isinstance(request.type, Composite):
        return
    if quantity <= 0:
        raise InvalidInput(f"An order of several orders needs a quantity of {instrument.base}.")
    match request.type:
        case OneCancelsOther(price, trigger):
            above = (
                ("target", price, "stop", trigger) if request.side is Side.SELL else ("stop", trigger, "limit", price)
            )
            demand_around(above, last)
        case Iceberg(price, visible):
            demand_size(instrument, "The visible part", min(visible, quantity), price)
            if visible > quantity:
                raise InvalidInput(f"The visible part {plain(visible)} is more than the whole {plain(quantity)}.")
        case Twap(slices=slices) | Vwap(slices=slices):
            price = reference(request.type, request.side, instrument, last)
            demand_slices(instrument, quantity, slices, price)
        case Ladder(prices, _, stop, target):
            sizes = shares(request.type, quantity, instrument.lot_size)
            for price, size in zip(prices, sizes, strict=True):
                demand_size(instrument, f"The part at {wording.price(price, instrument)}", size, price)
            demand_rungs(request.side, prices, stop, target, last)
        case Grid(low, high, levels):
            demand_levels(request.type, quantity, instrument)
            if not low < last < high:
                raise InvalidInput(
                    f"The market at {wording.grouped(last)} lies outside of the grid from {wording.grouped(low)} to "
                    f"{wording.grouped(high)}.",
                    hint="Choose a low below the market and a high above it.",
                )
            if request.side is Side.SELL:
                raise InvalidInput("A grid begins by buying.", hint=f"It has {levels} levels of its own to sell at.")


def demand_around(prices: tuple[str, Decimal, str, Decimal], last: Decimal) -> None:
    """Raises InvalidInput unless the first price lies above the market and the second below it."""
    upper, high, lower, low = prices
    if high <= last:
        raise InvalidInput(f"The {upper} {wording.grouped(high)} must lie above the market at {wording.grouped(last)}.")
    if low >= last:
        raise InvalidInput(f"The {lower} {wording.grouped(low)} must lie below the market at {wording.grouped(last)}.")


def demand_size(instrument: Instrument, what: str, quantity: Decimal, price: Decimal, hint: str | None = None) -> None:
    """Raises InvalidInput when the venue would not take an order of this size."""
    lot, smallest, base = instrument.lot_size, instrument.min_notional, instrument.base
    if quantity < lot or quantity <= 0:
        raise InvalidInput(f"{what} would be {plain(quantity)} {base}, below the lot size {plain(lot)}.", hint=hint)
    if quantity * price < smallest:
        raise InvalidInput(
            f"{what} would be {plain(quantity)} {base}, worth {wording.money(quantity * price, instrument.quote)}; "
            f"the smallest order is {wording.money(smallest, instrument.quote)}.",
            hint=hint,
        )


def demand_slices(instrument: Instrument, quantity: Decimal, slices: int, price: Decimal) -> None:
    """Raises InvalidInput when the slices are too small to be placed."""
    least = max(instrument.lot_size, instrument.min_notional / price if price else ZERO)
    most = int(quantity / least) if least else slices
    hint = f"Take at most {most} slices." if most > 0 else "Trade more."
    demand_size(instrument, "A slice", quantity / slices, price, hint)


def demand_rungs(
    side: Side, prices: tuple[Decimal, ...], stop: Decimal | None, target: Decimal | None, last: Decimal
) -> None:
    """Raises InvalidInput when a stop or a target lies among the prices, or nothing protects what is sold."""
    if side is Side.SELL and (stop is not None or target is not None):
        raise InvalidInput("A ladder that sells takes no stop and no target.", hint="They protect what a ladder buys.")
    if stop is not None and stop >= min(prices):
        raise InvalidInput(
            f"The stop {wording.grouped(stop)} must lie below the lowest price {wording.grouped(min(prices))}."
        )
    if target is not None and target <= max(*prices, ZERO):
        raise InvalidInput(
            f"The target {wording.grouped(target)} must lie above the highest price {wording.grouped(max(prices))}."
        )
    wrong = [price for price in prices if (price > last) is (side is Side.BUY)]
    if wrong:
        where = "below" if side is Side.BUY else "above"
        raise InvalidInput(
            f"The price {wording.grouped(wrong[0])} of the ladder must lie {where} the market at "
            f"{wording.grouped(last)}."
        )


def demand_levels(kind: Grid, quantity: Decimal, instrument: Instrument) -> None:
    """Raises InvalidInput when levels fall together on the tick grid, or a cell is too small to be placed."""
    prices = prices_of(kind, instrument)
    if len(set(prices)) < len(prices):
        raise InvalidInput(
            f"{kind.levels} levels from {wording.grouped(kind.low)} to {wording.grouped(kind.high)} lie closer "
            f"together than the tick of {plain(instrument.tick_size)}.",
            hint="Take fewer levels, or a wider range.",
        )
    hint = "Take fewer levels, or more money."
    demand_size(instrument, "A level", each_of(kind, quantity, instrument), prices[0], hint)


def homes(request: OrderRequest, native: frozenset[str], *, whole: bool = False) -> list[tuple[str, str]]:
    """(part, where it lives) of an order that waits: at the venue, or in this process.

    native: the types that the venue takes; whole: it takes this very order as it is
    """
    own = tuple(native)
    match request.type:
        case OneCancelsOther() if whole:
            return [("Both", "rest at the venue, which cancels the one when the other fills")]
        case Stop() | StopLimit() | TrailingStop() if whole:
            return [("Stop", THERE)]
        case Iceberg() if whole:
            return [("Order", f"{THERE}, which shows it part by part")]
        case OneCancelsOther(price, trigger, stop_price):
            leg = leg_of(Guard(request.side, stop=trigger, stop_price=stop_price, target=price), own)
            at_venue = "stop" if leg is not None and leg[0] == "stop" else "limit"
            return [("Stop", THERE if at_venue == "stop" else HERE), ("Limit", THERE if at_venue == "limit" else HERE)]
        case TrailingStop() if "TrailingStop" in native:
            return [("Stop", f"{HERE} until it is active, then it {THERE}")]
        case Stop() | StopLimit() | TrailingStop():
            return [("Stop", HERE)]
        case Bracket(stop=stop, target=target, trail=trail):
            return exits(request.side, stop, target, trail, native, whole="Bracket" in native)
        case Ladder(stop=stop, target=target):
            found = [("Orders", "all rest at the venue until they fill")]
            return [*found, *exits(request.side, stop, target, None, native, whole=False)]
        case Grid():
            return [("Orders", "rest at the venue; the next one of each level is placed by this process")]
        case Iceberg():
            return [("Orders", "one part at a time rests at the venue; the next one is placed by this process")]
        case Twap() | Vwap():
            return [("Orders", "placed by this process; what it misses while it does not run it makes up for slowly")]
        case _:
            return []


def exits(
    side: Side, stop: Decimal | None, target: Decimal | None, trail: Decimal | None, native: frozenset[str], whole: bool
) -> list[tuple[str, str]]:
    """Where the exits of what was bought live."""
    back = Side.SELL if side is Side.BUY else Side.BUY
    leg = leg_of(Guard(back, stop=stop, target=target, trail=trail), tuple(native))
    resting = "" if leg is None else leg[0]
    found = []
    for name, value, role in (("Stop", stop, "stop"), ("Target", target, "limit"), ("Trail", trail, "trail")):
        if value is not None:
            found.append((name, THERE if whole or role == resting else HERE))
    return found
