"""The exchange port: what a venue, real or paper, can be asked. Capabilities are data, not methods that fail."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from core.errors import AppError, OrderRefused
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.trading.costs import Costs
from core.trading.orders import Order, OrderRequest, OrderType, TrailingStop
from core.trading.portfolio import Fill

ELSEWHERE = "elsewhere"  # the ledger of orders and fills that were made outside of this product
Look = Callable[[], None]  # raises an AppError for what speaks against sending now

RECEIVE_WINDOW = 10.0  # seconds; venues drop a request that took longer (5 s by default, on slow clocks twice that)


@dataclass(frozen=True, slots=True)
class Quote:
    """The market of an instrument at a moment. 24 h figures are None where unknown; change is a fraction."""

    instrument: Instrument
    bid: Decimal
    ask: Decimal
    last: Decimal
    time: datetime
    change: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Decimal | None = None  # base
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the venue does by itself. order_types: names of OrderType classes placed natively.

    receive_window: seconds after which an order that was sent can no longer arrive; until then, that the venue does not
    know it proves nothing. 0 where `find` knows at once, and surely.
    unique_for_ever: whether the venue refuses a client id that it has ever seen; most look at open orders only
    forms: 'Type.field' of types that the venue keeps in that form alone, e.g. a TrailingStop by fraction
    """

    order_types: frozenset[str]
    paper: bool
    streaming: bool = False
    receive_window: float = RECEIVE_WINDOW
    unique_for_ever: bool = False
    forms: frozenset[str] = frozenset()

    def places(self, kind: OrderType) -> bool:
        """Whether the venue itself keeps an order of this type in this form."""
        name = type(kind).__name__
        if name in self.order_types:
            return True
        match kind:
            case TrailingStop(fraction=fraction, activation=None):
                return f"{name}.{'distance' if fraction is None else 'fraction'}" in self.forms
            case _:
                return False

    def works(self, kind: OrderType) -> bool:
        """Whether the venue takes such an order as it is; none waits with a trailing stop for its activation."""
        activated = isinstance(kind, TrailingStop) and kind.activation is not None
        return self.places(kind) and not activated


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The venue took the order; fills may already lie in it."""

    order: str
    fills: Sequence[Fill] = ()


class MarketData(Protocol):
    """Public data of a venue."""

    name: str
    simulated: bool

    async def instruments(self) -> Sequence[Instrument]: ...
    async def quote(self, instrument: Instrument) -> Quote: ...
    async def bars(
        self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500
    ) -> Bars: ...
    async def ping(self) -> float:
        """Seconds a round trip takes. Raises Unavailable."""
        ...

    async def close(self) -> None: ...


class Exchange(Protocol):
    """Trading at a venue, for one account.

    Orders and fills that this product did not make carry the ledger ELSEWHERE, and an id 'VENUE:their id'.
    """

    capabilities: Capabilities

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        """Places it once. Raises OrderRefused (surely not placed) or OutcomeUnknown (look it up, never resend).

        last: called when all waiting is over, as the last thing before the order leaves (see `demand_last`)
        """
        ...

    async def cancel(self, order_id: str) -> bool:
        """True when it was open and is cancelled; False when there was nothing left to cancel."""
        ...

    async def find(self, order_id: str) -> Order | None:
        """The venue's own knowledge of the order; None when it does not know it (surely, past its receive window)."""
        ...

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        """Every fill of the order so far, oldest first, under the account and ledger of its request."""
        ...

    async def open_orders(self) -> Sequence[Order]:
        """All that is open at the venue, also what was placed elsewhere by hand."""
        ...

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        """Every fill of the account since then (UTC ms), oldest first, also of orders placed elsewhere."""
        ...

    async def balances(self) -> dict[str, Decimal]:
        """What the venue holds for the account by asset, bound by open orders or not."""
        ...

    async def costs(self, instrument: Instrument) -> Costs: ...
    def fills(self) -> AsyncIterator[Fill]:
        """Fills as they happen."""
        ...


def demand_last(last: Look | None) -> None:
    """Takes the last look. Raises OrderRefused with what it found: nothing has left yet, and nothing does."""
    if last is None:
        return
    try:
        last()
    except OrderRefused:
        raise
    except AppError as refused:
        raise OrderRefused(refused.message, hint=refused.hint, **refused.details) from refused
