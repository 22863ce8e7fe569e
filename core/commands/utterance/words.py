"""A line of text as normal words and tokens: digits, coins, amounts, plain words."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from core.commands.utterance import numbers
from core.commands.utterance.coins import FOREIGN, MONEY, SPELLINGS, coin
from core.commands.utterance.numbers import SCALES, SHARES, Amount

LONGEST = 1000  # characters of a line that are read; longer ones are refused, not guessed at

CONTRACTIONS = (
    (r"\b(what|how|where|who|that|it|there|let|here|he|she)'s\b", r"\1 is"),
    (r"\blet is\b", "let us"), (r"\blets\b", "let us"), (r"\b(whats|wats)\b", "what is"), (r"\bhows\b", "how is"),
    (r"\bwheres\b", "where is"),
    (r"\bi'm\b|\bim\b", "i am"), (r"\b(i|you|we|they)'ve\b", r"\1 have"), (r"\b(i|you|we|they|what)'re\b", r"\1 are"),
    (r"\b(i|you|we|they|it|that)'d\b", r"\1 would"), (r"\b(i|you|we|they|it)'ll\b", r"\1 will"),
    (r"\bid like\b", "i would like"),
    (r"\b(?:can't|cannot|cant)\b", "can not"), (r"\b(?:won't|wont)\b", "will not"),
    (r"\b(do|does|did|should|would|could|is|are|was|have|has|must|need|might)n't\b", r"\1 not"),
    (r"\b(do|does|did|should|would|could|is|are|was)nt\b", r"\1 not"),
    (r"\bwanna\b", "want to"), (r"\bgonna\b", "going to"), (r"\bgimme\b", "give me"), (r"\bgotta\b", "have to"),
)  # fmt: skip

TIMEFRAME = re.compile(r"(\d+)(m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days|w|wk|week|weeks)")
NAMED_TIMEFRAMES = {"hourly": "1h", "daily": "1d", "weekly": "1w", "minutely": "1m"}
UNITS = {"minute": "m", "minutes": "m", "min": "m", "mins": "m", "hour": "h", "hours": "h", "hr": "h", "hrs": "h",
         "day": "d", "days": "d", "week": "w", "weeks": "w", "wk": "w"}  # fmt: skip
EDGES = ".,;:!?\"'()[]{}<>…*~`"


@dataclass(frozen=True, slots=True)
class Token:
    """One word with what it may stand for."""

    text: str
    amount: Amount | None = None
    coin: str | None = None
    timeframe: str | None = None


def tidy(line: str) -> str:
    """The line in compatibility form: one kind of digit, quote and dash; control characters gone; single spaces."""
    text = unicodedata.normalize("NFKC", line)
    plain = []
    for character in text:
        category = unicodedata.category(character)
        if category == "Nd":
            plain.append(str(unicodedata.digit(character)))
        elif category == "Cf":
            continue  # zero-width and direction marks
        elif category.startswith("C") or category in ("Zs", "Zl", "Zp"):
            plain.append(" ")
        elif category == "Pd" or character == "−":
            plain.append("-")
        elif character in "’‘`´":
            plain.append("'")
        elif character in "“”„«»":
            plain.append('"')
        else:
            plain.append(character)
    return " ".join("".join(plain).split())


def normal(line: str) -> str:
    """The tidy line in lower case without contractions, as every grammar reads it."""
    text = tidy(line).lower()
    for pattern, replacement in CONTRACTIONS:
        text = re.sub(pattern, replacement, text)
    for spelling, joined in SPELLINGS:
        text = text.replace(spelling, joined)
    return text


def chunks(text: str) -> list[str]:
    """The words of normal text, without punctuation around them; a comma between words becomes a word of its own."""
    found = []
    text = re.sub(r"(?<=\w)([<>]=?)(?=[$\d.])", r" \1 ", text.replace("@", " at "))
    for raw in text.split():
        if raw in ("<", ">", "<=", ">=", "&", "+", "-"):
            found.append(
                {"<": "below", "<=": "below", ">": "above", ">=": "above", "&": "and", "+": "and"}.get(raw, "-")
            )
            continue
        if match := re.fullmatch(r"([<>])=?(.+)", raw):
            found.append("below" if match[1] == "<" else "above")
            raw = match[2]
        word = raw.strip(EDGES)
        if raw.startswith(".") and word.isdigit():
            word = f".{word}"
        if word:
            found.append(word)
        if raw[-1] in ",;" and word:
            found.append(",")
    return found


def split(word: str) -> list[str]:
    """0.1btc as 0.1 and btc; 500usdt as 500 and usdt; every other word as it is."""
    match = re.fullmatch(r"([$€£]?(?:\d[\d.,_]*|\.\d+)k?)([a-z]{3,12})", word)
    if match and (coin(match[2]) or match[2] in MONEY or match[2] in FOREIGN) and numbers.written(match[1]):
        return [match[1], match[2]]
    return [word]


def tokens(text: str) -> list[Token]:
    """The tokens of normal text; numbers carry their scale and unit: '2 thousand dollars' is one token."""
    words = [part for chunk in chunks(text) for part in split(chunk)]
    found: list[Token] = []
    index = 0
    while index < len(words):
        word = words[index]
        taken = amount(words, index)
        if taken:
            value, end = taken
            frame = TIMEFRAME.fullmatch(word) if end == index + 1 else None
            found.append(Token(" ".join(words[index:end]), value, timeframe=frame and timeframe(word)))
            index = end
            continue
        if word == "#" or re.fullmatch(r"#\d+", word):
            word = word.lstrip("#")
        found.append(Token(word, None, coin(word), timeframe(word)))
        index += 1
    return found


def amount(words: list[str], index: int) -> tuple[Amount, int] | None:
    """The amount that starts at words[index], with scale and unit words taken in."""
    value = numbers.written(words[index])
    end = index + 1
    if value is None and words[index] in ("half", "a", "three", "two", "one"):
        share = portion(words, index)
        if share:
            return share
    if value is None:
        spoken = numbers.spoken(words, index)
        if spoken is None:
            return None
        value, end = spoken
    following = words[end] if end < len(words) else ""
    if value.unit in ("", "quote", "foreign") and following in SCALES and following not in ("b", "hundred"):
        value = Amount(value.value * SCALES[following], value.unit, value.text + following, None, value.currency)
        end += 1
    elif (
        value.unit == ""
        and following == "000"
        and value.value < 1000
        and value.value == value.value.to_integral_value()
    ):
        value, end = Amount(value.value * 1000, "", value.text + "000"), end + 1
    following = words[end] if end < len(words) else ""
    if value.value > numbers.LARGEST:
        return None
    if value.unit in ("", "quote") and following in MONEY:
        return Amount(value.value, "quote", value.text, value.other), end + 1
    if value.unit in ("", "foreign") and following in FOREIGN:
        return Amount(value.value, "foreign", value.text, value.other, FOREIGN[following]), end + 1
    if value.unit == "" and following in ("percent", "%", "pct"):
        return Amount(value.value / 100, "share", value.text, None), end + 1
    if value.unit == "" and following == "per" and words[end + 1 : end + 2] == ["cent"]:
        return Amount(value.value / 100, "share", value.text, None), end + 2
    return value, end


def portion(words: list[str], index: int) -> tuple[Amount, int] | None:
    """Shares in words: half, a third, two thirds, three quarters; 'half a' stands for the number 0.5."""
    ahead = words[index : index + 3]
    if ahead[0] == "half":
        if ahead[1:2] in (["a"], ["an"]) and ahead[2:3] != ["million"]:
            return Amount(Decimal("0.5"), "", "half a"), index + 2
        return Amount(Decimal("0.5"), "share", "half"), index + 1
    if len(ahead) > 1 and ahead[1] in SHARES:
        count = {"a": 1, "one": 1, "two": 2, "three": 3}[ahead[0]]
        value = min(Decimal(1), round(SHARES[ahead[1]] * count, 12))
        return Amount(value, "share", " ".join(ahead[:2])), index + 2
    return None


def timeframe(word: str) -> str | None:
    """'4h' of 4h, 4hours, hourly; None for anything else."""
    if word in NAMED_TIMEFRAMES:
        return NAMED_TIMEFRAMES[word]
    match = TIMEFRAME.fullmatch(word)
    if not match or int(match[1]) == 0:
        return None
    return f"{int(match[1])}{UNITS.get(match[2], match[2])}"


def timeframes_joined(text: str) -> str:
    """'4 hour' and 'four hour' as '4h', so that a timeframe is one word."""
    small = "|".join(numbers.ONES) + "|" + "|".join(numbers.TENS)

    def joined(match: re.Match[str]) -> str:
        count = match[1]
        figure = count if count.isdigit() else str(numbers.ONES.get(count, numbers.TENS.get(count, 0)))
        return f"{figure}{UNITS[match[2]]}"

    return re.sub(rf"\b(\d{{1,3}}|{small})[ -]({'|'.join(UNITS)})\b", joined, text)
