"""Lease: only one process trades. It is taken from a row with an expiry and kept alive by a heartbeat."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog

from core.clock import Clock, to_ms
from core.errors import AppError, Conflict
from core.jobs import end_task

TAKEN = (
    "Another process has taken over trading. This one sends no orders and keeps no stops any more; "
    "to trade here again, end the other one and start this one anew."
)
AGAIN = (
    "For a while this process could not prove its right to trade: it stood still, or the database did not answer. "
    "No order was sent meanwhile, kept stops included. It trades again; please look at your open orders."
)

Renew = Callable[[str, str, datetime, float], Awaitable[bool]]


class LeaseStore(Protocol):
    """Where the lease stands."""

    async def take_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool: ...
    async def renew_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool: ...
    async def drop_lease(self, name: str, owner: str) -> None: ...


class Lease:
    """Held from `take` until `drop`, except while the heartbeat could not renew it for `seconds`.

    Once another process has taken it, it is over for good here: see `renew_lease`.
    wait: seconds to wait for a holder that may have died; 0 refuses at once
    tell: tells whom it concerns what was amiss, once the store answers; over: called when another process has taken it
    """

    def __init__(
        self,
        store: LeaseStore,
        clock: Clock,
        name: str = "trader",
        *,
        seconds: float = 15.0,
        wait: float = 20.0,
        tell: Callable[[str], Awaitable[None]] | None = None,
        over: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._seconds = seconds
        self._wait = wait
        self._tell, self._over = tell, over
        self._lapsed = False  # and the owners do not know it yet
        self._owner = uuid.uuid4().hex
        self._until = 0
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("lease")

    @property
    def held(self) -> bool:
        """Whether this process may send orders now."""
        return self._clock.now_ms() < self._until

    async def take(self) -> None:
        """Takes the lease and keeps it alive. Raises Conflict when another process holds on to it."""
        deadline = self._clock.now_ms() + int(self._wait * 1000)
        while not await self._renew(self._store.take_lease):
            if self._clock.now_ms() >= deadline:
                raise Conflict(
                    "Another process is trading for these accounts.",
                    hint="Stop it first, or talk to it: orchestrator chat.",
                )
            await self._clock.sleep(1.0)
        self._task = asyncio.create_task(self._beat(), name="lease")

    async def drop(self) -> None:
        """Gives the lease back; where the store does not take it, it runs out by itself."""
        await end_task(self._task)
        self._task = None
        self._until = 0
        try:
            await self._store.drop_lease(self._name, self._owner)
        except (AppError, OSError) as error:
            self._log.warning("lease not given back", lease=self._name, exc_info=error)

    def demand(self) -> None:
        """Raises Conflict when the lease is not held: what is not sent then is not lost, only refused."""
        if not self.held:
            raise Conflict(
                "This process no longer holds the right to trade; nothing was sent.",
                hint="Another instance may have taken over; try again there.",
            )

    async def _renew(self, renew: Renew) -> bool:
        now = self._clock.now()
        if not await renew(self._name, self._owner, now, self._seconds):
            self._until = 0
            return False
        self._until = to_ms(now) + int(self._seconds * 1000)
        return True

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(self._seconds / 3)
            self._see()
            try:
                if not await self._renew(self._store.renew_lease):
                    break
                self._see()  # the store may have taken so long that it ran out again
                if self._lapsed and self.held:
                    await self._say(AGAIN)
                    self._lapsed = False
                    self._log.info("lease held again", lease=self._name)
            except Exception as error:  # whatever it is, an end of the heartbeat would be an end of all trading
                self._log.warning("lease not renewed", lease=self._name, exc_info=error)
        self._log.error("lease taken over", lease=self._name)
        await self._give_way()

    def _see(self) -> None:
        if not self.held and not self._lapsed:
            self._lapsed = True
            self._log.error("lease lapsed", lease=self._name)

    async def _give_way(self) -> None:
        """Another process trades: what is in memory here is old from now on, and the lease is not taken again."""
        if self._over is not None:
            try:
                await self._over()
            except Exception as error:  # nothing is sent any more in any case
                self._log.warning("not all came to rest", lease=self._name, exc_info=error)
        while True:
            try:
                return await self._say(TAKEN)
            except Exception as error:  # the store may be what is broken
                self._log.warning("not told", lease=self._name, exc_info=error)
            await self._clock.sleep(self._seconds)

    async def _say(self, text: str) -> None:
        if self._tell is not None:
            await self._tell(text)
