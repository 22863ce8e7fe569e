"""Composite orders as people type them: with signs, with words, or with bare numbers."""

import pytest

from core.commands.utterance import understand

OCO = {"side": "sell", "instrument": "SOL/USDT", "quantity": "2", "target": "200", "stop": "120"}
TRAIL = {"side": "sell", "instrument": "SOL/USDT", "quantity": "1", "by": "5%"}


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("oco sell 2 sol target=200 stop=120", OCO),
        ("oco sell 2 sol target 200 stop 120", OCO),
        ("oco sell 2 sol at 200 stop 120", OCO),
        ("oco sell 2 sol 200 120", OCO),
        ("trail sell 1 sol by=5%", TRAIL),
        ("trail sell 1 sol by 5%", TRAIL),
        ("trail sell 1 sol 5%", TRAIL),
        ("trail sell 1 sol 500", {**TRAIL, "by": "500"}),
        ("trail sell all my sol 5%", {"side": "sell", "instrument": "SOL/USDT", "fraction": "1", "by": "5%"}),
        ("best 2 sol", {"side": "buy", "instrument": "SOL/USDT", "quantity": "2"}),
    ],
)
def test_an_order_of_two_legs_is_read(line: str, arguments: dict[str, str]) -> None:
    found = understand(line)
    assert found.question is None
    assert (found.command, dict(found.arguments)) == (line.split()[0], arguments)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("oco sell 2 sol 200", "stop"),
        ("oco sell 2 sol 200 120 90", "'200'"),
        ("trail sol 5%", "'sol' is not a side"),
        ("trail sell 1 sol 5% 6%", "'5%'"),
        ("best sol", "'sol' is not a side"),
    ],
)
def test_what_is_missing_or_too_much_is_asked_about(line: str, asked: str) -> None:
    found = understand(line)
    assert found.command is None
    assert found.question is not None
    assert asked in found.question
