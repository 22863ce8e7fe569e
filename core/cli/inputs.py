"""What the research verbs have in common: bars, parameters and costs from the command line."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.cli import note
from core.errors import InvalidInput
from core.research.sizes import sizing_of

__all__ = [
    "archive", "archived", "costs_of", "funding_of", "opened", "parameters_of", "sizing_of", "source_of", "tried",
]  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

    from core.market.bars import Bars
    from core.market.funding import Funding
    from core.research.archive import Archive, Saved
    from core.research.result import Result, Trials
    from core.research.runfile import Frames
    from core.trading.costs import Costs


def costs_of(fee: float | None, slippage: float | None, **more: Any) -> "Costs":
    """The default costs, with this fee (taker and maker) and slippage where given.

    more: other fields of Costs by name, None where not given. Raises InvalidInput.
    """
    from core.trading.costs import Costs

    given: dict[str, Any] = {"taker_fee": fee, "maker_fee": fee, "slippage": slippage}
    given |= {name: value for name, value in more.items() if value is not None}
    return Costs(**{name: value for name, value in given.items() if value is not None})


def parameters_of(given: list[str]) -> dict[str, str]:
    """name=value pairs. Raises InvalidInput."""
    parameters = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InvalidInput(f"--param '{text}' is not name=value, such as fast=20.")
        if name.strip() in parameters:
            raise InvalidInput(f"--param gives {name.strip()} twice.")
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
        if any(bars.instrument.key == each.instrument.key for each in by_symbol.values()):
            raise InvalidInput(f"{bars.instrument.symbol} of {bars.instrument.venue} is given twice.")
        name = bars.instrument.symbol if bars.instrument.symbol not in by_symbol else bars.instrument.key
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


def tried(result: "Result") -> "Trials":
    """How often the strategy of this run was tried on its bars, by what is kept; the run itself counts."""
    from core.research.result import described, tried_as

    return archive().trials(result.strategy.name, result.data, parameters=tried_as(described(result.strategy)))


def source_of(strategy: Mapping[str, Any], given: str) -> dict[str, Any]:
    """A document's strategy, with the file that it came from."""
    from pathlib import Path

    if ".py" not in given:
        return dict(strategy)
    path, colon, name = given.partition(":")
    return {**strategy, "source": f"{Path(path).absolute() if Path(path).is_file() else path}{colon}{name}"}


def funding_of(files: "list[Path]", bars: "Bars | dict[str, Bars]") -> "Funding | dict[str, Funding]":
    """The histories of funding, one per instrument in the order of --data. Raises InvalidInput."""
    from core.clock import from_ms
    from core.market.bars import Bars
    from core.market.funding import Funding

    read = [Funding.read(path) for path in files]
    names = [bars.instrument.symbol] if isinstance(bars, Bars) else list(bars)
    if len(read) != len(names):
        raise InvalidInput(f"--funding is given {len(read)} times for {len(names)} instruments; give it once for each.")
    traded = [bars] if isinstance(bars, Bars) else list(bars.values())
    for path, rates, each in zip(files, read, traded, strict=True):
        first, last = from_ms(int(rates.timestamps[0])), from_ms(int(rates.timestamps[-1]))
        if len(each) and (from_ms(int(each.timestamp[-1])) < first or from_ms(int(each.timestamp[0])) > last):
            raise InvalidInput(
                f"{path.name} tells the funding from {first:%Y-%m-%d} to {last:%Y-%m-%d}, at no bar of"
                f" {each.instrument.symbol}."
            )
    return read[0] if isinstance(bars, Bars) else dict(zip(names, read, strict=True))
