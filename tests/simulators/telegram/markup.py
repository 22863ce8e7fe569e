"""Markup: a text with HTML tags as the service reads it."""

import re
from typing import Any

from tests.simulators.telegram.refusal import bad_entities

# "Only the tags mentioned above are currently supported."
TAGS = frozenset(re.split(" ", "b strong i em u ins s strike del code pre a span tg-spoiler tg-emoji blockquote"))
NAMED = {
    "lt": "<",
    "gt": ">",
    "amp": "&",
    "quot": '"',
}  # "The API currently supports only the following named HTML entities"


def units(text: str) -> int:
    """ "offset: Offset in UTF-16 code units to the start of the entity" – lengths of texts are counted alike."""
    return len(text.encode("utf-16-le")) // 2


def parse_html(source: str) -> tuple[str, list[dict[str, Any]]]:
    """The text and its entities, or the error of the real server.

    "All <, > and & symbols that are not a part of a tag or an HTML entity must be replaced with the corresponding HTML
    entities (< with &lt;, > with &gt; and & with &amp;)."
    """
    kinds = {
        "b": "bold",
        "strong": "bold",
        "i": "italic",
        "em": "italic",
        "code": "code",
        "pre": "pre",
        "u": "underline",
    }
    text, entities, opened, at = "", [], [], 0
    for match in re.finditer(r"<(/?)([^<>]*)>|&(#\d+|#x[0-9a-fA-F]+|\w+);|<", source):
        text += source[at : match.start()]
        at = match.end()
        offset = len(source[: match.start()].encode())
        if match[3]:
            name = match[3]
            if name.startswith("#"):
                text += chr(int(name[2:], 16) if name[1] in "xX" else int(name[1:]))
            else:
                text += NAMED.get(name, match[0])
        elif match[2] is None:
            raise bad_entities(f'Unsupported start tag "" at byte offset {offset}')
        elif match[1]:
            name = match[2].strip().lower()
            if not opened:
                raise bad_entities(f"Unexpected end tag at byte offset {offset}")
            expected, start = opened.pop()
            if name not in ("", expected):
                raise bad_entities(
                    f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{name}>"'
                )
            if units(text) > start:
                kind = kinds.get(expected, expected)
                entities.append({"type": kind, "offset": start, "length": units(text) - start})
        else:
            name = match[2].split()[0].lower() if match[2].split() else ""
            if name not in TAGS:
                raise bad_entities(f'Unsupported start tag "{name}" at byte offset {offset}')
            opened.append((name, units(text)))
    text += source[at:]
    if opened:
        raise bad_entities(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return text, entities
