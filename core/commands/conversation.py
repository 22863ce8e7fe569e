"""The conversation: one line in, one reply out, for every surface."""

import dataclasses
import re
import typing
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from core import wording
from core.accounts.codes import looks_like_code
from core.commands import converters, parsing
from core.commands.confirmations import Confirmations, Pending, Proposal, Settled
from core.commands.context import LONGEST_NAME, Caller, Context, Report, Services, no_report
from core.commands.registry import Command, Registry
from core.commands.registry import registry as all_commands
from core.commands.utterance import Understood, understand
from core.commands.utterance.vocabulary import sayings
from core.commands.utterance.words import LONGEST, normal, tidy, tokens
from core.commands.works import Works
from core.errors import AppError, Forbidden
from core.reply import Block, Choice, Choices, Confirm, Field, Form, Reply, Text, text

YES = sayings(
    "yes|y|yep|yeah|yup|sure|ok|okay|confirm|confirmed|confirm it|do it|go|go ahead|yes please|yes do "
    "it|absolutely|please do|"
    "sounds good|correct|agreed"
)
NO = sayings(
    "no|n|nope|nah|cancel|abort|never mind|nevermind|forget it|do not|do not do it|no thanks|no thank "
    "you|cancel it|cancel that|"
    "decline|no cancel|withdraw|stop it|leave it"
)
ALL = sayings("all|yes all|yes to all|confirm all|all of them|both|yes both|yes all of them")
NONE = sayings("no all|none|cancel all previews|no to all|neither|no both|none of them")
# Takes back long work that is under way. Bare words do so only then; else they mean previews, orders and strategies.
STOP = sayings("cancel|stop|abort|cancel it|stop it|cancel that|stop that|never mind|nevermind|forget it")
STOP_WORK = re.compile(
    r"(?:please )?(?:cancel|stop|abort|end|kill|halt) (?:(?:all|the|my|this|that|running|current) )*"
    r"(?:sweeps?|backtests?|tests?|search(?:es)?|optimi[sz](?:ations?|ers?|e|ing)|walk[ -]?forwards?|monte[ -]?carlos?|"
    r"simulations?|causality(?: tests?)?|testing|searching|sweeping)(?: please)?"
)
NOTHING_TO_CONFIRM = "There is nothing to confirm right now."
TOKEN = re.compile(r"/?(yes|no) ([A-Za-z0-9_-]{8,40})")


@dataclass(slots=True)
class Expectation:
    """A question put to somebody, and the line that their next bare value completes."""

    line: str


class Conversation:
    """Answers lines. One instance serves all surfaces of a process, so that a yes works once across them."""

    def __init__(self, services: Services, registry: Registry | None = None) -> None:
        self._services = services
        self.registry = registry or all_commands()
        self._confirmations = Confirmations(services.clock)
        self._works = Works()
        self._expected: dict[tuple[str, str, str], Expectation] = {}
        # Places where something else was asked since, besides several previews or without leading to one: a bare yes
        # says too little.
        self._vague: set[tuple[str, str, str]] = set()
        self._log = structlog.get_logger("conversation")

    async def caller(
        self, surface: str, external_id: str, chat: str, *, private: bool = True, name: str = ""
    ) -> Caller:
        """The caller as the users service knows them; `user` is None for a stranger."""
        user = await self._services.users.by_identity(surface, external_id)
        return Caller(user, surface, external_id, chat, private, tidy(name)[:LONGEST_NAME].strip())

    async def answer(self, line: str, caller: Caller, progress: Report | None = None) -> Reply:
        """The reply to a line; empty for a stranger who was answered often enough. Never raises AppError.

        progress: called with Progress blocks while long work runs; the reply itself comes last
        """
        report = progress or no_report
        if caller.user is not None:  # a connection may be older than a revocation or a change of role
            caller = dataclasses.replace(caller, user=await self._services.users.user(caller.user.id))
        try:
            if caller.user is None or not caller.user.active:
                return await self._stranger(line, caller, report)
            return await self._known(line, caller, report)
        except AppError as refused:
            return text(refused.sentence(), "bad" if isinstance(refused, Forbidden) else "warning")

    # -- strangers ---------------------------------------------------------------------------------------------------

    async def _stranger(self, line: str, caller: Caller, report: Report) -> Reply:
        """Tells a stranger their id and how to ask, and nothing else; the owner's code opens the door."""
        asked = re.match(r"/?(?:claim|start)(?:@\w+)?\s+", tidy(line), re.IGNORECASE)
        code = tidy(line)[asked.end() if asked else 0 :]
        users = self._services.users
        if caller.private and looks_like_code(code) and await users.owner_code() is not None:
            try:
                owner = await users.claim(code, caller.surface, caller.external_id, caller.name)
            except Forbidden:
                if asked:
                    raise
            else:
                welcome = Text("Welcome. You are the owner of this assistant now.", "good")
                known = Caller(owner, caller.surface, caller.external_id, caller.chat, caller.private, caller.name)
                return [welcome, *await self._run(Understood("help"), "help", known, report)]
        if not await users.stranger(caller.surface, caller.external_id, caller.name):
            return []
        return text(
            f"You are not allowed to use this assistant. Your {caller.surface} id is {caller.external_id}. "
            f"Ask its owner to write: allow {caller.surface} {caller.external_id}",
            "warning",
        )

    # -- people we know ------------------------------------------------------------------------------------------------

    async def _known(self, line: str, caller: Caller, report: Report) -> Reply:
        tidied = tidy(line[: 20 * LONGEST])
        said = re.sub(r"[\s.!,]+$", "", normal(tidied[:LONGEST]).lstrip("/"))
        if match := TOKEN.fullmatch(tidied):
            return await (self._yes if match[1] == "yes" else self._no)(match[2], caller, report)
        if decided := await self._decided(said, caller, report):
            return decided
        if len(self._confirmations.open(caller)) > 1:
            self._vague.add(self._place(caller))
        if re.fullmatch(r"/start(@\w+)?", tidied):  # the button with which a chat begins
            return await self._run(Understood("help"), "help", caller, report)
        expected = self._expected.pop(self._place(caller), None)
        if expected and is_value(said):
            line = tidied = expected.line.replace("{}", tidied)
        read = understand(line, self.registry)
        unclear = read.command is None
        vague = unclear or self.registry.get(read.command or "").confirm
        try:
            reply = self._unclear(read, tidied, caller) if unclear else await self._run(read, tidied, caller, report)
            vague = vague and not any(isinstance(block, Confirm) for block in reply)
            return reply
        finally:
            if vague:  # it asked for something and led to no preview: a bare yes may be meant for it
                self._vague.add(self._place(caller))

    async def _decided(self, said: str, caller: Caller, report: Report) -> Reply | None:
        """The answer to a bare yes, no or all; None when the line is none of these."""
        opened = self._confirmations.open(caller)
        if said in YES:
            if len(opened) > 1 or (opened and self._place(caller) in self._vague):
                return [which("yes", opened)]
            if opened:
                return await self._yes(opened[0].token, caller, report)
            return self._too_late(caller)
        if STOP_WORK.fullmatch(said) or (said in STOP and not opened):
            if stopped := self._works.stop(caller.user.id if caller.user else ""):
                return text(f"Stopping: {'; '.join(stopped)}. Orders and strategies are as they were.")
            if said not in STOP:
                return text("No test of yours is under way, so nothing changes.")
        if said in ALL and (opened or said != "all"):
            if not opened:
                return self._too_late(caller)
            blocks: list[Block] = []
            for pending in opened:
                try:
                    blocks += await self._yes(pending.token, caller, report)
                except AppError as refused:
                    blocks.append(Text(f"{pending.proposal.subject}: {refused.sentence()}", "warning"))
            return blocks
        if said in NO:
            if len(opened) > 1:
                return [which("no", opened)]
            if opened:
                return await self._no(opened[0].token, caller, report)
            self._expected.pop(self._place(caller), None)
            return None if said == "cancel" else text("Nothing is waiting for an answer, so nothing changes.")
        if said in NONE and opened:
            for pending in opened:
                self._confirmations.withdraw(caller, pending.token)
            return text("Withdrawn, nothing was done: " + "; ".join(each.proposal.subject for each in opened) + ".")
        return None

    def _too_late(self, caller: Caller) -> Reply:
        """Says why a bare yes has nothing to confirm."""
        if self._place(caller) in self._vague:  # an older preview is not what this yes is about
            return text(f"{NOTHING_TO_CONFIRM} What you asked for last led to no preview.")
        latest = self._confirmations.latest(caller)
        if latest is not None and latest.state in ("expired", "done"):
            self._confirmations.take(caller, latest.token)  # raises the sentence that fits
        return text(NOTHING_TO_CONFIRM)

    async def _yes(self, token: str, caller: Caller, report: Report) -> Reply:
        pending = self._confirmations.take(caller, token)
        command = self.registry.get(pending.command)
        assert caller.user is not None
        caller.user.require(command.role)
        if command.alone:
            self._confirmations.withdraw_all(caller)
        self._log.info("confirmed", command=pending.command, user=caller.user.id, surface=caller.surface)
        try:
            return await pending.proposal.execute()
        except AppError as refused:  # the price moved, the market is silent, a limit was reached: nothing was done
            again = Choices("Look at it again?", (Choice("New preview", pending.line),))
            return [Text(refused.sentence(), "warning"), again]

    async def _no(self, token: str, caller: Caller, report: Report) -> Reply:
        pending = self._confirmations.withdraw(caller, token)
        return text(f"Withdrawn, nothing was done: {pending.proposal.subject}.")

    def _unclear(self, read: Understood, line: str, caller: Caller) -> Reply:
        """The question that is open, or what to try when nothing was understood."""
        if read.question is None:
            near = self.registry.suggestions(line.split()[0].lstrip("/")) if line.split() else []
            hint = f"Did you mean {' or '.join(near)}?" if near else "Write help to see what I can do."
            blocks: list[Block] = [Text(f"I did not understand that. {hint}")]
            if near:
                blocks = [Choices(f"I did not understand that. {hint}", tuple(Choice(each, each) for each in near))]
            return blocks
        if read.expects:
            self._expected[self._place(caller)] = Expectation(read.expects)
        if read.choices:
            return [Choices(read.question, read.choices)]
        return text(read.question)

    # -- running a command -----------------------------------------------------------------------------------------

    async def _run(self, read: Understood, line: str, caller: Caller, report: Report) -> Reply:
        """Checks the caller, completes the arguments, runs the command, and turns a proposal into a preview."""
        command = self.registry.get(read.command or "")
        assert caller.user is not None
        caller.user.require(command.role)
        if command.private and not caller.private:
            return text(f"That is private. Please ask me in our own chat: {command.name}.")
        missing = [each for each in command.parameters if each.required and each.name not in read.arguments]
        if missing:
            return self._form(command, read, missing, caller)
        arguments = parsing.canonical(command, dict(read.arguments))
        context = Context(caller, self._services, report, self.registry, line, self._works)
        words, named = await self._values(command, arguments, context.venue)
        gone = self._confirmations.withdraw_all(caller) if command.alone else 0
        result = await command.function(context, *words, **named)
        if isinstance(result, Settled):
            withdraw = self._confirmations
            gone += (
                withdraw.withdraw_all(caller) if result.everything else withdraw.withdraw_about(caller, result.about)
            )
            result = result.reply
        withdrawn = [Text(f"{wording.plural(gone, 'open preview')} withdrawn.")] if gone else []
        if not isinstance(result, Proposal):
            return [*withdrawn, *typing.cast(Reply, result)]
        preview: Confirm = self._confirmations.offer(caller, command.name, line, result, arguments)
        if len(self._confirmations.open(caller)) == 1:
            self._vague.discard(self._place(caller))
        return [*withdrawn, *result.before, preview]

    async def _values(
        self, command: Command, arguments: dict[str, str], venue: str
    ) -> tuple[list[str], dict[str, object]]:
        """The values to call the command's function with; instruments are the caller's venue's."""
        words: list[str] = []
        named: dict[str, object] = {}
        for name, written in arguments.items():
            parameter = next((each for each in command.parameters if each.name == name), None)
            if parameter is not None and parameter.rest == "words":
                words = written.split()
            elif parameter is None or parameter.rest:
                named[name] = written
            else:
                named[keyword(command, name)] = await converters.value(
                    parameter, written, self._services, venue, question=command.family == "market"
                )
        if words:  # what stands before *words is positional
            before = [each for each in command.parameters if not each.rest and not each.named]
            for each in reversed(before):
                words.insert(0, typing.cast(str, named.pop(keyword(command, each.name), each.default)))
        return words, named

    def _form(self, command: Command, read: Understood, missing: Sequence[object], caller: Caller) -> Reply:
        """Asks for what is missing."""
        fields = []
        for each in command.parameters:
            if each.rest or not (each.required or each.name in read.arguments or each.default is not None):
                continue
            options: tuple[str, ...] = ()
            if typing.get_origin(each.kind) is typing.Literal:
                options = tuple(str(option) for option in typing.get_args(each.kind))
            default = read.arguments.get(each.name, "" if each.default is None else str(each.default))
            label = each.help or each.name.capitalize()
            fields.append(Field(each.name, label, "choice" if options else "text", default, options, each.required))
        given = " ".join(f"{name}={value}" for name, value in read.arguments.items())
        names = [each.name for each in command.parameters if each in missing]
        if len(names) == 1:
            self._expected[self._place(caller)] = Expectation(
                f"/{command.name} {given} {names[0]}={{}}".replace("  ", " ")
            )
        return [Form(f"To {command.name}, I still need: {', '.join(names)}.", command.name, tuple(fields))]

    @staticmethod
    def _place(caller: Caller) -> tuple[str, str, str]:
        return (caller.surface, caller.chat, caller.external_id)


def keyword(command: Command, name: str) -> str:
    """The function's own spelling of a parameter (from_ for from)."""
    code = getattr(command.function, "__code__", None)
    return f"{name}_" if code is not None and f"{name}_" in code.co_varnames and name not in code.co_varnames else name


def which(word: str, opened: Sequence[Pending]) -> Choices:
    """Asks which of several open previews is meant."""
    every = Choice("All of them", "yes all" if word == "yes" else "no all")
    choices = tuple(Choice(each.proposal.subject, f"{word} {each.token}") for each in opened)
    verb = "confirm" if word == "yes" else "withdraw"
    if len(opened) == 1:
        return Choices(f"Do you {verb} this, asked earlier?", choices)
    return Choices(f"{len(opened)} previews are open. Which one do you {verb}?", (*choices, every))


def is_value(said: str) -> bool:
    """Whether the words are a bare value (0.1, $500, half, btc) rather than a sentence of its own."""
    read = tokens(said)
    return (len(read) == 1 and (read[0].amount is not None or read[0].coin is not None)) or bool(
        re.fullmatch(r"[a-z]+_[a-z_]+|all|everything", said)
    )
