"""bar: how far a long verb is, on the terminal's stderr: percent, time gone, time left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 0.7  # seconds that a verb may take without showing a bar
OFTEN = 0.1  # seconds between two drawings


@contextmanager
def bar(title: str, patience: float = PATIENCE) -> Iterator[Callable[[float], None]]:
    """Yields `told(fraction)`. Nothing is shown when stderr is no terminal or the work is over within `patience`.

    Ctrl-C is raised through, once the terminal is as it was before.
    """
    if not sys.stderr.isatty():
        yield _unseen
        return
    shown = _Shown(title, patience)
    try:
        yield shown
    finally:
        shown.close()


def tell_compiling() -> None:
    """Says on a terminal that kernels are to be compiled first, which takes a minute without a sign of life."""
    if not sys.stderr.isatty():
        return
    from core.cli import note
    from core.indicators.compiled import cache_folder

    if next(cache_folder().rglob("*.nbi"), None) is None:
        note("Compiling first, once after an installation or an update: this takes a minute or two.")


def _unseen(fraction: float) -> None:
    """Nobody looks."""


class _Shown:
    """The bar itself; Rich is imported when it first appears."""

    def __init__(self, title: str, patience: float) -> None:
        self._title = title
        self._began = self._drawn = time.monotonic()
        self._patience = patience
        self._progress: object = None

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if self._progress is None:
            if now - self._began < self._patience:
                return
            self._open()
        elif now - self._drawn < OFTEN and fraction < 1.0:
            return
        self._drawn = now
        from rich.progress import Progress

        if isinstance(self._progress, Progress):
            self._progress.update(self._progress.task_ids[0], completed=min(max(fraction, 0.0), 1.0))

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._progress = progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            Remaining(),
            console=Console(stderr=True),
            transient=True,
        )
        progress.add_task(self._title, total=1.0)
        progress.start()

    def close(self) -> None:
        from rich.progress import Progress

        if isinstance(self._progress, Progress):
            self._progress.stop()
