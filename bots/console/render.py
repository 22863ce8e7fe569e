"""Replies in a terminal: paragraphs, tables, charts in characters, previews."""

import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text as Styled

from bots.console.plot import plot
from core.reply import Block, Chart, Choice, Choices, Confirm, Facts, File, Form, Progress, Reply, Table, Text

GAP = 3  # cells between two columns
LONG_WORD = 16  # cells; longer words in tables may be broken
TONES = {"plain": "", "good": "green", "bad": "red", "warning": "yellow"}


def show(console: Console, reply: Reply, pictures: dict[int, Path] | None = None) -> None:
    """Prints the reply. pictures: where each chart and file was saved, by its place in the reply."""
    for place, block in enumerate(reply):
        for part in rendered(block, console.width, (pictures or {}).get(place)):
            console.print(part, markup=False, highlight=False)


def rendered(block: Block, width: int, picture: Path | None = None) -> list[RenderableType]:
    """What to print for a block."""
    match block:
        case Text(message, tone):
            return [Styled(clean(message), TONES[tone])]
        case Facts(title, facts, note):
            parts: list[RenderableType] = [Styled(clean(title), "bold"), pairs(facts)]
            return [*parts, Styled(clean(note), "dim")] if note else parts
        case Table():
            return table(block, width)
        case Chart():
            heading = clean(block.title) + (f"  [{block.label}]" if block.label else "")
            parts = [Styled(heading, "bold"), plot(block, width), Styled(clean(block.alt), "dim")]
            return [*parts, Styled(f"Picture: {picture}", "dim")] if picture else parts
        case Choices(question, choices):
            lines = [Styled(clean(question))]
            lines += [Styled(f"  {number}  {label(choice)}") for number, choice in enumerate(choices, 1)]
            return list(lines)
        case Confirm():
            return confirm(block)
        case File(name):
            kept = f"{clean(name)} is in {picture}" if picture else f"{clean(name)} could not be written."
            return [Styled(kept)]
        case Progress():
            return [Styled(progress_line(block), "dim")]
        case Form(title, command, fields):
            named = " ".join(f"{field.name}={clean(field.default) or '…'}" for field in fields if field.required)
            lines = [Styled(clean(title)), *(Styled(f"  {field.name}: {clean(field.label)}") for field in fields)]
            return [*lines, Styled(f"Write: {command} {named}".rstrip(), "dim")]


def confirm(block: Confirm) -> list[RenderableType]:
    """A preview, with how to answer it."""
    heading = f"{clean(block.question)}" + (f"  [{block.mode}]" if block.mode else "")
    parts: list[RenderableType] = [Styled(heading, "bold"), pairs(block.facts)]
    parts += [Styled(f"! {clean(warning)}", "yellow") for warning in block.warnings]
    return [*parts, Styled(f"Write yes to {lowered(block.yes)}, or no. It waits {block.expires_in} seconds.")]


def table(block: Table, width: int) -> list[RenderableType]:
    """A table, or the sentence for an empty one; where the numbers do not fit beside each other, row after row."""
    if not block.rows:
        return [Styled(clean(block.title), "bold"), Styled(clean(block.empty))]
    if narrowest(block) > width:
        return [Styled(clean(block.title), "bold"), *(part for row in block.rows for part in record(block, row))]
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for number, (name, wide) in enumerate(zip(block.columns, widths(block, width), strict=True)):
        justify: Literal["left", "right"] = "right" if number in block.numeric else "left"
        grid.add_column(Styled(clean(name)), justify=justify, overflow="fold", width=wide)
    for row in block.rows:
        grid.add_row(*(Styled(clean(value)) for value in row))
    return [Styled(clean(block.title), "bold"), grid]


def narrowest(block: Table) -> int:
    """The width in which no number is broken and text keeps its longest word."""
    columns = range(len(block.columns))
    return sum(shortest(block, number) for number in columns) + GAP * (len(columns) - 1)


def shortest(block: Table, number: int) -> int:
    """The least width of a column: of numbers the longest one, of text the longest word, folded where it is long."""
    header, cells = clean(block.columns[number]), [clean(row[number]) for row in block.rows]
    numeric = number in block.numeric
    words = [*header.split(), *([] if numeric else [word for cell in cells for word in cell.split()])]
    text = min(LONG_WORD, max(map(cell_len, words), default=0))
    return max(text, *map(cell_len, cells)) if numeric else text


def widths(block: Table, width: int) -> list[int]:
    """How wide each column is: what it needs, as far as there is room; the widest texts give way first."""
    columns = range(len(block.columns))
    least = [shortest(block, number) for number in columns]
    found = [max(cell_len(clean(row[number])) for row in (block.columns, *block.rows)) for number in columns]
    while sum(found) + GAP * (len(found) - 1) > width:
        widest = max((number for number in columns if found[number] > least[number]), key=found.__getitem__)
        found[widest] -= 1
    return found


def record(block: Table, row: Sequence[str]) -> list[RenderableType]:
    """A row under its first cell, a line for each other one."""
    first, *rest = row
    return [Styled(clean(first)), pairs(list(zip(block.columns[1:], rest, strict=True)))]


def pairs(facts: Sequence[tuple[str, str]]) -> Grid:
    """Names and values in two columns."""
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Styled(f"  {clean(name)}"), Styled(clean(value)))
    return grid


def label(choice: Choice) -> str:
    """A choice with the line it stands for, unless that says the same or is a token."""
    said = clean(choice.label)
    return (
        said
        if choice.line.startswith(("yes ", "no ")) or choice.line == choice.label
        else f"{said}  ({clean(choice.line)})"
    )


def lowered(words: str) -> str:
    """'Buy BTC' as 'buy BTC'."""
    return words[:1].lower() + words[1:]


def progress_line(block: Progress) -> str:
    """'Testing … 42 %, 3 s left'."""
    text = clean(block.text)
    if block.fraction is not None:
        text += f" {block.fraction:.0%}".replace("%", " %")
    if block.eta is not None and math.isfinite(block.eta) and block.eta >= 1:
        text += f", {block.eta:.0f} s left"
    return text


def clean(text: str) -> str:
    """The text without control characters: nothing that arrives may move the cursor or recolour the terminal."""
    return "".join(c for c in text if c == "\n" or not unicodedata.category(c).startswith("C"))
