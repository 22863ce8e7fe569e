"""Numbers as people write and speak them: 60k, $1,150.50, one and a half, 25 percent, two thirds."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from core.money import plain

Unit = Literal["", "quote", "foreign", "share"]

LARGEST = Decimal(10) ** 13
SCALES = {
    "k": Decimal(1000), "m": Decimal(10**6), "mn": Decimal(10**6), "mio": Decimal(10**6), "b": Decimal(10**9),
    "bn": Decimal(10**9), "thousand": Decimal(1000), "grand": Decimal(1000), "million": Decimal(10**6),
    "millions": Decimal(10**6), "billion": Decimal(10**9), "hundred": Decimal(100),
}  # fmt: skip
COUNTING = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
ONES = {word: number for number, word in enumerate(COUNTING)}
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
SHARES = {
    "half": Decimal("0.5"), "halves": Decimal("0.5"), "third": Decimal(1) / 3, "thirds": Decimal(1) / 3,
    "quarter": Decimal("0.25"), "quarters": Decimal("0.25"), "fifth": Decimal("0.2"), "fifths": Decimal("0.2"),
    "tenth": Decimal("0.1"), "tenths": Decimal("0.1"),
}  # fmt: skip
WRITTEN = re.compile(r"([$€£¥])?(\d[\d.,_]*|\.\d+)(k|m|mn|mio|bn|b)?([$€£¥])?(%)?")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit. other: a second way to read the digits, where both are common."""

    value: Decimal
    unit: Unit = ""
    text: str = ""
    other: Decimal | None = None
    currency: str = ""  # of a foreign amount


def digits(text: str) -> tuple[Decimal, Decimal | None] | None:
    """The number that digits, points and commas stand for, and its other reading if people mean either."""
    text = text.replace("_", "")
    if re.fullmatch(r"\d+", text):
        return Decimal(text), None
    if match := re.fullmatch(r"(\d*)\.(\d+)", text):
        number = Decimal(text)
        # Nobody needs the last zero of 1.150 or 60.000 as decimals: it may as well be a group of thousands.
        grouped = re.fullmatch(r"[1-9]\d{0,2}\.\d\d0", text)
        return number, Decimal(match[1] + match[2]) if grouped else None
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text):
        return Decimal(text.replace(",", "")), None
    if re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+,\d+|[1-9]\d{0,2}(\.\d{3}){2,}", text):
        return Decimal(text.replace(".", "").replace(",", ".")), None
    if re.fullmatch(r"\d+,\d+", text):
        return Decimal(text.replace(",", ".")), None
    return None


def written(chunk: str) -> Amount | None:
    """The amount that one word of digits stands for: 60k, $500, 2k$, 10%, 1,150.50."""
    match = WRITTEN.fullmatch(chunk)
    if not match:
        return None
    before, figure, scale, after, percent = match.groups()
    read = digits(figure.rstrip(".,"))
    if read is None or (before and after):
        return None
    value, other = read
    if scale:
        value, other = value * SCALES[scale], None
    if value > LARGEST:
        return None
    sign = before or after
    if percent:
        return None if sign or scale else Amount(value / 100, "share", chunk, None if other is None else other / 100)
    if sign == "$":
        return Amount(value, "quote", chunk, other)
    if sign:
        return Amount(value, "foreign", chunk, other, {"€": "euros", "£": "pounds", "¥": "yen"}[sign])
    return Amount(value, "", chunk, other)


def spoken(words: list[str], start: int) -> tuple[Amount, int] | None:
    """The amount spoken from words[start] on, and where it ends; None when no number starts there."""
    index, seen, point = start, False, False
    total = current = Decimal(0)
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else ""
        parts = word.split("-")
        if len(parts) == 2 and parts[0] in TENS and parts[1] in ONES:
            current, seen = current + TENS[parts[0]] + ONES[parts[1]], True
        elif word in ONES and (not seen or fits(current, ONES[word], total)):
            current, seen = current + ONES[word], True
        elif word in TENS and (not seen or fits(current, TENS[word], total)):
            current, seen = current + TENS[word], True
        elif word in ("a", "an") and not seen and following in ("hundred", "thousand", "million"):
            current, seen = Decimal(1), True
        elif word == "hundred" and seen:
            current = (current or Decimal(1)) * 100
        elif word in ("thousand", "grand", "million", "billion") and seen:
            total, current = total + (current or Decimal(1)) * SCALES[word], Decimal(0)
        elif word == "and" and seen and (current >= 100 or total) and (following in ONES or following in TENS):
            pass
        elif word == "and" and seen and words[index + 1 : index + 3] in (["a", "half"], ["a", "quarter"]):
            current += SHARES[words[index + 2]]
            index += 3
            break
        elif word == "point" and seen and following in ONES:
            fraction = ""
            index += 1
            while index < len(words) and words[index] in ONES and ONES[words[index]] < 10:
                fraction += str(ONES[words[index]])
                index += 1
            if not fraction:
                return None
            current, point = current + Decimal(f"0.{fraction}"), True
            break
        else:
            break
        index += 1
    if not seen:
        return None
    if point and index < len(words) and words[index] in ("thousand", "million"):
        current, index = current * SCALES[words[index]], index + 1
    value = total + current
    return (Amount(value, "", plain(value)), index) if value <= LARGEST else None


def fits(current: Decimal, value: int, total: Decimal) -> bool:
    """Whether a further word belongs to the same number: 'sixty five' and 'two hundred five', but not 'two five'."""
    if current == 0:
        return bool(total)
    return current % 100 == 0 if value >= 10 else current % 10 == 0 and current % 100 != 10
