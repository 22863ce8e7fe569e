"""Protecting: the one order that watches over a live position, and how another one takes its place.

A venue binds the coins of a stop, so the old order ends before the new one can be placed. When that is refused, the old
one is placed again; where this fails, too, or the process ends in between, the owner is told that nothing protects it.
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from core.clock import Clock
from core.engine.book import Book
from core.engine.execution import Execution
from core.engine.outcomes import FAILURES
from core.engine.ports import Document, TradingStore
from core.engine.valuation import protecting
from core.engine.views import MANUAL
from core.errors import AppError, Conflict
from core.events import AccountNotice
from core.market.instrument import Instrument
from core.money import ZERO, quantise_quantity
from core.trading.orders import Order, OrderRequest, OrderStatus, OrderType, Side

KIND = "protecting"  # of the documents that stand while one order takes another's place

Submit = Callable[[OrderRequest], Awaitable[Order]]


class Protecting:
    """Orders that sell a whole manual position of a live account. submit: places one, checks and all"""

    def __init__(self, store: TradingStore, book: Book, execution: Execution, submit: Submit, clock: Clock) -> None:
        self._store, self._book, self._execution, self._submit, self._clock = store, book, execution, submit, clock

    async def put(self, account: str, instrument: Instrument, kind: OrderType | None) -> None:
        """Lets this order watch over all that is held, in the place of those that did; None ends them.

        Raises what speaks against it; then what protected the position before does so again, or the error says that
        nothing does.
        """
        before = protecting(self._book.open_orders(account, MANUAL), instrument)
        if kind is None:
            for order in before:
                await self._execution.cancel(order)
            return
        if not before:
            await self._place(account, instrument, kind)
            return
        name = f"{account}:{instrument.key}"
        async with self._store.unit() as unit:
            await unit.save_document(Document(KIND, name, account, {"instrument": instrument.key}))
        ended: list[Order] = []
        error: BaseException | None = None
        try:
            for order in before:
                ended.append(await self._execution.cancel(order))
            await self._place(account, instrument, kind)
        except FAILURES as failed:
            error = await self._put_back(account, instrument, ended, failed)
        async with self._store.unit() as unit:
            await unit.drop_document(KIND, name)
        if error is not None:
            raise error

    async def load(self) -> None:
        """Tells the owners of positions whose protection was being changed when the process ended."""
        for document in await self._store.documents(KIND):
            account, key = document.owner, str(document.value["instrument"])
            instrument = self._book.instruments.get(key)
            bare = instrument is not None and not protecting(self._book.open_orders(account, MANUAL), instrument)
            async with self._store.unit() as unit:
                if bare and instrument is not None and self._left(account, instrument) > 0:
                    text = (
                        f"The stop of your {instrument.base} was being changed when the process ended. "
                        f"Nothing protects it now: set it again."
                    )
                    told = f"unprotected:{document.id}:{self._clock.now_ms()}"
                    unit.emit(AccountNotice(told, account, self._clock.now(), text))
                await unit.drop_document(KIND, document.id)

    # -- inside -------------------------------------------------------------------------------------------------

    def _left(self, account: str, instrument: Instrument) -> Decimal:
        """What could be sold now, in lots."""
        free = self._book.free(account, MANUAL, instrument.base)
        return max(ZERO, quantise_quantity(free, instrument.lot_size))

    async def _place(self, account: str, instrument: Instrument, kind: OrderType) -> None:
        quantity = self._left(account, instrument)
        if quantity <= 0:
            raise Conflict(f"No {instrument.base} is free to be protected now.", hint="Look at your open orders.")
        after = await self._submit(self._request(account, instrument, kind, quantity))
        if after.status is OrderStatus.REJECTED:
            raise Conflict(after.reason or "The venue did not take the order.", order=after.id)

    async def _put_back(
        self, account: str, instrument: Instrument, ended: Sequence[Order], failed: BaseException
    ) -> BaseException:
        """Places again what was cancelled; what is to be told of it."""
        reason = failed.message if isinstance(failed, AppError) else type(failed).__name__
        base, reasons = instrument.base, []
        for order in ended:
            quantity = min(self._left(account, instrument), (order.request.quantity or ZERO) - order.filled)
            if order.status is not OrderStatus.CANCELLED or quantity <= 0:
                continue
            try:
                after = await self._submit(self._request(account, instrument, order.request.type, quantity))
                if after.status is OrderStatus.REJECTED:
                    reasons.append(after.reason or "no reason was given")
            except FAILURES as again:
                reasons.append(again.message if isinstance(again, AppError) else type(again).__name__)
        if not reasons:
            if protecting(self._book.open_orders(account, MANUAL), instrument):
                return Conflict(
                    f"The new order was refused: {reason}", hint=f"Your {base} is protected as it was before."
                )
            return failed
        text = (
            f"What protected your {base} is cancelled, the new order was refused ({reason}), "
            f"and so was the old one ({reasons[0]})."
        )
        hint = "Nothing protects it now; set a stop again."
        async with self._store.unit() as unit:
            name = f"unprotected:{account}:{instrument.key}:{self._clock.now_ms()}"
            unit.emit(AccountNotice(name, account, self._clock.now(), f"{text} {hint}"))
        return Conflict(text, hint=hint)

    def _request(self, account: str, instrument: Instrument, kind: OrderType, quantity: Decimal) -> OrderRequest:
        return OrderRequest(
            uuid.uuid4().hex, account, instrument, Side.SELL, kind, quantity=quantity, reduce_only=True,
            created=self._clock.now(),
        )  # fmt: skip
