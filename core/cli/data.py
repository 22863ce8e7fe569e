"""`orchestrator data …`: import, download, list and show bars."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit, note
from core.clock import from_ms, to_ms
from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.market.bars import Bars, Gap
    from core.market.download import Downloaded, Step
    from core.market.history import History
    from core.market.instrument import Instrument

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Import, download, list and show market data.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
GAPS_TOLD = 10  # longest holes that are listed for people


@app.command("download")
def download_bars(
    venue: Annotated[str, typer.Argument(help="binance, kraken, … or sandbox")],
    symbol: Annotated[str, typer.Argument(help="BTC/USDT")],
    timeframe: Annotated[str, typer.Argument(help="1m, 1h, 1d, …")],
    since: Annotated[str, typer.Option(help="First day (UTC), e.g. 2023-01-01.")],
    until: Annotated[str | None, typer.Option(help="Day to stop before (UTC); by default now.")] = None,
    as_json: Json = False,
) -> None:
    """Download bars into the history; run it again to go on after an interruption or to bring it up to date."""
    span = (parse_time(since), None if until is None else parse_time(until))
    with shown_progress(f"{venue} {symbol} {timeframe}") as progress:
        done = asyncio.run(_download(venue, symbol, timeframe, span, progress))
    if as_json:
        emit(_download_document(done, span[0]))
        return
    name = f"{done.instrument.key}:{done.timeframe}"
    if done.first is None or done.last is None:
        note(f"{done.instrument.venue} has no {done.timeframe} bars of {done.instrument.symbol} in that span.")
        return
    print(f"{name}: {done.added:,} new bars, {done.bars:,} kept from {_day(done.first)} to {_day(done.last)} UTC.")
    _tell_gaps(list(done.gaps))


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="Parquet, Feather, CSV, freqtrade JSON or Binance zip.")],
    venue: Annotated[str | None, typer.Option(help="Venue it comes from; by default 'file'.")] = None,
    symbol: Annotated[str | None, typer.Option(help="BTC/USDT; by default from the file's name.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="By default from the spacing of the rows.")] = None,
    as_json: Json = False,
) -> None:
    """Check a file of bars and keep it in the history."""
    from dataclasses import replace

    from core.market.bars import Bars
    from core.market.instrument import parse_key

    bars = Bars.read(file, symbol, timeframe)
    if venue is not None:
        named, base, quote = parse_key(f"{venue}:{bars.instrument.symbol}")
        bars = replace(bars, instrument=replace(bars.instrument, venue=named, base=base, quote=quote))
    added = history().append(bars)
    document = _document(bars) | {"added": added, "file": str(file)}
    if as_json:
        emit(document)
        return
    print(f"{document['name']}: {added:,} new bars of {len(bars):,} in {file.name}.")
    _tell_gaps(bars.gaps())


@app.command("list")
def list_datasets(as_json: Json = False) -> None:
    """List what the history holds."""
    datasets = history().datasets()
    if as_json:
        emit(
            {
                "datasets": [
                    {
                        "name": dataset.name,
                        "venue": dataset.venue,
                        "symbol": dataset.symbol,
                        "timeframe": dataset.timeframe,
                        "bars": dataset.bars,
                        "first": _iso(dataset.first),
                        "last": _iso(dataset.last),
                        "bytes": dataset.size,
                    }
                    for dataset in datasets
                ]
            }
        )
        return
    if not datasets:
        note("The history is empty. Try: orchestrator data download binance BTC/USDT 1h --since 2023-01-01")
        return
    width = max(len(dataset.name) for dataset in datasets)
    for dataset in datasets:
        print(
            f"{dataset.name:<{width}}  {dataset.bars:>11,} bars  {_day(dataset.first)} to {_day(dataset.last)} UTC"
            f"  {dataset.size / 1e6:8.1f} MB"
        )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="VENUE:SYMBOL:TIMEFRAME, e.g. binance:BTC/USDT:1h, or a file.")],
    rows: Annotated[int, typer.Option(help="Newest bars to print.", min=0, max=10_000)] = 5,
    as_json: Json = False,
) -> None:
    """Show a dataset: its span, its holes and its newest bars."""
    from core.market.datasets import open_data

    bars = open_data(name, history(), seed=_settings().market.seed)
    newest = bars[max(0, len(bars) - rows) :]
    if as_json:
        emit(_document(bars) | {"newest": _rows(newest)})
        return
    print(f"{_document(bars)['name']}: {len(bars):,} bars", end="")
    print(f", {_day(int(bars.timestamp[0]))} to {_day(int(bars.timestamp[-1]))} UTC." if len(bars) else ".")
    _tell_gaps(bars.gaps())
    for row in _rows(newest):
        print("  ".join(f"{value:.12g}" if isinstance(value, float) else str(value) for value in row.values()))


async def _download(
    venue: str,
    symbol: str,
    timeframe: str,
    span: tuple[int, int | None],
    progress: "Callable[[Step], None] | None",
) -> "Downloaded":
    from core.market.download import download

    source, instrument = await _source(venue, symbol)
    try:
        return await download(source, history(), instrument, timeframe, *span, progress)
    finally:
        await source.close()


async def _source(venue: str, symbol: str) -> "tuple[Any, Instrument]":
    """The venue's data and the pair there. Raises NotFound, Unavailable."""
    if venue.lower() == "sandbox":
        from core.clock import SystemClock
        from core.exchanges.sandbox import SandboxData

        sandbox = SandboxData(SystemClock(), _settings().market.seed)
        return sandbox, sandbox.market.instrument(symbol.upper())
    from core.exchanges.ccxt import CcxtData
    from core.market.download import FIRST_PAUSES, patiently

    keys = _settings().exchanges.get(venue.lower())
    source = CcxtData(venue, keys.endpoint_base if keys else None, bool(keys and keys.sandbox))
    try:
        return source, await patiently(partial(source.instrument, symbol), pauses=FIRST_PAUSES, waiting=note)
    except BaseException:  # stopped by the user as well
        await source.close()
        raise


def history() -> "History":
    """The history of this installation."""
    from core.market.history import History

    return History(_settings().data_dir / "history")


def _settings() -> Any:
    from core.settings import load

    return load()


def parse_time(text: str) -> int:
    """UTC ms of an ISO date or time; without a zone it is UTC. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(f"'{text}' is not a date.", hint="Write it as 2023-01-31 or 2023-01-31T12:00.") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@contextmanager
def shown_progress(title: str) -> "Iterator[Callable[[Step], None] | None]":
    """A bar on a terminal, nothing on a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[added]:,} bars"), console=Console(stderr=True)) as shown:
        task = shown.add_task(title, total=1.0, added=0)
        yield lambda step: shown.update(task, completed=step.done, added=step.added)


def _tell_gaps(gaps: "list[Gap]") -> None:
    if not gaps:
        return
    missing = sum(gap.missing for gap in gaps)
    note(f"{len(gaps)} hole{'s' * (len(gaps) != 1)}, {missing:,} bars missing (venue outages or bars without trades):")
    for gap in sorted(gaps, key=lambda gap: -gap.missing)[:GAPS_TOLD]:
        note(f"  {_day(gap.start)} to {_day(gap.end)} UTC: {gap.missing:,}")


def _download_document(done: "Downloaded", since: int) -> dict[str, Any]:
    return {
        "name": f"{done.instrument.key}:{done.timeframe}",
        "added": done.added,
        "bars": done.bars,
        "asked_from": _iso(since),
        "first": None if done.first is None else _iso(done.first),
        "last": None if done.last is None else _iso(done.last),
        "gaps": [_gap(gap) for gap in done.gaps],
    }


def _document(bars: "Bars") -> dict[str, Any]:
    return {
        "name": f"{bars.instrument.key}:{bars.timeframe}",
        "bars": len(bars),
        "first": _iso(int(bars.timestamp[0])) if len(bars) else None,
        "last": _iso(int(bars.timestamp[-1])) if len(bars) else None,
        "gaps": [_gap(gap) for gap in bars.gaps()],
        "fingerprint": bars.fingerprint(),
        "simulated": bars.instrument.venue == "sandbox",
    }


def _gap(gap: "Gap") -> dict[str, Any]:
    return {"start": _iso(gap.start), "end": _iso(gap.end), "missing": gap.missing}


def _rows(bars: "Bars") -> list[dict[str, Any]]:
    columns = {name: getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")}
    times = [_iso(moment) for moment in bars.timestamp.tolist()]
    return [dict(zip(("time", *columns), row, strict=True)) for row in zip(times, *columns.values(), strict=True)]


def _iso(ms: int) -> str:
    return from_ms(ms).isoformat().replace("+00:00", "Z")


def _day(ms: int) -> str:
    return f"{from_ms(ms):%Y-%m-%d %H:%M}"
