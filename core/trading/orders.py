"""Orders of every type, as values: what is asked of a venue, and where it stands."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import ZERO, plain

Mode = Literal["PAPER", "LIVE"]
MOST_LEVELS = 100  # of a ladder or a grid
LONGEST = 30 * 86_400  # seconds over which an order may be sliced
MOST_SLICES = 1_000


class Side(StrEnum):
    """The trader's direction."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class TimeInForce(StrEnum):
    """How long an order lives: until cancelled, immediate-or-cancel, fill-or-kill, good till `expires`."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


@dataclass(frozen=True, slots=True)
class Market:
    """At the best price there is, now."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At `price` or better."""

    price: Decimal


@dataclass(frozen=True, slots=True)
class Stop:
    """A market order once the price reaches `trigger` against the position it protects."""

    trigger: Decimal


@dataclass(frozen=True, slots=True)
class StopLimit:
    """A limit order at `price` once the market reaches `trigger`."""

    trigger: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class TrailingStop:
    """A stop that follows the best price at a distance: fraction (0.05 is 5 %) or absolute, exactly one.

    activation: the price from which on it follows; at once when None
    """

    fraction: Decimal | None = None
    distance: Decimal | None = None
    activation: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.distance is None):
            raise InvalidInput("A trailing stop follows by a fraction or by a distance: exactly one of them.")
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise InvalidInput(f"The trail {plain(self.fraction)} is not between 0 and 1: 0.05 is 5 %.")
        demand_positive(distance=self.distance, activation=self.activation)


@dataclass(frozen=True, slots=True)
class Bracket:
    """An entry that, once filled, is protected by a stop, a target and/or a trailing stop (one cancels the other)."""

    entry: Market | Limit
    stop: Decimal | None = None
    target: Decimal | None = None
    trail: Decimal | None = None  # fraction


@dataclass(frozen=True, slots=True)
class OneCancelsOther:
    """A limit order at `price` and a stop at `trigger`; what fills first cancels the other.

    stop_price: makes the stop leg a stop-limit order at this price
    """

    price: Decimal
    trigger: Decimal
    stop_price: Decimal | None = None

    def __post_init__(self) -> None:
        demand_positive(limit=self.price, stop=self.trigger, stop_limit=self.stop_price)
        if self.price == self.trigger:
            raise InvalidInput(f"The limit and the stop are both at {plain(self.price)}; they must lie apart.")


@dataclass(frozen=True, slots=True)
class Iceberg:
    """A limit order at `price` of which only `visible` (base) lies in the book at a time."""

    price: Decimal
    visible: Decimal

    def __post_init__(self) -> None:
        demand_positive(price=self.price, visible=self.visible)


@dataclass(frozen=True, slots=True)
class Twap:
    """Equal slices over equal pieces of `duration` (seconds), each at market, or at `limit` or better."""

    duration: int
    slices: int
    limit: Decimal | None = None

    def __post_init__(self) -> None:
        demand_slicing(self.duration, self.slices, self.limit)


@dataclass(frozen=True, slots=True)
class Vwap:
    """Slices over `duration` (seconds) sized like the volume the market usually trades in each piece of it.

    participation: the largest share of the market's volume that it takes; limit: at this price or better
    """

    duration: int
    slices: int
    participation: Decimal = Decimal("0.1")
    limit: Decimal | None = None

    def __post_init__(self) -> None:
        demand_slicing(self.duration, self.slices, self.limit)
        if not 0 < self.participation <= 1:
            raise InvalidInput(f"The participation {plain(self.participation)} is not between 0 and 1: 0.1 is 10 %.")


@dataclass(frozen=True, slots=True)
class Ladder:
    """Limit orders at each of `prices` (averaging down); `weights` share out the quantity, else equally.

    stop, target: protect what has filled so far, from its average price on
    """

    prices: tuple[Decimal, ...]
    weights: tuple[Decimal, ...] = ()
    stop: Decimal | None = None
    target: Decimal | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.prices) <= MOST_LEVELS:
            raise InvalidInput(f"A ladder has 1 to {MOST_LEVELS} prices, not {len(self.prices)}.")
        if len(set(self.prices)) < len(self.prices):
            raise InvalidInput("Two prices of the ladder are the same.")
        if self.weights and len(self.weights) != len(self.prices):
            raise InvalidInput(f"{len(self.prices)} prices need as many weights, not {len(self.weights)}.")
        for value in (*self.prices, *self.weights):
            demand_positive(price=value)
        demand_positive(stop=self.stop, target=self.target)


@dataclass(frozen=True, slots=True)
class Grid:
    """Buys at each of `levels` prices from `low` to `high` below the market, sells one level higher, again and again.

    The request's quantity (base) is that of all levels together.
    """

    low: Decimal
    high: Decimal
    levels: int

    def __post_init__(self) -> None:
        demand_positive(low=self.low, high=self.high)
        if self.low >= self.high:
            raise InvalidInput(f"The low {plain(self.low)} of the grid must lie below its high {plain(self.high)}.")
        if not 2 <= self.levels <= MOST_LEVELS:
            raise InvalidInput(f"A grid has 2 to {MOST_LEVELS} levels, not {self.levels}.")


OrderType = (
    Market | Limit | Stop | StopLimit | TrailingStop | Bracket | OneCancelsOther | Iceberg | Twap | Vwap | Ladder | Grid
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An intent to trade, written down before it is sent.

    Exactly one of quantity (base), spend (quote, fees included) and exposure (share of the ledger's equity the
    position shall have after the fill, in [-1, 1]) sizes it. spend and exposure are resolved at the fill by the same
    function in backtest and paper, and just before sending at a venue. `estimate` is the base quantity the limits
    were checked with when it is not `quantity`.
    id: unique for ever; client ids sent to a venue derive from it. ledger: "manual" or a strategy run's id.
    parent: the composite order that owns this one. replaces: the order in whose place this one is sent.
    """

    id: str
    account: str
    instrument: Instrument
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    spend: Decimal | None = None
    exposure: Decimal | None = None
    estimate: Decimal = ZERO
    ledger: str = "manual"
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    expires: datetime | None = None
    created: datetime | None = None
    parent: str | None = None
    replaces: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("quantity", "spend", "exposure") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidInput(f"An order needs exactly one of quantity, spend or exposure; given: {given or 'none'}.")
        for name in ("quantity", "spend"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InvalidInput(f"The {name} {value} is not above zero.")


def demand_positive(**prices: Decimal | None) -> None:
    """Raises InvalidInput for a price that is not above zero."""
    for name, value in prices.items():
        if value is not None and not ZERO < value < Decimal("Infinity"):
            raise InvalidInput(f"The {name.replace('_', ' ')} {plain(value)} is not above zero.")


def demand_slicing(duration: int, slices: int, limit: Decimal | None) -> None:
    """Raises InvalidInput for slices that cannot be traded one after the other within the time."""
    if not 1 <= slices <= MOST_SLICES:
        raise InvalidInput(f"The order is traded in 1 to {MOST_SLICES} slices, not {slices}.")
    if not 1 <= duration <= LONGEST:
        raise InvalidInput(f"The time is 1 second to {LONGEST // 86_400} days, not {duration} seconds.")
    if duration < 2 * slices:
        raise InvalidInput(
            f"{slices} slices over {duration} seconds lie less than 2 seconds apart.",
            hint=f"Take at most {max(1, duration // 2)} slices, or more time.",
        )
    demand_positive(limit=limit)


class OrderStatus(StrEnum):
    """Where an order stands. RECORDED was surely never sent; SENDING may or may not have arrived."""

    RECORDED = "recorded"
    SENDING = "sending"
    OPEN = "open"
    PARTIAL = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED})


@dataclass(frozen=True, slots=True)
class Order:
    """A request and its state. filled: base; average_price: quote per base, None before the first fill."""

    request: OrderRequest
    status: OrderStatus = OrderStatus.RECORDED
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    fees: Decimal = ZERO
    reason: str | None = None  # why rejected, cancelled or expired, a sentence
    updated: datetime | None = None
    number: int = 0  # short number shown to people, unique per account

    @property
    def id(self) -> str:
        return self.request.id
