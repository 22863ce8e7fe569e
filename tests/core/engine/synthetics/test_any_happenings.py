"""Whatever happens, in whatever order, however often the process dies: never more than was asked, in the end."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engine.synthetics.values import Cancelled
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Limit,
    Market,
    OneCancelsOther,
    OrderRequest,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip
from tests.core.engine.synthetics.venue import NATIVE, Stage

COIN = Instrument("venue", "COIN", "USDT", Decimal("0.01"), Decimal("0.01"), Decimal(1))
D = Decimal
KINDS: dict[str, tuple[Side, OrderType]] = {
    "oco": (Side.SELL, OneCancelsOther(D(110), D(90))),
    "oco that buys": (Side.BUY, OneCancelsOther(D(90), D(110))),
    "oco with a stop-limit": (Side.SELL, OneCancelsOther(D(110), D(90), D(89))),
    "stop": (Side.SELL, Stop(D(90))),
    "stop-limit": (Side.BUY, StopLimit(D(110), D(111))),
    "trailing": (Side.SELL, TrailingStop(D("0.05"))),
    "trailing by a distance": (Side.BUY, TrailingStop(distance=D(5), activation=D(95))),
    "bracket": (Side.BUY, Bracket(Market(), D(90), D(110))),
    "bracket at a limit": (Side.BUY, Bracket(Limit(D(98)), D(90), D(110), D("0.05"))),
    "iceberg": (Side.BUY, Iceberg(D(99), D("0.7"))),
    "twap": (Side.BUY, Twap(60, 6)),
    "twap at a limit": (Side.SELL, Twap(60, 6, D(101))),
    "vwap": (Side.BUY, Vwap(60, 4)),
    "ladder": (Side.BUY, Ladder((D(99), D(97), D(95)), (D(1), D(2), D(3)), D(90), D(110))),
    "ladder alone": (Side.SELL, Ladder((D(101), D(103)))),
    "grid": (Side.BUY, Grid(D(90), D(110), 5)),
}
PRICES = st.lists(st.integers(85, 115).map(D), min_size=1, max_size=40)


def request(side: Side, kind: OrderType, quantity: str = "3") -> OrderRequest:
    return OrderRequest("parent", "account", COIN, side, kind, quantity=D(quantity))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=20, deadline=None)
@given(prices=PRICES, seed=st.integers(0, 2**32), faults=st.sampled_from([0.0, 0.3, 0.8]), bare=st.booleans())
def test_no_order_trades_more_than_was_asked(
    name: str, prices: list[Decimal], seed: int, faults: float, bare: bool
) -> None:
    side, kind = KINDS[name]
    stage = Stage(request(side, kind), Random(seed), ("Limit", "Market") if bare else NATIVE, faults)
    for price in prices:
        stage.moves(price)
        stage.deliver()
    stage.ends([D(100), D(86), D(114), D(97)])
    assert stage.state.work.finished
    assert stage.placed_twice == []
    assert stage.open() == []
    work = stage.state.work
    if work.failures >= 5:
        return  # it gave up and said so
    assert work.quantity >= abs(stage.net())
    if isinstance(kind, Bracket | Ladder):
        entered = stage.traded("entry", "rung")
        assert entered <= work.quantity
        assert work.filled == entered
        assert stage.net() >= ZERO  # nothing was sold that had not been bought
    elif isinstance(kind, Grid):
        assert work.filled == max(stage.net(), ZERO) == stage.net()
    else:
        assert work.filled == stage.net()
        assert work.filled <= work.quantity


@pytest.mark.parametrize("name", ["oco", "oco that buys", "oco with a stop-limit"])
@settings(max_examples=20, deadline=None)
@given(prices=PRICES, seed=st.integers(0, 2**32))
def test_when_both_legs_fill_the_excess_is_traded_back_and_told(name: str, prices: list[Decimal], seed: int) -> None:
    side, kind = KINDS[name]
    stage = Stage(request(side, kind), Random(seed), NATIVE, 0.8)
    for price in prices:
        stage.moves(price)
        stage.deliver()
    stage.ends([D(86), D(114), D(100)])
    both = stage.traded("stop", "out", "limit")
    if stage.state.work.failures < 5:
        assert both - stage.traded("unwind") <= 3
    if both > 3:
        assert stage.told


@pytest.mark.parametrize("name", KINDS)
def test_a_cancelled_order_leaves_nothing_open(name: str) -> None:
    side, kind = KINDS[name]
    stage = Stage(request(side, kind), Random(1))
    stage.moves(D(100))
    stage.deliver()
    stage.hear(Cancelled())
    stage.deliver()
    assert stage.open() == []
    assert stage.finished is not None
