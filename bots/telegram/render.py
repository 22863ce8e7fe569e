"""Replies as Telegram messages: escaped HTML, tables that fit a phone, buttons, pictures."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bots.telegram.text import CAPTION, LIMIT, Span, shortened, split
from core.reply import Chart, Choices, Confirm, Facts, File, Form, Progress, Reply, Table, Text, Tone

WIDTH = 36  # monospace letters in a line on a phone
LABEL = 40  # letters of a button that a phone shows
SIGNS: dict[Tone, str] = {"plain": "", "good": "✅ ", "bad": "⛔ ", "warning": "⚠️ "}


@dataclass(frozen=True, slots=True)
class Button:
    """What a button says, and the line that pressing it stands for."""

    label: str
    line: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send: text with buttons, or a chart or a file whose caption the text is."""

    spans: tuple[Span, ...]
    rows: tuple[tuple[Button, ...], ...] = ()
    chart: Chart | None = None
    file: File | None = None


def render(reply: Reply) -> list[Message]:
    """The messages of a reply, in order. Blocks share a message until one carries buttons or a picture."""
    messages: list[Message] = []
    current: list[Span] = []

    def close(rows: tuple[tuple[Button, ...], ...] = ()) -> None:
        parts = split(current, LIMIT)
        for number, part in enumerate(parts, 1):
            messages.append(Message(part, rows if number == len(parts) else ()))
        current.clear()

    for block in reply:
        if isinstance(block, Chart):
            close()
            messages.append(Message(caption(block), chart=block))
            continue
        if isinstance(block, File):
            close()
            messages.append(Message((Span(shortened(block.name, 200)),), file=block))
            continue
        if current:
            current.append(Span("\n\n"))
        match block:
            case Text():
                current += [Span(SIGNS[block.tone] + block.text)]
            case Facts():
                current += facts(block)
            case Table():
                current += table(block)
            case Choices():
                current += [Span(block.question or "Please choose:")]
                close(in_rows(Button(choice.label, choice.line) for choice in block.choices))
            case Confirm():
                current += confirm(block)
                yes, no = Button(f"✅ {block.yes}", f"yes {block.token}"), Button(f"✖️ {block.no}", f"no {block.token}")
                close(((yes, no),))
            case Form():
                current += form(block)
            case Progress():
                current += [Span(progress(block))]
    close()
    return messages


def caption(chart: Chart) -> tuple[Span, ...]:
    """Title, label and the sentence that says what is to be seen, within a caption's limit."""
    title = shortened(" · ".join(filter(None, [chart.title, chart.label])), 200)
    alt = shortened(chart.alt, CAPTION - 210)
    return (Span(title, "b"), Span("\n" + alt)) if alt else (Span(title, "b"),)


def facts(block: Facts) -> list[Span]:
    """A title over aligned names and values."""
    spans = [Span(block.title, "b"), Span("\n")] if block.title else []
    if block.facts:
        spans += [Span(aligned(block.facts), "pre")]
    if block.note:
        spans += [Span("\n"), Span(block.note, "i")]
    return spans


def aligned(pairs: Iterable[tuple[str, str]], width: int = WIDTH, indent: str = "") -> str:
    """Names left, values in a column; a value too long for its column continues below it."""
    pairs = [(one_line(name), one_line(value)) for name, value in pairs]
    names = min(max((len(name) for name, _ in pairs), default=0), width // 2)
    lines = []
    for name, value in pairs:
        room = max(width - names - 2 - len(indent), 10)
        wrapped = textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) or [""]
        if len(name) > names:
            lines.append(indent + name)
            name = ""
        lines.append(f"{indent}{name:<{names}}  {wrapped[0]}".rstrip())
        lines += [f"{indent}{'':<{names}}  {more}" for more in wrapped[1:]]
    return "\n".join(lines)


def table(block: Table) -> list[Span]:
    """Columns where they fit a phone, else one row below the other with its columns' names."""
    spans = [Span(block.title, "b"), Span("\n")] if block.title else []
    if not block.rows:
        return [*spans, Span(block.empty)]
    rows = [tuple(one_line(cell) for cell in row) for row in block.rows]
    columns = tuple(one_line(column) for column in block.columns)
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= WIDTH:
        lines = [in_columns(row, widths, block.numeric) for row in (columns, *rows)]
        lines.insert(1, "─" * min(WIDTH, sum(widths) + 2 * (len(widths) - 1)))
        return [*spans, Span("\n".join(lines), "pre")]
    stacked = [f"{row[0]}\n{aligned(zip(columns[1:], row[1:], strict=True), WIDTH, ' ')}" for row in rows]
    return [*spans, Span("\n\n".join(stacked), "pre")]


def in_columns(row: Sequence[str], widths: Sequence[int], numeric: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if index in numeric else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def confirm(block: Confirm) -> list[Span]:
    """The preview: mode, question, numbers, warnings, and how long it holds."""
    spans = [Span(block.mode, "b"), Span(" · ")] if block.mode else []
    spans += [Span(block.question, "b"), Span("\n")]
    if block.facts:
        spans += [Span(aligned(block.facts), "pre"), Span("\n")]
    spans += [Span(f"{SIGNS['warning']}{warning}\n") for warning in block.warnings]
    return [*spans, Span(f"Valid for {block.expires_in} seconds. Press a button, or write yes or no.", "i")]


def form(block: Form) -> list[Span]:
    """How to type the command."""
    words = [f"/{block.command}"]
    spans = [Span(block.title, "b"), Span("\nWrite it like this:\n")]
    lines = []
    for field in block.fields:
        sample = field.default or (field.choices[0] if field.choices else field.name.upper())
        words.append(f"{field.name}={sample}" if field.required or field.default else f"[{field.name}={sample}]")
        choices = f" ({', '.join(field.choices)})" if field.choices else ""
        lines.append(f"\n{field.name}: {field.label}{choices}{'' if field.required else ', may be left out'}")
    return [*spans, Span(" ".join(words), "code"), *(Span(line) for line in lines)]


def progress(block: Progress) -> str:
    """⏳ Backtest ▓▓▓▓░░░░░░ 40 %, 12 s left"""
    if block.fraction is None:
        return f"⏳ {block.text}"
    done = min(max(block.fraction, 0.0), 1.0)
    bar = "▓" * round(done * 10) + "░" * (10 - round(done * 10))
    left = f", {block.eta:.0f} s left" if block.eta is not None and block.eta >= 1 else ""
    return f"⏳ {block.text}\n{bar} {done * 100:.0f} %{left}"


def in_rows(buttons: Iterable[Button]) -> tuple[tuple[Button, ...], ...]:
    """Short buttons two or three in a row, long ones in a row of their own; at most a hundred."""
    rows: list[list[Button]] = []
    for button in list(buttons)[:100]:
        button = Button(shortened(one_line(button.label), LABEL) or "…", button.line)
        beside = rows[-1] if rows else []
        if beside and len(beside) < 3 and sum(len(each.label) for each in (*beside, button)) <= 26:
            beside.append(button)
        else:
            rows.append([button])
    return tuple(tuple(row) for row in rows)


def one_line(text: str) -> str:
    return " ".join(text.split())
