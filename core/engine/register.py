"""Register: the accounts there are, how each begins, and how one on paper begins anew."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core import wording
from core.clock import Clock
from core.engine.book import Book
from core.engine.ports import AccountState, TradingStore
from core.engine.trader import Trader
from core.engine.views import MANUAL, Run
from core.errors import InvalidInput
from core.events import AccountNotice
from core.exchanges.paper import PaperVenue
from core.exchanges.record import order_changed
from core.money import ZERO, plain
from core.trading.orders import OrderStatus
from core.trading.portfolio import Transfer
from core.trading.purses import owner_of, venue_of

Adopt = Callable[[str], Awaitable[AccountState]]


class Register:
    """The state of every account; a new one starts on paper with `opening` in `currency`.

    adopt: opens a live account with what its venue holds
    """

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        venue: PaperVenue,
        trader: Trader,
        clock: Clock,
        opening: Decimal,
        currency: str,
        adopt: Adopt,
    ) -> None:
        self._store, self._book, self._venue, self._trader, self._clock = store, book, venue, trader, clock
        self._opening, self._currency, self._adopt = opening, currency, adopt
        self._opened = asyncio.Lock()

    async def open(self, account: str) -> AccountState:
        """The account's state; a new account gets its opening deposit."""
        state = self._book.account(account)
        if state is not None:
            return state
        async with self._opened:
            state = self._book.account(account)
            if state is None and venue_of(account) is not None:
                return await self._adopt(account)
            if state is None:
                state = AccountState(account, self._currency, opened=self._clock.now())
                await self._begin(state, self._opening, "opening deposit")
            return state

    async def reset(self, account: str, cash: Decimal) -> None:
        """Ends all runs and orders and begins anew with `cash`; what was stays as history. Raises InvalidInput."""
        if venue_of(account) is not None:
            raise InvalidInput("A live account holds what the venue holds; only a paper account can begin anew.")
        if not ZERO < cash <= Decimal("1e12"):
            raise InvalidInput(f"A paper account starts with more than 0 and at most 1e12, not {plain(cash)}.")
        before = await self.open(account)
        runs = await self._trader.abandon(account)
        # Beginning anew lifts the kill switch, but never that of live accounts: resume does, with the second factor.
        others = [each for each in self._book.accounts() if each != account and owner_of(each) == owner_of(account)]
        halted = bool(others) and self._book.halted(account)
        state = replace(before, epoch=before.epoch + 1, opened=self._clock.now(), halted=halted)
        try:
            await self._begin(state, cash, "reset", runs)
        except BaseException:
            await self._trader.resume()  # nothing was reset, so they go on
            raise

    async def save(self, state: AccountState) -> None:
        """Records the state."""
        async with self._store.unit() as unit:
            await unit.save_account(state)
        self._book.set_account(state)

    async def _begin(self, state: AccountState, cash: Decimal, note: str, runs: Sequence[Run] = ()) -> None:
        now = self._clock.now()
        deposit = Transfer(uuid.uuid4().hex, state.account, MANUAL, state.currency, cash, now, note)

        before = self._book.account(state.account)

        async def also(unit: Any) -> None:
            nonlocal state
            known = self._book.account(state.account)
            if known is not None and known.halted and before is not None and not before.halted:
                state = replace(state, halted=True)  # panic came while this waited for its turn
            for order in self._book.open_orders(state.account):
                ended = replace(order, status=OrderStatus.CANCELLED, reason="The account was reset.", updated=now)
                await unit.save_order(ended)
                unit.emit(order_changed(ended, self._clock))
            for run in runs:
                reason = "The account was reset."
                await unit.save_run(replace(run, state="stopped", stopped=now, reason=reason, returned=ZERO))
            await unit.drop_ledgers(state.account)
            await unit.save_account(state)
            if state.epoch:
                text = f"The paper account was reset to {wording.money(cash, state.currency)}."
                unit.emit(AccountNotice(f"reset:{state.account}:{state.epoch}", state.account, now, text))
            self._book.set_account(state)  # taken back by a reload if the commit fails

        try:
            await self._venue.reset(deposit, also)
        except BaseException:
            await self._book.load()
            raise
