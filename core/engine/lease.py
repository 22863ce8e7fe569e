"""Lease: only one process trades. It is taken from a row with an expiry and kept alive by a heartbeat."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog

from core.clock import Clock, to_ms
from core.errors import Conflict
from core.jobs import end_task

TAKEN = "Another process has taken over trading; this one sends no more orders, and keeps no stops."
AGAIN = (
    "For a while this process could not prove its right to trade: the database did not answer. No order was sent "
    "meanwhile, kept stops included. It trades again; please look at your open orders."
)


class LeaseStore(Protocol):
    """Where the lease stands."""

    async def take_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool: ...
    async def drop_lease(self, name: str, owner: str) -> None: ...


class Lease:
    """Held from `take` until `drop`, or until the heartbeat could not renew it for `seconds`.

    wait: seconds to wait for a holder that may have died; 0 refuses at once
    tell: tells whom it concerns that the lease was lost, once each time, as soon as the store answers
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
    ) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._seconds = seconds
        self._wait = wait
        self._tell = tell
        self._lost, self._told = False, False
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
        while not await self._renew():
            if self._clock.now_ms() >= deadline:
                raise Conflict(
                    "Another process is trading for these accounts.",
                    hint="Stop it first, or talk to it: orchestrator chat.",
                )
            await self._clock.sleep(1.0)
        self._task = asyncio.create_task(self._beat(), name="lease")

    async def drop(self) -> None:
        """Gives the lease back."""
        await end_task(self._task)
        self._task = None
        self._until = 0
        await self._store.drop_lease(self._name, self._owner)

    def demand(self) -> None:
        """Raises Conflict when the lease is not held: what is not sent then is not lost, only refused."""
        if not self.held:
            raise Conflict(
                "This process no longer holds the right to trade; nothing was sent.",
                hint="Another instance may have taken over; try again there.",
            )

    async def _renew(self) -> bool:
        now = self._clock.now()
        if not await self._store.take_lease(self._name, self._owner, now, self._seconds):
            self._until = 0
            return False
        self._until = to_ms(now) + int(self._seconds * 1000)
        return True

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(self._seconds / 3)
            try:
                lapsed = not self.held
                mine = await self._renew()
                if (lapsed or not self.held) and not self._lost:
                    self._lost = True
                    self._log.error("lease lost", lease=self._name, mine=mine)
                if self._lost:
                    await self._say(mine)
            except Exception as error:  # whatever it is, an end of the heartbeat would be an end of all trading
                if not self.held and not self._lost:
                    self._lost = True
                    self._log.error("lease lost", lease=self._name, exc_info=error)
                else:
                    self._log.warning("lease not renewed", lease=self._name, exc_info=error)

    async def _say(self, mine: bool) -> None:
        """Tells of the loss once; it is over when the lease is held again."""
        if mine and not self.held:  # the store answered after a long time only; the next beat knows more
            return
        if not self._told and self._tell is not None:
            await self._tell(AGAIN if mine else TAKEN)
        self._told = True
        if mine:
            self._log.info("lease held again", lease=self._name)
            self._lost, self._told = False, False
