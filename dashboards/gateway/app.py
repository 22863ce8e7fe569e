"""The gateway: one server in the product's own process for the web app, the API, the chat socket and the dashboards."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import FastAPI, Request, WebSocket
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from core.errors import AppError, ConfigError
from dashboards.gateway import access, api, chat, docs, live, problems, proxy, venues
from dashboards.gateway.models import Alive, Person, Readiness
from dashboards.gateway.notices import Notices
from dashboards.gateway.pages import message_page, shell, sign_in_page
from dashboards.gateway.voila import VoilaChild
from dashboards.widgets.library import lightweight_charts

if TYPE_CHECKING:
    from core.commands.context import Services

STATIC = Path(__file__).resolve().parent.parent / "static"
ANYWHERE = frozenset({"0.0.0.0", "::", ""})


def create_app(
    services: "Services",
    conversation: chat.Talk,
    *,
    child: VoilaChild | None = None,
    passes: access.KernelPasses | None = None,
) -> FastAPI:
    """The application; `child` is the process behind /dashboards/, none in tests that need none."""
    passes = passes or access.KernelPasses(services.clock)
    rooms = chat.Rooms()
    dashboards = proxy.Proxy(child, passes) if child is not None else None
    notices = Notices(services)
    sockets = live.Live(services)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await sockets.start()
        try:
            yield
        finally:
            await sockets.stop()
            await rooms.close()
            if dashboards is not None:
                await dashboards.close()

    app = FastAPI(
        title="CryptoOrchestrator",
        version=str(services.app_info.get("version", "0.1.0")),
        summary="The trading assistant's HTTP API.",
        description=docs.DESCRIPTION,
        openapi_tags=[{"name": name} for name in ("market and research", "people", "health")],
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(access.SecurityHeaders),
            Middleware(access.BodyLimit),
            Middleware(
                access.Door,
                users=services.users,
                passes=passes,
                hosts=known_hosts(services),
                local_token=str(services.app_info.get("local_token", "")),
            ),
        ],
    )
    problems.install(app)
    _people(app, services, passes)
    _health(app, services, child)
    app.include_router(api.routes(services))
    app.include_router(venues.routes(services))
    app.include_router(docs.routes())
    if dashboards is not None:
        app.include_router(proxy.routes(dashboards))

    @app.websocket("/api/v1/chat")
    async def talk(connection: WebSocket) -> None:
        await connection.accept()
        visitor: access.Visitor = connection.state.visitor
        surface = "console" if visitor.by == "local" else "web"
        session = chat.Session(connection, visitor, conversation, surface, services.users)
        rooms.enter(session)
        try:
            if "quiet" not in connection.query_params:  # a program that asks, and shows nobody what happens
                await notices.enter(session)
            await session.run()
        finally:
            notices.leave(session)
            rooms.leave(session)

    @app.websocket("/api/v1/live")
    async def listen(connection: WebSocket) -> None:
        await connection.accept()
        await sockets.serve(connection, connection.state.visitor)

    @app.get("/static/lightweight-charts.js", include_in_schema=False)
    async def charts() -> Response:
        return FileResponse(lightweight_charts(), media_type="text/javascript", headers=cached())

    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _people(app: FastAPI, services: "Services", passes: access.KernelPasses) -> None:
    """The web app's page, coming in and going out."""

    @app.get("/", include_in_schema=False)
    async def home(request: Request) -> Response:
        return problems.page(shell(request.state.visitor.user.name))

    @app.get(
        "/api/v1/session", tags=["people"], summary="Who is signed in", response_model=Person,
        responses=problems.answers(),
    )  # fmt: skip
    async def session(request: Request) -> dict[str, str]:
        """The person in whose name this request was made."""
        user = request.state.visitor.user
        return {"id": user.id, "name": user.name, "role": str(user.role)}

    @app.get("/login", include_in_schema=False)
    async def login(request: Request, token: str = "") -> Response:
        """Takes a one-time link: the browser is signed in, and the address no longer shows the token."""
        if not token:
            return problems.page(sign_in_page())
        try:
            user = await services.users.redeem_login(token)
        except AppError as refused:
            return problems.page(sign_in_page(refused.sentence()), 403)
        session = await services.users.open_session(
            user, request.headers.get("user-agent", "a browser"), access.SESSION_DAYS
        )
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            access.COOKIE, session, max_age=access.SESSION_DAYS * 86_400, httponly=True, samesite="lax", path="/",
            secure=is_secure(services),
        )  # fmt: skip
        return answer

    @app.post("/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        visitor: access.Visitor = request.state.visitor
        await services.users.close_session(visitor.session)
        passes.end(visitor.session)
        answer = problems.page(message_page("Signed out", "Open a new sign-in link to come back."))
        answer.delete_cookie(access.COOKIE, path="/")
        return answer


def _health(app: FastAPI, services: "Services", child: VoilaChild | None) -> None:
    """Whether the process lives, whether it can serve, and a few figures."""

    @app.get(
        "/health/live", tags=["health"], summary="Whether the process lives", response_model=Alive,
        responses=problems.answers(closed=False),
    )  # fmt: skip
    async def alive() -> dict[str, str]:
        """Open to everyone."""
        return {"status": "ok"}

    @app.get(
        "/health/ready", tags=["health"], summary="Whether the process can serve", response_model=Readiness,
        responses=problems.answers(closed=False)
        | {503: {"model": Readiness, "description": "The store does not answer."}},
    )  # fmt: skip
    async def ready() -> Response:
        """Open to everyone; 503 while the store does not answer."""
        parts = {"dashboards": child.ready if child is not None else None}
        try:
            await asyncio.wait_for(services.users.owner(), 5)
            parts["store"] = True
        except (AppError, OSError, TimeoutError):
            parts["store"] = False
        state = "ready" if parts["store"] else "not ready"
        return JSONResponse({"status": state, **parts}, 200 if parts["store"] else 503)

    @app.get(
        "/metrics", tags=["health"], summary="Figures for Prometheus", response_class=PlainTextResponse,
        responses={
            200: {"content": {"text/plain": {"example": "orchestrator_up 1"}}, "description": "The figures."},
            **problems.answers(),
        },
    )  # fmt: skip
    async def metrics() -> str:
        """Figures in the text format of Prometheus."""
        return "".join(_figures(services, child))


def _figures(services: "Services", child: VoilaChild | None) -> Iterator[str]:
    def gauge(name: str, meaning: str, values: list[tuple[str, float]]) -> str:
        lines = [f"orchestrator_{name}{labels} {value:g}\n" for labels, value in values]
        return f"# HELP orchestrator_{name} {meaning}\n# TYPE orchestrator_{name} gauge\n{''.join(lines)}"

    yield gauge("up", "1 while the process serves.", [("", 1)])
    yield gauge(
        "dashboards_ready", "1 while dashboards can be served.", [("", float(child is not None and child.ready))]
    )
    states = getattr(services.market, "states", None)
    if states is not None:
        sources = states()
        yield gauge(
            "source_connected", "1 while the market data source answers.",
            [(f'{{source="{one.name}"}}', float(one.connected)) for one in sources],
        )  # fmt: skip
        yield gauge(
            "source_age_seconds", "Seconds since the market data source last answered.",
            [(f'{{source="{one.name}"}}', one.age) for one in sources if one.age is not None],
        )  # fmt: skip
    router = getattr(services, "venues", None)
    if router is not None:
        figures: dict[str, list[tuple[str, float]]] = {}
        for name, labels, value in router.metrics():
            written = ",".join(f'{label}="{text}"' for label, text in labels.items())
            figures.setdefault(name, []).append((f"{{{written}}}", value))
        for name, values in figures.items():
            yield gauge(name, VENUE_FIGURES[name], values)


VENUE_FIGURES = {
    "venue_state": "1 for the state that the venue is in.",
    "venue_latency_seconds": "Seconds in which the venue answered, of the last five minutes.",
    "venue_error_ratio": "Fraction of the questions of the last five minutes that had no answer.",
    "venue_answer_age_seconds": "Seconds since the venue last answered.",
    "venue_price_age_seconds": "Seconds that the venue's newest price is old.",
    "venue_clock_skew_seconds": "Seconds that the venue's clock is ahead of this machine's.",
    "venue_state_changes": "Changes of state since the start.",
}


class Surface:
    """The gateway as the product starts and stops it."""

    def __init__(self, services: "Services", conversation: chat.Talk) -> None:
        self._services = services
        self._conversation = conversation
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.child: VoilaChild | None = None
        self._log = structlog.get_logger("gateway")
        self.url = ""  # the one people use
        self.local_url = ""  # the one programs on this machine use, whatever stands in front

    async def start(self) -> None:
        """Listens. Raises ConfigError when the port is taken."""
        gateway = self._services.settings.gateway
        listener = bind(gateway.host, gateway.port)
        port = listener.getsockname()[1]
        local = "127.0.0.1" if gateway.host in ANYWHERE else gateway.host
        self.local_url = f"http://{f'[{local}]' if ':' in local else local}:{port}"
        self.url = (gateway.public_url or self.local_url).rstrip("/")
        self.child = VoilaChild(self.local_url, self._services.settings.data_dir / "jupyter")
        app = create_app(self._services, self._conversation, child=self.child)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, date_header=True, lifespan="on",
            proxy_headers=False, ws_max_size=32_000_000, timeout_graceful_shutdown=2,
        )  # fmt: skip
        self._server = Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({listening, self._task}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            await self._task
            raise ConfigError("The gateway did not start; the log says why.")
        await self.child.start()
        if isinstance(self._services.app_info, dict):
            self._services.app_info["gateway_url"] = self.url  # the port may have been chosen just now
        self._log.info("the web app is open", url=self.url)

    async def stop(self) -> None:
        """Closes every connection and ends the dashboards' process."""
        ending = [] if self.child is None else [self.child.stop()]
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            ending.append(asyncio.wait_for(self._task, None))
        await asyncio.gather(*ending)
        self._server = self._task = self.child = None


class Server(uvicorn.Server):
    """A server that leaves signals to the process it is part of. listening: set once it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def surface(services: "Services", conversation: Any) -> Surface:
    """Entry point `orchestrator.surfaces`."""
    return Surface(services, conversation)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError with the setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"The web app cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}.",
            hint="Set ORCHESTRATOR_GATEWAY__PORT to a free port, or to 0 for any.",
            host=host,
            port=port,
        ) from error


def known_hosts(services: "Services") -> frozenset[str]:
    """Names under which the gateway may be addressed."""
    gateway = services.settings.gateway
    public = urlsplit(gateway.public_url).hostname if gateway.public_url else None
    own = set() if gateway.host in ANYWHERE else {gateway.host.lower()}
    return frozenset({"127.0.0.1", "localhost", "::1", *own, *filter(None, [public])})


def is_secure(services: "Services") -> bool:
    """Whether browsers reach us by https, so that the cookie may insist on it."""
    return (services.settings.gateway.public_url or "").startswith("https:")


def cached() -> dict[str, str]:
    """Headers of a file that changes with a release only."""
    return {"cache-control": "private, max-age=3600"}
