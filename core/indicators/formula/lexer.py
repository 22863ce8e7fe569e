"""The words of a formula: numbers, names, signs and quoted texts, each with its place."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from core.indicators.formula.errors import FormulaError
from core.market.timeframes import TIMEFRAMES

LONGEST = 4_000  # characters of a formula
LONGEST_NAME = 40

Kind = Literal["number", "name", "word", "sign", "end"]

SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
NUMBER = re.compile(r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?%?")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
SIGN = re.compile(r"\*\*|\.\.|==|!=|<=|>=|[-+*/^()\[\],.;:=<>]")

MEANT = {
    "!": "Write not.", "&": "Write and.", "|": "Write or.", "~": "Write not.", "$": "Write the name without $.",
    "%": "Write 5% without a space, or mod(a, b) for what a division leaves.", "{": "Write (.", "}": "Write ).",
    "≥": "Write >=.", "≤": "Write <=.", "≠": "Write !=.", "×": "Write *.", "÷": "Write /.", "·": "Write *.",
    "−": "Write -.", "–": "Write -.", "—": "Write -.", "“": 'Write ".', "”": 'Write ".', "‘": "Write '.",
    "’": "Write '.", "`": "Write '.", "\xa0": "Write an ordinary space.", "∧": "Write and.", "∨": "Write or.",
    "¬": "Write not.", "√": "Write sqrt(…).", "?": "Write if(condition, a, b).", "@": 'Write at("4h", …).',
}  # fmt: skip
ALIKE = dict(
    zip(
        "асеорхуіјѕԛԝɡαενοιρτυκωΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТХ",
        "aceopxyijsqwgaevoiptukwABEZHIKMNOPTYXABEKMHOPCTX",
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the formula. text: names in lower case, quoted texts without their quotes."""

    kind: Kind
    text: str
    at: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words, the last one of kind `end`. Raises FormulaError at the first character that is none."""
    if len(text) > LONGEST:
        raise FormulaError(f"A formula has at most {LONGEST:,} characters, and this one {len(text):,}", text, LONGEST)
    found: list[Token] = []
    at = 0
    while at < len(text):
        if space := SPACE.match(text, at):
            at = space.end()
        elif match := NUMBER.match(text, at):
            if after := NAME.match(text, match.end()):
                wrong = (match[0] + after[0])[:LONGEST_NAME]
                hint = f'A timeframe stands in quotes: "{wrong}".' if wrong.lower() in TIMEFRAMES else None
                raise FormulaError(f"'{wrong}' is neither a number nor a name", text, at, hint=hint)
            found.append(Token("number", match[0], at, match.end()))
            at = match.end()
        elif match := NAME.match(text, at):
            if len(match[0]) > LONGEST_NAME:
                raise FormulaError(f"A name has at most {LONGEST_NAME} characters", text, at)
            found.append(Token("name", match[0].lower(), at, match.end()))
            at = match.end()
        elif match := QUOTED.match(text, at):
            found.append(Token("word", match[0][1:-1], at, match.end()))
            at = match.end()
        elif match := SIGN.match(text, at):
            found.append(Token("sign", match[0], at, match.end()))
            at = match.end()
        else:
            raise _unexpected(text, at)
    found.append(Token("end", "", len(text), len(text)))
    return found


def _unexpected(text: str, at: int) -> FormulaError:
    character = text[at]
    if character in "\"'":
        return FormulaError(f"The text that begins with {character} has no {character} at its end", text, at)
    if character in ALIKE:
        named = unicodedata.name(character, "another letter").lower()
        return FormulaError(
            f"'{character}' is a {named}, which only looks like '{ALIKE[character]}'",
            text, at, hint=f"Write the Latin {ALIKE[character]}.",
        )  # fmt: skip
    named = unicodedata.name(character, f"code {ord(character)}").lower()
    told = f"'{character}'" if character.isprintable() and not character.isspace() else f"The {named}"
    explained = "" if character.isascii() or told.startswith("The") else f" ({named})"
    return FormulaError(f"{told}{explained} has no meaning in a formula", text, at, hint=MEANT.get(character))
