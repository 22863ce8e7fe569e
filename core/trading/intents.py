"""Intents: what a step strategy asks for at a bar's close, and `View`, what it sees there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.trading.tickets import NAN, SignalRow, Ticket

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """Place the order; it may fill from the next bar on. label: the strategy's own word for it, shown with its fills.

    symbol: of another instrument of the run; by default the one whose bar has closed
    """

    ticket: Ticket
    label: str = ""
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the open order; nothing when it has ended meanwhile."""

    ref: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel every order of the instrument that is open now (not those placed beside it)."""

    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Protect:
    """Move the protection of the position held; None leaves what is there. trail: fraction of the best price."""

    stop: float | None = None
    target: float | None = None
    trail: float | None = None
    symbol: str | None = None

    def __post_init__(self) -> None:
        for name in ("stop", "target"):
            _demand(getattr(self, name), name, np.inf, "a positive price")
        _demand(self.trail, "trail", 1.0, "a fraction between 0 and 1")

    def row(self) -> SignalRow:
        """The same as a signal without an exposure."""
        stop, target, trail = (NAN if value is None else value for value in (self.stop, self.target, self.trail))
        return SignalRow(stop=stop, target=target, trail=trail)


@dataclass(frozen=True, slots=True)
class Unprotect:
    """Remove the stop, target and trail of the position."""

    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Close the position at the next open, at market. Orders that rest stay, unless CancelAll is asked beside it."""

    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """What a row of Signals asks for: the exposure, by an order that replaces the last one, with its protection.

    exposure: share of the whole equity in [-1, 1], NaN for no change; the rest as in Signals, NaN for none
    """

    exposure: float = NAN
    limit: float = NAN
    stop: float = NAN
    take_profit: float = NAN
    trail: float = NAN
    symbol: str | None = None

    def __post_init__(self) -> None:
        if not (np.isnan(self.exposure) or -1.0 <= self.exposure <= 1.0):
            raise InvalidInput(f"The exposure {self.exposure} is outside -1 to 1.")
        for name in ("limit", "stop", "take_profit"):
            value = getattr(self, name)
            _demand(None if np.isnan(value) else value, name, np.inf, "a positive price")
        _demand(None if np.isnan(self.trail) else self.trail, "trail", 1.0, "a fraction between 0 and 1")

    def row(self) -> SignalRow:
        return SignalRow(self.exposure, self.limit, self.stop, self.take_profit, self.trail)


Intent = Place | Cancel | CancelAll | Protect | Unprotect | Close | Aim


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that has not ended. ticket: as it stands, its size what it still wants; label: the strategy's word."""

    ref: int
    ticket: Ticket
    remaining: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """One execution since the strategy last decided. side: +1 or -1; quantity: base; fee: quote; time: UTC ms.

    remaining: base the order still wants, 0 when done; reason: entry, exit, stop, target, trail …
    label: the order's, when it was open at the last decision; of an older entry's protective exit it is empty
    """

    ref: int
    label: str
    side: int
    price: float
    quantity: float
    fee: float
    maker: bool
    reason: str
    remaining: float
    time: int


class View(Protocol):
    """What a step strategy sees when a bar has closed, and nothing later. Only `memory` may be changed.

    It is good for this one call of on_bar: keep numbers in `memory`, not the view.
    """

    @property
    def symbol(self) -> str: ...
    @property
    def instrument(self) -> Instrument: ...
    @property
    def timeframe(self) -> str: ...
    @property
    def count(self) -> int:
        """Bars so far, the one that has just closed among them."""
        ...

    @property
    def time(self) -> int:
        """The bar's open, UTC ms."""
        ...

    @property
    def open(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def close(self) -> float: ...
    @property
    def volume(self) -> float: ...
    @property
    def bars(self) -> Bars:
        """The bars so far; the arrays are views, nothing is copied."""
        ...

    def column(self, name: str, last: int | None = None) -> Floats:
        """A column of the bars so far (open, high, low, close, volume), or its last values; without a copy."""
        ...

    def value(self, name: str) -> float:
        """At this bar, one of the arrays that the strategy's own `indicators(bars)` gave."""
        ...

    @property
    def position(self) -> float:
        """Signed base quantity."""
        ...

    @property
    def entry_price(self) -> float:
        """Average entry price, 0 when flat."""
        ...

    @property
    def protection(self) -> SignalRow:
        """The stop, target and trail that protect the position; NaN is none."""
        ...

    @property
    def cash(self) -> float:
        """Quote, of the whole account; with positions on margin see `free`."""
        ...

    @property
    def free(self) -> float:
        """Quote that no position binds; the cash where nothing is on margin."""
        ...

    @property
    def equity(self) -> float:
        """Quote, of the whole account: cash and positions at their last closes."""
        ...

    @property
    def working(self) -> int:
        """How many orders of the instrument are open: cheaper than to look at `orders`."""
        ...

    @property
    def orders(self) -> Sequence[OpenOrder]:
        """The instrument's open orders, oldest first."""
        ...

    @property
    def fills(self) -> Sequence[Filled]:
        """The instrument's fills since the strategy last decided on it."""
        ...

    @property
    def memory(self) -> dict[str, Any]:
        """What the strategy keeps from bar to bar about this instrument, in values of JSON; stored with a run."""
        ...

    @property
    def market(self) -> Mapping[str, "View"]:
        """The views of all instruments of the run, this one among them, by symbol."""
        ...


def _demand(value: float | None, name: str, high: float, wanted: str) -> None:
    if value is not None and not 0.0 < value < high:
        raise InvalidInput(f"The {name} {value} is not {wanted}.")
