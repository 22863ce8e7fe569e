"""The registry: what the signature says is what every surface offers."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.accounts import Role
from core.commands import parsing
from core.commands.context import Context
from core.commands.registry import FAMILIES, Registry, command, registry
from core.commands.utterance import phrases, understand
from core.errors import AppError, InvalidInput, NotFound
from core.reply import Reply

ROOT = Path(__file__).resolve().parents[3]


@command(family="help", aliases=("t",), examples=("tea 2 milk=1",))
async def tea(ctx: Context, cups: int, *, milk: Decimal | None = None, **more: str) -> Reply:
    """Makes tea.

    cups: how many
    milk: how much of it
    """
    return []


def test_parameters_and_their_help_come_from_the_signature_and_the_docstring() -> None:
    assert tea.summary == "Makes tea."
    assert [(each.name, each.kind, each.required, each.help) for each in tea.parameters[:2]] == [
        ("cups", int, True, "how many"),
        ("milk", Decimal, False, "how much of it"),
    ]
    assert tea.usage == "/tea CUPS [milk=…] [name=value …]"


def test_command_lines_bind_by_place_and_by_name() -> None:
    known = Registry([tea])
    for line in ("/tea 2 milk=1.50 sugar=no", "t cups=2 milk=1.5 sugar=no", "/tea@some_bot milk=1.5 2 sugar=no"):
        assert parsing.parse(known, line)[1] == {"cups": "2", "milk": "1.5", "sugar": "no"}


@pytest.mark.parametrize(
    ("line", "error", "part"),
    [
        ("/tee 2", NotFound, "Did you mean tea?"),
        ("/tea many", InvalidInput, "'many' is not a whole number"),
        ("/tea 2 3", InvalidInput, "'3'"),
        ("/tea 2 milk=1 milk=2", InvalidInput, "given twice"),
        ("/tea 2 milk=NaN", InvalidInput, "'NaN'"),
        ("/tea 2 milk=-1", InvalidInput, "'-1'"),
        ("/tea 2 milk=1e400", InvalidInput, "'1e400'"),
        ("/tea 2 milk=1.500", InvalidInput, "1500"),
    ],
)
def test_a_wrong_argument_is_named_with_an_example_that_would_work(line: str, error: type[AppError], part: str) -> None:
    with pytest.raises(error) as refused:
        parsing.parse(Registry([tea]), line)
    assert part in refused.value.sentence()
    if error is InvalidInput:
        assert "tea 2 milk=1" in refused.value.sentence()


def test_two_commands_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="two commands"):
        Registry([tea, tea])


def test_every_command_belongs_to_a_family_is_explained_and_shows_how_it_is_used() -> None:
    for each in registry().commands:
        assert each.family in FAMILIES
        assert each.summary.endswith(".")
        assert each.examples, each.name
        assert all(parameter.help for parameter in each.parameters if parameter.rest != "words"), each.name


def test_every_example_is_understood_as_its_own_command() -> None:
    wrong = {
        example: understand(example).command
        for each in registry().commands
        for example in each.examples
        if understand(example).command != each.name and each.name not in ("sell", "help", "price")
    }
    assert wrong == {}


def test_whatever_trades_or_changes_people_needs_a_role() -> None:
    trading = {"buy", "sell", "cancel", "panic", "resume", "start", "stop", "reset", "protect", "flatten"}
    trading |= {"limits", "mandate", "split", "arm", "disarm", "replace"}
    trading |= {"oco", "trail", "stoplimit", "bracket", "iceberg", "twap", "vwap", "ladder", "grid"}
    governing = {"people", "allow", "revoke"}
    for each in registry().commands:
        expected = Role.TRADER if each.name in trading else Role.ADMIN if each.name in governing else Role.VIEWER
        assert each.role is expected, each.name


def test_what_moves_money_is_confirmed_and_what_is_private_stays_private() -> None:
    found = {each.name: each for each in registry().commands}
    assert all(found[name].confirm for name in ("buy", "sell", "reset", "protect", "flatten", "stop"))
    shown_to_groups = {each.name for each in registry().commands if not each.private}
    assert shown_to_groups == {
        "price", "chart", "markets", "backtest",
        "causality", "montecarlo", "strategies", "alert", "whoami",
        "claim", "help",
        "indicators", "indicator",
        "sweep", "optimize", "walkforward",
        "book", "best", "arbitrage",
    }  # fmt: skip


def test_no_sentence_template_of_a_command_is_broken() -> None:
    for each in registry().commands:
        for template in each.phrases:
            assert phrases.pattern(template)


def test_the_page_of_commands_is_up_to_date() -> None:
    from core.cli.chat import page

    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == page(registry()), "run make commands-doc"
