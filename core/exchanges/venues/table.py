"""The page that says what each venue does by itself: `make capabilities-doc` writes it to docs/capabilities.md."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, get_args

from core.exchanges.venues import PROFILES, Profile
from core.exchanges.venues.rates import ORDERS, REQUESTS, rates_of
from core.trading.orders import OrderType, TimeInForce

NATIVE, PARTLY, OURS = "venue", "venue, in part", "this program"
STREAMS = {
    "quotes": ("watchTicker", "watchBidsAsks"),
    "books": ("watchOrderBook",),
    "trades": ("watchTrades",),
    "candles": ("watchOHLCV",),
    "own orders": ("watchOrders",),
    "own fills": ("watchMyTrades",),
}
HEAD = """# What each venue does by itself

<!-- Made by `make capabilities-doc` from core/exchanges/venues and ccxt; do not edit. -->

Every order type works at every venue. Where a cell says *venue*, the order lies at the venue and acts although this
program is not running; *venue, in part* means that the venue knows some forms of the type (the notes say which);
*this program* means that the order is kept here, as a state machine in the database, and acts only while the program
runs. A preview says which of the two it is. How it all works: [exchanges.md](exchanges.md).
"""


def rendered() -> str:
    """The whole page."""
    venues = tuple(PROFILES.values())
    parts = [
        HEAD,
        _table("## Order types", "order type", venues, _types(venues)),
        _table("## Time in force", "time in force", venues, _times(venues)),
        _table("## Streams", "stream", venues, _streams(venues)),
        _table("## Orders, fees, limits", "", venues, _terms(venues)),
        _tiers(venues),
        _notes(venues),
    ]
    return "\n".join(parts)


def _types(venues: Sequence[Profile]) -> list[tuple[str, list[str]]]:
    rows = []
    for kind in get_args(OrderType):
        name = kind.__name__
        cells = [
            NATIVE
            if name in venue.native
            else PARTLY
            if any(form.startswith(f"{name}.") for form in venue.forms)
            else OURS
            for venue in venues
        ]
        rows.append((name, cells))
    return rows


def _times(venues: Sequence[Profile]) -> list[tuple[str, list[str]]]:
    return [(each.value, ["yes" if each in venue.time_in_force else "no" for venue in venues]) for each in TimeInForce]


def _streams(venues: Sequence[Profile]) -> list[tuple[str, list[str]]]:
    library: Any = importlib.import_module("ccxt.pro")
    abilities = [getattr(library, venue.name)().has for venue in venues]
    return [
        (name, ["websocket" if any(has.get(each) for each in names) else "REST" for has in abilities])
        for name, names in STREAMS.items()
    ]


def _terms(venues: Sequence[Profile]) -> list[tuple[str, list[str]]]:
    def limits(venue: Profile, pool: str) -> str:
        return ", ".join(f"{each.weight:,.0f} in {_span(each.seconds)}" for each in rates_of(venue.name)[pool])

    return [
        ("test environment", ["yes" if venue.sandbox else "no" for venue in venues]),
        ("market buys sized in quote", ["venue" if venue.cost_orders else OURS for venue in venues]),
        ("client id", ["UUID" if venue.client_id_form == "uuid" else "32 hex digits" for venue in venues]),
        (
            "a client id counts as used",
            ["for ever" if venue.unique_for_ever else "while the order is open" for venue in venues],
        ),
        ("an order can arrive for", [_span(venue.receive_window) for venue in venues]),
        ("requests let out, by weight", [limits(venue, REQUESTS) for venue in venues]),
        ("orders let out, per account", [limits(venue, ORDERS) for venue in venues]),
        (
            "fees paid with a token",
            [
                f"{d.token}, {d.share:.0%} less".replace("%", " %") if (d := venue.discount) else "no"
                for venue in venues
            ],
        ),
    ]


def _tiers(venues: Sequence[Profile]) -> str:
    lines = [
        "## Fee schedules",
        "",
        "What an account really pays is asked of the venue; these stand in where it does not say, and may have changed"
        " since they were written down. Taker / maker, from a 30-day volume on. The source of each schedule is named in"
        " `core/exchanges/venues/VENUE.py`.",
        "",
        "| venue | schedule |",
        "|---|---|",
    ]
    for venue in venues:
        steps = "; ".join(
            f"{_percent(tier.taker)} / {_percent(tier.maker)}"
            + (f" from {tier.volume:,.0f} {venue.tier_currency}" if tier.volume else "")
            for tier in venue.tiers
        )
        lines.append(f"| {venue.title} | {steps} |")
    return "\n".join(lines) + "\n"


def _notes(venues: Sequence[Profile]) -> str:
    lines = ["## Notes", ""]
    for venue in venues:
        lines += [f"- {venue.title}: {note}" for note in venue.notes]
        lines += [f"- {venue.title}: `{form}` is kept by the venue." for form in sorted(venue.forms)]
    lines += [
        "- Any other venue that ccxt knows works with defaults: market and limit orders at the venue, the rest here;"
        " orders are looked up in the venue's lists.",
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, corner: str, venues: Sequence[Profile], rows: Sequence[tuple[str, list[str]]]) -> str:
    lines = [title, "", f"| {corner} | " + " | ".join(venue.title for venue in venues) + " |"]
    lines.append("|---" * (len(venues) + 1) + "|")
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join(lines) + "\n"


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.4f}".rstrip("0").rstrip(".") + " %"


def _span(seconds: float) -> str:
    for size, name in ((86_400, "day"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"


if __name__ == "__main__":
    sys.stdout.write(rendered())
