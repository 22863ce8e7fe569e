"""What moving coins between venues costs, and where they cannot be moved.

Networks and venues change these; the fees are assumed on the high side, the same for every venue, so that a profit that
is told is rather too small. A coin that is not listed has a fee that nobody knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

# Of one withdrawal, in the coin itself.
ASSUMED: Mapping[str, Decimal] = {
    coin: Decimal(fee)
    for coin, fee in {
        "BTC": "0.0003", "ETH": "0.002", "SOL": "0.01", "XRP": "0.25", "BNB": "0.002", "ADA": "1", "DOGE": "5",
        "LTC": "0.01", "DOT": "0.2", "LINK": "0.5", "AVAX": "0.02", "TRX": "3", "XLM": "0.1", "ATOM": "0.05",
        "TON": "0.05", "BCH": "0.001", "ETC": "0.02", "ALGO": "0.2", "UNI": "0.5", "USDT": "4", "USDC": "4",
    }.items()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transfers:
    """fees: of a withdrawal, by coin, or by 'venue:coin' where one venue differs

    closed: 'venue:coin' that can be neither sent nor received now
    """

    fees: Mapping[str, Decimal] = field(default_factory=lambda: ASSUMED)
    closed: frozenset[str] = frozenset()

    def fee(self, venue: str, coin: str) -> Decimal | None:
        """What the venue keeps of a withdrawal, in the coin; None where nobody knows."""
        return self.fees.get(f"{venue}:{coin}", self.fees.get(coin))

    def possible(self, source: str, target: str, coin: str) -> bool:
        """Whether the coin can go from one venue to the other."""
        return not {f"{source}:{coin}", f"{target}:{coin}"} & self.closed
