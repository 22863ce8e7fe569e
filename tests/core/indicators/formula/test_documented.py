"""docs/formulas.md says what the language does: its examples are formulas, its tables are complete."""

import re
from pathlib import Path

import pytest

from core.indicators.formula import FormulaError, lexer, lowering, parse, parser, shelf
from core.indicators.formula.functions import LARGEST, reference
from core.indicators.formula.graph import MOST_HELD, MOST_SECONDS, MOST_STEPS
from core.indicators.formula.syntax import RULES
from tests.core.market.made import bars

PAGE = (Path(__file__).parents[4] / "docs" / "formulas.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```formula\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_can_be_computed(text: str) -> None:
    formula = parse(text)
    found = formula.rules(bars(400))
    assert found
    assert formula.warmup("1h") < 400


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(("call", "summary"), reference())
def test_every_column_and_function_is_told_as_it_is(call: str, summary: str) -> None:
    assert f"| `{call}` | {summary} |" in PAGE


def test_no_other_function_is_told() -> None:
    tables = PAGE.partition("## Columns")[2].partition("## What is unknown")[0]
    assert re.findall(r"^\| `([^`]+)` \|", tables, re.MULTILINE) == [call for call, _ in reference()]


@pytest.mark.parametrize("label", RULES)
def test_every_rule_is_told(label: str) -> None:
    assert f"| `{label}:` | {RULES[label]} |" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    for told in (
        f"| length | {lexer.LONGEST:,} characters",
        f"| nesting | {parser.DEEPEST} brackets, calls or signs within one another",
        f"; {parser.LONGEST_CHAIN} signs in a row",
        f"| size | {MOST_STEPS} different steps, {parser.MOST_RANGES} parameters",
        f"| window | {LARGEST:,} bars",
        f"| warm-up | {lowering.MOST_UNKNOWN:,} bars",
        f"| saved formulas | {shelf.MOST} for each person",
        f"the arrays held at a time ({MOST_HELD // 2**30} GiB), and {MOST_SECONDS:.0f} seconds",
    ):
        assert told in PAGE


def test_the_mistake_is_answered_as_shown() -> None:
    with pytest.raises(FormulaError) as refused:
        parse("close > emaa(close, 5)")
    assert f"{refused.value.sentence()}\n{refused.value.pointed()}\n" in PAGE
