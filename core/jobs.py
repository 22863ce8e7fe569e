"""Jobs: CPU work off the event loop, with progress and cancellation.

Threads are the default: the kernels release the GIL. `processes=True` is for long pure-Python work; its workers come
from a fork server, which neither copies our threads and locks (fork) nor runs `__main__` again for each job (spawn).
"""

import asyncio
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import structlog

from core.errors import AppError

Result = TypeVar("Result")
Progress = Callable[[Any], None]


class Cancelled(AppError):
    """The job was cancelled by the person who asked for it."""

    code = "cancelled"


async def end_task(task: "asyncio.Task[Any] | None") -> None:
    """Cancels a background task and waits until it is over; None is over already. Its own failure is raised."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Jobs:
    """Runs functions in pools of a bounded size; more wait in line."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or max(2, (os.cpu_count() or 2) - 1)
        self._threads: ThreadPoolExecutor | None = None
        self._long: ThreadPoolExecutor | None = None
        self._processes: ProcessPoolExecutor | None = None
        self._running: dict[asyncio.Future[Any], threading.Event] = {}
        self._closed = False
        self._log = structlog.get_logger("jobs")

    @property
    def running(self) -> int:
        """Jobs that have not ended."""
        return len(self._running)

    async def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        progress: Progress | None = None,
        processes: bool = False,
        long: bool = False,
        stop: threading.Event | None = None,
        **named: Any,
    ) -> Result:
        """The function's result. With `progress`, the function is given `progress=` to call with where it stands.

        The callback runs on the event loop. Cancelling the awaiting task stops the function at its next progress call
        (threads cannot be killed); in a process the job's result is dropped. Raises what the function raises.

        long: waits in line with other long work only, so that what takes a moment does not wait for it
        stop: once set, the function's next progress call raises Cancelled; what it then gives is the result
        """
        if self._closed:
            raise RuntimeError("jobs are closed")
        loop = asyncio.get_running_loop()
        stop = stop or threading.Event()
        if processes:
            if progress is not None:
                raise ValueError("a job in another process reports no progress: run it in a thread")
            call = partial(function, *args, **named)
        else:
            if progress is not None:
                named["progress"] = _reporter(loop, progress, stop)
            call = partial(function, *args, **named)
        future = loop.run_in_executor(self._pool(processes, long), call)
        self._running[future] = stop
        future.add_done_callback(lambda done: self._running.pop(done, None))
        try:
            # shielded: a thread goes on until its next progress call, and `close` waits for it
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            future.add_done_callback(_retrieve)
            raise

    async def close(self, timeout: float = 3.0) -> None:
        """Asks every job to stop and waits for them, at most `timeout` seconds."""
        self._closed = True
        for stop in self._running.values():
            stop.set()
        pools = [pool for pool in (self._threads, self._long, self._processes) if pool is not None]
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        if self._running:
            _, late = await asyncio.wait(list(self._running), timeout=timeout)
            if late:
                self._log.warning("jobs still running at the end", jobs=len(late))
        if self._processes is not None:
            for process in list((self._processes._processes or {}).values()):  # no public way to end a busy worker
                process.terminate()
        self._threads = self._long = self._processes = None

    def _pool(self, processes: bool, long: bool) -> Executor:
        if processes:
            if self._processes is None:
                context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
                self._processes = ProcessPoolExecutor(self._workers, mp_context=context)
            return self._processes
        if long:
            if self._long is None:
                self._long = ThreadPoolExecutor(self._workers, thread_name_prefix="long-job")
            return self._long
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="job")
        return self._threads


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Nobody waits for the result of a cancelled job: looks at its error so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()


def _reporter(loop: asyncio.AbstractEventLoop, progress: Progress, stop: threading.Event) -> Progress:
    def report(value: Any) -> None:
        if stop.is_set():
            raise Cancelled("The job was cancelled.")
        try:
            loop.call_soon_threadsafe(progress, value)
        except RuntimeError:  # the loop is gone: so is whoever wanted to know
            raise Cancelled("The job was cancelled.") from None

    return report
