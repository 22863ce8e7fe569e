from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import InvalidInput, Unavailable
from core.market.bars import COLUMNS, Bars
from core.market.download import Downloaded, Step, download
from core.market.history import History
from core.market.instrument import Instrument
from core.market.timeframes import HOUR
from tests.core.market.made import BTC, START, bars

COUNT = 3_500
NOW = START + (COUNT - 1) * HOUR + HOUR // 2  # the last bar is forming


class Source:
    """A venue with the given bars. `down` questions fail first; `give` bars are all that one answer holds."""

    name = "test"
    simulated = False

    def __init__(self, whole: Bars, down: int = 0, give: int = 1_000, empty_in_holes: bool = False) -> None:
        self.whole, self.down, self.page, self.empty_in_holes = whole, down, give, empty_in_holes
        self.asked: list[int] = []

    async def instruments(self) -> Sequence[Instrument]:
        return [self.whole.instrument]

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        assert since is not None
        self.asked.append(since)
        if self.down:
            self.down -= 1
            raise Unavailable("test cannot be reached.")
        count = min(limit, self.page)
        end = since + count * HOUR if self.empty_in_holes else None
        return self.whole.between(since, end)[:count]


class NoWait(SimulatedClock):
    """A clock whose sleeps are over at once and remembered."""

    def __init__(self) -> None:
        super().__init__(from_ms(NOW))
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def run(source: Source, folder: Path, since: int = START, until: int | None = None, **more: Any) -> Downloaded:
    return await download(source, History(folder), BTC, "1h", since, until, clock=more.pop("clock", NoWait()), **more)


def kept(folder: Path) -> Bars:
    return History(folder).load("test", "BTC/USDT", "1h")


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


async def test_every_closed_bar_is_kept_and_the_forming_one_is_not(tmp_path: Path) -> None:
    whole = bars(COUNT)
    done = await run(Source(whole), tmp_path)
    assert same(kept(tmp_path), whole[:-1])
    assert (done.added, done.bars, done.first, done.last) == (COUNT - 1, COUNT - 1, START, NOW - HOUR // 2 - HOUR)
    assert done.gaps == ()


async def test_a_second_run_asks_only_for_what_is_new(tmp_path: Path) -> None:
    whole = bars(COUNT)
    await run(Source(whole), tmp_path, until=START + 2_000 * HOUR)
    source = Source(whole)
    done = await run(source, tmp_path)
    assert source.asked == [START + 2_000 * HOUR, START + 3_000 * HOUR]
    assert done.added == COUNT - 1 - 2_000
    assert same(kept(tmp_path), whole[:-1])
    again = Source(whole)
    assert (await run(again, tmp_path)).added == 0
    assert again.asked == []


async def test_an_earlier_start_is_filled_in_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    whole = bars(COUNT)
    await run(Source(whole), tmp_path, since=START + 3_000 * HOUR)
    broken = Source(whole)

    def interrupt(step: Step) -> None:
        if step.added >= 1_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(broken, tmp_path, progress=interrupt)
    source = Source(whole)
    await run(source, tmp_path)
    assert source.asked == [START + 1_000 * HOUR, START + 2_000 * HOUR]
    assert same(kept(tmp_path), whole[:-1])


@pytest.mark.parametrize("empty", [False, True])
async def test_outages_and_the_time_before_the_listing_are_told_as_holes(tmp_path: Path, empty: bool) -> None:
    whole = bars(COUNT, holes=tuple(range(500, 1_900)))
    done = await run(Source(whole, give=300, empty_in_holes=empty), tmp_path, since=START - 2_500 * HOUR)
    assert same(kept(tmp_path), whole[:-1])
    assert done.first == START
    assert [(gap.start, gap.missing) for gap in done.gaps] == [(START + 500 * HOUR, 1_400)]


async def test_an_unavailable_source_is_asked_again_with_growing_pauses(tmp_path: Path) -> None:
    clock = NoWait()
    await run(Source(bars(COUNT), down=3), tmp_path, clock=clock)
    assert clock.slept == [1, 2, 4]
    assert same(kept(tmp_path), bars(COUNT)[:-1])


async def test_a_source_that_stays_away_is_told_with_how_to_go_on(tmp_path: Path) -> None:
    clock = NoWait()
    with pytest.raises(Unavailable, match=r"test cannot be reached\.") as refused:
        await run(Source(bars(COUNT), down=99), tmp_path, clock=clock)
    assert len(clock.slept) == 6
    assert "goes on from there" in (refused.value.hint or "")


async def test_a_lasting_refusal_is_not_asked_again(tmp_path: Path) -> None:
    class Closed(Source):
        async def bars(self, *_: Any, **__: Any) -> Bars:
            raise Unavailable("closed here", lasting=True)

    clock = NoWait()
    with pytest.raises(Unavailable, match="closed here"):
        await run(Closed(bars(5)), tmp_path, clock=clock)
    assert clock.slept == []


async def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    steps: list[Step] = []
    await run(Source(bars(COUNT)), tmp_path, progress=steps.append)
    assert [step.added for step in steps] == [1_000, 2_000, 3_000, COUNT - 1]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == 1.0


async def test_a_span_without_a_closed_bar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no closed bar"):
        await run(Source(bars(5)), tmp_path, since=NOW)


async def test_bars_the_source_gives_before_the_start_are_left_out(tmp_path: Path) -> None:
    class Recent(Source):
        """Gives the newest bars whatever is asked, as some venues do."""

        async def bars(self, *_: Any, since: int | None = None, limit: int = 500, **__: Any) -> Bars:
            assert since is not None
            self.asked.append(since)
            return self.whole[-720:]

    source = Recent(replace(bars(COUNT)))
    done = await run(source, tmp_path, since=START)
    assert done.bars == 719
    assert len(source.asked) == 1
