"""Whom the console talks to: the assistant in this process, or the running one through its web socket."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from core.commands.context import Caller, Report, Services
from core.commands.conversation import Conversation
from core.errors import Unavailable
from core.reply import Progress, Reply, Text, from_json

SURFACE = "console"
Hear = Callable[[Reply], Awaitable[None]]


class Partner(Protocol):
    """Answers lines and tells what happens meanwhile."""

    data_dir: Path

    async def open(self, hear: Hear | None) -> None:
        """Connects; `hear` is given everything that is told unasked. None: nobody looks, so it waits for others."""
        ...

    async def ask(self, line: str, progress: Report) -> Reply: ...
    async def symbols(self) -> Sequence[str]:
        """Words worth completing besides the commands."""
        ...

    async def close(self) -> None: ...


class Local:
    """The assistant in this process. Who has this machine's data folder is the owner."""

    def __init__(self, services: Services, conversation: Conversation) -> None:
        self._services, self._conversation = services, conversation
        self.data_dir = services.settings.data_dir
        self._close: Callable[[], None] = lambda: None

    async def open(self, hear: Hear | None) -> None:
        if hear is None:
            return

        async def show(reply: Reply) -> bool:
            await hear(reply)
            return True

        owner = await self._services.users.owner()
        self._close = await self._services.notifier.open(owner.id, SURFACE, show)

    async def ask(self, line: str, progress: Report) -> Reply:
        owner = await self._services.users.owner()
        caller = Caller(owner, SURFACE, "local", "console", True, owner.name)
        return await self._conversation.answer(line, caller, progress)

    async def symbols(self) -> Sequence[str]:
        return [each.base.lower() for each in await self._services.market.instruments()][:200]

    async def close(self) -> None:
        self._close()


class Remote:
    """The running assistant, joined through /api/v1/chat with the token of its data folder."""

    def __init__(self, url: str, token: str, data_dir: Path) -> None:
        self._url = url.rstrip("/").replace("http", "ws", 1) + "/api/v1/chat"
        self._token = token
        self.data_dir = data_dir
        self._stack = AsyncExitStack()
        self._socket: Any = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, tuple[asyncio.Future[Reply], Report]] = {}
        self._numbers = itertools.count(1)

    async def open(self, hear: Hear | None) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            self._socket = await self._stack.enter_async_context(
                connect(
                    self._url + ("" if hear else "?quiet=1"),
                    additional_headers=headers,
                    max_size=None,
                    proxy=None,
                    open_timeout=10,
                )
            )
        except (OSError, TimeoutError, WebSocketException):
            raise Unavailable(
                f"The running assistant does not answer at {self._url}.",
                hint="Wait a moment, or stop it and try again.",
            ) from None
        self._listener = asyncio.create_task(self._listen(hear or unheard), name="console listener")

    async def ask(self, line: str, progress: Report) -> Reply:
        number = next(self._numbers)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        working: list[Progress] = []

        async def report(block: Progress) -> None:
            working[:] = [block]
            await progress(block)

        self._waiting[number] = (answer, report)
        try:
            if self._listener is None or self._listener.done():
                raise Unavailable(
                    "The connection to the running assistant is gone.", hint="Start `orchestrator chat` again."
                )
            await self._socket.send(json.dumps({"line": line, "id": number}))
            return await answer
        except asyncio.CancelledError:
            if working:  # the assistant goes on otherwise, for nobody
                await self._socket.send(json.dumps({"line": "cancel the test", "id": next(self._numbers)}))
            raise
        finally:
            self._waiting.pop(number, None)

    async def symbols(self) -> Sequence[str]:
        return ["btc", "eth", "sol", "bnb", "xrp", "ada", "doge", "ltc"]

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        await self._stack.aclose()

    async def _listen(self, hear: Hear) -> None:
        """Sorts what arrives until the connection ends; then nobody waits any longer."""
        from websockets.exceptions import ConnectionClosed

        try:
            async for message in self._socket:
                document = json.loads(message)
                answer, progress = self._waiting.get(document.get("id", 0), (None, None))
                if "notice" in document:
                    await hear(from_json(document["notice"]))
                elif "progress" in document and progress is not None:
                    block = from_json(document["progress"])
                    if isinstance(block, Progress):
                        await progress(block)
                elif "reply" in document and answer is not None and not answer.done():
                    answer.set_result(from_json(document["reply"]))
        except ConnectionClosed:
            pass
        finally:
            for answer, _ in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Unavailable("The running assistant went away."))
            if self._waiting == {}:
                await hear([Text("The running assistant went away.", "warning")])


async def unheard(reply: Reply) -> None:
    """Nobody looks."""
