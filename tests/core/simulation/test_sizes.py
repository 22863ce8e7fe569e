"""How large a position each rule of sizing makes of a signal, with figures worked out by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from core.events import Bar
from core.market.instrument import Instrument
from core.simulation.account import SignalRow, SimulatedAccount
from core.simulation.state import apply_sizing, new_account
from core.trading.costs import FREE, Costs
from core.trading.sizing import FixedCash, FixedQuantity, Fraction, Kelly, Sizing, VolatilityTarget

COIN = Instrument("test", "COIN", "USDT")
PERP = Instrument("test", "PERP", "USDT", kind="perpetual")
UNFUNDED = replace(FREE, funding_rate=0.0)
NAN = float("nan")


def account(
    sizing: Sizing, costs: Costs = FREE, instrument: Instrument = COIN, bars_per_year: float = 100.0
) -> SimulatedAccount:
    made = SimulatedAccount(1000.0, costs, sizing, bars_per_year)
    made.add(instrument)
    return made


def at(simulated: SimulatedAccount, *prices: float) -> None:
    for price in prices:
        simulated.step({0: Bar(0, price, price, price, price, NAN)})


def ask(simulated: SimulatedAccount, exposure: float, price: float) -> float:
    """The position after the signal is filled at this price."""
    simulated.apply(0, simulated.decide(0, SignalRow(exposure=exposure)))
    at(simulated, price)
    return simulated.position(0)


def test_a_fixed_cash_buys_for_it_at_the_fill_and_pays_the_fee_on_top() -> None:
    simulated = account(FixedCash(300.0), Costs(taker_fee=0.001, slippage=0.0))
    at(simulated, 100.0)
    assert ask(simulated, 1.0, 120.0) == pytest.approx(2.5)
    assert simulated.fees == pytest.approx(0.3)
    assert ask(simulated, -0.5, 120.0) == pytest.approx(-1.25)
    assert ask(simulated, 0.0, 120.0) == 0.0


def test_a_fixed_quantity_is_that_quantity() -> None:
    simulated = account(FixedQuantity(3.0))
    at(simulated, 100.0)
    assert ask(simulated, 1.0, 120.0) == 3.0
    assert simulated.decide(0, SignalRow(exposure=1.0)).place is None
    assert ask(simulated, -1.0, 90.0) == -3.0


def test_a_fraction_is_of_equity() -> None:
    simulated = account(Fraction(0.25))
    at(simulated, 100.0)
    assert ask(simulated, 1.0, 100.0) == 2.5
    assert ask(simulated, -0.5, 100.0) == -1.25


def test_a_size_stays_below_what_the_cash_allows() -> None:
    simulated = account(FixedCash(5000.0))
    at(simulated, 100.0)
    assert ask(simulated, 1.0, 100.0) == 10.0


# returns of +10 %, -10 %, +10 %: a variance of 0.01 per bar, which over 100 bars a year is a volatility of 1
JUMPS = (100.0, 110.0, 99.0, 108.9)


def test_a_volatility_target_divides_by_the_volatility_seen_so_far() -> None:
    simulated = account(VolatilityTarget(annual=0.5, lookback=10))
    at(simulated, *JUMPS)
    assert ask(simulated, 1.0, 108.9) == pytest.approx(500.0 / 108.9)
    calm = account(VolatilityTarget(annual=5.0, lookback=10, most=0.8))
    at(calm, *JUMPS)
    assert ask(calm, 1.0, 108.9) == pytest.approx(800.0 / 108.9)


def test_a_volatility_target_forgets_by_its_lookback() -> None:
    simulated = account(VolatilityTarget(annual=0.5, lookback=3))
    at(simulated, *JUMPS)
    variance = 0.01
    for price in (108.9, 217.8):
        change = 1.0 if price > 200 else 0.0
        variance += 0.5 * (change**2 - variance)
        at(simulated, price)
    assert ask(simulated, 1.0, 217.8) == pytest.approx(1000.0 * 0.05 / math.sqrt(variance) / 217.8)


def test_without_two_returns_a_volatility_target_buys_nothing() -> None:
    simulated = account(VolatilityTarget(annual=0.5, lookback=10))
    at(simulated, 100.0, 110.0)
    assert simulated.decide(0, SignalRow(exposure=1.0)).place is None


def test_a_volatility_target_uses_the_leverage_of_a_perpetual() -> None:
    simulated = account(VolatilityTarget(annual=2.0, lookback=10, most=3.0), replace(UNFUNDED, leverage=5.0), PERP)
    at(simulated, *JUMPS)
    assert ask(simulated, 1.0, 108.9) == pytest.approx(2000.0 / 108.9)


def test_the_lookback_counts_the_bars_of_the_strategy() -> None:
    vector = new_account(1000.0, FREE)
    apply_sizing(vector, VolatilityTarget(annual=0.6, lookback=20), 400.0, parts=4)
    other = new_account(1000.0, FREE, VolatilityTarget(annual=0.6, lookback=80), 400.0)
    np.testing.assert_array_equal(vector, other)


def trade(simulated: SimulatedAccount, gain: float) -> None:
    """A round trip that gains this fraction of its entry."""
    ask(simulated, 1.0, 100.0)
    ask(simulated, 0.0, 100.0 * (1.0 + gain))


def test_kelly_stakes_mean_over_variance_of_the_trades_that_have_closed() -> None:
    simulated = account(Kelly(0.5, least_trades=3, most=0.9))
    at(simulated, 100.0)
    for gain in (0.6, -0.4):
        assert ask(simulated, 1.0, 100.0) == pytest.approx(0.5 * simulated.equity() / 100.0)  # too few yet
        ask(simulated, 0.0, 100.0 * (1.0 + gain))
    trade(simulated, 0.25)
    gains = np.array([0.6, -0.4, 0.25])
    stake = 0.5 * gains.mean() / gains.var(ddof=1)
    assert 0.2 < stake < 0.9
    assert ask(simulated, 1.0, 100.0) == pytest.approx(stake * simulated.equity() / 100.0)


def test_kelly_counts_fees_and_stops_betting_without_an_edge() -> None:
    simulated = account(Kelly(0.5, least_trades=2), Costs(taker_fee=0.01, slippage=0.0))
    at(simulated, 100.0)
    trade(simulated, 0.0)
    trade(simulated, 0.0)
    assert simulated.decide(0, SignalRow(exposure=1.0)).place is None


def test_kelly_is_capped_when_every_trade_gained_the_same() -> None:
    simulated = account(Kelly(0.5, least_trades=2, most=0.7))
    at(simulated, 100.0)
    trade(simulated, 0.25)
    trade(simulated, 0.25)
    assert ask(simulated, 1.0, 100.0) == pytest.approx(0.7 * simulated.equity() / 100.0)


def test_a_fill_across_zero_ends_one_trade_and_begins_another() -> None:
    simulated = account(Kelly(1.0, least_trades=2, most=0.5))
    at(simulated, 100.0)
    ask(simulated, 1.0, 100.0)
    ask(simulated, -1.0, 120.0)  # +20 %
    ask(simulated, 0.0, 132.0)  # -10 %
    mean, variance = 0.05, 0.045
    stake = min(mean / variance, 0.5)
    assert ask(simulated, 1.0, 100.0) == pytest.approx(stake * simulated.equity() / 100.0)


def test_what_a_size_has_learnt_is_stored_with_the_account() -> None:
    simulated = account(Kelly(0.5, least_trades=3, most=0.9))
    at(simulated, 100.0)
    for gain in (0.6, -0.4, 0.25):
        trade(simulated, gain)
    again = SimulatedAccount.restored(json.loads(json.dumps(simulated.state())), [COIN], FREE)
    assert again.decide(0, SignalRow(exposure=1.0)) != simulated.decide(0, SignalRow(exposure=0.5))
    assert again.decide(0, SignalRow(exposure=1.0)) == simulated.decide(0, SignalRow(exposure=1.0))


def test_a_state_of_the_first_version_is_still_read() -> None:
    simulated = SimulatedAccount(1000.0, FREE)
    simulated.add(COIN)
    at(simulated, 100.0)
    ask(simulated, -0.5, 100.0)
    state = simulated.state()
    old = {
        "version": 1,
        "account": state["account"][:15],
        "book": [row[:27] for row in state["book"]],
        "orders": [row[:19] for row in state["orders"]],
    }
    for row in old["book"]:
        row[25] = (0.0).hex()  # it did not watch shorts
    again = SimulatedAccount.restored(old, [COIN], FREE)
    assert (again.position(0), again.equity()) == (-5.0, 1000.0)
    [fill] = again.step({0: Bar(1, 400.0, 400.0, 400.0, 400.0, NAN)})
    assert (fill.reason, again.cash) == ("liquidation", 0.0)
