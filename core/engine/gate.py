"""Gate: the last look at an order, whoever made it, just before it is recorded and once more just before it is sent."""

from decimal import Decimal

from core.engine.arming import Arming, Stake
from core.engine.book import Book
from core.engine.estimate import expected
from core.engine.feed import Feed
from core.engine.valuation import FRESH, Valuation
from core.errors import RiskRefused, Unavailable
from core.money import ZERO
from core.risk.limits import reduces
from core.trading.costs import Costs
from core.trading.orders import OrderRequest, Side
from core.trading.purses import mode_of


class Gate:
    """What speaks against an order now: the kill switch; live also an old price, no arming, a cap.

    Orders that only reduce what is held pass: stops and closes must reach the venue whatever else is wrong.
    """

    def __init__(self, book: Book, feed: Feed, valuation: Valuation, arming: Arming) -> None:
        self._book, self._feed, self._valuation, self._arming = book, feed, valuation, arming

    def demand(self, request: OrderRequest) -> None:
        """Raises RiskRefused, Forbidden or Unavailable."""
        if self._reduces(request):
            return
        if self._book.halted(request.account):
            raise RiskRefused(
                "kill switch", allowed="no new exposure", asked=f"{request.side.value} {request.instrument.symbol}",
                hint="Trading is stopped by panic; resume lifts it.",
            )  # fmt: skip
        if mode_of(request.account) == "LIVE":
            self._arming.demand(request.account, self._stake(request))

    def added(self, account: str) -> Decimal:
        """What is held beyond the arming and on order to be bought, in the account's currency."""
        armed, book = self._arming.of(account), self._book
        before = {} if armed is None else armed.held
        held: dict[str, Decimal] = {}
        prices: dict[str, Decimal] = {}
        for ledger in book.ledgers(account):
            for key, position in book.portfolio(account, ledger).positions.items():
                held[key] = held.get(key, ZERO) + position.quantity
                prices[key] = max(prices.get(key, ZERO), self._valuation.price(position))
        more = ZERO
        for key, quantity in held.items():
            gained = abs(quantity) - abs(before.get(key, ZERO))
            if gained > 0:
                more += gained * prices[key]
        currency = book.currency(account)
        return more + sum((book.reserved(account, ledger, currency) for ledger in book.ledgers(account)), ZERO)

    def _reduces(self, request: OrderRequest) -> bool:
        if request.reduce_only:
            return True
        if request.side is Side.BUY and mode_of(request.account) == "LIVE":
            return False  # no one is short at a venue's spot market; below zero, the journal is only behind
        position = self._book.portfolio(request.account, request.ledger).positions.get(request.instrument.key)
        quantity = request.quantity
        return position is not None and quantity is not None and reduces(position.quantity, request.side, quantity)

    def _stake(self, request: OrderRequest) -> Stake:
        account, instrument = request.account, request.instrument
        quote, age = self._feed.known(instrument), self._feed.age(instrument)
        if quote is None or age is None or age > FRESH:
            raise Unavailable(
                f"The price of {instrument.symbol} is {0 if age is None else age:.0f} seconds old, "
                f"and an order needs one of the last {FRESH:.0f} seconds.",
                hint="Nothing was sent; try again when the market data is back.",
                age=age,
            )
        cost = expected(request, quote, Costs())
        known = self._book.order(request.id)  # just before sending it is on order itself
        child = request.parent is not None or known is not None
        old = self._book.bound(request.replaces) if request.replaces is not None and known is None else ZERO
        added, earned = self.added(account) - old, self._valuation.earned(account)
        return Stake(cost.notional, added, earned, self._book.currency(account), child)
