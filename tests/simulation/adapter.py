"""The adapter: the simulated venue behind the product's own ports, with a network in between."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.errors import InvalidInput, OrderRefused, OutcomeUnknown, Unavailable
from core.exchanges.failures import unreadable
from core.exchanges.identity import client_id
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Capabilities, Look, Quote, demand_last
from core.trading.orders import Order, OrderRequest
from core.trading.portfolio import Fill
from tests.simulation.loop import LoopClock
from tests.simulation.network import Down, Lost, Network, TooMany, Unreachable, Unreadable
from tests.simulation.venue import Held, Refused, Trade, Venue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent:
    """An order that left the product. at: UTC ms on the product's clock; process: who sent it"""

    client_id: str
    request: OrderRequest
    at: int
    process: int


class SimulatedExchange:
    """One account at the simulated venue, as one process trades at it."""

    def __init__(
        self,
        venue: Venue,
        network: Network,
        account: str,
        clock: LoopClock,
        sent: list[Sent],
        process: int,
        told: Callable[[str, str], None],
    ) -> None:
        self._venue, self._network, self._account, self._clock = venue, network, account, clock
        self._sent, self._process, self._told = sent, process, told
        self.capabilities = Capabilities(order_types=venue.native, paper=False, streaming=True)

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        """Sends it once. Raises OrderRefused, Unavailable (both: surely not taken) or OutcomeUnknown."""
        mine = client_id(request.id, self._venue.name)

        def work() -> Acknowledgement:
            order = self._venue.place(self._account, mine, request)
            return Acknowledgement(order.id, self._venue.fills_of(self._account, mine))

        await self._network.turn()
        demand_last(last)
        if not self._network.cut:
            self._sent.append(Sent(mine, request, self._clock.now_ms(), self._process))
        self._told(f"product {self._process}", f"sends {_described(request)}")
        try:
            return await self._network.ask(f"place {_short(request.id)}", work, repeatable=False)
        except Refused as refused:
            raise OrderRefused(refused.message) from refused
        except Unreachable:
            raise Unavailable(f"{self._venue.name} cannot be reached.") from None
        except TooMany:
            raise OrderRefused("Too many requests.") from None
        except (Lost, Down, Unreadable):
            raise OutcomeUnknown(f"{self._venue.name} did not say whether it took the order.") from None

    async def cancel(self, order_id: str) -> bool:
        mine = client_id(order_id, self._venue.name)
        self._told(f"product {self._process}", f"cancels {_short(order_id)}")
        try:
            work = lambda: self._venue.cancel(self._account, mine)  # noqa: E731  it is carried away
            return await self._network.ask(f"cancel {_short(order_id)}", work, repeatable=True)
        except Lost:
            raise OutcomeUnknown(f"{self._venue.name} did not say whether it cancelled.") from None
        except Unreadable:
            raise unreadable(self._venue.name, "cancelling an order") from None
        except (Down, TooMany, Unreachable):
            raise Unavailable(f"{self._venue.name} does not work now.") from None

    async def find(self, order_id: str) -> Order | None:
        mine, lag = client_id(order_id, self._venue.name), self._network.faults.lag
        return await self._read(f"find {_short(order_id)}", lambda: self._venue.find(self._account, mine, lag))

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        mine, lag = client_id(order_id, self._venue.name), self._network.faults.fills_lag
        return await self._read(f"fills {_short(order_id)}", lambda: self._venue.fills_of(self._account, mine, lag))

    async def open_orders(self) -> Sequence[Order]:
        lag = self._network.faults.lag
        return await self._read("open orders", lambda: self._venue.open_orders(self._account, lag))

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        lag = self._network.faults.fills_lag
        return await self._read("recent fills", lambda: self._venue.recent_fills(self._account, since, lag))

    async def balances(self) -> dict[str, object]:  # type: ignore[override]
        lag = self._network.faults.balances_lag
        return await self._read("balances", lambda: self._venue.totals(self._account, lag))

    async def costs(self, instrument: Instrument) -> Costs:
        return Costs(taker_fee=float(self._venue.taker_fee), maker_fee=float(self._venue.maker_fee), slippage=0.0005)

    async def fills(self) -> AsyncIterator[Fill]:
        """What the venue pushes: with gaps, doubled, out of order."""
        arrived: asyncio.Queue[Fill] = asyncio.Queue()

        def watch(order: Held, trade: Trade) -> None:
            if order.account == self._account:
                fill = self._venue.fill(order, trade)
                self._network.deliver(f"fill {trade.id}", lambda: arrived.put_nowait(fill))

        self._venue.watchers.append(watch)
        try:
            while True:
                yield await arrived.get()
        finally:
            self._venue.watchers.remove(watch)

    async def close(self) -> None:
        """There is nothing to close."""

    async def _read(self, what: str, work: Callable[[], T]) -> T:
        try:
            return await self._network.ask(what, work, repeatable=True)
        except Unreadable as failed:
            raise unreadable(self._venue.name, what) from failed
        except (Lost, Down, TooMany, Unreachable) as failed:
            raise Unavailable(f"{self._venue.name} does not answer: {type(failed).__name__}.") from failed


class SimulatedData:
    """The market of the simulated venue, through the same network."""

    simulated = False

    def __init__(self, venue: Venue, network: Network, now: Callable[[], int]) -> None:
        self.name = venue.name
        self._venue, self._network, self._now = venue, network, now

    async def instruments(self) -> Sequence[Instrument]:
        return await self._read("instruments", lambda: list(self._venue.instruments))

    async def quote(self, instrument: Instrument) -> Quote:
        return await self._read(f"quote {instrument.symbol}", lambda: self._venue.quote(instrument))

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        """None: nothing here trades on bars."""
        return Bars(instrument, timeframe, np.array([], dtype=np.int64), *[np.array([])] * 5)

    async def ping(self) -> float:
        return await self._read("ping", lambda: 0.01)

    async def close(self) -> None:
        """There is nothing to close."""

    async def _read(self, what: str, work: Callable[[], T]) -> T:
        if what not in ("instruments", "ping") and not what.startswith("quote"):
            raise InvalidInput(what)
        try:
            return await self._network.ask(what, work, repeatable=True)
        except Unreadable as failed:
            raise unreadable(self.name, what) from failed
        except (Lost, Down, TooMany, Unreachable) as failed:
            raise Unavailable(f"{self.name} does not answer: {type(failed).__name__}.") from failed


def twice(sent: Sequence[Sent]) -> list[str]:
    """Client ids that were sent more than once."""
    return [name for name, count in Counter(each.client_id for each in sent).items() if count > 1]


def _short(order_id: str) -> str:
    return order_id[:6] + order_id[32:]


def _described(request: OrderRequest) -> str:
    size = request.quantity if request.quantity is not None else f"for {request.spend or ZERO}"
    return f"{_short(request.id)}: {request.side.value} {size} {request.instrument.symbol} {request.type}"
