"""`orchestrator run` as a user meets it: a process that prints, serves, stops on a signal and starts again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.cli.run import banner

FACTS: dict[str, Any] = {
    "version": "1.0", "url": "http://h:1", "login": "http://h:1/login?token=t", "owner_code": "AAAA-BBBB-CCCC",
    "market": "sandbox", "simulated": True, "market_wanted": "auto", "telegram": False, "troubles": {}, "waiting": {},
    "data_dir": "/d", "roles": ["trader"], "pid": 1,
}  # fmt: skip


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


def test_run_serves_stops_on_a_signal_and_starts_again(
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
        process.send_signal(number)
        _, logs = process.communicate(timeout=120)
        assert process.returncode == 0, logs
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
    facts = FACTS
    text = banner(facts)
    for part in ("http://h:1/login?token=t", "AAAA-BBBB-CCCC", "SIMULATED", "ORCHESTRATOR_TELEGRAM__TOKEN", "Ctrl-C"):
        assert part in text
    assert "live public prices of kraken" in banner({**facts, "market": "kraken", "simulated": False})
    assert "quit" in banner(facts, chatting=True)
    assert "  Web app     http://h:1" in text
    assert "  Owner code  AAAA" in text
    assert "  Telegram    off; set ORCHESTRATOR_TELEGRAM__TOKEN" in text


def test_the_banner_has_a_row_for_each_trouble() -> None:
    text = banner({**FACTS, "troubles": {"discord": "This version has no such surface."}, "telegram": True})
    assert "  Discord     not up: This version has no such surface." in text
    assert "  Telegram    on" in text
    away = banner({**FACTS, "waiting": {"telegram": "not reachable yet; it is tried again by itself"}})
    assert "  Telegram    not reachable yet; it is tried again by itself" in away


def test_what_changes_nothing_and_what_cannot_be_reached_is_told_at_the_start(
    environment: dict[str, str], processes: list[subprocess.Popen[str]]
) -> None:
    given = {
        "DISCORD__TOKEN": "discord-secret", "SMTP__HOST": "mail.secret", "TELEGRAM__TOKEN": "123456:telegram-secret",
        "TELEGRAM__API_URL": "http://127.0.0.1:1",
    }  # fmt: skip
    process, facts = start(environment | {f"ORCHESTRATOR_{name}": value for name, value in given.items()}, processes)
    assert facts["telegram"] is False
    assert facts["waiting"] == {"telegram": "not reachable yet; it is tried again by itself"}
    assert list(facts["troubles"]) == ["discord"]
    assert "discord" not in facts["roles"]
    assert "telegram" in facts["roles"]
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    for name in ("DISCORD__TOKEN", "SMTP__HOST"):
        assert f"ORCHESTRATOR_{name} is set and has no effect in this version" in told
    assert told.count("Telegram cannot be reached") == 1
    assert "secret" not in told
