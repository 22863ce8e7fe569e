"""The loop: asyncio on virtual time, in which whole processes can die or stall between any two steps.

Nothing here waits: when nobody is ready, the clock jumps to the next timer. Every callback belongs to the process that
its context names (`PROCESS`; 0 is the world around the product, which never dies). A process that dies is never run
again: its coroutines are closed, and whatever their `finally` clauses ask for goes nowhere.
"""

import asyncio
import contextlib
import contextvars
import heapq
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from random import Random
from typing import Any

from core.clock import from_ms, to_ms

PROCESS: contextvars.ContextVar[int] = contextvars.ContextVar("process", default=0)
START = to_ms(datetime(2025, 1, 1, tzinfo=UTC))
BUSY = 20_000  # callbacks without time passing, after which somebody is running in circles
CLOSINGS = 50  # times a coroutine may answer its end with another await


class Stuck(Exception):
    """Nobody will ever run again, or somebody runs for ever without time passing."""


class Killed(BaseException):
    """What the coroutines of a dead process are ended with."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """An event loop without sockets, threads or real time.

    shuffle: what is ready at the same moment runs in an order of the seed's, not first come first served
    """

    def __init__(self, random: Random, *, shuffle: bool = False) -> None:
        super().__init__()
        self._random, self._shuffle = random, shuffle
        self._now = 0.0
        self._still = 0
        self._created = 0
        self._processes = 0
        self._dead: set[int] = set()
        self._stalled: dict[int, list[asyncio.Handle]] = {}
        self._doomed: dict[int, int] = {}
        self._deaths: dict[int, Callable[[], None]] = {}
        self._tasks: dict[int, dict[int, asyncio.Task[Any]]] = {}
        self.world = contextvars.copy_context()
        self.steps = 0  # callbacks run so far
        self.broken: list[str] = []  # what failed where nobody looked
        self.set_exception_handler(self._note)

    # -- processes ------------------------------------------------------------------------------------------------

    def begin(self, died: Callable[[], None]) -> contextvars.Context:
        """A new process; tasks created in the returned context belong to it. died: called once when it is killed."""
        self._processes += 1
        context = contextvars.copy_context()
        context.run(PROCESS.set, self._processes)
        self._deaths[self._processes] = died
        return context

    def alive(self, process: int) -> bool:
        return process not in self._dead

    def doom(self, process: int, steps: int) -> None:
        """Kills the process when it has made that many more steps."""
        self._doomed[process] = steps

    def spare(self) -> None:
        """Nobody is doomed any more."""
        self._doomed.clear()

    def kill(self, process: int) -> None:
        """From now on the process is not run any more. Nothing of it is told, nothing of it can still act."""
        if process in self._dead:
            return
        self._dead.add(process)
        self._doomed.pop(process, None)
        self._stalled.pop(process, None)
        self._deaths.pop(process)()
        grave = contextvars.copy_context()
        grave.run(PROCESS.set, process)
        grave.run(self._bury, process)

    def stall(self, process: int, seconds: float) -> None:
        """Holds the process still for a while, as a machine that swaps or a debugger would."""
        if process in self._dead or process in self._stalled:
            return
        self._stalled[process] = []
        self.call_later(seconds, self._resume, process, context=self.world)

    def stalled(self, process: int) -> bool:
        return process in self._stalled

    def _resume(self, process: int) -> None:
        self._ready.extend(self._stalled.pop(process, ()))

    def _bury(self, process: int) -> None:
        waiting = self._tasks.pop(process, {})
        while waiting:
            for number in list(waiting):
                _close(waiting.pop(number))
            waiting = self._tasks.pop(process, {})  # what the dying still began

    # -- asyncio --------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def create_task(self, coro: Any, *, name: object = None, context: contextvars.Context | None = None) -> Any:
        """A task of the process that asks, or of the one the context belongs to."""
        self._created += 1
        number = self._created
        process = (context or contextvars.copy_context()).get(PROCESS, 0)
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=f"{number}", context=context)
        mine = self._tasks.setdefault(process, {})
        mine[number] = task
        if number % 64 == 0:
            for each in [key for key, known in mine.items() if known.done()]:
                del mine[each]
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """At once, in place: there are no threads here."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as failed:
            future.set_exception(failed)
        return future

    def finish(self) -> None:
        """Ends whatever is still there and closes the loop."""
        for process in [*self._deaths]:
            self.kill(process)
        self._bury(0)
        self.close()

    def _run_once(self) -> None:
        if not self._ready:
            self._pass()
        batch = list(self._ready)
        self._ready.clear()
        if self._shuffle and len(batch) > 1:
            self._random.shuffle(batch)
        for handle in batch:
            if handle._cancelled or not self._may_run(handle):
                continue
            self.steps += 1
            self._still += 1
            if self._still > BUSY:
                raise Stuck(f"{BUSY} callbacks ran while no time passed; the last is {handle!r}.")
            handle._run()

    def _may_run(self, handle: asyncio.Handle) -> bool:
        process = handle._context.get(PROCESS, 0)
        if process == 0:
            return True
        if process in self._dead:
            return False
        if process in self._stalled:
            self._stalled[process].append(handle)
            return False
        if process in self._doomed:
            self._doomed[process] -= 1
            if self._doomed[process] < 0:
                self.kill(process)
                return False
        return True

    def _pass(self) -> None:
        """Time moves on to the next timer."""
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if not timers:
            raise Stuck("Everybody waits for somebody else.")
        if timers[0]._when > self._now:
            self._now, self._still = timers[0]._when, 0
        while timers and timers[0]._when <= self._now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer._cancelled:
                self._ready.append(timer)

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps here who would have to be woken."""

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        """Generators are closed where they are dropped, see below."""

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        # At once: a task for it would run whenever the garbage collector came by, and no run would replay.
        with contextlib.suppress(BaseException):
            agen.aclose().send(None)

    def _note(self, loop: Any, context: dict[str, Any]) -> None:
        failed = context.get("exception")
        if self._dead and "never retrieved" in str(context.get("message")):
            return  # whoever would have asked for it may be dead
        self.broken.append(f"{context.get('message')}: {type(failed).__name__}: {failed}" if failed else str(context))


class LoopClock:
    """The loop's time as the product's clock; `skew`: seconds by which it runs ahead."""

    def __init__(self, loop: SimulatedLoop, skew: float = 0.0) -> None:
        self._loop, self._skew = loop, skew

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return START + math.floor((self._loop.time() + self._skew) * 1000 + 1e-6)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _close(task: "asyncio.Task[Any]") -> None:
    if task.done():
        return
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant to be dropped
    coroutine: Coroutine[Any, Any, Any] = task.get_coro()  # type: ignore[assignment]
    for _ in range(CLOSINGS):
        try:
            # Not close(): it does not reach into `await anext(generator)`, whose `finally` would never run.
            coroutine.throw(Killed())
        except BaseException:  # it has ended, one way or another
            return
    coroutine.close()
