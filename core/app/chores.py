"""Chores: what happens on a schedule, on APScheduler with its jobs in memory (they are the same at each start)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from core.clock import Clock

Chore = Callable[[], Awaitable[Any]]


class Chores:
    """Runs each chore at its interval; one that fails is logged and comes again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._chores: list[tuple[str, Chore, dict[str, Any]]] = []
        self._scheduler: Any = None
        self._log = structlog.get_logger("chores")

    def every(self, seconds: float, name: str, chore: Chore) -> None:
        """Runs the chore that often."""
        self._chores.append((name, chore, {"trigger": "interval", "seconds": seconds}))

    def hourly(self, minute: int, name: str, chore: Chore) -> None:
        """Runs the chore once an hour, at that minute."""
        self._chores.append((name, chore, {"trigger": "cron", "minute": minute}))

    async def start(self) -> None:
        """Starts the schedule."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": 600}
        self._scheduler = AsyncIOScheduler(timezone="UTC", job_defaults=defaults)
        for name, chore, when in self._chores:
            self._scheduler.add_job(self._guarded(name, chore), id=name, **when)
        self._scheduler.start()

    async def stop(self) -> None:
        """Ends the schedule."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def _guarded(self, name: str, chore: Chore) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            began = self._clock.now()
            try:
                await chore()
            except Exception:  # the outermost frame of a chore
                self._log.exception("chore failed", chore=name)
            if self._clock.now() - began > timedelta(seconds=60):
                self._log.warning("chore took long", chore=name)

        return run
