"""Styled text as Telegram counts and parses it: HTML with few tags, 4096 UTF-16 units a message."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

LIMIT = 4096  # "Text of the message to be sent, 1-4096 characters after entities parsing"
CAPTION = 1024  # "Photo caption, 0-1024 characters after entities parsing"
ENTITIES = 90  # of a message; beyond 100 Telegram ignores further formatting

Style = Literal["", "b", "i", "pre", "code"]


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style. Styles do not nest."""

    text: str
    style: Style = ""

    def html(self) -> str:
        """Escaped, inside its tag."""
        escaped = html.escape(self.text, quote=False)
        return f"<{self.style}>{escaped}</{self.style}>" if self.style else escaped


def units(text: str) -> int:
    """Length in UTF-16 code units, as Telegram counts: an emoji is two."""
    return len(text) + sum(1 for letter in text if ord(letter) > 0xFFFF)


def markup(spans: Iterable[Span]) -> str:
    """The spans as HTML for parse_mode HTML."""
    return "".join(span.html() for span in spans if span.text)


def visible(spans: Iterable[Span]) -> str:
    """The text without styles."""
    return "".join(span.text for span in spans)


def split(spans: Sequence[Span], limit: int = LIMIT) -> list[tuple[Span, ...]]:
    """The spans in parts of at most `limit` units each, cut at a line's end, else between words, else anywhere.

    Nothing but white space at a cut is lost; parts of nothing but white space are left out.
    """
    parts: list[tuple[Span, ...]] = []
    current: list[Span] = []
    room, tags = limit, ENTITIES
    waiting = [span for span in spans if span.text][::-1]
    while waiting:
        span = waiting.pop()
        styled = 1 if span.style else 0
        if units(span.text) <= room and styled <= tags:
            current.append(span)
            room -= units(span.text)
            tags -= styled
            continue
        at = cut(span.text, room, fresh=not current) if styled <= tags else 0
        if at:
            current.append(replace(span, text=span.text[:at].rstrip()))
        rest = span.text[at:]
        waiting.append(replace(span, text=rest.lstrip("\n") if span.style == "pre" else rest.lstrip()))
        if not waiting[-1].text:
            waiting.pop()
        parts.append(tuple(current))
        current, room, tags = [], limit, ENTITIES
    parts.append(tuple(current))
    return [trimmed for part in parts if visible(trimmed := trim(part))]


def cut(text: str, room: int, fresh: bool) -> int:
    """Where to cut the text so that its head fits into `room` units; 0 for not at all (only when not fresh)."""
    fits, used = 0, 0
    for letter in text:
        used += 2 if ord(letter) > 0xFFFF else 1
        if used > room:
            break
        fits += 1
    if fits == len(text) or text[fits].isspace():
        return fits
    head = text[:fits]
    for separator in ("\n", " "):
        at = head.rfind(separator)
        if at > 0 and (separator == " " or at > fits // 2 or not fresh):
            return at + 1
    return fits if fresh else 0  # one long word: it starts in a message of its own, and is cut there


def trim(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Without white space at both ends, which Telegram would take off as well."""
    found = [span for span in spans if span.text]
    while found and not found[-1].text.strip():
        found.pop()
    while found and not found[0].text.strip():
        found.pop(0)
    if found:
        last = found[-1]
        found[-1] = replace(last, text=last.text.rstrip())
        if found[0].style != "pre":
            found[0] = replace(found[0], text=found[0].text.lstrip())
    return tuple(found)


def shortened(text: str, limit: int) -> str:
    """At most `limit` units, cut between words and ended by an ellipsis."""
    if units(text) <= limit:
        return text
    return text[: cut(text, limit - 1, fresh=True)].rstrip() + "…"
