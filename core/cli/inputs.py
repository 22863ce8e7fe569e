"""What the research verbs have in common: bars, parameters and costs from the command line."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.cli import note
from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.market.bars import Bars
    from core.research.archive import Archive, Frames, Saved
    from core.trading.costs import Costs


def costs_of(fee: float | None, slippage: float | None) -> "Costs":
    """The default costs, with this fee (taker and maker) and slippage where given. Raises InvalidInput."""
    from core.trading.costs import Costs

    usual = Costs()
    return Costs(
        taker_fee=usual.taker_fee if fee is None else fee,
        maker_fee=usual.maker_fee if fee is None else fee,
        slippage=usual.slippage if slippage is None else slippage,
    )


def parameters_of(given: list[str]) -> dict[str, str]:
    """name=value pairs. Raises InvalidInput."""
    parameters = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InvalidInput(f"--param '{text}' is not name=value, such as fast=20.")
        parameters[name.strip()] = value.strip()
    return parameters


def opened(names: list[str], within: "Bars | dict[str, Bars] | None" = None) -> "Bars | dict[str, Bars]":
    """The bars of one data set, or of several by symbol; only the time of the bars `within`, and like them in form."""
    from core.folders import data_dir
    from core.market.bars import Bars
    from core.market.datasets import open_data
    from core.market.history import History
    from core.market.timeframes import milliseconds

    folder = data_dir()
    around = [] if within is None else [within] if isinstance(within, Bars) else list(within.values())
    start = min((int(each.timestamp[0]) for each in around if len(each)), default=None)
    end = max((int(each.timestamp[-1]) + milliseconds(each.timeframe) for each in around if len(each)), default=None)
    opened = [open_data(name, History(folder / "history"), start_ms=start, end_ms=end) for name in names]
    if len(opened) == 1 and not isinstance(within, dict):
        return opened[0]
    by_symbol: dict[str, Bars] = {}
    for bars in opened:
        name = bars.instrument.symbol if bars.instrument.symbol not in by_symbol else bars.instrument.key
        if name in by_symbol:
            raise InvalidInput(f"{name} is given twice.")
        by_symbol[name] = bars
    return by_symbol


def archive() -> "Archive":
    """The kept results of this machine."""
    from core.folders import data_dir
    from core.research.archive import Archive

    return Archive(data_dir() / "results")


def archived(
    kind: str, document: Mapping[str, Any], frames: "Frames | None" = None, *, keep: bool = True
) -> "Saved | None":
    """Keeps a run for `orchestrator results` and says its number on stderr.

    None when `keep` is False (--no-save), or when it could not be kept, which is said and loses nothing that is shown.
    """
    if not keep:
        return None
    from core.research.archive import NotKept

    try:
        saved = archive().save(kind=kind, document=document, frames=frames)
    except NotKept as refused:
        note(refused.sentence())
        return None
    note(f"Kept as result {saved.number}.")
    return saved
