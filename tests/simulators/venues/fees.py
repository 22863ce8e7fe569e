"""What a trade costs each side, and in which coin."""

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from tests.simulators.venues.values import FEES, HOUSE, ZERO, Listing, Side

if TYPE_CHECKING:
    from tests.simulators.venues.matching import Matching

DIGITS = Decimal("1E-8")


class Fees:
    """Fees as the venue's rules say; the discount token is taken where its owner wants that and holds enough."""

    def __init__(self, venue: "Matching") -> None:
        self._venue = venue

    def held_share(self, listing: Listing) -> Decimal:
        """Fraction that a buy binds on top of its cost, where fees are paid in the quote."""
        return max(listing.maker, listing.taker) if self._venue.rules.fee_in == "quote" else ZERO

    def of(
        self, user: str, side: Side, listing: Listing, price: Decimal, quantity: Decimal, maker: bool
    ) -> tuple[Decimal, str]:
        """Fee and its asset."""
        rules = self._venue.rules
        in_base = rules.fee_in == "received" and side == "buy"
        usual = listing.base if in_base else listing.quote
        if user == HOUSE:
            return ZERO, usual
        rate = listing.maker if maker else listing.taker
        cost = price * quantity * rate
        token = rules.discount
        if token is not None and self._venue.accounts.pays_discounted.get(user):
            worth = self._worth(token, listing.quote)
            if worth is not None:
                fee = _cut(cost * rules.discount_factor / worth)
                if self._venue.accounts.free(user, token) >= fee:
                    return fee, token
        return _cut(quantity * rate if in_base else cost), usual

    def collect(self, user: str, asset: str, fee: Decimal) -> None:
        if user != HOUSE and fee:
            self._venue.accounts.pay(user, FEES, asset, fee)

    def _worth(self, token: str, quote: str) -> Decimal | None:
        """Price of the token in the quote; None where it does not trade there."""
        return Decimal(1) if token == quote else self._venue.last.get(f"{token}/{quote}")


def _cut(fee: Decimal) -> Decimal:
    return fee.quantize(DIGITS, ROUND_DOWN)
