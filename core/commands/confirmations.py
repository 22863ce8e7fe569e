"""Previews that wait for a yes: single-use, expiring, bound to who asked, where, and for what."""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from core.clock import Clock
from core.commands.context import Caller
from core.errors import Conflict, NotFound
from core.reply import Block, Confirm, Reply

SECONDS = 60
REMEMBERED = 2000  # spent tokens of which we still know that they were used or ran out

State = Literal["open", "done", "withdrawn", "replaced", "expired"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a two-step command returns: the preview, and what a yes does.

    execute: performs it; it checks its own conditions again (price band, limits) and may refuse
    subject: the thing in a few words, e.g. 'buy 0.1 BTC', to tell several previews apart
    about: what it would change, e.g. ids of runs; a newer preview of the same command about the same takes its place
    before: blocks shown above the preview
    """

    question: str
    facts: tuple[tuple[str, str], ...]
    execute: Callable[[], Awaitable[Reply]]
    subject: str
    mode: Literal["PAPER", "LIVE", ""] = ""
    warnings: tuple[str, ...] = ()
    yes: str = "Confirm"
    no: str = "Cancel"
    seconds: int = SECONDS
    before: tuple[Block, ...] = ()
    about: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Settled:
    """What a command returns that settles open previews about the same, or all of them: they are withdrawn.

    reply: what it did at once, or what it proposes instead
    """

    reply: Reply | Proposal
    about: frozenset[str] = frozenset()
    everything: bool = False


@dataclass(slots=True)
class Pending:
    """A proposal put to somebody. key: user, surface and chat that alone may answer; line: what asked for it.

    arguments: what the command was called with; the same again takes its place
    """

    token: str
    key: tuple[str, str, str]
    command: str
    line: str
    proposal: Proposal
    expires: datetime
    arguments: Mapping[str, str] = field(default_factory=dict)
    state: State = "open"


class Confirmations:
    """The open previews of a process. Taking one is atomic: nothing waits between looking and taking."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, Pending] = OrderedDict()

    def offer(
        self, caller: Caller, command: str, line: str, proposal: Proposal, arguments: Mapping[str, str] | None = None
    ) -> Confirm:
        """Keeps the proposal and returns the preview that shows it; an open one of the same gives way to it."""
        for each in self.open(caller):
            same = dict(each.arguments) == dict(arguments or {})
            if each.command == command and (same or (proposal.about and each.proposal.about == proposal.about)):
                each.state = "replaced"
        token = secrets.token_urlsafe(9)
        while token.startswith("-"):  # a surface may put it on a command line
            token = secrets.token_urlsafe(9)
        expires = self._clock.now() + timedelta(seconds=proposal.seconds)
        self._known[token] = Pending(token, key_of(caller), command, line, proposal, expires, dict(arguments or {}))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return Confirm(
            token, proposal.question, proposal.facts, proposal.mode, proposal.warnings, proposal.seconds, proposal.yes,
            proposal.no,
        )  # fmt: skip

    def open(self, caller: Caller) -> list[Pending]:
        """The caller's own open previews in this chat, oldest first."""
        return [each for each in self._known.values() if each.key == key_of(caller) and self._state(each) == "open"]

    def latest(self, caller: Caller) -> Pending | None:
        """The caller's newest preview in this chat, whatever became of it."""
        return next((each for each in reversed(self._known.values()) if each.key == key_of(caller)), None)

    def take(self, caller: Caller, token: str) -> Pending:
        """The open preview, which nobody can take again. Raises NotFound, or Conflict when it was used or ran out."""
        pending = self._known.get(token)
        if pending is None or pending.key != key_of(caller):
            raise NotFound("There is nothing to confirm here.", hint="Write help to see what I can do.")
        self._refuse_closed(pending)
        pending.state = "done"
        return pending

    def withdraw(self, caller: Caller, token: str) -> Pending:
        """Closes an open preview. Raises as take does."""
        pending = self.take(caller, token)
        pending.state = "withdrawn"
        return pending

    def withdraw_all(self, caller: Caller) -> int:
        """Closes every open preview of the person, in all chats and on all surfaces. Returns how many."""
        return self._withdraw(self._of_person(caller))

    def withdraw_about(self, caller: Caller, about: frozenset[str]) -> int:
        """Closes the person's open previews that would change any of these. Returns how many."""
        return self._withdraw([each for each in self._of_person(caller) if each.proposal.about & about])

    def _of_person(self, caller: Caller) -> list[Pending]:
        user = key_of(caller)[0]
        return [each for each in self._known.values() if each.key[0] == user and self._state(each) == "open"]

    @staticmethod
    def _withdraw(found: list[Pending]) -> int:
        for each in found:
            each.state = "withdrawn"
        return len(found)

    def _state(self, pending: Pending) -> State:
        if pending.state == "open" and self._clock.now() >= pending.expires:
            pending.state = "expired"
        return pending.state

    def _refuse_closed(self, pending: Pending) -> None:
        subject = pending.proposal.subject
        match self._state(pending):
            case "done":
                raise Conflict(f"Already done: {subject}.")
            case "replaced":
                raise Conflict(f"A newer preview took its place: {pending.proposal.subject}.", hint="Answer that one.")
            case "withdrawn":
                raise Conflict(f"That was withdrawn: {subject}.", hint=f"To ask again, write: {pending.line}")
            case "expired":
                raise Conflict(
                    f"The preview ran out after {pending.proposal.seconds} seconds, and nothing was done: {subject}.",
                    hint=f"To ask again, write: {pending.line}",
                )


def key_of(caller: Caller) -> tuple[str, str, str]:
    """Who may answer: this user, on this surface, in this chat."""
    return (caller.user.id if caller.user else "", caller.surface, caller.chat)
