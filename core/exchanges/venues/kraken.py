"""Kraken, spot."""

from core.exchanges.venues.profile import FeeTier, Profile
from core.trading.orders import TimeInForce

PROFILE = Profile(
    name="kraken",
    title="Kraken",
    options={"watchOrderBook": {"checksum": False}},  # its checksum crashes on floats
    native=frozenset({"Market", "Limit", "Stop", "StopLimit"}),
    forms=frozenset({"TrailingStop.fraction", "TrailingStop.distance"}),
    time_in_force={
        TimeInForce.GTC: {},
        TimeInForce.IOC: {"timeInForce": "IOC"},
        TimeInForce.FOK: {"timeInForce": "FOK"},
        TimeInForce.GTD: {"timeInForce": "GTD", "expiretm": "{unix}"},
    },
    order_params={"oflags": "fciq"},  # fees in quote, also of sells
    trail={"trailingPercent": "{percent}", "trailingAmount": "{distance}"},
    lookup="filter",
    trades_page=50,
    trades_offset="ofs",
    cost_orders=True,
    # https://www.kraken.com/features/fee-schedule, Kraken Pro spot (first tier as of 2024; the rest as ccxt 4.5)
    tiers=(
        FeeTier(0, 0.004, 0.0025),
        FeeTier(10_000, 0.0035, 0.002),
        FeeTier(50_000, 0.0024, 0.0014),
        FeeTier(100_000, 0.0022, 0.0012),
        FeeTier(250_000, 0.002, 0.001),
        FeeTier(500_000, 0.0018, 0.0008),
        FeeTier(1_000_000, 0.0016, 0.0006),
        FeeTier(2_500_000, 0.0014, 0.0004),
        FeeTier(5_000_000, 0.0012, 0.0002),
        FeeTier(10_000_000, 0.001, 0.0),
    ),
    # https://docs.kraken.com/api/docs/guides/spot-rest-ratelimits: a counter of 15 that falls by a third a second
    weights={"place": 0, "cancel": 0, "find": 1, "orders": 1, "fills": 2, "balances": 1, "other": 1},
    book_depth=500,
    patterns=(
        (r"EAPI:Invalid (key|signature)|Invalid signature", "auth"),
        (r"EGeneral:Permission denied|EAPI:Feature disabled", "permission"),
        (r"EAPI:Invalid nonce", "nonce"),
        (r"EOrder:Insufficient|Insufficient (initial )?(margin|funds)", "funds"),
        (r"EOrder:Order minimum not met|volume minimum not met|EOrder:Cost minimum not met", "minimum"),
        (r"EQuery:Unknown asset pair", "symbol"),
        (r"EService:Market in|EService:Deadline|cancel_only|post_only|limit_only", "closed"),
        (r"EOrder:Rate limit|EAPI:Rate limit|EGeneral:Temporary lockout", "rate"),
        (r"EOrder:Invalid price|price increment|EOrder:Tick", "price"),
        (r"cl_ord_id.*(exist|duplicate|unique)", "duplicate"),
        (r"EAccount:Invalid permissions.*trading restricted", "geo"),
    ),
    notes=("A trailing stop is kept by Kraken, by fraction or distance, unless it starts from an activation price.",),
)
