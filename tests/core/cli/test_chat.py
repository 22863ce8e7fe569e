"""`orchestrator chat`, `understand` and `commands` as a person or a script runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = [sys.executable, "-c", "from core.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[3]


def orchestrator(*arguments: str, lines: str = "", data_dir: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ORCHESTRATOR_MARKET__SOURCE": "sandbox", "ORCHESTRATOR_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [*PROGRAM, *arguments], input=lines, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120
    )  # fmt: skip


def test_understand_prints_the_document() -> None:
    done = orchestrator("understand", "buy 0.1 btc at 60k", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "command": "buy",
        "arguments": {"instrument": "BTC/USDT", "quantity": "0.1", "limit": "60000"},
        "question": None,
    }


def test_understand_answers_each_line_with_a_line() -> None:
    done = orchestrator("understand", "-", lines="price btc\nbuy btc 100\n\nhow am i doing\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["command"] for each in answers] == ["price", None, None, "profit"]
    assert answers[1]["question"]


def test_a_pipe_trades_without_a_terminal_and_ends_well(tmp_path: Path) -> None:
    lines = "price btc\nbuy 0.01 btc\nyes\nbalance\nquit\n"
    done = orchestrator("chat", lines=lines, data_dir=tmp_path / "a folder")
    assert done.returncode == 0, done.stderr
    assert "Bought 0.01 BTC" in done.stdout
    assert "PAPER" in done.stdout
    assert "SIMULATED" in done.stdout
    again = orchestrator("chat", "--json", lines="positions\n", data_dir=tmp_path / "a folder")
    assert json.loads(again.stdout)[0]["reply"][0]["rows"][0][:2] == ["BTC/USDT", "0.01"]


def test_commands_are_listed_for_people_and_for_programs() -> None:
    assert "Buys a coin" in orchestrator("commands").stdout
    assert "buy" in [each["name"] for each in json.loads(orchestrator("commands", "--json").stdout)]
