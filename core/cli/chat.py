"""`orchestrator chat`, `understand` and `commands`: the conversation from a terminal."""

import asyncio
import io
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note
from core.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from core.commands.registry import Command, Registry
    from core.settings import Settings


def chat(
    as_json: Annotated[
        bool, typer.Option("--json", help="Read lines from standard input; print one list of {line, reply}.")
    ] = False,
) -> None:
    """Chat with the assistant: joins the running instance or starts one of its own."""
    from core import settings, telemetry

    os.umask(0o077)  # what is kept is for this user only
    loaded = settings.load()
    for warning in settings.warnings():
        note(warning)
    telemetry.configure("error", secrets=loaded.secrets(), tracebacks=False)
    if sys.stdin is None or sys.stdin.closed:
        sys.stdin = io.StringIO("")
    asyncio.run(_chat(loaded, as_json))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is stopped: one Ctrl-C more is no failure


async def _chat(settings: "Settings", as_json: bool) -> None:
    from core.app import build, surface_named
    from core.app.instance import running

    console: Any = surface_named("console")
    if console is None:
        raise ConfigError("The console is not installed.", hint="Run make install.")
    card = running(settings.data_dir)
    if card is not None and not card.url:
        raise Unavailable(
            f"The assistant is running (process {card.pid}) without the gateway, so that nobody can join it.",
            hint="Start it with the role gateway, or stop it first.",
        )
    if card is not None:
        if sys.stdin.isatty():
            note(f"Joining the running assistant at {card.url}.")
        await _talk(console.joined(card.url, card.token, settings.data_dir), as_json)
        return
    app = build(settings, roles=("trader",))
    await app.start()
    try:
        await _talk(console(app.services, app.conversation), as_json)
    finally:
        await app.stop()


async def _talk(console: Any, as_json: bool) -> None:
    if as_json:
        await console.piped(sys.stdin, as_json=True)
    else:
        await console.run()


def understand(
    sentence: Annotated[
        str, typer.Argument(metavar="TEXT", help="A sentence; - reads a line each from standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show how a sentence is understood."""
    from core.commands.utterance import understand as read

    if sentence == "-":
        for line in sys.stdin:
            emit(read(line.rstrip("\n")).document())
            sys.stdout.flush()
        return
    found = read(sentence)
    if as_json:
        emit(found.document())
    elif found.command:
        arguments = " ".join(f"{name}={value}" for name, value in found.arguments.items())
        sys.stdout.write(f"{found.command} {arguments}".rstrip() + "\n")
    else:
        sys.stdout.write((found.question or "That is not a command that I know.") + "\n")
        for choice in found.choices:
            sys.stdout.write(f"  {choice.line}\n")


def commands(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/commands.md.")] = False,
) -> None:
    """List the chat commands (the source of docs/commands.md)."""
    from core.commands.registry import registry

    found = registry()
    if as_json:
        emit([document(each) for each in found.commands])
    elif markdown:
        sys.stdout.write(page(found))
    else:
        width = max(len(each.name) for each in found.commands)
        for each in found.commands:
            sys.stdout.write(f"{each.name:<{width}}  {each.summary}\n")


def document(command: "Command") -> dict[str, Any]:
    """A command as JSON."""
    return {
        "name": command.name,
        "family": command.family,
        "summary": command.summary,
        "usage": command.usage,
        "role": command.role.value,
        "confirm": command.confirm,
        "aliases": list(command.aliases),
        "examples": list(command.examples),
        "parameters": [
            {"name": each.name, "required": each.required, "help": each.help}
            for each in command.parameters
        ],
    }  # fmt: skip


def page(found: "Registry") -> str:
    """docs/commands.md."""
    from core.commands.registry import FAMILIES

    lines = [
        "# Commands",
        "",
        "<!-- Made by `make commands-doc` from the registry; change the commands, not this page. -->",
        "",
        "Every command works in the console, in Telegram and in the web chat, as a plain sentence or as a "
        "command line:",
        "`buy 0.1 btc at 60k` is `/buy BTC 0.1 limit=60000`. What moves money shows a preview first and "
        "waits for a yes.",
        "",
    ]
    for family, title in FAMILIES.items():
        lines += [f"## {title}", ""]
        for command in found.of(family):
            lines += section(command)
    return "\n".join(lines).rstrip() + "\n"


def section(command: "Command") -> list[str]:
    """One command on the page."""
    notes = [f"needs the role {command.role}"] if command.role.rank else []
    notes += ["asks you to confirm"] if command.confirm else []
    notes += ["answers in private only"] if command.private else []
    lines = [f"### {command.name}", "", command.summary, "", "```", command.usage, "```", ""]
    if command.parameters:
        lines += ["| argument | what it is |", "|---|---|"]
        lines += [f"| `{each.name}` | {(each.help or '–').replace('|', '/')} |" for each in command.parameters] + [""]
    if command.examples:
        lines += ["Say: " + ", ".join(f"`{example}`" for example in command.examples), ""]
    if command.aliases:
        lines += ["Also: " + ", ".join(f"`{alias}`" for alias in command.aliases), ""]
    if notes:
        lines += [("; ".join(notes) + ".").capitalize(), ""]
    return lines
