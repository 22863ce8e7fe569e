"""Emergency: the kill switch over all accounts of a person, what it cancels and stops, and selling what is held.

The switch counts the moment it is thrown, before it is written down. Then all accounts are cleared side by side, each
within a time limit: a venue that does not answer holds up no other, and what is open there is cancelled once it does.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from core import wording
from core.clock import Clock
from core.engine.book import Book
from core.engine.execution import Execution
from core.engine.live import LiveVenues
from core.engine.outcomes import FAILURES
from core.engine.ports import AccountState, TradingStore
from core.engine.register import Register
from core.engine.trader import Trader
from core.engine.valuation import Valuation
from core.engine.views import AccountView, Panic, Stopped
from core.errors import AppError, Conflict
from core.events import AccountNotice
from core.trading.orders import Order, OrderStatus
from core.trading.purses import owner_of, title_of, venue_of

PATIENCE = 6.0  # seconds an account may take before the answer goes out without it
AGAIN, LONGEST = 5.0, 60.0  # seconds between two tries to cancel what is left, doubled each time

T = TypeVar("T")


class Emergency:
    """What stops a person's trading at once, on paper and at every venue."""

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        execution: Execution,
        trader: Trader,
        valuation: Valuation,
        register: Register,
        live: LiveVenues | None,
        clock: Clock,
    ) -> None:
        self._store, self._book, self._execution, self._trader = store, book, execution, trader
        self._valuation, self._register, self._live, self._clock = valuation, register, live, clock
        self.look: Callable[[str], Awaitable[object]] | None = None  # at an account nobody has looked at yet
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thrown: dict[str, int] = defaultdict(int)  # how often each person threw the switch
        self._writing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._log = structlog.get_logger("emergency")

    async def stop(self) -> None:
        """Ends what is still being tried; the switch itself is on the record."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def accounts(self, owner: str) -> list[str]:
        """The person's accounts that were ever opened, the one on paper first."""
        found = [account for account in self._book.accounts() if owner_of(account) == owner]
        return sorted(found, key=lambda account: (venue_of(account) is not None, account))

    # -- the switch ---------------------------------------------------------------------------------------------

    async def panic(self, owner: str) -> Panic:
        """No new exposure, no open order, no running strategy, on any account. Positions stay.

        A second panic does what the first one could not. Orders that only reduce a position pass from now on, too.
        """
        if not self.accounts(owner):
            await self._register.open(owner)
        accounts = self.accounts(owner)
        states = [state for each in accounts if (state := self._book.account(each)) is not None]
        new = not all(state.halted for state in states)
        for state in states:  # at once, before anything waits: what is on its way is held up at the gate
            self._book.set_account(replace(state, halted=True))
        self._thrown[owner] += 1
        text = (
            "The kill switch is on: nothing is bought, orders are being cancelled, strategies stopped. resume lifts it."
        )

        async def write() -> None:
            async with self._writing[owner]:
                await self._write(states, True, text if new else None)

        unwritten = await self._trouble(self._begin(write()))
        unopened = await self._unopened(owner)
        stopped, elsewhere = await asyncio.gather(
            asyncio.gather(*(self._stop(each) for each in accounts)),
            asyncio.gather(*(self._elsewhere(each) for each in unopened)),
        )
        return Panic(tuple(stopped), unwritten, tuple(told for told in elsewhere if told))

    def take_up(self) -> None:
        """After a start: goes on cancelling what a panic before it could not."""

        async def nothing() -> None:
            return None

        for account in self._book.accounts():
            orders = [order for order in self._book.open_orders(account) if self._execution.unwanted(order.id)]
            if orders and self._book.halted(account):
                self._begin(self._insist(account, self._begin(nothing()), [order.id for order in orders]))

    async def resume(self, owner: str) -> None:
        """Lifts the switch on all accounts. Raises Conflict when it is thrown again meanwhile."""
        if not self.accounts(owner):
            await self._register.open(owner)
        thrown = self._thrown[owner]
        async with self._writing[owner]:
            states = [state for each in self.accounts(owner) if (state := self._book.account(each)) is not None]
            on = any(state.halted for state in states)
            if thrown == self._thrown[owner]:
                await self._write(states, False, "The kill switch is off: trading is allowed again." if on else None)
            if thrown != self._thrown[owner]:  # its own writing waits, and is the last word
                raise Conflict("Panic was pressed meanwhile.", hint="The kill switch stays on; write resume again.")
            for state in states:
                self._book.set_account(replace(self._book.account(state.account) or state, halted=False))
                await self._execution.want_again(state.account)

    async def _write(self, states: Iterable[AccountState], halted: bool, text: str | None) -> None:
        now = self._clock.now()
        async with self._store.unit() as unit:
            owner = ""
            for state in states:
                owner = owner_of(state.account)
                newest = self._book.account(state.account) or state  # a reset may have been faster
                await unit.save_account(replace(newest, halted=halted))
            if text is not None:
                unit.emit(AccountNotice(f"halt:{uuid.uuid4().hex}", owner, now, text))

    # -- one account --------------------------------------------------------------------------------------------

    async def _stop(self, account: str) -> Stopped:
        before = [order.id for order in self._book.open_orders(account)]
        runs: list[str] = []
        clearing = self._begin(self._clear(account, runs))
        trouble = await self._trouble(clearing)
        found = () if trouble else clearing.result()
        ids = dict.fromkeys([*before, *(order.id for order in found)])
        ended = [order for each in ids if (order := await self._store.order(each)) is not None]
        left = [order for order in self._book.open_orders(account) if order.request.parent is None]
        if left or trouble:
            for order in left:
                await self._execution.unwant(order)  # so that a restart does not forget it
            self._begin(self._insist(account, clearing, [order.id for order in left]))
        viewing = self._begin(self._view(account))
        unseen = await self._trouble(viewing)
        return Stopped(
            account,
            tuple(each.number for each in ended if each.status is OrderStatus.CANCELLED and not each.request.parent),
            tuple(sorted(order.number for order in left)),
            tuple(runs),
            () if unseen else viewing.result().positions,
            trouble or unseen,
        )

    async def _view(self, account: str) -> AccountView:
        if self.look is not None and venue_of(account) is not None:
            try:
                await self.look(account)
            except FAILURES as failed:  # what is known of it is shown all the same
                self._log.warning("not looked at", account=account, exc_info=failed)
        return await self._valuation.portfolio(account)

    async def _unopened(self, owner: str) -> list[str]:
        """Accounts at venues there are keys for, which this product never opened: none of its orders are there."""
        if self._live is None:
            return []
        try:
            return [each for each in await self._live.accounts(owner) if self._book.account(each) is None]
        except FAILURES as failed:
            self._log.warning("keys not read", exc_info=failed)
            return []

    async def _elsewhere(self, account: str) -> str | None:
        """What is open at a venue at which this product never traded: told, and left alone."""

        async def ask() -> int:
            assert self._live is not None
            exchange = await self._live.open(account)
            return len(await exchange.open_orders())

        asking = self._begin(ask())
        if trouble := await self._trouble(asking):
            return f"{title_of(account)}, where nothing was traded from here, could not be looked at: {trouble}"
        if not asking.result():
            return None
        orders = wording.plural(asking.result(), "order")
        return f"{title_of(account)}: {orders} placed elsewhere, left alone. Cancel there what you do not want."

    async def _clear(self, account: str, runs: list[str]) -> list[Order]:
        """Cancels every order and stops every strategy, side by side. runs: grows by those that were stopped"""
        if self._live is not None and venue_of(account) is not None and not self._live.is_open(account):
            await self._live.open(account)
        cancelled, failed = await asyncio.gather(
            self._execution.cancel_all(account), self._stop_runs(account, runs), return_exceptions=True
        )
        for each in (cancelled, failed):
            if isinstance(each, BaseException):
                raise each
        return cancelled if isinstance(cancelled, list) else []

    async def _stop_runs(self, account: str, stopped: list[str]) -> None:
        failed: AppError | None = None
        for run in await self._trader.runs(account, running_only=True):
            try:
                stopped.append((await self._trader.stop(account, run, keep=True)).id)
            except Conflict:  # it was stopped meanwhile
                continue
            except AppError as refused:  # the next one is stopped all the same
                failed = refused
        if failed is not None:
            raise failed

    async def _insist(self, account: str, first: asyncio.Task[Any], ids: list[str]) -> None:
        """Cancels what is left as soon as the venue answers, while the switch is on; then tells so."""
        await asyncio.wait({first})
        wait = AGAIN
        while self._book.halted(account):
            left = [order for each in ids if (order := self._book.order(each)) is not None]
            if not left:
                break
            await self._clock.sleep(wait)
            wait = min(wait * 2, LONGEST)
            for order in left:
                try:
                    if self._book.halted(account):
                        await self._execution.cancel(order)
                except FAILURES as failed:
                    self._log.warning("not cancelled", order=order.id, exc_info=failed)
        else:
            return
        if ids:
            ended = [order for each in ids if (order := await self._store.order(each)) is not None]
            told = "; ".join(f"order #{each.number} was {each.status.value.replace('_', ' ')}" for each in ended)
            async with self._store.unit() as unit:
                name, text = f"halt:{uuid.uuid4().hex}", f"Panic on {title_of(account)} is complete: {told}."
                unit.emit(AccountNotice(name, account, self._clock.now(), text))

    # -- every account ------------------------------------------------------------------------------------------

    async def each(
        self, owner: str, act: Callable[[str], Awaitable[T]], seconds: float = PATIENCE
    ) -> list[tuple[str, T | None, str | None]]:
        """(account, answer, trouble) of the act at every account, side by side.

        Of one that fails or takes too long there is no answer but a sentence; what takes too long goes on.
        """
        accounts = self.accounts(owner)
        works = [self._begin(act(account)) for account in accounts]
        troubles = await asyncio.gather(*(self._trouble(work, seconds) for work in works))
        found: list[tuple[str, T | None, str | None]] = []
        for account, work, trouble in zip(accounts, works, troubles, strict=True):
            found.append((account, None if trouble else work.result(), trouble))
        return found

    def _begin(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Starts the work; it goes on when nobody waits for it any more."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failed := task.exception()) is not None:
            self._log.warning("not done", exc_info=failed)

    async def _trouble(self, work: asyncio.Task[Any], seconds: float = PATIENCE) -> str | None:
        """Waits for the work, but not longer. None when it is done, else why not, a sentence."""
        limit = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({work, limit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()
        if not work.done():
            return f"There was no answer within {wording.plural(round(seconds), 'second')}."
        failed = None if work.cancelled() else work.exception()
        if isinstance(failed, AppError):
            return failed.sentence()
        return type(failed).__name__ if failed is not None else "It was ended." if work.cancelled() else None
