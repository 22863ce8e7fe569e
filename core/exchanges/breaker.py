"""Breaker: a venue that fails is left alone for a while, longer each time, and tried with one question first."""

from typing import Literal

from core.clock import Clock

FAILURES = 5  # in a row, after which it opens
WAIT, LONGEST = 2.0, 60.0  # seconds it stays open at first, and at most
TRIAL = 30.0  # seconds after which a trial that nobody decided counts for nothing


class Breaker:
    """closed: everything passes; open: nothing does; half-open: one trial does, and decides.

    failures: in a row, that open it; wait: seconds it stays open, doubled with each failed trial up to `longest`
    """

    def __init__(self, clock: Clock, *, failures: int = FAILURES, wait: float = WAIT, longest: float = LONGEST) -> None:
        self._clock = clock
        self._failures, self._wait, self._longest = failures, wait, longest
        self._row = 0
        self._opened = 0  # times in a row that it opened
        self._until: int | None = None  # UTC ms; None: closed
        self._trial: int | None = None  # UTC ms, when the trial under way began

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._until is None:
            return "closed"
        return "open" if self._clock.now_ms() < self._until else "half-open"

    @property
    def retry_in(self) -> float:
        """Seconds until the next trial; 0 when it is not open."""
        return 0.0 if self._until is None else max(0.0, (self._until - self._clock.now_ms()) / 1000)

    def allows(self) -> bool:
        """Whether a question may pass now. In half-open the first one who asks has the trial."""
        if self._until is None:
            return True
        now = self._clock.now_ms()
        if now < self._until or (self._trial is not None and now - self._trial < TRIAL * 1000):
            return False
        self._trial = now
        return True

    def succeeded(self) -> None:
        """A question was answered: everything passes again."""
        self._row = self._opened = 0
        self._until = self._trial = None

    def failed(self) -> None:
        """A question was not answered."""
        self._row += 1
        if self._until is not None:
            if self._trial is not None:  # a late failure from before it opened decides nothing
                self._open(min(self._longest, self._wait * 2.0**self._opened))
        elif self._row >= self._failures:
            self._open(self._wait)

    def left(self) -> None:
        """A question was given up undecided, by whoever asked: another one may be the trial."""
        self._trial = None

    def trip(self, seconds: float) -> None:
        """Opens at once for that long, where the venue itself said so (a ban, a maintenance, a closed country)."""
        until = self._clock.now_ms() + int(seconds * 1000)
        self._until, self._trial = max(until, self._until or 0), None
        self._opened += 1

    def _open(self, seconds: float) -> None:
        self._until = self._clock.now_ms() + int(seconds * 1000)
        self._trial = None
        self._opened = min(self._opened + 1, 30)
