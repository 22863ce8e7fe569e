"""The fills of an account at a venue: of one order, since a time, and as they happen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import structlog

from core.clock import to_ms
from core.errors import AppError, NotFound
from core.exchanges.ccxt import CcxtData
from core.exchanges.connection import Connection
from core.exchanges.failures import UNREADABLE, unreadable
from core.exchanges.known import Known
from core.exchanges.lookup import MARGIN, Lookup
from core.exchanges.mapping import foreign_id
from core.exchanges.settled import fill_of, third_assets
from core.exchanges.streams import Pump
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.exchange import ELSEWHERE
from core.trading.orders import OrderRequest
from core.trading.portfolio import Fill

PAGES = 40  # of fills that are read at most for one question
POLL = 5.0  # seconds between two looks at the account where its stream is broken
LISTENING = 30.0  # seconds after which it is looked at although the stream says nothing
OVERLAP = 30_000  # ms by which two looks overlap: venues list fills a little late
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a broken stream is tried again
QUOTES = ("USDT", "USDC", "USD", "EUR", "BTC")


class History:
    """Fills of one account."""

    def __init__(
        self,
        connection: Connection,
        known: Known,
        lookup: Lookup,
        data: CcxtData,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._known = known
        self._lookup = lookup
        self._data = data
        self._ready = ready
        self._strangers: set[tuple[str, str]] = set()  # (pair, the venue's id) of orders that are not ours
        self._log = structlog.get_logger("exchange")

    # -- one order ------------------------------------------------------------------------------------------------

    async def of_order(self, request: OrderRequest) -> Sequence[Fill]:
        """Its fills so far, oldest first."""
        symbol, listed = request.instrument.symbol, request.instrument
        trades: list[Any] = []
        for answer in await self._lookup.of(request):
            trades += await self._trades_of(str(answer["id"]), symbol, request)
        return await self._filled(trades, listed, lambda _: (request.id, request.ledger))

    async def _trades_of(self, venue_id: str, symbol: str, request: OrderRequest) -> list[Any]:
        asked = f"the fills of an order in {symbol}"
        if self._connection.profile.order_trades:
            return list(
                await self._connection.ask(lambda each: each.fetch_order_trades(venue_id, symbol), asked, "fills")
            )
        since = None if request.created is None else to_ms(request.created) - MARGIN
        return [trade for trade in await self._pages(symbol, since) if str(trade.get("order")) == venue_id]

    async def told_at_once(self, request: OrderRequest, listed: Instrument, answer: Any) -> Sequence[Fill]:
        """The fills in the answer to an order, where it tells them whole."""
        trades = [dict(trade) for trade in answer.get("trades") or [] if trade.get("id")]
        if not trades:
            return ()
        for trade in trades:
            trade["timestamp"] = trade.get("timestamp") or answer.get("timestamp") or self._data.clock.now_ms()
            trade["side"] = trade.get("side") or request.side.value
        try:
            return await self._filled(trades, listed, lambda _: (request.id, request.ledger))
        except (AppError, *UNREADABLE):  # what a token is worth cannot be asked now; the fills are found again later
            return ()

    # -- the account ----------------------------------------------------------------------------------------------

    async def since(self, moment: int, held: Mapping[str, Decimal]) -> list[Fill]:
        """Every fill from then on (UTC ms), oldest first. held: balances, which tell pairs to ask about."""
        symbols: list[str | None] = [None]
        if self._connection.profile.fills_need_symbol:
            symbols = list(await self._symbols(held))
        fills: dict[str, Fill] = {}
        for symbol in symbols:
            for fill in await self._owned(await self._pages(symbol, moment)):
                if to_ms(fill.time) >= moment:
                    fills[fill.id] = fill
        return sorted(fills.values(), key=lambda fill: (fill.time, fill.id))

    async def _symbols(self, held: Mapping[str, Decimal]) -> Sequence[str]:
        """Pairs in which the account may have traded: ordered, seen open, or with a coin that it holds."""
        listed = {each.symbol for each in await self._data.instruments()}
        ordered = await self._known.symbols()
        quotes = dict.fromkeys([*(symbol.partition("/")[2] for symbol in sorted(ordered)), *QUOTES])
        of_coins = {f"{asset}/{quote}" for asset in held for quote in quotes if asset not in QUOTES[:4]}
        return sorted((ordered | self._lookup.foreign_symbols | of_coins) & listed)

    async def _owned(self, trades: Sequence[Any]) -> list[Fill]:
        """The fills in the trades, each under the order and ledger that it belongs to."""
        by_symbol: dict[str, list[Any]] = {}
        for trade in trades:
            by_symbol.setdefault(str(trade.get("symbol")), []).append(trade)
        fills: list[Fill] = []
        for symbol, group in by_symbol.items():
            try:
                listed = await self._data.instrument(symbol)
            except NotFound:  # a pair this product does not trade
                continue
            owners = {str(trade.get("order")): await self._owner(trade, symbol) for trade in group}
            fills += await self._filled(group, listed, partial(_looked_up, owners))
        return fills

    async def _owner(self, trade: Any, symbol: str) -> tuple[str, str]:
        """(order id, ledger) that a trade belongs to."""
        venue_id = str(trade.get("order"))
        request = await self._known.owner({"id": venue_id, "symbol": symbol, "info": trade.get("info")})
        if request is None and trade.get("order") and (symbol, venue_id) not in self._strangers:
            answer = await self._lookup.by_venue_id(venue_id, symbol, {})
            request = None if answer is None else await self._known.owner({**answer, "symbol": symbol})
            if request is None:
                self._strangers.add((symbol, venue_id))
        if request is None:
            return foreign_id(self._connection.venue, symbol, venue_id), ELSEWHERE
        return request.id, request.ledger

    async def _filled(
        self, trades: Sequence[Any], listed: Instrument, owner: Callable[[Any], tuple[str, str]]
    ) -> list[Fill]:
        worth = {asset: await self._worth(asset, listed) for asset in third_assets(list(trades), listed)}
        found: dict[str, Fill] = {}
        for trade in trades:
            order, ledger = owner(trade)
            fill = fill_of(trade, listed, order=order, account=self._known.account, ledger=ledger, worth=worth)
            if fill is not None:
                found[fill.id] = fill
        return sorted(found.values(), key=lambda fill: (fill.time, fill.id))

    async def _worth(self, asset: str, listed: Instrument) -> Decimal:
        """Quote per unit of an asset that fees were taken in, at the market now; 0 where they have no common pair."""
        for base, quote, inverse in ((asset, listed.quote, False), (listed.quote, asset, True)):
            try:
                price = (await self._data.quote(await self._data.instrument(f"{base}/{quote}"))).last
            except NotFound:
                continue
            return 1 / price if inverse else price
        self._log.warning("fee of no known worth", asset=asset, symbol=listed.symbol)
        return ZERO

    async def _pages(self, symbol: str | None, since: int | None) -> list[Any]:
        """Trades from then on, page by page."""
        profile = self._connection.profile
        found: dict[str, Any] = {}
        asked = "the fills of the account" if symbol is None else f"fills in {symbol}"
        for page in range(PAGES):
            params = {} if profile.trades_offset is None or page == 0 else {profile.trades_offset: len(found)}
            begin, limit = since, None if profile.trades_offset else profile.trades_page
            call = partial(_trades, symbol, begin, limit, params)
            trades = await self._connection.ask(call, asked, "fills")
            if not isinstance(trades, list) or not all(isinstance(trade, dict) for trade in trades):
                raise unreadable(self._connection.venue, asked)
            before = len(found)
            found |= {f"{trade.get('symbol')}:{trade.get('id')}:{trade.get('side')}": trade for trade in trades}
            if len(trades) < profile.trades_page or len(found) == before:
                break
            if profile.trades_offset is None:
                since = max(int(trade.get("timestamp") or 0) for trade in trades)
        return list(found.values())

    # -- as they happen -------------------------------------------------------------------------------------------

    async def stream(self) -> AsyncIterator[Fill]:
        """Fills from half a minute ago on, each once.

        A message on the private stream is the sign to look; what is told comes over REST, whose fees are whole. Where
        the stream is broken, the account is looked at every few seconds.
        """
        clock = self._data.clock
        since, told = clock.now_ms() - OVERLAP, set[str]()
        spoken: set[str] = set()  # pairs that the stream has spoken of since the last look
        pump: Pump[None] | None = None
        wait, retry, silence = FIRST_WAIT, 0, FIRST_WAIT
        try:
            while True:
                if pump is None and clock.now_ms() >= retry:
                    pump = Pump(partial(self._sign, spoken), lambda: None, f"{self._connection.venue} fills")
                    silence = FIRST_WAIT  # looked at often in the beginning, until the venue surely listens
                if pump is None:
                    await clock.sleep(min(POLL, wait))
                else:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(pump.told.wait(), silence)
                    silence = min(2 * silence, LISTENING)
                    if pump.values:
                        pump.take()
                        wait = FIRST_WAIT
                    elif pump.task.done():
                        failed = None if pump.task.cancelled() else pump.task.exception()
                        self._log.warning(
                            "fill stream", venue=self._connection.venue, failed=type(failed).__name__, again_in=wait
                        )
                        pump, retry = None, clock.now_ms() + int(wait * 1000)
                        wait = min(2 * wait, LONGEST_WAIT)
                symbols, looked = set(spoken), clock.now_ms()
                spoken.clear()
                try:
                    fresh = await self._look(symbols, since)
                except Exception as failed:  # whatever it is, fills are listened for as long as the account is open
                    reason = failed.message if isinstance(failed, AppError) else repr(failed)
                    self._log.warning("fills not told", venue=self._connection.venue, reason=reason)
                    await clock.sleep(POLL)
                    continue
                for fill in fresh:
                    if fill.id not in told:
                        told.add(fill.id)
                        yield fill
                if not symbols:  # only a look at everything moves the mark
                    since = max(since, looked - OVERLAP)
        finally:
            if pump is not None:
                await pump.stop()

    async def _look(self, symbols: set[str], since: int) -> list[Fill]:
        """The fills since then in those pairs; in all of them where none is named."""
        await self._ready()
        if not symbols:
            return await self.since(since, {})
        fills = []
        for symbol in sorted(symbols):
            fills += await self._owned(await self._pages(symbol, since))
        return [fill for fill in sorted(fills, key=lambda each: each.time) if to_ms(fill.time) >= since]

    async def _sign(self, spoken: set[str]) -> None:
        """Waits for a message about the account, and notes the pairs it speaks of."""
        await self._ready()
        client = await self._connection.open()
        if client.has.get("watchMyTrades"):
            message = await client.watch_my_trades()
        elif client.has.get("watchOrders"):
            message = await client.watch_orders()
        else:
            await self._data.clock.sleep(POLL)
            return
        spoken |= {str(each["symbol"]) for each in message if each.get("symbol")}


def _trades(symbol: str | None, since: int | None, limit: int | None, params: dict[str, Any], client: Any) -> Any:
    return client.fetch_my_trades(symbol, since, limit, params)


def _looked_up(owners: Mapping[str, tuple[str, str]], trade: Any) -> tuple[str, str]:
    return owners[str(trade.get("order"))]
