"""What every test may rely on: recorded data, a browser, a clean environment, and no way out to the network."""

import decimal
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
KEPT = {
    "ORCHESTRATOR_TEST_DATA", "ORCHESTRATOR_REQUIRE_BROWSER", "ORCHESTRATOR_CHROMIUM", "ORCHESTRATOR_SCREENSHOTS",
}  # fmt: skip
NO_DATA = "recorded market data is not present"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# A shared machine may take any time for one example; what hangs is caught by the timeout of the test.
hypothesis.settings.register_profile("product", deadline=None)
hypothesis.settings.load_profile("product")


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_") and name not in KEPT]:
        del os.environ[name]  # a developer's own token or database is not for tests
    os.environ.setdefault("MPLBACKEND", "Agg")
    folder = tempfile.TemporaryDirectory(prefix="orchestrator-tests-")
    os.environ["XDG_DATA_HOME"] = folder.name  # what verbs keep without a data folder is not for the developer's own
    config.add_cleanup(folder.cleanup)
    named = os.environ.get("ORCHESTRATOR_TEST_DATA")
    if named and not Path(named).is_dir():
        raise pytest.UsageError(f"ORCHESTRATOR_TEST_DATA is {named!r}, which is not a folder.")


def pytest_runtest_setup() -> None:
    decimal.setcontext(decimal.DefaultContext.copy())  # a bare ccxt client changes how its thread rounds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    data, browser = recorded_data(), find_browser()
    for item in items:
        if item.get_closest_marker("realdata") and data is None:
            item.add_marker(pytest.mark.skip(reason=NO_DATA))
        if item.get_closest_marker("browser") and browser is None and not browser_is_required():
            item.add_marker(pytest.mark.skip(reason="no Chromium is installed"))


def recorded_data() -> Path | None:
    folder = Path(os.environ.get("ORCHESTRATOR_TEST_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def find_browser() -> str | None:
    return os.environ.get("ORCHESTRATOR_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def browser_is_required() -> bool:
    return os.environ.get("ORCHESTRATOR_REQUIRE_BROWSER") == "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded bars, payloads and texts; a test that asks for it carries the marker `realdata`."""
    folder = recorded_data()
    if folder is None:
        pytest.skip(NO_DATA)
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for Playwright's `executable_path`; a test that asks for it carries the marker `browser`."""
    path = find_browser()
    if path is None and browser_is_required():
        pytest.fail("ORCHESTRATOR_REQUIRE_BROWSER=1, but no Chromium is installed.")
    if path is None:
        pytest.skip("no Chromium is installed")
    return path


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Any:
    """Refuse every connection of this process that would leave the machine, as an unplugged network would."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)), raising=False)
        patch.setattr(socket, "getaddrinfo", looking_up(socket.getaddrinfo))
        yield


def is_local(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    return not isinstance(text, str) or text in {"", "localhost", "::1", "0.0.0.0", "::"} or text.startswith("127.")


def guarded(connect: Any) -> Any:
    def checked(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and not is_local(address[0]):
            raise ConnectionRefusedError(f"tests reach this machine only, not {address[0]}")
        return connect(self, address)

    return checked


def looking_up(getaddrinfo: Any) -> Any:
    def checked(host: Any, *arguments: Any, **options: Any) -> Any:
        if not is_local(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests reach this machine only, not {host}")
        return getaddrinfo(host, *arguments, **options)

    return checked
