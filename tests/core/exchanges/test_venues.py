from pathlib import Path
from typing import get_args

import pytest

from core.exchanges.venues import PROFILES, profile_of
from core.exchanges.venues.profile import Profile
from core.exchanges.venues.table import rendered
from core.money import ONE
from core.trading.orders import Market, OrderType, TimeInForce, TrailingStop, Twap

DOCS = Path(__file__).parents[3] / "docs"


def test_the_capability_page_is_current() -> None:
    assert (DOCS / "capabilities.md").read_text() == rendered(), "run make capabilities-doc"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_profile_is_whole(profile: Profile) -> None:
    names = {kind.__name__ for kind in get_args(OrderType)}
    assert {"Market", "Limit"} <= profile.native <= names
    assert {form.partition(".")[0] for form in profile.forms} <= names - profile.native
    assert TimeInForce.GTC in profile.time_in_force
    assert TimeInForce.IOC in profile.time_in_force
    assert 0 < profile.receive_window <= 30
    volumes = [tier.volume for tier in profile.tiers]
    assert volumes == sorted(set(volumes))
    assert volumes[0] == 0
    takers, makers = ([getattr(tier, side) for tier in profile.tiers] for side in ("taker", "maker"))
    assert takers == sorted(takers, reverse=True)
    assert all(-0.001 <= maker <= taker <= 0.02 for maker, taker in zip(makers, takers, strict=True))
    assert ("Iceberg" in profile.native) == bool(profile.iceberg)
    assert bool(profile.forms) == bool(profile.trail)


def test_fees_fall_with_volume() -> None:
    binance = profile_of("Binance")
    assert (binance.tier(0).taker, binance.tier(0).maker) == (0.001, 0.001)
    assert (binance.tier(25_000_000).taker, binance.tier(25_000_000).maker) == (0.0006, 0.0004)
    assert binance.tier(10**12) == binance.tiers[-1]


def test_a_form_the_venue_lacks_is_kept_here() -> None:
    binance, kraken = profile_of("binance").capabilities, profile_of("kraken").capabilities
    assert binance.places(TrailingStop(fraction=ONE / 20))
    assert not binance.places(TrailingStop(distance=ONE))
    assert kraken.places(TrailingStop(distance=ONE))
    assert not kraken.places(TrailingStop(distance=ONE, activation=ONE))


def test_any_other_venue_places_market_and_limit_orders() -> None:
    other = profile_of("bitvavo")
    assert other.capabilities.places(Market())
    assert not other.capabilities.places(Twap(60, 2))
    assert other.lookup == "scan"
