"""Downloads: bars of a source into the history, page by page, so that what has come is never asked for again."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.clock import Clock, SystemClock
from core.errors import InvalidInput, Unavailable
from core.market import timeframes
from core.market.bars import Bars, Gap
from core.market.history import History
from core.market.instrument import Instrument
from core.market.sources import BarSource

T = TypeVar("T")

PAGE = 1_000  # bars asked for at once
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before each new try of a page
FIRST_PAUSES = (1.0, 2.0, 4.0)  # before anything has come there is little to wait for
RESUME = "What came so far is kept; the same command goes on from there."


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a download has brought. first, last: UTC ms of the bars now kept in the span; gaps: its holes."""

    instrument: Instrument
    timeframe: str
    added: int
    bars: int
    first: int | None
    last: int | None
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Progress: `done` of the span as a fraction, `added` bars so far."""

    done: float
    added: int


async def download(
    source: BarSource,
    history: History,
    instrument: Instrument,
    timeframe: str,
    since: int,
    until: int | None = None,
    progress: Callable[[Step], None] | None = None,
    *,
    clock: Clock | None = None,
    pauses: tuple[float, ...] = PAUSES,
) -> Downloaded:
    """Keeps every closed bar from `since` up to `until` (UTC ms, default now) that the history lacks.

    Each page is on disk before the next is asked for. Raises Unavailable when a page has failed at every try.
    """
    clock = clock or SystemClock()
    name = timeframes.parse(timeframe)
    length = timeframes.milliseconds(name)
    closed = timeframes.floor(clock.now_ms(), name)  # the bar that opens here is still forming
    start = timeframes.floor(since + length - 1, name)
    end = closed if until is None else min(closed, timeframes.floor(until + length - 1, name))
    if start >= end:
        raise InvalidInput("The span holds no closed bar.", hint="Give an earlier --since or a later --until.")
    added = 0
    cursor = start
    for first, last in _missing(history.times(instrument.venue, instrument.symbol, name), start, end, length):
        cursor = max(cursor, first)
        while cursor < last:
            limit = min(PAGE, source.page, (end - cursor) // length)
            try:
                page = await patiently(partial(source.bars, instrument, name, since=cursor, limit=limit), clock, pauses)
            except Unavailable as failed:
                raise Unavailable(failed.message, hint=failed.hint or RESUME, **failed.details) from failed
            fresh = page.between(cursor, end)
            added += history.append(fresh)
            # An empty page is a hole as long as the page, or a time before the pair was listed.
            cursor = int(page.timestamp[-1]) + length if len(fresh) or _beyond(page, end) else cursor + limit * length
            if progress is not None:
                progress(Step(min(1.0, (cursor - start) / (end - start)), added))
    times = history.times(instrument.venue, instrument.symbol, name)
    times = times[(times >= start) & (times < end)]
    kept = history.load(instrument.venue, instrument.symbol, name, start, end) if times.size else None
    return Downloaded(
        instrument,
        name,
        added,
        int(times.size),
        int(times[0]) if times.size else None,
        int(times[-1]) if times.size else None,
        tuple(kept.gaps()) if kept is not None else (),
    )


def _missing(times: NDArray[np.int64], start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """The stretches [first, last) between start and end that `times` do not cover."""
    edge = start
    times = times[(times >= start) & (times < end)]
    for index in np.flatnonzero(np.diff(times, prepend=start - length) != length):
        yield edge if index == 0 else int(times[index - 1]) + length, int(times[index])
    if times.size:
        edge = int(times[-1]) + length
    if edge < end:
        yield edge, end


def _beyond(page: Bars, end: int) -> bool:
    return len(page) > 0 and int(page.timestamp[-1]) >= end


async def patiently(
    question: Callable[[], Awaitable[T]],
    clock: Clock | None = None,
    pauses: tuple[float, ...] = PAUSES,
    waiting: Callable[[str], None] | None = None,
) -> T:
    """The answer; asks again, after ever longer pauses, while the source is unavailable for a while.

    waiting: told, in a sentence, why there is a pause and how long it is
    """
    clock = clock or SystemClock()
    for pause in pauses:
        try:
            return await question()
        except Unavailable as failed:
            if failed.details.get("lasting"):
                raise
            if waiting is not None:
                waiting(f"{failed.message} Trying again in {pause:g} s.")
        await clock.sleep(pause)
    return await question()
