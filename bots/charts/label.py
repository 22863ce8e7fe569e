"""Label: numbers and words as they stand on a picture."""

import math


def amount(value: float, span: float) -> str:
    """A tick's number: as many decimals as tell neighbours on the axis apart, thousands grouped, millions as 1.2M."""
    size = max(abs(value), abs(span))
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if size >= limit:
            return f"{_unsigned_zero(round(value / limit, 2)):,.2f}".rstrip("0").rstrip(".") + letter
    digits = max(0, 2 - math.floor(math.log10(span))) if span > 0 else 2
    digits = 0 if size >= 10_000 and digits <= 1 else min(digits, 10)
    return f"{_unsigned_zero(round(value, digits)):,.{digits}f}"


def _unsigned_zero(value: float) -> float:
    return 0.0 if value == 0 else value


def plain_math(text: str) -> str:
    """Text whose dollar signs Matplotlib shows instead of reading formulas between them."""
    return text.replace("$", r"\$")
