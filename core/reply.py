"""What a command answers: blocks of meaning that every surface renders in its own way.

A command never formats, escapes or sends. Numbers arrive as text already rounded by `core.wording`
only where a block's field is text; a Chart carries arrays. `to_json` / `from_json` carry a reply over a socket.
"""

import base64
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["plain", "good", "bad", "warning"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph of plain text (no markup: surfaces escape it)."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Named values, in order: a ticket, a balance, statistics."""

    title: str
    facts: tuple[tuple[str, str], ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names. numeric: indexes of columns to align right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    empty: str = "Nothing to show."


@dataclass(frozen=True, slots=True)
class Series:
    """One drawing in a pane, over int64 ms times.

    kind candles: values (n, 4) open high low close; line, area, histogram: values (n,) with NaN as gaps;
    markers: values (n,) prices, labels (n,) such as "buy" or "sell".
    """

    kind: Literal["candles", "line", "area", "histogram", "markers"]
    name: str
    times: Sequence[int]
    values: Sequence[Any]
    labels: Sequence[str] = ()
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Pane:
    """Series that share a vertical axis; weight is the pane's share of the height."""

    series: tuple[Series, ...]
    weight: float = 1.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Panes above each other that share the time axis. label, if any, is stamped on it (SIMULATED)."""

    title: str
    panes: tuple[Pane, ...]
    label: str | None = None
    alt: str = ""  # one sentence for screen readers and terminals


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: what it says and the command line it stands for."""

    label: str
    line: str


@dataclass(frozen=True, slots=True)
class Choices:
    """A question with buttons; each button is the same as typing its line."""

    question: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """A preview that waits for yes or no. token is single-use; the surface sends `yes TOKEN` or `no TOKEN`.

    mode: PAPER or LIVE, shown in the preview always
    expires_in: seconds until the confirmation is void
    """

    token: str
    question: str
    facts: tuple[tuple[str, str], ...]
    mode: Literal["PAPER", "LIVE", ""] = ""
    warnings: tuple[str, ...] = ()
    expires_in: int = 60
    yes: str = "Confirm"
    no: str = "Cancel"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where long work stands. fraction in [0, 1] or None when unknown; replaces the previous Progress of its reply."""

    text: str
    fraction: float | None = None
    eta: float | None = None  # seconds left, None when unknown


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a Form. kind: text, number, choice."""

    name: str
    label: str
    kind: Literal["text", "number", "choice"] = "text"
    default: str = ""
    choices: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    """Inputs for a command; surfaces without forms show how to type it."""

    title: str
    command: str
    fields: tuple[Field, ...]
    submit: str = "Run"


@dataclass(frozen=True, slots=True)
class File:
    """A file to keep: a report, a table. data: base64, so that it travels as JSON; `content` is the bytes."""

    name: str
    mime: str
    data: str

    @classmethod
    def of(cls, name: str, mime: str, content: bytes) -> "File":
        """The block for these bytes."""
        return cls(name, mime, base64.b64encode(content).decode("ascii"))

    @property
    def content(self) -> bytes:
        return base64.b64decode(self.data)


Block = Text | Facts | Table | Chart | Choices | Confirm | Progress | Form | File
Reply = Sequence[Block]

_TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (Text, Facts, Table, Series, Pane, Chart, Choice, Choices, Confirm, Progress, Field, Form, File)
}


def to_json(value: Any) -> Any:
    """Blocks (or a sequence of them) as JSON values; NaN becomes null; numpy arrays become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (item.name for item in dataclasses.fields(value))
        return {"type": type(value).__name__} | {name: to_json(getattr(value, name)) for name in names}
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return value


def from_json(value: Any) -> Any:
    """The inverse of to_json for blocks: lists become tuples, null inside a series' values stays None."""
    if isinstance(value, dict) and value.get("type") in _TYPES:
        return _TYPES[value["type"]](**{name: from_json(item) for name, item in value.items() if name != "type"})
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    return value


def text(message: str, tone: Tone = "plain") -> list[Block]:
    """A reply of one paragraph."""
    return [Text(message, tone)]


__all__ = [
    "Block", "Chart", "Choice", "Choices", "Confirm", "Facts", "Field", "File", "Form", "Pane", "Progress", "Reply",
    "Series", "Table", "Text", "Tone", "from_json", "text", "to_json",
]  # fmt: skip
