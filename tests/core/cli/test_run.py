"""`orchestrator run` as a user meets it: a process that prints, serves, stops on a signal and starts again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.cli.run import banner


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ORCHESTRATOR_DATA_DIR": str(tmp_path / "data"),
        "ORCHESTRATOR_GATEWAY__PORT": "0",
        "ORCHESTRATOR_MARKET__SOURCE": "sandbox",
    }


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Whatever a test starts ends with it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def orchestrator(*words: str) -> list[str]:
    return [sys.executable, "-c", "from core.cli import main; main()", *words]


def start(environment: dict[str, str], processes: list[subprocess.Popen[str]]) -> tuple[subprocess.Popen[str], Any]:
    """The process, and the document it prints when everything is up."""
    process = subprocess.Popen(
        orchestrator("run", "--json"), env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    processes.append(process)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(process.communicate()[1])
    return process, json.loads(line)


def test_run_serves_stops_on_a_signal_within_five_seconds_and_starts_again(
    environment: dict[str, str], processes: list[subprocess.Popen[str]]
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        process, facts = start(environment, processes)
        assert httpx.get(f"{facts['url']}/health/live", trust_env=False).status_code == 200
        assert facts["simulated"] is True
        assert len(facts["owner_code"]) == 14
        second = subprocess.run(
            orchestrator("run"), env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )
        assert second.returncode == 1
        assert f"already running at {facts['url']}" in second.stderr
        assert "Traceback" not in second.stderr
        began = time.monotonic()
        process.send_signal(number)
        _, logs = process.communicate(timeout=20)
        assert process.returncode == 0, logs
        assert time.monotonic() - began < 5
        assert facts["owner_code"] not in logs
        assert facts["login"].partition("token=")[2] not in logs


def test_a_killed_instance_does_not_keep_the_next_one_waiting(
    environment: dict[str, str], processes: list[subprocess.Popen[str]]
) -> None:
    process, _ = start(environment, processes)
    process.kill()
    process.communicate()
    again, facts = start(environment, processes)
    assert facts["pid"] == again.pid


def test_the_banner_says_what_to_do_next() -> None:
    facts = {
        "version": "1.0", "url": "http://h:1", "login": "http://h:1/login?token=t", "owner_code": "AAAA-BBBB-CCCC",
        "market": "sandbox", "simulated": True, "market_wanted": "auto", "telegram": False, "troubles": {},
        "data_dir": "/d", "roles": ["trader"], "pid": 1,
    }  # fmt: skip
    text = banner(facts)
    for part in ("http://h:1/login?token=t", "AAAA-BBBB-CCCC", "SIMULATED", "ORCHESTRATOR_TELEGRAM__TOKEN", "Ctrl-C"):
        assert part in text
    assert "live public prices of kraken" in banner({**facts, "market": "kraken", "simulated": False})
    assert "quit" in banner(facts, chatting=True)
    assert "  Web app     http://h:1" in text
    assert "  Owner code  AAAA" in text
