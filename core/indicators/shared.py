"""`with shared():` what many runs over the same bars compute again is computed once.

Inside the block an indicator called with the same read-only arrays (the same objects, such as `bars.close`) and the
same parameters gives the very same arrays, read-only. Outside nothing is kept. The block is a context variable: a
thread takes part when it runs in a copy of the context (`contextvars.copy_context().run`).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

Arrays = TypeVar("Arrays", bound=np.ndarray[Any, Any] | tuple[np.ndarray[Any, Any], ...])
MOST = 128 * 2**20  # bytes kept


class Memo:
    """Results by what was called with what, the least lately used dropped first. Safe to use from many threads."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.held = 0  # bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, Any, int]] = (
            OrderedDict()
        )  # the inputs stay alive, as do their ids
        self._running: dict[Hashable, Future[Any]] = {}

    def get(self, key: Hashable, inputs: Sequence[np.ndarray[Any, Any]], compute: Callable[[], Arrays]) -> Arrays:
        """What `compute` gave the first time; a thread that asks meanwhile waits for it."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: Arrays = self._kept[key][1]
                return found
            running = self._running.get(key)
            mine: Future[Any] = running or self._running.setdefault(key, Future())
        if running is not None:
            waited: Arrays = mine.result()
            return waited
        try:
            value = compute()
        except BaseException as wrong:
            with self._lock:
                del self._running[key]
            mine.set_exception(wrong)
            raise
        for array in _each(value):
            array.flags.writeable = False
        with self._lock:
            del self._running[key]
            self._keep(key, tuple(inputs), value)
        mine.set_result(value)
        return value

    def _keep(self, key: Hashable, inputs: tuple[np.ndarray[Any, Any], ...], value: Any) -> None:
        # an input that is no view may be alive for this entry's sake alone
        size = sum(array.nbytes for array in _each(value))
        size += sum(array.nbytes for array in inputs if array.base is None)
        if size > self.most:
            return
        self._kept[key] = (inputs, value, size)
        self.held += size
        while self.held > self.most:
            self.held -= self._kept.popitem(last=False)[1][2]


def _each(value: Any) -> tuple[np.ndarray[Any, Any], ...]:
    return value if isinstance(value, tuple) else (value,)


_ACTIVE: ContextVar[Memo | None] = ContextVar("shared", default=None)


@contextmanager
def shared(most: int = MOST) -> Iterator[Memo]:
    """Keeps up to `most` bytes of what indicators give until the block ends. An inner block uses the outer one's."""
    outer = _ACTIVE.get()
    memo = outer or Memo(most)
    token = _ACTIVE.set(memo)
    try:
        yield memo
    finally:
        _ACTIVE.reset(token)


def sharing(*inputs: Any) -> bool:
    """Whether what is computed from these would be kept: inside a block, and nobody can write to them."""
    return _ACTIVE.get() is not None and all(
        isinstance(each, np.ndarray) and not each.flags.writeable for each in inputs
    )


def once(name: str, inputs: Sequence[Any], parameters: Hashable, compute: Callable[[], Arrays]) -> Arrays:
    """What `compute` gives; inside a `shared` block it is called once for these inputs and parameters."""
    memo = _ACTIVE.get()
    if memo is None or not sharing(*inputs):
        return compute()
    return memo.get((name, parameters, *map(id, inputs)), inputs, compute)
