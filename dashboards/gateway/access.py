"""Who may come in: everything needs a session but the few paths named here, and only from our own pages."""

import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import Clock
from dashboards.gateway.pages import sign_in_page
from dashboards.gateway.problems import page, problem

if TYPE_CHECKING:
    from core.accounts import User, UserService

COOKIE = "orchestrator_session"
SESSION_DAYS = 30
KERNEL_TOKEN_HOURS = 12
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# Open to everyone: nothing behind these shows or changes anything of a person.
OPEN = frozenset({"/login", "/health/live", "/health/ready", "/favicon.ico"})
OPEN_FOLDERS = ("/static/",)


@dataclass(slots=True)
class Pass:
    """A token of a dashboard's kernel: whose it is, until when (UTC ms)."""

    user: "User"
    session: str
    until: int


class KernelPasses:
    """Short-lived tokens by which a dashboard's kernel asks the API in its viewer's name.

    They live in memory: a kernel never outlives the gateway that started it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._passes: dict[str, Pass] = {}

    def issue(self, user: "User", session: str) -> str:
        """A new token, good until the session ends or twelve hours have passed without a use."""
        now = self._clock.now_ms()
        for token in [token for token, held in self._passes.items() if held.until <= now]:
            del self._passes[token]
        token = secrets.token_urlsafe(32)
        self._passes[token] = Pass(user, session, now + KERNEL_TOKEN_HOURS * 3_600_000)
        return token

    def session_of(self, token: str) -> str | None:
        """The session a token stands for; None when it is unknown or expired."""
        held = self._passes.get(token)
        now = self._clock.now_ms()
        if held is None or held.until <= now:
            return None
        held.until = now + KERNEL_TOKEN_HOURS * 3_600_000
        return held.session

    def end(self, session: str) -> None:
        """Voids every token of a session that was closed."""
        for token in [token for token, held in self._passes.items() if held.session == session]:
            del self._passes[token]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. session is empty for the console of this machine."""

    user: "User"
    session: str = ""
    by: str = "cookie"  # cookie, kernel, local


class Door:
    """ASGI middleware: refuses strange hosts and origins, and whoever has no session.

    hosts: names under which this gateway may be addressed; a page elsewhere that resolves its own name to this
    machine is refused by them. local_token: the secret of DATA_DIR/instance.json, by which the console joins.
    """

    def __init__(
        self, app: ASGIApp, *, users: "UserService", passes: KernelPasses, hosts: frozenset[str], local_token: str = ""
    ) -> None:
        self._app = app
        self._users = users
        self._passes = passes
        self._hosts = hosts
        self._local_token = local_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = scope["path"]
        if hostname(headers.get("host", "")) not in self._hosts:
            named = headers.get("host", "")[:80]
            text = f"This gateway is not known as '{named}'; ORCHESTRATOR_GATEWAY__PUBLIC_URL names its public address."
            await self._refuse(scope, receive, send, 421, "Unknown host", text)
            return
        if path in OPEN or path.startswith(OPEN_FOLDERS):
            await self._app(scope, receive, send)
            return
        visitor = await self._visitor(scope, headers)
        if visitor is None:
            await self._refuse(scope, receive, send, 401, "Sign in first", "This page needs a sign-in link.")
            return
        if visitor.by == "cookie" and not self._from_our_pages(scope, headers):
            await self._refuse(scope, receive, send, 403, "Another site asked", "This request came from another site.")
            return
        scope.setdefault("state", {})["visitor"] = visitor
        await self._app(scope, receive, send)

    async def _visitor(self, scope: Scope, headers: Headers) -> Visitor | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            if (
                self._local_token
                and is_loopback(scope)
                and secrets.compare_digest(token.encode(), self._local_token.encode())
            ):
                return Visitor(await self._users.owner(), by="local")
            session = self._passes.session_of(token)
            user = await self._users.session(session) if session else None
            return Visitor(user, session or "", by="kernel") if user else None
        token = cookie(headers.get("cookie", ""))
        user = await self._users.session(token) if token else None
        return Visitor(user, token) if user else None

    def _from_our_pages(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request that carries our cookie was made by our own page (a link from elsewhere may read)."""
        if scope["type"] == "http" and scope["method"] in SAFE:
            return True
        origin = headers.get("origin", "")
        if not origin:
            return False
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, title: str, sentence: str) -> None:
        if scope["type"] == "websocket":
            # 1008: policy violation; before the handshake this becomes an HTTP 403
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": sentence[:100]})
            return
        wants_page = "text/html" in Headers(scope=scope).get("accept", "") and not scope["path"].startswith("/api/")
        response = page(sign_in_page(), status) if wants_page and status == 401 else problem(status, title, sentence)
        await response(scope, receive, send)


class SecurityHeaders:
    """ASGI middleware: the headers that every answer carries, and a strict content policy by kind of page."""

    SHELL = "script-src 'self'; style-src 'self'; connect-src 'self'"
    # JupyterLab's widget manager compiles schemas (eval), loads widget modules from blobs and styles inline.
    VOILA = "script-src 'self' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' blob:"
    REST = (
        "default-src 'none'; img-src 'self' data:; font-src 'self' data:; manifest-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; "
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        policy = self.REST + (self.VOILA if path.startswith("/dashboards/") else self.SHELL)
        added = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        }

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in added]
                if not any(name.lower() == b"cache-control" for name, _ in kept):
                    kept.append((b"cache-control", b"no-store"))
                kept += [(name.encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": kept}
            await send(message)

        await self._app(scope, receive, with_headers)


class BodyLimit:
    """ASGI middleware: refuses a request whose body is larger than `most` bytes, declared or not."""

    def __init__(self, app: ASGIApp, most: int = 1_000_000) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._most:
            await problem(413, "Too large", f"A request may carry {self._most} bytes.")(scope, receive, send)
            return
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, limited, send)


def cookie(header: str) -> str:
    """The session token in a Cookie header, or an empty text."""
    jar = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def hostname(host: str) -> str:
    """The name in a Host header, without its port: localhost of localhost:8000, ::1 of [::1]:8000."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(scope: Scope) -> bool:
    """Whether the request comes from this machine."""
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False
