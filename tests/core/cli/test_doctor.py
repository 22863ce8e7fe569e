"""`orchestrator doctor` and `orchestrator user` through the command line."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.cli import app

# These run their own event loops, so the tests are plain functions.


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY__PORT", "0")
    monkeypatch.setenv("ORCHESTRATOR_MARKET__SOURCE", "sandbox")
    return tmp_path


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout


def checks() -> tuple[int, dict[str, Any]]:
    code, text = call("doctor", "--json")
    return code, {check["name"]: check for check in json.loads(text)["checks"]}


def test_a_sound_installation_has_nothing_broken() -> None:
    code, found = checks()
    assert code == 0, found
    assert {"python", "packages", "data folder", "database", "outbox", "market", "charts"} <= found.keys()
    assert {check["state"] for check in found.values()} <= {"ok", "warn"}


def test_every_configured_venue_is_looked_at_and_one_that_is_silent_has_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("ORCHESTRATOR_EXCHANGES__KUCOIN__ENDPOINT_BASE", base)
    code, found = checks()
    assert code == 0
    assert found["venue kucoin"]["state"] == "warn"
    assert "kucoin" in found["venue kucoin"]["detail"]
    assert found["venue kucoin"]["cure"]


def test_a_port_in_use_is_broken_and_has_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("ORCHESTRATOR_GATEWAY__PORT", str(taken.getsockname()[1]))
        code, found = checks()
    assert code == 1
    assert found["web app"]["state"] == "broken"
    assert "ORCHESTRATOR_GATEWAY__PORT" in found["web app"]["cure"]


def test_a_database_that_is_none_is_broken(environment: Path) -> None:
    (environment / "data").mkdir()
    (environment / "data" / "orchestrator.db").write_text("this is not a database, it only has its name" * 50)
    code, found = checks()
    assert code == 1
    assert found["database"]["state"] == "broken"


def test_a_server_that_refuses_a_token_is_told_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TELEGRAM__TOKEN", "123456:very-secret-token")
    monkeypatch.setenv("ORCHESTRATOR_TELEGRAM__API_URL", "http://127.0.0.1:1")
    _, text = call("doctor")
    assert "not reachable" in text
    assert "very-secret-token" not in text


def test_a_wrong_setting_is_told_by_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY__PORT", "eighty")
    code, found = checks()
    assert code == 1
    assert "eighty" in found["settings"]["detail"]


def test_people_are_created_listed_and_given_roles() -> None:
    assert call("user", "create", "Ann", "--role", "trader")[0] == 0
    code, text = call("user", "role", "ann", "viewer", "--json")
    assert (code, json.loads(text)["role"]) == (0, "viewer")
    people = json.loads(call("user", "list", "--json")[1])
    assert [(person["name"], person["role"]) for person in people] == [("Owner", "owner"), ("Ann", "viewer")]
    assert call("user", "totp", "Ann")[1].startswith("otpauth://totp/CryptoOrchestrator:Ann?secret=")
