"""`CcxtExchange`: trading at a real venue for one account, through ccxt.

An order is sent once and never again. What the venue surely refused is OrderRefused; whatever else goes wrong after
the order left is OutcomeUnknown, to be looked up by client id.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from core.errors import AppError, InvalidInput, NotFound, OrderRefused, OutcomeUnknown
from core.exchanges.ccxt import CcxtData
from core.exchanges.connection import Connection, leaving, never_left
from core.exchanges.failures import UNREADABLE, Answered, explained, placing, unreadable
from core.exchanges.fees import AccountFees
from core.exchanges.history import History
from core.exchanges.known import Known, OrderRecord
from core.exchanges.lookup import Lookup
from core.exchanges.mapping import decimal, foreign_request, order_of
from core.exchanges.pairs import as_one, place_pair
from core.exchanges.sending import Sending, described, sending
from core.exchanges.vault import ExchangeSecrets
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Look, demand_last
from core.trading.orders import Limit, Market, OneCancelsOther, Order, OrderRequest, StopLimit
from core.trading.portfolio import Fill

T = TypeVar("T")


class CcxtExchange:
    """An account at the venue of `data`.

    account: the trading account, 'USER@VENUE'; record: where requests are found again after a restart
    """

    def __init__(
        self, account: str, keys: ExchangeSecrets, data: CcxtData, *, record: OrderRecord | None = None
    ) -> None:
        self.account = account
        self.venue = data.name
        self.data = data
        self.profile = data.profile
        self._clock = data.clock
        self._connection = Connection(
            data.name,
            data.connection.base,
            data.connection.sandbox,
            keys=keys,
            account=account,
            pace=data.connection.pace,
        )
        self._known = Known(account, data.name, record)
        self._lookup = Lookup(self._connection, self._known, self._ready)
        self._history = History(self._connection, self._known, self._lookup, data, self._ready)
        self._fees = AccountFees(self._connection, self._clock, self.balances)
        self._log = structlog.get_logger("exchange")
        self.capabilities = self.profile.capabilities

    # -- orders -------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        """Sends the order, once. Raises OrderRefused, OutcomeUnknown, and InvalidInput for less than a lot."""
        if request.account != self.account:
            raise OrderRefused(f"An order of account '{request.account}' cannot be placed by '{self.account}'.")
        sent, listed = await self._prepared(request)
        self._known.add(request)
        asked = described(request)
        try:
            answer = await self._connection.raw(lambda client: self._send(client, request, sent, listed, last), None)
        except OrderRefused:  # by the last look: nothing left
            self._known.forget(request.id)
            raise
        except Exception as failed:  # whatever it is, the order may have arrived: sorted by what is certain
            from ccxt.base.errors import BaseError, InvalidNonce

            if not isinstance(failed, (BaseError, OSError, *UNREADABLE)):
                raise
            how = self._connection.answered()
            error = placing(self.venue, failed, asked, Answered(how.status, sent=not never_left(failed)))
            self._log.warning("order not acknowledged", order=request.id, kind=error.details.get("kind"))
            if isinstance(failed, InvalidNonce):
                await self._set_clock()
            raise error from failed
        if isinstance(request.type, OneCancelsOther):
            return Acknowledgement(request.id)
        if not isinstance(answer, dict) or not answer.get("id"):
            raise OutcomeUnknown(
                f"{self.venue} answered without naming the order ({asked}).",
                hint="It is being looked up and is not sent again.",
                venue=self.venue,
                kind="unknown",
            )
        self._known.learn(request.id, answer)
        return Acknowledgement(request.id, await self._history.told_at_once(request, listed, answer))

    async def cancel(self, order_id: str) -> bool:
        """True when it was open and is cancelled. Raises Unavailable or ExchangeError where that is not known."""
        await self._ready()
        request = await self._known.request(order_id)
        symbol = request.instrument.symbol if request is not None else await self._lookup.foreign_symbol(order_id)
        if symbol is None:
            return False
        targets = await self._lookup.targets(order_id, request)
        cancelled = False
        for venue_id, params in targets:
            cancelled = await self._cancel_one(venue_id, symbol, params) or cancelled
            if cancelled:  # of a pair, the other leg goes with it
                break
        return cancelled

    async def _cancel_one(self, venue_id: str, symbol: str, params: dict[str, Any]) -> bool:
        from ccxt.base.errors import BaseError, NetworkError

        asked = f"the cancelling of an order in {symbol}"
        try:
            await self._connection.raw(lambda client: client.cancel_order(venue_id, symbol, params), "cancel")
        except (OSError, NetworkError) as failed:
            raise explained(self.venue, failed, asked, self._connection.answered().status) from failed
        except UNREADABLE as failed:
            raise unreadable(self.venue, asked) from failed
        except BaseError as failed:  # it may have ended meanwhile; else the refusal is told
            status = self._connection.answered().status
            now = await self._lookup.by_venue_id(venue_id, symbol, params)
            if now is None or now.get("status") not in ("open", None):
                return False
            raise explained(self.venue, failed, asked, status) from failed
        return True

    async def find(self, order_id: str) -> Order | None:
        """What the venue knows of the order, open or ended; None when it says that it knows none of that id."""
        return await self._read(self._find(order_id), "an order")

    async def _find(self, order_id: str) -> Order | None:
        await self._ready()
        request = await self._known.request(order_id)
        if request is None:
            return await self._find_foreign(order_id)
        answers = await self._lookup.of(request)
        if not answers:
            return None
        now = self._clock.now()
        legs = [order_of(request, answer, now) for answer in answers]
        return as_one(request, legs) if isinstance(request.type, OneCancelsOther) else legs[0]

    async def _find_foreign(self, order_id: str) -> Order | None:
        symbol = await self._lookup.foreign_symbol(order_id)
        if symbol is None:
            return None
        answer = await self._lookup.by_venue_id(order_id.rpartition(":")[2], symbol, {})
        return None if answer is None else await self._as_order(answer)

    async def open_orders(self) -> Sequence[Order]:
        """Ours under their own requests, others under ELSEWHERE."""
        return await self._read(self._open_orders(), "open orders")

    async def _open_orders(self) -> Sequence[Order]:
        await self._ready()
        found: dict[str, list[Order]] = {}
        for answer in await self._lookup.all_open():
            order = await self._as_order(answer)
            if order is not None and not order.status.final:
                found.setdefault(order.id, []).append(order)
        return [orders[0] if len(orders) == 1 else as_one(orders[0].request, orders) for orders in found.values()]

    async def _as_order(self, answer: Any) -> Order | None:
        request = await self._known.owner(answer)
        if request is None:
            try:
                listed = await self.data.instrument(str(answer.get("symbol")))
            except NotFound:  # a pair this product does not trade
                return None
            request = foreign_request(self.account, listed, answer)
            if request is None:
                return None
            self._lookup.note_foreign(request.id, listed.symbol)
        return order_of(request, answer, self._clock.now())

    # -- fills, balances, fees ----------------------------------------------------------------------------------

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        await self._ready()
        request = await self._known.request(order_id)
        return () if request is None else await self._read(self._history.of_order(request), "the fills of an order")

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        """Where the venue tells fills per pair only, of the pairs ordered, held or seen open."""
        await self._ready()
        held = await self.balances() if self.profile.fills_need_symbol else {}
        return await self._read(self._history.since(since, held), "the fills of the account")

    def fills(self) -> AsyncIterator[Fill]:
        """Fills as they happen: told by the private stream, else found by asking every few seconds."""
        return self._history.stream()

    async def balances(self) -> dict[str, Decimal]:
        """Everything the venue holds for the account, free or bound."""
        await self._ready()
        params = dict(self.profile.balance_params)
        told = await self._connection.ask(lambda client: client.fetch_balance(params), "the balances", "balances")
        if not isinstance(told, dict) or not isinstance(told.get("total"), dict) or not told.get("info"):
            raise unreadable(self.venue, "the balances")
        totals = {asset: decimal(amount) for asset, amount in told["total"].items()}
        return {str(asset): amount for asset, amount in totals.items() if amount}

    async def costs(self, instrument: Instrument) -> Costs:
        await self._ready()
        return await self._fees.of(instrument.symbol)

    async def close(self) -> None:
        """Ends the streams and closes the connections."""
        await self._connection.close()

    # -- inside -------------------------------------------------------------------------------------------------

    async def _read(self, question: Awaitable[T], asked: str) -> T:
        """The answer. Raises ExchangeError for one that cannot be read: nothing is concluded from it."""
        try:
            return await question
        except UNREADABLE as failed:
            raise unreadable(self.venue, asked) from failed

    async def _ready(self) -> None:
        """The client, with the venue's pairs as `data` knows them and the venue's clock."""
        client = await self._connection.open()
        if not client.markets:
            public = await self.data.loaded()
            if not client.markets:
                client.set_markets_from_exchange(public)
                await self._set_clock()

    async def _set_clock(self) -> None:
        """Measures how far the venue's clock is from ours, which signatures need; a failure shows soon enough."""
        client = await self._connection.open()
        if client.has.get("fetchTime"):
            try:
                await self._connection.ask(lambda each: each.load_time_difference(), "the time")
            except AppError as failed:
                self._log.warning("the venue's clock is not known", venue=self.venue, reason=failed.message)

    async def _prepared(self, request: OrderRequest) -> tuple[Sending, Instrument]:
        """What will be sent. Nothing has been sent yet, so every failure here is a refusal."""
        try:
            await self._ready()
            listed = await self.data.instrument(request.instrument.symbol)
            client = await self._connection.open()
            by_cost = _buys_by_cost(client)
            price, fee = ZERO, ZERO
            if isinstance(request.type, Limit | StopLimit | OneCancelsOther):
                price = request.type.price
            elif isinstance(request.type, Market) and (request.spend is not None or by_cost):
                price = (await self.data.quote(listed)).ask
            if request.spend is not None:
                fee = Decimal(repr((await self._fees.of(listed.symbol)).taker_fee))
            names = self._known.client_ids(request)
            sent = sending(self.profile, request, listed, names[0], price, fee, by_cost)
            await self._connection.turn("place", urgent=request.reduce_only)
            return sent, listed
        except (OrderRefused, InvalidInput):
            raise
        except AppError as failed:
            raise OrderRefused(
                f"The order ({described(request)}) was not sent. {failed.message}", hint=failed.hint, **failed.details
            ) from failed

    async def _send(
        self, client: Any, request: OrderRequest, sent: Sending, listed: Instrument, last: Look | None
    ) -> Any:
        with leaving(lambda: demand_last(last)):
            return await self._created(client, request, sent, listed)

    async def _created(self, client: Any, request: OrderRequest, sent: Sending, listed: Instrument) -> Any:
        if isinstance(request.type, OneCancelsOther):
            return await place_pair(client, request, sent, listed, self._known.client_ids(request))
        price = None if sent.price is None else float(sent.price)
        return await client.create_order(
            sent.symbol, sent.kind, sent.side, float(sent.amount), price, dict(sent.params)
        )


def _buys_by_cost(client: Any) -> bool:
    """Whether ccxt sizes market buys at this venue in quote only."""
    features = (getattr(client, "features", None) or {}).get("spot") or {}
    return bool((features.get("createOrder") or {}).get("marketBuyRequiresPrice"))
