"""Strategies that may be named in a chat: the shipped ones, one's own formulas, and the files of the owner."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.accounts import Role
from core.commands.context import Context
from core.commands.utterance.studies import strategy_in
from core.errors import Forbidden, InvalidInput
from core.trading.strategy import Strategy

if TYPE_CHECKING:
    from core.indicators.formula.shelf import Shelf
    from core.research.archive import Archive


def strategy_named(ctx: Context, name: str, parameters: Mapping[str, str]) -> Strategy:
    """The strategy with these parameters. A file is code, so that only the owner names one, in its own folder.

    Raises NotFound or InvalidInput with suggestions, Forbidden for anybody else's files.
    """
    from core.strategies import load

    inline = name.lstrip().lower().startswith("formula:")
    if inline or (".py" not in name and "/" not in name and "\\" not in name):
        formulas = formulas_of(ctx)
        return load(name if inline else spoken(name, formulas), parameters, paths=False, formulas=formulas)
    folder = ctx.services.settings.data_dir / "strategies"
    if ctx.user.role is not Role.OWNER:
        raise Forbidden("Only the owner can name a strategy by its file.", hint="strategies lists the others.")
    if "/" in name or "\\" in name:
        raise InvalidInput(f"'{name[:60]}' is a path.", hint=f"Put the file into {folder} and write its name alone.")
    return load(str(folder / name), parameters)


def spoken(name: str, formulas: "Shelf") -> str:
    """The strategy that people mean by a name such as 'rsi' or 'SMA-cross'; the name itself when it is one already."""
    from core.strategies import catalogue

    plain = name.strip().lower().replace("-", "_")
    if name in catalogue() or name in formulas or plain in formulas:
        return name if name in catalogue() or name in formulas else plain
    found = strategy_in(name.strip().lower())
    return found[0] if found and not found[1].strip() else name


def formulas_of(ctx: Context) -> "Shelf":
    """The caller's own formulas: the owner's are those of the command line, another person's lie in a folder apart."""
    from core.strategies.formula import shelf_in

    folder = ctx.services.settings.data_dir / "formulas"
    return shelf_in(folder if ctx.user.role is Role.OWNER else folder / ctx.user.id)


def source_of(ctx: Context, name: str, chosen: Strategy | None = None) -> str | None:
    """Where a restart finds the strategy of a file, or of a formula as it is now; None for the shipped ones."""
    from core.strategies.formula import FormulaStrategy
    from core.strategies.formula import source_of as document_of

    if isinstance(chosen, FormulaStrategy):
        return document_of(type(chosen))
    return str(ctx.services.settings.data_dir.resolve() / "strategies" / name) if ".py" in name else None


def own_strategies(ctx: Context) -> tuple[dict[str, type[Strategy]], tuple[str, ...]]:
    """The caller's formulas, for the owner the files of the folder too, and a sentence for each that fails."""
    from core.strategies.loading import own, saved

    formulas = formulas_of(ctx)
    if ctx.user.role is not Role.OWNER:
        return saved(formulas)
    return own(ctx.services.settings.data_dir / "strategies", formulas)


def results_of(ctx: Context) -> "Archive":
    """The kept results of this machine; each person's are their own."""
    from core.research.archive import Archive

    return Archive(ctx.services.settings.data_dir / "results")
