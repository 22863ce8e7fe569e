"""FormulaError: what is wrong with a formula, and at which character."""

from typing import ClassVar

from core.errors import InvalidInput

SHOWN = 76  # characters of a line that are shown around the place


class FormulaError(InvalidInput):
    """A formula that cannot be accepted. position: of the first wrong character, from 0."""

    code: ClassVar[str] = "formula"

    def __init__(self, message: str, text: str, position: int, *, hint: str | None = None) -> None:
        self.text = text
        self.position = min(max(position, 0), len(text))
        above = text.count("\n", 0, self.position)
        start = text.rfind("\n", 0, self.position) + 1
        place = f"line {above + 1}, character" if "\n" in text.rstrip() else "character"
        super().__init__(f"{message} ({place} {self.position - start + 1}).", hint=hint, position=self.position + 1)
        self.details["pointed"] = self.pointed()

    def pointed(self) -> str:
        """The line that is wrong, and below it a caret at the character."""
        start = self.text.rfind("\n", 0, self.position) + 1
        end = self.text.find("\n", self.position)
        line = self.text[start : len(self.text) if end < 0 else end]
        at = self.position - start
        if len(line) > SHOWN:
            first = max(0, min(at - SHOWN // 2, len(line) - SHOWN))
            line, at = line[first : first + SHOWN], at - first
        shown = "".join(character if character.isprintable() else " " for character in line)
        return f"{shown}\n{' ' * at}^"

    def marked(self) -> str:
        """The line that is wrong, with a mark before the character: for letters that are not equally wide."""
        line, caret = self.pointed().split("\n")
        return f"{line[: len(caret) - 1]}▸{line[len(caret) - 1 :]}".strip()
