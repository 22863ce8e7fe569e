"""OKX, spot."""

from core.exchanges.venues.profile import FeeTier, Profile

PROFILE = Profile(
    name="okx",
    title="OKX",
    options={"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"},
    order_params={"tdMode": "cash"},
    lookup="query",
    unique_for_ever=False,
    order_trades=True,
    # https://www.okx.com/fees as of 2024, spot, group 1, 30-day volume in USD
    tiers=(
        FeeTier(0, 0.001, 0.0008),
        FeeTier(5_000_000, 0.0007, 0.00045),
        FeeTier(10_000_000, 0.00045, 0.0004),
        FeeTier(20_000_000, 0.0004, 0.0003),
        FeeTier(100_000_000, 0.0003, 0.0002),
        FeeTier(200_000_000, 0.0002, 0.0001),
    ),
    # https://www.okx.com/docs-v5/en/#overview-rate-limits: mostly 60 requests in 2 s for a question
    weights={"other": 1},
    book_depth=400,
    patterns=(
        (r"5010[0-9]|50111|50113|50119|Invalid (OK-ACCESS-KEY|Sign)", "auth"),
        (r"50110|IP whitelist", "ip"),
        (r"50120|50114|permission", "permission"),
        (r"50102|50112|Timestamp request expired", "clock"),
        (r"51008|51131|[Ii]nsufficient", "funds"),
        (r"51020|minimum", "minimum"),
        (r"51001|Instrument ID", "symbol"),
        (r"51021|51027|51028|suspended|not open", "closed"),
        (r"51016|Duplicated? client", "duplicate"),
        (r"51155|restricted|compliance", "geo"),
    ),
    first_class=False,
    sandbox=True,
)
