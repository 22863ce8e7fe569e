"""Binance, spot."""

from core.exchanges.venues.profile import Discount, FeeTier, Profile

PROFILE = Profile(
    name="binance",
    title="Binance",
    options={
        # Without it the futures' markets are asked for as well, which are closed to many and slow for all.
        "fetchMarkets": {"types": ["spot"]},
        "defaultType": "spot",
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "recvWindow": 5000,
        "watchTickers": {"name": "ticker"},  # the small one has neither bid nor ask
    },
    native=frozenset({"Market", "Limit", "Stop", "StopLimit", "OneCancelsOther", "Iceberg"}),
    forms=frozenset({"TrailingStop.fraction"}),
    receive_window=5.0,
    iceberg={"icebergAmount": "{visible}"},
    trail={"trailingDelta": "{basis}", "stopLossOrTakeProfit": "stopLoss"},
    lookup="query",
    order_trades=True,
    fills_need_symbol=True,
    trades_page=1000,
    cost_orders=True,
    # https://www.binance.com/en/fee/trading as of 2024, spot, 30-day volume in USD; the BNB each tier asks for left out
    tiers=(
        FeeTier(0, 0.001, 0.001),
        FeeTier(1_000_000, 0.001, 0.0009),
        FeeTier(5_000_000, 0.001, 0.0008),
        FeeTier(20_000_000, 0.0006, 0.0004),
        FeeTier(100_000_000, 0.00052, 0.00042),
        FeeTier(150_000_000, 0.00031, 0.00025),
        FeeTier(400_000_000, 0.00029, 0.0002),
        FeeTier(800_000_000, 0.00028, 0.00019),
        FeeTier(2_000_000_000, 0.00025, 0.00016),
        FeeTier(4_000_000_000, 0.00023, 0.00011),
    ),
    discount=Discount("BNB", 0.25),
    # https://developers.binance.com/docs/binance-spot-api-docs/rest-api, request weights and limits
    weights={
        "place": 1, "cancel": 1, "find": 4, "orders": 80, "fills": 20, "balances": 20,
        "book": 5, "ticker": 2, "bars": 2, "instruments": 20, "other": 1,
    },
    book_depth=1000,
    patterns=(
        (r'"code":-2015|-2014|-2008|-1022|API-key|Signature for this request', "auth"),
        (r"-1021|recvWindow|ahead of the server", "clock"),
        (r"insufficient balance", "funds"),
        (r"NOTIONAL", "minimum"),
        (r"LOT_SIZE", "lot"),
        (r"PRICE_FILTER|PERCENT_PRICE|price-protection", "price"),
        (r"Market is closed|MARKET_CLOSED|-1013.*MARKET", "closed"),
        (r"-1121|Invalid symbol", "symbol"),
        (r"would trigger immediately", "trigger"),
        (r"Duplicate order sent", "duplicate"),
    ),
    sandbox=True,
    notes=("A one-cancels-other pair is kept by Binance as an order list of two.",),
)  # fmt: skip
