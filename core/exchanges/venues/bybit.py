"""Bybit, spot."""

from core.exchanges.venues.profile import FeeTier, Profile

PROFILE = Profile(
    name="bybit",
    title="Bybit",
    options={
        "fetchMarkets": {"types": ["spot"]},
        "defaultType": "spot",
        "enableUnifiedAccount": True,  # what every new account is; else it is asked for
        "enableUnifiedMargin": False,
    },
    unique_for_ever=True,
    receive_window=5.0,
    lookup="filter",
    order_trades=True,
    cost_orders=True,
    # https://www.bybit.com/en/help-center/article/Trading-Fee-Structure as of 2024, spot, USD
    tiers=(
        FeeTier(0, 0.001, 0.001),
        FeeTier(1_000_000, 0.0008, 0.000675),
        FeeTier(2_500_000, 0.000775, 0.00065),
        FeeTier(5_000_000, 0.00075, 0.000625),
        FeeTier(10_000_000, 0.0006, 0.0005),
        FeeTier(25_000_000, 0.0005, 0.0004),
    ),
    # https://bybit-exchange.github.io/docs/v5/rate-limit: 600 requests in 5 s for an address
    weights={"other": 1},
    book_depth=200,
    patterns=(
        (r"10003|10004|API key is invalid|error sign", "auth"),
        (r"10005|Permission denied", "permission"),
        (r"10010|Unmatched IP", "ip"),
        (r"10002|recv_window", "clock"),
        (r"170131|Insufficient balance|170033", "funds"),
        (r"170140|170136|170124|lower limit|minimum", "minimum"),
        (r"170121|Invalid symbol", "symbol"),
        (r"170210|170005|not open for trading", "closed"),
        (r"170141|Duplicate clientOrderId|duplicate", "duplicate"),
    ),
    first_class=False,
    sandbox=True,
)
