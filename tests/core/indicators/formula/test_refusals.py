"""Wrong formulas, clumsy or hostile: one sentence that points at the character, at once."""

import re
import tracemalloc

import pytest

from core.indicators.formula import FormulaError, parse
from core.indicators.formula.lexer import LONGEST

# (formula with ^ before the wrong character, words of the sentence)
WRONG = [
    ("^", "The formula is empty"),
    ("^emaa(close, 5)", "There is no 'emaa' (character 1). Did you mean ema"),
    ("close > ^clsoe", "Did you mean close"),
    ("close > ^", "ends too early"),
    ("close > ^> 5", "'>' cannot stand here"),
    ("^(close", "The ( is never closed"),
    ("rsi^(close, 14", "The ( is never closed"),
    ("close^[1", "[ is never closed"),
    ("close^)", "This ) closes nothing"),
    ("rsi(close ^14)", "a comma or ) is missing"),
    ("^close and open", "and takes true"),
    ("close > 5 and ^open", "and takes true or false, and this is a number"),
    ("close + (^open > 5)", "+ takes a number"),
    ("not ^close", "not takes true or false"),
    ("highest(close, ^10**9)", "1 to 10,000 for period, not 1,000,000,000"),
    ("highest(close, ^0)", "1 to 10,000"),
    ("highest(close, ^2.5)", "a whole number for period, not 2.5"),
    ("highest(close, ^open)", "changes from bar to bar"),
    ("^1e308*1e308", "too large"),
    ("10^^400", "no finite number"),
    ("1 ^/ 0", "no finite number"),
    ("^log(-1)", "no finite number"),
    ("close[^-1]", "would look into the future"),
    ("previous(close, ^-2)", "would look into the future"),
    ("change(close, ^-2)", "would look into the future"),
    ("ema(close, ^nan)", "period nan is not"),
    ("ema(close, ^0)", "period 0 is not a whole number from 1 to 100000"),
    ("ema(close, ^1e9)", "is not a whole number"),
    ("ema(close, 5, ^6)", "at most 2 values"),
    ("ema(close, ^perod=5)", "Did you mean period"),
    ("ema(close, period=5, ^period=6)", "given twice"),
    ("ema(close, 5, ^period=6)", "given twice"),
    ("ema(period=5, ^close)", "comes before what has one"),
    ("^bollinger(close)", "Choose one, such as bollinger(…).upper"),
    ("macd(close).^foo", "It gives macd, signal, histogram"),
    ("rsi(close).^x", "has one line"),
    ("^macd(close, 26, 12)", "fast 26 must be below slow 12"),
    ("^atr(close, 14)", "Write atr(high, low, close, period)"),
    ("^cross(close)", "cross needs y"),
    ("abs(1, ^2)", "at most 1 value"),
    ("^__import__('os')", "There is no"),
    ("close.^__class__", "no outputs"),
    ("^\0close", "no meaning"),
    ("close ^≥ 5", "Write >="),
    ("^сlose > 5", "Latin c"),
    ("close ^× 5", "Write *"),
    ("1 ^\N{EN DASH} 2", "Write -"),
    ("^\N{GRINNING FACE}", "grinning face"),
    ("close^\N{NO-BREAK SPACE}> 5", "ordinary space"),
    ("close^\u202e", "no meaning"),
    ("1 < 2 ^< 3", "cannot be chained"),
    ("^close = 5", "To compare, write =="),
    ("if(close = 5, ^1, 2)", "To compare, write =="),
    ("abs(^close = 5)", "To compare, write =="),
    ("1; ^2", "Only the last"),
    ("^foo: close > 5", "There is no rule 'foo'"),
    ("^exit: close > 5", "Rules need an entry"),
    ("^hl2 = 1", "meaning already"),
    ("entry: ^close", "'entry' takes true or false"),
    ("entry: true; stop: ^1.5", "no fraction for 'stop'"),
    ("entry: true; stop: ^close > 5", "'stop' takes a number"),
    ("entry: true; ^entry: true", "given twice"),
    ("^entry: true; 5", "either one expression or rules"),
    ("close ^& open", "Write and"),
    ("^!true", "Write not"),
    ("^'abc", "no ' at its end"),
    ("^'abc'", "A text has no meaning here"),
    ("^12abc", "neither a number nor a name"),
    ("at(^4h, close)", 'in quotes: "4h"'),
    ("^at('4h')", "takes a timeframe in quotes"),
    ("at(^'banana', 1)", "not a timeframe"),
    ("at('4h', ^at('1d', close))", "at cannot stand inside at"),
    ("x = ^y; y = 1; x", "in what follows it"),
    ("x = ^x; x", "in what follows it"),
    ("a = 1; ^a = 2; a", "given twice"),
    ("^close(5)", "Write close alone"),
    ("if(^close, 1, 2)", "if takes true or false"),
    ("if(true, 1, ^true)", "if takes a number"),
    ("5 ^%", "Write 5%"),
    ("^$fast", "without $"),
    ("close ^? 1 : 2", "Write if(condition, a, b)"),
    ("param ^a = 5 [6 .. 9]; a", "outside its own range"),
    ("param ^a = 5 [9 .. 1]; a", "from the lower number to the higher, not from 9 to 1"),
    ("param a = 5^; a", "needs its range"),
    ("param a = ^b [1 .. 2]; a", "plain number"),
    ("param a = 1 [0 .. ^1e99]; a", "too large"),
    ("param ^name = 1 [0 .. 1]; name", "cannot name a parameter"),
    ("param ^and = 1 [0 .. 1]; 1", "word of the language"),
    ("param ^a = 1 [0 .. 1 step 0]; a", "step of a range is above 0"),
    ("^or 1", "cannot stand here"),
    ("1 + ^* 2", "cannot stand"),
    ("lambda ^x: x", "cannot stand here"),
    ("close^.5", "cannot stand here"),
    ("^" + "a" * 41, "at most 40 characters"),
]


@pytest.mark.parametrize(("marked", "words"), WRONG, ids=[each[0][:30] for each in WRONG])
def test_a_mistake_is_told_in_one_sentence_at_its_character(marked: str, words: str) -> None:
    place = marked.rindex("^") if marked.count("^") == 1 or "**" in marked else marked.index("^")
    text = marked[:place] + marked[place + 1 :]
    with pytest.raises(FormulaError) as refused:
        parse(text)
    assert words in refused.value.sentence()
    assert refused.value.position == place
    assert f"(character {place + 1})." in refused.value.message
    assert "\n" not in refused.value.sentence()
    line, caret = refused.value.pointed().split("\n")
    assert caret.index("^") == place
    assert line.replace(" ", "").isprintable()


def test_a_mistake_in_a_formula_of_several_lines_names_the_line() -> None:
    with pytest.raises(FormulaError) as refused:
        parse("fast = ema(close, 5);\nfast > emaa(close, 9)\n")
    assert "(line 2, character 8)." in refused.value.message
    assert refused.value.pointed() == "fast > emaa(close, 9)\n       ^"


HOSTILE = {
    "brackets": "(" * 10_000,
    "brackets that fit": "(" * (LONGEST - 1),
    "balanced": "(" * 1500 + "1" + ")" * 1500,
    "squares": "close" + "[" * 3000,
    "nots": "not " * 999 + "true",
    "minuses": "-" * 3999 + "1",
    "powers": "2^" * 1999 + "2",
    "pluses": "+".join("1" for _ in range(2000)),
    "ands": " and ".join(["true"] * 400),
    "calls": "abs(" * 990 + "1",
    "behind": "close" + "[1]" * 1300,
    "dots": "close" + ".a" * 1900,
    "long": "x" * 100_000,
    "digits": "9" * 4000,
    "nulls": "\0" * 4000,
    "quotes": '"' * 3999,
    "commas": "abs(" + "," * 3000,
    "semicolons": ";" * 4000,
    "spaces": " " * 4000,
    "comments": "#" * 4000,
    "exponents": "1e" + "9" * 1000,
    "deep calls": "if(true," * 450,
    "params": "param a=1[0..1];" * 200,
    "lets": "".join(f"a{n}=1;" for n in range(600)),
    "carets": "^" * 4000,
    "surrogate": "\ud800",
    "colons": ":" * 4000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_meant_to_break_the_reader_is_refused(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormulaError) as refused:
            parse(text)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert len(refused.value.sentence()) < 300
    assert len(refused.value.pointed()) < 200


def test_what_doubles_with_each_line_is_shared_not_multiplied() -> None:
    text = "a0 = close + 1;" + "".join(f"a{n} = a{n - 1} + a{n - 1};" for n in range(1, 100)) + "a99"
    graph, _ = parse(text)._lowered({})
    assert len(graph.steps) < 110


def test_more_steps_than_can_be_meant_are_refused() -> None:
    text = "".join(f"a{n} = close + {n};" for n in range(300))
    with pytest.raises(FormulaError, match="more than 400 different steps"):
        parse(text[:3990].rpartition(";")[0] + ";1")


def test_a_warm_up_longer_than_any_history_is_refused() -> None:
    with pytest.raises(FormulaError, match="at most 100,000"):
        parse("a = ema(close, 90000); ema(a, 90000)")


def test_lines_are_told_apart_when_pointing() -> None:
    with pytest.raises(FormulaError) as refused:
        parse("fast = ema(close, 5);\nfast > slwo")
    assert refused.value.pointed() == "fast > slwo\n       ^"


def test_a_long_line_is_cut_around_the_place() -> None:
    with pytest.raises(FormulaError) as refused:
        parse(" + ".join(["close"] * 20) + " + oops + " + " + ".join(["close"] * 20))
    line, caret = refused.value.pointed().split("\n")
    assert len(line) <= 76
    assert line[len(caret) - 1 :].startswith("oops")


def test_every_refusal_says_where_in_its_details() -> None:
    with pytest.raises(FormulaError) as refused:
        parse("1 +")
    assert refused.value.details["position"] == 4
    assert re.fullmatch(r"1 \+\n +\^", str(refused.value.details["pointed"]))
