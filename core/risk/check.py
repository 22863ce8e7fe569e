"""A check: one limit that was looked at before an order, with its numbers in plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from core import wording
from core.errors import RiskRefused

# Assets in which accounts are kept: their amounts have two decimals, those of coins as many as they need.
MONEY = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI", "USD", "EUR", "GBP", "CHF", "AUD", "CAD", "TRY"})


class InsufficientFunds(RiskRefused):
    """The ledger does not hold what the order needs."""

    code = "insufficient_funds"

    def __init__(self, asset: str, *, allowed: Decimal, asked: Decimal, hint: str | None = None) -> None:
        free, needed = pair(allowed, asked, asset)
        super().__init__("available " + asset, allowed=free, asked=needed, hint=hint)
        self.message = f"This needs {needed}, and {free} is free."
        self.args = (self.message,)


@dataclass(frozen=True, slots=True)
class Check:
    """One limit that was looked at. allowed and asked are plain numbers with their unit, e.g. '9,950.00 USDT'.

    told: the sentence of its refusal, where 'The NAME limit allows …' would not be plain
    """

    name: str
    allowed: str
    asked: str
    passed: bool = True
    hint: str | None = None
    funds: tuple[str, Decimal, Decimal] | None = None  # asset, free, needed
    told: str | None = None

    def demand(self) -> None:
        """Raises RiskRefused when it did not pass."""
        if self.passed:
            return
        if self.funds is not None:
            asset, free, needed = self.funds
            raise InsufficientFunds(asset, allowed=free, asked=needed, hint=self.hint)
        refused = RiskRefused(self.name, allowed=self.allowed, asked=self.asked, hint=self.hint)
        if self.told is not None:
            refused.message = self.told
            refused.args = (self.told,)
        raise refused


def demand(looked_at: Iterable[Check]) -> None:
    """Raises the first refusal: RiskRefused or InsufficientFunds, with its numbers."""
    for check in looked_at:
        check.demand()


def amount(value: Decimal, unit: str) -> str:
    """'9,950.12 USDT' of money, '0.12345679 BTC' of coins: digits grouped, no exponent."""
    if unit in MONEY:
        return wording.money(value, unit)
    return f"{wording.grouped(_short(value))} {unit}"


def pair(allowed: Decimal, asked: Decimal, unit: str) -> tuple[str, str]:
    """Two amounts that read differently unless they are the same: with all their decimals where two are too few."""
    first, second = amount(allowed, unit), amount(asked, unit)
    if first != second or allowed == asked:
        return first, second
    return f"{wording.grouped(_short(allowed))} {unit}", f"{wording.grouped(_short(asked))} {unit}"


def percent(share: Decimal) -> str:
    """'12.5 %'."""
    return f"{wording.grouped((share * 100).quantize(Decimal('0.01'), ROUND_HALF_EVEN))} %"


def _short(value: Decimal) -> Decimal:
    return (
        value.quantize(Decimal("1e-8"), ROUND_HALF_EVEN) if value == value and abs(value) < Decimal("1e18") else value
    )
