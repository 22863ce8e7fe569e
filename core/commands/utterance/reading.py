"""What a sentence was understood to mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.money import plain
from core.reply import Choice


@dataclass(frozen=True, slots=True)
class Understood:
    """A command with canonical arguments, or a question when the meaning is open, or neither when nothing fits.

    choices: the readings as lines that would be understood
    expects: a line with '{}' that the next bare value of the caller completes
    """

    command: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    question: str | None = None
    choices: tuple[Choice, ...] = ()
    expects: str | None = None

    def document(self) -> dict[str, Any]:
        """As `orchestrator understand --json` prints it."""
        return {"command": self.command, "arguments": dict(self.arguments), "question": self.question}


def ask(question: str, *lines: str, expects: str | None = None) -> Understood:
    """A question; each line is offered as a choice."""
    return Understood(question=question, choices=tuple(Choice(line, line) for line in lines), expects=expects)


def shown(value: Decimal) -> str:
    """A number for a question: 1,150 or 0.15."""
    whole, _, rest = plain(value).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "")
