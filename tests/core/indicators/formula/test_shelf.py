"""Saved formulas: names, replacing, use in one another, and what is refused."""

import json
import threading
from pathlib import Path

import pytest

from core.errors import BadData, Conflict, InvalidInput, NotFound
from core.indicators.formula import FormulaError, parse
from core.indicators.formula.shelf import MOST, Shelf
from tests.core.market.made import bars


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "formulas", ("sma_cross",))


def test_what_is_saved_is_there_as_it_was_written(shelf: Shelf) -> None:
    text = "trend = ema(close, 20); # the trend\nclose > trend"
    shelf.save("up", text, owner="someone", saved="2026-01-01T00:00:00+00:00")
    saved = shelf.get("up")
    assert (saved.text, saved.owner, saved.saved) == (text, "someone", "2026-01-01T00:00:00+00:00")
    assert shelf.open("up").kind == "truth"
    assert shelf.names() == ["up"]
    assert [path.name for path in shelf.folder.iterdir()] == ["up.json"]


def test_a_saved_formula_is_an_indicator_in_others(shelf: Shelf) -> None:
    shelf.save("average", "param n = 5 [2 .. 50]; sma(close, n)")
    market = bars(60)
    found = shelf.check("average(n=9) - average + average(7)[1]")
    plain = shelf.check("sma(close, 9) - sma(close, 5) + sma(close, 7)[1]")
    assert found.evaluate(market)[20:] == pytest.approx(plain.evaluate(market)[20:])
    assert found.uses == {"average": "param n = 5 [2 .. 50]; sma(close, n)"}


def test_names_inside_a_saved_formula_are_its_own(shelf: Shelf) -> None:
    shelf.save("inner", "a = close; a * 2")
    assert shelf.check("a = open; inner - a").evaluate(bars(5))[0] == pytest.approx(
        2 * bars(5).close[0] - bars(5).open[0]
    )
    with pytest.raises(FormulaError, match="There is no 'a'"):
        shelf.check("inner - a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("average(n=51)", "a whole number from 2 to 50 for n"),
        ("average(n=2.5)", "a whole number"),
        ("average(n=close)", "a constant for n"),
        ("average(m=3)", "has no 'm'"),
        ("average(1, 2)", "at most 1 value"),
        ("rules > 1", "is a strategy of rules"),
        ("averag", "There is no 'averag'"),
    ],
)
def test_a_saved_formula_is_used_as_it_was_meant(shelf: Shelf, text: str, words: str) -> None:
    shelf.save("average", "param n = 5 [2 .. 50]; sma(close, n)")
    shelf.save("rules", "entry: close > open")
    with pytest.raises(FormulaError, match=words):
        shelf.check(text)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rsi", "an indicator already"),
        ("close", "a column already"),
        ("highest", "already"),
        ("cross", "a function already"),
        ("and", "a word already"),
        ("nan", "a constant already"),
        ("at", "a word already"),
        ("save", "a word already"),
        ("sma_cross", "a strategy already"),
        ("", "cannot name"),
        ("1a", "cannot name"),
        ("../up", "cannot name"),
        ("a" * 41, "cannot name"),
        ("Über", "cannot name"),
        ("a b", "cannot name"),
        ("A", "cannot name"),
        ("a\0", "cannot name"),
        ("__init__", "cannot name"),
    ],
)
def test_a_name_that_means_something_or_is_no_name_is_refused(shelf: Shelf, name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        shelf.save(name, "close")
    assert shelf.names() == []


def test_nothing_wrong_is_saved(shelf: Shelf) -> None:
    with pytest.raises(FormulaError):
        shelf.save("wrong", "close >")
    assert shelf.names() == []


def test_a_name_that_is_taken_is_replaced_only_when_asked(shelf: Shelf) -> None:
    shelf.save("up", "close > open")
    with pytest.raises(Conflict, match="There is a formula 'up' already"):
        shelf.save("up", "close < open")
    assert shelf.get("up").text == "close > open"
    shelf.save("up", "close < open", replace=True)
    assert shelf.get("up").text == "close < open"


def test_no_formula_uses_itself_however_far_around(shelf: Shelf) -> None:
    with pytest.raises(FormulaError, match="'one' would use itself"):
        shelf.save("one", "one > 1")
    shelf.save("one", "close")
    shelf.save("two", "one + 1")
    shelf.save("three", "two + 1")
    for text in ("one + 1", "two", "three * 2"):
        with pytest.raises(FormulaError, match="'one' would use itself: one"):
            shelf.save("one", text, replace=True)
    assert shelf.get("one").text == "close"


def test_a_circle_made_by_hand_is_told(shelf: Shelf) -> None:
    shelf.save("one", "close")
    shelf.save("two", "one")
    path = shelf.folder / "one.json"
    path.write_text(path.read_text().replace('"close"', '"two"'))
    with pytest.raises(InvalidInput, match="would use itself"):
        shelf.open("one")
    with pytest.raises(FormulaError, match="would use itself"):
        shelf.check("two + 1")


def test_a_tower_of_formulas_ends_somewhere(shelf: Shelf) -> None:
    texts = {"f0": "close"} | {f"f{n}": f"-(-(f{n - 1}))" for n in range(1, MOST)}
    with pytest.raises(FormulaError, match="nested too deep"):
        parse("f100", texts)
    assert parse("f20", texts).kind == "number"


def test_what_another_uses_is_not_removed(shelf: Shelf) -> None:
    shelf.save("one", "close")
    shelf.save("two", "one + 1")
    shelf.save("three", "two + 1")
    with pytest.raises(Conflict, match="'one' is used by three, two"):
        shelf.remove("one")
    shelf.remove("three")
    shelf.remove("two")
    gone = shelf.remove("one")
    assert gone is not None
    assert gone.text == "close"
    assert shelf.names() == []
    with pytest.raises(NotFound, match="There is no formula 'one'"):
        shelf.remove("one")


def test_a_change_that_breaks_another_is_refused(shelf: Shelf) -> None:
    shelf.save("average", "param n = 5 [2 .. 50]; sma(close, n)")
    shelf.save("up", "close > average(n=9)")
    for text in ("sma(close, 5)", "param n = 5 [2 .. 8]; sma(close, n)", "close > open"):
        with pytest.raises(Conflict, match="'up' uses 'average' and would no longer work"):
            shelf.save("average", text, replace=True)
    shelf.save("average", "param n = 5 [2 .. 90]; ema(close, n)", replace=True)


def test_there_is_a_most_of_formulas(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.indicators.formula.shelf.MOST", 2)
    shelf.save("one", "close")
    shelf.save("two", "close")
    with pytest.raises(InvalidInput, match="2 formulas already"):
        shelf.save("three", "close")
    shelf.save("two", "open", replace=True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"text": 5, "owner": "", "saved": ""}', b"\xff\xfe", b"1" * 99]
)
def test_a_file_that_is_no_formula_is_told_and_can_be_removed(shelf: Shelf, content: bytes) -> None:
    shelf.save("good", "close")
    (shelf.folder / "torn.json").write_bytes(content)
    with pytest.raises(BadData, match="no saved formula"):
        shelf.get("torn")
    assert shelf.texts() == {"good": "close"}
    assert shelf.remove("torn") is None
    assert shelf.names() == ["good"]


def test_of_two_who_save_at_once_one_is_told(shelf: Shelf) -> None:
    refused: list[Conflict] = []
    ready = threading.Barrier(8)

    def save(number: int) -> None:
        ready.wait()
        try:
            shelf.save("up", f"close > {number}")
        except Conflict as taken:
            refused.append(taken)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert json.loads((shelf.folder / "up.json").read_text())["text"].startswith("close > ")
    assert len(list(shelf.folder.iterdir())) == 1
