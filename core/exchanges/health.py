"""Health: how a venue does, from every answer and every failure of the last minutes."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.clock import Clock
from core.errors import AppError
from core.exchanges.breaker import Breaker

State = Literal["unknown", "healthy", "degraded", "stale", "down", "maintenance", "closed"]
OUT: frozenset[State] = frozenset({"stale", "down", "maintenance", "closed"})  # nothing is to be asked there

WINDOW = 300.0  # seconds over which latencies and errors are counted
KEPT = 2_000  # questions at most
ENOUGH = 5  # questions before a rate or a percentile says anything
SLOW = 2.0  # seconds; a venue whose 95th percentile is above this is degraded
FAILING = 0.2  # fraction of questions without an answer, above which it is degraded
OLD = 60.0  # seconds; prices older than this are stale
SKEWED = 1.0  # seconds between the venue's clock and ours; venues drop orders that are stamped too far off
FORGIVEN = 600.0  # seconds after which a refusal of the API key is no longer told

# kind: (state, seconds to leave it alone, reason, hint)
Cause = tuple[State, float, str, str]
CAUSES: Mapping[str, Cause] = {
    "geo": (
        "closed", 900.0, "it refuses connections from this country (HTTP 451)",
        "Choose a venue that serves your country; `venues` lists them.",
    ),
    "banned": (
        "closed", 180.0, "it has shut this address out for a while (HTTP 418): too many requests came from here",
        "Wait until it opens again, and run fewer programs at the same address.",
    ),
    "suspended": ("degraded", 0.0, "it has suspended the account", "Write to the venue's support."),
    "auth": (
        "degraded", 0.0, "it does not accept the API key",
        "Check that key, secret and passphrase were copied whole and have not expired; prices work without a key.",
    ),
    "ip": (
        "degraded", 0.0, "it accepts the API key only from other addresses",
        "Add this machine's address to the key's list at the venue.",
    ),
    "permission": (
        "degraded", 0.0, "the API key may not trade",
        "Give the key the permission to trade spot; it never needs to withdraw.",
    ),
    "nonce": ("degraded", 0.0, "another program uses the same API key", "Use a key of its own for this program."),
    "clock": (
        "degraded", 0.0, "it drops requests because this machine's clock differs from its own",
        "Set the clock automatically (NTP).",
    ),
    "rate": (
        "degraded", 0.0, "it asked for a pause (HTTP 429): too many requests came from here",
        "Requests go on by themselves when the pause is over.",
    ),
    "maintenance": ("maintenance", 30.0, "it is under maintenance", "It is asked again every half minute."),
}  # fmt: skip
KEY_TROUBLES = frozenset({"auth", "ip", "permission", "nonce", "suspended"})
TOLD = frozenset(CAUSES) | {"network", "timeout", "unknown"}  # unknown: an order whose answer was lost


@dataclass(frozen=True, slots=True)
class Health:
    """How a venue does now. Latencies p50, p95, p99 in seconds; errors: fraction of questions that had no answer.

    age: seconds since it last answered; staleness: seconds that its newest price is old, None when none was asked
    skew: seconds that the venue's clock is ahead of ours, None while unknown; retry_in: until it is tried again
    trouble: kind of the last failure that still counts; trading: whether it would take our orders, as far as is known
    """

    venue: str
    state: State
    reason: str
    hint: str | None = None
    simulated: bool = False
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    errors: float = 0.0
    asked: int = 0
    age: float | None = None
    staleness: float | None = None
    skew: float | None = None
    retry_in: float = 0.0
    trouble: str | None = None
    trading: bool = True

    @property
    def again(self) -> str:
        """' It is tried again in 30 s.' while it is left alone, else nothing."""
        return f" It is tried again in {math.ceil(self.retry_in)} s." if self.retry_in > 0 else ""

    @property
    def out(self) -> bool:
        """Whether questions are better put elsewhere."""
        return self.state in OUT


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failure as a venue's health sees it. counts: whether it opens the breaker; seconds: to leave the venue alone"""

    kind: str
    reason: str
    hint: str | None
    counts: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Question:
    time: int  # UTC ms, when it was over
    seconds: float
    answered: bool


def trouble_of(error: BaseException) -> Trouble | None:
    """What a failure says about the venue; None for one that says nothing (our own pace, a refused order)."""
    if not isinstance(error, AppError):
        told = str(error)
        return Trouble("network", told or type(error).__name__, None, True)
    kind = str(error.details.get("kind") or "network")
    if kind not in TOLD:
        return None
    cause = CAUSES.get(kind)
    if cause is None:
        return Trouble(kind, error.message.rstrip("."), error.hint, True)
    _, seconds, reason, hint = cause
    given = error.details.get("seconds")
    seconds = float(given) if isinstance(given, int | float) and seconds else seconds
    return Trouble(kind, reason, hint, False, seconds)


class Vitals:
    """What is known of one venue; told of each question, asked for its Health."""

    def __init__(self, venue: str, clock: Clock, breaker: Breaker, *, simulated: bool = False) -> None:
        self.venue, self.simulated, self.breaker = venue, simulated, breaker
        self._clock = clock
        self._questions: deque[_Question] = deque(maxlen=KEPT)
        self._answered: int | None = None  # UTC ms
        self._price: tuple[int, int] | None = None  # UTC ms of the newest price, and when it was seen
        self._skew: float | None = None
        self._trouble: Trouble | None = None
        self._key_trouble: tuple[int, Trouble] | None = None

    # -- what happened --------------------------------------------------------------------------------------------

    def answered(self, seconds: float, *, private: bool = False) -> None:
        """A question was answered. private: one that needed the API key"""
        now = self._clock.now_ms()
        self._questions.append(_Question(now, seconds, True))
        self._answered, self._trouble = now, None
        if private:
            self._key_trouble = None
        self.breaker.succeeded()

    def failed(self, seconds: float, error: BaseException) -> None:
        """A question was not answered."""
        trouble = trouble_of(error)
        if trouble is None:
            self.breaker.left()
            return
        now = self._clock.now_ms()
        self._questions.append(_Question(now, seconds, False))
        if trouble.kind in KEY_TROUBLES:
            self._key_trouble = (now, trouble)
            self.breaker.left()
            return
        self._trouble = trouble
        if trouble.counts:
            self.breaker.failed()
        elif trouble.seconds:
            self.breaker.trip(trouble.seconds)
        else:
            self.breaker.left()

    def priced(self, time: int) -> None:
        """A price of that time (UTC ms) was seen."""
        if self._price is None or time >= self._price[0]:
            self._price = (time, self._clock.now_ms())
        else:
            self._price = (self._price[0], self._clock.now_ms())

    def skewed(self, seconds: float) -> None:
        """The venue's clock was found that far ahead of ours."""
        self._skew = seconds

    # -- how it does ----------------------------------------------------------------------------------------------

    def health(self) -> Health:
        now = self._clock.now_ms()
        while self._questions and now - self._questions[0].time > WINDOW * 1000:
            self._questions.popleft()
        times = sorted(each.seconds for each in self._questions if each.answered)
        asked = len(self._questions)
        errors = 1 - len(times) / asked if asked else 0.0
        age = None if self._answered is None else (now - self._answered) / 1000
        key = self._key_trouble[1] if self._key_trouble and now - self._key_trouble[0] < FORGIVEN * 1000 else None
        staleness = self._staleness(now)
        state, reason, hint = self._state(times, asked, errors, staleness, key)
        trouble = self._trouble or key
        return Health(
            self.venue, state, reason, hint, self.simulated,
            percentile(times, 0.5), percentile(times, 0.95), percentile(times, 0.99), errors, asked, age, staleness,
            self._skew, self.breaker.retry_in, trouble.kind if trouble else None, state not in OUT and key is None,
        )  # fmt: skip

    def _staleness(self, now: int) -> float | None:
        """How old the newest price is; that nobody asked for one lately makes it no older."""
        if self._price is None or now - self._price[1] > WINDOW * 1000:
            return None
        return max(0.0, (self._price[1] - self._price[0]) / 1000)

    def _state(
        self, times: Sequence[float], asked: int, errors: float, staleness: float | None, key: Trouble | None
    ) -> tuple[State, str, str | None]:
        trouble = self._trouble
        if trouble is not None and trouble.kind in CAUSES:
            return CAUSES[trouble.kind][0], trouble.reason, trouble.hint
        if trouble is not None and (self.breaker.state != "closed" or self._answered is None):
            hint = trouble.hint or "Check the network, or choose another venue; `venues` lists them."
            return "down", f"it does not answer: {trouble.reason}", hint
        if staleness is not None and staleness > OLD:
            return "stale", f"its newest price is {staleness:.0f} s old", "Wait, or look at another venue."
        if self._skew is not None and abs(self._skew) > SKEWED:
            ahead = "ahead of" if self._skew > 0 else "behind"
            reason = f"its clock is {abs(self._skew):.1f} s {ahead} this machine's, so it may drop orders"
            return "degraded", reason, CAUSES["clock"][3]
        if key is not None:
            return "degraded", key.reason, key.hint
        if asked >= ENOUGH and errors > FAILING:
            return "degraded", f"{errors:.0%} of the questions of the last minutes had no answer", None
        slow = percentile(times, 0.95)
        if len(times) >= ENOUGH and slow is not None and slow > SLOW:
            return "degraded", f"it is slow: one answer in twenty takes longer than {slow:.1f} s", None
        if self._answered is None:
            return "unknown", "it was not asked yet", None
        return "healthy", "it answers", None


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of ordered values; None of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
