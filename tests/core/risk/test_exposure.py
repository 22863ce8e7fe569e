"""Exposure over ledgers and accounts, and losses with deposits taken out of them."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RiskRefused
from core.market.instrument import Instrument
from core.risk.exposure import DAY, HOUR, Course, Exposure, Stake, Standing, exposure, standing
from core.risk.limits import Limits, Situation, checks, demand, loosened, tightest
from core.trading.orders import Side
from tests.trading import BTC, ETH

D = Decimal
NOTHING = Limits(None, None, None, None, None)
BUY = Situation(BTC, Side.BUY, D(1), D(100), D(100), D(100), D(10**6), D(0), D(0), D(10**6))


def test_the_same_coin_in_two_ledgers_and_accounts_counts_together() -> None:
    stakes = [
        Stake("me@a", "manual", "BTC", D(100), D(50)),
        Stake("me@a", "run", "BTC", D(30)),
        Stake("me@b", "manual", "BTC", D(20)),
        Stake("me@b", "manual", "ETH", D(-7)),
    ]
    assert exposure(stakes, "me@a", "manual", "BTC", D(10)) == Exposure(D(190), D(210), D(217))
    assert exposure(stakes, "me@b", "manual", "DOGE", D(5)) == Exposure(D(5), D(5), D(212))


def test_what_was_lost_today_does_not_count_what_was_taken_out() -> None:
    midnight = 100 * DAY
    course = Course(
        ((midnight - HOUR, D(990)), (midnight, D(1000))),
        ((midnight - 20 * HOUR, D(900)), (midnight + 2 * HOUR, D(-300))),
        D(650),
    )
    found = standing([course], midnight + 5 * HOUR)
    assert found == Standing(D(650), D(700), D(700))
    assert found.lost == D(50)


def test_a_deposit_is_no_gain_and_no_peak() -> None:
    midnight = 100 * DAY
    course = Course(((midnight, D(1000)),), ((midnight - 3 * HOUR, D(1000)), (midnight + HOUR, D(9000))), D(9500))
    assert standing([course], midnight + 2 * HOUR) == Standing(D(9500), D(10_000), D(10_000))


def test_accounts_are_counted_together() -> None:
    one = Course((), ((5, D(100)),), D(80))
    two = Course((), ((7, D(100)),), D(130))
    found = standing([one, two], DAY)
    assert (found.equity, found.lost, found.drawdown) == (D(210), D(0), D(0))


@pytest.mark.parametrize(
    ("situation", "limits", "told"),
    [
        (
            replace(BUY, after=Exposure(D(600), D(600), D(600)), wealth=D(1000)),
            replace(NOTHING, asset_exposure=D("0.5")),
            "Your BTC would come to 600.00 USDT with all open orders, and 50 % of the 1,000.00 USDT that your accounts "
            "are worth may be in one asset.",
        ),
        (
            replace(BUY, standing=Standing(D(9000), D(10_000), D(12_000))),
            replace(NOTHING, daily_loss=D("0.05")),
            "You lost 1,000.00 USDT (10 %) since 00:00 UTC, and the daily loss limit is 5 %.",
        ),
        (
            replace(BUY, standing=Standing(D(9000), D(9000), D(12_000))),
            replace(NOTHING, drawdown=D("0.2")),
            "Your accounts are worth 9,000.00 USDT, 25 % below their peak of 12,000.00 USDT, "
            "and the drawdown limit is 20 %.",
        ),
        (BUY, replace(NOTHING, instruments=("ETH",)), "BTC/USDT is not among the instruments you allow: ETH."),
        (BUY, replace(NOTHING, forbidden=("BTC",)), "BTC/USDT is among the instruments you forbid: BTC."),
        (
            replace(BUY, best=D(130)),
            replace(NOTHING, collar=D("0.1")),
            "Only at 130.00 could this trade, 30 % above the last price 100.00, and the price collar allows 10 %.",
        ),
    ],
)
def test_each_refusal_tells_its_numbers(situation: Situation, limits: Limits, told: str) -> None:
    with pytest.raises(RiskRefused) as refused:
        demand(checks(situation, limits))
    assert refused.value.message == told


def test_the_tightest_of_two_allows_what_both_allow() -> None:
    one = Limits(order_notional=D(10), collar=None, instruments=("BTC", "ETH"), forbidden=("DOGE",))
    two = Limits(order_notional=None, collar=D("0.1"), instruments=("BTC/USDT", "SOL"))
    found = tightest(one, two)
    assert (found.order_notional, found.collar) == (D(10), D("0.1"))
    assert (found.instruments, found.forbidden) == (("BTC/USDT",), ("DOGE",))
    assert loosened(one, found) == loosened(two, found) == ()


def test_loosening_is_named_and_tightening_is_not() -> None:
    before = Limits(order_notional=D(10), instruments=("BTC",), forbidden=("DOGE",))
    after = Limits(order_notional=D(9), instruments=("BTC", "ETH"), forbidden=())
    assert loosened(before, after) == ("instruments", "forbidden")


AMOUNTS = st.integers(1, 400).map(D)


@given(st.lists(st.tuples(st.sampled_from((BTC, ETH)), AMOUNTS, st.booleans(), st.integers(0, 100)), max_size=40))
def test_no_sequence_of_orders_and_fills_exceeds_a_ceiling(steps: list[tuple[Instrument, D, bool, int]]) -> None:
    limits = replace(
        NOTHING, order_notional=D(300), position_notional=D(500), asset_exposure=D("0.5"), total_exposure=D("0.7")
    )
    held, coming = {"BTC": D(0), "ETH": D(0)}, {"BTC": D(0), "ETH": D(0)}
    for instrument, notional, fills, percent in steps:
        base = instrument.base
        stakes = [Stake("me", "manual", name, held[name], coming[name]) for name in held]
        situation = replace(
            BUY, instrument=instrument, price=D(1), quantity=notional, last=D(1), cost=notional, wealth=D(1000),
            position=held[base], after=exposure(stakes, "me", "manual", base, notional),
        )  # fmt: skip
        if all(check.passed for check in checks(situation, limits)):
            coming[base] += notional
        if fills:
            part = coming[base] * percent / 100
            held[base], coming[base] = held[base] + part, coming[base] - part
        for name in held:
            assert held[name] + coming[name] <= 500
        assert sum(held.values()) + sum(coming.values()) <= 700


@given(
    st.decimals("0.01", 5, places=2), st.integers(0, 500), st.booleans(), st.decimals("0.1", 1000, places=1),
    st.decimals(1, 10_000, places=0),
)  # fmt: skip
def test_a_reducing_order_always_passes(quantity: D, recent: int, halted: bool, limit: D, equity: D) -> None:
    tight = Limits(
        D(1), D(1), D("0.01"), 1, D("0.001"), D("0.01"), D("0.01"), D("0.001"), D("0.001"), (), ("BTC", "ETH")
    )
    sale = replace(
        BUY, side=Side.SELL, quantity=quantity, position=D(5), held=D(5), recent=recent, halted=halted, limit=limit,
        standing=Standing(equity, D(10**6), D(10**7)), after=Exposure(D(10**6), D(10**6), D(10**6)), wealth=equity,
        instrument=replace(BTC, min_notional=D(0)),
    )  # fmt: skip
    demand(checks(sale, tight))
