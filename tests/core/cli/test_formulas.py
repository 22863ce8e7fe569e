"""The verb formula, as a user types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core import cli
from tests.core.simulation.market import walk

Answer = tuple[int, str, str]
Orchestrator = Callable[..., Answer]


@pytest.fixture
def orchestrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Orchestrator:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))

    def run(*words: str) -> Answer:
        monkeypatch.setattr("sys.argv", ["orchestrator", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_check_tells_what_a_formula_is(orchestrator: Orchestrator) -> None:
    code, out, _ = orchestrator("formula", "check", "param n = 12 [2 .. 50]; close > ema(close, n)")
    assert code == 0
    assert "true or false" in out
    assert "11 bars" in out
    assert "n=12 (2 to 50)" in out
    code, out, _ = orchestrator("formula", "check", 'at("4h", close) > cross(close, open)', "--json")
    assert code == 1
    code, out, _ = orchestrator("formula", "check", 'at("4h", close)', "--json")
    assert json.loads(out)["timeframes"] == ["4h"]


def test_a_crossing_alone_is_told_to_hold_one_bar(orchestrator: Orchestrator) -> None:
    for text, told in (
        ("cross(close, open) and true", True),
        ("close > open", False),
        ("cross(close, open) or true", False),
    ):
        assert ("one bar at a time" in orchestrator("formula", "check", text)[1]) is told


def test_a_mistake_is_pointed_at(orchestrator: Orchestrator) -> None:
    code, out, err = orchestrator("formula", "check", "close > emaa(close, 5)")
    assert (code, out) == (1, "")
    sentence, line, caret = err.splitlines()
    assert sentence.startswith("There is no 'emaa' (character 9). Did you mean ema")
    assert (line, caret) == ("close > emaa(close, 5)", "        ^")
    code, out, _ = orchestrator("formula", "check", "close >", "--json")
    assert code == 1
    assert json.loads(out)["error"]["code"] == "formula"
    assert json.loads(out)["error"]["pointed"] == "close >\n       ^"


def test_a_formula_may_begin_with_a_minus(orchestrator: Orchestrator) -> None:
    code, out, err = orchestrator("formula", "check", "-close < 5")
    assert (code, err) == (0, "")
    assert "true or false" in out


def test_a_formula_is_saved_listed_shown_used_and_removed(orchestrator: Orchestrator) -> None:
    assert "No formula is saved yet" in orchestrator("formula", "list")[1]
    assert orchestrator("formula", "save", "average", "sma(close, 5)")[0] == 0
    code, out, _ = orchestrator("formula", "save", "up", "close > average", "--json")
    assert json.loads(out)["uses"] == ["average"]
    assert "close > average" in orchestrator("formula", "list")[1]
    assert [each["name"] for each in json.loads(orchestrator("formula", "list", "--json")[1])] == ["average", "up"]
    assert "Used by: up" in orchestrator("formula", "show", "average")[1]
    code, _, err = orchestrator("formula", "remove", "average")
    assert (code, err) == (1, "'average' is used by up. Remove or change that first.\n")
    code, _, err = orchestrator("formula", "save", "up", "close > open")
    assert code == 1
    assert "already" in err
    assert orchestrator("formula", "save", "up", "close > open", "--replace")[0] == 0
    assert orchestrator("formula", "remove", "average")[1] == "Removed 'average': sma(close, 5)\n"
    assert "up" in orchestrator("strategies")[1]


def test_evaluate_prints_the_last_values(orchestrator: Orchestrator, tmp_path: Path) -> None:
    bars = walk(60, 4)
    file = str(bars.write(tmp_path / "COINUSDT.parquet"))
    orchestrator("formula", "save", "average", "param n = 5 [1 .. 50]; sma(close, n)")
    code, out, err = orchestrator(
        "formula", "evaluate", "average", "--data", file, "--param", "n=1", "--last", "2", "--json"
    )
    assert code == 0, err
    document = json.loads(out)
    assert [row["value"] for row in document["values"]] == bars.close[-2:].tolist()
    assert (document["bars"], document["warmup"]) == (60, 0)
    code, out, _ = orchestrator("formula", "evaluate", "close > 0", "--data", file, "--last", "1")
    assert out.rstrip().endswith("true")
    code, out, _ = orchestrator("formula", "evaluate", "close / 0 * close", "--data", file, "--last", "1")
    assert out.rstrip().endswith("–")
    assert "n takes a number" in orchestrator("formula", "evaluate", "average", "--data", file, "--param", "n=x")[2]
    assert "from 1 to 50" in orchestrator("formula", "evaluate", "average", "--data", file, "--param", "n=99")[2]
    assert "Backtest it" in orchestrator("formula", "evaluate", "entry: close > open", "--data", file)[2]


def test_a_saved_formula_and_a_written_one_are_backtested(orchestrator: Orchestrator, tmp_path: Path) -> None:
    file = str(walk(300, 4).write(tmp_path / "COINUSDT.parquet"))
    orchestrator("formula", "save", "up", "param n = 5 [2 .. 50]; close > sma(close, n)")
    code, out, err = orchestrator("backtest", "up", "--data", file, "--param", "n=9", "--json")
    assert code == 0, err
    saved = json.loads(out)
    assert (saved["strategy"]["name"], saved["strategy"]["parameters"]) == ("up", {"n": 9})
    assert json.loads(saved["strategy"]["formula"])["text"] == "param n = 5 [2 .. 50]; close > sma(close, n)"
    code, out, err = orchestrator("backtest", "formula: close > sma(close, 9)", "--data", file, "--json")
    assert code == 0, err
    assert json.loads(out)["stats"]["final_equity"] == saved["stats"]["final_equity"]
    code, _, err = orchestrator("backtest", "formula: close > smaa(close, 9)", "--data", file)
    assert code == 1
    assert "Did you mean sma" in err
    assert "^" in err


def test_the_functions_are_listed(orchestrator: Orchestrator) -> None:
    assert "barssince(condition)" in orchestrator("formula", "functions")[1]
    assert {"call": "cross(x, y)", "summary": "True where x comes to lie above y; equal is not above."} in json.loads(
        orchestrator("formula", "functions", "--json")[1]
    )
