"""The verbs sweep, optimize and walk-forward, as a user types them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from core.cli import app, main
from tests.core.simulation.market import walk

GRID = ("--grid", "fast=2,5,9", "--grid", "slow=8:40:16")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(walk(900, 4).write(tmp_path_factory.mktemp("bars") / "COINUSDT.parquet"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def orchestrator(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the program, run in this process."""
    monkeypatch.setattr(sys, "argv", ["orchestrator", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_sweep_in_json_is_one_document(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert orchestrator(monkeypatch, "sweep", "sma_cross", "--data", file, *GRID, "--top", "2", "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["trials"] == 8
    assert document["skipped"] == 1
    assert len(document["top"]) == 2
    assert document["best"]["parameters"].keys() == {"fast", "slow"}
    assert document["overfitting"]["trials"] == 8
    assert document["number"] == 1
    assert "Kept as result 1." in printed.err


def test_people_get_tables_of_eighty_columns_and_the_doubt_in_a_sentence(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("sweep", "sma_cross", "--data", file, *GRID, "--metric", "max_drawdown"),
        ("sweep", "sma_cross", "--data", file, "--param", "slow=40", "--no-save"),
        ("optimize", "sma_cross", "--data", file, "--range", "fast=2:9", "--param", "slow=20", "--trials", "6"),
        ("walk-forward", "sma_cross", "--data", file, *GRID, "--train", "300", "--test", "5h"),
    ):
        assert orchestrator(monkeypatch, *words) == 0
        printed = capsys.readouterr().out
        assert "luck" in printed or "worth choosing" in printed or "Too little" in printed
        assert "…" not in printed
        assert all(len(line) <= 80 for line in printed.splitlines() if line.startswith(("│", "┃", "┏")))


def test_what_was_found_is_shown_again_as_it_was_told(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = (
        (("sweep", "sma_cross", *GRID), "Searched: fast 2, 5, 9; slow 8, 24, 40"),
        (("optimize", "sma_cross", "--range", "fast=2:9", "--trials", "6"), "held out: the last 30%"),
        (("walk-forward", "sma_cross", *GRID, "--train", "300", "--test", "50"), "… and 2 windows more"),
        (("monte-carlo", "sma_cross", "--kind", "blocks", "--runs", "30"), "Kind blocks, 30 runs, seed 0"),
    )
    for number, (words, more) in enumerate(runs, 1):
        assert orchestrator(monkeypatch, *words, "--data", file) == 0
        first = capsys.readouterr().out.splitlines()
        assert orchestrator(monkeypatch, "results", "show", str(number)) == 0
        again = capsys.readouterr().out
        assert more in again
        table = [line for line in first if line.startswith(("┃", "│"))]
        assert [line for line in table[:8] if line not in again] == []
        assert first[-1] in again


def test_a_study_is_resumed_by_its_name(
    file: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("optimize", "sma_cross", "--data", file, "--study", "night", "--metric", "sharpe", "--json")
    assert orchestrator(monkeypatch, *words, "--trials", "8") == 0
    assert orchestrator(monkeypatch, *words, "--trials", "8") == 1
    assert orchestrator(monkeypatch, *words, "--trials", "12", "--resume") == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each.get("trials") for each in documents] == [8, None, 12]
    assert "There is a study 'night' already" in documents[1]["error"]["message"]
    assert (folder / "optuna.db").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("sweep", "sma_cros"), 1, "Did you mean sma_cross"),
        (("sweep", "sma_cross", "--grid", "quick=1,2"), 1, "no parameter 'quick'"),
        (("sweep", "sma_cross", "--grid", "fast"), 1, "'fast' is not name=values"),
        (("sweep", "sma_cross", "--grid", "fast=9,10", "--param", "slow=5"), 1, "accepts none of the 2 combinations"),
        (("sweep", "sma_cross", "--grid", "fast=2", "--param", "fast=5"), 1, "fast cannot stay as it is"),
        (("sweep", "sma_cross", "--grid", "fast=1:2000", "--grid", "slow=2:5001"), 1, "10,000,000 combinations"),
        (("sweep", "sma_cross", "--metric", "luck"), 1, "no metric 'luck'. There are: total_return"),
        (("sweep", "sma_cross", "--grid", "slow=2000,3000"), 1, "there are 900"),
        (("sweep", "buy_and_hold"), 1, "no parameters to search"),
        (("sweep", "sma_cross", "--workers", "0"), 1, "0 workers is outside"),
        (("sweep", "sma_cross", "--nonsense"), 2, "No such option"),
        (("optimize", "sma_cross", "--sampler", "magic"), 1, "There is no sampler 'magic'"),
        (("optimize", "sma_cross", "--study", "x", "--resume"), 1, "There is no study 'x' to resume"),
        (("walk-forward", "sma_cross", "--train", "soon"), 1, "'soon' is no length"),
        (("walk-forward", "sma_cross"), 1, "900 bars are too few for two windows"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(
    file: str, words: tuple[str, ...], code: int, sentence: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert orchestrator(monkeypatch, *words, "--data", file) == code
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.out == ""


@contextmanager
def pressed(after: float, title: str) -> Iterator[Callable[[float], None]]:
    """The bar of a verb during which Ctrl-C is pressed once more than that fraction is done."""

    def told(fraction: float) -> None:
        if fraction > after:
            os.kill(os.getpid(), signal.SIGINT)

    yield told


def test_ctrl_c_keeps_prints_and_marks_what_was_done(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for after, words in (  # a sweep is told of early, as the rest of it may be done while this thread waits its turn
        (0.0, ("sweep", "--grid", "fast=2:30", "--grid", "slow=40:70")),
        (0.5, ("optimize", "--trials", "30", "--study", "long")),
        (0.5, ("walk-forward", *GRID, "--train", "300", "--test", "100")),
    ):
        monkeypatch.setattr("core.cli.search.bar", partial(pressed, after))
        assert orchestrator(monkeypatch, words[0], "sma_cross", "--data", file, *words[1:], "--json") == 130
        printed = capsys.readouterr()
        document = json.loads(printed.out)
        assert document["partial"] is True
        assert document["trials"] > 0
        assert "Stopped before the end" in printed.err
        assert "Kept as result" in printed.err
        assert "Traceback" not in printed.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_verbs_are_listed_without_loading_what_they_need() -> None:
    assert app is not None
    code = "import sys; from core.cli import VERBS; print('numba' in sys.modules, 'sweep' in VERBS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
