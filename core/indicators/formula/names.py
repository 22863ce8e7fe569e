"""The names of the language, and the arguments of a call under theirs."""

import difflib
from collections.abc import Callable, Iterable, Mapping

from core.indicators.formula.errors import FormulaError
from core.indicators.formula.functions import COLUMNS, FUNCTIONS
from core.indicators.formula.syntax import Argument, Call, Expression, Program

CONSTANTS: Mapping[str, float | bool] = {"true": True, "false": False, "nan": float("nan")}

Saved = Callable[[str], tuple[str, Program] | None]  # text and tree of a saved formula, by name


def none_saved(name: str) -> None:
    """For formulas that stand alone."""


def known_names() -> dict[str, str]:
    """Every name of the language and what it is: no formula may be saved under one."""
    from core.indicators.listing import catalogue

    words = dict.fromkeys(("and", "or", "not", "param", "step", "at"), "word")
    return (
        dict.fromkeys(catalogue(), "indicator")
        | dict.fromkeys(FUNCTIONS, "function")
        | dict.fromkeys(COLUMNS, "column")
        | dict.fromkeys(CONSTANTS, "constant")
        | words
    )


def suggestion(name: str, names: Iterable[str]) -> str | None:
    """The names that are spelled much like it, as a question."""
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    told = " or ".join(filter(None, (", ".join(close[:-1]), *close[-1:])))
    return f"Did you mean {told}?" if close else None


def matched(
    text: str, node: Call, names: list[str], call: str, *, many: bool = False, known: Iterable[str] = ()
) -> list[tuple[str, Expression]]:
    """The arguments of a call under their names. Raises FormulaError.

    names: of those that may stand without one, in order; known: further ones; many: whether the last may be repeated
    call: how it is written
    """
    found: list[tuple[str, Expression]] = []
    for place, each in enumerate(node.arguments):
        name = each.name
        if name is None:
            if place >= len(names) and not (many and names):
                told = f"at most {len(names)}" if names else "no"
                values = "value" if len(names) == 1 else "values"
                raise FormulaError(f"{node.name} takes {told} {values} here", text, each.at, hint=f"Write {call}.")
            name = names[min(place, len(names) - 1)]
        elif name not in (*names, *known):
            raise _unknown_argument(text, node, each, list(dict.fromkeys((*names, *known))), call)
        elif any(name == other for other, _ in found):
            raise FormulaError(f"'{name}' is given twice", text, each.at)
        found.append((name, each.value))
    return found


def _unknown_argument(text: str, node: Call, given: Argument, names: list[str], call: str) -> FormulaError:
    name = given.name or ""
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Write {call}."
    if name in COLUMNS:
        hint = "To compare, write ==."
    return FormulaError(f"{node.name} has no '{name}'", text, given.at, hint=hint)
