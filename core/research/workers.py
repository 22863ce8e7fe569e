"""Workers: the same function on many items by threads, processes or a Dask cluster, with the same answers.

`function(shared, item)` is called for every item, where `shared` (bars, costs, the strategy's class) is sent once.
Answers come as (place, answer) in the order of their completion; the work of each item is the same wherever it is done.
"""

import contextlib
import hashlib
import importlib
import os
import pickle
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextvars import copy_context
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, Self

from core.errors import InvalidInput, Unavailable
from core.indicators.shared import shared
from core.research.interruption import safe_point

Kind = Literal["threads", "processes"]
Told = Callable[[float], None]
Work = Callable[[Any, Any], Any]
_Ended = tuple[int, Any, BaseException | None]  # place, answer, what has failed

TOLD_EVERY = 0.2  # seconds between calls of progress, which is also how soon a cancellation is noticed
ANSWERS_WITHIN = 10.0  # seconds that a scheduler has to answer


class Crew(Protocol):
    """Does the work of many items. kind: threads, processes or dask."""

    kind: str
    workers: int

    def each(self, function: Work, items: Sequence[Any], progress: Told | None = None) -> Iterator[tuple[int, Any]]:
        """(place, function(shared, item)) as they are done. progress: told the fraction done; what it raises ends all.

        An iterator that is closed early drops what has not begun.
        """
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *failure: Any) -> None: ...


def crew(shared: Any, *, kind: Kind = "threads", workers: int | None = None, scheduler: str | None = None) -> Crew:
    """The workers for this work: those of the Dask scheduler where one is named, else this machine's.

    workers: how many on this machine; one per core when not given. Raises InvalidInput, or Unavailable for a scheduler
    that does not answer.
    """
    if workers is not None and not 1 <= workers <= 512:
        raise InvalidInput(f"{workers} workers is outside 1 to 512.", workers=workers)
    if scheduler:
        return Cluster(shared, scheduler)
    count = workers or cores()
    return Processes(shared, count) if kind == "processes" else Threads(shared, count)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chosen_scheduler(given: str | None) -> str | None:
    """The Dask scheduler to use: the given one, by default that of the settings; None for 'local' or where none is set.

    Raises InvalidInput for what is no address.
    """
    if given is None:
        from core import settings

        given = settings.load().cluster.scheduler or "local"
    if given == "local":
        return None
    if "://" not in given:
        raise InvalidInput(f"'{given}' is not the address of a Dask scheduler, such as tcp://127.0.0.1:8786.")
    return given


class Threads:
    """Threads of this process, for work that lets go of the interpreter.

    They share no lock with the one who waits for them, and do not keep the program from ending.
    """

    kind = "threads"

    def __init__(self, shared: Any, workers: int) -> None:
        self.workers = workers
        self._shared = shared
        self._over = False
        self._threads: list[threading.Thread] = []

    def each(self, function: Work, items: Sequence[Any], progress: Told | None = None) -> Iterator[tuple[int, Any]]:
        ended = queue.SimpleQueue[_Ended]()
        left = enumerate(items)  # each of its steps is one of the interpreter's, so no item is handed out twice
        dropped = threading.Event()

        def work() -> None:
            for place, item in left:
                if self._over or dropped.is_set():
                    return
                try:
                    ended.put((place, function(self._shared, item), None))
                except BaseException as failed:
                    ended.put((place, None, failed))

        # each thread takes part in what its caller shares (core.indicators.shared)
        started = [
            threading.Thread(target=copy_context().run, args=(work,), name=f"search-{number}", daemon=True)
            for number in range(min(self.workers, len(items)))
        ]
        self._threads = [each for each in self._threads if each.is_alive()] + started
        for each in started:
            each.start()
        try:
            yield from gathered(ended, len(items), progress)
        finally:
            dropped.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._over = True
        for each in self._threads:
            if each.ident is not None:
                each.join()


class Processes:
    """Processes of this machine, for work that holds the interpreter. They come from a fork server."""

    kind = "processes"

    def __init__(self, shared: Any, workers: int) -> None:
        import multiprocessing

        self.workers = workers
        self._folder = tempfile.TemporaryDirectory(prefix="crypto-orchestrator-")
        path = Path(self._folder.name) / "shared"
        path.write_bytes(packed(shared))
        context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_open, initargs=(str(path),))

    def each(self, function: Work, items: Sequence[Any], progress: Told | None = None) -> Iterator[tuple[int, Any]]:
        ended = queue.SimpleQueue[_Ended]()
        with _without_main():  # the first calls start the processes
            futures: list[Future[Any]] = [self._pool.submit(_by_process, function, item) for item in items]
        for place, future in enumerate(futures):
            future.add_done_callback(partial(_put, ended, place))
        try:
            yield from gathered(ended, len(items), progress)
        except BrokenProcessPool:
            safe_point()  # Ctrl-C may have reached a process that was starting
            raise Unavailable(
                "A worker process ended before its work was done.",
                hint="Perhaps the memory was not enough: try fewer workers.",
            ) from None
        finally:
            for future in futures:
                future.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is not None:  # do not wait for what nobody wants any more
            for process in list((self._pool._processes or {}).values()):  # no public way to end a busy worker
                process.terminate()
        self._pool.shutdown(cancel_futures=True)
        self._folder.cleanup()


class Cluster:
    """The workers of a Dask cluster, which need this product installed in the same version."""

    kind = "dask"

    def __init__(self, shared: Any, scheduler: str) -> None:
        distributed = library("distributed")
        self._address = scheduler
        try:
            self._client = distributed.Client(
                scheduler, timeout=ANSWERS_WITHIN, set_as_default=False, direct_to_workers=False, name="orchestrator"
            )
        except (OSError, TimeoutError, ValueError) as failed:
            raise self._lost() from failed
        self.workers = max(1, sum(self._client.nthreads().values()))
        if not self._client.nthreads():
            self._client.close()
            raise Unavailable(f"The Dask scheduler {scheduler} has no workers.", hint="Start some, or give --local.")
        pack = packed(shared)
        self._digest = hashlib.blake2b(pack, digest_size=16).hexdigest()
        self._pack = self._client.scatter(pack, broadcast=True, hash=False)

    def each(self, function: Work, items: Sequence[Any], progress: Told | None = None) -> Iterator[tuple[int, Any]]:
        lost = lost_errors()
        total = len(items)
        packs = [packed((function, item)) for item in items]
        try:
            futures = self._client.map(
                _by_cluster, packs, sent=self._pack, digest=self._digest, pure=False, retries=2, batch_size=1_000
            )
            places = {future.key: place for place, future in enumerate(futures)}
            waiting, ended = set(futures), queue.SimpleQueue[Any]()
            for future in futures:
                future.add_done_callback(ended.put)
            try:
                while waiting:
                    safe_point()
                    with contextlib.suppress(queue.Empty):
                        future = ended.get(timeout=TOLD_EVERY)
                        waiting.discard(future)
                        yield places[future.key], future.result()
                    if self._client.status not in ("running", "newly-created"):
                        raise self._lost()
                    if progress:
                        progress((total - len(waiting)) / total)
            finally:
                if waiting and self._client.status == "running":
                    self._client.cancel(list(waiting), force=True)
        except lost as failed:
            raise self._lost() from failed
        except ImportError as lacking:
            raise Unavailable(
                f"The workers of {self._address} cannot do this: {lacking}.",
                hint="They need the same version of this product and of the strategy's imports.",
            ) from lacking

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._client.close(timeout=2)

    def _lost(self) -> Unavailable:
        return Unavailable(
            f"The Dask scheduler {self._address} does not answer.",
            hint="Start it, correct ORCHESTRATOR_CLUSTER__SCHEDULER, or give --local to use this machine.",
        )


def library(name: str) -> Any:
    """A library without types, imported where it is used."""
    return importlib.import_module(name)


def lost_errors() -> tuple[type[BaseException], ...]:
    """What Dask raises when a scheduler, its connection or too many of its workers are gone."""
    return (
        library("distributed").CancelledError,
        library("distributed.client").FutureCancelledError,
        library("distributed.comm.core").CommClosedError,
        library("distributed.scheduler").KilledWorker,
        OSError,
    )


def gathered(ended: "queue.SimpleQueue[_Ended]", total: int, progress: Told | None) -> Iterator[tuple[int, Any]]:
    """(place, answer) of what is put there, until all is; raises what has failed."""
    done, told = 0, time.monotonic()
    while done < total:
        safe_point()
        with contextlib.suppress(queue.Empty):
            place, answer, failed = ended.get(timeout=TOLD_EVERY)
            if failed is not None:
                raise failed
            done += 1
            yield place, answer
        if progress and (done == total or ended.empty() or time.monotonic() - told > TOLD_EVERY):
            progress(done / total)
            told = time.monotonic()


def _put(ended: "queue.SimpleQueue[_Ended]", place: int, future: Future[Any]) -> None:
    """Called with a future that is over."""
    if not future.cancelled():
        failed = future.exception()
        ended.put((place, None if failed else future.result(), failed))


def packed(value: Any) -> bytes:
    """Pickled, with classes that other processes cannot import (a user's file, a notebook) inside."""
    cloudpickle = library("cloudpickle")
    foreign = [module for module in list(sys.modules.values()) if _foreign(module)]
    for module in foreign:
        cloudpickle.register_pickle_by_value(module)
    try:
        pack: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    finally:
        for module in foreign:
            cloudpickle.unregister_pickle_by_value(module)
    return pack


def _foreign(module: ModuleType) -> bool:
    """Whether a module holds a strategy that was loaded from a file."""
    return getattr(module, "__name__", "").startswith("user_strategy_")


_opened: dict[str, Any] = {}  # in a worker process: what was sent once, the latest few


def _open(path: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who waits for the answers
    shared().__enter__()  # indicators are computed once for as long as this process lives
    _opened["shared"] = pickle.loads(Path(path).read_bytes())


def _by_process(function: Work, item: Any) -> Any:
    return function(_opened["shared"], item)


def _by_cluster(pack: bytes, *, sent: bytes, digest: str) -> Any:
    """In a Dask worker: unpacks what is shared once, however many items follow."""
    if digest not in _opened:
        while len(_opened) >= 4:
            _opened.pop(next(iter(_opened)))
        _opened[digest] = pickle.loads(sent)
    function, item = pickle.loads(pack)
    return function(_opened[digest], item)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hides the program's main module while processes start, which would run it once more in each of them.

    They begin deaf to Ctrl-C, which reaches every process of the terminal.
    """
    main = sys.modules["__main__"]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if os.name == "posix" else None
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
