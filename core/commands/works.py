"""Long work that people ask for: told how far it is, stopped from any of their chats, and so much at once."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import Conflict
from core.jobs import Cancelled
from core.reply import Progress

if TYPE_CHECKING:
    from core.commands.context import Context

Result = TypeVar("Result")
MOST = 2  # that one person may have under way
PACE = 0.2  # seconds between two reports


@dataclass(eq=False, slots=True)
class Work:
    """One piece of work under way."""

    owner: str
    subject: str
    stop: threading.Event = field(default_factory=threading.Event)


class Works:
    """The long work under way, of everybody."""

    def __init__(self) -> None:
        self._running: list[Work] = []

    @contextmanager
    def begun(self, owner: str, subject: str) -> Iterator[Work]:
        """Counts as under way within the block. Raises Conflict when the person has enough of it."""
        mine = [each for each in self._running if each.owner == owner]
        if len(mine) >= MOST:
            raise Conflict(
                f"{len(mine)} of your tests are still under way, and that is the most at once.",
                hint="Wait for one to end, or write cancel to stop them.",
            )
        work = Work(owner, subject)
        self._running.append(work)
        try:
            yield work
        finally:
            self._running.remove(work)

    def stop(self, owner: str) -> list[str]:
        """Tells all of a person's work to stop; what it was about. Empty when nothing is under way."""
        told = [each for each in self._running if each.owner == owner and not each.stop.is_set()]
        for each in told:
            each.stop.set()
        return [each.subject for each in told]


async def worked(ctx: "Context", subject: str, function: Callable[..., Result], *args: Any, **named: Any) -> Result:
    """What the function gives, run in a job as `function(*args, progress=…)`; the caller sees how far it is.

    Raises Cancelled when it was stopped and keeps nothing of what was done, Conflict when the person has enough.
    """
    with ctx.works.begun(ctx.user.id, subject) as work:
        report = Reporter(ctx, subject)
        await report.begin()
        try:
            return await ctx.services.jobs.run(function, *args, progress=report, stop=work.stop, long=True, **named)
        except Cancelled:
            raise Cancelled("Stopped before its end, so there is nothing to show.") from None
        finally:
            await report.settle()


class Reporter:
    """Passes a job's progress on to the caller, at most a few times a second."""

    def __init__(self, ctx: "Context", text: str) -> None:
        self._ctx, self._text = ctx, text
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = self._last = time.monotonic()

    async def begin(self) -> None:
        """The first sign of life."""
        await self._ctx.progress(Progress(self._text, 0.0))

    def __call__(self, where: Any, *rest: Any) -> None:
        """Called on the event loop with a fraction (or done and total, or a Progress)."""
        now = time.monotonic()
        if now - self._last < PACE:
            return
        self._last = now
        if isinstance(where, Progress):
            block = where
        else:
            fraction = float(where) / float(rest[0]) if rest and rest[0] else float(where)
            left = (now - self._began) * (1 - fraction) / fraction if fraction > 0 else None
            block = Progress(self._text, min(1.0, fraction), left)
        task = asyncio.get_running_loop().create_task(self._sent(block))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sent(self, block: Progress) -> None:
        await self._ctx.progress(block)

    async def settle(self) -> None:
        """Waits until every report is out, so that none arrives after the answer."""
        for task in list(self._tasks):
            await task
