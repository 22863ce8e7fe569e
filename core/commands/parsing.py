"""Command syntax: `/buy BTC 0.1 limit=60000` as a command with named, canonical arguments."""

import re
import shlex

from core.commands import converters
from core.commands.registry import Command, Registry
from core.errors import InvalidInput

OPTION = re.compile(r"(?:--)?([A-Za-z][A-Za-z0-9_-]*)=(.*)", re.DOTALL)


def parse(registry: Registry, line: str) -> tuple[Command, dict[str, str]]:
    """The command and its arguments. Raises NotFound or InvalidInput with a sentence that says what would work."""
    head, _, rest = line.strip().lstrip("/").partition(" ")
    command = registry.get(head.partition("@")[0])
    if takes_verbatim(command):
        return command, canonical(command, {command.parameters[0].name: rest} if rest.strip() else {})
    try:
        words = shlex.split(rest)
    except ValueError:  # a lone quotation mark is text
        words = rest.split()
    return command, bound(command, words)


def takes_verbatim(command: Command) -> bool:
    """Whether the rest of the line is one argument, whatever it looks like."""
    return bool(command.parameters) and command.parameters[0].kind is converters.Verbatim


def bound(command: Command, words: list[str]) -> dict[str, str]:
    """The words under the names of the parameters; name=value goes to its name, the others in order."""
    arguments: dict[str, str] = {}
    loose: list[str] = []
    for word in words:
        option = OPTION.fullmatch(word)
        if option:
            name, text = option[1].lower(), option[2]
            parameter = command.parameter(name.replace("-", "_"))
            if parameter is None and command.pairs is None:
                known = ", ".join(each.name for each in command.parameters if not each.rest) or "no arguments"
                raise InvalidInput(
                    f"/{command.name} has no '{name[:40]}'; it takes {known}.", hint=converters.example(command)
                )
            if name in arguments:
                raise InvalidInput(f"'{name[:40]}' is given twice.", hint=converters.example(command))
            arguments[parameter.name if parameter else name] = text
        else:
            loose.append(word)
    for parameter in command.parameters:
        if parameter.rest == "words" and loose:
            arguments[parameter.name] = " ".join(loose)
            loose = []
        elif loose and not parameter.rest and not parameter.named and parameter.name not in arguments:
            arguments[parameter.name] = loose.pop(0)
    if loose:
        raise InvalidInput(
            f"I do not know what '{loose[0][:40]}' stands for in /{command.name}.", hint=converters.example(command)
        )
    return canonical(command, arguments)


def canonical(command: Command, arguments: dict[str, str]) -> dict[str, str]:
    """The arguments in canonical form. Raises InvalidInput with an example that would work."""
    order = [each.name for each in command.parameters]
    result = {}
    for name in sorted(arguments, key=lambda each: order.index(each) if each in order else len(order)):
        text = arguments[name]
        parameter = command.parameter(name)
        try:
            result[name] = converters.canonical(parameter, text) if parameter else text
        except InvalidInput as wrong:
            raise InvalidInput(wrong.sentence(), hint=converters.example(command), **wrong.details) from None
    return result
