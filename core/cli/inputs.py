"""What the research verbs have in common: bars, parameters and costs from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.market.bars import Bars
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
    from core import settings
    from core.market.bars import Bars
    from core.market.datasets import is_file, open_data
    from core.market.history import History
    from core.market.timeframes import milliseconds

    folder = Path() if all(is_file(name) for name in names) else settings.load().data_dir
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
