"""The real Voilà process behind the gateway: what passes, what does not, and that it comes back and goes away."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dashboards.gateway.access import COOKIE
from dashboards.gateway.app import Surface
from dashboards.gateway.voila import children
from tests.dashboards.conftest import LOCAL_TOKEN

pytestmark = pytest.mark.slow
PAGE = "/dashboards/voila/render/market.ipynb"


@pytest.fixture
async def visitor(gateway: Surface, session: str) -> Any:
    assert gateway.child is not None
    assert await gateway.child.wait_ready(60)
    async with httpx.AsyncClient(
        base_url=gateway.url, cookies={COOKIE: session}, timeout=60, trust_env=False
    ) as client:
        yield client


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def until(condition: Any, seconds: float = 30) -> bool:
    def watch() -> bool:
        deadline = time.monotonic() + seconds
        while not (met := bool(condition())) and time.monotonic() < deadline:
            time.sleep(0.05)
        return met

    return await asyncio.to_thread(watch)


async def test_the_page_comes_with_nothing_secret_in_it(visitor: httpx.AsyncClient, gateway: Surface) -> None:
    answer = await visitor.get(PAGE)
    assert answer.status_code == 200
    assert "jupyter-config-data" in answer.text
    assert gateway.child is not None
    assert gateway.child.token not in answer.text
    assert "cdn.jsdelivr" not in answer.text
    assert "set-cookie" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    kernel = json.loads(
        answer.text.partition('id="jupyter-config-data"')[2].partition(">")[2].partition("</script>")[0]
    )
    await sockets_obey(gateway, kernel["kernelId"], visitor)


async def sockets_obey(gateway: Surface, kernel: str, visitor: httpx.AsyncClient) -> None:
    """The kernel's socket opens for our page only, and runs no code that a browser sends."""
    url = f"{gateway.url.replace('http', 'ws')}/dashboards/api/kernels/{kernel}/channels?session_id=s1"
    headers = {"cookie": f"{COOKIE}={visitor.cookies[COOKIE]}"}
    with pytest.raises(InvalidStatus):
        async with connect(url, origin=gateway.url):  # type: ignore[arg-type]
            pass
    with pytest.raises(InvalidStatus):
        async with connect(url, additional_headers=headers, origin="http://evil.example"):  # type: ignore[arg-type]
            pass
    async with connect(url, additional_headers=headers, origin=gateway.url, max_size=None) as socket:  # type: ignore[arg-type]

        def message(kind: str, content: dict[str, Any]) -> str:
            header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s1", "username": "", "version": "5.3"}
            return json.dumps(
                {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
            )

        await socket.send(message("execute_request", {"code": "print('ran')", "silent": False}))
        await socket.send(message("kernel_info_request", {}))
        kinds = []
        async with asyncio.timeout(20):
            while "kernel_info_reply" not in kinds:
                received = json.loads(await socket.recv())
                kinds.append(received["header"]["msg_type"])
        assert "execute_reply" not in kinds


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/dashboards/api/kernels", 404),
        ("GET", "/dashboards/voila/api/contents", 404),
        ("GET", "/dashboards/voila/files/market.ipynb", 404),
        ("GET", "/dashboards/voila/static/..%2f..%2f..%2fetc%2fpasswd", 404),
        ("POST", "/dashboards/api/kernels", 404),
        ("PUT", "/dashboards/voila/static/voila.js", 405),
    ],
)
async def test_only_what_a_page_needs_passes(visitor: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await visitor.request(method, path, headers={"origin": str(visitor.base_url).rstrip("/")})
    assert answer.status_code == status


async def test_a_client_cannot_bring_its_own_credentials(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/dashboards/voila/static/voila.js", headers={"authorization": "token guess"})
    assert answer.status_code == 200


async def test_it_is_started_again_when_it_dies(visitor: httpx.AsyncClient, gateway: Surface) -> None:
    child = gateway.child
    assert child is not None
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert await until(lambda: child.pid not in (None, first))
    assert await child.wait_ready(60)
    assert (await visitor.get("/dashboards/voila/static/voila.js")).status_code == 200


async def test_it_ends_when_the_gateway_stops(visitor: httpx.AsyncClient, gateway: Surface) -> None:
    assert gateway.child is not None
    pid = gateway.child.pid
    assert pid is not None
    assert await until(lambda: bool(children(pid)), 30)  # a kernel waits in the pool
    kernels = [kernel.pid for kernel in children(pid)]
    started = time.monotonic()
    await gateway.stop()
    assert time.monotonic() - started < 3  # of the four seconds that the whole product has
    assert not any(alive(one) for one in (pid, *kernels))


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom dashboards.gateway.voila import VoilaChild\n"
        "async def main():\n"
        f"    child = VoilaChild('http://127.0.0.1:1', Path({str(tmp_path)!r}), pool=0)\n"
        "    await child.start()\n    assert await child.wait_ready()\n    print(child.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script]
    parent = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        lines = iter(parent.stdout.readline, "")
        pid = next(
            int(line) for line in await asyncio.to_thread(lambda: [next(x for x in lines if x.strip().isdigit())])
        )
        assert alive(pid)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    assert await until(lambda: not alive(pid), 20)


async def test_a_taken_port_is_one_sentence(services: Any, conversation: Any, gateway: Surface) -> None:
    from core.errors import ConfigError
    from core.settings import Gateway

    port = int(gateway.url.rpartition(":")[2])
    services.settings = services.settings.model_copy(update={"gateway": Gateway(port=port)})
    with pytest.raises(ConfigError) as refused:
        await Surface(services, conversation).start()
    assert str(port) in refused.value.sentence()
    assert "ORCHESTRATOR_GATEWAY__PORT" in refused.value.sentence()


async def test_programs_on_the_machine_are_told_the_local_address(services: Any, conversation: Any) -> None:
    from core.settings import Gateway

    given = Gateway(port=0, public_url="https://trade.example/")
    services.settings = services.settings.model_copy(update={"gateway": given})
    surface = Surface(services, conversation)
    await surface.start()
    try:
        assert surface.url == "https://trade.example"
        assert surface.local_url.startswith("http://127.0.0.1:")
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"authorization": f"Bearer {LOCAL_TOKEN}"}
            answer = await client.get(f"{surface.local_url}/api/v1/session", headers=headers)
        assert answer.json()["id"] == "owner"
    finally:
        await surface.stop()
