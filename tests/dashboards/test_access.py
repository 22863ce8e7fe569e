"""Nobody comes in without a session, from elsewhere, or under a strange name."""

from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import Mount, Route

from dashboards.gateway.access import COOKIE, OPEN, OPEN_FOLDERS, KernelPasses
from dashboards.gateway.app import create_app
from dashboards.gateway.voila import VoilaChild
from tests.dashboards.conftest import LOCAL_TOKEN


def every(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, with those of included routers."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from every(inner.routes) if inner is not None else [route]


async def test_every_route_is_open_by_name_or_closed_to_strangers(services: Any, conversation: Any) -> None:
    app = create_app(services, conversation, child=VoilaChild("http://127.0.0.1:1", services.settings.data_dir))
    transport = httpx.ASGITransport(app=app)
    seen = []
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for route in every(app.routes):
            if isinstance(route, Mount):
                assert f"{route.path}/" in OPEN_FOLDERS
                continue
            if isinstance(route, APIWebSocketRoute):
                continue  # tests of sockets below
            assert isinstance(route, APIRoute | Route), route
            if route.path in OPEN or route.path.startswith(OPEN_FOLDERS):
                continue
            for method in route.methods or ["GET"]:
                answer = await client.request(method, route.path.replace("{path:path}", "voila/render/market.ipynb"))
                assert answer.status_code == 401, (method, route.path)
                seen.append(route.path)
    assert {"/", "/logout", "/metrics", "/api/v1/bars", "/api/v1/backtests", "/dashboards/{path:path}"} <= set(seen)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/instruments", "/api/v1/bars?instrument=btc", "/api/v1/quote?instrument=btc", "/api/v1/strategies",
        "/api/v1/session", "/api/v1/openapi.json", "/metrics", "/dashboards/", "/nothing/here",
    ],
)  # fmt: skip
async def test_a_stranger_is_told_to_sign_in(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_browser_without_a_session_reads_how_to_come_in(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "orchestrator user login" in answer.text


async def test_a_login_link_works_once(stranger: httpx.AsyncClient, services: Any) -> None:
    token = await services.users.login_link()
    first = await stranger.get("/login", params={"token": token})
    assert first.status_code == 303
    assert first.headers["location"] == "/"
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert (await stranger.get("/")).status_code == 200
    stranger.cookies.clear()
    again = await stranger.get("/login", params={"token": token})
    assert again.status_code == 403
    assert "used or has expired" in again.text
    assert "set-cookie" not in again.headers


async def test_signing_out_ends_the_session(owner: httpx.AsyncClient, session: str, services: Any) -> None:
    answer = await owner.post("/logout", headers={"origin": "http://127.0.0.1:8080"})
    assert answer.status_code == 200
    assert await services.users.session(session) is None


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://127.0.0.1:9999", "null"])
async def test_another_site_changes_nothing_with_our_cookie(owner: httpx.AsyncClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    body = {"strategy": "sma_cross", "instrument": "btc"}
    assert (await owner.post("/api/v1/backtests", json=body, headers=headers)).status_code == 403
    assert (await owner.post("/logout", headers=headers)).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
async def test_a_strange_name_of_this_machine_is_refused(owner: httpx.AsyncClient, host: str) -> None:
    assert (await owner.get("/health/live", headers={"host": host})).status_code == 421


async def test_health_tells_strangers_no_more_than_whether_it_works(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/health/live")).json() == {"status": "ok"}
    ready = await stranger.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "dashboards": None, "store": True}


async def test_every_answer_carries_a_strict_policy(owner: httpx.AsyncClient) -> None:
    for path in ("/", "/login", "/api/v1/session", "/static/app.js", "/nothing"):
        headers = (await owner.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_a_large_body_is_refused(owner: httpx.AsyncClient) -> None:
    origin = {"origin": "http://127.0.0.1:8080"}
    answer = await owner.post("/api/v1/backtests", content=b" " * 1_000_001, headers=origin)
    assert answer.status_code == 413


async def test_the_machines_own_token_stands_for_the_owner(stranger: httpx.AsyncClient, services: Any) -> None:
    answer = await stranger.get("/api/v1/session", headers={"authorization": f"Bearer {LOCAL_TOKEN}"})
    assert answer.json()["id"] == (await services.users.owner()).id
    assert (await stranger.get("/api/v1/session", headers={"authorization": "Bearer wrong"})).status_code == 401


async def test_the_machines_own_token_does_not_work_from_elsewhere(services: Any, conversation: Any) -> None:
    app = create_app(services, conversation)
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/v1/session", headers={"authorization": f"Bearer {LOCAL_TOKEN}"})
    assert answer.status_code == 401


async def test_a_dashboards_pass_ends_with_its_session(services: Any, conversation: Any, session: str) -> None:
    passes = KernelPasses(services.clock)
    app = create_app(services, conversation, passes=passes)
    transport = httpx.ASGITransport(app=app)
    token = passes.issue(await services.users.owner(), session)
    asking = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/api/v1/session", headers=asking)).status_code == 200
        await services.users.close_session(session)
        assert (await client.get("/api/v1/session", headers=asking)).status_code == 401


async def test_a_cookie_that_is_not_ours_is_no_session(stranger: httpx.AsyncClient) -> None:
    stranger.cookies.set(COOKIE, "guess")
    assert (await stranger.get("/api/v1/session")).status_code == 401


async def test_letters_that_no_token_has_are_a_401(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/api/v1/quote?instrument=btc", headers={"authorization": "Bearer é".encode()})
    assert answer.status_code == 401
