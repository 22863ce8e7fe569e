"""Long work in a chat: others are answered meanwhile, it can be stopped, and nobody has too much of it."""

import asyncio
import threading
from typing import Any

import pytest

from core.commands.context import Caller
from core.reply import Progress, Reply
from core.research.archive import Archive
from tests.dialog.conftest import Room, flat

LONG = "sweep sma_cross btc 1h 8y fast=2..60 slow=61..120"


class Asked:
    """A line that is being answered, and the progress that was shown."""

    def __init__(self, room: Room, line: str, caller: Caller) -> None:
        self.begun = asyncio.Event()
        self.seen: list[Progress] = []
        self.task: asyncio.Task[Reply] = asyncio.ensure_future(
            room.app.conversation.answer(line, caller, self._progress)
        )

    async def _progress(self, block: Progress) -> None:
        self.seen.append(block)
        if block.fraction:
            self.begun.set()

    async def under_way(self) -> None:
        await asyncio.wait_for(self.begun.wait(), 60)

    async def said(self) -> str:
        return flat(await asyncio.wait_for(self.task, 60))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Backtests that go on until the event is set or somebody stops them."""
    end = threading.Event()

    def wait(*args: Any, progress: Any) -> Any:
        while not end.wait(0.01):
            progress(0.5)
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr("core.commands.families.research.test", wait)
    return end


@pytest.mark.parametrize("word", ["cancel", "stop", "cancel the sweep", "please stop my test", "never mind"])
async def test_a_sweep_that_is_stopped_by_a_word_shows_and_keeps_what_was_done(room: Room, word: str) -> None:
    caller = await room.caller()
    sweep = Asked(room, LONG, caller)
    await sweep.under_way()
    assert "BTC/USDT" in await room.says("price btc", caller)
    assert "RSI" in await room.says("chart btc indicators=rsi", caller)
    said = await room.says(word, caller)
    assert "Stopping: Testing 3,540 settings of sma_cross" in said
    assert "Orders and strategies are as they were" in said
    shown = await sweep.said()
    assert "It was stopped" in shown
    assert "Kept as result 1" in shown
    (saved,) = Archive(room.app.services.settings.data_dir / "results").list(kind="sweep")
    assert saved.partial
    assert any(block.eta for block in sweep.seen)


async def test_a_backtest_that_is_stopped_says_so(room: Room, slow: threading.Event) -> None:
    caller = await room.caller()
    running = Asked(room, "backtest sma_cross btc 1h", caller)
    await running.under_way()
    assert "Stopping: Testing sma_cross" in await room.says("cancel", caller)
    assert "Stopped before its end" in await running.said()
    assert "Nothing has been kept" in await room.says("results")
    assert "no open order" in await room.says("cancel", caller)


async def test_cancel_takes_back_an_open_preview_before_it_stops_a_test(room: Room, slow: threading.Event) -> None:
    caller = await room.caller()
    running = Asked(room, "backtest sma_cross btc 1h", caller)
    await running.under_way()
    await room.says("buy 0.01 btc", caller)
    assert "Withdrawn" in await room.says("cancel", caller)
    assert not running.task.done()
    assert "Stopping" in await room.says("stop the backtest", caller)
    await running.said()
    assert "No test of yours" in await room.says("stop the backtest", caller)


async def test_nobody_stops_the_work_of_another(room: Room, slow: threading.Event) -> None:
    owner, other = await room.caller(), await room.trader()
    running = Asked(room, "backtest sma_cross btc 1h", owner)
    await running.under_way()
    assert "No test of yours" in await room.says("cancel the backtest", other)
    assert "no open order" in await room.says("cancel", other)
    assert not running.task.done()
    from_elsewhere = await room.caller(chat="another window")
    assert "Stopping" in await room.says("cancel", from_elsewhere)
    await running.said()


async def test_two_at_once_are_the_most_and_do_not_hold_up_what_takes_a_moment(
    room: Room, slow: threading.Event
) -> None:
    owner, other = await room.caller(), await room.trader()
    first = [Asked(room, "backtest sma_cross btc 1h", owner) for _ in range(2)]
    for each in first:
        await each.under_way()
    assert "2 of your tests are still under way" in await room.says("backtest sma_cross btc 1h", owner)
    waiting = Asked(room, "backtest sma_cross btc 1h", other)
    assert "panes" in await room.says("chart btc", other)
    assert "Stopping: Testing sma_cross on 2,999 bars; Testing" in await room.says("cancel", owner)
    for each in first:
        assert "Stopped" in await each.said()
    await waiting.under_way()
    await room.says("cancel", other)
    assert "Stopped" in await waiting.said()
