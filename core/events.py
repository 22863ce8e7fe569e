"""Every event, on one page. Market events travel on the bus only; the others leave through the outbox.

An event is a frozen value with a name; `account` or `user` says whom it concerns. Receivers are idempotent by `id`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from core.market.instrument import Instrument
from core.trading.exchange import Quote
from core.trading.orders import OrderStatus
from core.trading.portfolio import Fill


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of one instrument. time: open, UTC ms; volume: base, NaN when unknown."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


# -- market (transient) ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuoteChanged:
    quote: Quote


@dataclass(frozen=True, slots=True)
class BarClosed:
    instrument: Instrument
    timeframe: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class VenueChanged:
    """A venue's health took another state. reason: a sentence"""

    venue: str
    time: datetime
    state: Literal["healthy", "degraded", "stale", "down", "maintenance", "closed"]
    reason: str


@dataclass(frozen=True, slots=True)
class OpportunityChanged:
    """An arbitrage opportunity appeared, moved or went. path: what is bought and sold where, in order.

    size: of the first leg, base; profit: quote, net of fees; fraction: profit over what is spent
    lived: seconds since it appeared
    """

    id: str
    kind: Literal["cross_venue", "triangular"]
    time: datetime
    state: Literal["appeared", "moved", "gone"]
    path: tuple[str, ...]
    size: Decimal
    profit: Decimal
    fraction: Decimal
    lived: float = 0.0


# -- money and people (durable, through the outbox) -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderChanged:
    id: str
    account: str
    time: datetime
    order: str
    number: int
    ledger: str
    instrument: str
    status: OrderStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FillRecorded:
    id: str
    account: str
    time: datetime
    fill: Fill
    number: int  # the order's short number


@dataclass(frozen=True, slots=True)
class StrategyChanged:
    id: str
    account: str
    time: datetime
    run: str
    strategy: str
    instrument: str
    state: Literal["started", "stopped", "failed"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AlertFired:
    id: str
    user: str
    time: datetime
    alert: int
    instrument: str
    condition: Literal["above", "below"]
    threshold: Decimal
    price: Decimal
    simulated: bool


@dataclass(frozen=True, slots=True)
class AccountNotice:
    """Something the account's owner must be told: a held instrument, a hand-made change, a reset."""

    id: str
    account: str
    time: datetime
    text: str


MarketEvent = QuoteChanged | BarClosed | VenueChanged | OpportunityChanged
DurableEvent = OrderChanged | FillRecorded | StrategyChanged | AlertFired | AccountNotice
Event = MarketEvent | DurableEvent
