"""Portfolio: a fold of fills and transfers. Nothing else ever changes a balance."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from core.money import ZERO
from core.trading.orders import Side


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. price: quote per base; quantity: base; fee: quote, positive is paid.

    fee_asset, fee_amount: what the venue really took, where that was not the quote (a part of the base that was bought,
    a discount token); `fee` is then what it was worth
    """

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
    fee_asset: str | None = None
    fee_amount: Decimal = ZERO

    @property
    def notional(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Transfer:
    """Cash or coins moved into (+) or out of (-) a ledger: the opening deposit, a strategy's allocation and its return.

    instrument, price: of coins that are a position from then on (or no longer), and what one was worth then, in quote
    """

    id: str
    account: str
    ledger: str
    asset: str
    amount: Decimal
    time: datetime
    note: str = ""
    instrument: str | None = None
    price: Decimal | None = None

    def worth(self, currency: str) -> Decimal:
        """What was moved, in the currency; nothing where that was not known."""
        if self.asset == currency:
            return self.amount
        return ZERO if self.price is None else self.amount * self.price


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
        if fill.fee_asset is not None and fill.fee_asset == base_of(self.instrument):
            signed -= fill.fee_amount
        paid = replace(self, realised=self.realised - fill.fee, fees=self.fees + fill.fee)
        return paid.moved(signed, fill.price)

    def moved(self, signed: Decimal, price: Decimal) -> "Position":
        """The position after `signed` came (+) or went (-) at the price, for nothing."""
        after, realised = self.quantity + signed, self.realised
        if signed == 0:
            return self
        if self.quantity == 0 or (self.quantity > 0) == (signed > 0):
            entry = (self.entry_price * abs(self.quantity) + price * abs(signed)) / abs(after)
        else:
            closed = min(abs(signed), abs(self.quantity))
            direction = 1 if self.quantity > 0 else -1
            realised += (price - self.entry_price) * closed * direction
            flipped = abs(signed) > abs(self.quantity)
            entry = ZERO if after == 0 else price if flipped else self.entry_price
        return replace(self, quantity=after, entry_price=entry, realised=realised)

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
            if entry.instrument is None or entry.price is None:
                return replace(self, balances=balances)
            return Portfolio(balances, self._moved(entry.instrument, entry.amount, entry.price))
        venue, base, quote = _parts(entry.instrument)
        fee_asset, fee_amount = (quote, entry.fee) if entry.fee_asset is None else (entry.fee_asset, entry.fee_amount)
        balances[base] = balances.get(base, ZERO) + entry.quantity * entry.side.sign
        balances[quote] = balances.get(quote, ZERO) - entry.notional * entry.side.sign
        balances[fee_asset] = balances.get(fee_asset, ZERO) - fee_amount
        positions = self.positions
        token = f"{venue}:{fee_asset}/{quote}"
        if fee_asset not in (base, quote) and token in positions and fee_amount:
            positions = self._moved(token, -fee_amount, entry.fee / fee_amount)  # sold to pay the fee, as it were
        before = positions.get(entry.instrument, Position(entry.instrument))
        return Portfolio(balances, {**positions, entry.instrument: before.apply(entry)})

    def _moved(self, instrument: str, amount: Decimal, price: Decimal) -> dict[str, Position]:
        before = self.positions.get(instrument, Position(instrument))
        return {**self.positions, instrument: before.moved(amount, price)}


def fold(entries: Iterable[Fill | Transfer]) -> Portfolio:
    """The portfolio that results from the entries, in order."""
    portfolio = Portfolio()
    for entry in entries:
        portfolio = portfolio.apply(entry)
    return portfolio


def base_of(key: str) -> str:
    """'BTC' of 'binance:BTC/USDT'."""
    return _parts(key)[1]


def _parts(key: str) -> tuple[str, str, str]:
    venue, _, symbol = key.partition(":")
    base, _, quote = symbol.partition("/")
    return venue, base, quote
