"""Means: what an account has free for an order, and what the limits are told about it."""

from decimal import Decimal

from core.engine.book import Book
from core.engine.drafting import entry_of
from core.engine.estimate import Cost
from core.engine.valuation import Valuation
from core.engine.views import MANUAL
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.risk import limits as risk
from core.trading.exchange import Quote
from core.trading.orders import Limit, OrderRequest, Side, StopLimit


class Means:
    """The free and the held of every account, at the newest prices there are."""

    def __init__(self, book: Book, valuation: Valuation) -> None:
        self._book, self._valuation = book, valuation

    def part(
        self, account: str, side: Side, instrument: Instrument, fraction: Decimal
    ) -> tuple[Decimal | None, Decimal | None]:
        """(quantity, spend) of a fraction of what is free."""
        if fraction > 1:
            raise InvalidInput(f"The fraction {plain(fraction)} is above 1.", hint="0.5 is half of what is free.")
        asset = instrument.base if side is Side.SELL else instrument.quote
        free = self._book.free(account, MANUAL, asset)
        if free <= 0:
            raise InvalidInput(f"There is no {asset} free: {risk.amount(free, asset)}.", asset=asset, free=str(free))
        if side is Side.SELL:
            return free * fraction, None
        return None, (free * fraction).quantize(Decimal("1e-8"), "ROUND_DOWN")

    def situation(self, request: OrderRequest, quote: Quote, cost: Cost) -> risk.Situation:
        """What the limits are asked about an order by hand."""
        account, ledger, instrument = request.account, request.ledger, request.instrument
        state = self._book.account(account)
        kind = entry_of(request.type)
        return risk.Situation(
            instrument,
            request.side,
            cost.quantity,
            cost.price,
            quote.last,
            request.spend or cost.notional + cost.fee,
            self._book.free(account, ledger, instrument.quote),
            self._book.free(account, ledger, instrument.base),
            self._held(request),
            self._valuation.ledger_equity(account, ledger),
            self._book.recent(account),
            state is not None and state.halted,
            kind.price if isinstance(kind, Limit | StopLimit) else None,
            reducing=request.reduce_only,
        )

    def _held(self, request: OrderRequest) -> Decimal:
        portfolio = self._book.portfolio(request.account, request.ledger)
        position = portfolio.positions.get(request.instrument.key)
        return ZERO if position is None else position.quantity
