"""`orchestrator indicators`, as a user types it, and the page that it prints."""

import json
from pathlib import Path

from typer.testing import CliRunner

from core.cli import app, indicators
from core.errors import InvalidInput, NotFound
from core.indicators import catalogue

ROOT = Path(__file__).resolve().parents[3]


def says(*words: str) -> str:
    done = CliRunner().invoke(app, ["indicators", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def refusal(*words: str) -> str:
    done = CliRunner().invoke(app, ["indicators", *words])
    assert isinstance(done.exception, InvalidInput | NotFound)
    return done.exception.sentence()


def test_all_are_listed_by_category() -> None:
    listed = says()
    assert listed.startswith("trend: averages, bands and stops that follow the price\n  sma ")
    assert all(f"\n  {name} " in listed for name in catalogue())
    only = says("--category", "cycle")
    assert only.count("\n  ") == sum(each.category == "cycle" for each in catalogue().values())


def test_one_is_told_with_its_ranges_outputs_and_warm_up() -> None:
    told = says("macd")
    assert told.startswith("macd(close, fast=12, slow=26, signal=9)\n")
    assert "fast        bars of the fast average: 2 to 100000, 12 when not given" in told
    assert "macd (price difference), signal (price difference), histogram (price difference)" in told
    assert "33 bars; " in told
    assert "no number of bars" in says("obv")


def test_they_are_data_with_json() -> None:
    rsi = json.loads(says("rsi", "--json"))
    assert rsi["parameters"]["period"] == {
        "default": 14, "low": 2, "high": 100_000, "kind": "int", "help": "bars looked back",
    }  # fmt: skip
    assert rsi["warmup"] == 14
    assert rsi["outputs"] == [{"name": "rsi", "unit": "0 to 100"}]
    assert len(json.loads(says("--json"))) == len(catalogue())
    assert {each["category"] for each in json.loads(says("--json", "--category", "price"))} == {"price"}


def test_an_unknown_name_or_category_is_answered_with_what_there_is() -> None:
    assert refusal("supertrnd") == "There is no indicator 'supertrnd'. Did you mean supertrend?"
    assert "there are trend, momentum" in refusal("--category", "magic")


def test_the_page_of_indicators_is_current() -> None:
    written = (ROOT / "docs" / "indicators.md").read_text(encoding="utf-8")
    current = "run `orchestrator indicators --markdown > docs/indicators.md`"
    assert written == indicators.page(catalogue().values()), current
