"""Leverage, funding, interest and liquidation, each as one small table of bars with figures worked out by hand."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core.errors import InvalidInput
from core.events import Bar
from core.market.instrument import Instrument
from core.simulation.account import SignalRow, SimulatedAccount, SimulatedFill, Ticket
from core.trading.costs import FREE, Costs

NAN = float("nan")
HOUR = 3_600_000
FLAT = (100.0, 100.0, 100.0, 100.0)
COIN = Instrument("test", "COIN", "USDT")
PERP = Instrument("test", "PERP", "USDT", kind="perpetual")
UNFUNDED = replace(FREE, funding_rate=0.0, liquidation_fee=0.0)


def account(costs: Costs, *instruments: Instrument, cash: float = 1000.0) -> SimulatedAccount:
    made = SimulatedAccount(cash, costs)
    for instrument in instruments:
        made.add(instrument)
    return made


def play(
    simulated: SimulatedAccount, *prices: tuple[float, ...], start: int = 0, rates: Mapping[int, float] | None = None
) -> list[list[SimulatedFill]]:
    """Steps instrument 0 through hourly (open, high, low, close) bars. rates: funding due at a bar's number"""
    return [
        simulated.step(
            {0: Bar((start + t) * HOUR, *row, NAN)}, None if rates is None else {0: rates.get(start + t, 0.0)}
        )
        for t, row in enumerate(prices)
    ]


def told(fills: list[SimulatedFill]) -> list[tuple[int, float, float, str]]:
    return [(fill.side, round(fill.price, 9), round(fill.quantity, 9), fill.reason) for fill in fills]


@pytest.mark.parametrize(("exposure", "quantity"), [(1.0, 50.0), (-1.0, -50.0), (0.4, 20.0), (-0.2, -10.0)])
def test_an_exposure_on_a_perpetual_is_of_equity_times_leverage(exposure: float, quantity: float) -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0), PERP)
    play(simulated, FLAT)
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=exposure)))
    play(simulated, FLAT, start=1)
    assert simulated.position(0) == quantity
    assert simulated.equity() == 1000.0
    assert simulated.free == pytest.approx(1000.0 * (1.0 - abs(exposure)))
    assert simulated.decide(0, SignalRow(exposure=exposure)).place is None


def test_full_leverage_leaves_room_for_its_fee() -> None:
    simulated = account(Costs(leverage=5.0, slippage=0.0, funding_rate=0.0), PERP)
    play(simulated, FLAT)
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=1.0)))
    [[fill]] = play(simulated, FLAT, start=1)
    assert fill.price * fill.quantity == pytest.approx(5.0 * (1000.0 - fill.fee), abs=1e-9)
    assert simulated.ended() == []


def test_an_order_beyond_the_margin_is_cut_to_what_the_free_equity_covers() -> None:
    simulated = account(replace(UNFUNDED, leverage=4.0), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=100.0))
    [[fill]] = play(simulated, FLAT, start=1)
    assert fill.quantity == 40.0
    assert simulated.ended() == [(1, "insufficient_funds")]
    play(simulated, (110.0,) * 4, start=2)  # equity 1400, bound 1100
    simulated.place(0, Ticket("market", 1, quantity=100.0))
    [[fill]] = play(simulated, (110.0,) * 4, start=3)
    assert fill.quantity == pytest.approx(300.0 * 4.0 / 110.0)


def test_a_spot_position_binds_all_it_is_worth() -> None:
    simulated = account(replace(UNFUNDED, leverage=4.0), COIN, PERP)
    bars = {0: Bar(0, *FLAT, NAN), 1: Bar(0, *FLAT, NAN)}
    simulated.step(bars)
    simulated.place(0, Ticket("market", 1, quantity=6.0))
    simulated.step(bars)
    simulated.place(1, Ticket("market", 1, quantity=100.0))
    [fill] = simulated.step(bars)
    assert fill.quantity == 16.0  # 400 free at a quarter of margin
    assert simulated.free == 0.0


def test_longs_pay_the_funding_on_their_worth_at_the_open_and_shorts_receive_it() -> None:
    for side, cash in ((1, -2.4), (-1, 2.4)):
        simulated = account(replace(UNFUNDED, leverage=5.0), PERP)
        play(simulated, FLAT)
        simulated.place(0, Ticket("market", side, quantity=20.0))
        play(simulated, FLAT, (120.0, 130.0, 110.0, 100.0), FLAT, start=1, rates={1: 0.5, 2: 0.001})
        assert simulated.equity() == pytest.approx(1000.0 + cash)
        assert simulated.funding == pytest.approx(-cash)


def test_without_a_history_the_usual_rate_is_due_every_eight_hours() -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0, funding_rate=0.001), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=10.0))
    play(simulated, *[FLAT] * 7, start=1)
    assert simulated.funding == 0.0
    play(simulated, FLAT, start=8)
    assert simulated.funding == pytest.approx(1.0)
    play(simulated, FLAT, start=31)  # 16:00 and 24:00 lie between
    assert simulated.funding == pytest.approx(3.0)
    assert simulated.equity() == pytest.approx(997.0)


def test_a_spot_short_pays_interest_for_the_time_that_passes() -> None:
    simulated = account(replace(FREE, borrow_rate=0.1), COIN)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", -1, quantity=5.0))
    play(simulated, FLAT, FLAT, start=1)
    assert simulated.interest == pytest.approx(500.0 * 0.1 / 8766)
    play(simulated, (80.0,) * 4, start=12)  # ten hours later, at the price there
    assert simulated.interest == pytest.approx((500.0 + 10 * 400.0) * 0.1 / 8766)
    assert simulated.equity() == pytest.approx(1100.0 - simulated.interest)


def test_a_spot_long_pays_nothing_for_being_held() -> None:
    simulated = account(replace(FREE, borrow_rate=0.1), COIN)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=5.0))
    play(simulated, *[FLAT] * 30, start=1)
    assert (simulated.equity(), simulated.interest, simulated.funding) == (1000.0, 0.0, 0.0)


# 50 at 100 with 1000 of equity: 50 p - 4000 = 0.05 * 50 p at p = 4000 / 47.5; short: 6000 - 50 p = 0.05 * 50 p
LONG_END, SHORT_END = 4000 / 47.5, 6000 / 52.5
LIQUIDATIONS = [
    ("long, not reached", 1, (100, 101, 84.3, 90), None),
    ("long, reached inside", 1, (100, 101, 84.0, 90), LONG_END),
    ("long, jumped over", 1, (82, 90, 81, 90), 82.0),
    ("short, not reached", -1, (100, 114, 99, 110), None),
    ("short, reached inside", -1, (100, 115, 99, 110), SHORT_END),
    ("short, jumped over", -1, (117, 118, 99, 110), 117.0),
]


@pytest.mark.parametrize(("name", "side", "bar", "price"), LIQUIDATIONS, ids=[row[0] for row in LIQUIDATIONS])
def test_equity_below_the_maintenance_margin_is_liquidated(
    name: str, side: int, bar: tuple[float, ...], price: float | None
) -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", side, quantity=50.0))
    fills = play(simulated, FLAT, bar, start=1)[1]
    if price is None:
        assert fills == []
        return
    assert told(fills) == [(-side, round(price, 9), 50.0, "liquidation")]
    assert simulated.equity() == pytest.approx(1000.0 + side * 50.0 * (price - 100.0))
    assert simulated.equity() > 0.0


def test_a_liquidation_pays_slippage_taker_and_liquidation_fee() -> None:
    costs = Costs(leverage=4.0, taker_fee=0.0, slippage=0.0, maintenance_margin=0.05, funding_rate=0.0)
    simulated = account(costs, PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=40.0))
    play(simulated, FLAT, start=1)
    state = simulated.state()
    dear = replace(costs, taker_fee=0.001, slippage=0.01, liquidation_fee=0.002)
    simulated = SimulatedAccount.restored(state, [PERP], dear)
    [[fill]] = play(simulated, (100, 100, 60, 70), start=2)
    price = 3000 / 38.0 * 0.99  # 40 p - 3000 = 0.05 * 40 p, then slipped
    assert (fill.price, fill.reason, fill.maker) == (pytest.approx(price), "liquidation", False)
    assert fill.fee == pytest.approx(40.0 * price * 0.003)
    assert simulated.equity() == pytest.approx(1000.0 + 40.0 * (price - 100.0) - fill.fee)


def test_what_is_lost_beyond_the_account_is_the_insurance_funds() -> None:
    simulated = account(replace(UNFUNDED, leverage=10.0), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=100.0))
    [[fill]] = play(simulated, FLAT, (80, 85, 80, 85), start=1)[1:]
    assert (fill.price, fill.reason) == (80.0, "liquidation")
    assert (simulated.cash, simulated.equity(), simulated.insured) == (0.0, 0.0, 1000.0)


@pytest.mark.parametrize(
    ("stop", "fill"), [(90.0, (-1, 90.0, 50.0, "stop")), (82.0, (-1, 84.210526316, 50.0, "liquidation"))]
)
def test_a_protective_stop_counts_when_it_is_reached_before_the_liquidation(
    stop: float, fill: tuple[int, float, float, str]
) -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=50.0, stop=stop))
    assert told(play(simulated, FLAT, (100, 101, 70, 90), start=1)[1]) == [fill]


def test_a_stop_that_volume_holds_back_does_not_save_from_liquidation() -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05, volume_share=0.5), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=50.0, stop=90.0))
    play(simulated, FLAT, start=1)
    fills = simulated.step({0: Bar(2 * HOUR, 100, 101, 70, 90, 20.0)})
    assert told(fills) == [(-1, 84.210526316, 50.0, "liquidation")]


def test_an_entry_inside_the_bar_can_be_liquidated_in_it() -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("limit", 1, quantity=50.0, limit=100.0))
    fills = play(simulated, (105, 106, 84, 90), start=1)[0]
    assert told(fills) == [(1, 100.0, 50.0, "entry"), (-1, 84.210526316, 50.0, "liquidation")]


def test_a_liquidation_ends_every_order_of_the_account() -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=50.0, targets=((200.0, 0.5),)))
    ref = simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=50.0))
    play(simulated, FLAT, (100, 101, 84, 90), start=1)
    assert (simulated.open_refs(), simulated.targets(0)) == ([], [])
    assert simulated.ended() == [(ref, "position_closed")]


def test_a_spot_short_is_liquidated_too() -> None:
    simulated = account(replace(UNFUNDED, maintenance_margin=0.05), COIN)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", -1, quantity=10.0))
    fills = play(simulated, FLAT, (150, 200, 150, 180), start=1)[1]
    assert told(fills) == [(1, round(2000 / 10.5, 9), 10.0, "liquidation")]


def both(time: int, coin: tuple[float, ...], other: tuple[float, ...]) -> dict[int, Bar]:
    return {0: Bar(time * HOUR, *coin, NAN), 1: Bar(time * HOUR, *other, NAN)}


def test_instruments_answer_for_each_other_until_their_worst_together_is_too_much() -> None:
    costs = replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05)
    simulated = account(costs, PERP, replace(PERP, base="OTHER"))
    simulated.step(both(0, FLAT, FLAT))
    simulated.place(0, Ticket("market", 1, quantity=25.0))
    simulated.place(1, Ticket("market", -1, quantity=25.0))
    simulated.step(both(1, FLAT, FLAT))
    # alone the long would be gone at 25 p - 1500 = 0.05 * 25 p; the short beside it keeps it
    assert simulated.step(both(2, (62.0,) * 4, (62.0,) * 4)) == []
    assert simulated.equity() == 1000.0
    # from 62: the cushion is 1000 - 0.05 * 25 * 124 = 845 and falls by 23.75 * 10 + 26.25 * 30 = 1025
    fills = simulated.step(both(3, (62.0, 62.0, 52.0, 62.0), (62.0, 92.0, 62.0, 62.0)))
    way = 845 / 1025
    assert told(fills) == [
        (-1, round(62 - 10 * way, 9), 25.0, "liquidation"),
        (1, round(62 + 30 * way, 9), 25.0, "liquidation"),
    ]


def test_an_instrument_without_a_bar_is_closed_at_its_mark() -> None:
    costs = replace(UNFUNDED, leverage=5.0, maintenance_margin=0.05)
    simulated = account(costs, PERP, replace(PERP, base="OTHER"))
    simulated.step(both(0, FLAT, FLAT))
    simulated.place(0, Ticket("market", 1, quantity=25.0))
    simulated.place(1, Ticket("market", 1, quantity=25.0))
    simulated.step(both(1, FLAT, (100, 100, 100, 95)))
    fills = simulated.step({0: Bar(2 * HOUR, 50.0, 50.0, 50.0, 50.0, NAN)})
    assert [(fill.index, fill.price, fill.time) for fill in fills] == [(0, 50.0, 2 * HOUR), (1, 95.0, 2 * HOUR)]
    assert simulated.equity() == simulated.cash == 0.0


def test_no_more_can_be_withdrawn_than_is_free() -> None:
    simulated = account(replace(UNFUNDED, leverage=5.0), PERP)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", -1, quantity=20.0))
    play(simulated, FLAT, start=1)
    with pytest.raises(InvalidInput, match="holds 600"):
        simulated.transfer(-601.0)
    simulated.transfer(-600.0)
    assert simulated.free == 0.0


def test_an_addition_inside_the_bar_is_liquidated_on_the_way_from_its_own_price() -> None:
    simulated = account(replace(UNFUNDED, leverage=20.0, maintenance_margin=0.01), PERP)
    play(simulated, (50.0, 50.0, 50.0, 50.0))
    simulated.place(0, Ticket("market", 1, quantity=10.0))
    play(simulated, (50.0, 100.0, 50.0, 100.0), start=1)  # equity 1500
    simulated.place(0, Ticket("limit", 1, quantity=200.0, limit=99.0))
    [fills] = play(simulated, (100.0, 100.0, 90.0, 95.0), start=2)
    # cash 1000 - 500 - 19800 = -19300; 210 p (1 - 0.01) = 19300 at 92.83
    assert told(fills) == [(1, 99.0, 200.0, "entry"), (-1, round(19_300.0 / 207.9, 9), 210.0, "liquidation")]
