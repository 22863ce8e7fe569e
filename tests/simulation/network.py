"""The network between the product and the venue: it loses, delays, doubles and reorders, as the seed says.

A question that changes something is never doubled on its way: no network does that. Whether the product sends it twice
is what the simulation looks for. Everything that happens here happens in the world's context, so that it goes on
whatever becomes of the process that asked.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from tests.simulation.loop import SimulatedLoop

T = TypeVar("T")

QUICK = (0.01, 0.15)  # seconds a message takes
SLOW = (0.5, 9.0)  # seconds it takes when it is delayed
WINDOW = 5.0  # seconds after which the venue drops a request
PACE = (0.1, 9.0)  # seconds an order waits for its turn
ALARMS = 0.4  # of those waits: somebody panics or disarms meanwhile
PATIENCE = 4.0  # seconds for which the product waits for an answer


class Lost(Exception):
    """No answer came."""


class Down(Exception):
    """The venue answers that it does not work now (5xx)."""


class Unreadable(Exception):
    """An answer came that nobody can read: the venue did it, and a proxy answered in its place."""


class Unreachable(Exception):
    """There was no connection: nothing was sent."""


class TooMany(Exception):
    """429: the venue refused to look at it."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong, as probabilities of a message, and for how long."""

    lost_requests: float = 0.0
    lost_answers: float = 0.0
    delays: float = 0.0
    doubled: float = 0.0
    errors: float = 0.0  # the venue did it, and answers 5xx
    limited: float = 0.0  # 429
    lag: int = 0  # ms by which reading orders is behind
    fills_lag: int = 0  # the same of fills: orders may have ended before their last fills are told
    balances_lag: int = 0
    paced: float = 0.0  # orders that wait for their turn before they are sent
    unreadable: float = 0.0
    skew: float = 0.0  # seconds by which the venue's clock is ahead

    @classmethod
    def drawn(cls, random: Random) -> "Faults":
        """Each kind of fault in about half of the seeds, rare or frequent."""

        def rate() -> float:
            return random.choice((0.0, 0.0, 0.02, 0.08, 0.25))

        return cls(
            rate(), rate(), rate(), rate(), rate() / 2, rate() / 2,
            *(random.choice((0, 0, 100, 1_000, 2_500)) for _ in range(3)), rate() / 2, rate() / 2,
            random.choice((0.0, 0.0, -1.2, 0.9)),
        )  # fmt: skip


class Network:
    """Carries questions to the venue and answers back."""

    def __init__(self, loop: SimulatedLoop, random: Random, faults: Faults, tell: Callable[[str, str], None]) -> None:
        self._loop, self._random, self.faults, self._tell = loop, random, faults, tell
        self.happened: Counter[str] = Counter()
        self.down = False  # the venue is in maintenance
        self.alarm: Callable[[], None] | None = None  # somebody panics or disarms
        self.cut = False  # no connection can be made

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.faults, self.down, self.cut, self.alarm = Faults(skew=self.faults.skew), False, False, None

    async def turn(self) -> bool:
        """Waits until an order may be sent at the venue's pace. False when there was no need to wait."""
        if not self.faults.paced or self._random.random() >= self.faults.paced:
            return False
        self.happened["waited for its turn"] += 1
        wait = self._random.uniform(*PACE)
        if self.alarm is not None and self._random.random() < ALARMS:
            self._loop.call_later(wait * self._random.random(), self.alarm, context=self._loop.world)
        await asyncio.sleep(wait)
        return True

    async def ask(self, what: str, work: Callable[[], T], *, repeatable: bool) -> T:
        """The venue's answer. repeatable: a doubled question does no harm. Raises what went wrong."""
        loop = self._loop
        if self.cut:
            self.happened["no connection"] += 1
            raise Unreachable
        answer: asyncio.Future[T] = loop.create_future()
        if self._strikes("lost_requests", "lost request", what):
            pass
        else:
            sent = loop.time()
            self._later(self._arrive, what, work, answer, sent)
            if repeatable and self._strikes("doubled", "doubled question", what):
                self._later(self._arrive, what, work, answer, sent)
        patience = loop.call_later(PATIENCE, self._give_up, answer, context=loop.world)
        try:
            return await answer
        finally:
            patience.cancel()
            answer.cancel()  # nobody waits for it any more

    def deliver(self, what: str, hand_over: Callable[[], None]) -> None:
        """A message that the venue pushes: it may be lost, late, doubled, or come before an earlier one."""
        if self.cut or self.down or self._strikes("lost_answers", "lost message", what):
            return
        self._later(hand_over)
        if self._strikes("doubled", "doubled message", what):
            self._later(hand_over)

    def _arrive(self, what: str, work: Callable[[], T], answer: "asyncio.Future[T]", sent: float) -> None:
        if self.down:
            self.happened["maintenance"] += 1
            self._later(_settle, answer, None, Down())
            return
        if self._loop.time() - sent > WINDOW:
            self._tell("venue", f"drops {what}: it is too old")
            self.happened["too old"] += 1
            self._later(_settle, answer, None, TooMany())
            return
        if self._strikes("limited", "rate limited", what):
            self._later(_settle, answer, None, TooMany())
            return
        result: Any = None
        failed: Exception | None = None
        try:
            result = work()
        except Exception as refused:  # whatever the venue says travels back
            failed = refused
        if failed is None and self._strikes("errors", "error after doing", what):
            failed = Down()
        if failed is None and self._strikes("unreadable", "unreadable answer", what):
            failed = Unreadable()
        if self._strikes("lost_answers", "lost answer", what):
            return
        self._later(_settle, answer, result, failed)

    def _give_up(self, answer: "asyncio.Future[Any]") -> None:
        _settle(answer, None, Lost())

    def _later(self, action: Callable[..., None], *args: Any) -> None:
        low, high = QUICK
        if self._random.random() < self.faults.delays:
            self.happened["delay"] += 1
            low, high = SLOW
        self._loop.call_later(self._random.uniform(low, high), action, *args, context=self._loop.world)

    def _strikes(self, kind: str, name: str, what: str) -> bool:
        chance = getattr(self.faults, kind)
        if not chance or self._random.random() >= chance:
            return False
        self.happened[name] += 1
        self._tell("network", f"{name}: {what}")
        return True


def _settle(answer: "asyncio.Future[Any]", result: Any, failed: Exception | None) -> None:
    if answer.done():
        return
    if failed is None:
        answer.set_result(result)
    else:
        answer.set_exception(failed)
