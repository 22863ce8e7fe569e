"""Exposure: what a person has at stake over all ledgers and accounts, and what was lost of it. Pure.

Paper and live are counted apart: play money never uses up the room of real money, nor the other way round.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.money import ZERO

DAY = 86_400_000  # ms
HOUR = 3_600_000  # ms


@dataclass(frozen=True, slots=True)
class Stake:
    """One asset in one ledger. held: signed, at the newest price; coming: what open orders may still buy of it.

    Both in the currency in which limits are counted.
    """

    account: str
    ledger: str
    asset: str
    held: Decimal
    coming: Decimal = ZERO

    def after(self, change: Decimal) -> Decimal:
        """The most that is at stake once the change has happened, whether or not the open orders are filled."""
        return max(abs(self.held + change), abs(self.held + self.coming + change))


@dataclass(frozen=True, slots=True)
class Exposure:
    """What would be at stake: in the asset at this account, in the asset everywhere, and in all assets."""

    position: Decimal
    asset: Decimal
    total: Decimal


def exposure(stakes: Iterable[Stake], account: str, ledger: str, asset: str, change: Decimal = ZERO) -> Exposure:
    """What is at stake after a trade that moves the ledger's holding of the asset by `change` (signed, currency)."""
    position = everywhere = total = ZERO
    met = False
    for stake in stakes:
        own = (stake.account, stake.ledger, stake.asset) == (account, ledger, asset)
        met = met or own
        most = stake.after(change if own else ZERO)
        total += most
        if stake.asset == asset:
            everywhere += most
            if stake.account == account:
                position += most
    if not met:
        position, everywhere, total = (each + abs(change) for each in (position, everywhere, total))
    return Exposure(position, everywhere, total)


@dataclass(frozen=True, slots=True)
class Course:
    """What an account was worth, and what was put in and taken out. Times: UTC ms, oldest first.

    points: equity, known under the hour in which it was looked at; moved: deposits (+) and withdrawals (-)
    equity: now
    """

    points: tuple[tuple[int, Decimal], ...]
    moved: tuple[tuple[int, Decimal], ...]
    equity: Decimal

    def levels(self) -> list[tuple[int, Decimal]]:
        """Equity as if all deposits and withdrawals had been there from the beginning, oldest first.

        It begins with what was paid in. An hour in which money moved is left out: whether its point was taken before
        or after is not known.
        """
        moved = sum((amount for _, amount in self.moved), ZERO)
        began = min([time for time, _ in (*self.moved, *self.points)], default=0)
        busy = {time // HOUR for time, _ in self.moved}
        found = [(began, moved)]
        times = [time for time, _ in self.moved]
        left = [ZERO]
        for _, amount in reversed(self.moved):
            left.append(left[-1] + amount)
        for time, equity in self.points:
            if time // HOUR not in busy:
                found.append((time, equity + left[len(times) - bisect_right(times, time)]))
        return found


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person's accounts do. morning: worth at 00:00 UTC; peak: the most they were worth; both as if all money
    put in or taken out since had been there then."""

    equity: Decimal
    morning: Decimal
    peak: Decimal

    @property
    def lost(self) -> Decimal:
        """What was lost since 00:00 UTC, realised or not; never below zero."""
        return max(ZERO, self.morning - self.equity)

    @property
    def lost_share(self) -> Decimal:
        """`lost` as a fraction of what there was at 00:00 UTC."""
        return self.lost / self.morning if self.morning > 0 else ZERO

    @property
    def drawdown(self) -> Decimal:
        """How far below the peak, as a fraction of it."""
        return max(ZERO, self.peak - self.equity) / self.peak if self.peak > 0 else ZERO


def standing(courses: Sequence[Course], now: int) -> Standing:
    """The standing of several accounts together. now: UTC ms"""
    midnight = now // DAY * DAY
    levels = [course.levels() for course in courses]
    equity = sum((course.equity for course in courses), ZERO)
    times = sorted({time for each in levels for time, _ in each})
    peak = max([equity, *(sum((_at(each, time) for each in levels), ZERO) for time in times)])
    return Standing(equity, sum((_at(each, midnight) for each in levels), ZERO), peak)


def _at(levels: Sequence[tuple[int, Decimal]], time: int) -> Decimal:
    """The last level at or before the time; before the first one, the first."""
    place = bisect_right(levels, time, key=lambda each: each[0])
    return levels[max(place - 1, 0)][1]
