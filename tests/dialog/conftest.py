"""Whole conversations with the real product: temporary database, sandbox market, a clock that tests move."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.app import App, build
from core.clock import SimulatedClock
from core.commands.context import Caller
from core.exchanges.sandbox import SandboxData
from core.reply import Block, Chart, Choices, Confirm, Facts, File, Form, Progress, Reply, Table, Text
from core.research.warm import warm
from core.settings import Settings

START = datetime(2026, 3, 2, 12, 0, 7, tzinfo=UTC)


def flat(reply: Reply) -> str:
    """Everything a reader would see, as one text."""
    return "\n".join(words(block) for block in reply)


def words(block: Block) -> str:
    match block:
        case Text(message):
            return message
        case Facts(title, facts, note):
            return "\n".join([title, *(f"{name}: {value}" for name, value in facts), note or ""])
        case Table(title, columns, rows, _, empty):
            return "\n".join(
                [title, " | ".join(columns), *(" | ".join(row) for row in rows)] if rows else [title, empty]
            )
        case Chart(title, panes, label, alt):
            return (
                f"{title} [{label}] {len(panes)} panes: "
                f"{', '.join(s.name for pane in panes for s in pane.series)}. {alt}"
            )
        case Choices(question, choices):
            return "\n".join([question, *(f"({choice.label}) {choice.line}" for choice in choices)])
        case Confirm():
            facts = "\n".join(f"{name}: {value}" for name, value in block.facts)
            return f"{block.question} [{block.mode}]\n{facts}\n{' '.join(block.warnings)}"
        case Form(title, command, fields):
            return f"{title} ({command}: {', '.join(field.name for field in fields)})"
        case File(name):
            return f"({name}, {len(block.content):,} bytes)"
        case Progress(message):
            return message


class Room:
    """One app and the people who talk to it."""

    def __init__(self, app: App, clock: SimulatedClock) -> None:
        self.app, self.clock = app, clock

    async def caller(
        self, surface: str = "console", external_id: str = "local", chat: str = "", private: bool = True
    ) -> Caller:
        return await self.app.conversation.caller(
            surface, external_id, chat or external_id, private=private, name="Sam"
        )

    async def reply(self, line: str, caller: Caller | None = None, progress: Any = None) -> Reply:
        """The blocks of an answer; time stands still meanwhile."""
        return await asyncio.wait_for(self.app.conversation.answer(line, caller or await self.caller(), progress), 60)

    async def says(self, line: str, caller: Caller | None = None) -> str:
        """An answer as text."""
        return flat(await self.reply(line, caller))

    async def token(self, line: str, caller: Caller | None = None) -> str:
        """The token of the preview that a line leads to."""
        return next(block.token for block in await self.reply(line, caller) if isinstance(block, Confirm))

    async def trader(
        self, external_id: str = "7", role: str = "trader", chat: str = "", private: bool = True
    ) -> Caller:
        """Somebody the owner has allowed on Telegram."""
        await self.says(f"allow telegram {external_id} {role}")
        return await self.caller("telegram", external_id, chat, private)

    async def until(self, done: Callable[[], bool], step: float = 1.0, most: int = 600) -> None:
        """Moves time on until something has happened."""
        for _ in range(most):
            if done():
                return
            await self.clock.advance(step)
            for _ in range(20):
                await asyncio.sleep(0.001)
        raise AssertionError("it never happened")


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Nobody who chats waits for a compiler."""
    warm()


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    clock = SimulatedClock(START)
    app = build(Settings(data_dir=tmp_path), clock=clock, roles=("trader",), sources=[SandboxData(clock, 1)])
    await app.start()
    try:
        yield Room(app, clock)
    finally:
        stopping = asyncio.ensure_future(app.stop())
        while not stopping.done():
            await clock.advance(1.0)
            await asyncio.sleep(0.005)
        await stopping
