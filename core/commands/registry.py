"""The registry of commands: a command is one function; its signature and docstring say the rest."""

import difflib
import importlib
import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.accounts import Role
from core.errors import NotFound

Function = Callable[..., Awaitable[Any]]

# Families in the order in which help shows them.
FAMILIES: Mapping[str, str] = {
    "market": "Prices and charts",
    "trade": "Buying and selling",
    "portfolio": "What you own and how it does",
    "research": "Testing ideas on the past",
    "strategies": "Strategies that trade for you",
    "alerts": "Price alerts",
    "account": "You and other people",
    "help": "Help",
}

# Modules of core.commands.families, in the order in which their commands are listed and their sentences tried.
MODULES = (
    "market", "venues", "books", "arbitrage", "trade", "composites", "protection", "orders", "live", "risk",
    "emergency",
    "portfolio",
    "research", "search", "results",
    "validation", "formulas",
    "indicators",
    "strategies", "stopping",
    "alerts", "account", "help",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a command. kind: the annotated type without `| None`; rest: takes all further words or pairs."""

    name: str
    kind: Any
    required: bool
    default: Any = None
    help: str = ""
    rest: typing.Literal["", "words", "pairs"] = ""
    named: bool = False  # given as name=value only


@dataclass(frozen=True, slots=True)
class Command:
    """A command and everything surfaces need to offer it.

    private: its answer holds private figures and is kept out of groups
    open: a stranger may call it too (claiming ownership, nothing else)
    alone: the caller's other open previews, in every chat, are withdrawn when it is called and when it is confirmed
    phrases: templates of plain sentences that mean this command, e.g. "[what is the] price of {instrument}"
    """

    name: str
    function: Function
    role: Role
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    confirm: bool = False
    private: bool = False
    open: bool = False
    alone: bool = False
    phrases: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """/buy INSTRUMENT [quantity=…] …"""
        words = [f"/{self.name}"]
        for parameter in self.parameters:
            if parameter.rest == "words":
                words.append(f"[{parameter.name.upper()} …]")
            elif parameter.rest == "pairs":
                words.append("[name=value …]")
            elif parameter.named:
                words.append(f"[{parameter.name}=…]")
            else:
                words.append(parameter.name.upper() if parameter.required else f"[{parameter.name.upper()}]")
        return " ".join(words)

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        return next((each for each in self.parameters if each.name == name and not each.rest), None)

    @property
    def pairs(self) -> Parameter | None:
        """The parameter that takes any further name=value pairs."""
        return next((each for each in self.parameters if each.rest == "pairs"), None)


def command(
    *,
    family: str,
    role: Role = Role.VIEWER,
    confirm: bool = False,
    private: bool = False,
    open: bool = False,
    alone: bool = False,
    name: str | None = None,
    phrases: Iterable[str] = (),
    aliases: Iterable[str] = (),
    examples: Iterable[str] = (),
) -> Callable[[Function], Command]:
    """Makes an async function `(ctx, …) -> Reply` a command; lines `name: help` of its docstring explain parameters."""

    def wrap(function: Function) -> Command:
        summary, helps = described(inspect.getdoc(function) or "")
        return Command(
            name=name or function.__name__.rstrip("_").replace("_", "-"),
            function=function,
            role=role,
            family=family,
            summary=summary,
            parameters=parameters_of(function, helps),
            confirm=confirm,
            private=private,
            open=open,
            alone=alone,
            phrases=tuple(phrases),
            aliases=tuple(aliases),
            examples=tuple(examples),
        )

    return wrap


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """The first line, and the help of each parameter."""
    lines = docstring.splitlines() or [""]
    helps = {}
    for line in lines[1:]:
        head, colon, tail = line.strip().partition(": ")
        if colon and head.isidentifier():
            helps[head] = tail.strip()
    return lines[0].strip(), helps


def parameters_of(function: Function, helps: Mapping[str, str]) -> tuple[Parameter, ...]:
    """The parameters after the context, as the signature declares them."""
    hints = typing.get_type_hints(function)
    found = []
    for each in list(inspect.signature(function).parameters.values())[1:]:
        rest: typing.Literal["", "words", "pairs"] = ""
        if each.kind is inspect.Parameter.VAR_POSITIONAL:
            rest = "words"
        elif each.kind is inspect.Parameter.VAR_KEYWORD:
            rest = "pairs"
        required = each.default is inspect.Parameter.empty and not rest
        default = None if each.default is inspect.Parameter.empty else each.default
        name = each.name.rstrip("_")
        found.append(
            Parameter(
                name,
                bare(hints[each.name]),
                required,
                default,
                helps.get(name, ""),
                rest,
                each.kind is inspect.Parameter.KEYWORD_ONLY,
            )
        )
    return tuple(found)


def bare(hint: Any) -> Any:
    """The type without `| None`."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else hint
    return hint


class Registry:
    """Commands by name and alias."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = tuple(commands)
        self._named: dict[str, Command] = {}
        for each in self.commands:
            for word in (each.name, *each.aliases):
                if word in self._named:
                    raise ValueError(f"two commands are called {word!r}")
                self._named[word] = each

    def find(self, word: str) -> Command | None:
        """The command of that name or alias."""
        return self._named.get(word.lower().replace("_", "-"))

    def get(self, word: str) -> Command:
        """The command of that name or alias. Raises NotFound with suggestions."""
        found = self.find(word)
        if found is None:
            near = self.suggestions(word)
            hint = f"Did you mean {' or '.join(near)}?" if near else "Write help to see what I can do."
            raise NotFound(f"There is no command '{word}'.", hint=hint)
        return found

    def suggestions(self, word: str) -> list[str]:
        """Names of up to three commands spelled much like the word."""
        near = difflib.get_close_matches(word.lower(), list(self._named), n=4, cutoff=0.6)
        return list(dict.fromkeys(self._named[each].name for each in near))[:3]

    def words(self) -> list[str]:
        """Every name and alias."""
        return list(self._named)

    def of(self, family: str) -> list[Command]:
        """The commands of a family."""
        return [each for each in self.commands if each.family == family]


@cache
def registry() -> Registry:
    """All commands of the product."""
    commands: list[Command] = []
    for name in MODULES:
        module = importlib.import_module(f"core.commands.families.{name}")
        commands += [each for each in vars(module).values() if isinstance(each, Command)]
    return Registry(commands)
