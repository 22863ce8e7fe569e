"""Message: one in a chat, with its buttons."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Sent:
    """A message in a chat, as its members see it."""

    id: int
    chat: int
    text: str
    entities: list[dict[str, Any]] = field(default_factory=list)
    buttons: list[list[dict[str, Any]]] = field(default_factory=list)
    photo: bytes | None = None
    document: bytes | None = None
    edits: int = 0
    deleted: bool = False
    by_bot: bool = True

    @property
    def labels(self) -> list[str]:
        return [button["text"] for row in self.buttons for button in row]


def label_in(message: Sent, label: str) -> dict[str, Any] | None:
    """The button whose label holds these words."""
    return next((button for row in message.buttons for button in row if label.lower() in button["text"].lower()), None)
