"""Instrument: one tradable pair at one venue, with the venue's grids."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from core.errors import InvalidInput
from core.money import ZERO, plain, quantise_price, quantise_quantity

Kind = Literal["spot", "perpetual"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A pair at a venue. tick_size, lot_size, min_notional of 0 mean that the venue sets no such rule.

    tick_size: quote per base, the price grid; lot_size: base, the quantity grid; min_notional: quote
    """

    venue: str
    base: str
    quote: str
    tick_size: Decimal = ZERO
    lot_size: Decimal = ZERO
    min_notional: Decimal = ZERO
    kind: Kind = "spot"

    @property
    def symbol(self) -> str:
        """BTC/USDT"""
        return f"{self.base}/{self.quote}"

    @property
    def key(self) -> str:
        """binance:BTC/USDT, unique across venues."""
        return f"{self.venue}:{self.symbol}"

    def price(self, price: Decimal, direction: int = 0) -> Decimal:
        """The price on this instrument's tick grid (see quantise_price)."""
        return quantise_price(price, self.tick_size, direction)

    def quantity(self, quantity: Decimal) -> Decimal:
        """The quantity rounded down onto the lot grid. Raises InvalidInput when nothing is left of it."""
        rounded = quantise_quantity(quantity, self.lot_size)
        if rounded <= 0:
            raise InvalidInput(
                f"Quantity {plain(quantity)} {self.base} is below the lot size {plain(self.lot_size)}.",
                hint=f"The smallest order is {plain(self.lot_size)} {self.base}." if self.lot_size else None,
                quantity=str(quantity),
                lot_size=str(self.lot_size),
            )
        return rounded


def parse_key(key: str) -> tuple[str, str, str]:
    """('binance', 'BTC', 'USDT') of 'binance:BTC/USDT'. Raises InvalidInput."""
    venue, _, symbol = key.partition(":")
    base, _, quote = symbol.partition("/")
    if not (venue and base and quote):
        raise InvalidInput(
            f"'{key}' is not an instrument.", hint="Write it as venue:BASE/QUOTE, e.g. binance:BTC/USDT."
        )
    return venue.lower(), base.upper(), quote.upper()
