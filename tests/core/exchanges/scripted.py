"""A venue on loopback whose answers a test writes down: what is asked is kept, what is answered is scripted."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

NOW = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that arrived. given: query and body together."""

    method: str
    path: str
    given: dict[str, Any]


Answer = Callable[[Asked], Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer with a status of its own. drop: after it was taken, the connection ends without an answer."""

    status: int = 200
    body: str = ""
    drop: bool = False
    stall: bool = False


class Scripted:
    """Answers `METHOD /path` with what `script` holds for it: a value, a `Raw`, or a function of the question."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = dict(script)
        self.asked: list[Asked] = []
        self.wire = Wire()
        self.base = ""
        self._runner: web.AppRunner | None = None
        self.stalled = asyncio.Event()

    async def __aenter__(self) -> "Scripted":
        application = web.Application()
        application.router.add_route("*", "/{host}/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stalled.set()
        await self.wire.drop()
        assert self._runner is not None
        await self._runner.cleanup()

    def to(self, path: str) -> list[dict[str, Any]]:
        """What was asked of `METHOD /path`, in order."""
        return [each.given for each in self.asked if f"{each.method} {each.path}" == path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.wire.serve(request)
        body = await request.text()
        given: dict[str, Any] = dict(request.query)
        if body.startswith(("{", "[")):
            said = json.loads(body)
            given |= said if isinstance(said, dict) else said[0]  # a batch of one
        else:
            given |= dict(parse_qsl(body))
        asked = Asked(request.method, "/" + request.match_info["path"], given)
        self.asked.append(asked)
        answer = self.script.get(f"{asked.method} {asked.path}", Raw(404, '{"code":-1,"msg":"not scripted"}'))
        if callable(answer):
            answer = answer(asked)
        if not isinstance(answer, Raw):
            return web.json_response(answer)
        if answer.drop:
            assert request.transport is not None
            request.transport.close()
        if answer.stall:
            await self.stalled.wait()
        return web.Response(status=answer.status, text=answer.body, content_type="application/json")


class Wire:
    """A websocket server in Binance's manner: subscriptions are confirmed, `tell` sends to every connection.

    subscribed: the streams asked for, in order, over all connections
    """

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.subscribed: list[str] = []
        self.refusing = False
        self._changed = asyncio.Condition()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refusing:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            asked = json.loads(message.data)
            if asked.get("method") == "SUBSCRIBE":
                await socket.send_json({"result": None, "id": asked["id"]})
                async with self._changed:
                    self.subscribed += asked["params"]
                    self._changed.notify_all()
        return socket

    async def until(self, count: int) -> None:
        """Waits for that many subscriptions."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: len(self.subscribed) >= count), 20)

    async def tell(self, message: Any) -> None:
        for socket in self.sockets:
            if not socket.closed:
                await socket.send_json(message)

    async def drop(self) -> None:
        """Ends every connection."""
        for socket in self.sockets:
            await socket.close()
