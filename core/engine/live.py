"""Live venues: one exchange per live account, made of its owner's keys when it is first needed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NoReturn, Protocol

from core.errors import NotFound, Unavailable
from core.market.instrument import Instrument
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Capabilities, Exchange, Look
from core.trading.orders import Order, OrderRequest
from core.trading.portfolio import Fill
from core.trading.purses import live_account, owner_of, venue_of


class Keys(Protocol):
    """Where the keys of an account come from (`core.exchanges.vault`)."""

    async def keys(self, user: str, venue: str) -> Any | None: ...
    async def venues(self, user: str) -> Sequence[str]: ...


Make = Callable[[str, str, Any], Exchange | Awaitable[Exchange]]  # account, venue, keys


class LiveVenues:
    """The exchanges of the live accounts of this process.

    make: the exchange of an account at a venue with these keys
    """

    def __init__(self, vault: Keys, make: Make) -> None:
        self._vault, self._make = vault, make
        self._exchanges: dict[str, Exchange] = {}
        self._opening = asyncio.Lock()

    async def open(self, account: str) -> Exchange:
        """The exchange of the live account. Raises NotFound when its owner has no keys there."""
        async with self._opening:
            known = self._exchanges.get(account)
            if known is not None:
                return known
            user, venue = owner_of(account), venue_of(account)
            keys = None if venue is None else await self._vault.keys(user, venue)
            if venue is None or keys is None:
                there = ", ".join(await self._vault.venues(user))
                raise NotFound(
                    f"There are no keys for {venue or account}.",
                    hint=f"There are keys for {there}." if there else "Add the venue's API keys first.",
                    venue=venue,
                )
            made = self._make(account, venue, keys)
            exchange: Exchange = await made if isinstance(made, Awaitable) else made
            self._exchanges[account] = exchange
            return exchange

    def exchange(self, account: str) -> Exchange:
        """The exchange of a live account; one that answers nothing while the account has no keys."""
        return self._exchanges.get(account) or Absent(account)

    def is_open(self, account: str) -> bool:
        """Whether the account's exchange is there to be asked."""
        return account in self._exchanges

    async def accounts(self, user: str) -> list[str]:
        """The live accounts that the user has keys for."""
        return [live_account(user, venue) for venue in await self._vault.venues(user)]

    async def close(self) -> None:
        """Closes what the exchanges hold open."""
        for exchange in self._exchanges.values():
            for part in (exchange, getattr(exchange, "data", None)):  # and the public data it was made with
                close = getattr(part, "close", None)
                if close is not None:
                    await close()
        self._exchanges.clear()


class Absent:
    """The exchange of an account whose keys are gone: nothing can be asked of it, and nothing is lost by asking."""

    capabilities = Capabilities(
        frozenset({"Market", "Limit", "Stop", "StopLimit", "TrailingStop", "Bracket", "OneCancelsOther"}), paper=False
    )

    def __init__(self, account: str) -> None:
        self._account = account

    def _refuse(self) -> NoReturn:
        raise Unavailable(
            f"The account at {venue_of(self._account)} is not connected.",
            hint="Its API keys are missing; nothing was sent.",
            account=self._account,
        )

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        self._refuse()

    async def cancel(self, order_id: str) -> bool:
        self._refuse()

    async def find(self, order_id: str) -> Order | None:
        self._refuse()

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        self._refuse()

    async def open_orders(self) -> Sequence[Order]:
        self._refuse()

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        self._refuse()

    async def balances(self) -> dict[str, Any]:
        self._refuse()

    async def costs(self, instrument: Instrument) -> Costs:
        return Costs()

    def fills(self) -> AsyncIterator[Fill]:
        self._refuse()
