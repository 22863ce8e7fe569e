"""The way to the dashboards: what a page needs of Voilà passes, with our credentials in place of the client's."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import structlog
from fastapi import APIRouter, Request, WebSocket
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from core.errors import NotFound, Unavailable
from dashboards.gateway.access import KernelPasses, Visitor
from dashboards.gateway.pages import message_page
from dashboards.gateway.problems import page
from dashboards.gateway.voila import BASE, TOKEN_HEADER, VoilaChild

PAGE_PATH = re.compile(r"voila/render/[\w-]+\.ipynb")
# Only what a page needs: no listing of kernels, no contents, no tree.
PATHS = {
    "GET": re.compile(
        PAGE_PATH.pattern + r"|voila/(static|templates|labextensions|api/themes)/.+|api/kernels/[0-9a-f-]{36}"
    ),
    "POST": re.compile(r"voila/api/shutdown/[0-9a-f-]{36}"),
    "DELETE": re.compile(r"api/kernels/[0-9a-f-]{36}"),
}
HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
NOT_SENT = HOP_BY_HOP | {"host", "cookie", "authorization", "content-length", "accept-encoding", TOKEN_HEADER.lower()}
NOT_RETURNED = HOP_BY_HOP | {"set-cookie", "server", "date", "content-security-policy", "content-length"}
SOCKET_LIMIT = 32_000_000  # bytes of one message: a chart's bars and the widget's own code


class Proxy:
    """Passes requests and sockets to the Voilà child."""

    def __init__(self, child: VoilaChild, passes: KernelPasses) -> None:
        self._child = child
        self._passes = passes
        self._client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(120, connect=5))
        self._log = structlog.get_logger("proxy")

    async def close(self) -> None:
        await self._client.aclose()

    def _credentials(self, visitor: Visitor, path: str) -> dict[str, str]:
        """Voilà's own token, and for a page a pass by which its kernel asks the API in the visitor's name."""
        headers = {"authorization": f"token {self._child.token}"}
        if PAGE_PATH.fullmatch(path):
            headers[TOKEN_HEADER] = self._passes.issue(visitor.user, visitor.session)
        return headers

    async def http(self, request: Request, path: str, visitor: Visitor) -> Response:
        """One request. Raises NotFound for a path that no page needs, Unavailable while Voilà is not there."""
        allowed = PATHS.get("GET" if request.method == "HEAD" else request.method)
        if allowed is None or not allowed.fullmatch(path) or ".." in path:
            raise NotFound(f"There is no '{path[:80]}' among the dashboards.")
        if not await self._child.wait_ready(20):
            if PAGE_PATH.fullmatch(path):
                return page(message_page("The dashboards are starting", "Please reload in a moment."), 503)
            raise Unavailable("The dashboards are starting.", hint="Try again in a moment.")
        headers = {name: value for name, value in request.headers.items() if name not in NOT_SENT}
        sent = self._client.build_request(
            request.method,
            f"http://{self._child.address}{BASE}{path}",
            params=dict(request.query_params) if not PAGE_PATH.fullmatch(path) else None,
            headers=headers | self._credentials(visitor, path),
            content=await request.body() or None,
        )
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx.HTTPError as error:
            self._log.warning("the dashboards did not answer", path=path, error=type(error).__name__)
            raise Unavailable("The dashboards did not answer.", hint="Try again in a moment.") from error
        returned = {name: value for name, value in answer.headers.items() if name not in NOT_RETURNED}
        returned.pop("content-encoding", None)  # httpx has already decoded it
        if path.startswith(("voila/static/", "voila/labextensions/", "voila/templates/")) and answer.status_code == 200:
            returned["cache-control"] = "private, max-age=3600"
        return StreamingResponse(body(answer), status_code=answer.status_code, headers=returned)

    async def socket(self, client: WebSocket, kernel: str, visitor: Visitor) -> None:
        """One socket, message by message, until either side closes."""
        offered = [Subprotocol(name) for name in client.scope.get("subprotocols", [])]
        address = f"ws://{self._child.address}{BASE}api/kernels/{kernel}/channels"
        query = client.url.query
        try:
            async with connect(
                f"{address}?{query}" if query else address,
                additional_headers=self._credentials(visitor, ""),
                subprotocols=offered or None,
                max_size=SOCKET_LIMIT,
                open_timeout=10,
                proxy=None,
            ) as kernel_side:
                await client.accept(subprotocol=kernel_side.subprotocol)
                await both_ways(client, kernel_side)
        except (OSError, WebSocketException, TimeoutError) as error:
            self._log.info("a dashboard's socket ended", error=type(error).__name__)
            if client.client_state.name == "CONNECTING":
                await client.close(1013, "The dashboards did not answer.")


async def both_ways(client: WebSocket, kernel_side: ClientConnection) -> None:
    """Passes messages both ways until one side closes, then closes the other."""

    async def up() -> None:
        while True:
            message = await client.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            await kernel_side.send(text if text is not None else message["bytes"])

    async def down() -> None:
        async for message in kernel_side:
            await (client.send_text(message) if isinstance(message, str) else client.send_bytes(message))

    tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    if client.client_state.name == client.application_state.name == "CONNECTED":
        await client.close(1001)
    for result in results:
        if isinstance(result, Exception) and not isinstance(
            result, WebSocketDisconnect | ConnectionClosed | RuntimeError
        ):
            raise result


async def body(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The answer's body as it arrives; closes the answer at the end."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    finally:
        await answer.aclose()


def routes(proxy: Proxy) -> APIRouter:
    """The routes under /dashboards/."""
    router = APIRouter(include_in_schema=False)

    @router.get("/dashboards")
    @router.get(BASE)
    async def first() -> Response:
        return RedirectResponse(f"{BASE}voila/render/market.ipynb", 303)

    @router.api_route(BASE + "{path:path}", methods=["GET", "HEAD", "POST", "DELETE"])
    async def pass_on(request: Request, path: str) -> Response:
        return await proxy.http(request, path, request.state.visitor)

    @router.websocket(BASE + "api/kernels/{kernel}/channels")
    async def channels(socket: WebSocket, kernel: str) -> None:
        if not re.fullmatch(r"[0-9a-f-]{36}", kernel):
            await socket.close(1008)
            return
        await proxy.socket(socket, kernel, socket.state.visitor)

    return router
