"""Voilà as a supervised child: started on a loopback port behind a random token, started again when it dies."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import httpx
import psutil
import structlog

from core.jobs import end_task

HERE = Path(__file__).resolve().parent.parent
BASE = "/dashboards/"
READY_WITHIN = 60.0  # seconds
STOP_WITHIN = 1.0  # seconds for an orderly end
BACK_OFF = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds before each new start after a death
TOKEN_HEADER = "X-Orchestrator-Token"
CALLBACK = "ORCHESTRATOR_API_URL"


class VoilaChild:
    """Keeps one Voilà process alive.

    callback: address of the gateway as the kernels reach it; home: folder for what Jupyter keeps; pool: how many
    kernels wait ready for a page
    """

    def __init__(self, callback: str, home: Path, *, notebooks: Path = HERE / "notebooks", pool: int = 1) -> None:
        self.token = secrets.token_urlsafe(32)
        self._callback = callback
        self._home = home
        self._notebooks = notebooks
        self._pool = pool
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._last: deque[str] = deque(maxlen=20)
        self._log = structlog.get_logger("voila")

    @property
    def address(self) -> str:
        """127.0.0.1:port of the present process."""
        return f"127.0.0.1:{self._port}"

    @property
    def ready(self) -> bool:
        """Whether pages can be served now."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """The process id, None between two processes."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Begins to keep a process alive; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="voila")

    async def wait_ready(self, timeout: float = READY_WITHIN) -> bool:
        """Waits until pages can be served; False when that took longer."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Ends the process and its kernels."""
        await end_task(self._task)
        self._task = None
        self._ready.clear()

    async def _supervise(self) -> None:
        deaths = 0
        while True:
            started = asyncio.get_running_loop().time()
            code = await self._run_once()
            if asyncio.get_running_loop().time() - started > 300:
                deaths = 0
            pause = BACK_OFF[min(deaths, len(BACK_OFF) - 1)]
            deaths += 1
            self._log.warning(
                "the dashboards' process ended; it is started again", code=code, pause=pause, lines=list(self._last)
            )
            await asyncio.sleep(pause)

    async def _run_once(self) -> int:
        self._port = free_port()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dashboards.gateway.child",
            *self._arguments(),
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C on the terminal is for the parent, which then stops us in order
        )
        output = asyncio.create_task(self._read(process))
        watcher = asyncio.create_task(self._watch())
        try:
            return await process.wait()
        finally:
            self._ready.clear()
            watcher.cancel()
            await end(process)
            await asyncio.gather(output, watcher, return_exceptions=True)

    async def _watch(self) -> None:
        """Sets `ready` as soon as the process answers."""
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"http://{self.address}{BASE}voila/static/voila.js", timeout=5)
                    if answer.status_code < 500:
                        self._ready.set()
                        return
                await asyncio.sleep(0.1)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Keeps the last lines of the process for the log entry of its death."""
        self._last.clear()
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._last.append(line.decode(errors="replace").rstrip().replace(self.token, "…"))
            self._log.debug("voila", line=self._last[-1])

    def _environment(self) -> dict[str, str]:
        """What the child and its kernels see: nothing of the product's own settings, keys and passwords."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        paths = [str(HERE / "template"), *filter(None, [kept.get("JUPYTER_PATH")])]
        python = [str(HERE.parent), *filter(None, [kept.get("PYTHONPATH")])]
        return kept | {
            "JUPYTER_PATH": os.pathsep.join(paths),
            "PYTHONPATH": os.pathsep.join(python),
            "JUPYTER_TOKEN": self.token,
            "JUPYTER_CONFIG_DIR": str(self._home / "config"),
            "JUPYTER_DATA_DIR": str(self._home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._home / "runtime"),
            "JUPYTER_NO_CONFIG": "1",  # a person's own Jupyter settings are not for our pages
            "IPYTHONDIR": str(self._home / "ipython"),
            CALLBACK: self._callback,
        }

    def _arguments(self) -> list[str]:
        kernels = "AsyncMappingKernelManager"
        return [
            str(self._notebooks),
            "--no-browser",
            "--Voila.ip=127.0.0.1",
            f"--port={self._port}",
            "--Voila.port_retries=0",
            f"--base_url={BASE}",
            "--template=orchestrator",
            "--VoilaConfiguration.allow_template_override=NO",
            "--VoilaConfiguration.allow_theme_override=NO",
            "--VoilaConfiguration.multi_kernel_manager_class=dashboards.gateway.kernels.PageKernels",
            f"--VoilaConfiguration.http_header_envs={TOKEN_HEADER}",
            f"--VoilaConfiguration.preheat_kernel={self._pool > 0}",
            f"--VoilaConfiguration.default_pool_size={self._pool}",
            "--VoilaConfiguration.extension_allowlist=@jupyter-widgets/jupyterlab-manager",
            "--VoilaConfiguration.extension_allowlist=@voila-dashboards/widgets-manager8",
            "--VoilaConfiguration.extension_allowlist=anywidget",
            "--VoilaConfiguration.http_keep_alive_timeout=600",
            f"--{kernels}.cull_idle_timeout=60",
            f"--{kernels}.cull_interval=15",
            "--KernelManager.shutdown_wait_time=0.3",  # one that waits in the pool cannot hear a polite request
            "--Voila.log_level=INFO",
        ]


async def end(process: asyncio.subprocess.Process) -> None:
    """Ends the process and its kernels: they at once, it in order within a second and then by force."""
    kernels = children(process.pid)
    kill(kernels)  # they hold nothing worth a goodbye, and the process waits for them one by one
    for order in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            break
        kernels = [*kernels, *children(process.pid)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, order)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), STOP_WITHIN)
    kill(kernels)  # one that was started while we ended the others


def children(pid: int) -> list[psutil.Process]:
    """Every process that a process has started, and what those have."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """Ends processes by force. One whose number has gone to another process meanwhile is left alone."""
    for one in processes:
        with contextlib.suppress(psutil.Error):
            one.kill()


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
