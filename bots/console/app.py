"""The console surface: a prompt with history and completion, or lines through a pipe."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console as Terminal

from bots.console import render
from bots.console.partner import Local, Partner, Remote
from core.commands.context import Services
from core.commands.conversation import Conversation
from core.commands.registry import registry
from core.errors import AppError
from core.jobs import end_task
from core.reply import Chart, Choices, Confirm, File, Progress, Reply, Text, to_json

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

QUIT = frozenset({"quit", "exit", "bye", "q", ":q", "/quit", "/exit", "logout"})
KEPT_PICTURES = 50
WIDTH = 100  # of plain output


class Console:
    """One chat in a terminal. The person who has the data folder is the owner."""

    def __init__(
        self, services: Services | None, conversation: Conversation | None, partner: Partner | None = None
    ) -> None:
        if partner is None:
            assert services is not None
            assert conversation is not None
            partner = Local(services, conversation)
        self._partner: Partner = partner
        self._terminal = Terminal(highlight=False, soft_wrap=False)
        self._choices: tuple[str, ...] = ()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def joined(cls, url: str, token: str, data_dir: Path) -> "Console":
        """A console of the running assistant."""
        return cls(None, None, Remote(url, token, data_dir))

    async def start(self) -> None:
        """Begins to chat, beside whatever else this process does."""
        self._task = asyncio.create_task(self.run(), name="console")

    async def stop(self) -> None:
        """Leaves the chat."""
        await end_task(self._task)
        self._task = None

    async def run(self) -> None:
        """Chats on the terminal until the person leaves; without a terminal, until the lines end."""
        if sys.stdin.isatty() and sys.stdout.isatty():
            await self._interactive()
        else:
            await self.piped(sys.stdin)

    # -- through a pipe ------------------------------------------------------------------------------------------------

    async def piped(self, lines: IO[str], as_json: bool = False, out: IO[str] | None = None) -> None:
        """Answers each line in turn; `as_json` prints one list of {line, reply} at the end."""
        out = out or sys.stdout
        plain = Terminal(file=out, width=WIDTH, highlight=False, no_color=True, force_terminal=False)
        heard: list[Reply] = []

        async def hear(reply: Reply) -> None:
            heard.append(reply)

        async def tell() -> None:
            while heard:
                await self._show(plain, heard.pop(0))
                plain.print()

        answers: list[dict[str, Any]] = []
        await self._partner.open(None if as_json else hear)  # the one list has no place for what nobody asked for
        try:
            await tell()
            async for line in self._read(lines):
                reply = await self._answer(line, silent)
                if as_json:
                    answers.append({"line": line, "reply": to_json(list(reply))})
                    continue
                plain.print(f"> {render.clean(line)[: WIDTH * 3]}", markup=False, highlight=False)
                await self._show(plain, reply)
                plain.print()
                await tell()
            await tell()
        finally:
            await self._partner.close()
            if as_json:
                out.write(json.dumps(answers, default=str, allow_nan=False) + "\n")
                out.flush()

    async def _read(self, lines: IO[str]) -> AsyncIterator[str]:
        """The lines until a word of farewell or the end."""
        if isinstance(lines, TextIOWrapper):
            lines.reconfigure(errors="replace")
        while line := await asyncio.to_thread(lines.readline):
            word = line.strip()
            if word.lower() in QUIT:
                return
            if word:
                yield word

    # -- on a terminal -------------------------------------------------------------------------------------------------

    async def _interactive(self) -> None:
        from prompt_toolkit.patch_stdout import patch_stdout

        await self._partner.open(self._hear)
        try:
            session = await self._session()
            self._terminal.print("Write help to see what I can do, quit to leave.", style="dim")
            interrupted = False
            while True:
                with patch_stdout(raw=True):
                    try:
                        line = (await session.prompt_async("> ")).strip()
                    except KeyboardInterrupt:
                        if interrupted:
                            break
                        interrupted = True
                        self._terminal.print("Press Ctrl-C again, or write quit, to leave.", style="dim")
                        continue
                    except EOFError:
                        break
                interrupted = False
                if line.lower() in QUIT:
                    break
                if line:
                    await self._turn(line)
        finally:
            await self._partner.close()
        self._terminal.print("Goodbye.", style="dim")

    async def _turn(self, line: str) -> None:
        """One line and its answer; Ctrl-C gives up waiting for it."""
        task = asyncio.ensure_future(self._answer(line, self._progress))
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGINT)
        with contextlib.suppress(NotImplementedError, ValueError):  # no signals outside the main thread
            loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            reply = await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():  # the whole console is being stopped
                raise
            self._erase()
            self._terminal.print("Stopped.", style="yellow")
            return
        finally:
            with contextlib.suppress(NotImplementedError, ValueError):
                loop.remove_signal_handler(signal.SIGINT)
                signal.signal(signal.SIGINT, before)
        self._erase()
        await self._show(self._terminal, reply)

    async def _session(self) -> "PromptSession[str]":
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory

        path = self._partner.data_dir / "console-history"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        path.chmod(0o600)
        words = [each.name for each in registry().commands]
        with contextlib.suppress(AppError):
            words += await self._partner.symbols()
        completer = WordCompleter(sorted(set(words)), ignore_case=True)
        return PromptSession(history=FileHistory(str(path)), completer=completer, complete_while_typing=False)

    async def _hear(self, reply: Reply) -> None:
        """Prints what happens meanwhile, above the prompt."""
        await self._show(self._terminal, reply)

    async def _progress(self, block: Progress) -> None:
        """Rewrites the progress line in place."""
        width = max(20, self._terminal.width - 1)
        sys.stdout.write("\r\x1b[K" + render.progress_line(block)[:width])
        sys.stdout.flush()

    @staticmethod
    def _erase() -> None:
        sys.stdout.write("\r\x1b[K")
        sys.stdout.flush()

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _answer(self, line: str, progress: Callable[[Progress], Any]) -> Reply:
        """The reply to a line; a bare number picks one of the choices that were just shown."""
        if re.fullmatch(r"\d{1,2}", line) and 1 <= int(line) <= len(self._choices):
            line = self._choices[int(line) - 1]
        try:
            reply = await self._partner.ask(line, progress)
        except AppError as refused:
            reply = [Text(refused.sentence(), "warning")]
        self._choices = tuple(choice.line for block in reply if isinstance(block, Choices) for choice in block.choices)
        return reply

    async def _show(self, terminal: Terminal, reply: Reply) -> None:
        """Prints a reply and saves its charts as pictures, its files as they are."""
        pictures = {}
        for place, block in enumerate(reply):
            path = None
            if isinstance(block, Chart):
                path = await self._saved(block)
            elif isinstance(block, File):
                path = await self._written(block)
            if path is not None:
                pictures[place] = path
        render.show(terminal, reply, pictures)
        if any(isinstance(block, Confirm) for block in reply):
            self._choices = ()

    async def _written(self, file: File) -> Path | None:
        """The file in DATA_DIR/exports; None when it cannot be written."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.name).strip(".-")[:80] or "file"
        try:
            return await asyncio.to_thread(write, self._partner.data_dir / "exports", name, file.content)
        except OSError:
            return None

    async def _saved(self, chart: Chart) -> Path | None:
        """The chart as a picture in DATA_DIR/charts; None when it cannot be written."""
        from bots.charts import png

        folder = self._partner.data_dir / "charts"
        name = re.sub(r"[^a-z0-9]+", "-", chart.title.lower()).strip("-")[:60] or "chart"
        try:
            picture = await asyncio.to_thread(png, chart)
            return await asyncio.to_thread(store, folder, f"{name}-{uuid.uuid4().hex[:6]}.png", picture)
        except OSError:
            return None


def write(folder: Path, name: str, content: bytes) -> Path:
    """Writes a file under its name, or a similar one that is not taken."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem, dot, ending = name.rpartition(".")
    for count in itertools.count(1):
        path = folder / (name if count == 1 else f"{stem or name}-{count}{dot}{ending if stem else ''}")
        try:
            with path.open("xb") as file:
                file.write(content)
            return path
        except FileExistsError:
            continue
    raise AssertionError  # there is always another number


def store(folder: Path, name: str, picture: bytes) -> Path:
    """Writes the picture and removes the oldest beyond the fifty that are kept."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    path.write_bytes(picture)
    for old in sorted(folder.glob("*.png"), key=lambda each: each.stat().st_mtime)[:-KEPT_PICTURES]:
        old.unlink(missing_ok=True)
    return path


async def silent(progress: Progress) -> None:
    """A pipe shows no progress."""


surface = Console  # entry point `orchestrator.surfaces`
