"""Every fill rule of docs/fill-model.md, each as one small table of bars."""

from dataclasses import replace
from decimal import Decimal

import pytest

from core.errors import InvalidInput
from core.events import Bar
from core.market.instrument import Instrument
from core.simulation.account import SignalRow, SimulatedAccount, SimulatedFill, Ticket
from core.trading.costs import FREE, Costs

COIN = Instrument("test", "COIN", "USDT")
FLAT = (100.0, 100.0, 100.0, 100.0)


def account(costs: Costs = FREE, instrument: Instrument = COIN, cash: float = 1000.0) -> SimulatedAccount:
    made = SimulatedAccount(cash, costs)
    made.add(instrument)
    return made


def play(simulated: SimulatedAccount, *prices: tuple[float, ...], start: int = 0) -> list[list[SimulatedFill]]:
    """Steps through (open, high, low, close[, volume]) bars."""
    return [
        simulated.step({0: Bar(start + t, *row[:4], row[4] if len(row) > 4 else float("nan"))})
        for t, row in enumerate(prices)
    ]


def told(fills: list[SimulatedFill]) -> list[tuple[int, float, float, str]]:
    return [(fill.side, round(fill.price, 9), round(fill.quantity, 9), fill.reason) for fill in fills]


def buy(quantity: float = 1.0, **more: object) -> Ticket:
    return replace(Ticket("market", 1, quantity=quantity), **more)


def test_a_market_order_fills_at_the_next_open_moved_against_the_trader() -> None:
    simulated = account(Costs(taker_fee=0.001, slippage=0.01))
    play(simulated, FLAT)
    simulated.place(0, buy())
    [[fill]] = play(simulated, (102.0, 110.0, 90.0, 105.0))
    assert fill.price == pytest.approx(103.02)
    assert fill.fee == fill.price * fill.quantity * 0.001
    assert not fill.maker
    simulated.place(0, Ticket("market", -1, quantity=1.0))
    [[fill]] = play(simulated, (100.0, 110.0, 90.0, 105.0))
    assert fill.price == pytest.approx(99.0)


@pytest.mark.parametrize(
    ("model", "volume", "price"),
    [
        ("spread", 100.0, 100.5),
        ("volume_share", 100.0, 100.1),
        ("volume_share", float("nan"), 100.5),
        ("fixed", 100.0, 101.0),
    ],
)
def test_the_slippage_models(model: str, volume: float, price: float) -> None:
    simulated = account(replace(FREE, slippage=0.01, slippage_model=model, volume_share=0.25))  # type: ignore[arg-type]
    play(simulated, FLAT)
    simulated.place(0, buy())
    [[fill]] = play(simulated, (*FLAT, volume))
    assert fill.price == pytest.approx(price)


def test_latency_delays_by_whole_bars() -> None:
    simulated = account(replace(FREE, latency=2))
    play(simulated, FLAT)
    simulated.place(0, buy())
    assert [len(fills) for fills in play(simulated, FLAT, FLAT, FLAT)] == [0, 0, 1]


LIMITS = [
    ("above the limit", (101, 102, 100.5, 101), None, None),
    ("touched only", (101, 102, 100, 101), None, 100.0),
    ("traded through", (101, 102, 99, 101), 100.0, 100.0),
    ("opened below: the better open", (98, 99, 97, 98), 98.0, 98.0),
]


@pytest.mark.parametrize(("name", "bar", "strict", "touch"), LIMITS, ids=[row[0] for row in LIMITS])
def test_a_buy_limit_fills_when_traded_through_at_the_better_price(
    name: str, bar: tuple[float, ...], strict: float | None, touch: float | None
) -> None:
    for costs, wanted in ((FREE, strict), (replace(FREE, fill_on_touch=True), touch)):
        simulated = account(costs)
        play(simulated, FLAT)
        simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=100.0))
        [fills] = play(simulated, bar)
        assert [fill.price for fill in fills] == ([] if wanted is None else [wanted])


def test_a_resting_limit_pays_the_maker_fee_and_no_slippage() -> None:
    simulated = account(Costs(taker_fee=0.01, maker_fee=0.001, slippage=0.1))
    play(simulated, FLAT)
    simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=100.0))
    [[fill]] = play(simulated, (101, 102, 99, 101))
    assert (fill.price, fill.fee, fill.maker) == (100.0, pytest.approx(0.1), True)


def test_a_limit_that_is_marketable_on_arrival_pays_the_taker_fee() -> None:
    simulated = account(Costs(taker_fee=0.01, maker_fee=0.001))
    play(simulated, FLAT)
    simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=105.0))
    [[fill]] = play(simulated, FLAT)
    assert (fill.price, fill.maker) == (100.0, False)


STOPS = [
    # name, bar after the entry bar, fills
    ("not reached", (100, 104, 96, 100), []),
    ("stop reached inside", (100, 104, 95, 100), [(-1, 95.0, 1.0, "stop")]),
    ("a gap fills at the open", (90, 92, 89, 91), [(-1, 90.0, 1.0, "stop")]),
    ("target touched only", (100, 110, 99, 105), []),
    ("target traded through", (100, 111, 99, 105), [(-1, 110.0, 1.0, "target")]),
    ("target gapped over fills at the open", (115, 116, 99, 105), [(-1, 115.0, 1.0, "target")]),
    ("stop before target when both lie inside", (100, 120, 90, 100), [(-1, 95.0, 1.0, "stop")]),
]


@pytest.mark.parametrize(("name", "bar", "fills"), STOPS, ids=[row[0] for row in STOPS])
def test_protection(name: str, bar: tuple[float, ...], fills: list[tuple[int, float, float, str]]) -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(stop=95.0, target=110.0))
    assert told(play(simulated, FLAT)[0]) == [(1, 100.0, 1.0, "entry")]
    assert told(play(simulated, bar)[0]) == fills
    assert simulated.position(0) == (0.0 if fills else 1.0)


def test_protection_is_live_in_the_bar_of_an_entry_at_the_open() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(stop=95.0, target=110.0))
    assert told(play(simulated, (100, 101, 94, 100))[0]) == [(1, 100.0, 1.0, "entry"), (-1, 95.0, 1.0, "stop")]
    simulated.place(0, buy(stop=95.0, target=110.0))
    assert told(play(simulated, (100, 111, 99, 100))[0])[1] == (-1, 110.0, 1.0, "target")


def test_an_entry_inside_the_bar_may_be_stopped_in_it_but_not_reach_its_target() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=98.0, stop=95.0, target=99.0))
    assert told(play(simulated, (100, 120, 94, 97))[0]) == [(1, 98.0, 1.0, "entry"), (-1, 95.0, 1.0, "stop")]
    simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=98.0, stop=95.0, target=99.0))
    assert told(play(simulated, (100, 120, 97, 98))[0]) == [(1, 98.0, 1.0, "entry")]


@pytest.mark.parametrize(("close", "stopped"), [(105.5, []), (102.0, [(-1, 103.0, 1.0, "stop")])])
def test_a_stop_entry_is_stopped_in_its_bar_only_when_the_close_proves_it(
    close: float, stopped: list[tuple[int, float, float, str]]
) -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("stop", 1, quantity=1.0, trigger=105.0, stop=103.0))
    assert told(play(simulated, (100, 106, 99, close))[0]) == [(1, 105.0, 1.0, "entry"), *stopped]


def test_a_signal_without_exposure_moves_the_protection_of_the_position() -> None:
    simulated = account()
    play(simulated, FLAT)
    assert simulated.decide(0, SignalRow(stop=90.0)).protect is None
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=1.0, stop=90.0, target=120.0)))
    play(simulated, FLAT)
    simulated.apply(0, simulated.decide(0, SignalRow(stop=95.0)))
    assert (simulated.protection(0).stop, simulated.protection(0).target) == (95.0, 120.0)
    assert told(play(simulated, (100, 100, 94, 95))[0]) == [(-1, 95.0, 10.0, "stop")]


def test_a_new_exposure_replaces_the_order_that_is_still_open() -> None:
    simulated = account()
    play(simulated, FLAT)
    first = simulated.apply(0, simulated.decide(0, SignalRow(exposure=1.0, limit=90.0)))
    play(simulated, FLAT)
    decision = simulated.decide(0, SignalRow(exposure=0.5, limit=95.0))
    assert list(decision.cancel) == [first]
    second = simulated.apply(0, decision)
    assert simulated.open_refs() == [second]
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=0.0)))
    assert simulated.open_refs() == []


def test_a_trail_follows_the_best_price_of_earlier_bars() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(protect_trail=0.1))
    fills = play(simulated, FLAT, (100, 120, 100, 115), (115, 118, 109, 110), (110, 110, 107, 108))
    assert [told(each) for each in fills[1:]] == [[], [], [(-1, 108.0, 1.0, "trail")]]


def test_a_short_position_is_protected_from_the_other_side() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", -1, quantity=1.0, stop=105.0, target=90.0))
    assert told(play(simulated, FLAT, (100, 106, 80, 100))[1]) == [(1, 105.0, 1.0, "stop")]


def test_the_nearer_of_stop_and_trail_counts() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(stop=80.0, protect_trail=0.1))
    assert told(play(simulated, FLAT, (100, 100, 70, 100))[1]) == [(-1, 90.0, 1.0, "trail")]


def test_volume_caps_fills_and_the_rest_carries_over() -> None:
    simulated = account(replace(FREE, volume_share=0.25))
    play(simulated, FLAT)
    ref = simulated.place(0, buy(3.0))
    fills = play(simulated, (*FLAT, 4.0), (*FLAT, 0.0), (*FLAT, 4.0), (*FLAT, 400.0))
    assert [[(fill.quantity, fill.remaining) for fill in each] for each in fills] == [
        [(1.0, 2.0)], [], [(1.0, 1.0)], [(1.0, 0.0)],
    ]  # fmt: skip
    assert simulated.remaining(ref) == 0.0


def test_a_stop_that_volume_cuts_leaves_at_the_following_opens() -> None:
    simulated = account(replace(FREE, volume_share=0.5))
    play(simulated, FLAT)
    simulated.place(0, buy(2.0, stop=95.0))
    fills = play(simulated, FLAT, (96, 96, 94, 95, 2.0), (99, 99, 98, 98, 100.0))
    assert [told(each) for each in fills[1:]] == [[(-1, 95.0, 1.0, "stop")], [(-1, 99.0, 1.0, "stop")]]


def test_a_stop_cancels_what_is_still_open_of_its_entry() -> None:
    simulated = account(replace(FREE, volume_share=0.5))
    play(simulated, FLAT)
    simulated.place(0, buy(5.0, stop=95.0))
    play(simulated, (*FLAT, 2.0))
    play(simulated, (94, 94, 90, 92, 100.0))
    assert simulated.position(0) == 0.0
    assert simulated.open_refs() == []
    assert simulated.ended() == [(1, "position_closed")]


@pytest.mark.parametrize(
    ("force", "volume", "quantities", "open_after"),
    [("gtc", 4.0, [1.0], True), ("ioc", 4.0, [1.0], False), ("fok", 4.0, [], False), ("fok", 40.0, [3.0], False)],
)
def test_time_in_force(force: str, volume: float, quantities: list[float], open_after: bool) -> None:
    simulated = account(replace(FREE, volume_share=0.25))
    play(simulated, FLAT)
    simulated.place(0, buy(3.0, time_in_force=force))
    [fills] = play(simulated, (*FLAT, volume))
    assert [fill.quantity for fill in fills] == quantities
    assert bool(simulated.open_refs()) == open_after


def test_a_limit_good_till_a_time_expires_then() -> None:
    simulated = account()
    play(simulated, FLAT)
    ref = simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=90.0, time_in_force="gtd", expires=2))
    assert play(simulated, FLAT, (80, 80, 80, 80), start=1) == [[], []]
    assert simulated.open_refs() == []
    assert simulated.ended() == [(ref, "expired")]


def test_reduce_only_never_flips() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(1.0))
    simulated.place(0, Ticket("market", -1, quantity=5.0, reduce_only=True))
    play(simulated, FLAT)
    assert simulated.position(0) == 1.0  # the sale came first and found nothing to reduce
    simulated.place(0, Ticket("market", -1, quantity=5.0, reduce_only=True))
    play(simulated, FLAT)
    assert simulated.position(0) == 0.0


def test_a_stop_order_enters_and_a_stop_limit_waits_for_its_limit() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("stop", 1, quantity=1.0, trigger=105.0))
    simulated.place(0, Ticket("stop_limit", 1, quantity=1.0, trigger=105.0, limit=103.0))
    fills = play(simulated, (100, 104, 99, 101), (101, 106, 101, 106), (106, 107, 102, 104))
    assert [told(each) for each in fills] == [[], [(1, 105.0, 1.0, "entry")], [(1, 103.0, 1.0, "entry")]]


def test_a_trailing_order_sells_at_its_distance() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy())
    play(simulated, FLAT)
    simulated.place(0, Ticket("trailing", -1, quantity=1.0, distance=5.0, reduce_only=True))
    fills = play(simulated, (100, 110, 100, 110), (110, 110, 105, 105))
    assert [told(each) for each in fills] == [[], [(-1, 105.0, 1.0, "trail")]]


def test_buys_never_spend_more_than_cash() -> None:
    simulated = account(Costs(), cash=1000.0)
    play(simulated, FLAT)
    simulated.place(0, buy(50.0))
    [[fill]] = play(simulated, FLAT)
    assert fill.quantity == pytest.approx(1000 / (100.05 * 1.001))
    assert 0.0 <= simulated.cash < 1e-9
    assert simulated.ended() == [(1, "insufficient_funds")]


def test_exposure_one_spends_all_cash_and_restating_it_trades_nothing() -> None:
    simulated = account(Costs())
    play(simulated, FLAT)
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=1.0)))
    [[fill]] = play(simulated, FLAT)
    assert fill.price * fill.quantity + fill.fee == pytest.approx(1000.0, abs=1e-9)
    assert simulated.decide(0, SignalRow(exposure=1.0)).place is None
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=0.0)))
    [[fill]] = play(simulated, FLAT)
    assert simulated.position(0) == 0.0
    assert simulated.decide(0, SignalRow(exposure=0.0)).place is None


@pytest.mark.parametrize("exposure", [-1.0, -0.4, 0.3, 0.7])
def test_an_exposure_is_that_share_of_equity_after_the_fee(exposure: float) -> None:
    simulated = account(Costs(slippage=0.0))
    play(simulated, FLAT)
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=exposure)))
    play(simulated, FLAT)
    assert simulated.position(0) * 100.0 / simulated.equity() == pytest.approx(exposure)


def test_quantities_go_down_to_lots_prices_to_ticks_and_small_orders_are_refused() -> None:
    gridded = Instrument("test", "COIN", "USDT", Decimal("0.1"), Decimal("0.1"), Decimal("50"))
    simulated = account(Costs(slippage=0.0001), gridded)
    play(simulated, FLAT)
    simulated.place(0, buy(1.29))
    [[fill]] = play(simulated, FLAT)
    assert (fill.quantity, fill.price) == (1.2, 100.1)  # slipped to 100.01, rounded against the buyer
    simulated.place(0, buy(0.3))
    assert play(simulated, FLAT) == [[]]
    assert simulated.ended() == [(2, "below_minimum")]


def test_an_instrument_without_a_bar_neither_fills_nor_moves() -> None:
    simulated = account()
    other = simulated.add(Instrument("test", "OTHER", "USDT"))
    simulated.step({0: Bar(0, *FLAT, 1e9), other: Bar(0, *FLAT, 1e9)})
    simulated.place(other, buy())
    assert simulated.step({0: Bar(1, *FLAT, 1e9)}) == []
    assert len(simulated.step({other: Bar(2, *FLAT, 1e9)})) == 1


def test_sales_come_before_purchases_at_the_open() -> None:
    simulated = account()
    other = simulated.add(Instrument("test", "OTHER", "USDT"))
    bars = {0: Bar(0, *FLAT, float("nan")), other: Bar(0, *FLAT, float("nan"))}
    simulated.step(bars)
    simulated.place(other, Ticket("market", 1, exposure=1.0))
    simulated.step(bars)
    simulated.place(0, Ticket("market", 1, exposure=1.0))
    simulated.place(other, Ticket("market", -1, exposure=0.0))
    assert [(fill.index, fill.side) for fill in simulated.step(bars)] == [(other, -1), (0, 1)]


WRONG = [
    {"kind": "market", "side": 1},
    {"kind": "market", "side": 1, "quantity": -1.0},
    {"kind": "market", "side": 0, "quantity": 1.0},
    {"kind": "limit", "side": 1, "quantity": 1.0},
    {"kind": "stop", "side": 1, "quantity": 1.0},
    {"kind": "trailing", "side": -1, "quantity": 1.0},
    {"kind": "market", "side": 1, "exposure": 1.5},
    {"kind": "nonsense", "side": 1, "quantity": 1.0},
    {"kind": "market", "side": 1, "quantity": 1.0, "protect_trail": 2.0},
    {"kind": "limit", "side": 1, "quantity": 1.0, "limit": 1.0, "time_in_force": "gtd"},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_an_impossible_ticket_is_refused_in_a_sentence(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        Ticket(**given)  # type: ignore[arg-type]


def test_an_exposure_stated_at_every_close_is_not_lost_to_latency() -> None:
    simulated = account(replace(FREE, latency=2))
    bought = []
    for t in range(6):
        bought += [(t, *fill) for fill in told(simulated.step({0: Bar(t, *FLAT, float("nan"))}))]
        simulated.apply(0, simulated.decide(0, SignalRow(exposure=0.5)))
    assert bought == [(3, 1, 100.0, 5.0, "entry")]  # decided at the close of bar 0


def test_what_is_on_its_way_arrives_before_what_was_decided_later() -> None:
    simulated = account(replace(FREE, latency=1))
    said = {0: SignalRow(exposure=1.0), 1: SignalRow(exposure=0.0)}
    happened = []
    for t in range(5):
        happened += [(t, *fill) for fill in told(simulated.step({0: Bar(t, *FLAT, float("nan"))}))]
        simulated.apply(0, simulated.decide(0, said.get(t, SignalRow())))
    assert happened == [(2, 1, 100.0, 10.0, "entry"), (3, -1, 100.0, 10.0, "exit")]


def test_a_stop_named_by_an_addition_fills_at_the_stop_and_not_at_the_average_entry() -> None:
    simulated = account(cash=10_000.0)
    play(simulated, (50.0, 50.0, 50.0, 50.0))
    simulated.place(0, buy(50.0))
    play(simulated, (50.0, 100.0, 50.0, 100.0), start=1)
    simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=98.0, stop=96.0))
    [fills] = play(simulated, (100.0, 101.0, 95.0, 97.0), start=2)
    assert told(fills) == [(1, 98.0, 1.0, "entry"), (-1, 96.0, 51.0, "stop")]


def test_an_addition_inside_the_bar_keeps_the_trail_at_the_bars_best() -> None:
    simulated = account(cash=10_000.0)
    play(simulated, FLAT)
    simulated.place(0, buy(10.0, protect_trail=0.1))
    play(simulated, FLAT, start=1)
    simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=99.0))
    play(simulated, (100.0, 120.0, 98.0, 119.0), start=2)
    [fills] = play(simulated, (115.0, 115.0, 107.0, 110.0), start=3)
    assert told(fills) == [(-1, 108.0, 11.0, "trail")]


def test_what_rounding_has_left_of_the_cash_buys_nothing() -> None:
    simulated = account(Costs(volume_share=1.0))
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, exposure=1.0))
    play(simulated, (103.7, 104.0, 103.0, 103.3), start=1)
    held = simulated.position(0)
    for t in range(2, 8):
        ref = simulated.place(0, Ticket("market", 1, spend=100.0))
        assert play(simulated, (103.7 + t, 105.0 + t, 103.0 + t, 104.3 + t), start=t) == [[]]
        assert simulated.ended() == [(ref, "insufficient_funds")]
    assert simulated.position(0) == held


@pytest.mark.parametrize("latency", [-1, 1.5, float("nan"), 20_000])
def test_latency_counts_whole_bars(latency: int) -> None:
    with pytest.raises(InvalidInput, match=r"is not a whole number of bars from 0 to 10,000\."):
        Costs(latency=latency)
