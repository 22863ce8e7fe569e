"""What holds for any orders in any market, with leverage, groups, partial targets, funding and sizes."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.market.bars import COLUMNS, Bars
from core.market.instrument import Instrument
from core.research.asked import asked
from core.simulation import fields
from core.simulation.account import SignalRow, SimulatedAccount, SimulatedFill, fill_of
from core.simulation.addresses import addresses
from core.simulation.kernel import NEVER, run
from core.simulation.state import new_account, new_orders, new_row
from core.trading.costs import Costs
from core.trading.sizing import FixedCash, FixedQuantity, Fraction, Kelly, Sizing, VolatilityTarget
from core.trading.strategy import Context
from core.trading.tickets import Ticket
from tests.core.simulation.market import COIN, GRIDDED, rows, walk
from tests.property.test_simulation import Random

PERP, GRIDDED_PERP = replace(COIN, kind="perpetual"), replace(GRIDDED, kind="perpetual")
CASH = 2_000.0
HOURS = 3_600_000

costs = st.builds(
    Costs,
    taker_fee=st.sampled_from([0.0, 0.001]), maker_fee=st.sampled_from([0.0, 0.0005, -0.0001]),
    slippage=st.sampled_from([0.0, 0.0005]), slippage_model=st.sampled_from(["fixed", "volume_share", "spread"]),
    volume_share=st.sampled_from([0.05, 0.25, 1.0]), latency=st.sampled_from([0, 0, 1, 3]), fill_on_touch=st.booleans(),
    leverage=st.sampled_from([1.0, 3.0, 20.0, 50.0]), maintenance_margin=st.sampled_from([0.0, 0.005, 0.015]),
    liquidation_fee=st.sampled_from([0.0, 0.005]), borrow_rate=st.sampled_from([0.0, 0.5]),
    funding_rate=st.sampled_from([0.0, 0.0005, -0.0005]),
)  # fmt: skip
kinds = st.lists(st.sampled_from([COIN, GRIDDED, PERP, GRIDDED_PERP]), min_size=1, max_size=3)
sizes: st.SearchStrategy[Sizing | None] = st.sampled_from([
    None, FixedCash(500.0), FixedQuantity(7.0), Fraction(0.4), VolatilityTarget(3.0, 20, 2.0), Kelly(0.5, 3, 1.5),
])  # fmt: skip
seeds = st.integers(0, 10_000)


def hourly(n: int, seed: int, instrument: Instrument = COIN) -> Bars:
    """Hourly bars; those of two seeds out of three have volume enough for a position at full leverage."""
    bars = walk(n, seed, instrument=instrument, timeframe="1h")
    return bars if seed % 3 == 0 else replace(bars, volume=bars.volume * 1_000.0)


def some_ticket(rng: np.random.Generator, price: float) -> Ticket:
    """Any order that makes sense near this price."""
    kind = str(rng.choice(["market", "limit", "stop", "stop_limit", "trailing"]))
    side = int(rng.choice([-1, 1]))
    near = [round(price * (1.0 + away), 2) for away in rng.uniform(-0.02, 0.02, 3)]
    given: dict[str, Any] = {}
    match str(rng.choice(["quantity", "spend", "exposure", "worth", "position"])):
        case "quantity":
            given["quantity"] = round(float(rng.uniform(0.1, 60.0)), 2)
        case "spend":
            given["spend"] = round(float(rng.uniform(50.0, 5_000.0)), 2)
        case "exposure":
            given["exposure"] = round(float(rng.uniform(-1, 1)), 1)
        case "worth":
            given["worth"] = round(float(rng.uniform(-6_000, 6_000)), 2)
        case _:
            given["position"] = round(float(rng.uniform(-50, 50)), 2)
    if kind in ("limit", "stop_limit"):
        given["limit"] = near[0]
    if kind in ("stop", "stop_limit"):
        given["trigger"] = near[1]
    if kind == "trailing":
        given |= {"trail": 0.01} if rng.random() < 0.5 else {"distance": 1.0}
    away = side * rng.uniform(0.002, 0.03, 4)
    if rng.random() < 0.3:
        given["stop"] = round(price * (1.0 - away[0]), 2)
    if rng.random() < 0.2:
        given["target"] = round(price * (1.0 + away[1]), 2)
    if rng.random() < 0.2:
        given |= {"protect_trail": 0.02} if rng.random() < 0.5 else {"protect_distance": 2.0}
    if rng.random() < 0.3:
        given["targets"] = [(round(price * (1.0 + away[2]), 2), 0.5), (round(price * (1.0 + away[3]), 2), 0.3)]
    elif rng.random() < 0.3:
        given["reduce_only"] = True
    if rng.random() < 0.4:
        given["group"] = int(rng.integers(1, 4))
    if rng.random() < 0.2:
        given["time_in_force"] = str(rng.choice(["ioc", "fok"]))
    return Ticket(kind, side, **given)  # type: ignore[arg-type]


@dataclass
class Played:
    """A run of random orders: what happened, and when each order was placed."""

    account: SimulatedAccount
    fills: list[list[SimulatedFill]] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    free: list[float] = field(default_factory=list)
    placed: dict[int, tuple[int, Ticket]] = field(default_factory=dict)


def played(
    seed: int,
    instruments: list[Instrument],
    rules: Costs,
    *,
    scale: float = 1.0,
    restarts: frozenset[int] = frozenset(),
) -> Played:
    """120 hours of random orders in all instruments, one of which has no bar now and then."""
    rng = np.random.default_rng(seed)
    histories = [rows(hourly(120, seed + k, each)) for k, each in enumerate(instruments)]
    account = SimulatedAccount(CASH * scale, rules)
    for each in instruments:
        account.add(each)
    told = Played(account)
    for t in range(120):
        if t in restarts:
            told.account = SimulatedAccount.restored(json.loads(json.dumps(told.account.state())), instruments, rules)
        absent = int(rng.integers(0, 6)) if len(instruments) > 1 else -1
        present = {i: scaled(bars[t], scale) for i, bars in enumerate(histories) if i != absent}
        funding = {i: float(rng.choice([0.0, 0.0, 0.002, -0.002])) for i in present} if seed % 2 else None
        told.fills.append(told.account.step(present, funding))
        told.equity.append(told.account.equity())
        told.free.append(told.account.free)
        for i, bars in enumerate(histories):
            if rng.random() < 0.15:
                ticket = some_ticket(rng, bars[t].close)
                told.placed[told.account.place(i, in_units(ticket, scale))] = (t, ticket)
        if told.account.open_refs() and rng.random() < 0.05:
            told.account.cancel(told.account.open_refs()[0])
    return told


def scaled(bar: Any, scale: float) -> Any:
    return replace(bar, **{name: getattr(bar, name) * scale for name in ("open", "high", "low", "close")})


def in_units(ticket: Ticket, scale: float) -> Ticket:
    """The same order where prices are `scale` times as high."""
    if scale == 1.0:
        return ticket
    names = ("spend", "worth", "limit", "trigger", "distance", "stop", "target", "protect_distance")
    given: dict[str, Any] = {name: getattr(ticket, name) * scale for name in names if getattr(ticket, name) is not None}
    return replace(ticket, **given, targets=[(price * scale, part) for price, part in ticket.targets])


@settings(max_examples=30)
@given(seeds, kinds, costs)
def test_every_unit_of_cash_is_accounted_for(seed: int, instruments: list[Instrument], rules: Costs) -> None:
    told = played(seed, instruments, rules)
    account, fills = told.account, [fill for each in told.fills for fill in each]
    traded = sum(fill.side * fill.price * fill.quantity + fill.fee for fill in fills)
    assert account.cash == pytest.approx(
        CASH - traded - account.funding - account.interest + account.insured, rel=1e-9, abs=1e-6
    )
    for i in range(len(instruments)):
        held = sum(fill.side * fill.quantity for fill in fills if fill.index == i)
        assert account.position(i) == pytest.approx(held, abs=1e-8)


@settings(max_examples=30)
@given(seeds, kinds, costs)
def test_equity_is_never_below_zero(seed: int, instruments: list[Instrument], rules: Costs) -> None:
    assert min(played(seed, instruments, rules).equity) >= -1e-9 * CASH


@settings(max_examples=30)
@given(seeds, kinds, costs)
def test_no_order_fills_early_and_reduce_only_never_flips(
    seed: int, instruments: list[Instrument], rules: Costs
) -> None:
    told = played(seed, instruments, rules)
    held = dict.fromkeys(range(len(instruments)), 0.0)
    for t, fills in enumerate(told.fills):
        for fill in fills:
            after = held[fill.index] + fill.side * fill.quantity
            since, ticket = told.placed[fill.ref]
            assert t > since + rules.latency
            if ticket.reduce_only:
                assert abs(after) <= abs(held[fill.index]) + 1e-9
                assert after * held[fill.index] >= -1e-9
            if fill.reason in ("target", "liquidation") or (
                fill.reason in ("stop", "trail") and ticket.kind == "market"
            ):
                assert abs(after) <= abs(held[fill.index])  # equal when less than a float tells was left to trade
            held[fill.index] = after


@settings(max_examples=30)
@given(seeds, kinds, costs)
def test_one_bar_takes_no_more_of_the_volume_than_it_may(
    seed: int, instruments: list[Instrument], rules: Costs
) -> None:
    told = played(seed, instruments, rules)
    histories = [rows(hourly(120, seed + k, each)) for k, each in enumerate(instruments)]
    for t, fills in enumerate(told.fills):
        for i, bars in enumerate(histories):
            taken = sum(fill.quantity for fill in fills if fill.index == i and fill.reason != "liquidation")
            assert taken <= bars[t].volume * rules.volume_share * (1 + 1e-9)


@settings(max_examples=25)
@given(seeds, kinds, costs, st.frozensets(st.integers(1, 119), max_size=3))
def test_a_restarted_account_goes_on_exactly(
    seed: int, instruments: list[Instrument], rules: Costs, restarts: frozenset[int]
) -> None:
    one, other = played(seed, instruments, rules), played(seed, instruments, rules, restarts=restarts)
    assert one.fills == other.fills
    assert one.equity == other.equity


@settings(max_examples=25)
@given(
    seeds, st.lists(st.sampled_from([COIN, PERP]), min_size=1, max_size=3), costs, st.sampled_from([0.25, 2.0, 1024.0])
)
def test_prices_and_cash_in_another_unit_scale_the_equity(
    seed: int, instruments: list[Instrument], rules: Costs, k: float
) -> None:
    one, other = played(seed, instruments, rules), played(seed, instruments, rules, scale=k)
    np.testing.assert_array_equal(np.array(other.equity), np.array(one.equity) * k)


def columns_of(bars: Bars, n: int) -> list[np.ndarray]:
    return [getattr(bars, name)[:n] for name in COLUMNS]


def asked_by(signals: Any, funding: np.ndarray | None, n: int) -> list[np.ndarray | None]:
    found = asked(Random(0), signals, len(signals.exposure))
    rows = found.rows[found.rows < n]
    return [np.append(rows, NEVER), *(None if each is None else each[: len(rows)] for each in found.columns), funding]


def ran(
    bars: list[Bars], seed: int, rules: Costs, sizing: Sizing | None, funding: np.ndarray, *, aligned: bool = True
) -> tuple[np.ndarray, list[SimulatedFill], list[Any]]:
    """(equity, fills, signals) of random signals under `run`."""
    signals = [Random(seed + k).signals(each, Context()) for k, each in enumerate(bars)]
    n = len(bars[0])
    parts = np.split(funding, len(bars)) if len(funding) else [None] * len(bars)
    columns, said = (
        [columns_of(each, n) for each in bars],
        [asked_by(*each, n) for each in zip(signals, parts, strict=True)],
    )
    equity, times = np.empty(n), np.empty(n, np.int64)
    account = new_account(CASH, rules, sizing, 8766.0)
    book = np.array([new_row(each.instrument) for each in bars])
    fills, steps, wrong = run(
        account, book, new_orders(12), addresses(columns), addresses(said), np.zeros(len(bars), np.int64),
        np.zeros(len(bars), np.int64), np.full(len(bars), n), aligned, float(len(bars)), equity, times,
    )  # fmt: skip
    assert (steps, wrong) == (n, -1)
    return equity[:steps], [fill_of(row) for row in fills if row[fields.F_QUANTITY] > 0], signals


@settings(max_examples=30)
@given(seeds, kinds, costs, sizes, st.booleans())
def test_a_stepped_account_fills_exactly_as_the_run(
    seed: int, instruments: list[Instrument], rules: Costs, sizing: Sizing | None, history: bool
) -> None:
    bars = [hourly(120, seed + k, each) for k, each in enumerate(instruments)]
    rng = np.random.default_rng(seed)
    funding = rng.choice([0.0, 0.0, 0.002, -0.002], 120 * len(bars)) if history else np.empty(0)
    equity, fills, signals = ran(bars, seed, rules, sizing, funding)
    account = SimulatedAccount(CASH, rules, sizing, 8766.0)
    for each in instruments:
        account.add(each)
    found, curve = [], []
    histories = [rows(each) for each in bars]
    for t in range(120):
        due = {i: float(funding[120 * i + t]) for i in range(len(bars))} if history else None
        found += account.step({i: each[t] for i, each in enumerate(histories)}, due)
        curve.append(account.equity())
        for i, made in enumerate(signals):
            row = (made.exposure[t] / len(bars), made.limit[t], made.stop[t], made.take_profit[t], made.trail[t])
            account.apply(i, account.decide(i, SignalRow(*map(float, row))))
    assert found == fills
    assert curve == equity.tolist()


@settings(max_examples=30)
@given(seeds, kinds, costs, sizes)
def test_resting_through_quiet_stretches_changes_nothing(
    seed: int, instruments: list[Instrument], rules: Costs, sizing: Sizing | None
) -> None:
    bars = [hourly(120, seed + k, each) for k, each in enumerate(instruments)]
    rested, fills, _ = ran(bars, seed, rules, sizing, np.empty(0))
    stepped, wanted, _ = ran(bars, seed, rules, sizing, np.empty(0), aligned=False)
    assert fills == wanted
    np.testing.assert_array_equal(rested, stepped)


@settings(max_examples=20)
@given(seeds, kinds, costs, sizes, st.integers(2, 119))
def test_a_run_over_a_prefix_is_a_prefix_of_the_run(
    seed: int, instruments: list[Instrument], rules: Costs, sizing: Sizing | None, cut: int
) -> None:
    bars = [hourly(120, seed + k, each) for k, each in enumerate(instruments)]
    whole, fills, signals = ran(bars, seed, rules, sizing, np.empty(0))
    # the same signals, seen up to the cut alone
    account = new_account(CASH, rules, sizing, 8766.0)
    book = np.array([new_row(each.instrument) for each in bars])
    columns, said = [columns_of(each, cut) for each in bars], [asked_by(each, None, cut) for each in signals]
    equity, times = np.empty(cut), np.empty(cut, np.int64)
    part, steps, _ = run(
        account, book, new_orders(12), addresses(columns), addresses(said), np.zeros(len(bars), np.int64),
        np.zeros(len(bars), np.int64), np.full(len(bars), cut), True, float(len(bars)), equity, times,
    )  # fmt: skip
    np.testing.assert_array_equal(equity[:steps], whole[:cut])
    end = int(bars[0].timestamp[cut])
    assert [fill_of(row) for row in part if row[fields.F_QUANTITY] > 0] == [fill for fill in fills if fill.time < end]
