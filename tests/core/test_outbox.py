"""The codec keeps every digit; the relay loses no event and keeps their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SimulatedClock, from_ms
from core.events import AccountNotice, DurableEvent
from core.market.instrument import Instrument
from core.outbox import Codec, Envelope, Relay, decode, encode
from core.trading.orders import Bracket, Limit, Market, OrderRequest, Side, Stop, StopLimit, TimeInForce, TrailingStop

CODEC = Codec(get_args(DurableEvent))
MOMENTS = st.integers(0, 4_000_000_000_000).map(from_ms)
MONEY = st.decimals(allow_nan=False, allow_infinity=False)
PRICES = st.decimals("1e-12", "1e12", allow_nan=False)

st.register_type_strategy(datetime, MOMENTS)
st.register_type_strategy(Decimal, MONEY)

requests = st.builds(
    OrderRequest, id=st.text(), account=st.text(), instrument=st.builds(Instrument), side=st.sampled_from(Side),
    type=st.one_of(
        st.just(Market()), st.builds(Limit, PRICES), st.builds(Stop, PRICES), st.builds(StopLimit, PRICES, PRICES),
        st.builds(TrailingStop, fraction=st.decimals("1e-9", "0.999999999")),
        st.builds(Bracket, st.just(Market()) | st.builds(Limit, PRICES), stop=st.none() | PRICES),
    ),
    quantity=PRICES, spend=st.none(), exposure=st.none(), time_in_force=st.sampled_from(TimeInForce),
)  # fmt: skip


@given(st.one_of([st.builds(kind) for kind in get_args(DurableEvent)]))
def test_every_event_reads_back_as_it_was_written(event: Any) -> None:
    again = CODEC.decode(type(event).__name__, CODEC.encode(event))
    assert again == event
    assert encode(again) == encode(event)  # Decimal("1.0") == Decimal("1"), their texts differ


@given(requests)
def test_every_order_request_reads_back_as_it_was_written(request: OrderRequest) -> None:
    assert decode(OrderRequest, encode(request)) == request


def test_an_unknown_kind_of_event_is_refused() -> None:
    with pytest.raises(TypeError, match="not a durable event"):
        CODEC.encode(Market())


@dataclass
class MemoryOutbox:
    """The outbox as a list."""

    rows: list[Envelope]
    due: dict[int, datetime]
    parked_rows: dict[int, str]

    @classmethod
    def of(cls, *events: AccountNotice) -> "MemoryOutbox":
        rows = [Envelope(n, e.account, "AccountNotice", CODEC.encode(e), 0) for n, e in enumerate(events)]
        return cls(rows, {}, {})

    async def waiting(self, now: datetime, limit: int) -> Sequence[Envelope]:
        held = {row.account: row.position for row in reversed(self.rows) if self.due.get(row.position, now) > now}
        return [row for row in self.rows if row.position < held.get(row.account, 10**9)][:limit]

    async def delivered(self, positions: Sequence[int]) -> None:
        self.rows = [row for row in self.rows if row.position not in positions]

    async def failed(self, position: int, attempts: int, due: datetime) -> None:
        self.due[position] = due
        self.rows = [
            Envelope(row.position, row.account, row.kind, row.document, attempts) if row.position == position else row
            for row in self.rows
        ]

    async def parked(self, position: int, attempts: int, reason: str) -> None:
        self.parked_rows[position] = reason
        await self.delivered([position])


def notice(ident: str, account: str) -> AccountNotice:
    return AccountNotice(ident, account, datetime(2024, 1, 1, tzinfo=UTC), "")


class Receiver:
    """Remembers what it was told; fails on ids given."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.heard: list[str] = []

    async def __call__(self, event: AccountNotice) -> None:
        if event.id in self.failing:
            raise OSError("receiver is down")
        self.heard.append(event.id)


async def test_an_event_whose_receiver_fails_holds_back_only_its_own_account() -> None:
    outbox = MemoryOutbox.of(notice("a1", "a"), notice("b1", "b"), notice("a2", "a"))
    receiver, clock = Receiver("a1"), SimulatedClock()
    relay = Relay(outbox, CODEC, receiver, clock)
    await relay.drain()
    await relay.drain()
    assert receiver.heard == ["b1"]
    receiver.failing.clear()
    await clock.advance(1)
    await relay.drain()
    assert receiver.heard == ["b1", "a1", "a2"]
    assert outbox.rows == []


async def test_an_event_that_always_fails_is_set_aside_and_the_next_ones_go_on() -> None:
    outbox, receiver, clock = MemoryOutbox.of(notice("a1", "a"), notice("a2", "a")), Receiver("a1"), SimulatedClock()
    relay = Relay(outbox, CODEC, receiver, clock, attempts=3)
    for _ in range(5):
        await relay.drain()
        await clock.advance(timedelta(minutes=5).total_seconds())
    assert receiver.heard == ["a2"]
    assert outbox.parked_rows == {0: "OSError: receiver is down"}
