"""Shelf: a folder of saved formulas, one NAME.json each."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import AppError, BadData, Conflict, InvalidInput, NotFound
from core.indicators.formula.errors import FormulaError
from core.indicators.formula.formula import Formula, parse
from core.indicators.formula.lexer import LONGEST, LONGEST_NAME
from core.indicators.formula.names import known_names

NAMED = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")
WORDS = (
    "save",
    "check",
    "list",
    "show",
    "remove",
    "evaluate",
    "formula",
    "formulas",
    "functions",
    "help",
    "all",
    "as",
    "replace",
)
MOST = 200
VERSION = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved formula. owner: the id of the person who saved it; saved: when, as ISO text"""

    name: str
    text: str
    owner: str = ""
    saved: str = ""


class Shelf:
    """The formulas of one person. reserved: names that mean something else already, such as shipped strategies."""

    def __init__(self, folder: Path, reserved: Iterable[str] = ()) -> None:
        self.folder = folder
        self._reserved = frozenset(reserved)

    def names(self) -> list[str]:
        """The names that are taken, whether their files can be read or not."""
        return sorted(path.stem for path in self.folder.glob("*.json") if NAMED.fullmatch(path.stem))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and NAMED.fullmatch(name) is not None and self._path(name).is_file()

    def get(self, name: str) -> Saved:
        """The formula of that name, as saved. Raises NotFound, BadData."""
        if name not in self:
            raise NotFound(f"There is no formula '{name[:LONGEST_NAME]}'.", hint=self._there())
        path = self._path(name)
        try:
            found: Any = json.loads(path.read_bytes()[: 8 * LONGEST])
            texts = [found[key] for key in ("text", "owner", "saved")]
        except (OSError, ValueError, KeyError, TypeError):
            raise BadData(f"{path} is no saved formula.", hint="Remove it, or save it anew.") from None
        if not all(isinstance(each, str) for each in texts):
            raise BadData(f"{path} is no saved formula.", hint="Remove it, or save it anew.")
        return Saved(name, *texts)

    def open(self, name: str) -> Formula:
        """The formula of that name, checked. Raises NotFound, BadData, FormulaError."""
        saved = self.get(name)
        try:
            return parse(saved.text, self.texts(), name)
        except FormulaError as wrong:
            raise _broken(name, wrong) from None

    def opened(self) -> dict[str, Formula | AppError]:
        """All formulas by name, with what is wrong in place of those that no longer work. Each file is read once."""
        found: dict[str, Formula | AppError] = {}
        texts: dict[str, str] = {}
        for name in self.names():
            try:
                texts[name] = self.get(name).text
            except (BadData, NotFound) as wrong:
                found[name] = wrong
        for name, text in texts.items():
            try:
                found[name] = parse(text, texts, name)
            except FormulaError as wrong:
                found[name] = _broken(name, wrong)
        return dict(sorted(found.items()))

    def texts(self) -> dict[str, str]:
        """The texts of all that can be read, by name."""
        found = {}
        for name in self.names():
            with contextlib.suppress(BadData, NotFound):
                found[name] = self.get(name).text
        return found

    def check(self, text: str, name: str = "") -> Formula:
        """The formula of a text that may use those saved here. Raises FormulaError."""
        return parse(text, self.texts(), name)

    def save(self, name: str, text: str, *, owner: str = "", saved: str = "", replace: bool = False) -> Formula:
        """Saves a formula under a name. Raises InvalidInput, FormulaError, and Conflict for a name that is taken."""
        self._check_name(name)
        formula = self.check(text, name)
        names = self.names()
        if name in names and not replace:
            raise self._taken(name)
        if name not in names and len(names) >= MOST:
            raise InvalidInput(f"There are {MOST} formulas already.", hint="Remove one that is no longer needed.")
        if name in names:
            self._still_works(name, text)
        document = {"version": VERSION, "name": name, "text": text, "owner": owner, "saved": saved}
        self._write(name, json.dumps(document, indent=1), replace)
        return formula

    def remove(self, name: str) -> Saved | None:
        """Removes a formula and returns it, None where its file could not be read. Raises NotFound, Conflict."""
        if name not in self:
            raise NotFound(f"There is no formula '{name[:LONGEST_NAME]}'.", hint=self._there())
        users = self.users(name)
        if users:
            raise Conflict(f"'{name}' is used by {', '.join(users)}.", hint="Remove or change that first.")
        found = None
        with contextlib.suppress(BadData):
            found = self.get(name)
        self._path(name).unlink(missing_ok=True)
        return found

    def users(self, name: str) -> list[str]:
        """The saved formulas that use this one, directly or through another."""
        texts = self.texts()
        found = []
        for other, text in texts.items():
            with contextlib.suppress(FormulaError):
                if other != name and name in parse(text, texts, other).uses:
                    found.append(other)
        return found

    def _still_works(self, name: str, text: str) -> None:
        """Raises Conflict where a formula that uses this one would no longer do so."""
        texts: Mapping[str, str] = {**self.texts(), name: text}
        for other in self.users(name):
            try:
                parse(texts[other], texts, other)
            except FormulaError as wrong:
                raise Conflict(f"'{other}' uses '{name}' and would no longer work: {wrong.sentence()}") from None

    def _check_name(self, name: str) -> None:
        if not NAMED.fullmatch(name):
            raise InvalidInput(
                f"'{name[:LONGEST_NAME]}' cannot name a formula.",
                hint=f"A name has up to {LONGEST_NAME} small letters, digits and _, and begins with a letter.",
            )
        meaning = known_names().get(name) or ("word" if name in WORDS else "")
        if not meaning and name in self._reserved:
            meaning = "strategy"
        if meaning:
            article = "an" if meaning == "indicator" else "a"
            raise InvalidInput(f"'{name}' is {article} {meaning} already.", hint="Choose another name.")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _there(self) -> str:
        names = self.names()
        return (
            f"There are: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}." if names else "None is saved yet."
        )

    def _taken(self, name: str) -> Conflict:
        return Conflict(
            f"There is a formula '{name}' already.", hint="Choose another name, or say that it replaces it."
        )

    def _write(self, name: str, document: str, replace: bool) -> None:
        """The whole file at once, or none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(prefix=f".{name}-", dir=self.folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(written, self._path(name))
            else:
                os.link(written, self._path(name))  # fails where the name was taken meanwhile
        except FileExistsError:
            raise self._taken(name) from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(written)


def _broken(name: str, wrong: FormulaError) -> InvalidInput:
    return InvalidInput(f"The formula '{name}' no longer works: {wrong.sentence()}")
