"""Values of the machines: what they remember of their children, what can happen to them, what they ask for."""

from dataclasses import dataclass
from decimal import Decimal

from core.money import ZERO
from core.trading.orders import OrderRequest, OrderStatus, OrderType, Side


@dataclass(frozen=True, slots=True)
class Child:
    """An order that a machine placed, as far as it knows. RECORDED: asked for, and perhaps on its way.

    n: its number within the parent, never used twice; quantity (base) or spend (quote) sizes it
    counts: +1 where its fills are the parent's, -1 where they take from them, 0 where they are neither (exits)
    level: which rung or cell it belongs to; since: UTC ms, when it was asked for; notional, fees: quote
    charged: base that the venue kept of what was bought, as its fee
    """

    n: int
    role: str
    side: Side
    type: OrderType
    quantity: Decimal | None
    spend: Decimal | None = None
    counts: int = 1
    level: int = 0
    since: int = 0
    status: OrderStatus = OrderStatus.RECORDED
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    fees: Decimal = ZERO
    charged: Decimal = ZERO
    reason: str | None = None
    passing: bool = False  # refused for something that passes: too many requests, no connection, an old price
    cancelling: bool = False
    answered: bool = False  # the machine has drawn its conclusions from its end

    @property
    def live(self) -> bool:
        return not self.status.final

    @property
    def kept(self) -> Decimal:
        """What it left in the account of what it bought, or took from it by selling, base."""
        return self.filled - self.charged if self.side is Side.BUY else self.filled

    @property
    def resting(self) -> Decimal:
        """What may still fill, base."""
        return max(ZERO, (self.quantity or ZERO) - self.filled) if self.live else ZERO


@dataclass(frozen=True, slots=True)
class Ending:
    """How the parent is to end, as soon as no child lives any more."""

    status: OrderStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What every machine keeps. native: order types that the venue works itself, by name

    now: the newest time seen (UTC ms); last: the newest price seen; told: how often the user was told something
    failures: placements refused in a row; retry: UTC ms before which none is tried again
    reopened: it had finished, and then a child filled that was thought over
    """

    request: OrderRequest
    native: tuple[str, ...] = ()
    children: tuple[Child, ...] = ()
    started: int = 0
    now: int = 0
    last: Decimal | None = None
    told: int = 0
    ending: Ending | None = None
    finished: bool = False
    reopened: bool = False
    failures: int = 0
    retry: int = 0

    @property
    def quantity(self) -> Decimal:
        """What the whole order is about, base."""
        return self.request.quantity or self.request.estimate

    @property
    def filled(self) -> Decimal:
        """Net of what was traded back, base."""
        return sum((child.filled * child.counts for child in self.children), ZERO)

    @property
    def held(self) -> Decimal:
        """As `filled`, without what the venue kept of it as fees."""
        return sum((child.kept * child.counts for child in self.children), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """Of the fills that count, quote per base; None before the first."""
        counted = [child for child in self.children if child.counts > 0 and child.filled]
        total = sum((child.filled for child in counted), ZERO)
        return sum((child.notional for child in counted), ZERO) / total if total else None

    @property
    def fees(self) -> Decimal:
        """Of all children, quote."""
        return sum((child.fees for child in self.children), ZERO)


# -- what can happen ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Priced:
    """The market moved. time: UTC ms"""

    time: int
    bid: Decimal
    ask: Decimal
    last: Decimal


@dataclass(frozen=True, slots=True)
class Changed:
    """A child stands so. It may be told late, twice, or out of order.

    charged: base kept by the venue as its fee; passing: what it was refused for will pass
    """

    n: int
    status: OrderStatus
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    fees: Decimal = ZERO
    reason: str | None = None
    charged: Decimal = ZERO
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed. time: UTC ms"""

    time: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order's owner wants it to end."""

    reason: str = "Cancelled on request."


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process began anew: what was asked for and never answered is asked for again. time: UTC ms"""

    time: int


Happening = Priced | Changed | Ticked | Cancelled | Restarted


# -- what a machine asks for -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Place this child. Asking again for the same number is the same order."""

    child: Child
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the child of this number; one that never went out is dropped."""

    n: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the owner. n: counts up within the order, so that nothing is told twice"""

    n: int
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The order has ended; no child lives any more."""

    status: OrderStatus
    reason: str | None = None


Action = Place | Cancel | Tell | Finish
