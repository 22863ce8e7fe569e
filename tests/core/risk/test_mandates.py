"""Mandates: what they cover, how much, how long, and what refuses says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.rules import Rules
from core.errors import Conflict, InvalidInput, NotFound, RiskRefused
from core.market.instrument import Instrument
from core.risk.mandates import LONGEST, Mandate, Wish, drawn, origin_of, permission, permits
from tests.trading import BTC, ETH, Room, synthetic_bars

D = Decimal
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LIVE = "sam@file"
ONE = drawn(1, LIVE, ("btc",), D(1_000), D(7), NOW)
WISH = Wish("strategy", LIVE, BTC, D(100))


@pytest.mark.parametrize(
    ("mandate", "wish", "used", "now", "told"),
    [
        (ONE, WISH, D(0), NOW, None),
        (ONE, WISH, D(900), NOW, None),
        (ONE, WISH, D("900.01"), NOW, "of which 900.01 USDT is used; 99.99 USDT is left"),
        (ONE, replace(WISH, instrument=ETH), D(0), NOW, "Mandate 1 is for BTC, and this is ETH/USDT."),
        (ONE, replace(WISH, account="sam@moon"), D(0), NOW, "is for another account"),
        (ONE, WISH, D(0), NOW + timedelta(days=7), "Mandate 1 ended on 2026-03-09 12:00 UTC."),
        (ONE, WISH, D(0), NOW - timedelta(seconds=1), "ended"),
        (replace(ONE, revoked=NOW), WISH, D(0), NOW, "Mandate 1 was revoked on 2026-03-02 12:00 UTC."),
        (replace(ONE, order=D(50)), WISH, D(0), NOW, "allows orders of up to 50.00 USDT, and this is 100.00 USDT."),
        (replace(ONE, instruments=()), replace(WISH, instrument=ETH), D(0), NOW, None),
        (replace(ONE, instruments=("ETH/USDT",)), replace(WISH, instrument=ETH), D(0), NOW, None),
    ],
)  # fmt: skip
def test_a_mandate_lets_pass_what_it_covers(
    mandate: Mandate, wish: Wish, used: D, now: datetime, told: str | None
) -> None:
    check = permits(mandate, wish, used, now)
    assert check.passed == (told is None)
    if told is not None:
        with pytest.raises(RiskRefused, match=told.replace(".", r"\.")):
            check.demand()


@pytest.mark.parametrize(
    ("mandates", "instrument", "told"),
    [
        ([], BTC, "there is none for this strategy on file"),
        ([ONE], ETH, "Mandate 1 is for BTC"),
        ([ONE, replace(ONE, number=2, revoked=NOW)], ETH, "Mandate 1 is for BTC"),
        ([replace(ONE, number=2, revoked=NOW), replace(ONE, cap=D(50))], BTC, "Mandate 1 allows 50.00 USDT"),
    ],
)
def test_a_refusal_is_that_of_the_nearest_mandate(mandates: list[Mandate], instrument: Instrument, told: str) -> None:
    check = permission(mandates, replace(WISH, instrument=instrument), lambda mandate: D(0), NOW)
    assert not check.passed
    assert told in str(check.told)


@pytest.mark.parametrize(
    ("account", "cap", "days", "order", "told"),
    [
        ("sam", D(1), D(1), None, "for a live account"),
        (LIVE, D(0), D(1), None, "not above zero"),
        (LIVE, D(1), D(0), None, "of 0 days"),
        (LIVE, D(1), D(LONGEST.days + 1), None, "of 91 days"),
        (LIVE, D(100), D(1), D(101), "at most at the cap"),
    ],
)
def test_a_mandate_that_is_empty_or_endless_is_not_drawn(
    account: str, cap: D, days: D, order: D | None, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        drawn(1, account, (), cap, days, NOW, order)


@pytest.mark.parametrize(
    ("ledger", "origin"),
    [("manual", "person"), ("webhook:tv", "webhook"), ("copy:ann", "copy"), ("0f3a", "strategy")],
)
def test_the_ledger_says_who_orders(ledger: str, origin: str) -> None:
    assert origin_of(ledger) == origin


@given(st.lists(st.integers(1, 600).map(D), max_size=30), st.integers(1, 2_000).map(D))
def test_what_passes_one_after_the_other_never_exceeds_the_cap(notionals: list[D], cap: D) -> None:
    mandate, used = replace(ONE, cap=cap), D(0)
    for notional in notionals:
        if permits(mandate, replace(WISH, notional=notional), used, NOW).passed:
            used += notional
    assert used <= cap


async def test_mandates_are_given_once_revoked_once_and_survive_a_restart(tmp_path: Path) -> None:
    room = await Room(tmp_path, [synthetic_bars(1, 3)]).open()
    rules: Rules = room.engine.rules
    now = room.clock.now()
    first = drawn(rules.next_number(LIVE), LIVE, ("btc",), D(1_000), D(7), now)
    await rules.give(first)
    with pytest.raises(Conflict, match="given meanwhile"):
        await rules.give(first)
    second = drawn(rules.next_number(LIVE), LIVE, (), D(10), D(1), now)
    await rules.give(second)
    assert (first.number, second.number) == (1, 2)
    await rules.revoke(LIVE, 1)
    with pytest.raises(Conflict, match="revoked before"):
        await rules.revoke(LIVE, 1)
    with pytest.raises(NotFound, match="no mandate 7") as missing:
        await rules.revoke(LIVE, 7)
    assert missing.value.hint == "Standing: 2."
    await room.crash()
    await room.open()
    rules = room.engine.rules
    assert [(each.number, each.revoked is not None) for each in rules.mandates(LIVE)] == [(1, True), (2, False)]
    assert rules.standing(room.clock.now()) == [second]
    assert rules.next_number(LIVE) == 3
    await room.close()
