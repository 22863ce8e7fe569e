"""Single steps: what a machine asks for after what has happened."""

from decimal import Decimal
from itertools import pairwise

import pytest

from core.engine.synthetics import machines
from core.engine.synthetics.machines import State
from core.engine.synthetics.values import Cancel, Cancelled, Changed, Finish, Happening, Place, Priced, Restarted, Tell
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Market,
    OneCancelsOther,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TrailingStop,
    Twap,
    Vwap,
)  # fmt: skip

D = Decimal
COIN = Instrument("venue", "COIN", "USDT", D("0.01"), D("0.01"), D(1))
ALL = ("Limit", "Market", "Stop", "StopLimit", "TrailingStop")
BARE = ("Limit", "Market")
FILLED, CANCELLED, OPEN, REJECTED = OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.OPEN, OrderStatus.REJECTED

# A happening, and what is asked for: 'place 1 sell Stop 3', 'cancel 1', 'tell', 'finish filled'.
Story = list[tuple[Happening, list[str]]]


def at(price: str | int, second: int = 1) -> Priced:
    return Priced(second * 1_000, D(price), D(price), D(price))


def now(
    n: int, status: OrderStatus, filled: str | int = 0, price: str | int = 100, reason: str | None = None
) -> Changed:
    return Changed(n, status, D(filled), D(price) if D(filled) else None, reason=reason)


def words(action: object) -> str:
    match action:
        case Place(child):
            return f"place {child.n} {child.side} {type(child.type).__name__} {child.quantity}"
        case Cancel(n):
            return f"cancel {n}"
        case Tell():
            return "tell"
        case Finish(status):
            return f"finish {status}"
        case other:
            raise AssertionError(other)


OCO = (Side.SELL, OneCancelsOther(D(110), D(90)), ALL)
STORIES: dict[str, tuple[tuple[Side, OrderType, tuple[str, ...]], Story]] = {
    "the stop rests and fills": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (now(1, OPEN), []),
        (at(85), []),
        (now(1, FILLED, 3, 85), ["finish filled"]),
    ]),
    "the target takes the place of the stop": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (now(1, OPEN), []),
        (at(110), ["cancel 1"]),
        (at(111), []),
        (now(1, CANCELLED), ["place 2 sell Limit 3"]),
        (now(2, FILLED, 3, 111), ["finish filled"]),
    ]),
    "a cancel refused because the stop just filled": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (at(110), ["cancel 1"]),
        (now(1, FILLED, 3, 90), ["finish filled"]),
    ]),
    "a stop that filled in part before it was cancelled": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (at(110), ["cancel 1"]),
        (now(1, CANCELLED, 1), ["place 2 sell Limit 2"]),
    ]),
    "both legs fill": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (at(110), ["cancel 1"]),
        (now(1, CANCELLED), ["place 2 sell Limit 3"]),
        (now(1, CANCELLED, 3), ["cancel 2"]),
        (now(2, FILLED, 3), ["tell", "place 3 buy Market 3"]),
        (now(3, FILLED, 3), ["finish filled"]),
    ]),
    "without stops at the venue the limit rests and the stop is watched": ((*OCO[:2], BARE), [
        (at(100), ["place 1 sell Limit 3"]),
        (now(1, OPEN), []),
        (at(80), ["cancel 1"]),
        (at(95), []),
        (now(1, CANCELLED), ["place 2 sell Market 3"]),
    ]),
    "a refused stop is watched here": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (now(1, REJECTED, reason="No stops today."), ["tell", "place 2 sell Limit 3"]),
    ]),
    "what is told twice and out of order": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (now(1, FILLED, 3), ["finish filled"]),
        (now(1, OPEN), []),
        (now(1, FILLED, 3), []),
    ]),
    "a restart asks again for what was never answered": (OCO, [
        (at(100), ["place 1 sell Stop 3"]),
        (Restarted(2_000), ["place 1 sell Stop 3"]),
        (now(1, OPEN), []),
        (Restarted(3_000), []),
        (Cancelled(), ["cancel 1"]),
        (Restarted(4_000), ["cancel 1"]),
        (now(1, CANCELLED), ["finish cancelled"]),
    ]),
    "a watched stop sells at the first price beyond it": ((Side.SELL, Stop(D(90)), BARE), [
        (at(91), []),
        (at(70), ["place 1 sell Market 3"]),
        (at(95), []),
        (now(1, FILLED, 3, 70), ["finish filled"]),
    ]),
    "a watched stop-limit keeps its limit": ((Side.BUY, StopLimit(D(110), D(111)), BARE), [
        (at(109), []),
        (at(130), ["place 1 buy Limit 3"]),
    ]),
    "a trailing stop follows upwards only": ((Side.SELL, TrailingStop(distance=D(5)), BARE), [
        (at(100), []),
        (at(120), []),
        (at("115.01"), []),
        (at(115), ["place 1 sell Market 3"]),
    ]),
    "a trailing stop with an activation becomes the venue's own": (
        (Side.SELL, TrailingStop(D("0.1"), activation=D(105)), ALL), [
            (at(80), []),
            (at(105), ["place 1 sell TrailingStop 3"]),
        ]),
    "a bracket protects what has filled": ((Side.BUY, Bracket(Market(), D(90), D(110)), ALL), [
        (at(100), ["place 1 buy Market 3"]),
        (now(1, OrderStatus.PARTIAL, 1), ["place 2 sell Stop 1"]),
        (now(1, FILLED, 3), ["cancel 2"]),
        (now(2, CANCELLED), ["place 3 sell Stop 3"]),
        (now(3, FILLED, 3, 90), ["finish filled"]),
    ]),
    "an iceberg goes part by part": ((Side.BUY, Iceberg(D(99), D(2)), ALL), [
        (at(100), ["place 1 buy Limit 2"]),
        (now(1, OrderStatus.PARTIAL, 1), []),
        (now(1, FILLED, 2), ["place 2 buy Limit 1"]),
        (now(2, FILLED, 1), ["finish filled"]),
    ]),
    "slices wait for their time": ((Side.BUY, Twap(30, 3), ALL), [
        (at(100, 1), ["place 1 buy Market 1"]),
        (now(1, FILLED, 1), []),
        (at(100, 10), []),
        (at(100, 11), ["place 2 buy Market 1"]),
        (at(100, 35), []),
        (now(2, FILLED, 1), ["place 3 buy Market 1"]),
        (now(3, FILLED, 1), ["finish filled"]),
    ]),
    "a volume order without volumes trades equal slices": ((Side.BUY, Vwap(30, 3), ALL), [
        (at(100, 1), ["place 1 buy Market 1"]),
    ]),
    "a ladder that leaves takes its other rungs with it": (
        (Side.BUY, Ladder((D(99), D(95)), (), D(90), D(110)), ALL), [
            (at(100), ["place 1 buy Limit 1.5", "place 2 buy Limit 1.5"]),
            (now(1, FILLED, "1.5"), ["place 3 sell Stop 1.5"]),
            (now(3, FILLED, "1.5", 90), ["cancel 2"]),
            (now(2, CANCELLED), ["finish filled"]),
        ]),
    "a grid sells higher and buys again": ((Side.BUY, Grid(D(90), D(110), 3), ALL), [
        (at(95), ["place 1 buy Limit 1.5"]),
        (now(1, FILLED, "1.5", 90), ["place 2 sell Limit 1.5"]),
        (now(2, FILLED, "1.5", 100), ["place 3 buy Limit 1.5"]),
        (at(101), ["place 4 buy Limit 1.5"]),
        (Cancelled(), ["cancel 3", "cancel 4"]),
        (now(3, CANCELLED), []),
        (now(4, CANCELLED), ["finish cancelled"]),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_story_goes_as_told(name: str) -> None:
    (side, kind, native), story = STORIES[name]
    state: State = machines.begin(OrderRequest("one", "account", COIN, side, kind, quantity=D(3)), native)
    for happening, expected in story:
        state = machines.read(machines.written(state))  # as after a crash
        state, actions = machines.step(state, happening)
        assert [words(action) for action in actions] == expected, happening


def test_an_order_gives_up_after_five_refusals() -> None:
    request = OrderRequest("one", "account", COIN, Side.BUY, Iceberg(D(99), D(3)), quantity=D(3))
    state = machines.begin(request, ALL)
    time, finished = 1, []
    for n in range(1, 6):
        state, _ = machines.step(state, at(100, time))
        state, actions = machines.step(state, now(n, REJECTED, reason="No."))
        finished += [words(action) for action in actions if isinstance(action, Finish)]
        time += 60
    assert finished == ["finish rejected"]


@pytest.mark.parametrize(
    ("side", "kind"),
    [(Side.SELL, Stop(D(90))), (Side.SELL, OneCancelsOther(D(120), D(90))), (Side.SELL, TrailingStop(D("0.1")))],
)
def test_a_stop_is_tried_for_as_long_as_its_venue_is_overrun(side: Side, kind: OrderType) -> None:
    state = machines.begin(OrderRequest("one", "account", COIN, side, kind, quantity=D(3)), BARE)
    time, told, waits = 1, 0, []
    state, actions = machines.step(state, at(100, time))
    for _ in range(600):
        time += 1
        queue: list[Happening] = [at(80, time)]
        while queue:
            state, actions = machines.step(machines.read(machines.written(state)), queue.pop(0))
            assert not any(isinstance(each, Finish) for each in actions)
            told += sum(isinstance(each, Tell) for each in actions)
            for action in actions:
                if isinstance(action, Place) and isinstance(action.child.type, Market):
                    waits.append(time)
                    reason = "Too many requests came from here."
                    queue.append(Changed(action.child.n, REJECTED, reason=reason, passing=True))
                elif isinstance(action, Cancel):
                    queue.append(now(action.n, CANCELLED, reason="Cancelled on request."))
    assert told == 1
    assert waits[-1] > 560
    assert max(b - a for a, b in pairwise(waits)) <= 32  # seconds
    time += 60
    state, (action,) = machines.step(state, at(80, time))
    assert isinstance(action, Place)
    state, actions = machines.step(state, now(action.child.n, FILLED, 3, 80))
    assert [words(each) for each in actions] == ["finish filled"]


def test_a_stop_that_its_venue_has_no_time_for_is_offered_to_it_again() -> None:
    request = OrderRequest("one", "account", COIN, Side.SELL, OneCancelsOther(D(120), D(90)), quantity=D(3))
    state = machines.begin(request, ALL)
    state, (action,) = machines.step(state, at(100, 1))
    assert words(action) == "place 1 sell Stop 3"
    state, actions = machines.step(state, Changed(1, REJECTED, reason="Too many requests.", passing=True))
    assert actions == ()
    state, (action,) = machines.step(state, at(100, 10))
    assert words(action) == "place 2 sell Stop 3"


def test_an_exit_at_a_limit_that_somebody_cancels_at_the_venue_is_not_fought() -> None:
    request = OrderRequest("one", "account", COIN, Side.SELL, StopLimit(D(90), D(89)), quantity=D(3))
    state = machines.begin(request, BARE)
    state, _ = machines.step(state, at(100, 1))
    state, (action,) = machines.step(state, at(90, 2))
    assert words(action) == "place 1 sell Limit 3"
    state, _ = machines.step(state, now(1, OPEN))
    told = "It was cancelled at binance, not from here."
    state, actions = machines.step(state, now(1, CANCELLED, reason=told))
    assert actions == (Finish(CANCELLED, told),)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: TrailingStop(), "exactly one of them"),
        (lambda: TrailingStop(D("1.5")), "0.05 is 5 %"),
        (lambda: OneCancelsOther(D(100), D(100)), "must lie apart"),
        (lambda: Iceberg(D(0), D(1)), "The price 0 is not above zero"),
        (lambda: Twap(60, 0), "1 to 1000 slices, not 0"),
        (lambda: Twap(10, 12), "Take at most 5 slices"),
        (lambda: Vwap(60, 6, D(2)), "The participation 2 is not between 0 and 1"),
        (lambda: Ladder(()), "1 to 100 prices, not 0"),
        (lambda: Ladder((D(1), D(1))), "are the same"),
        (lambda: Ladder((D(1), D(2)), (D(1),)), "2 prices need as many weights, not 1"),
        (lambda: Grid(D(2), D(1), 5), "The low 2 of the grid must lie below its high 1"),
        (lambda: Grid(D(1), D(2), 1), "2 to 100 levels, not 1"),
    ],
)
def test_a_type_that_makes_no_sense_is_refused_with_its_value(make: object, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make()  # type: ignore[operator]
    assert sentence in refused.value.sentence()
