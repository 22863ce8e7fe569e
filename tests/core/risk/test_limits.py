"""Limits refuse with numbers, and let reductions pass."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

import pytest

from core import wording
from core.errors import RiskRefused
from core.risk.limits import PAPER, InsufficientFunds, Limits, Situation, amount, checks, demand, percent, reduces
from core.trading.orders import Side
from tests.trading import BTC, UNLIMITED

BUY = Situation(
    BTC,
    Side.BUY,
    quantity=Decimal(1),
    price=Decimal(100),
    last=Decimal(100),
    cost=Decimal(101),
    cash=Decimal(1_000),
    held=Decimal(0),
    position=Decimal(0),
    equity=Decimal(1_000),
)
SELL = replace(BUY, side=Side.SELL, held=Decimal(3), position=Decimal(3))


@pytest.mark.parametrize(
    ("situation", "limits", "told"),
    [
        (replace(BUY, cash=Decimal(100)), PAPER, "This needs 101.00 USDT, and 100.00 USDT is free."),
        (replace(SELL, quantity=Decimal(4)), PAPER, "This needs 4 BTC, and 3 BTC is free."),
        (
            replace(BUY, halted=True),
            PAPER,
            "The kill switch is on: only orders that reduce a position are taken.",
        ),
        (
            BUY,
            Limits(order_notional=Decimal(50)),
            "The order notional limit allows 50.00 USDT, and this would be 100.00 USDT.",
        ),
        (
            replace(BUY, position=Decimal(2)),
            Limits(position_notional=Decimal(250)),
            "The position notional limit allows 250.00 USDT, and this would be 300.00 USDT.",
        ),
        (BUY, Limits(exposure=Decimal("0.05")), "The exposure limit allows 5 %, and this would be 10 %."),
        (
            replace(BUY, recent=5),
            Limits(orders_per_minute=5),
            "The orders per minute limit allows 5, and this would be 6.",
        ),
        (
            replace(BUY, limit=Decimal(120)),
            PAPER,
            "The limit price 120.00 lies 20 % above the best offer of 100.00, and the price collar allows 10 %.",
        ),
        (
            replace(BUY, quantity=Decimal("0.01")),
            PAPER,
            "The minimum notional limit allows at least 5.00 USDT, and this would be 1.00 USDT.",
        ),
    ],
)
def test_each_refusal_names_what_is_allowed_and_what_was_asked(situation: Situation, limits: Limits, told: str) -> None:
    with pytest.raises(RiskRefused) as refused:
        demand(checks(situation, limits))
    assert refused.value.message == told
    assert str(refused.value) == told


def test_what_is_within_every_limit_passes() -> None:
    looked_at = checks(BUY)
    demand(looked_at)
    assert {check.name for check in looked_at} >= {"available USDT", "order notional", "exposure", "orders per minute"}


def test_a_reduction_passes_rate_size_and_kill_switch_but_not_what_is_held() -> None:
    tight = Limits(Decimal(1), Decimal(1), Decimal("0.01"), 1, Decimal("0.01"))
    crowded = replace(SELL, recent=99, halted=True, limit=Decimal(50))
    demand(checks(crowded, tight))
    with pytest.raises(InsufficientFunds):
        demand(checks(replace(crowded, quantity=Decimal(4), halted=False), tight))


def test_a_limit_far_on_the_winning_side_is_no_mistake() -> None:
    demand(checks(replace(BUY, limit=Decimal(50))))
    demand(checks(replace(SELL, quantity=Decimal(3), limit=Decimal(300))))


def test_no_limits_still_means_no_more_than_there_is() -> None:
    demand(checks(BUY, UNLIMITED))
    with pytest.raises(InsufficientFunds):
        demand(checks(replace(BUY, cash=Decimal(0)), UNLIMITED))


@pytest.mark.parametrize(
    ("position", "side", "quantity", "expected"),
    [
        ("3", "sell", "3", True), ("3", "sell", "4", False), ("3", "buy", "1", False), ("-2", "buy", "1", True),
        ("0", "sell", "1", False),
    ],
)  # fmt: skip
def test_reducing_is_towards_zero_and_not_past_it(position: str, side: str, quantity: str, expected: bool) -> None:
    assert reduces(Decimal(position), Side(side), Decimal(quantity)) is expected


def test_numbers_are_plain() -> None:
    assert amount(Decimal("1E+3"), "USDT") == "1,000.00 USDT"
    assert amount(Decimal("0.123456789"), "BTC") == "0.12345679 BTC"
    assert percent(Decimal("0.12345")) == "12.34 %"


def test_numbers_round_half_to_even_whatever_the_context_of_the_thread_says() -> None:
    with localcontext(Context(rounding=ROUND_HALF_UP)):
        assert percent(Decimal("0.12345")) == "12.34 %"
        assert amount(Decimal("0.123456785"), "BTC") == "0.12345678 BTC"
        assert wording.percent(Decimal("0.12345")) == "12.34 %"
        assert wording.grouped(Decimal("1234.125"), 2) == "1,234.12"
        assert wording.price(Decimal("12345.125")) == "12,345.12"
