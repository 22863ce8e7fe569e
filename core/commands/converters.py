"""Argument texts as canonical texts, and canonical texts as values."""

import re
import typing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

from core.commands.context import Services
from core.commands.registry import Command, Parameter
from core.commands.utterance import words
from core.commands.utterance.coins import MONEY, ticker
from core.errors import InvalidInput, Unavailable
from core.market.instrument import Instrument
from core.money import plain

Share = NewType("Share", Decimal)  # a fraction of something, written 50%, half, all or 0.5
Timeframe = NewType("Timeframe", str)
Verbatim = NewType("Verbatim", str)  # the rest of the line as it is written: quotes, signs and all
Period = NewType("Period", str)  # 30d, 6mo, 1y, this month, 2024-01-01..2024-12-31

HOURLY = Timeframe("1h")
TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")


def canonical(parameter: Parameter, text: str) -> str:
    """The argument in the form that `understand` shows. Raises InvalidInput with the offending value."""
    text = text.strip()
    kind = parameter.kind
    if kind is Instrument:
        symbol = ticker(text)
        if symbol is None:
            raise InvalidInput(
                f"'{text[:40]}' is not a coin or a pair.", hint="Write it like btc, ETH or BTC/USDT.", value=text[:40]
            )
        return symbol
    if kind is Decimal:
        return plain(number(text, parameter.name))
    if kind is Share:
        return plain(share(text, parameter.name))
    if kind is int:
        if not re.fullmatch(r"#?\d{1,9}", text):
            raise InvalidInput(f"'{text[:40]}' is not a whole number for {parameter.name}.", value=text[:40])
        return str(int(text.lstrip("#")))
    if kind is Timeframe:
        frame = words.timeframe(text.lower())
        if frame not in TIMEFRAMES:
            raise InvalidInput(
                f"'{text[:40]}' is not a timeframe.", hint=f"Choose one of {' '.join(TIMEFRAMES)}.", value=text[:40]
            )
        return frame
    if kind is Period:
        period(text, datetime(2020, 1, 1, tzinfo=UTC))
        return text
    if typing.get_origin(kind) is typing.Literal:
        options = [str(option) for option in typing.get_args(kind)]
        if text.lower() not in options:
            raise InvalidInput(
                f"'{text[:40]}' is not a {parameter.name}.", hint=f"Choose {' or '.join(options)}.", value=text[:40]
            )
        return text.lower()
    return text


async def value(
    parameter: Parameter, text: str, services: Services, venue: str | None = None, *, question: bool = False
) -> Any:
    """The value of a canonical argument. Raises InvalidInput or NotFound.

    venue: where an instrument is looked up that names no venue itself; question: for a command that only looks
    """
    if parameter.kind is Instrument:
        return await instrument(text, services, venue, question=question)
    if parameter.kind in (Decimal, Share):
        return Decimal(text)
    return int(text) if parameter.kind is int else text


async def instrument(text: str, services: Services, venue: str | None, *, question: bool) -> Instrument:
    """The instrument at the venue. For a question, a venue that cannot even say what it trades is no obstacle:
    the pair is taken from another one, and whoever asks on finds out that the venue is out."""
    market = services.market
    try:
        return await market.instrument(text, venue)
    except Unavailable:
        if not question:
            raise
        here, _, symbol = text.rpartition(":")
        base, _, quote = symbol.partition("/")
        meant = Instrument(here.lower() or venue or market.source_name, base, quote)
        answer = await services.venues.answered(meant, lambda one: market.instrument(one.symbol, one.venue))
        return replace(answer.value, venue=meant.venue)


def number(text: str, name: str) -> Decimal:
    """A number of zero or above: 0.1, 60k, 1,150.50, $500. Raises InvalidInput for everything else."""
    tidied = words.tidy(text).lower()
    if re.fullmatch(r"\d{14,30}", tidied):  # beyond what is read in sentences; whoever asked says what is allowed
        return Decimal(tidied)
    read = [token.amount for token in words.tokens(tidied)]
    amount = read[0] if len(read) == 1 else None
    if amount is None or amount.unit not in ("", "quote"):
        raise InvalidInput(
            f"'{text[:40]}' is not an amount for {name}.",
            hint="Write a plain number such as 0.1, 500 or 60k.",
            value=text[:40],
        )
    if amount.other is not None:
        raise InvalidInput(
            f"'{text[:40]}' can be read as {plain(amount.value)} or as {plain(amount.other)}.",
            hint="Please write it without separators.", value=text[:40],
        )  # fmt: skip
    if amount.unit == "quote" and name == "quantity":
        raise InvalidInput(
            f"'{text[:40]}' is money, not a number of coins.",
            hint=f"Write spend={plain(amount.value)}.",
            value=text[:40],
        )
    return amount.value


def share(text: str, name: str) -> Decimal:
    """A fraction between 0 and 1: 50%, half, all, 0.5. Raises InvalidInput."""
    tidied = words.tidy(text).lower()
    if tidied in ("all", "everything", "max"):
        return Decimal(1)
    read = [token.amount for token in words.tokens(tidied)]
    found = read[0].value if len(read) == 1 and read[0] and read[0].unit in ("", "share") else None
    if found is None:
        try:
            found = Decimal(tidied)
        except InvalidOperation:
            found = Decimal(-1)
    if not found.is_finite() or not 0 < found <= 1:
        raise InvalidInput(
            f"'{text[:40]}' is not a share for {name}.",
            hint="Write 50%, half, all, or a number between 0 and 1.",
            value=text[:40],
        )
    return found


def period(text: str, now: datetime) -> tuple[datetime, datetime | None]:
    """Start and end of a period seen from now. Raises InvalidInput."""
    text = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {
        "today": midnight, "this week": midnight - timedelta(days=now.weekday()),
        "this month": midnight.replace(day=1), "this year": midnight.replace(month=1, day=1),
    }  # fmt: skip
    if text in named:
        return named[text], None
    if text == "yesterday":
        return midnight - timedelta(days=1), midnight
    if match := re.fullmatch(r"(\d{1,4}) ?(d|w|mo|m|y)[a-z]*", text):
        days = {"d": 1, "w": 7, "mo": 30, "m": 30, "y": 365}[match[2]] * int(match[1])
        if 0 < days <= 40 * 365:
            return now - timedelta(days=days), None
    if match := re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2})?)?", text):
        try:
            begin = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
            end = datetime.fromisoformat(match[2]).replace(tzinfo=UTC) + timedelta(days=1) if match[2] else None
        except ValueError:
            raise InvalidInput(f"'{text[:40]}' holds a day that does not exist.", value=text[:40]) from None
        if end is None or end > begin:
            return begin, end
    if re.fullmatch(r"(19|20)\d{2}", text):
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
    raise InvalidInput(
        f"'{text[:40]}' is not a period.",
        hint="Write 30d, 6mo, 1y, this month, 2024 or 2024-01-01..2024-06-30.",
        value=text[:40],
    )


def currency(word: str) -> bool:
    """Whether the word names the account's currency."""
    return word.lower() in MONEY


def example(command: Command) -> str:
    """A sentence that would work, for errors."""
    return f"For example: {command.examples[0]}." if command.examples else f"Usage: {command.usage}."
