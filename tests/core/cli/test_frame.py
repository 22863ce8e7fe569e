"""The outermost frame: exit codes, one JSON document, and never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def orchestrator(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from core.cli import main; main()"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "ORCHESTRATOR_DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-c", program, *words], cwd=Path(__file__).parents[3], env=environment, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, ""),
        (("--help",), 0, ""),
        (("bogus",), 2, "No such command 'bogus'"),
        (("strategies", "--bad"), 2, "No such option: --bad"),
        (("backtest",), 2, "Missing argument"),
        (("backtest", "nonsense", "--data", "sandbox:BTC/USDT:1h"), 1, "There is no strategy 'nonsense'"),
        (("data", "show", "nowhere:BTC/USDT:1h"), 1, "nowhere"),
    ],
)
def test_a_verb_ends_with_its_code_and_a_sentence(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    ended = orchestrator(tmp_path, *words)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("words", [("strategies", "--bad"), ("backtest",), ("backtest", "nonsense", "--data", "x.csv")])
def test_with_json_an_error_is_one_document_too(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = orchestrator(tmp_path, *words, "--json")
    assert set(json.loads(ended.stdout)["error"]) == {"code", "message"}
