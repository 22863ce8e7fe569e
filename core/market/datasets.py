"""Datasets by name: a file, `binance:BTC/USDT:1h` from the history, or `sandbox:BTC/USDT:1h`, which is made up."""

from pathlib import Path

from core.clock import Clock, SystemClock
from core.errors import InvalidInput, NotFound
from core.market import timeframes
from core.market.bars import Bars
from core.market.history import History
from core.market.instrument import parse_key
from core.market.synthetic import OPENS, VENUE, SandboxMarket
from core.market.timeframes import DAY, WEEK

SANDBOX_BARS = 8_760  # of the sandbox when no span is given: a year of hours


def parse_dataset(name: str) -> tuple[str, str, str]:
    """('binance', 'BTC/USDT', '1h') of 'binance:BTC/USDT:1h'. Raises InvalidInput."""
    pair, _, timeframe = name.rpartition(":")
    if not pair or not timeframe:
        raise InvalidInput(
            f"'{name}' is not a dataset.", hint="Write VENUE:SYMBOL:TIMEFRAME, e.g. binance:BTC/USDT:1h."
        )
    venue, base, quote = parse_key(pair)
    return venue, f"{base}/{quote}", timeframes.parse(timeframe)


def is_file(name: str) -> bool:
    """Whether a name means a file rather than VENUE:SYMBOL:TIMEFRAME."""
    return Path(name).is_file() or name.count(":") != 2


def open_data(
    name: str,
    history: History | Path,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    clock: Clock | None = None,
    seed: int = 1,
) -> Bars:
    """Bars of a file or of VENUE:SYMBOL:TIMEFRAME, those that open at or after `start_ms` and before `end_ms`.

    history: the store, or its folder
    sandbox: closed bars up to `end_ms` or the last whole week, `SANDBOX_BARS` of them when no start is given
    Raises NotFound, BadData, InvalidInput.
    """
    if is_file(name):
        if Path(name).is_dir():
            raise NotFound(
                f"'{name}' is a folder.",
                hint="Give a file of bars or VENUE:SYMBOL:TIMEFRAME, e.g. sandbox:BTC/USDT:1h.",
            )
        if not Path(name).is_file() and not Path(name).suffix:
            raise NotFound(
                f"There is no file '{name}'.",
                hint="Give a file of bars or VENUE:SYMBOL:TIMEFRAME, e.g. sandbox:BTC/USDT:1h.",
            )
        return Bars.read(name).between(start_ms, end_ms)
    venue, symbol, timeframe = parse_dataset(name)
    if venue != VENUE:
        store = History(history) if isinstance(history, Path) else history
        return store.load(venue, symbol, timeframe, start_ms, end_ms)
    now = (clock or SystemClock()).now_ms()
    length = timeframes.milliseconds(timeframe)
    # Without an end, the last week's: runs of the same week see the same bars and can be compared.
    last = min(end_ms, now) if end_ms is not None else timeframes.floor(now, "1w")
    last = max(last, OPENS * DAY + WEEK)
    first = start_ms if start_ms is not None else last - SANDBOX_BARS * length
    first = max(first, timeframes.floor(OPENS * DAY + length - 1, timeframe))
    return SandboxMarket(seed).bars(symbol, timeframe, first, last)
