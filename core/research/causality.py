"""causality: a strategy sees no future, or the first bar and column at which it does.

Prefix test: what was decided on the first bars alone must be what is decided there when later bars are known too.
Perturbation test: with other bars after a cut, nothing before it may change. Warm-up test: begun later, the strategy
must come to the same decisions after the bars that its warmup() asks for. Cuts lie at fixed places, at random ones, and
at bars where a decision was made, since that is where a glance at the next bar shows.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.errors import InvalidInput
from core.market.bars import Bars
from core.research.decisions import INTENTS, Decisions, decisions, is_portfolio
from core.research.perturbation import another_future

Integers = NDArray[np.int64]

ROUNDING = 1e-9  # relative difference that is arithmetic, not knowledge
SETTLED = 1e-3  # relative difference within which a later start agrees
STARTS = 6  # later starts that are tried
WATCHED = 5  # of so many cuts at one also a step strategy's orders are compared, as that takes a whole run
FIXED = 10  # cuts at equal distances
MADE_UP = 3_000  # bars of the sandbox market, at least


@dataclass(frozen=True, slots=True)
class Peek:
    """Where a strategy saw the future. test: repeat, prefix or perturbation.

    bar: UTC ms, open of the bar whose decision changed; cut: of the last bar that was the same in both runs
    known: the decision with the later bars as they are; unknown: without them, or with others
    ahead: bars that it sees ahead, at least
    """

    test: str
    symbol: str
    column: str
    bar: int
    cut: int
    known: str
    unknown: str
    ahead: int


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How long the past matters. needed: bars after which every later start agreed; None: some never did.

    column: the one that took longest
    """

    declared: int
    needed: int | None
    column: str
    starts: int
    tolerance: float

    @property
    def enough(self) -> bool:
        """Whether the strategy's own warmup() is long enough."""
        return self.needed is not None and self.needed <= self.declared

    @property
    def sentence(self) -> str:
        """How many bars it takes."""
        if self.starts == 0:
            return "The bars are too few to tell how long its warm-up is."
        if self.needed is None:
            return f"Begun later, its {self.column} never became the same: what it does depends on where it begins."
        if self.enough:
            bars = f"{self.needed:,} bar{'' if self.needed == 1 else 's'}"
            return f"Begun later, it decides the same after {bars}; its warm-up is {self.declared:,}."
        return (
            f"Begun later, its {self.column} is the same only after {self.needed:,} bars, though its warm-up is"
            f" {self.declared:,}: let it see more bars before it trades."
        )


@dataclass(frozen=True, slots=True)
class Causality:
    """What the tests found. cuts: places at which the history was cut; bars: of the longest instrument."""

    strategy: str
    causal: bool
    peek: Peek | None
    warm_up: WarmUp | None
    cuts: int
    bars: int
    symbols: tuple[str, ...]
    seconds: float

    @property
    def sentence(self) -> str:
        """The verdict in one plain sentence."""
        if self.peek is None:
            tried = f"{self.cuts} cuts through {self.bars:,} bars changed no decision before them"
            return f"{self.strategy} sees no future: {tried}."
        at, cut = (f"{from_ms(each):%Y-%m-%d %H:%M}" for each in (self.peek.bar, self.peek.cut))
        what = f"its {self.peek.column} of {self.peek.symbol} at {at}"
        if self.peek.test == "repeat":
            told = f"{what} was first {self.peek.known} and then {self.peek.unknown}"
            return f"{self.strategy} decides differently on the same bars, so that nothing can be proved: {told}."
        how = "without the bars" if self.peek.test == "prefix" else "with other bars"
        return (
            f"{self.strategy} sees the future: {what} is {self.peek.known}, and {self.peek.unknown} {how} after {cut}."
        )

    def document(self) -> dict[str, Any]:
        """Plain values, times as ISO texts."""
        peek = None if self.peek is None else asdict(self.peek)
        if peek is not None:
            peek |= {name: from_ms(peek[name]).isoformat() for name in ("bar", "cut")}
        warm = None if self.warm_up is None else asdict(self.warm_up)
        if self.warm_up is not None and warm is not None:
            warm |= {"enough": self.warm_up.enough, "sentence": self.warm_up.sentence}
        return {
            "strategy": self.strategy,
            "causal": self.causal,
            "sentence": self.sentence,
            "peek": peek,
            "warm_up": warm,
            "cuts": self.cuts,
            "bars": self.bars,
            "symbols": list(self.symbols),
            "seconds": self.seconds,
        }


def causality(
    strategy: Any,
    bars: Bars | Mapping[str, Bars] | None = None,
    cuts: int = 60,
    *,
    seed: int = 0,
    timeframe: str = "1h",
    progress: Callable[[float], None] | None = None,
) -> Causality:
    """Whether the strategy decides from each bar and earlier ones only.

    bars: one instrument's, or {symbol: bars}; without them a made-up market of that timeframe
    cuts: places at which the history is cut; progress: told the fraction done, 0 to 1
    Raises InvalidInput when there are too few bars, or the strategy fails.
    """
    began = time.perf_counter()
    if not 1 <= cuts <= 100_000:
        raise InvalidInput(f"{cuts} cuts are not between 1 and 100,000; 60 are usual.")
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"The seed {seed} is outside 0 to {2**32 - 1}.")
    if bars is None:
        bars = made_up(strategy, seed, timeframe)
    held = {bars.instrument.symbol: bars} if isinstance(bars, Bars) else dict(bars)
    warmup = int(strategy.warmup())
    for name, each in held.items():
        if len(each) < warmup + 3:
            raise InvalidInput(f"{strategy.name} needs {warmup + 3} bars for this test, and {name} has {len(each)}.")
    whole = decisions(strategy, held)
    places = _places(whole, held, warmup, cuts, seed)
    told = progress or (lambda done: None)
    total = 2 * len(places) + STARTS + 2
    peeks = _repeated(strategy, held, whole)
    told(2 / total)
    for number, cut in enumerate(places):
        if peeks and peeks[0].test == "repeat":
            break
        known = {name: each.between(None, cut + 1) for name, each in held.items()}
        found = decisions(strategy, known, orders=number % WATCHED == 0)
        peeks += _changes(whole, found, known, cut, "prefix")
        told((2 + number + 1) / total)
    for number, cut in enumerate(places):
        if peeks:
            break
        other = {
            name: another_future(each, int(np.searchsorted(each.timestamp, cut + 1)), seed)
            for name, each in held.items()
        }
        known = {name: each.between(None, cut + 1) for name, each in held.items()}
        found = decisions(strategy, other, orders=number % WATCHED == 0)
        peeks += _changes(whole, found, known, cut, "perturbation")
        told((2 + len(places) + number + 1) / total)
    bare = all(column == INTENTS for _, column in whole)  # its orders follow its position, wherever it begins
    warm = None if peeks or bare else _warmed(strategy, held, whole, warmup, seed)
    told(1.0)
    return Causality(
        strategy=strategy.name,
        causal=not peeks,
        peek=_first(peeks),
        warm_up=warm,
        cuts=len(places),
        bars=max(map(len, held.values())),
        symbols=tuple(held),
        seconds=time.perf_counter() - began,
    )


def made_up(strategy: Any, seed: int, timeframe: str) -> dict[str, Bars]:
    """Bars of the sandbox market, as many as the strategy's warm-up calls for."""
    from core.market import timeframes
    from core.market.synthetic import OPENS, SandboxMarket

    count = max(MADE_UP, 3 * int(strategy.warmup()) + 1_000)
    begin = (OPENS + 400) * timeframes.DAY
    end = begin + count * timeframes.milliseconds(timeframe)
    symbols = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT") if is_portfolio(strategy) else ("BTC/USDT",)
    market = SandboxMarket(seed + 1)
    return {symbol: market.bars(symbol, timeframe, begin, end) for symbol in symbols}


def _places(whole: Decisions, bars: Mapping[str, Bars], warmup: int, cuts: int, seed: int) -> list[int]:
    """The times of the last known bars, ascending: where something was decided, at fixed places and random ones."""
    times = np.unique(np.concatenate([each.timestamp for each in bars.values()]))
    first = max(int(each.timestamp[warmup]) for each in bars.values())
    times = times[(times >= first) & (times < times[-1])]
    if len(times) <= cuts:
        return [int(each) for each in times]
    rng = np.random.default_rng(seed)
    fixed = times[np.linspace(0, len(times) - 1, min(FIXED, (cuts + 1) // 2)).astype(np.int64)]
    decided = [bars[name].timestamp[_decided(values)] for (name, _), values in whole.items()]
    events = np.intersect1d(np.concatenate(decided), times)
    picked = rng.choice(events, min(len(events), cuts // 2), replace=False) if len(events) else events
    chosen = np.union1d(fixed, picked)
    others = np.setdiff1d(times, chosen)
    return [int(each) for each in np.union1d(chosen, rng.choice(others, max(0, cuts - len(chosen)), replace=False))]


def _decided(values: NDArray[Any]) -> Integers:
    """Where a column says something that it did not say one bar before."""
    if values.dtype == object:
        return np.flatnonzero([bool(text) for text in values])
    before = np.append(np.nan, values[:-1])
    return np.flatnonzero(~np.isnan(values) & (values != before))


def _repeated(strategy: Any, bars: Mapping[str, Bars], whole: Decisions) -> list[Peek]:
    return _changes(whole, decisions(strategy, bars), bars, 0, "repeat")


def _changes(whole: Decisions, found: Decisions, known: Mapping[str, Bars], cut: int, test: str) -> list[Peek]:
    """For each column the first decision that another future changed."""
    peeks = []
    for name, column in sorted(set(whole) | set(found)):
        if column == INTENTS and (name, column) not in found:
            continue  # not watched at this cut
        times = known[name].timestamp
        n = len(times)
        nothing = np.full(n, np.nan)
        first, second = (each.get((name, column), nothing)[:n] for each in (whole, found))
        place = _difference(first, second)
        if place is not None:
            told = _told(first[place], column), _told(second[place], column)
            peeks.append(Peek(test, name, column, int(times[place]), cut, *told, n - place))
    return peeks


def _difference(first: NDArray[Any], second: NDArray[Any]) -> int | None:
    """Where two columns differ first by more than rounding."""
    if first.dtype == object:
        differs = np.array([a != b for a, b in zip(first, second, strict=True)], dtype=bool)
    else:
        with np.errstate(invalid="ignore"):
            near = np.abs(first - second) <= ROUNDING * np.maximum(np.abs(first), np.abs(second))
        differs = ~(near | (first == second) | (np.isnan(first) & np.isnan(second)))
    return int(differs.argmax()) if differs.any() else None


def _told(value: Any, column: str) -> str:
    if column == INTENTS:
        return str(value)[:120] if value else "nothing"
    return "nothing" if np.isnan(value) else f"{value:.10g}"


def _first(peeks: list[Peek]) -> Peek | None:
    """The earliest bar that changed, with the farthest glance ahead of all."""
    if not peeks:
        return None
    earliest = min(peeks, key=lambda peek: (peek.bar, peek.column == INTENTS))
    values = asdict(earliest) | {"ahead": max(peek.ahead for peek in peeks)}
    return Peek(**values)


def _warmed(strategy: Any, bars: Mapping[str, Bars], whole: Decisions, warmup: int, seed: int) -> WarmUp:
    """Begins at later bars and looks from when on the decisions are those of the whole history."""
    needed, column, tried = 0, "", 0
    never = False
    for begin in _starts(bars, warmup, seed):
        later = {name: each.between(begin) for name, each in bars.items()}
        if min(map(len, later.values())) <= 2 * warmup + 2:
            continue
        tried += 1
        found = decisions(strategy, later, orders=False)
        for (name, each), values in found.items():
            n = len(later[name])
            last = _unsettled(whole[name, each][-n:], values, each)
            if last is None:
                continue
            if last >= n - 2:
                never, column = True, each
            elif last + 1 > needed and not never:
                needed, column = last + 1, each
    return WarmUp(warmup, None if never else max(needed, 0), column, tried, SETTLED)


def _starts(bars: Mapping[str, Bars], warmup: int, seed: int) -> Iterator[int]:
    longest = max(bars.values(), key=len).timestamp
    rng = np.random.default_rng([seed, 1])
    for part in np.linspace(0.1, 0.6, STARTS):
        yield int(longest[min(len(longest) - 1, int(part * len(longest)) + int(rng.integers(0, 7)))])


def _unsettled(whole: NDArray[Any], later: NDArray[Any], column: str) -> int | None:
    """The last bar at which a later start decides differently.

    Exposures are compared where either gives one, as what is then in force: who begins between an entry and its exit
    holds nothing meanwhile, and still decides the same. Prices are compared where both give one.
    """
    said = np.ones(len(whole), dtype=bool)
    if column == "exposure":
        said = ~(np.isnan(whole) & np.isnan(later))
        whole, later = _lasting(whole), _lasting(later)
    scale = np.maximum(np.abs(whole), np.abs(later))
    with np.errstate(invalid="ignore"):
        differs = np.flatnonzero(said & (np.abs(whole - later) > SETTLED * scale))
    return int(differs[-1]) if len(differs) else None


def _lasting(exposure: NDArray[Any]) -> NDArray[Any]:
    """Each bar's exposure in force: the last one that was given, 0 before any."""
    place = np.maximum.accumulate(np.where(np.isnan(exposure), -1, np.arange(len(exposure))))
    return np.where(place < 0, 0.0, exposure[np.maximum(place, 0)])
