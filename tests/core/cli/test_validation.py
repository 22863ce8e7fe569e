"""The verbs causality and monte-carlo, as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.simulation.market import walk

PROGRAM = Path(sys.executable).parent / "orchestrator"
PEEKER = """
import numpy as np

from core.trading.strategy import Parameter, Signals, strategy


@strategy
class Tomorrow:
    '''Buys before a rise.'''

    period = Parameter(5, 1, 50)

    def signals(self, bars, context):
        return Signals(np.where(np.append(bars.close[1:], np.nan) > bars.close, 1.0, 0.0))
"""


def orchestrator(*words: str, data_dir: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160"} | ({"ORCHESTRATOR_DATA_DIR": str(data_dir)} if data_dir else {})
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validation")
    walk(900, 4, timeframe="1h").write(folder / "COINUSDT.parquet")
    (folder / "peeker.py").write_text(PEEKER)
    return folder


def test_a_causal_strategy_passes_with_a_sentence(folder: Path) -> None:
    done = orchestrator("causality", "sma_cross", "--data", str(folder / "COINUSDT.parquet"), "--param", "slow=30")
    assert done.returncode == 0, done.stderr
    assert "sma_cross sees no future: 60 cuts through 900 bars" in done.stdout
    assert "its warm-up is 31" in done.stdout


def test_a_strategy_of_ones_own_that_peeks_fails_with_one_sentence(folder: Path) -> None:
    done = orchestrator("causality", str(folder / "peeker.py"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("tomorrow sees the future: its exposure of BTC/USDT at 20")
    assert done.stderr.count("\n") == 1


def test_the_verdict_is_one_json_document(folder: Path) -> None:
    done = orchestrator("causality", str(folder / "peeker.py"), "--json", "--cuts", "9", "--timeframe", "4h")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["causal"] is False
    assert document["peek"]["column"] == "exposure"
    assert document["peek"]["ahead"] == 1
    assert document["cuts"] == 9


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["causality", "sma_cros"], 1, "Did you mean sma_cross"),
        (["causality", "sma_cross", "--cuts", "0"], 1, "0 cuts are not between"),
        (["causality", "sma_cross", "--timeframe", "7x"], 1, "7x"),
        (["causality", "sma_cross", "--data", "nowhere.parquet"], 1, "nowhere.parquet"),
        (["causality"], 2, "Missing argument"),
        (["monte-carlo", "sma_cross", "--data", "{file}", "--kind", "luck"], 1, "'luck' is not a kind of simulation"),
        (["monte-carlo", "sma_cross", "--data", "{file}", "--late", "7"], 1, "late 7 is not a share"),
        (
            ["monte-carlo", "sma_cross", "--data", "{file}", "--kind", "blocks", "--noise", "0.5"],
            1,
            "noise is a setting of the kind prices; the kind blocks takes block.",
        ),
        (["monte-carlo", "sma_cross"], 2, "Missing option"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(folder: Path, words: list[str], code: int, sentence: str) -> None:
    done = orchestrator(*(word.format(file=folder / "COINUSDT.parquet") for word in words), data_dir=folder)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_histories_are_told_kept_and_drawn(folder: Path, tmp_path: Path) -> None:
    file, page = str(folder / "COINUSDT.parquet"), tmp_path / "bands.html"
    words = ("monte-carlo", "rsi_reversion", "--data", file, "--kind", "blocks", "--runs", "50")
    done = orchestrator(*words, "--report", str(page), data_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Of 50 histories" in done.stdout.replace("\n", " ")
    assert "Kept as result 1." in done.stderr
    assert page.read_text().startswith("<!doctype html>")
    again = orchestrator(*words, "--no-save", "--json", data_dir=tmp_path)
    document = json.loads(again.stdout)
    assert document["runs"] == 50
    assert document["method"] == "blocks"
    assert 0.0 <= document["stats"]["probability_of_ruin"] <= 1.0
    assert len(list((tmp_path / "results").glob("*.arrow"))) == 1
