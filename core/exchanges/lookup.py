"""Finding orders at a venue: by client id where it can be asked for, else in the lists of open and ended orders.

Open orders are looked at before ended ones, so that an order which ends in between is found among the ended.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from core.clock import to_ms
from core.exchanges.connection import Connection
from core.exchanges.failures import ADDRESS, UNREADABLE, explained, unreadable
from core.exchanges.identity import canonical
from core.exchanges.known import Known
from core.exchanges.mapping import client_id_of, foreign_id
from core.trading.orders import OrderRequest, Stop, StopLimit, TrailingStop

MARGIN = 60_000  # ms by which clocks may differ
LISTED = 250  # orders asked for at once where lists are searched
APART = {"trigger": True}
# Where ccxt has no name for it.
NOT_THERE = re.compile(r"order.{0,12}(not exist|not found)|Unknown order|EOrder:Invalid order", re.IGNORECASE)


class Lookup:
    """Orders of one account."""

    def __init__(self, connection: Connection, known: Known, ready: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._known = known
        self._ready = ready
        self._foreign: dict[str, str] = {}  # 'VENUE:PAIR:their id' of an order made elsewhere -> its pair

    # -- ours ---------------------------------------------------------------------------------------------------

    async def of(self, request: OrderRequest) -> list[Any]:
        """What the venue knows of the request: nothing, one order of ccxt's, or the legs of a pair."""
        found = []
        for name in self._known.client_ids(request):
            answer = await self._one(request, name)
            if answer is not None:
                self._known.learn(request.id, answer)
                found.append(answer)
        return found

    async def _one(self, request: OrderRequest, client: str) -> Any:
        """The order of that client id; None when the venue does not know it. Raises Unavailable, ExchangeError."""
        symbol = request.instrument.symbol
        profile = self._connection.profile
        if profile.lookup == "query":
            answer = await self._query(client, symbol, {})
            if answer is None and profile.triggers_apart and waits(request):
                answer = await self._query(client, symbol, APART)
                if answer is not None:
                    return {**answer, "apart": True}
                return await self._query(client, symbol, {})  # it may have triggered between the two questions
            return answer
        venue_id = self._known.venue_id(request.id)
        if venue_id is not None and profile.lookup == "scan" and (await self._connection.open()).has.get("fetchOrder"):
            answer = await self.by_venue_id(venue_id, symbol, {})
            if answer is not None:
                return answer
        since = None if request.created is None else to_ms(request.created) - MARGIN
        for listed in (partial(self._open_in, symbol, client), partial(self._ended_in, symbol, client, since)):
            for answer in await listed():
                if canonical(client_id_of(answer)) == canonical(client):
                    return answer
        return None

    async def _query(self, client: str, symbol: str, params: dict[str, Any]) -> Any:
        from ccxt.base.errors import OrderNotFound

        asked = {**params, "clientOrderId": client}
        return await self._or_none(lambda each: each.fetch_order(None, symbol, asked), symbol, (OrderNotFound,))

    async def by_venue_id(self, venue_id: str, symbol: str, params: dict[str, Any]) -> Any:
        """The order of that id of the venue's; None when it does not know it."""
        from ccxt.base.errors import OrderNotFound

        if not (await self._connection.open()).has.get("fetchOrder"):
            listed = [*await self._open_in(symbol, None), *await self._ended_in(symbol, None, None)]
            return next((answer for answer in listed if str(answer.get("id")) == venue_id), None)
        extra = {"acknowledged": True} if self._connection.venue == "bybit" else {}
        return await self._or_none(
            lambda each: each.fetch_order(venue_id, symbol, {**extra, **params}),
            symbol,
            (OrderNotFound,),
        )

    async def _or_none(
        self, call: Callable[[Any], Awaitable[Any]], symbol: str, unknown: tuple[type[Exception], ...]
    ) -> Any:
        """The order; None only where the venue says in so many words that it has none. Else it raises."""
        from ccxt.base.errors import BadResponse, BaseError, NetworkError

        asked = f"an order in {symbol}"
        try:
            answer = await self._connection.raw(call, "find")
        except unknown:
            return None
        except (BaseError, OSError) as failed:
            sure = isinstance(failed, BaseError) and not isinstance(failed, NetworkError | BadResponse)
            if sure and NOT_THERE.search(ADDRESS.sub("", str(failed))):
                return None
            raise explained(self._connection.venue, failed, asked, self._connection.answered().status) from failed
        except UNREADABLE as failed:  # an answer that ccxt cannot read
            raise unreadable(self._connection.venue, asked) from failed
        return self._orders([answer], symbol)[0]

    def _orders(self, answers: Any, symbol: str | None = None) -> list[Any]:
        """The answers, once each is an order with an id, of that pair. Raises ExchangeError."""
        asked = "open orders" if symbol is None else f"orders in {symbol}"
        if not isinstance(answers, list) or not all(isinstance(each, dict) and each.get("id") for each in answers):
            raise unreadable(self._connection.venue, asked)
        if symbol is not None and any(each.get("symbol") not in (None, symbol) for each in answers):
            raise unreadable(self._connection.venue, asked)
        return answers

    async def _open_in(self, symbol: str, client: str | None) -> Sequence[Any]:
        params = {} if client is None or self._connection.profile.lookup == "scan" else {"clientOrderId": client}
        answers = await self._connection.ask(
            lambda each: each.fetch_open_orders(symbol, None, None, params), f"open orders in {symbol}", "orders"
        )
        return self._orders(answers, symbol)

    async def _ended_in(self, symbol: str, client: str | None, since: int | None) -> Sequence[Any]:
        has = (await self._connection.open()).has
        params = {} if client is None or self._connection.profile.lookup == "scan" else {"clientOrderId": client}
        asked, found = f"past orders in {symbol}", []
        for ability, ask in (
            ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
            ("fetchOrders", "fetch_orders"),
            ("fetchClosedOrders", "fetch_closed_orders"),
            ("fetchCanceledOrders", "fetch_canceled_orders"),
        ):
            if not has.get(ability):
                continue
            call = partial(_called, ask, symbol, since, LISTED, params)
            found += self._orders(await self._connection.ask(call, asked, "orders"), symbol)
            if ability != "fetchClosedOrders":
                break
        return found

    async def targets(self, order_id: str, request: OrderRequest | None) -> list[tuple[str, dict[str, Any]]]:
        """What there is to cancel: ids of the venue's, with the parameters that ccxt needs for each."""
        if request is None:
            return [(order_id.rpartition(":")[2], {})]
        profile, known = self._connection.profile, self._known.venue_id(order_id)
        if known is not None and not (profile.triggers_apart and waits(request)):
            return [(known, {})]
        return [
            (str(answer["id"]), dict(APART) if answer.get("apart") else {})
            for answer in await self.of(request)
            if answer.get("status") in ("open", None)
        ]

    # -- everything that is open ----------------------------------------------------------------------------------

    async def all_open(self) -> list[Any]:
        """Every open order of the account, also those that wait for a trigger."""
        from ccxt.base.errors import ArgumentsRequired

        try:
            found = list(self._orders(await self._connection.raw(lambda each: each.fetch_open_orders(), "orders")))
        except ArgumentsRequired:
            found = []
            for symbol in sorted(await self._known.symbols()):
                found += await self._open_in(symbol, None)
        except UNREADABLE as failed:
            raise unreadable(self._connection.venue, "open orders") from failed
        except Exception as failed:
            from ccxt.base.errors import BaseError

            if not isinstance(failed, (BaseError, OSError)):
                raise
            raise explained(
                self._connection.venue, failed, "open orders", self._connection.answered().status
            ) from failed
        if self._connection.profile.triggers_apart:
            waiting = await self._connection.ask(
                lambda each: each.fetch_open_orders(None, None, None, dict(APART)), "waiting orders", "orders"
            )
            found += [{**answer, "apart": True} for answer in self._orders(waiting)]
        return found

    # -- made elsewhere -------------------------------------------------------------------------------------------

    def note_foreign(self, order_id: str, symbol: str) -> None:
        """Remembers in which pair an order lies that was made elsewhere."""
        self._foreign[order_id] = symbol

    @property
    def foreign_symbols(self) -> set[str]:
        return set(self._foreign.values())

    async def foreign_symbol(self, order_id: str) -> str | None:
        """The pair of 'VENUE:PAIR:their id'; None where nothing of that id was ever seen open."""
        if not order_id.startswith(f"{self._connection.venue}:"):
            return None
        if order_id not in self._foreign:
            for answer in await self.all_open():
                symbol = str(answer.get("symbol"))
                self._foreign[foreign_id(self._connection.venue, symbol, answer["id"])] = symbol
        return self._foreign.get(order_id)


def _called(name: str, *arguments: Any) -> Any:
    """`client.name(arguments)`; the client comes last, as `ask` gives it."""
    *given, client = arguments
    return getattr(client, name)(*given)


def waits(request: OrderRequest) -> bool:
    """Whether the order waits for a price before it lies in the book."""
    return isinstance(request.type, Stop | StopLimit | TrailingStop)
