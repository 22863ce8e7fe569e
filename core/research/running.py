"""Runner: measures trials on stretches of the same bars, by the workers that suit them."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from core.indicators.shared import shared
from core.jobs import Cancelled
from core.research.interruption import safe_point, striking
from core.research.trial import COLUMNS, Chunk, Floats, Ground, Span, run_chunk
from core.research.workers import Crew, Kind, cores, crew

Told = Callable[[float], None]
Parameters = dict[str, int | float]

PER_CHUNK = 0.02  # seconds of work that are handed out at once
WORTH = 3.0  # seconds of work for which processes are started
WATCHED = 0.1  # seconds over which the interpreter is watched
HELD = 0.4  # share of the time that work holds the interpreter, from which on threads do not help
LARGEST = 64  # trials in a chunk


@dataclass(slots=True)
class Trials:
    """What a run has measured so far: (trials, COLUMNS) and (trials, blocks), NaN where it was not done."""

    table: Floats
    blocks: Floats
    done: "np.ndarray[Any, np.dtype[np.bool_]]"
    stopped: BaseException | None = None  # what has interrupted it

    def note(self, first: int, rows: Floats, blocks: Floats) -> None:
        """Keeps the measures of some trials in a row."""
        if self.blocks.shape[1] == 0 and blocks.shape[1]:
            self.blocks = np.full((len(self.table), blocks.shape[1]), np.nan)
        self.table[first : first + len(rows)] = rows
        self.blocks[first : first + len(rows)] = blocks
        self.done[first : first + len(rows)] = True


class Runner:
    """Runs trials. workers: on this machine, one per core by default; scheduler: of a Dask cluster, None for none."""

    def __init__(self, ground: Ground, workers: int | None = None, scheduler: str | None = None) -> None:
        self.ground = ground
        self._workers, self._scheduler = workers, scheduler
        self._crew: Crew | None = crew(ground, scheduler=scheduler) if scheduler else None
        self._each = 0.0  # seconds that a trial takes
        if workers is not None:
            with crew(None, workers=workers):  # refuses an impossible number before any work
                pass

    @property
    def kind(self) -> str:
        """threads, processes or dask: where the work is done."""
        return "threads" if self._crew is None else self._crew.kind

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._close(*failure)

    def run(self, span: Span, parameters: Sequence[Parameters], progress: Told | None = None) -> Trials:
        """The measures of each combination, in order. Interrupted (Ctrl-C, Cancelled), it returns what there is.

        Raises what a trial raises.
        """
        trials = Trials(np.full((len(parameters), len(COLUMNS)), np.nan), np.empty((len(parameters), 0)),
                        np.zeros(len(parameters), dtype=np.bool_))  # fmt: skip
        try:
            safe_point()
            if progress:
                progress(0.0)
            with shared():
                first = self._begin(span, parameters, trials) if self._crew is None else 0
                self._rest(span, parameters, first, trials, progress)
        except (KeyboardInterrupt, Cancelled) as interruption:
            trials.stopped = interruption
            self._close(KeyboardInterrupt, None, None)
        return trials

    def _begin(self, span: Span, parameters: Sequence[Parameters], trials: Trials) -> int:
        """Measures the first trials here, chooses the workers by how they went, and returns how many were done."""
        count = self._workers or cores()
        fastest = self._timed(span, parameters, 0, trials)  # it may compile kernels, so it tells nothing of the others
        done, long = 1, False
        with Watch() as watch:
            began = time.perf_counter()
            while done < len(parameters):
                fastest = min(fastest, self._timed(span, parameters, done, trials))
                done += 1
                long = fastest * (len(parameters) - done) / count > WORTH
                if not long or time.perf_counter() - began > WATCHED:
                    break
        self._each = fastest
        if done < len(parameters):
            kind: Kind = "processes" if long and count > 1 and watch.held > HELD else "threads"
            self._crew = crew(self.ground, kind=kind, workers=count)
        return done

    def _timed(self, span: Span, parameters: Sequence[Parameters], number: int, trials: Trials) -> float:
        began = time.perf_counter()
        with striking():
            found = run_chunk(self.ground, Chunk(span, (parameters[number],)))
        trials.note(number, *found)
        return time.perf_counter() - began

    def _rest(
        self, span: Span, parameters: Sequence[Parameters], first: int, trials: Trials, progress: Told | None
    ) -> None:
        left = parameters[first:]
        if not left or self._crew is None:
            return
        size = self._chunk(len(left))
        chunks = [Chunk(span, tuple(left[at : at + size])) for at in range(0, len(left), size)]
        share = first / len(parameters)
        told = None if progress is None else lambda done: progress(share + (1.0 - share) * done)
        for place, (rows, blocks) in self._crew.each(run_chunk, chunks, told):
            trials.note(first + place * size, rows, blocks)

    def _chunk(self, count: int) -> int:
        """Trials per call: short enough to be told about and to share out evenly, long enough to be worth the call."""
        workers = 1 if self._crew is None else self._crew.workers
        even = -(-count // (4 * workers))
        timely = LARGEST if not self._each else int(PER_CHUNK / self._each)
        return max(1, min(even, timely, LARGEST))

    def _close(self, *failure: Any) -> None:
        if self._crew is not None:
            self._crew.__exit__(*failure)
            self._crew = None


class Watch:
    """held: the share of the time in which another thread had to wait for the interpreter."""

    PAUSE = 0.002  # seconds

    def __init__(self) -> None:
        self.held = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        waited = whole = 0.0
        over = False
        while not over:
            began = time.perf_counter()
            over = self._over.wait(self.PAUSE)
            passed = time.perf_counter() - began
            if not over:
                whole += passed
                waited += max(0.0, passed - self.PAUSE)
        self.held = waited / whole if whole else 0.0
