"""What the matching core is asked and what it tells: tickets, orders, fills, events, refusals. All Decimal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit"]
Status = Literal["pending", "open", "filled", "canceled", "expired"]
What = Literal["new", "triggered", "trade", "canceled", "expired"]
Why = Literal[
    "symbol",  # unknown
    "closed",  # listed and not trading
    "tick",  # price off the grid, or not above zero
    "lot",  # quantity off the grid, or below the least
    "notional",
    "funds",
    "duplicate",  # client id
    "crosses",  # a post-only order that would take
    "trigger",  # a stop that would trigger at once
    "parameters",
    "unknown",  # no such order, or nothing left to cancel
]
ZERO, ONE = Decimal(0), Decimal(1)
HOUSE = "house"  # the user that makes the market; its balances may go below zero
FEES = "fees"  # the user that collects the fees


class Refusal(Exception):
    """The venue does not take it. why: to be told in the venue's own code and words."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}")
        self.why, self.detail = why, detail


@dataclass(frozen=True, slots=True)
class Listing:
    """A pair that is traded. maker, taker: fee fractions; min_quantity is the lot unless given."""

    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal = ZERO
    min_quantity: Decimal = ZERO
    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    trading: bool = True

    @property
    def symbol(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How a venue takes fees and treats orders.

    fee_in: "received" takes the fee of a buy in the base, "quote" always in the quote
    discount: asset that fees are paid with by users who want it and hold enough of it; discount_factor: what is left
    refuses_triggered: a stop whose trigger has been reached is refused, else it triggers at once
    unique_for_ever: a client id is refused for ever once used, else only among open orders
    """

    fee_in: Literal["received", "quote"] = "received"
    discount: str | None = None
    discount_factor: Decimal = Decimal("0.75")
    refuses_triggered: bool = True
    unique_for_ever: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a user asks for. Exactly one of quantity (base) and spend (quote, market orders only).

    price: of a limit order; trigger: waits until a trade at this price or beyond, `rising` says which side
    trail: fraction, trail_distance: quote; the trigger follows the best price since `activation` was reached, `rising`
    then says where the activation lies; visible: base quantity of an iceberg that shows at a time
    expires: UTC ms; extra: what else the venue wants to remember of it, e.g. its own name of the type
    """

    symbol: str
    side: Side
    kind: Kind
    quantity: Decimal | None = None
    spend: Decimal | None = None
    price: Decimal | None = None
    trigger: Decimal | None = None
    rising: bool | None = None
    trail: Decimal | None = None
    trail_distance: Decimal | None = None
    activation: Decimal | None = None
    time_in_force: Literal["GTC", "IOC", "FOK"] = "GTC"
    post_only: bool = False
    visible: Decimal | None = None
    client_id: str = ""
    expires: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Hold:
    """Money bound for an order, or for all legs of a list together."""

    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of a trade. cost: quote; fee: in fee_asset. trade: the number that both sides share."""

    trade: int
    order: int
    user: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time: int
    client_id: str = ""

    @property
    def cost(self) -> Decimal:
        return self.price * self.quantity


@dataclass(slots=True)
class Order:
    """A ticket at the venue and how far it came. quantity: of a spend, what it bought; cost: quote traded so far.

    group: id of the list whose other legs end when this one acts; best: extreme price that a trailing stop follows
    """

    id: int
    user: str
    ticket: Ticket
    quantity: Decimal
    hold: Hold
    time: int
    status: Status = "open"
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    group: int | None = None
    triggered: bool = False
    best: Decimal | None = None
    shown: Decimal = ZERO
    updated: int = 0
    reason: str = ""
    fees: Mapping[str, Decimal] = field(default_factory=dict)  # by asset

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def live(self) -> bool:
        return self.status in ("pending", "open")

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """what: new, triggered, trade (with the fill), canceled or expired; `order` is a copy as it stood just then."""

    what: What
    order: Order
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade for everyone to see. taker: the side of the order that came last."""

    symbol: str
    trade: int
    price: Decimal
    quantity: Decimal
    taker: Side
    buyer: int
    seller: int
    time: int


@dataclass(frozen=True, slots=True)
class BookMoved:
    """Levels that changed, with sequence numbers first..last, one for each level; quantity 0 took it away."""

    symbol: str
    first: int
    last: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    time: int


@dataclass(frozen=True, slots=True)
class BalancesMoved:
    """free and held of each asset of the user that changed. outside: coins that came or went by no trade."""

    user: str
    assets: Mapping[str, tuple[Decimal, Decimal]]
    time: int
    outside: Mapping[str, Decimal] = field(default_factory=dict)
    cause: int | None = None  # the order that it is due to


Event = OrderChanged | Traded | BookMoved | BalancesMoved


def down(value: Decimal, step: Decimal) -> Decimal:
    """Towards zero onto the grid of `step`; 0 means no grid."""
    return value if step == 0 else (value / step).to_integral_value(ROUND_DOWN) * step


def on_grid(value: Decimal, step: Decimal) -> bool:
    return step == 0 or value % step == 0
