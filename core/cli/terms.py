"""terms: the options of every verb that trades on bars: which bars and time, cash, costs, sizes, funding."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note
from core.cli.inputs import costs_of, funding_of, opened
from core.cli.progress import tell_compiling
from core.errors import InvalidInput
from core.research.sizes import sizing_of

if TYPE_CHECKING:
    from core.market.bars import Bars
    from core.trading.costs import Costs

Verb = Callable[..., None]
STOPPED = 130  # exit code of what Ctrl-C has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was given, as it was given."""

    data: list[str]
    detail: list[str] | None = None
    cash: float = 10_000.0
    fee: float | None = None
    maker_fee: float | None = None
    slippage: float | None = None
    slippage_model: str | None = None
    volume_share: float | None = None
    latency: int | None = None
    fill_on_touch: bool = False
    perpetual: bool = False
    leverage: float | None = None
    funding: list[Path] | None = None
    sizing: str | None = None
    start: str | None = None
    end: str | None = None

    def agreed(self) -> "Agreed":
        """The bars, costs and further arguments that these words mean. Raises InvalidInput, NotFound, BadData."""
        from core.research.backtest import moment

        first, last = moment(self.start), moment(self.end)
        if first is not None and last is not None and first >= last:
            raise InvalidInput(f"--from {self.start} is not before --to {self.end}.")
        costs = costs_of(
            self.fee, self.slippage, maker_fee=self.maker_fee, slippage_model=self.slippage_model,
            volume_share=self.volume_share, latency=self.latency, fill_on_touch=self.fill_on_touch or None,
            leverage=self.leverage,
        )  # fmt: skip
        size = sizing_of(self.sizing)
        bars = opened(self.data)
        if self.perpetual:
            bars = perpetual(bars)
        elif self.funding or self.leverage not in (None, 1.0):
            _demand_perpetuals(bars)
        options: dict[str, Any] = {"cash": self.cash, "start": self.start, "end": self.end}
        told: dict[str, Any] = {"perpetual": True} if self.perpetual else {}
        if self.detail:
            options["detail"] = opened(self.detail, bars)
        if size is not None:
            options["sizing"], told["sizing"] = size, self.sizing
        if self.funding:
            options["funding"] = funding_of(self.funding, bars)
            told["funding_files"] = [str(path) for path in self.funding]
        return Agreed(bars, costs, options, told)


@dataclass(frozen=True, slots=True)
class Agreed:
    """options: further arguments of `backtest` and the searches; told: what is kept of them beside the run."""

    bars: "Bars | dict[str, Bars]"
    costs: "Costs"
    options: dict[str, Any]
    told: dict[str, Any]


def perpetual(bars: "Bars | dict[str, Bars]") -> "Bars | dict[str, Bars]":
    """The same bars as those of perpetuals."""
    from core.market.bars import Bars

    if isinstance(bars, Bars):
        return replace(bars, instrument=replace(bars.instrument, kind="perpetual"))
    return {name: replace(each, instrument=replace(each.instrument, kind="perpetual")) for name, each in bars.items()}


def _demand_perpetuals(bars: "Bars | dict[str, Bars]") -> None:
    from core.market.bars import Bars

    for each in [bars] if isinstance(bars, Bars) else bars.values():
        if each.instrument.kind != "perpetual":
            raise InvalidInput(
                f"{each.instrument.symbol} is traded spot, without leverage and funding.",
                hint="Add --perpetual if these are bars of a perpetual.",
            )


def asked(
    data: Annotated[list[str], typer.Option(help="A bars file, or VENUE:SYMBOL:TIMEFRAME; again for a portfolio.")],
    detail: Annotated[
        list[str] | None, typer.Option(help="Bars of a lower timeframe, which decide the order inside a bar.")
    ] = None,
    cash: Annotated[float, typer.Option(help="Starting cash, in the quote currency.")] = 10_000.0,
    fee: Annotated[float | None, typer.Option(help="Taker and maker fee, a fraction; 0.001 unless given.")] = None,
    maker_fee: Annotated[float | None, typer.Option(help="Maker fee, where it differs from --fee.")] = None,
    slippage: Annotated[float | None, typer.Option(help="Slippage, a fraction; 0.0005 unless given.")] = None,
    slippage_model: Annotated[str | None, typer.Option(help="fixed, volume_share or spread.")] = None,
    volume_share: Annotated[float | None, typer.Option(help="Most of a bar's volume that is filled; 0.25.")] = None,
    latency: Annotated[int | None, typer.Option(help="Whole bars between a decision and its order.")] = None,
    fill_on_touch: Annotated[bool, typer.Option("--fill-on-touch", help="Limits fill when touched.")] = False,
    perpetual: Annotated[bool, typer.Option("--perpetual", help="The bars are those of perpetuals.")] = False,
    leverage: Annotated[float | None, typer.Option(help="Of perpetuals; 1 unless given.")] = None,
    funding: Annotated[
        list[Path] | None, typer.Option(help="A file of a perpetual's funding rates; once per --data.")
    ] = None,
    sizing: Annotated[
        str | None, typer.Option(help="cash=500, quantity=0.1, fraction=0.5, volatility=0.2 or kelly=0.5.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, e.g. 2024-01-31.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day before which to stop.")] = None,
) -> Terms:
    """The words of a command line as Terms."""
    return Terms(**locals())


def with_terms(verb: Verb) -> Verb:
    """The verb with the options of `asked` in the place of its argument `terms`."""
    own = inspect.signature(verb).parameters
    common = inspect.signature(asked).parameters

    @functools.wraps(verb)
    def run(**given: Any) -> None:
        terms = asked(**{name: given.pop(name) for name in common})
        try:
            tell_compiling()
            verb(**given, terms=terms)
        except KeyboardInterrupt:  # searches answer it with what they have, so there is nothing yet
            sentence = "Stopped before there was a result, so nothing was kept."
            if given.get("as_json"):
                emit({"error": {"code": "stopped", "message": sentence}})
            note(sentence)
            raise typer.Exit(STOPPED) from None

    merged: list[inspect.Parameter] = []
    for name, each in own.items():
        merged += common.values() if name == "terms" else [each]
    keyed = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in merged]
    run.__signature__ = inspect.Signature(keyed)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in merged}
    return run
