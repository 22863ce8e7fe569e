"""Periods in plain words: last year, past 30 days, since march 2024, in 2023."""

import re

SHORT = {"day": "d", "week": "w", "month": "mo", "year": "y"}
ONE = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "3mo", "year": "1y"}
MONTHS = {
    name: number + 1
    for number, name in enumerate(
        ["january", "february", "march", "april", "may", "june",
         "july", "august", "september", "october", "november", "december"]
    )
}  # fmt: skip
MONTHS |= {name[:3]: number for name, number in MONTHS.items()}

LEAD = r"(?:(?:over|for|in|during) )?(?:the )?"
PAST = r"(?:last|past|previous)"
COUNTED = re.compile(rf"{LEAD}(?:{PAST} )?(\d{{1,4}}) ?(day|week|month|year)s?")
SINGLE = re.compile(rf"{LEAD}{PAST} (day|week|month|quarter|year)")
SO_FAR = re.compile(rf"{LEAD}(?:this )?(year|month|week) so far|ytd|year to date")
DATES = re.compile(r"(?:since|from) (\d{4}-\d{2}-\d{2})(?: (?:to|until|till) (\d{4}-\d{2}-\d{2}))?")
YEARS = re.compile(r"(?:since|from) (20\d{2})(?: (?:to|until|till) (20\d{2}))?")
YEAR = re.compile(r"(?:(?:in|during|over|for) )(20\d{2})")
MONTH = re.compile(rf"(?:since|from) ({'|'.join(MONTHS)}) (20\d{{2}})")
PATTERNS = (COUNTED, SINGLE, SO_FAR, DATES, YEARS, YEAR, MONTH)


def period_in(text: str) -> tuple[str, str] | None:
    """The period named in the text as 1y, 6mo, this year or FROM..TO, and the text without it."""
    for pattern in PATTERNS:
        match = re.search(rf"(?<!\S)(?:{pattern.pattern})(?!\S)", text)
        if match:
            return written(pattern, match), f"{text[: match.start()]} {text[match.end() :]}"
    return None


def written(pattern: re.Pattern[str], match: re.Match[str]) -> str:
    """The canonical form of what the pattern found."""
    first = match[1]
    if pattern is COUNTED:
        return f"{first}{SHORT[match[2]]}"
    if pattern is SINGLE:
        return ONE[first]
    if pattern is SO_FAR:
        return f"this {first or 'year'}"
    if pattern is DATES:
        return f"{first}..{match[2] or ''}"
    if pattern is YEARS:
        return f"{first}-01-01..{match[2] + '-12-31' if match[2] else ''}"
    if pattern is YEAR:
        return f"{first}-01-01..{first}-12-31"
    return f"{match[2]}-{MONTHS[first]:02d}-01.."
