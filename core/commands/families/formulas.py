"""Formulas of one's own: indicators and rules in a line of text."""

import re

from core.commands.context import Context
from core.commands.converters import Verbatim
from core.commands.loading import formulas_of
from core.commands.registry import command
from core.errors import AppError, InvalidInput
from core.indicators.formula import Formula, FormulaError
from core.indicators.formula.functions import reference
from core.reply import Choice, Choices, Facts, Reply, Table, Text
from core.wording import plural

SAVE = re.compile(r"(save|replace)\s+([^\s=:]+)\s*(?:=(?!=)|\bas\b|:)?\s*(.*)", re.IGNORECASE | re.DOTALL)
ALONE = {
    "save": "formula save dip = rsi(close, 14) < 30", "replace": "formula replace dip = rsi(close, 14) < 20",
    "check": "formula check rsi(close, 14) < 30", "remove": "formula remove dip", "delete": "formula remove dip",
    "show": "formula show dip",
}  # fmt: skip
CHECK = re.compile(r"check\s+(.+)", re.IGNORECASE | re.DOTALL)
REMOVE = re.compile(r"(?:remove|delete)\s+(\S+)", re.IGNORECASE)
SHOW = re.compile(r"(?:show\s+)?([A-Za-z][\w-]*)", re.IGNORECASE)
MORE = (
    "Every indicator is a function too (indicators lists them). Join with + - * / ^ < > == and or not; x[1] is before."
)
KINDS = {
    "number": "a number: an indicator", "truth": "true or false: an indicator and a strategy", "rules": "a strategy",
}  # fmt: skip


@command(
    family="research",
    private=True,
    examples=(
        "formula save dip = rsi(close, 14) < 30 and close > ema(close, 200)",
        "formula check cross(ema(close, 12), ema(close, 26))",
        "formula dip",
        "formula remove dip",
    ),
)
async def formula(ctx: Context, request: Verbatim | None = None) -> Reply:
    """Saves, checks, shows or removes a formula: an indicator or a rule of your own.

    request: save NAME = FORMULA, replace NAME = FORMULA, check FORMULA, remove NAME, functions, or a NAME to see it
    """
    written = (request or "").strip()
    if not written:
        return listing(ctx)
    if written.lower() in ("functions", "help"):
        return [Table("The language of formulas", ("Written", "What it is"), tuple(reference()), (), ""), Text(MORE)]
    if written.lower() in ALONE:
        raise InvalidInput(f"What shall I {written.lower()}?", hint=f"For example: {ALONE[written.lower()]}.")
    try:
        if match := SAVE.fullmatch(written):
            return save(ctx, match[2].lower().replace("-", "_"), match[3], replace=match[1].lower() == "replace")
        if match := CHECK.fullmatch(written):
            checked = formulas_of(ctx).check(match[1])
            return [Facts("That is a formula", facts_of(checked), checked.text)]
        if match := REMOVE.fullmatch(written):
            return remove(ctx, match[1].lower().replace("-", "_"))
        match = SHOW.fullmatch(written)
        name = match[1].lower().replace("-", "_") if match else ""
        shelf = formulas_of(ctx)
        if name in shelf or (match and written.lower().startswith("show ")):
            found = shelf.open(name)
            return [Facts(f"Formula {name}", facts_of(found), found.text), *offers(name, found)]
        try:
            checked = shelf.check(written)
        except FormulaError:
            if match:  # one word: a name that is not there
                shelf.open(name)
            raise
        return [Facts("That is a formula", facts_of(checked), checked.text)]
    except FormulaError as wrong:
        return [Text(wrong.sentence(), "warning"), Text(wrong.marked())]


@command(
    family="research",
    private=True,
    examples=("formulas",),
    phrases=(
        "[(show|list) [me]] [all|my] [saved] formulas",
        "what formulas (do i have|are there|have i saved)",
    ),
)
async def formulas(ctx: Context) -> Reply:
    """Lists your saved formulas."""
    return listing(ctx)


def save(ctx: Context, name: str, text: str, *, replace: bool) -> Reply:
    """Saves it and says what it is."""
    if not text:
        raise InvalidInput(f"What is '{name}'?", hint=f"For example: formula save {name} = rsi(close, 14) < 30.")
    when = ctx.services.clock.now().isoformat(timespec="seconds")
    shelf = formulas_of(ctx)
    there = name in shelf
    if there and not replace:
        return [
            Text(f"There is a formula '{name}' already: {shelf.get(name).text}", "warning"),
            Choices("Replace it?", (Choice("Replace it", f"formula replace {name} = {text}"),)),
        ]
    before = shelf.get(name).text if there else ""
    saved = shelf.save(name, text, owner=ctx.user.id, saved=when, replace=replace)
    title = f"{'Replaced' if there else 'Saved'} formula {name}"
    note = f"{saved.text}\nIt was: {before}" if before else saved.text
    return [Facts(title, facts_of(saved), note), *offers(name, saved)]


def remove(ctx: Context, name: str) -> Reply:
    """Removes it, and offers to take that back."""
    gone = formulas_of(ctx).remove(name)
    done = Text(f"Removed the formula '{name}'.", "good")
    if gone is None:
        return [done]
    again = f"formula save {name} = {' '.join(gone.text.split())}"
    return [done, Choices("Changed your mind?", (Choice("Save it again", again),))]


def listing(ctx: Context) -> Reply:
    """All of the caller's formulas."""
    shelf = formulas_of(ctx)
    rows = []
    for name, found in shelf.opened().items():
        if isinstance(found, AppError):
            rows.append((name, "broken", found.sentence()))
        else:
            rows.append((name, "indicator" if found.kind == "number" else "strategy", " ".join(found.text.split())))
    empty = "No formulas yet. To save one: formula save dip = rsi(close, 14) < 30."
    return [Table("Formulas", ("Name", "What it is", "Formula"), tuple(rows), (), empty)]


def facts_of(found: Formula) -> tuple[tuple[str, str], ...]:
    """What a formula is."""
    facts = [("It gives", KINDS[found.kind]), ("Warm-up", plural(found.warmup(), "bar"))]
    if found.frames():
        facts.append(("Looks at", f"{' and '.join(found.frames())} bars too"))
    for name, each in found.parameters.items():
        facts.append((name, f"{each.told(each.default)} ({each.told(each.low)} to {each.told(each.high)})"))
    if found.uses:
        facts.append(("Uses", ", ".join(sorted(found.uses))))
    if found.momentary:
        facts.append(("As a strategy", "it holds one bar at a time: write entry: …; exit: … to hold longer"))
    return tuple(facts)


def offers(name: str, found: Formula) -> Reply:
    """What can be done with it now."""
    if found.kind == "number":
        return []
    return [Choices("And now?", (Choice("Test it", f"backtest {name} btc 1h"), Choice("All formulas", "formulas")))]
