"""Portfolio: a fold of fills and transfers. Nothing else ever changes a balance."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from core.money import ZERO
from core.trading.orders import Side


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. price: quote per base; quantity: base; fee: quote, positive is paid."""

    id: str
    order: str
    account: str
    ledger: str
    instrument: str  # Instrument.key
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    time: datetime
    maker: bool = False

    @property
    def notional(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Transfer:
    """Cash moved into (+) or out of (-) a ledger: the opening deposit, a strategy's allocation and its return."""

    id: str
    account: str
    ledger: str
    asset: str
    amount: Decimal
    time: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Signed base quantity at an average entry price; realised profit is net of fees."""

    instrument: str
    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO
    realised: Decimal = ZERO  # quote, net of all fees paid on this instrument
    fees: Decimal = ZERO

    def apply(self, fill: Fill) -> "Position":
        """The position after the fill (average cost; crossing zero opens the rest at the fill's price)."""
        signed = fill.quantity * fill.side.sign
        after = self.quantity + signed
        realised = self.realised - fill.fee
        if self.quantity == 0 or (self.quantity > 0) == (signed > 0):
            entry = (self.entry_price * abs(self.quantity) + fill.notional) / abs(after)
        else:
            closed = min(abs(signed), abs(self.quantity))
            direction = 1 if self.quantity > 0 else -1
            realised += (fill.price - self.entry_price) * closed * direction
            flipped = abs(signed) > abs(self.quantity)
            entry = ZERO if after == 0 else fill.price if flipped else self.entry_price
        return replace(self, quantity=after, entry_price=entry, realised=realised, fees=self.fees + fill.fee)

    def unrealised(self, price: Decimal) -> Decimal:
        """Profit if closed at `price`, before costs, in quote."""
        return (price - self.entry_price) * self.quantity


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Balances per asset and positions per instrument of one ledger or one account."""

    balances: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)

    def apply(self, entry: Fill | Transfer) -> "Portfolio":
        """The portfolio after one entry."""
        balances = dict(self.balances)
        if isinstance(entry, Transfer):
            balances[entry.asset] = balances.get(entry.asset, ZERO) + entry.amount
            return replace(self, balances=balances)
        base, _, quote = entry.instrument.partition(":")[2].partition("/")
        balances[base] = balances.get(base, ZERO) + entry.quantity * entry.side.sign
        balances[quote] = balances.get(quote, ZERO) - entry.notional * entry.side.sign - entry.fee
        positions = dict(self.positions)
        positions[entry.instrument] = positions.get(entry.instrument, Position(entry.instrument)).apply(entry)
        return Portfolio(balances, positions)


def fold(entries: Iterable[Fill | Transfer]) -> Portfolio:
    """The portfolio that results from the entries, in order."""
    portfolio = Portfolio()
    for entry in entries:
        portfolio = portfolio.apply(entry)
    return portfolio
