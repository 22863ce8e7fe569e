"""Which orders of a venue's account are ours: by client id, by the venue's own id, from memory and from the record."""

from collections.abc import Sequence
from typing import Any, Protocol

from core.exchanges.identity import canonical, client_id
from core.exchanges.mapping import client_id_of
from core.trading.orders import OneCancelsOther, Order, OrderRequest

REMEMBERED = 5_000  # orders of the account that are read back from the record, the newest
LEGS = ("limit", "stop")  # of a one-cancels-other pair that the venue keeps


class OrderRecord(Protocol):
    """The record of orders, as far as an adapter needs it to recognise its own after a restart."""

    async def order(self, order_id: str) -> Order | None: ...
    async def orders(
        self, account: str | None = None, *, open_only: bool = False, limit: int | None = None
    ) -> Sequence[Order]:
        """Newest first when limited, oldest first otherwise; all accounts when None."""
        ...


class Known:
    """The requests of one account, and under which ids the venue knows them."""

    def __init__(self, account: str, venue: str, record: OrderRecord | None = None) -> None:
        self.account = account
        self._venue = venue
        self._record = record
        self._requests: dict[str, OrderRequest] = {}
        self._by_client: dict[str, str] = {}
        self._by_venue: dict[tuple[str, str], str] = {}  # (pair, the venue's id) -> ours; ids repeat across pairs
        self._venue_ids: dict[str, str] = {}  # ours -> the venue's, of orders that are one at the venue
        self._read = False

    def add(self, request: OrderRequest) -> None:
        """From now on the request is ours."""
        self._requests[request.id] = request
        for name in self.client_ids(request):
            digits = canonical(name)
            if digits is not None:
                self._by_client[digits] = request.id

    def forget(self, order_id: str) -> None:
        """The request was never sent."""
        request = self._requests.pop(order_id, None)
        for name in () if request is None else self.client_ids(request):
            self._by_client.pop(canonical(name) or "", None)

    def client_ids(self, request: OrderRequest) -> Sequence[str]:
        """The client id of the order; of an order that is two at the venue, those of both."""
        if isinstance(request.type, OneCancelsOther):
            return [client_id(f"{request.id}:{leg}", self._venue) for leg in LEGS]
        return [client_id(request.id, self._venue)]

    async def request(self, order_id: str) -> OrderRequest | None:
        """The request of that id; None when the account never made it."""
        if order_id not in self._requests and self._record is not None:
            order = await self._record.order(order_id)
            if order is not None and order.request.account == self.account:
                self.add(order.request)
        return self._requests.get(order_id)

    async def owner(self, answer: Any) -> OrderRequest | None:
        """The request of ours that an order of ccxt's stands for; None for one made elsewhere.

        A client id tells it whatever number the venue gives; without one of ours, the pair and that number do.
        """
        symbol, found = answer.get("symbol"), None
        digits = canonical(client_id_of(answer))
        if digits is not None:
            if digits not in self._by_client:
                await self._read_record()
            found = self._by_client.get(digits)
        if found is None and symbol:
            found = self._by_venue.get((str(symbol), str(answer.get("id"))))
        request = None if found is None else self._requests.get(found)
        if request is None or symbol not in (None, request.instrument.symbol):
            return None
        self.learn(request.id, answer)
        return request

    def learn(self, order_id: str, answer: Any) -> None:
        """Notes under which id the venue keeps the order."""
        request = self._requests.get(order_id)
        symbol = answer.get("symbol") or (None if request is None else request.instrument.symbol)
        if answer.get("id"):
            if symbol:
                self._by_venue[str(symbol), str(answer["id"])] = order_id
            self._venue_ids.setdefault(order_id, str(answer["id"]))

    def venue_id(self, order_id: str) -> str | None:
        return self._venue_ids.get(order_id)

    async def symbols(self) -> set[str]:
        """Every pair the account has ordered, as far as it is remembered."""
        await self._read_record()
        return {request.instrument.symbol for request in self._requests.values()}

    async def _read_record(self) -> None:
        """Once: what this process places itself is added as it goes."""
        if self._read or self._record is None:
            return
        for order in await self._record.orders(self.account, limit=REMEMBERED):
            if order.id not in self._requests:
                self.add(order.request)
        self._read = True
