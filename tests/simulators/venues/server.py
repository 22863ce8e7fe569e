"""All loopback venues on one port, for unmodified ccxt: `base` goes into ENDPOINT_BASE, hosts stay in the path."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from types import TracebackType

from aiohttp import WSMsgType, web

from core.clock import Clock, SystemClock
from tests.simulators.venues.binance import Binance
from tests.simulators.venues.coinbase import Coinbase
from tests.simulators.venues.kraken import Kraken
from tests.simulators.venues.kucoin import KuCoin
from tests.simulators.venues.venue import ANSWERS, Answer, Dialect, Question, Socket, Venue

DIALECTS: Mapping[str, Callable[[Venue], Dialect]] = {
    "binance": Binance,
    "kucoin": KuCoin,
    "kraken": Kraken,
    "coinbase": Coinbase,
}


class Loopback:
    """`async with Loopback() as venues:` then `venues["binance"]` is a Venue, `venues.base` the address."""

    def __init__(self, clock: Clock | None = None, *, port: int = 0) -> None:
        time = clock or SystemClock()
        self.venues = {name: Venue(name, speak, time.now_ms) for name, speak in DIALECTS.items()}
        self.base = ""
        self._port = port
        self._hosts = {host: venue for venue in self.venues.values() for host in venue.dialect.hosts}
        self._runner: web.AppRunner | None = None

    def __getitem__(self, name: str) -> Venue:
        return self.venues[name]

    async def __aenter__(self) -> "Loopback":
        application = web.Application()
        application.router.add_route("*", "/{host}/{path:.*}", self._answer)
        application.router.add_route("*", "/{host}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        for venue in self.venues.values():
            venue.released.set()
            for socket in venue.sockets:
                socket.outbox.put_nowait(None)
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        host, path = request.match_info["host"], "/" + request.rel_url.raw_path.lstrip("/").partition("/")[2]
        question = Question(
            request.method,
            host,
            path,
            dict(request.query),
            request.rel_url.raw_query_string,
            await request.text(),
            request.headers,
            self.base,
        )
        venue = self._hosts.get(host)
        if venue is None:
            return web.json_response({"error": f"no venue answers at {host} here"}, status=404)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _converse(venue, question, request)
        venue.questions.append((request.method, path, question.query))
        return await _rest(venue, question, request)


async def _rest(venue: Venue, question: Question, request: web.Request) -> web.StreamResponse:
    what = f"{question.method} {question.path}"
    slow = venue.trouble(("slow",), what)
    if slow is not None:
        await asyncio.sleep(slow.details.get("seconds", 0.2))
    due = venue.trouble((*ANSWERS, "lost_request", "lost_answer", "stall"), what)
    trouble = None if due is None else due.kind
    if due is not None and trouble in ANSWERS:
        if due.details.get("done"):
            venue.dialect.rest(question)
        return _sent(venue.dialect.failure(due.kind))
    if trouble == "lost_request":
        return _dropped(request)
    answer = venue.dialect.rest(question)
    if trouble == "lost_answer":
        return _dropped(request)
    if trouble == "stall":
        await venue.released.wait()
    return _sent(answer)


def _sent(answer: Answer) -> web.Response:
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    kind = "text/html" if isinstance(answer.body, str) else "application/json"
    return web.Response(status=answer.status, text=text, content_type=kind, headers=dict(answer.headers))


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _converse(venue: Venue, question: Question, request: web.Request) -> web.StreamResponse:
    failure = venue.misbehaving(ANSWERS, f"WS {question.path}")
    if failure is not None:
        return _sent(venue.dialect.failure(failure))
    wire = web.WebSocketResponse()
    await wire.prepare(request)
    socket = Socket(venue, question)
    venue.sockets.append(socket)
    writing = asyncio.create_task(_write(socket, wire, request))
    try:
        venue.dialect.connected(socket)
        async for message in wire:
            if message.type is WSMsgType.TEXT:
                venue.dialect.heard(socket, message.data)
    finally:
        venue.sockets.remove(socket)
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
    return wire


async def _write(socket: Socket, wire: web.WebSocketResponse, request: web.Request) -> None:
    with contextlib.suppress(ConnectionError):
        while (text := await socket.outbox.get()) is not None:
            await wire.send_str(text)
    if request.transport is not None:
        request.transport.abort()
