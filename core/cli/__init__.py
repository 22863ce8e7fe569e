"""`orchestrator …`: every verb of the product. Verbs load only when called, so that --help stays quick."""

import gc
import importlib
import json
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from core.errors import AppError

# verb: (module, attribute, what the overview says); attribute is a Typer app or a function
VERBS: dict[str, tuple[str, str, str]] = {
    "run": ("core.cli.run", "run", "Start every role, print where the web app is, and chat when on a terminal."),
    "chat": ("core.cli.chat", "chat", "Chat with the assistant: joins the running instance or starts one of its own."),
    "understand": ("core.cli.chat", "understand", "Show how a sentence is understood."),
    "backtest": ("core.cli.research", "backtest", "Backtest a strategy on bars."),
    "sweep": ("core.cli.search", "sweep", "Backtest every combination of a strategy's parameters."),
    "optimize": ("core.cli.search", "optimize", "Search a strategy's parameters (TPE, CMA-ES, several goals)."),
    "walk-forward": ("core.cli.search", "walk_forward", "Choose parameters on the past, trade them on what follows."),
    "monte-carlo": ("core.cli.validation", "monte_carlo", "Show how far luck alone may move a result."),
    "causality": ("core.cli.validation", "causality", "Prove that a strategy sees no future."),
    "compare": ("core.cli.results", "compare", "Saved results side by side."),
    "results": ("core.cli.results", "app", "List, show, export and remove saved results."),
    "formula": ("core.cli.formulas", "app", "Check, save, list and remove formulas."),
    "strategies": ("core.cli.research", "strategies", "List the strategies with their parameters."),
    "indicators": ("core.cli.indicators", "indicators", "List the indicators, or describe one of them."),
    "data": ("core.cli.data", "app", "Import, download, list and show market data."),
    "user": ("core.cli.user", "app", "Create people and set their roles."),
    "commands": ("core.cli.chat", "commands", "List the chat commands (the source of docs/commands.md)."),
    "doctor": ("core.cli.doctor", "doctor", "Check this installation; name each missing piece with its cure."),
}


class LazyGroup(TyperGroup):
    """A group whose verbs are imported when they are used. (Typer carries its own Click, hence the wide types.)"""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the overview shows of a verb; nothing is imported for it."""
        return TyperCommand(cmd_name, help=VERBS[cmd_name][2]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb itself, imported now that it is called."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, (_load(name) if found is not None and name in VERBS else found), rest


def _load(verb: str) -> Any:
    module, attribute, summary = VERBS[verb]
    target = getattr(importlib.import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name=verb, help=summary)(target)
        target = single
    command = typer.main.get_command(target)
    command.name = verb
    command.help = command.help or summary
    return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    help="CryptoOrchestrator: a trading assistant that people talk to.",
)


@app.callback()
def _root() -> None:
    """CryptoOrchestrator: a trading assistant that people talk to."""


def emit(document: Any) -> None:
    """Prints the one JSON document of a `--json` run."""
    sys.stdout.write(json.dumps(document, default=str, allow_nan=False) + "\n")


def note(message: str) -> None:
    """A line for people, on stderr, so that stdout stays clean. What would steer the terminal is made harmless."""
    shown = "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in message)
    sys.stderr.write(shown + "\n")


def main() -> None:
    """Entry point: 0 on success, 2 on bad usage, 1 with one plain sentence on any other error."""
    gc.set_threshold(100_000, 50, 100)  # what is imported stays; looking through it again and again takes 0.1 s
    try:
        code = app(standalone_mode=False)  # what a verb returns is nothing; what Exit carries is the code
    except (KeyboardInterrupt, typer.Abort):
        _fail("Stopped.", "stopped", code=130)
    except TyperException as wrong:
        if "--json" in sys.argv:
            emit({"error": {"code": "usage", "message": wrong.format_message()}})
        from typer import rich_utils

        shown: Any = wrong  # Typer's own Click, whose types are private
        rich_utils.rich_format_error(shown)
        sys.exit(wrong.exit_code)
    except AppError as refused:
        _fail(refused.sentence(), refused.code, refused.details.get("pointed"))
    except BrokenPipeError:
        sys.exit(0)
    except OSError as refused:
        told = refused.strerror or type(refused).__name__
        _fail(f"{refused.filename}: {told}." if refused.filename else f"{told}.", "refused")
    except SystemExit:  # nothing of ours ends the program inside a verb
        _fail("A file of your own has ended the program by itself (SystemExit).", "unexpected")
    except Exception as unexpected:  # the outermost frame of this surface: a sentence, never a traceback
        _fail(f"Something unexpected went wrong: {type(unexpected).__name__}: {unexpected}", "unexpected")
    else:
        sys.exit(code)


def _fail(sentence: str, name: str, pointed: object = None, code: int = 1) -> None:
    """name: of the error, for programs; pointed: lines that show where something written is wrong."""
    if "--json" in sys.argv:
        emit({"error": {"code": name, "message": sentence} | ({"pointed": pointed} if pointed else {})})
    note(sentence)
    if pointed:
        note(str(pointed))
    sys.exit(code)
