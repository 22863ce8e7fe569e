"""KuCoin, spot."""

from core.exchanges.venues.profile import Discount, FeeTier, Profile
from core.trading.orders import TimeInForce

PROFILE = Profile(
    name="kucoin",
    title="KuCoin",
    options={"uta": False},  # else the kind of account is asked for before the first order
    native=frozenset({"Market", "Limit", "Stop", "StopLimit", "Iceberg"}),
    client_id_param="clientOid",
    unique_for_ever=True,
    receive_window=5.0,
    time_in_force={
        TimeInForce.GTC: {},
        TimeInForce.IOC: {"timeInForce": "IOC"},
        TimeInForce.FOK: {"timeInForce": "FOK"},
        TimeInForce.GTD: {"timeInForce": "GTT", "cancelAfter": "{seconds}"},
    },
    iceberg={"iceberg": "true", "visibleSize": "{visible}"},
    lookup="query",
    triggers_apart=True,
    order_trades=True,
    trades_page=500,
    cost_orders=True,
    # https://www.kucoin.com/vip/privilege, spot class A; by 30-day volume in BTC (as ccxt 4.5 lists them)
    tiers=(
        FeeTier(0, 0.001, 0.001),
        FeeTier(50, 0.001, 0.0009),
        FeeTier(200, 0.0009, 0.0007),
        FeeTier(500, 0.0008, 0.0005),
        FeeTier(1_000, 0.0007, 0.0003),
        FeeTier(2_000, 0.0007, 0.0),
        FeeTier(4_000, 0.0006, 0.0),
        FeeTier(8_000, 0.0005, 0.0),
        FeeTier(15_000, 0.00045, -0.00005),
        FeeTier(25_000, 0.0004, -0.00005),
        FeeTier(40_000, 0.00035, -0.00005),
        FeeTier(60_000, 0.0003, -0.00005),
        FeeTier(80_000, 0.00025, -0.00005),
    ),
    tier_currency="BTC",
    discount=Discount("KCS", 0.2),
    # https://www.kucoin.com/docs-new/rate-limit: spot pool of 4,000 per 30 s at VIP 0
    weights={
        "place": 1, "cancel": 1, "find": 2, "orders": 2, "fills": 10, "balances": 5,
        "book": 3, "ticker": 2, "bars": 3, "instruments": 4, "other": 2,
    },
    book_depth=100,
    patterns=(
        (r"400002|KC-API-TIMESTAMP", "clock"),
        (r"400003|400004|400005|KC-API|Signature|passphrase", "auth"),
        (r"400006|ip not in whitelist|IP whitelist|IP restricted", "ip"),
        (r"400007|411100|Access denied|permission", "permission"),
        (r"200004|[Bb]alance insufficient", "funds"),
        (r"below the minimum|minimum order|400200.*min|min size|min funds|600101|more than? the minimum", "minimum"),
        (r"900001|symbol .*not exist|Symbol doesn", "symbol"),
        (r"Forbidden to place an order|market .*closed|200002.*market|trading is not|suspend", "closed"),
        (r"increment invalid", "lot"),
        (r"clientOid.*(exist|duplicat|repeat)", "duplicate"),
        (r"400302|not available in (this|your)|U\.S\.", "geo"),
    ),
    notes=("Stops wait in a list of their own and become ordinary orders when they trigger.",),
)  # fmt: skip
