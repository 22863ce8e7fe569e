"""Strategies that may be named in a chat: the shipped ones, and for the owner the files of the strategies folder."""

from collections.abc import Mapping

from core.accounts import Role
from core.commands.context import Context
from core.errors import Forbidden, InvalidInput
from core.trading.strategy import Strategy


def strategy_named(ctx: Context, name: str, parameters: Mapping[str, str]) -> Strategy:
    """The strategy with these parameters. A file is code, so that only the owner names one, in its own folder.

    Raises NotFound or InvalidInput with suggestions, Forbidden for anybody else's files.
    """
    from core.strategies import load

    if ".py" not in name and "/" not in name and "\\" not in name:
        return load(name, parameters, paths=False)
    folder = ctx.services.settings.data_dir / "strategies"
    if ctx.user.role is not Role.OWNER:
        raise Forbidden("Only the owner can name a strategy by its file.", hint="strategies lists the others.")
    if "/" in name or "\\" in name:
        raise InvalidInput(f"'{name[:60]}' is a path.", hint=f"Put the file into {folder} and write its name alone.")
    return load(str(folder / name), parameters)


def source_of(ctx: Context, name: str) -> str | None:
    """Where a restart finds the strategy of a file; None for the shipped ones."""
    return str(ctx.services.settings.data_dir.resolve() / "strategies" / name) if ".py" in name else None


def own_strategies(ctx: Context) -> tuple[dict[str, type[Strategy]], tuple[str, ...]]:
    """The strategies of the owner's folder and a sentence for each file that fails; nothing for anybody else."""
    from core.strategies.loading import own

    return own(ctx.services.settings.data_dir / "strategies") if ctx.user.role is Role.OWNER else ({}, ())
