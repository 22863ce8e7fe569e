"""One ccxt client of a venue: made on first use, asked question by question, closed without leftovers."""

import asyncio
import contextlib
import difflib
import importlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from decimal import localcontext
from typing import Any, Protocol, TypeVar

from core.errors import InvalidInput, NotFound, Unavailable
from core.exchanges.endpoints import led_through
from core.exchanges.failures import UNREADABLE, Answered, explained, unreadable
from core.exchanges.forms import readable
from core.exchanges.pace import PATIENCE, PAUSES, retry_after
from core.exchanges.sequence import guard
from core.exchanges.vault import ExchangeSecrets
from core.exchanges.venues import profile_of
from core.exchanges.venues.rates import ORDERS, REQUESTS

T = TypeVar("T")
TIMEOUT = 15_000  # ms, of one request

# How far the request got that the running task is making; ccxt does not put the status into its errors.
_answered: ContextVar[Answered] = ContextVar("answered")
# What is looked at once more when the running task's request leaves; see `leaving`.
_leaving: ContextVar[Callable[[], None] | None] = ContextVar("leaving", default=None)


class Pacing(Protocol):
    """Who lets requests go out at the pace a venue allows, for all users of the process or of all processes."""

    async def take(
        self, venue: str, weight: float = 1.0, *, pool: str = REQUESTS, urgent: bool = False, patience: float = PATIENCE
    ) -> None:
        """Returns when that much of the venue's allowance is free, and takes it. Raises Unavailable."""
        ...

    async def pause(self, venue: str, seconds: float, reason: str = "") -> None:
        """Holds everybody's requests to the venue."""
        ...


class Connection:
    """A client for public data, or with `keys` for an account, whose orders are paced on their own.

    endpoint_base: put before every address of the venue, see `led_through`
    sandbox: the venue's own test environment, whose prices are not the market's
    """

    def __init__(
        self,
        venue: str,
        endpoint_base: str | None = None,
        sandbox: bool = False,
        *,
        keys: ExchangeSecrets | None = None,
        account: str = "",
        pace: Pacing | None = None,
    ) -> None:
        self.venue = venue.lower()
        self.base = endpoint_base
        self.sandbox = sandbox
        self.profile = profile_of(self.venue)
        self.pace = pace
        self._keys = keys
        self._account = account
        self._client: Any = None
        self._opening = asyncio.Lock()

    @property
    def opened(self) -> Any:
        """The client where there is one, else None."""
        return self._client

    async def open(self) -> Any:
        """The client. Raises NotFound for an unknown venue."""
        async with self._opening:
            if self._client is None:
                library = await asyncio.to_thread(importlib.import_module, "ccxt.pro")  # a second, cold
                self._client = self._build(library)
            return self._client

    async def close(self) -> None:
        """Ends every stream and closes the connections; the next question opens new ones."""
        async with self._opening:
            client, self._client = self._client, None
        if client is not None:
            await client.close()
            await _quiet(client)

    async def ask(self, call: Callable[[Any], Awaitable[T]], asked: str, question: str = "other") -> T:
        """The answer to `call(client)`. asked: what is wanted, for errors; question: whose weight it has.

        Raises Unavailable, ExchangeError, NotFound.
        """
        try:
            return await self.raw(call, question)
        except OSError as failed:  # the connection, where ccxt let it through
            raise Unavailable(f"{self.venue} cannot be reached for {asked}.", venue=self.venue) from failed
        except UNREADABLE as failed:
            raise unreadable(self.venue, asked) from failed
        except Exception as failed:
            from ccxt.base.errors import BaseError

            if not isinstance(failed, BaseError):
                raise
            raise explained(self.venue, failed, asked, self.answered().status) from failed

    async def turn(self, question: str, *, urgent: bool = False) -> None:
        """Waits until the question may be asked. Raises Unavailable where that takes too long.

        urgent: for what reduces exposure, as cancels are
        """
        if self.pace is None:
            return
        urgent = urgent or question == "cancel"
        await self.pace.take(self.venue, self.profile.weight(question), urgent=urgent)
        if question in ("place", "cancel"):
            await self.pace.take(self.venue, pool=f"{ORDERS}:{self._account}", urgent=urgent)

    async def raw(self, call: Callable[[Any], Awaitable[T]], question: str | None = "other") -> T:
        """The same with ccxt's own errors; `answered` tells afterwards how far the request got.

        question: None where `turn` was awaited before
        """
        client = await self.open()
        if question is not None:
            await self.turn(question)
        _answered.set(Answered())
        try:
            return await call(client)
        finally:
            told = self.answered()
            if self.pace is not None and told.status is not None and told.status in PAUSES:
                seconds = retry_after(told.status, told.headers, time.time_ns() // 1_000_000)
                await self.pace.pause(self.venue, seconds, f"HTTP {told.status}")

    @staticmethod
    def answered() -> Answered:
        """How far the last request of this task got."""
        return _answered.get(Answered())

    def _build(self, library: Any) -> Any:
        if self.venue not in library.exchanges:
            library = importlib.import_module("ccxt.async_support")  # a few venues have no streams
        if self.venue not in library.exchanges:
            close = difflib.get_close_matches(self.venue, library.exchanges, 3, 0.6)
            raise NotFound(
                f"'{self.venue}' is no venue this program knows.",
                hint=f"Did you mean {' or '.join(close)}?"
                if close
                else "Well-known ones are binance, kraken, coinbase.",
                venue=self.venue,
            )
        options: dict[str, Any] = {"enableRateLimit": True, "timeout": TIMEOUT, "options": dict(self.profile.options)}
        if self._keys is not None:
            options |= {"apiKey": self._keys.api_key, "secret": self._keys.secret}
            if self._keys.passphrase:
                options["password"] = self._keys.passphrase
            options["options"]["adjustForTimeDifference"] = True
        client = getattr(library, self.venue)(options)
        client.has["fetchCurrencies"] = False  # a second question that nothing here needs
        if self.sandbox:
            if not client.urls.get("test"):
                raise InvalidInput(f"{self.venue} has no test environment.", hint="Leave its SANDBOX setting out.")
            client.set_sandbox_mode(True)  # before the addresses are rewritten, because it replaces them
        if self.base:
            client.urls["api"] = led_through(client.urls["api"], self.base, getattr(client, "hostname", None))
            if self.base.startswith("http://"):
                client.timeout_on_exit = 0  # only encrypted connections need time to end
        _watch_answers(client, self.venue)
        _look_last(client)
        _round_apart(client)
        guard(client, self.venue)
        return client


def _round_apart(client: Any) -> None:
    """Lets ccxt round in a decimal context of its own: else it changes how everything rounds money afterwards."""
    rounded = client.decimal_to_precision

    def decimal_to_precision(*given: Any, **named: Any) -> str:
        with localcontext():
            return str(rounded(*given, **named))

    client.decimal_to_precision = decimal_to_precision


def _watch_answers(client: Any, venue: str) -> None:
    """Notes the status of every answer for the task that asked, and stops what is not of the venue's form."""
    told = client.on_rest_response

    def on_rest_response(code: int, reason: str, url: str, method: str, headers: dict[str, str], *rest: Any) -> Any:
        _answered.set(Answered(code, headers=headers))
        if 200 <= code < 300 and rest and not readable(venue, url, str(rest[0])):
            from ccxt.base.errors import BadResponse

            raise BadResponse(f"{venue} gave an answer that is not of its form")
        return told(code, reason, url, method, headers, *rest)

    client.on_rest_response = on_rest_response


def _look_last(client: Any) -> None:
    """Lets the last look happen after ccxt's own waiting, too: when its request is signed and leaves at once."""
    send = client.fetch

    async def fetch(url: str, method: str = "GET", *rest: Any, **named: Any) -> Any:
        look = _leaving.get()
        if look is not None:
            look()
            if method != "GET":  # what follows the order belongs to it
                _leaving.set(None)
        return await send(url, method, *rest, **named)

    client.fetch = fetch


@contextlib.contextmanager
def leaving(look: Callable[[], None]) -> Iterator[None]:
    """Calls `look` now, and again just before each request of this task until one that changes something has left."""
    look()
    before = _leaving.set(look)
    try:
        yield
    finally:
        _leaving.reset(before)


async def _quiet(client: Any) -> None:
    """Takes the errors that a closed client leaves in futures nobody waits for any more."""
    for stream in tuple(getattr(client, "clients", {}).values()):
        for future in tuple(getattr(stream, "futures", {}).values()):
            with contextlib.suppress(Exception, asyncio.CancelledError):
                if future.done():
                    future.exception()


def never_left(failed: Exception) -> bool:
    """Whether the connection was not even made, so that nothing can have been sent."""
    from aiohttp import ClientConnectorError

    cause = failed.__cause__
    return isinstance(failed, ClientConnectorError | socket.gaierror) or isinstance(
        cause, ClientConnectorError | socket.gaierror
    )
