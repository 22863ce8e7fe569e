"""What backtest, the searches and monte-carlo have in common on the command line: sizes, funding, reports, stopping."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cli import main, note
from core.market.bars import Bars
from core.research.archive import Archive
from tests.core.simulation.market import walk

GRID = ("--grid", "fast=2,5", "--grid", "slow=12")
VERBS = (
    ("backtest", "--param", "fast=2", "--param", "slow=12"),
    ("sweep", *GRID),
    ("optimize", "--range", "fast=2:5", "--param", "slow=12", "--trials", "4"),
    ("walk-forward", *GRID, "--train", "300", "--test", "200"),
    ("monte-carlo", "--kind", "costs", "--runs", "5", "--param", "fast=2", "--param", "slow=12"),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(walk(900, 4, timeframe="1h").write(tmp_path_factory.mktemp("bars") / "COINUSDT.parquet"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def orchestrator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs the program in this process: its exit code, what it printed, what it said on stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["orchestrator", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def funding_of(bars: Bars, folder: Path, name: str = "funding.csv", shift: int = 0) -> str:
    path = folder / name
    times = bars.timestamp[::8] + shift
    path.write_text("time,rate\n" + "".join(f"{time},0.0005\n" for time in times.tolist()))
    return str(path)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_every_verb_takes_sizes_leverage_and_funding_and_keeps_them(
    verb: tuple[str, ...], file: str, folder: Path, orchestrator: Callable[..., Any]
) -> None:
    rates = funding_of(Bars.read(file), folder)
    under = ("--perpetual", "--leverage", "2", "--funding", rates, "--sizing", "fraction=0.5", "--report")
    code, out, err = orchestrator(
        verb[0], "sma_cross", "--data", file, *verb[1:], *under, str(folder / "report.html"), "--json"
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["number"] == 1
    assert document["costs"]["leverage"] == 2
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    kept = Archive(folder / "results").open(1).document
    assert kept["sizing"] == "fraction=0.5"
    assert kept["funding_files"] == [rates]
    assert kept["data"][0]["kind"] == "perpetual"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_no_verb_works_for_a_report_that_has_no_place(
    verb: tuple[str, ...], file: str, folder: Path, orchestrator: Callable[..., Any]
) -> None:
    for place, sentence in ((folder / "none" / "x.html", "there is no folder"), (folder, "it is a folder")):
        code, out, err = orchestrator(verb[0], "sma_cross", "--data", file, *verb[1:], "--report", str(place))
        assert (code, out) == (1, "")
        assert sentence in err
    assert not (folder / "results").exists()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_ctrl_c_before_there_is_a_result_is_told_in_a_sentence(
    verb: tuple[str, ...], file: str, folder: Path, orchestrator: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def pressed(title: str) -> Iterator[Callable[[float], None]]:
        os.kill(os.getpid(), signal.SIGINT)
        yield lambda fraction: None

    for module in ("research", "search", "validation"):
        monkeypatch.setattr(f"core.cli.{module}.bar", pressed)
    code, out, err = orchestrator(verb[0], "sma_cross", "--data", file, *verb[1:], "--json")
    assert code == 130
    assert json.loads(out)["error"]["code"] == "stopped"
    assert err.strip() == "Stopped before there was a result, so nothing was kept."
    assert not (folder / "results").exists()


def test_a_report_of_what_is_not_kept_bears_no_number(
    file: str, folder: Path, orchestrator: Callable[..., Any]
) -> None:
    report = folder / "report.html"
    code, _, err = orchestrator("sweep", "sma_cross", "--data", file, *GRID, "--no-save", "--report", str(report))
    assert code == 0, err
    assert "Trials" in report.read_text()
    assert "Result 0" not in report.read_text()
    assert "Result" not in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--leverage", "3"), "COIN/USDT is traded spot, without leverage and funding. Add --perpetual"),
        (("--sizing", "luck=3"), "'luck' is not a way to size positions"),
        (("--latency", "-1"), "latency"),
        (("--slippage-model", "kind"), "Slippage model"),
        (("--to", "never"), "'never' is not a date"),
        (("--from", "2022-02-01", "--to", "2022-01-01"), "--from 2022-02-01 is not before --to 2022-01-01"),
        (("--param", "slow=12", "--param", "slow=13"), "--param gives slow twice"),
    ],
)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_terms_that_cannot_be_are_refused_alike(
    verb: tuple[str, ...], words: tuple[str, ...], sentence: str, file: str, orchestrator: Callable[..., Any]
) -> None:
    code, out, err = orchestrator(verb[0], "sma_cross", "--data", file, *verb[1:], *words)
    assert (code, out) == (1, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [("causality", "sma_cross"), ("monte-carlo", "sma_cross")], ids=lambda words: words[0]
)
def test_a_seed_below_zero_is_refused(words: tuple[str, ...], file: str, orchestrator: Callable[..., Any]) -> None:
    code, _, err = orchestrator(*words, "--data", file, "--seed", "-1")
    assert (code, err) == (1, "The seed -1 is outside 0 to 4294967295.\n")


def test_a_strategy_that_ends_the_program_is_an_error(
    file: str, folder: Path, orchestrator: Callable[..., Any]
) -> None:
    (folder / "leaver.py").write_text("raise SystemExit(0)\n")
    code, out, err = orchestrator("backtest", str(folder / "leaver.py"), "--data", file, "--json")
    assert code == 1
    assert json.loads(out)["error"]["message"] in err


def test_a_study_without_a_name_is_refused(file: str, orchestrator: Callable[..., Any]) -> None:
    code, _, err = orchestrator("optimize", "sma_cross", "--data", file, "--study", "", "--trials", "4")
    assert (code, err) == (1, "'' is no name for a study.\n")


def test_funding_of_another_time_is_refused(file: str, folder: Path, orchestrator: Callable[..., Any]) -> None:
    rates = funding_of(Bars.read(file), folder, shift=10**12)
    code, _, err = orchestrator("backtest", "sma_cross", "--data", file, "--perpetual", "--funding", rates)
    assert code == 1
    assert "at no bar of COIN/USDT" in err


def test_a_perpetual_with_funding_runs_again_from_its_file_of_bars(
    file: str, folder: Path, orchestrator: Callable[..., Any]
) -> None:
    rates = funding_of(Bars.read(file), folder)
    words = ("--param", "fast=2", "--param", "slow=12", "--perpetual", "--funding", rates, "--sizing", "cash=500")
    assert orchestrator("backtest", "sma_cross", "--data", file, *words)[0] == 0
    Path(rates).unlink()
    code, out, _ = orchestrator("results", "rerun", "1", "--data", file)
    assert (code, out) == (0, "The same equity came out, bit for bit.\n")


def test_the_same_bars_given_twice_are_refused(file: str, orchestrator: Callable[..., Any]) -> None:
    code, _, err = orchestrator("backtest", "buy_and_hold", "--data", file, "--data", file)
    assert code == 1
    assert "is given twice" in err


@pytest.mark.parametrize("verb", VERBS[1:4], ids=lambda verb: verb[0])
def test_a_search_counts_what_was_tried_before_but_nothing_twice(
    verb: tuple[str, ...], file: str, orchestrator: Callable[..., Any]
) -> None:
    def counted() -> tuple[int, int]:
        code, out, err = orchestrator(verb[0], "sma_cross", "--data", file, *verb[1:], "--json")
        assert code == 0, err
        judged = json.loads(out)["overfitting"]
        return judged["trials"], judged["earlier"]

    alone = counted()
    assert alone[1] == 0
    assert counted() == alone  # the same again tries nothing new
    other = ("--param", "fast=7", "--param", "slow=33")
    assert orchestrator("backtest", "sma_cross", "--data", file, *other)[0] == 0
    assert counted() == (alone[0] + 1, 1)
    code, out, _ = orchestrator(verb[0], "sma_cross", "--data", file, *verb[1:])
    assert code == 0
    assert "1 earlier ones count as well" in out.replace("\n", " ")


def test_searches_of_two_formulas_are_not_taken_for_one(file: str, orchestrator: Callable[..., Any]) -> None:
    for average in ("ema", "sma"):
        rule = f"formula: param n = 20 [5 .. 60]; close > {average}(close, n)"
        code, out, err = orchestrator("sweep", rule, "--data", file, "--grid", "n=5,10", "--json")
        assert code == 0, err
        document = json.loads(out)
    assert average in document["strategy"]["formula"]
    assert document["overfitting"]["earlier"] == 2


def test_what_would_steer_the_terminal_is_made_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    note("columns \x1b[31m\x07 and\ta tab")
    assert capsys.readouterr().err == "columns \ufffd[31m\ufffd and\ta tab\n"


def test_a_damaged_result_stops_no_new_run(file: str, folder: Path, orchestrator: Callable[..., Any]) -> None:
    assert orchestrator("sweep", "sma_cross", "--data", file, *GRID)[0] == 0
    path = next((folder / "results").glob("*.arrow"))
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    footer = int.from_bytes(content[-10:-6].tobytes(), "little")
    content[400 : len(content) - footer - 400] ^= 0x5A
    path.write_bytes(content.tobytes())
    code, _, err = orchestrator("results", "export", "1", str(folder / "out.csv"))
    assert code == 1
    assert "unexpected" not in err
    code, _, err = orchestrator("sweep", "sma_cross", "--data", file, *GRID)
    assert code == 0, err


def test_a_result_that_cannot_be_read_can_be_removed(folder: Path, orchestrator: Callable[..., Any]) -> None:
    (folder / "results").mkdir()
    (folder / "results" / "owner.000007.arrow").write_bytes(b"garbage")
    code, out, err = orchestrator("results", "remove", "7", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert "owner.000007.arrow could not be read and was removed." in err
    assert orchestrator("results", "remove", "7")[0] == 1


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(
    folder: Path, orchestrator: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(folder / "file"))
    code, _, err = orchestrator("formula", "save", "dip", "close > open")
    assert code == 1
    assert "unexpected" not in err
    assert str(folder / "file") in err
