"""`orchestrator chat` in a process of its own, on a terminal of its own: what a person types and reads."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-c", "from core.cli import main; main()")
PROMPT = re.compile(r"(?:^|\n)> ")
PATIENCE = 90.0  # seconds for an answer on a busy machine; no test waits for it to pass
ROWS, COLUMNS = 60, 120


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """The environment of an installation of its own: nothing of this machine's settings. settings: EXCHANGES__…"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    ours = {f"ORCHESTRATOR_{name}": value for name, value in settings.items()}
    return {
        **kept, **ours, "ORCHESTRATOR_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT), "TERM": "dumb",
        "COLUMNS": str(COLUMNS), "NO_COLOR": "1",
    }  # fmt: skip


async def run(environ: Mapping[str, str], *words: str, lines: str = "") -> tuple[str, str]:
    """One run of the program to its end. Returns what it printed, and what it said beside that."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *words, cwd=ROOT, env=environ, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, said = await process.communicate(lines.encode())
    assert process.returncode == 0, said.decode()
    return out.decode(), said.decode()


async def second_factor(environ: Mapping[str, str]) -> str:
    """Sets the owner's second factor up as its owner would, and reads the six digits off it."""
    import pyotp

    out, _ = await run(environ, "user", "totp", "owner", "--json")
    code: str = pyotp.parse_uri(json.loads(out)["otpauth"]).now()  # type: ignore[attr-defined]
    return code


class Chat:
    """`async with Chat(environ) as chat:` then `await chat.says("price btc")` is the text up to the next prompt."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.heard = ""  # all that the terminal showed
        self._read = 0  # how far it was given to the test
        self._more = asyncio.Event()

    async def __aenter__(self) -> "Chat":
        self._wire, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = await asyncio.create_subprocess_exec(
            *PROGRAM, "chat", cwd=ROOT, env=self._environ, stdin=inner, stdout=inner, stderr=inner
        )
        os.close(inner)
        asyncio.get_running_loop().add_reader(self._wire, self._take)
        await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._wire, b"quit\r")
        try:
            async with asyncio.timeout(PATIENCE if kind is None else 5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        finally:
            asyncio.get_running_loop().remove_reader(self._wire)
            os.close(self._wire)

    async def says(self, line: str) -> str:
        """What is read between a line and the next prompt; what came unasked before the line is part of it."""
        os.write(self._wire, line.encode() + b"\r")
        return await self._answer()

    async def until(self, words: str) -> str:
        """Waits, at the prompt, until something unasked with these words is told. Returns what came."""
        begun = self._read
        await self._wait(lambda: " ".join(words.split()) in " ".join(self.heard[begun:].split()))
        return self.heard[begun:]

    async def _answer(self) -> str:
        begun = self._read
        await self._wait(lambda: PROMPT.search(self.heard, begun) is not None)
        prompt = PROMPT.search(self.heard, begun)
        assert prompt is not None
        self._read = prompt.end()
        return self.heard[begun : prompt.start()]

    async def _wait(self, done: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not done():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"it never came; the terminal shows:\n{self.heard[-3000:]}") from None

    def _take(self) -> None:
        with contextlib.suppress(OSError):  # the program has left its terminal
            data = os.read(self._wire, 65536)
            self.heard += data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "")
            self._more.set()
            return
        asyncio.get_running_loop().remove_reader(self._wire)
        self.heard += "\n> (the program has ended)"
        self._more.set()
