"""What users of a venue own, and what of it is bound by their orders."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from tests.simulators.venues.values import FEES, HOUSE, ZERO, Hold, Refusal


class Accounts:
    """Totals and holds by user and asset. What one user loses another gets: the sum never changes but by `deposit`.

    touched: (user, asset) pairs that moved since the last `taken`
    """

    def __init__(self) -> None:
        self._total: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        self._held: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        self._touched: dict[tuple[str, str], None] = {}
        self.pays_discounted: dict[str, bool] = {}

    def users(self) -> Iterable[str]:
        return tuple(self._total)

    def assets(self, user: str) -> tuple[str, ...]:
        return tuple(self._total[user])

    def total(self, user: str, asset: str) -> Decimal:
        return self._total[user][asset]

    def held(self, user: str, asset: str) -> Decimal:
        return self._held[user][asset]

    def free(self, user: str, asset: str) -> Decimal:
        return self._total[user][asset] - self._held[user][asset]

    def deposit(self, user: str, asset: str, amount: Decimal) -> None:
        self._move(user, asset, amount)

    def pay(self, payer: str, receiver: str, asset: str, amount: Decimal) -> None:
        self._move(payer, asset, -amount)
        self._move(receiver, asset, amount)

    def bind(self, user: str, hold: Hold) -> None:
        """Raises Refusal where less than that is free."""
        if user == HOUSE:
            return
        if self.free(user, hold.asset) < hold.amount:
            raise Refusal("funds", f"{hold.amount} {hold.asset} asked, {self.free(user, hold.asset)} free")
        self._held[user][hold.asset] += hold.amount
        self._touched[user, hold.asset] = None

    def release(self, user: str, hold: Hold, amount: Decimal) -> None:
        """Frees that much of what is held, never more than there is."""
        freed = min(amount, hold.amount)
        hold.amount -= freed
        if user != HOUSE and freed:
            self._held[user][hold.asset] -= freed
            self._touched[user, hold.asset] = None

    def taken(self) -> dict[str, list[str]]:
        """Assets by user that moved since the last time; the house and the fees are left out."""
        moved: dict[str, list[str]] = {}
        for user, asset in self._touched:
            if user not in (HOUSE, FEES):
                moved.setdefault(user, []).append(asset)
        self._touched.clear()
        return moved

    def _move(self, user: str, asset: str, amount: Decimal) -> None:
        self._total[user][asset] += amount
        self._touched[user, asset] = None
