"""Numbers for people."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import wording
from core.commands import converters
from core.errors import InvalidInput
from core.market.instrument import Instrument

BTC = Instrument("x", "BTC", "USDT", Decimal("0.01"))
NOW = datetime(2026, 3, 18, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wording.price(Decimal("61327.6"), BTC), "61,327.60"),
        (wording.price(0.000012345), "0.000012345"),
        (wording.price(2500), "2,500"),
        (wording.quantity(Decimal("0.0150"), "BTC"), "0.015 BTC"),
        (wording.quantity(Decimal("0.999999999")), "0.99999999"),
        (wording.money(Decimal("9950.125")), "9,950.12 USDT"),
        (wording.money(Decimal("0.001")), "<0.01 USDT"),
        (wording.money(-1234567.8, ""), "-1,234,567.80"),
        (wording.money(Decimal("-0.0")), "0.00 USDT"),
        (wording.signed(12.3), "+12.30 USDT"),
        (wording.signed(0), "0.00 USDT"),
        (wording.percent(Decimal("0.0512")), "5.12 %"),
        (wording.percent(0.05, sign=True), "+5.00 %"),
        (wording.percent(0.0, sign=True), "0.00 %"),
        (wording.percent(None), "–"),
        (wording.percent(float("nan")), "–"),
        (wording.moment(NOW), "2026-03-18 14:05 UTC"),
        (wording.plural(1, "order"), "1 order"),
        (wording.listed(["a", "b", "c"]), "a, b and c"),
        (wording.badge("PAPER", True), "PAPER, SIMULATED prices"),
    ],
)
def test_numbers_read_well(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", "2026-03-18", None),
        ("yesterday", "2026-03-17", "2026-03-18"),
        ("this week", "2026-03-16", None),
        ("this month", "2026-03-01", None),
        ("this year", "2026-01-01", None),
        ("2024", "2024-01-01", "2025-01-01"),
        ("2024-02-01..2024-02-29", "2024-02-01", "2024-03-01"),
        ("2024-02-01..", "2024-02-01", None),
    ],
)
def test_periods_are_whole_days_in_utc(text: str, begin: str, end: str | None) -> None:
    first, last = converters.period(text, NOW)
    assert first.isoformat() == f"{begin}T00:00:00+00:00"
    assert (last and last.isoformat()) == (end and f"{end}T00:00:00+00:00")


@pytest.mark.parametrize("text", ["2024-02-30..", "2024-05-01..2024-01-01", "soon", "0d", "99999y", "-5d"])
def test_impossible_periods_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        converters.period(text, NOW)


@pytest.mark.parametrize(
    ("text", "share"), [("50%", "0.5"), ("half", "0.5"), ("all", "1"), ("0.25", "0.25"), ("a third", "0.333333333333")]
)
def test_shares_are_fractions(text: str, share: str) -> None:
    assert converters.share(text, "fraction") == Decimal(share)


@pytest.mark.parametrize("text", ["0%", "150%", "-50%", "nan", "inf", "1e400", "lots", ""])
def test_impossible_shares_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        converters.share(text, "fraction")
