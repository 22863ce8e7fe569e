"""Settlement: cash on its way into the ledger of a run, and what is left of it on its way back."""

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core import wording
from core.clock import Clock
from core.engine.book import Book
from core.engine.decision import held_of
from core.engine.feed import Feed
from core.engine.ports import TradingStore
from core.engine.views import MANUAL, Run
from core.errors import Unavailable
from core.exchanges.paper import Batch, PaperVenue
from core.money import ZERO
from core.trading.orders import Market, Order, OrderRequest, Side
from core.trading.portfolio import Transfer


class Settlement:
    """Between the manual ledger of an account and those of its runs."""

    def __init__(self, store: TradingStore, book: Book, venue: PaperVenue, feed: Feed, clock: Clock) -> None:
        self._store, self._book, self._venue, self._feed, self._clock = store, book, venue, feed, clock

    def move(self, run: Run, amount: Decimal, note: str) -> tuple[Transfer, Transfer]:
        """Cash into the manual ledger (+) or out of it (-), and the other way at the run's."""
        now, name = self._clock.now(), f"{run.id}:{'out' if amount < 0 else 'back'}:{self._clock.now_ms()}"
        asset = run.instrument.quote
        return (
            Transfer(f"{name}:manual", run.account, MANUAL, asset, amount, now, note),
            Transfer(f"{name}:run", run.account, run.ledger, asset, -amount, now, note),
        )

    async def keep(self, run: Run) -> Run:
        """Leaves position and cash on the run's ledger."""
        return await self._save(replace(run, returned=ZERO))

    async def liquidate(self, run: Run) -> Run:
        """Sells what the ledger holds and gives its cash back to the manual ledger."""
        held = held_of(run, self._book.portfolio(run.account, run.ledger))
        reason = run.reason
        if held != 0:
            side = Side.SELL if held > 0 else Side.BUY
            request = OrderRequest(
                f"{run.id}-close-{uuid.uuid4().hex}",
                run.account,
                run.instrument,
                side,
                Market(),
                quantity=abs(held),
                ledger=run.ledger,
                reduce_only=True,
                created=self._clock.now(),
            )
            await self._feed.poke(run.instrument)  # no price, no sale: it fails here, before anything is placed
            await self._venue.carry_out(Batch(run.account, run.ledger, place=(request,)))
            sold = await self._sold(run, request.id)
            if sold.average_price is not None:
                reason = (
                    f"Its {wording.quantity(abs(held), run.instrument.base)} were "
                    f"{'sold' if held > 0 else 'bought back'} at {wording.price(sold.average_price, run.instrument)}."
                )
        amount = self._book.total(run.account, run.ledger, run.instrument.quote)
        run = replace(run, returned=amount, reason=reason)

        async def also(unit: Any) -> None:
            await unit.save_run(run)

        if amount > 0:
            await self._venue.transfer(self.move(run, amount, f"return from {run.strategy}"), also)
            return run
        return await self._save(run)

    async def _sold(self, run: Run, order_id: str) -> Order:
        """The closing order when it is over. Raises Unavailable when it is not: the cash stays until it is."""
        for _ in range(self._venue.costs.latency + 1):
            await self._feed.poke(run.instrument)
            order = await self._store.order(order_id)
            if order is not None and order.status.final:
                return order
        raise Unavailable(
            f"Run #{run.number} ({run.strategy}) is stopped, and its position is not sold yet.",
            hint="Stop it once more to finish; the next start of the product does so, too.",
        )

    async def _save(self, run: Run) -> Run:
        async with self._store.unit() as unit:
            return await unit.save_run(run)
