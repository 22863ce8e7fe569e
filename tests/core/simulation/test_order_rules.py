"""Groups, partial targets, trails by a distance and growing positions, each as one small table of bars."""

from dataclasses import replace
from decimal import Decimal

import pytest

from core.events import Bar
from core.market.instrument import Instrument
from core.simulation.account import SignalRow, SimulatedAccount, Ticket
from core.trading.costs import FREE
from tests.core.simulation.test_fill_rules import FLAT, account, buy, play, told

LOTS = Instrument("test", "COIN", "USDT", Decimal("0.01"), Decimal("1"), Decimal("0"))


def sell(kind: str, quantity: float, **more: object) -> Ticket:
    prices: dict[str, object] = {"trigger": more.pop("trigger")} if kind == "stop" else {"limit": more.pop("limit")}
    return Ticket(kind, -1, quantity=quantity, reduce_only=True, group=1, **prices, **more)  # type: ignore[arg-type]


def holding(quantity: float, costs: object = FREE) -> SimulatedAccount:
    simulated = account(costs)  # type: ignore[arg-type]
    play(simulated, FLAT)
    simulated.place(0, buy(quantity))
    play(simulated, FLAT)
    return simulated


# -- groups ---------------------------------------------------------------------------------------------------------

PAIR = [
    ("neither", (100, 104, 96, 100), [], 2),
    ("the limit", (100, 111, 96, 100), [(-1, 110.0, 4.0, "exit")], 0),
    ("the stop", (100, 104, 94, 100), [(-1, 95.0, 4.0, "stop")], 0),
    ("both inside: the worse against the close", (100, 111, 94, 100), [(-1, 95.0, 4.0, "stop")], 0),
    ("a gap", (120, 121, 94, 100), [(-1, 120.0, 4.0, "exit")], 0),
]


@pytest.mark.parametrize(("name", "bar", "fills", "left"), PAIR, ids=[row[0] for row in PAIR])
def test_one_of_a_group_cancels_the_other(
    name: str, bar: tuple[float, ...], fills: list[tuple[int, float, float, str]], left: int
) -> None:
    simulated = holding(4.0)
    simulated.place(0, sell("limit", 4.0, limit=110.0))
    simulated.place(0, sell("stop", 4.0, trigger=95.0))
    assert told(play(simulated, bar)[0]) == fills
    assert len(simulated.open_refs()) == left
    assert simulated.ended() == ([] if left else [(2 if fills[0][3] == "stop" else 3, "group_filled")])


def test_two_entries_of_a_group_fill_as_the_worse_of_them() -> None:
    for close, filled in ((103.0, (-1, 95.0, 1.0, "entry")), (97.0, (1, 105.0, 1.0, "entry"))):
        simulated = account()
        play(simulated, FLAT)
        simulated.place(0, Ticket("stop", 1, quantity=1.0, trigger=105.0, group=7))
        simulated.place(0, Ticket("stop", -1, quantity=1.0, trigger=95.0, group=7))
        assert told(play(simulated, (100, 106, 94, close))[0]) == [filled]
        assert simulated.open_refs() == []


def test_a_part_of_one_order_takes_as_much_from_the_others_of_its_group() -> None:
    simulated = holding(4.0, replace(FREE, volume_share=0.5))
    limit = simulated.place(0, sell("limit", 4.0, limit=110.0))
    stop = simulated.place(0, sell("stop", 4.0, trigger=95.0))
    play(simulated, (105, 111, 104, 108, 2.0))
    assert (simulated.remaining(limit), simulated.remaining(stop)) == (3.0, 3.0)
    assert told(play(simulated, (94, 94, 90, 92, 100.0))[0]) == [(-1, 94.0, 3.0, "stop")]
    assert (simulated.position(0), simulated.open_refs()) == (0.0, [])


def test_an_order_filled_in_parts_never_fills_more_than_it_asked_for() -> None:
    simulated = SimulatedAccount(10_000.0, replace(FREE, volume_share=0.5))
    simulated.add(LOTS)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=3.7))
    steps = play(simulated, *[(100, 101, 99, 100, 4.0)] * 3)
    assert [[fill.quantity for fill in fills] for fills in steps] == [[2.0], [1.0], []]
    assert [fill.remaining for fills in steps for fill in fills] == [1.0, 0.0]
    assert simulated.open_refs() == []


@pytest.mark.parametrize("room", [3.2, 3.0, 5.0])
def test_an_order_ends_with_its_last_whole_lot(room: float) -> None:
    simulated = SimulatedAccount(10_000.0, replace(FREE, volume_share=0.5))
    simulated.add(LOTS)
    play(simulated, FLAT)
    simulated.place(0, Ticket("limit", 1, quantity=3.7, limit=99.0))
    assert [fill.quantity for fill in play(simulated, (100, 101, 98, 100, 2 * room))[0]] == [3.0]
    assert simulated.open_refs() == []


def test_orders_of_a_group_share_whole_lots() -> None:
    simulated = SimulatedAccount(10_000.0, replace(FREE, volume_share=0.5))
    simulated.add(LOTS)
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 1, quantity=5.0))
    play(simulated, FLAT)
    limit = simulated.place(0, sell("limit", 3.7, limit=110.0))
    stop = simulated.place(0, sell("stop", 3.7, trigger=95.0))
    play(simulated, (105, 111, 104, 108, 2.0))
    assert (simulated.remaining(limit), simulated.remaining(stop)) == (2.0, 2.0)
    assert [fill.quantity for fill in play(simulated, (94, 94, 90, 92, 100.0))[0]] == [2.0]
    assert (simulated.position(0), simulated.open_refs()) == (2.0, [])


def test_an_order_below_a_lot_ends_with_that_reason() -> None:
    simulated = SimulatedAccount(10_000.0, FREE)
    simulated.add(LOTS)
    play(simulated, FLAT)
    ref = simulated.place(0, Ticket("market", 1, quantity=0.7))
    assert play(simulated, FLAT) == [[]]
    assert simulated.ended() == [(ref, "below_minimum")]


def test_a_group_over_two_instruments_ends_with_the_first_part_of_one() -> None:
    simulated = account(replace(FREE, volume_share=0.5))
    simulated.add(Instrument("test", "OTHER", "USDT"))
    bars = {0: Bar(0, *FLAT, 2.0), 1: Bar(0, *FLAT, 2.0)}
    simulated.step(bars)
    simulated.place(0, Ticket("limit", 1, quantity=3.0, limit=99.0, group=2))
    simulated.place(1, Ticket("limit", 1, quantity=3.0, limit=90.0, group=2))
    simulated.step({0: Bar(1, 100, 100, 98, 100, 2.0), 1: Bar(1, *FLAT, 2.0)})
    assert simulated.open_refs() == [1]
    assert simulated.position(0) == 1.0


def test_an_order_of_a_group_that_expires_leaves_the_others() -> None:
    simulated = holding(4.0)
    simulated.place(0, sell("limit", 4.0, limit=110.0, time_in_force="gtd", expires=1))
    stop = simulated.place(0, sell("stop", 4.0, trigger=95.0))
    play(simulated, FLAT, start=2)
    assert simulated.open_refs() == [stop]


# -- partial targets ------------------------------------------------------------------------------------------------


def test_targets_sell_their_parts_and_the_stop_covers_what_is_left() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(4.0, stop=95.0, targets=((110.0, 0.5), (120.0, 0.25))))
    assert simulated.targets(0) == []
    play(simulated, FLAT)
    assert simulated.targets(0) == [(110.0, 2.0), (120.0, 1.0)]
    assert simulated.open_refs() == []
    assert told(play(simulated, (105, 115, 104, 114))[0]) == [(-1, 110.0, 2.0, "target")]
    assert simulated.targets(0) == [(120.0, 1.0)]
    assert told(play(simulated, (114, 121, 114, 120))[0]) == [(-1, 120.0, 1.0, "target")]
    assert told(play(simulated, (100, 100, 94, 95))[0]) == [(-1, 95.0, 1.0, "stop")]
    assert simulated.equity() == 1000.0 + 20.0 + 20.0 - 5.0


def test_the_stop_comes_before_the_targets_inside_a_bar_and_ends_them() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(4.0, stop=95.0, targets=((110.0, 0.5), (120.0, 0.5))))
    assert told(play(simulated, (100, 130, 94, 100))[0])[1:] == [(-1, 95.0, 4.0, "stop")]
    assert (simulated.targets(0), simulated.ended()) == ([], [])


def test_targets_that_close_all_end_the_protection() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(3.0, stop=95.0, targets=((110.0, 0.3), (120.0, 0.7))))
    fills = play(simulated, FLAT, (105, 125, 104, 120))[1]
    assert told(fills) == [(-1, 110.0, 0.9, "target"), (-1, 120.0, 2.1, "target")]
    assert simulated.position(0) == 0.0
    assert play(simulated, (100, 100, 90, 95)) == [[]]


def test_targets_end_with_the_position_they_belong_to() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(4.0, targets=((110.0, 0.5),)))
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", -1, quantity=6.0))  # turns it around
    play(simulated, FLAT)
    assert (simulated.position(0), simulated.targets(0)) == (-2.0, [])
    assert play(simulated, (100, 120, 100, 120)) == [[]]


def test_targets_of_an_entry_that_never_fills_end_with_it() -> None:
    simulated = account()
    play(simulated, FLAT)
    ref = simulated.place(0, Ticket("limit", 1, quantity=1.0, limit=50.0, targets=((110.0, 1.0),)))
    simulated.cancel(ref)
    simulated.place(0, buy(1.0))
    assert told(play(simulated, FLAT, (100, 120, 100, 120))[1]) == []
    assert simulated.position(0) == 1.0


def test_targets_count_whole_lots_of_what_has_filled_so_far() -> None:
    simulated = account(replace(FREE, volume_share=0.5), LOTS)
    play(simulated, FLAT)
    simulated.place(0, buy(5.0, targets=((110.0, 0.5), (120.0, 0.5))))
    play(simulated, (*FLAT, 6.0))
    assert simulated.targets(0) == [(110.0, 1.0), (120.0, 2.0)]
    play(simulated, (*FLAT, 6.0))
    assert simulated.targets(0) == [(110.0, 2.0), (120.0, 3.0)]


def test_what_is_bought_inside_the_bar_cannot_reach_a_target_in_it() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("limit", 1, quantity=2.0, limit=98.0, targets=((101.0, 0.5),)))
    assert told(play(simulated, (100, 105, 97, 100))[0]) == [(1, 98.0, 2.0, "entry")]
    assert told(play(simulated, (100, 105, 97, 100))[0]) == [(-1, 101.0, 1.0, "target")]


def test_a_short_buys_back_at_its_targets() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 0, exposure=-0.4, stop=105.0, targets=((90.0, 0.5),)))
    fills = play(simulated, FLAT, (95, 96, 89, 95), (104, 106, 104, 105))
    assert [told(each) for each in fills] == [
        [(-1, 100.0, 4.0, "entry")], [(1, 90.0, 2.0, "target")], [(1, 105.0, 2.0, "stop")],
    ]  # fmt: skip


# -- trails, growing positions --------------------------------------------------------------------------------------


def test_a_position_trails_by_an_absolute_distance() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(protect_distance=10.0))
    fills = play(simulated, FLAT, (100, 120, 100, 115), (115, 118, 111, 112), (112, 112, 109, 111))
    assert [told(each) for each in fills[1:]] == [[], [], [(-1, 110.0, 1.0, "trail")]]


def test_the_trail_of_a_short_follows_downwards() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", -1, quantity=1.0, protect_distance=10.0))
    fills = play(simulated, FLAT, (100, 100, 80, 85), (85, 91, 84, 90))
    assert [told(each) for each in fills[1:]] == [[], [(1, 90.0, 1.0, "trail")]]


def test_a_distance_takes_the_place_of_a_fraction_and_keeps_the_best_price() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(protect_trail=0.5))
    play(simulated, FLAT, (100, 120, 100, 115))
    simulated.apply(0, simulated.decide(0, SignalRow(distance=15.0)))
    assert (simulated.protection(0).distance, simulated.protection(0).trail != simulated.protection(0).trail) == (
        15,
        True,
    )
    assert told(play(simulated, (115, 116, 104, 110))[0]) == [(-1, 105.0, 1.0, "trail")]


def test_a_growing_position_has_its_average_entry_and_the_last_protection() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, buy(1.0, stop=90.0))
    play(simulated, FLAT)
    simulated.place(0, buy(3.0, stop=104.0, targets=((130.0, 1.0),)))
    play(simulated, (108.0,) * 4)
    assert (simulated.position(0), simulated.entry_price(0)) == (4.0, 106.0)
    simulated.place(0, Ticket("market", -1, quantity=2.0))
    play(simulated, (108.0,) * 4)
    assert simulated.entry_price(0) == 106.0  # selling a part leaves it
    assert told(play(simulated, (106, 106, 103, 105))[0]) == [(-1, 104.0, 2.0, "stop")]
    assert simulated.targets(0) == []


def test_an_aim_in_quote_or_base_trades_the_difference() -> None:
    simulated = account()
    play(simulated, FLAT)
    simulated.place(0, Ticket("market", 0, worth=500.0))
    assert told(play(simulated, (125.0,) * 4)[0]) == [(1, 125.0, 4.0, "entry")]
    simulated.place(0, Ticket("market", 0, position=-1.0))
    assert told(play(simulated, FLAT)[0]) == [(-1, 100.0, 5.0, "exit")]
    simulated.place(0, Ticket("limit", 1, position=0.0, limit=99.0))
    assert told(play(simulated, (100, 100, 98, 100))[0]) == [(1, 99.0, 1.0, "exit")]


def test_an_aim_in_lots_is_met_to_the_lot() -> None:
    simulated = account(FREE, Instrument("test", "COIN", "USDT", lot_size=Decimal("0.1")))
    play(simulated, FLAT)
    for aim in (0.1, 0.3, 0.7, 0.2):
        simulated.place(0, Ticket("market", 0, position=aim))
        play(simulated, FLAT)
        assert simulated.position(0) == aim
