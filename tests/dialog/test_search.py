"""Searching parameters in a chat: what is shown, kept, refused, and kept of what was stopped."""

import asyncio
from typing import Any

import pytest

from core.accounts import Role
from core.reply import Choices, Progress, Table
from core.research.archive import Archive
from tests.dialog.conftest import Room, flat

GRID = "fast=5..20/5 slow=30,60,90"


def kept(room: Room, kind: str) -> list[Any]:
    """The kept results of a kind, of anybody."""
    folder = room.app.services.settings.data_dir / "results"
    owners = {path.name.partition(".")[0] for path in folder.glob("*.arrow")}
    return [saved for owner in owners for saved in Archive(folder).list(owner, kind)]


async def test_a_sweep_shows_the_best_with_the_doubt_and_what_to_do_next(room: Room) -> None:
    reply = await room.reply(f"sweep sma_cross btc 1h {GRID}")
    said = flat(reply)
    table = next(block for block in reply if isinstance(block, Table))
    assert table.columns == ("fast", "slow", "Return", "Sharpe", "Drawdown", "Trades")
    assert len(table.rows) == 5
    assert "Best of 12" in said
    assert "SIMULATED" in said
    assert "luck" in said or "worth choosing" in said
    assert "Kept as result" in said
    [saved] = kept(room, "sweep")
    assert saved.document["trials"] == 12
    choices = next(block for block in reply if isinstance(block, Choices))
    best = saved.document["best"]["parameters"]
    assert choices.choices[0].line == f"backtest sma_cross btc 1h fast={best['fast']} slow={best['slow']}"
    assert "Backtest: sma_cross" in await room.says(choices.choices[0].line)
    assert "Without hindsight" in await room.says(choices.choices[1].line)


async def test_a_setting_with_one_value_stays_as_it_is(room: Room) -> None:
    await room.says("sweep sma_cross btc 1h slow=60 metric=max_drawdown")
    [saved] = kept(room, "sweep")
    assert saved.document["space"]["slow"] == [60]
    assert saved.document["trials"] > 10
    assert saved.document["metric"] == "max_drawdown"


async def test_a_search_tells_what_became_of_the_best_on_what_it_did_not_see(room: Room) -> None:
    said = await room.says("optimize sma_cross btc 1h trials=16 fast=5..20 slow=30..90")
    assert "searched |" in said
    assert "held out |" in said
    assert "Best of 16" in said
    several = await room.says("optimize sma_cross btc 1h trials=16 metric=sharpe,-max_drawdown sampler=nsga2")
    assert "searched |" in several


async def test_a_walk_forward_shows_windows_and_a_curve_without_hindsight(room: Room) -> None:
    said = await room.says(f"walkforward sma_cross btc 1h {GRID} train=1000 test=400 anchored=yes")
    assert "Traded from | fast | slow | sharpe before | sharpe after | Return" in said
    assert "equity without hindsight" in said
    assert "Kept of what was promised" in said
    assert "Out of sample" in said
    [saved] = kept(room, "walk-forward")
    assert len(saved.document["windows"]) == 5
    assert saved.document["anchored"] is True


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("sweep sma_cros btc", "sma_cross"),
        ("sweep sma_cross btc 1h quick=1,2", "no parameter 'quick'"),
        ("sweep sma_cross btc 1h metric=luck", "no metric 'luck'"),
        ("sweep sma_cross btc 1h fast=1:200 slow=201:400", "40,000 combinations"),
        ("sweep sma_cross btc 1h fast=9,10 slow=5", "accepts none of the 2 combinations"),
        ("sweep sma_cross btc 1h cash=-5", "'-5' is not an amount for cash"),
        ("sweep buy_and_hold btc 1h", "no parameters to search"),
        ("optimize sma_cross btc 1h trials=100000", "100,000 trials are not between 1 and 5,000"),
        ("optimize sma_cross btc 1h sampler=magic", "no sampler 'magic'"),
        ("walkforward sma_cross btc 1h train=soon", "'soon' is no length of the training part"),
        ("walkforward sma_cross btc 1h train=2900", "too few for two windows"),
    ],
)
async def test_a_mistake_is_answered_in_a_sentence(room: Room, line: str, sentence: str) -> None:
    said = await room.says(line)
    assert sentence in said
    assert "Traceback" not in said


async def test_work_that_is_too_long_for_a_chat_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.commands.families.search.MOST_WORK", 10_000)
    for line in ("sweep sma_cross btc 1h", "optimize sma_cross btc 1h", "walkforward sma_cross btc 1h"):
        assert "more than a chat can wait for" in await room.says(line)


async def test_a_viewer_may_search_but_not_name_a_file(room: Room) -> None:
    viewer = await room.trader("8", "viewer")
    assert viewer.user is not None
    assert viewer.user.role is Role.VIEWER
    assert "Best of" in await room.says("sweep sma_cross btc 1h fast=5,10", viewer)
    assert "Only the owner" in await room.says("sweep mine.py btc 1h", viewer)


async def test_a_sweep_that_is_cancelled_keeps_what_was_done(room: Room) -> None:
    seen = asyncio.Event()

    async def watch(progress: Progress) -> None:
        if progress.fraction:
            seen.set()

    caller = await room.caller()
    line = "sweep sma_cross btc 1h 8y fast=2..60 slow=61..120"
    running = asyncio.ensure_future(room.app.conversation.answer(line, caller, watch))
    await asyncio.wait_for(seen.wait(), 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await room.app.services.jobs.close(timeout=60)  # waits for the thread, which ends at its next report
    [saved] = kept(room, "sweep")
    assert saved.partial
    assert 0 < saved.document["trials"] < saved.document["asked"]
