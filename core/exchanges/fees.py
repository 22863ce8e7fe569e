"""What trading costs an account: the venue's own word where it gives it, else the fee schedule kept as data."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from core.clock import Clock
from core.errors import AppError
from core.exchanges.connection import Connection
from core.exchanges.mapping import decimal
from core.money import ZERO
from core.trading.costs import Costs

HOLDS = 3_600_000  # ms for which the fees of an account are taken as they were told
SLIPPAGE = 0.0005


class AccountFees:
    """Fees of one account, asked once an hour at most per pair.

    balances: what the account holds, to know whether a token can pay the fees
    """

    def __init__(self, connection: Connection, clock: Clock, balances: Callable[[], Awaitable[dict[str, Decimal]]]):
        self._connection = connection
        self._clock = clock
        self._balances = balances
        self._known: dict[str, tuple[int, Costs]] = {}
        self._burns: tuple[int, bool] = (0, False)

    async def of(self, symbol: str) -> Costs:
        """The account's fees for the pair; the schedule's first tier where the venue does not say."""
        now = self._clock.now_ms()
        known = self._known.get(symbol)
        if known is not None and now - known[0] < HOLDS:
            return known[1]
        try:
            taker, maker = await self._told(symbol)
        except AppError:
            first = self._connection.profile.tier(0)
            taker, maker = first.taker, first.maker
            now -= HOLDS * 9 // 10  # asked again soon
        costs = Costs(taker_fee=taker, maker_fee=maker, slippage=SLIPPAGE)
        self._known[symbol] = (now, costs)
        return costs

    def cached(self, symbol: str) -> Costs | None:
        """The pair's fees where they are known, else None."""
        known = self._known.get(symbol)
        return known[1] if known is not None else None

    async def _told(self, symbol: str) -> tuple[float, float]:
        client = await self._connection.open()
        if client.has.get("fetchTradingFee") is True:
            told = await self._connection.ask(lambda each: each.fetch_trading_fee(symbol), "the fees of the account")
        elif client.has.get("fetchTradingFees"):
            every = await self._connection.ask(lambda each: each.fetch_trading_fees(), "the fees of the account")
            told = every.get(symbol) or {}
        else:
            told = {}
        first = self._connection.profile.tier(0)
        taker, maker = decimal(told.get("taker")), decimal(told.get("maker"))
        share = await self._discount(client)
        return (
            (first.taker if taker is None else float(taker)) * (1 - share),
            (first.maker if maker is None else float(maker)) * (1 - share if maker is None or maker > 0 else 1),
        )

    async def _discount(self, client: Any) -> float:
        """The share of fees that the account saves with the venue's token. Only Binance says whether it does."""
        discount = self._connection.profile.discount
        if discount is None or self._connection.venue != "binance" or self._connection.sandbox:
            return 0.0
        asked, pays = self._burns
        if self._clock.now_ms() - asked > HOLDS:
            try:
                told = await self._connection.ask(lambda each: each.sapiGetBnbBurn(), "how fees are paid")
                held = (await self._balances()).get(discount.token, ZERO)
                pays = bool(told.get("spotBNBBurn")) and held > 0
            except AppError:
                pays = False
            self._burns = (self._clock.now_ms(), pays)
        return discount.share if pays else 0.0
