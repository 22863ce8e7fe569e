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
    ],
)
def test_a_mistake_is_answered_in_a_sentence(words: list[str], code: int, sentence: str) -> None:
    done = orchestrator(*words)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
