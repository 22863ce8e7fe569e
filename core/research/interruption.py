"""`with held():` Ctrl-C waits for the next `safe_point()` of a search instead of striking anywhere.

An interruption that is raised wherever the main thread happens to be may leave a lock taken for ever, or lose what was
done. Within the block the first Ctrl-C only leaves a note, and `safe_point()` raises it; the second strikes at once.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class _Held:
    """What is known of Ctrl-C in the main thread, the only one that is told of it."""

    def __init__(self) -> None:
        self.active = self.noted = self.at_once = False
        self.before: Callable[[int, FrameType | None], Any] = signal.default_int_handler

    def pressed(self, number: int, frame: FrameType | None) -> None:
        """The handler while Ctrl-C is held."""
        again, self.noted = self.noted or self.at_once, True
        if again:
            self.at_once = False
            self.before(number, frame)


_held = _Held()


@contextmanager
def held() -> Iterator[None]:
    """Holds Ctrl-C until the next safe point. It changes nothing in another thread or where Ctrl-C is ignored.

    Within another such block it is part of that one. What is noted and has met no safe point is dropped at the end:
    then all is done.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or _held.active or not callable(before):
        yield
        return
    _held.noted = _held.at_once = False
    _held.before = before
    _held.active = True
    signal.signal(signal.SIGINT, _held.pressed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _held.active = False


@contextmanager
def striking() -> Iterator[None]:
    """Within it Ctrl-C strikes at once: for long work of the main thread alone, which takes no lock of others."""
    safe_point()
    mine = _held.active and threading.current_thread() is threading.main_thread()
    if not mine:
        yield
        return
    _held.at_once = True
    try:
        yield
    finally:
        _held.at_once = False


def safe_point() -> None:
    """Raises KeyboardInterrupt if Ctrl-C was pressed since it is held: nothing is half done here."""
    if _held.noted and _held.active and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
