"""One loopback venue: its market, its users, its sockets, and how it misbehaves. A dialect says how it speaks."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, Protocol

from tests.simulators.venues.candles import Candles
from tests.simulators.venues.matching import Matching
from tests.simulators.venues.values import HOUSE, Event, Fill, Listing, Order, Rules, Ticket, Traded

Misbehaviour = Literal[
    "429", "418", "451", "500", "503", "maintenance",  # answered so, and not done
    "lost_request",  # the connection drops and nothing was done
    "lost_answer",  # done, then the connection drops
    "slow",  # answered after `seconds`
    "stall",  # done, and answered only after `calm()`
    "drop_socket",  # at the next message
    "gap",  # the next message is left out
    "duplicate",  # the next message comes twice
    "reorder",  # the next message comes after the one that follows it
    "skew",  # the venue's clock goes `ms` ahead (or behind, below zero) until `calm()`
    "partial",  # the next order finds only `share` of its quantity in the book
]  # fmt: skip
ANSWERS = ("429", "418", "451", "500", "503", "maintenance")
MESSAGES = ("drop_socket", "gap", "duplicate", "reorder")


@dataclass(frozen=True, slots=True)
class User:
    """Someone with an account. `id` is the account's in the matching core; may_trade: what the key allows."""

    key: str
    secret: str
    passphrase: str | None = None
    may_trade: bool = True

    @property
    def id(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Question:
    """A request. path: behind the host; raw_query and body just as they came, for signatures."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    raw_query: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    base: str = ""  # of the server, http://127.0.0.1:PORT


@dataclass(frozen=True, slots=True)
class Answer:
    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """How a venue speaks: addresses, formats, signatures, error codes."""

    hosts: frozenset[str]
    rules: Rules

    def rest(self, question: Question) -> Answer: ...
    def failure(self, kind: str) -> Answer:
        """Its own words for 429, 418, 451, 500, 503 and maintenance."""
        ...

    def connected(self, socket: "Socket") -> None: ...
    def heard(self, socket: "Socket", message: str) -> None: ...
    def happened(self, events: Sequence[Event]) -> None:
        """Tells the sockets."""
        ...


class Socket:
    """A websocket of a client. subscriptions: the dialect's, by name of the topic."""

    def __init__(self, venue: "Venue", question: Question) -> None:
        self.venue, self.question = venue, question
        self.subscriptions: dict[str, Any] = {}
        self.user: User | None = None
        self.outbox: asyncio.Queue[str | None] = asyncio.Queue()  # None drops the connection
        self._kept: str | None = None

    def send(self, message: Any, topic: str = "") -> None:
        """Puts it on the wire, unless the venue misbehaves. topic: what `misbehave(path=…)` is compared with."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.venue.said.append((topic, message))
        kind = self.venue.misbehaving(MESSAGES, topic) if topic else None
        if kind == "drop_socket":
            self.outbox.put_nowait(None)
        if kind in ("drop_socket", "gap"):
            return
        if kind == "reorder":
            self._kept = text
            return
        self.outbox.put_nowait(text)
        if kind == "duplicate":
            self.outbox.put_nowait(text)
        if topic and self._kept is not None:
            self.outbox.put_nowait(self._kept)
            self._kept = None


@dataclass(slots=True)
class Trouble:
    kind: Misbehaviour
    path: str
    left: int | None  # None: until `calm()`
    details: Mapping[str, Any]


class Venue:
    """A venue that tests steer. Prices and sizes may be given as text or numbers; they are Decimals inside.

    questions: (method, path, query) of every request, in order; said: (topic, message) of the last messages to sockets
    """

    def __init__(self, name: str, speak: "Callable[[Venue], Dialect]", now: Callable[[], int]) -> None:
        self.name = name
        self.questions: list[tuple[str, str, Mapping[str, str]]] = []
        self.said: deque[tuple[str, Any]] = deque(maxlen=500)
        self.sockets: list[Socket] = []
        self.users: dict[str, User] = {}
        self.candles: dict[str, Candles] = {}
        self.released = asyncio.Event()
        self._now = now
        self._troubles: list[Trouble] = []
        self.dialect = speak(self)
        self.matching = Matching(self.dialect.rules, now, first_id=1_000_001)
        self.matching.listener = self._happened

    # -- what tests ask ----------------------------------------------------------------------------------------------

    def list(
        self, symbol: str, tick: Any = "0.01", lot: Any = "0.00001", min_notional: Any = "5", **terms: Any
    ) -> Listing:
        """Opens a pair for trading; terms: further fields of Listing, e.g. maker, taker, min_quantity, trading."""
        base, quote = symbol.split("/")
        terms = {name: each if isinstance(each, bool) else _decimal(each) for name, each in terms.items()}
        listing = Listing(base, quote, _decimal(tick), _decimal(lot), _decimal(min_notional), **terms)
        self.matching.admit(listing)
        self.candles.setdefault(symbol, Candles())
        return listing

    def halt(self, symbol: str, trading: bool = False) -> None:
        """Closes the pair for trading, or opens it again."""
        self.matching.admit(replace(self.matching.listings[symbol], trading=trading))

    def user(
        self,
        key: str,
        secret: str,
        passphrase: str | None = None,
        balances: Mapping[str, Any] | None = None,
        *,
        may_trade: bool = True,
        discounted: bool = True,
    ) -> User:
        """Opens an account. discounted: pays fees with the venue's own token while there is enough of it."""
        user = self.users[key] = User(key, secret, passphrase, may_trade)
        self.matching.accounts.pays_discounted[user.id] = discounted
        for asset, amount in (balances or {}).items():
            self.matching.deposit(user.id, asset, _decimal(amount))
        return user

    def deposit(self, user: User, asset: str, amount: Any) -> None:
        """Coins come from outside, or leave."""
        self.matching.deposit(user.id, asset, _decimal(amount))

    def quote(self, symbol: str, bid: Any, ask: Any, size: Any = "10", levels: int = 10) -> None:
        """The market offers `size` at each of some prices from bid and ask outwards."""
        self.matching.quote(symbol, *self._ladder(symbol, _decimal(bid), _decimal(ask), _decimal(size), levels))

    def trade_through(self, symbol: str, price: Any, size: Any = "10", levels: int = 10) -> None:
        """The market trades at `price`, filling what waits there and on the way, and quotes a tick beside it."""
        middle, tick = _decimal(price), self.matching.listings[symbol].tick
        self.matching.sweep(symbol, middle, *self._ladder(symbol, middle - tick, middle + tick, _decimal(size), levels))

    def place(self, user: User, ticket: Ticket) -> Order:
        """An order by hand, not through the wire: to the client it comes from elsewhere."""
        return self.matching.place(user.id, ticket)

    def cancel(self, user: User, order_id: int) -> Order:
        return self.matching.cancel(user.id, order_id)

    @property
    def orders(self) -> Sequence[Order]:
        """Every order of users, oldest first."""
        return [order for order in self.matching.orders.values() if order.user != HOUSE]

    @property
    def fills(self) -> Sequence[Fill]:
        return self.matching.fills

    def balances(self, user: User) -> dict[str, Decimal]:
        """What the user owns, bound by orders or not."""
        accounts = self.matching.accounts
        return {asset: accounts.total(user.id, asset) for asset in accounts.assets(user.id)}

    def misbehave(self, kind: Misbehaviour, path: str = "", count: int | None = 1, **details: Any) -> None:
        """Lets the next `count` (None: all until `calm()`) requests or messages go wrong.

        path: only those whose "METHOD /path", or whose stream's name, holds this text
        details: seconds (slow), ms (skew), share (partial), done (an answer of failure, though it was done)
        """
        if kind == "partial":
            self.matching.thinned.extend([_decimal(details.get("share", "0.5"))] * (count or 1))
        elif kind == "skew":
            self._troubles.append(Trouble(kind, path, None, {"ms": details.get("ms", 60_000)}))
        elif kind == "drop_socket" and not path:
            for socket in self.sockets:
                socket.outbox.put_nowait(None)
        else:
            self._troubles.append(Trouble(kind, path, count, details))

    def calm(self) -> None:
        """Everything is well again; what was stalled is answered."""
        self._troubles.clear()
        self.matching.thinned.clear()
        self.released.set()
        self.released = asyncio.Event()

    def asked(self, path: str, method: str = "") -> Sequence[Mapping[str, str]]:
        """The queries of every request to that path."""
        return [query for verb, asked, query in self.questions if asked == path and method in ("", verb)]

    # -- what the server and the dialect ask -------------------------------------------------------------------------

    def now(self) -> int:
        """UTC ms on the venue's own clock, which may be skewed."""
        return self._now() + sum(int(each.details["ms"]) for each in self._troubles if each.kind == "skew")

    def trouble(self, kinds: Sequence[str], what: str) -> Trouble | None:
        """The misbehaviour that is due for this, counted down."""
        for each in self._troubles:
            if each.kind in kinds and each.path in what:
                if each.left is not None:
                    each.left -= 1
                    if each.left <= 0:
                        self._troubles.remove(each)
                return each
        return None

    def misbehaving(self, kinds: Sequence[str], what: str) -> str | None:
        found = self.trouble(kinds, what)
        return None if found is None else found.kind

    def _happened(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Traded):
                self.candles[event.symbol].add(event)
        self.dialect.happened(events)

    def _ladder(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal, levels: int) -> Any:
        tick = self.matching.listings[symbol].tick
        step = max(tick, (bid / 10_000 / (tick or 1)).to_integral_value() * tick)  # about a basis point
        bids = [(bid - step * number, size) for number in range(levels) if bid - step * number > 0]
        return bids, [(ask + step * number, size) for number in range(levels)]


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))
