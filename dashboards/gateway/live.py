"""The live socket: subscribe to topics, and be told as things happen.

In:  {"subscribe": ["quotes:BTC/USDT", "bars:BTC/USDT:1m", "notices", "orders"]}, {"unsubscribe": [...]}
Out: {"subscribed": [topics]}, {"unsubscribed": [topics]}, {"error": sentence, "topic": asked}, {"topic": …, "data": …},
     {"heartbeat": ISO time} every fifteen seconds

A topic comes back under its full name: "quotes:btc" is answered by "quotes:BTC/USDT". Orders and notices are those of
the person who is signed in, and nobody else's.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from core.errors import AppError, InvalidInput
from core.events import (
    AccountNotice,
    AlertFired,
    DurableEvent,
    FillRecorded,
    OrderChanged,
    QuoteChanged,
    StrategyChanged,
)  # fmt: skip
from core.market import timeframes
from core.reply import to_json
from dashboards.gateway.access import Visitor
from dashboards.gateway.models import quote_figures

if TYPE_CHECKING:
    from core.commands.context import Services
    from core.market.bars import Bars
    from core.market.instrument import Instrument

PERSONAL = ("notices", "orders")
ACCEPTED = "a topic is quotes:INSTRUMENT, bars:INSTRUMENT:TIMEFRAME, notices or orders"
NOTICED = (AlertFired, FillRecorded, StrategyChanged, AccountNotice)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one gateway carries. Seconds, connections, topics, characters and messages."""

    connections: int = 200
    of_one_person: int = 8
    topics: int = 50  # of one connection
    charts: int = 100  # different bar topics of all connections: each is asked of its source again and again
    longest: int = 8_000
    waiting: int = 256  # messages that a slow reader may owe us before it is dropped
    patience: float = 10.0  # seconds for one message to leave
    heartbeat: float = 15.0
    bars_every: float = 2.0


@dataclass(frozen=True, slots=True)
class Topic:
    """What can be subscribed to. name: as it is answered."""

    name: str
    instrument: "Instrument | None" = None
    timeframe: str = ""


@dataclass(slots=True)
class Reader:
    """One connection: its topics, and the messages that have not left yet."""

    socket: WebSocket
    visitor: Visitor
    outbox: asyncio.Queue[str]
    topics: dict[str, Topic] = field(default_factory=dict)
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, message: dict[str, Any]) -> None:
        """Puts the message in line; a reader whose line is full is given up."""
        try:
            self.outbox.put_nowait(json.dumps(message, default=str, allow_nan=False))
        except asyncio.QueueFull:
            self.slow.set()


class Live:
    """All live sockets, and what they are told."""

    def __init__(self, services: "Services", limits: Limits | None = None) -> None:
        self._services = services
        self._limits = limits or Limits()
        self._readers: list[Reader] = []
        self._charts: dict[str, asyncio.Task[None]] = {}
        self._newest: dict[str, dict[str, Any]] = {}  # the bar last told of each chart
        self._unsubscribe: list[Callable[[], None]] = []
        self._log = structlog.get_logger("live")

    async def start(self) -> None:
        """Begins to listen to what happens."""
        bus = self._services.bus
        self._services.market.watch_for(self.instruments)
        self._unsubscribe = [
            bus.subscribe(QuoteChanged, self.on_quote),
            bus.subscribe(OrderChanged, self.on_order),
            bus.subscribe(FillRecorded, self.on_fill),
            *(bus.subscribe(kind, self.on_notice) for kind in NOTICED),
        ]

    async def stop(self) -> None:
        """Closes every socket and ends what was begun for them."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
        for chart in tuple(self._charts.values()):
            chart.cancel()
        await asyncio.gather(*self._charts.values(), return_exceptions=True)
        self._charts.clear()
        for reader in tuple(self._readers):
            await close(reader.socket, 1001, "The assistant stops.")

    def instruments(self) -> list["Instrument"]:
        """Whose quotes somebody reads: the feed keeps them fresh."""
        return [topic.instrument for topic in self._topics() if topic.instrument is not None and not topic.timeframe]

    def _topics(self) -> Iterator[Topic]:
        for reader in self._readers:
            yield from reader.topics.values()

    # -- one connection ---------------------------------------------------------------------------------------------

    async def serve(self, socket: WebSocket, visitor: Visitor) -> None:
        """Serves an accepted connection until it closes, is too slow, or its session ends."""
        reader = Reader(socket, visitor, asyncio.Queue(self._limits.waiting))
        if refusal := self._full(visitor):
            await socket.send_text(json.dumps({"error": refusal}))
            await close(socket, 1013, refusal)
            return
        self._readers.append(reader)
        parts = [self._listen(reader), self._write(reader), self._beat(reader), reader.slow.wait()]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._readers.remove(reader)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._drop_charts()
        if reader.slow.is_set():
            self._log.info("a live socket read too slowly and was closed", user=visitor.user.id)
            await close(socket, 1013, "This connection reads too slowly.")
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _full(self, visitor: Visitor) -> str:
        """Why no more connections are taken; empty when they are."""
        people = Counter(reader.visitor.user.id for reader in self._readers)
        if people[visitor.user.id] >= self._limits.of_one_person:
            return f"You have {self._limits.of_one_person} live connections open, which is the most; close one first."
        if people.total() >= self._limits.connections:
            return f"All {self._limits.connections} live connections are taken; try again later."
        return ""

    async def _listen(self, reader: Reader) -> None:
        while True:
            try:
                text = await reader.socket.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return
            try:
                verb, names = read(text, self._limits.longest)
            except ValueError as wrong:
                reader.tell({"error": str(wrong)})
                continue
            if verb == "subscribe":
                await self._subscribe(reader, names)
            else:
                await self._leave(reader, names)

    async def _write(self, reader: Reader) -> None:
        while True:
            message = await reader.outbox.get()
            try:
                async with asyncio.timeout(self._limits.patience):
                    await reader.socket.send_text(message)
            except TimeoutError:
                reader.slow.set()
                return
            except (WebSocketDisconnect, RuntimeError):
                return

    async def _beat(self, reader: Reader) -> None:
        """Tells that the line is alive; ends with the session."""
        while True:
            await asyncio.sleep(self._limits.heartbeat)
            session = reader.visitor.session
            if session and await self._services.users.session(session) is None:
                await close(reader.socket, 1008, "The session has ended.")
                return
            reader.tell({"heartbeat": self._services.clock.now().isoformat()})

    # -- topics -----------------------------------------------------------------------------------------------------

    async def topic(self, name: str) -> Topic:
        """The topic a client names. Raises AppError."""
        kind, _, rest = name.partition(":")
        if name in PERSONAL:
            return Topic(name)
        if kind == "quotes" and rest:
            found = await self._services.market.instrument(rest)
            return Topic(f"quotes:{self._called(found)}", found)
        instrument, _, timeframe = rest.rpartition(":")
        if kind == "bars" and instrument:
            frame = timeframes.parse(timeframe)
            found = await self._services.market.instrument(instrument)
            return Topic(f"bars:{self._called(found)}:{frame}", found, frame)
        raise InvalidInput(f"'{name[:60]}' is not a topic; {ACCEPTED}.")

    def _called(self, instrument: "Instrument") -> str:
        """BTC/USDT where the venue is the one we look things up at, else binance:BTC/USDT."""
        return instrument.symbol if instrument.venue == self._services.market.source_name else instrument.key

    async def _subscribe(self, reader: Reader, names: Iterable[str]) -> None:
        taken: dict[str, Topic] = {}
        for name in names:
            try:
                topic = await self.topic(name)
                self._check(reader, topic)
            except AppError as refused:
                reader.tell({"error": refused.sentence(), "topic": name[:100]})
                continue
            reader.topics[topic.name] = taken[topic.name] = topic
        if taken:
            reader.tell({"subscribed": list(taken)})
        for topic in taken.values():
            await self._begin(reader, topic)

    def _check(self, reader: Reader, topic: Topic) -> None:
        """Raises InvalidInput when this would be one topic too many."""
        if topic.name not in reader.topics and len(reader.topics) >= self._limits.topics:
            raise InvalidInput(f"One connection may have {self._limits.topics} topics.")
        if topic.timeframe and topic.name not in self._charts:
            known = {one.name for one in self._topics() if one.timeframe} | {topic.name}
            if len(known) > self._limits.charts:
                raise InvalidInput(f"All {self._limits.charts} live charts are taken; try again later.")

    async def _begin(self, reader: Reader, topic: Topic) -> None:
        """The present state first, where there is one; then whatever changes."""
        if topic.timeframe:
            if topic.name not in self._charts:
                self._charts[topic.name] = asyncio.create_task(self._draw(topic), name=f"live {topic.name}")
            elif topic.name in self._newest:
                reader.tell({"topic": topic.name, "data": self._newest[topic.name]})
        elif topic.instrument is not None:
            try:
                quote = await self._services.market.quote(topic.instrument)
            except AppError as failed:
                reader.tell({"error": failed.sentence(), "topic": topic.name})
            else:
                reader.tell({"topic": topic.name, "data": self._quoted(topic.instrument, quote)})

    async def _leave(self, reader: Reader, names: Iterable[str]) -> None:
        left = []
        for name in names:
            try:
                known = name if name in reader.topics else (await self.topic(name)).name
            except AppError as refused:
                reader.tell({"error": refused.sentence(), "topic": name[:100]})
                continue
            if reader.topics.pop(known, None) is None:
                reader.tell({"error": f"{known} is not subscribed to here.", "topic": name[:100]})
                continue
            left.append(known)
        if left:
            reader.tell({"unsubscribed": left})
        self._drop_charts()

    def _drop_charts(self) -> None:
        """Ends the looking at bars that nobody reads any more."""
        read_now = {topic.name for topic in self._topics()}
        for name in [name for name in self._charts if name not in read_now]:
            self._charts.pop(name).cancel()
            self._newest.pop(name, None)

    # -- what is told -----------------------------------------------------------------------------------------------

    def tell(self, name: str, data: Any, user: str | None = None) -> None:
        """Tells a topic's readers; of `user` only, where the topic is a person's own."""
        for reader in self._readers:
            if name in reader.topics and user in (None, reader.visitor.user.id):
                reader.tell({"topic": name, "data": data})

    def _sorry(self, name: str, sentence: str) -> None:
        for reader in self._readers:
            if name in reader.topics:
                reader.tell({"error": sentence, "topic": name})

    def _has_reader(self, name: str, user: str) -> bool:
        return any(name in reader.topics and reader.visitor.user.id == user for reader in self._readers)

    async def on_quote(self, event: QuoteChanged) -> None:
        instrument = event.quote.instrument
        self.tell(f"quotes:{self._called(instrument)}", self._quoted(instrument, event.quote))

    def _quoted(self, instrument: "Instrument", quote: Any) -> dict[str, Any]:
        label = self._services.market.label(instrument)
        return {"instrument": instrument.symbol, "venue": instrument.venue, "label": label, **quote_figures(quote)}

    async def on_order(self, event: OrderChanged) -> None:
        data = {
            "kind": "order", "order": event.number, "instrument": event.instrument, "status": str(event.status),
            "reason": event.reason, "time": event.time.isoformat(),
        }  # fmt: skip
        self.tell("orders", data, event.account)

    async def on_fill(self, event: FillRecorded) -> None:
        fill = event.fill
        data = {
            "kind": "fill", "order": event.number, "instrument": fill.instrument, "side": str(fill.side),
            "quantity": str(fill.quantity), "price": str(fill.price), "fee": str(fill.fee),
            "time": event.time.isoformat(),
        }  # fmt: skip
        self.tell("orders", data, event.account)

    async def on_notice(self, event: DurableEvent) -> None:
        user = event.user if isinstance(event, AlertFired) else event.account
        if not self._has_reader("notices", user):
            return
        blocks = await self._services.notifier.compose(event)
        if blocks is not None:
            self.tell("notices", to_json(list(blocks)), user)

    async def _draw(self, topic: Topic) -> None:
        """Tells the bars of a topic: each once when it has closed, and the forming one as it changes."""
        assert topic.instrument is not None
        length = timeframes.milliseconds(topic.timeframe)
        failing = False
        while True:
            last = self._newest.get(topic.name)
            behind = 1 if last is None else 2 + (self._services.clock.now_ms() - last["time"]) // length
            try:
                bars = await self._services.market.bars(
                    topic.instrument, topic.timeframe, min(500, behind), forming=True
                )
            except AppError as failed:
                if not failing:
                    self._sorry(topic.name, failed.sentence())
                failing = True
            else:
                failing = False
                for bar in bars_of(bars, self._services.clock.now_ms() - length):
                    if last is None or (bar["time"] >= last["time"] and bar != last):
                        self.tell(topic.name, bar)
                        self._newest[topic.name] = last = bar
            await asyncio.sleep(self._limits.bars_every)


def bars_of(bars: "Bars", closed_before: int) -> list[dict[str, Any]]:
    """The bars as they are told, oldest first. closed_before: bars that open at or before this (UTC ms) are closed."""
    names = ("open", "high", "low", "close", "volume")
    return [
        {"time": time, "closed": time <= closed_before}
        | {name: number if (number := float(getattr(bars, name)[place])) == number else None for name in names}
        for place, time in enumerate(bars.timestamp.tolist())
    ]


def read(text: str, longest: int) -> tuple[str, list[str]]:
    """The verb and the topics of a message. Raises ValueError with a sentence."""
    if len(text) > longest:
        raise ValueError(f"A message may have {longest} characters; this one has {len(text)}.")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if isinstance(message, dict) and len(message) == 1:
        for verb in ("subscribe", "unsubscribe"):
            names = message.get(verb)
            if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
                return verb, names
    raise ValueError('A message is a JSON object such as {"subscribe": ["quotes:BTC/USDT"]}.')


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Closes the socket, if it is still open; a peer that does not read is not waited for."""
    try:
        async with asyncio.timeout(2):
            await socket.close(code, reason)
    except (WebSocketDisconnect, RuntimeError, TimeoutError):
        return
