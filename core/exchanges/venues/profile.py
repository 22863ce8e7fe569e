"""The shape of a venue's profile: all that this program knows of it beyond what ccxt tells, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.trading.exchange import Capabilities
from core.trading.orders import TimeInForce

GTC_IOC_FOK: Mapping[TimeInForce, Mapping[str, Any]] = {
    TimeInForce.GTC: {},
    TimeInForce.IOC: {"timeInForce": "IOC"},
    TimeInForce.FOK: {"timeInForce": "FOK"},
}


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Fees from a 30-day volume on, in the schedule's currency. taker, maker: fractions, negative is a rebate."""

    volume: float
    taker: float
    maker: float


@dataclass(frozen=True, slots=True)
class Discount:
    """A token that pays fees at a discount. share: of the fee that is saved, 0.25 is a quarter."""

    token: str
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One venue.

    options: what ccxt is told when its client is made
    native: order types placed by the venue in every form; forms: 'Type.field' placed natively when only that form
        of the type is (a TrailingStop by fraction where a distance is not known)
    client_id_param: under which ccxt (or the venue) takes the client id; client_id_form: how it is written
    unique_for_ever: the venue refuses a client id it has ever seen
    receive_window: seconds after which an order that was sent can no longer arrive
    time_in_force: what ccxt is told for each that the venue knows
    order_params: added to every order; iceberg: the parameters of an iceberg, '{visible}' for the quantity shown
    trail: the parameters of a trailing stop, '{percent}', '{basis}' (points of 0.01 %) or '{distance}'
    lookup: 'query' (one order by client id), 'filter' (open and closed lists filtered by client id), 'scan' (lists)
    triggers_apart: orders that wait for a trigger live in lists of their own, asked with {"trigger": True}
    order_trades: ccxt can ask for the fills of one order by the venue's id
    fills_need_symbol: fills are told per pair only
    trades_page: fills per answer; trades_offset: the parameter that asks for older ones, where time does not
    cost_orders: market buys may be sized in quote; tiers, tier_currency, discount: the fee schedule
    weights: cost of single questions in the venue's units, 'place', 'cancel', 'find', 'orders', 'fills', 'balances',
        'book', 'ticker', 'bars', 'instruments', 'other' (how many are allowed stands in `rates`)
    balance_params: added when balances are asked; book_depth: levels asked of a book
    patterns: (regular expression, kind of `core.exchanges.failures`) for texts of this venue
    """

    name: str
    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    native: frozenset[str] = frozenset({"Market", "Limit"})
    forms: frozenset[str] = frozenset()
    client_id_param: str = "clientOrderId"
    client_id_form: Literal["hex", "uuid"] = "hex"
    unique_for_ever: bool = False
    receive_window: float = 10.0
    time_in_force: Mapping[TimeInForce, Mapping[str, Any]] = field(default_factory=lambda: GTC_IOC_FOK)
    order_params: Mapping[str, Any] = field(default_factory=dict)
    iceberg: Mapping[str, str] = field(default_factory=dict)
    trail: Mapping[str, str] = field(default_factory=dict)
    lookup: Literal["query", "filter", "scan"] = "scan"
    lookup_params: Mapping[str, Any] = field(default_factory=dict)
    triggers_apart: bool = False
    order_trades: bool = False
    fills_need_symbol: bool = False
    trades_page: int = 100
    trades_offset: str | None = None
    cost_orders: bool = False
    tiers: tuple[FeeTier, ...] = (FeeTier(0, 0.001, 0.001),)
    tier_currency: str = "USD"
    discount: Discount | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    balance_params: Mapping[str, Any] = field(default_factory=dict)
    book_depth: int = 100
    patterns: tuple[tuple[str, str], ...] = ()
    first_class: bool = True
    sandbox: bool = False
    notes: tuple[str, ...] = ()

    @property
    def capabilities(self) -> Capabilities:
        """What the venue does by itself."""
        return Capabilities(
            order_types=self.native,
            paper=False,
            streaming=True,
            receive_window=self.receive_window,
            unique_for_ever=self.unique_for_ever,
            forms=self.forms,
        )

    def tier(self, volume: float) -> FeeTier:
        """The fees of an account with that 30-day volume."""
        return max((tier for tier in self.tiers if tier.volume <= volume), key=lambda tier: tier.volume)

    def weight(self, question: str) -> float:
        return self.weights.get(question, self.weights.get("other", 1))
