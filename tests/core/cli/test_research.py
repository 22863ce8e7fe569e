"""The verbs backtest, strategies and indicators, as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.inputs import sizing_of
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.trading.sizing import Fraction, Kelly, VolatilityTarget
from tests.core.simulation.market import walk

PROGRAM = Path(sys.executable).parent / "orchestrator"


def orchestrator(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160"}
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(walk(600, 4).write(tmp_path_factory.mktemp("bars") / "COINUSDT.parquet"))


def test_json_is_one_document_on_stdout(file: str, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = orchestrator(
        "backtest", "sma_cross", "--param", "fast=3", "--param", "slow=8", "--data", file, "--fee", "0",
        "--slippage", "0", "--cash", "500", "--report", str(report), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) >= {"stats", "trades", "strategy", "data", "seconds"}
    assert document["strategy"]["parameters"] == {"fast": 3, "slow": 8}
    assert document["stats"]["fees_paid"] == 0
    assert document["stats"]["initial_cash"] == 500
    assert report.read_text().startswith("<!doctype html>")


def test_people_get_a_table(file: str) -> None:
    done = orchestrator("backtest", "donchian", "--data", file)
    assert done.returncode == 0, done.stderr
    assert "max drawdown" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["sma_cros"], 1, "Did you mean sma_cross"),
        (["sma_cross", "--param", "fast"], 1, "is not name=value"),
        (["sma_cross", "--from", "soon"], 1, "is not a date"),
        (["sma_cross", "--cash", "-5"], 1, "Starting cash"),
        (["sma_cross", "--fee", "3"], 1, "taker_fee"),
        (["sma_cross", "--nonsense"], 2, "No such option"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(file: str, words: list[str], code: int, sentence: str) -> None:
    done = orchestrator("backtest", *words, "--data", file)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_currencies_are_not_added_up(file: str, tmp_path: Path) -> None:
    euro = str(walk(600, 5, instrument=Instrument("test", "COIN", "EUR")).write(tmp_path / "COINEUR.parquet"))
    done = orchestrator("backtest", "buy_and_hold", "--data", file, "--data", euro)
    assert done.returncode == 1
    assert "EUR and USDT" in done.stderr


def test_detail_decides_the_order_inside_a_bar(file: str, tmp_path: Path) -> None:
    minutes = walk(600, 4)
    hours = str(minutes.resample("1h").write(tmp_path / "COINUSDT-1h.parquet"))
    words = ("backtest", "donchian", "--param", "entry=2", "--param", "exit=2", "--param", "period=2", "--data", hours)
    done = orchestrator(*words, "--detail", file, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [each["timeframe"] for each in document["detail"]] == ["1m"]
    assert document["stats"]["bars"] == 10
    short = str(minutes[:500].write(tmp_path / "COINUSDT-1m.parquet"))
    done = orchestrator(*words, "--detail", short)
    assert done.returncode == 1
    assert "does not cover" in done.stderr


def test_detail_of_a_portfolio_is_given_per_instrument() -> None:
    data = ("--data", "sandbox:BTC/USDT:1h", "--data", "sandbox:ETH/USDT:1h", "--json")
    detail = ("--detail", "sandbox:BTC/USDT:15m", "--detail", "sandbox:ETH/USDT:15m")
    done = orchestrator("backtest", "donchian", *data, *detail)
    assert done.returncode == 0, done.stderr
    assert {each["symbol"] for each in json.loads(done.stdout)["detail"]} == {"BTC/USDT", "ETH/USDT"}


def test_a_run_is_kept_shown_exported_compared_and_removed(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    for fast in ("3", "4"):
        done = orchestrator("backtest", "sma_cross", "--param", f"fast={fast}", "--data", file)
        assert done.returncode == 0, done.stderr
        assert "Kept as result" in done.stderr
    assert "above zero after 2 trials" in done.stdout
    listed = json.loads(orchestrator("results", "list", "--json").stdout)
    assert [each["number"] for each in listed] == [2, 1]
    assert listed[0]["strategy"]["parameters"]["fast"] == 4
    assert "sma_cross on COIN/USDT 1m" in orchestrator("results", "show", "1").stdout
    again = orchestrator("results", "rerun", "1", "--data", file)
    assert (again.returncode, again.stdout) == (0, "The same equity came out, bit for bit.\n")
    page = tmp_path / "one.html"
    assert orchestrator("results", "export", "1", str(page)).returncode == 0
    assert page.read_text().startswith("<!doctype html>")
    beside = orchestrator("compare", "1", "2", "--json")
    assert [each["name"] for each in json.loads(beside.stdout)["differing"]] == ["parameter fast"]
    assert orchestrator("results", "prune", "--keep", "1").stdout == "Removed 1 results.\n"
    gone = orchestrator("results", "show", "1")
    assert (gone.returncode, gone.stderr) == (1, "There is no result 1. The latest is 2.\n")


def test_a_read_only_folder_costs_a_sentence_not_the_result(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").write_text("no folder")
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    done = orchestrator("backtest", "donchian", "--data", file, "--json")
    assert done.returncode == 0
    assert "was not kept" in done.stderr
    assert json.loads(done.stdout)["stats"]["trades"] >= 0


def test_strategies_are_compared_on_the_same_bars(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    page = tmp_path / "beside.html"
    words = ("compare", "sma_cross", "macd", "--data", file, "--no-save", "--report", str(page))
    done = orchestrator(*words)
    assert done.returncode == 0, done.stderr
    assert "Sharpe ratio" in done.stdout
    assert "Is one better?" in page.read_text()
    assert not (tmp_path / "results").exists()
    fast, slow = "formula: close > ema(close, 5)", "formula: close > ema(close, 50)"
    done = orchestrator("compare", fast, slow, "--data", file, "--no-save", "--json")
    assert done.returncode == 0, done.stderr
    assert slow in done.stdout
    done = orchestrator("compare", fast, fast, "--data", file, "--no-save")
    assert "is given twice" in done.stderr
    done = orchestrator("compare", "sma_cross", "macd")
    assert done.returncode == 1
    assert "give the bars with --data" in done.stderr


def test_sizes_are_given_as_name_and_number() -> None:
    assert sizing_of("fraction=0.5") == Fraction(0.5)
    assert sizing_of("volatility=0.2,lookback=10") == VolatilityTarget(0.2, 10)
    assert sizing_of("kelly=0.5,least_trades=5,most=2") == Kelly(0.5, 5, 2.0)
    assert sizing_of(None) is None
    for wrong, sentence in (
        ("half", "is not a way to size"),
        ("fraction=x", "needs a number"),
        ("fraction=0.5,most=2", "is not a part of fraction"),
        ("fraction=7", "is not above 0"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            sizing_of(wrong)


def test_help_shows_the_usual_costs() -> None:
    told = " ".join(orchestrator("backtest", "--help").stdout.split())
    assert "0.001 unless given" in told
    assert "0.0005 unless given" in told


def test_strategies_and_indicators_are_listed_as_data() -> None:
    strategies = json.loads(orchestrator("strategies", "--json").stdout)
    assert {"sma_cross", "donchian", "buy_and_hold"} <= {each["name"] for each in strategies}
    indicators = json.loads(orchestrator("indicators", "--json").stdout)
    assert {"rsi", "macd"} <= {each["name"] for each in indicators}
    assert "fast=20" in orchestrator("strategies").stdout


def test_strategies_lists_the_users_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "mine.py").write_text(
        "class Mine:\n    name, summary, parameters, warmup = 'mine', 'Mine.', {}, 1\n    def signals(self, b, c): ..."
    )
    (folder / "broken.py").write_text("def (")
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    done = orchestrator("strategies", "--json")
    assert "mine.py:Mine" in {each["name"] for each in json.loads(done.stdout)}
    assert done.stderr.startswith("broken.py, line 1: ")
