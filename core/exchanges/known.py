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
        self._by_venue: dict[str, str] = {}  # the venue's id -> ours
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
        """The request of ours that an order of ccxt's stands for; None for one made elsewhere."""
        found = self._by_venue.get(str(answer.get("id")))
        digits = canonical(client_id_of(answer))
        if found is None and digits is not None:
            if digits not in self._by_client:
                await self._read_record()
            found = self._by_client.get(digits)
        if found is None:
            return None
        self.learn(found, answer)
        return self._requests.get(found)

    def learn(self, order_id: str, answer: Any) -> None:
        """Notes under which id the venue keeps the order."""
        if answer.get("id"):
            self._by_venue[str(answer["id"])] = order_id
            self._venue_ids.setdefault(order_id, str(answer["id"]))

    def order_of_venue(self, venue_id: str) -> str | None:
        return self._by_venue.get(venue_id)

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
