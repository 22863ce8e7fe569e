"""Properties of understanding, over any text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.commands.utterance import understand

WORDS = some.sampled_from(
    [
        "buy", "sell", "btc", "eth", "0.1", "2", "60k", "$500", "half", "all", "my", "of", "at", "for", "with", "and",
        "a", "stop", "target", "limit", "market", "cash", "50%", "1.150", "each", "not", "if", "worth", "price",
        "below", "three", "hundred", "-5", "1e400", "nan", "alert", "when", "start", "sma", "cross", "cancel", ",",
    ]
)  # fmt: skip


@given(some.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    found = understand(text)
    assert found.command is None or found.question is None


@given(some.lists(WORDS, min_size=1, max_size=9))
def test_an_order_has_one_coin_one_size_above_zero_and_no_word_that_changes_its_meaning(words: list[str]) -> None:
    found = understand(" ".join(words))
    if found.command not in ("buy", "sell"):
        return
    sizes = [found.arguments[name] for name in ("quantity", "spend", "fraction") if name in found.arguments]
    assert len(sizes) == 1
    assert all(Decimal(size).is_finite() and Decimal(size) > 0 for size in sizes)
    assert Decimal(found.arguments.get("fraction", "1")) <= 1
    assert not {"not", "if", "when", "-5", "1e400", "nan", "1.150"} & set(words)
    assert len({"btc", "eth"} & set(words)) == 1
    assert not {"buy", "sell"} <= set(words)
    numbers = sum(word in ("0.1", "2", "60k", "$500", "50%", "half", "all") for word in words)
    assert numbers <= len(found.arguments) - 1 + 2 * ("limit" in found.arguments)


@given(some.decimals(min_value="0.00000001", max_value="1000000", places=8))
def test_any_quantity_is_read_exactly(quantity: Decimal) -> None:
    written = format(quantity, "f")
    found = understand(f"buy {written} btc")
    assert found.command == "buy"
    assert Decimal(found.arguments["quantity"]) == quantity


@pytest.mark.parametrize("number", ["hundred", "thousand", "million", "billion", "fifty", "half", "thirds"])
def test_a_part_of_a_number_is_no_coin(number: str) -> None:
    for text in (f"buy 0.1 {number}", f"sell 2 {number}", f"buy {number}"):
        assert understand(text).command is None, text
