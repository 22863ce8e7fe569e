"""The API's own page: Swagger UI from an installed package, under our address and content policy."""

import importlib.util
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from core.errors import ConfigError, NotFound
from dashboards.gateway.pages import api_page
from dashboards.gateway.problems import page

FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
DESCRIPTION = """\
Everything the pages use. Errors are problem documents (RFC 9457) whose `detail` is one sentence.

Two web sockets stand beside these routes: `/api/v1/chat` talks (`{"line": "price btc"}`), and `/api/v1/live` tells what
happens (`{"subscribe": ["quotes:BTC/USDT", "bars:BTC/USDT:1m", "notices", "orders"]}`).

A browser is known by its session cookie, a program on the same machine by the token in `instance.json`
(`Authorization: Bearer …`).
"""


def routes() -> APIRouter:
    """The page and its files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/api/docs")
    async def docs() -> Response:
        return page(api_page())

    @router.get("/api/docs/{name}")
    async def file(name: str) -> Response:
        if name not in FILES:
            raise NotFound(f"There is no '{name[:40]}' here.")
        return FileResponse(
            swagger_ui() / name, media_type=FILES[name], headers={"cache-control": "private, max-age=3600"}
        )

    return router


def swagger_ui() -> Path:
    """The folder of Swagger UI's files. Raises ConfigError when its package is missing."""
    found = importlib.util.find_spec("fastapi_offline")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        if (Path(folder) / "static" / "swagger-ui-bundle.js").is_file():
            return Path(folder) / "static"
    raise ConfigError("The API's page is missing its files.", hint="`make install` brings fastapi-offline.")
