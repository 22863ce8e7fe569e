"""Sources: market data that may fail. Each is asked with patience, and left alone for a while after it failed."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from core.clock import Clock
from core.errors import AppError, InvalidInput, NotFound, Unavailable
from core.market.instrument import Instrument
from core.trading.exchange import MarketData

T = TypeVar("T")

REST = 60.0  # seconds at most for which a source is left alone


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source does. age: seconds since it last answered, None when it never did."""

    name: str
    simulated: bool
    connected: bool
    age: float | None
    error: str | None = None


class Source:
    """One source and how it does.

    interval: seconds between two looks, doubled with each failure; patience: seconds it may take to answer
    """

    def __init__(self, data: MarketData, clock: Clock, *, interval: float, patience: float) -> None:
        self.data = data
        self._clock = clock
        self._interval = interval
        self._patience = patience
        self._instruments: tuple[Instrument, ...] = ()
        self._answered: int | None = None  # UTC ms
        self._error: str | None = None
        self._failures = 0
        self._retry_at = 0  # UTC ms before which it is left alone
        self._log = structlog.get_logger("feed")

    @property
    def resting(self) -> bool:
        """Whether it is left alone now, because it failed."""
        return self._retry_at > self._clock.now_ms()

    def state(self) -> SourceState:
        """How it does, for health pages and doctors."""
        return SourceState(
            self.data.name,
            self.data.simulated,
            self._answered is not None and self._error is None,
            None if self._answered is None else (self._clock.now_ms() - self._answered) / 1000,
            self._error,
        )

    async def answers(self) -> bool:
        """Whether it answers now, and says what it trades."""
        try:
            async with asyncio.timeout(self._patience):
                await self.data.ping()
                await self.instruments()
        except (AppError, OSError, TimeoutError) as error:
            self._failed(error)
            return False
        return True

    async def instruments(self) -> tuple[Instrument, ...]:
        """What it trades, asked once. Raises Unavailable."""
        if not self._instruments:
            self._instruments = tuple(await self.ask(self.data.instruments()))
        return self._instruments

    async def ask(self, question: Awaitable[T]) -> T:
        """Its answer. Raises Unavailable when there is none; NotFound and InvalidInput are answers, too."""
        try:
            async with asyncio.timeout(self._patience * 2):
                answer = await question
        except (NotFound, InvalidInput):
            raise
        except (AppError, OSError, TimeoutError) as error:
            self._failed(error)
            later = "Trying again later may help."
            if isinstance(error, AppError) and error.details.get("venue") == self.data.name:  # it says so itself
                raise Unavailable(error.message, hint=error.hint or later, source=self.data.name) from error
            why = (self._error or "").rstrip(".")
            raise Unavailable(f"{self.data.name} does not answer: {why}.", hint=later, source=self.data.name) from error
        self._answered, self._error, self._failures, self._retry_at = self._clock.now_ms(), None, 0, 0
        return answer

    def _failed(self, error: BaseException) -> None:
        self._failures += 1
        self._error = error.message if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
        wait = min(REST, self._interval * 2 ** min(self._failures, 10))
        self._retry_at = self._clock.now_ms() + int(wait * 1000)
        if self._failures in (1, 10) or self._failures % 100 == 0:
            self._log.warning("source failed", source=self.data.name, error=self._error, failures=self._failures)
