"""The tree of a formula as written. `at` is where a part stands in the text, from 0."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """12, 0.5, 1e-3 or 5%."""

    at: int
    value: float


@dataclass(frozen=True, slots=True)
class Word:
    """A text in quotes, such as a timeframe."""

    at: int
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """close, hl2, a name bound before, a parameter, a saved formula."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """-x or not x."""

    at: int
    sign: str
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """a + b, a < b, a and b. at: where the sign stands."""

    at: int
    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Argument:
    """A value in a call, with its name where one is written."""

    at: int
    name: str | None
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    """rsi(close, period=14)."""

    at: int
    name: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """macd(close).signal. at: where the name of the output stands."""

    at: int
    value: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Before:
    """close[1]. at: where the bracket stands."""

    at: int
    value: "Expression"
    bars: "Expression"


Expression = Number | Word | Name | Unary | Binary | Call | Part | Before


def start(node: Expression) -> int:
    """Where the first character of an expression stands, brackets around it aside."""
    while True:
        match node:
            case Binary(left=inner) | Part(value=inner) | Before(value=inner):
                node = inner
            case _:
                return node.at


@dataclass(frozen=True, slots=True)
class Range:
    """param fast = 12 [2 .. 200 step 2]. whole: only whole numbers, as its numbers are written without a point."""

    at: int
    name: str
    default: float
    low: float
    high: float
    step: float
    whole: bool

    def told(self, value: float) -> str:
        """A number of this range as text."""
        return f"{value:.0f}" if self.whole else f"{value:.12g}"


@dataclass(frozen=True, slots=True)
class Let:
    """trend = ema(close, 200)."""

    at: int
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Rule:
    """entry: close > trend. label: one of RULES."""

    at: int
    label: str
    value: Expression


RULES = {
    "entry": "buy when this becomes true",
    "exit": "sell what was bought when this is true",
    "short": "sell short when this becomes true",
    "cover": "buy back what was sold short when this is true",
    "stop": "protective stop: a price, or a constant fraction of the close",
    "target": "take profit: a price, or a constant fraction of the close",
    "trail": "trailing stop, a fraction of the best price since the entry",
    "limit": "enter by a limit order: a price, or a constant fraction better than the close",
    "exposure": "share of the equity to hold, above 0 and at most 1",
}


@dataclass(frozen=True, slots=True)
class Program:
    """A whole formula: either one expression, or rules."""

    ranges: tuple[Range, ...]
    lets: tuple[Let, ...]
    value: Expression | None
    rules: tuple[Rule, ...]
