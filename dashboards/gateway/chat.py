"""The chat socket: lines in; progress, replies and notices out. The same conversation as on every other surface.

In:  {"line": "price btc", "id": 1}          id is optional and comes back with what belongs to the line
Out: {"id": 1, "progress": block} any number of times, {"id": 1, "reply": [blocks]} once, {"notice": [blocks]} ever
"""

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from core.commands.context import Caller
from core.reply import Progress, Reply, Text, to_json
from dashboards.gateway.access import Visitor

if TYPE_CHECKING:
    from core.accounts import User

LONGEST = 2_000  # characters of one line
WAITING = 20  # lines that may wait on one connection


class Talk(Protocol):
    """What the socket needs of core.commands.conversation."""

    async def answer(
        self, line: str, caller: Caller, progress: Callable[[Progress], Awaitable[None]] | None = None
    ) -> Reply: ...


class Sessions(Protocol):
    """What the socket needs of core.accounts."""

    async def session(self, token: str) -> "User | None": ...


class Rooms:
    """The open chat sockets, so that all of them end with the gateway."""

    def __init__(self) -> None:
        self._open: set[Session] = set()

    def enter(self, session: "Session") -> None:
        self._open.add(session)

    def leave(self, session: "Session") -> None:
        self._open.discard(session)

    async def close(self) -> None:
        """Closes every socket, because the gateway stops."""
        for session in tuple(self._open):
            await session.close()


class Session:
    """One connection. Lines are answered in order; one that reports progress lets the next ones pass, so that
    `cancel` is not held up by a long backtest."""

    def __init__(
        self, socket: WebSocket, visitor: Visitor, conversation: Talk, surface: str, sessions: Sessions | None = None
    ) -> None:
        self._socket = socket
        self.user: User = visitor.user
        self._visitor, self._sessions = visitor, sessions
        self._chat = f"{surface}:{self.user.id}:{named(socket.query_params.get('chat', ''))}"
        self._conversation = conversation
        self.surface = surface
        self._sending = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("chat")

    async def run(self) -> None:
        """Serves the connection until it closes. Work that was begun is finished; its answer has no reader then."""
        before: asyncio.Event | None = None
        for number in itertools.count(1):
            try:
                line, ident = read(await self._socket.receive_text(), number)
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return
            except ValueError as wrong:
                await self.send({"reply": to_json([Text(str(wrong), "warning")])})
                continue
            if len(self._tasks) >= WAITING:
                busy = Text("Too much is waiting here; please wait for the answers.", "warning")
                await self.send({"id": ident, "reply": to_json([busy])})
                continue
            passed = asyncio.Event()
            task = asyncio.create_task(self._answer(line, ident, before, passed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            before = passed

    async def _answer(self, line: str, ident: Any, before: asyncio.Event | None, passed: asyncio.Event) -> None:
        async def progress(block: Progress) -> None:
            passed.set()
            await self.send({"id": ident, "progress": to_json(block)})

        try:
            if before is not None:
                await before.wait()
            if not await self._signed_in():
                await self.close(1008)
                return
            caller = Caller(
                user=self.user, surface=self.surface, external_id=self.user.id, chat=self._chat, private=True,
                name=self.user.name,
            )  # fmt: skip
            reply = await self._conversation.answer(line, caller, progress)
        except Exception as error:  # the outermost frame of this surface
            self._log.error("answering failed", exc_info=error)
            reply = [Text("Something unexpected went wrong here; the log says more.", "bad")]
        finally:
            passed.set()
        await self.send({"id": ident, "reply": to_json(list(reply))})

    async def notice(self, blocks: Reply) -> bool:
        """Tells something nobody asked for; False when the connection is gone."""
        return await self.send({"notice": to_json(list(blocks))})

    async def send(self, message: dict[str, Any]) -> bool:
        """Sends one message; False when the connection is gone."""
        async with self._sending:
            try:
                await self._socket.send_text(json.dumps(message, default=str, allow_nan=False))
            except (WebSocketDisconnect, RuntimeError):
                return False
        return True

    async def close(self, code: int = 1001) -> None:
        try:
            await self._socket.close(code)
        except RuntimeError:
            return

    async def _signed_in(self) -> bool:
        """Whether the sign-in with which this connection was opened still stands."""
        if self._sessions is None or not self._visitor.session:
            return True
        return await self._sessions.session(self._visitor.session) is not None


def named(chat: str) -> str:
    """The page's own name for its chat, so that a preview is answered where it was shown, also after a reconnect."""
    return chat if re.fullmatch(r"[A-Za-z0-9_-]{8,40}", chat) else secrets.token_urlsafe(9)


def read(text: str, number: int) -> tuple[str, Any]:
    """The line and the id of a message. Raises ValueError with a sentence."""
    try:
        message = json.loads(text)
        line = message["line"]
        ident = message.get("id", number)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError('A message is a JSON object such as {"line": "price btc"}.') from None
    if not isinstance(line, str) or not line.strip():
        raise ValueError("The line is empty.")
    if len(line) > LONGEST:
        raise ValueError(f"A line may have {LONGEST} characters; this one has {len(line)}.")
    return line, ident if isinstance(ident, int | str) else number
