"""Coinbase Advanced Trade."""

from core.exchanges.venues.profile import FeeTier, Profile
from core.trading.orders import TimeInForce

PROFILE = Profile(
    name="coinbase",
    title="Coinbase",
    native=frozenset({"Market", "Limit", "StopLimit"}),
    client_id_param="client_order_id",  # ccxt drops its own name for it
    client_id_form="uuid",
    unique_for_ever=True,
    time_in_force={
        TimeInForce.GTC: {},
        TimeInForce.IOC: {"timeInForce": "IOC"},
        TimeInForce.FOK: {"timeInForce": "FOK"},
        TimeInForce.GTD: {"timeInForce": "GTD", "end_time": "{iso}"},
    },
    lookup="scan",
    trades_page=250,
    cost_orders=True,
    # https://help.coinbase.com/en/exchange/trading-and-funding/exchange-fees (as ccxt 4.5 lists them)
    tiers=(
        FeeTier(0, 0.012, 0.006),
        FeeTier(10_000, 0.004, 0.0025),
        FeeTier(50_000, 0.0025, 0.0015),
        FeeTier(100_000, 0.002, 0.001),
        FeeTier(1_000_000, 0.0018, 0.0008),
        FeeTier(15_000_000, 0.0016, 0.0006),
        FeeTier(75_000_000, 0.0012, 0.0003),
        FeeTier(250_000_000, 0.0008, 0.0),
        FeeTier(400_000_000, 0.0005, 0.0),
    ),
    # https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/rest-api: 30 private requests a second
    weights={"other": 1},
    balance_params={"v3": True},  # else what open orders bind is not told
    book_depth=500,
    patterns=(
        (r"INSUFFICIENT_FUND|Insufficient balance", "funds"),
        (r"request timestamp expired", "clock"),
        (r"authentication_error|Unauthorized|invalid api key|invalid signature|JWT", "auth"),
        (r"PERMISSION_DENIED|Missing required scopes", "permission"),
        (r"INVALID_SIZE_PRECISION|INVALID_SIZE|SIZE_TOO_SMALL|size is too small|PREVIEW_.*MIN", "minimum"),
        (r"INVALID_PRICE_PRECISION|INVALID_LIMIT_PRICE", "price"),
        (r"UNKNOWN_PRODUCT|INVALID_PRODUCT|ProductID", "symbol"),
        (r"ORDER_ENTRY_DISABLED|trading is disabled|source is not enabled|CANCEL_ONLY|POST_ONLY_MODE", "closed"),
    ),
    notes=("A stop is placed as a stop-limit order only; other stops are kept by this program.",),
)
