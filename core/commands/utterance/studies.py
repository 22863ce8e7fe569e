"""Charts, backtests and starting strategies in plain words."""

import re
from collections.abc import Callable

from core.commands.utterance.coins import ticker
from core.commands.utterance.periods import period_in
from core.commands.utterance.reading import Understood, ask, shown
from core.commands.utterance.vocabulary import words_of
from core.commands.utterance.words import Token
from core.money import plain

Tokenise = Callable[[str], list[Token]]

STRATEGIES = (
    (
        "sma_cross",
        r"sma[ _-]?cross(?:over)?|moving average cross(?:over)?|golden cross|simple moving average(?: "
        r"cross(?:over)?)?|sma",
    ),
    ("ema_cross", r"ema[ _-]?cross(?:over)?|exponential moving average(?: cross(?:over)?)?|ema"),
    ("rsi_reversion", r"rsi[ _-]?(?:mean[ _-])?reversion|rsi|mean reversion"),
    ("bollinger_breakout", r"bollinger(?:[ _-]bands?)?[ _-]?breakout|bollinger(?: bands?)?|bb"),
    ("donchian", r"donchian(?:[ _-](?:channel|breakout))*|turtles?"),
    ("macd", r"macd(?:[ _-]cross(?:over)?)?"),
    ("rsi_limit", r"rsi[ _-]limits?"),
    ("trend_pullback", r"trend[ _-]pullbacks?|pullbacks?"),
    ("grid", r"grid(?:[ _-](?:trading|bot))?"),
    ("dca", r"dca|dollar[ -]cost[ -]averag(?:e|ing)"),
    ("momentum_rotation", r"momentum[ _-]rotation|rotation"),
    ("buy_and_hold", r"buy[ _-](?:and|&|n)[ _-]hold|hodl|holding|hold"),
)
FILE = re.compile(r"(?<!\S)(?:strategy=)?([^\s=]+\.py(?::\w+)?)(?=[,;.!?]*(?:\s|$))")
PAIR = re.compile(r"([a-z][a-z0-9_]*)=(\S+)")
SMALL = words_of(
    "a an the my me on in with for of over using to and strategy strategies bot please run try now at "
    "timeframe bars candles candle chart it "
    "how would have done do did has been , show backtest test simulate start launch trade trading capital "
    "cash money crossover cross on"
)


def strategy_in(text: str) -> tuple[str, str] | None:
    """The strategy named in the text, and the text without it."""
    found: tuple[int, int, int, str] | None = None
    for name, pattern in STRATEGIES:
        match = re.search(rf"(?<![\w=])(?:{pattern})(?![\w=])", text)
        if match:
            rank = (match.start(), -(match.end() - match.start()), match.end(), name)
            found = rank if found is None or rank < found else found
    if found is None:
        return None
    start, _, end, name = found
    return name, f"{text[:start]} {text[end:]}"


def file_in(line: str) -> tuple[str, str] | None:
    """The file of a strategy that the line names, in its own letter case, and the line without it."""
    match = FILE.search(line)
    return (match[1], f"{line[: match.start()]} {line[match.end() :]}") if match else None


def pairs_in(text: str) -> tuple[dict[str, str], str]:
    """The name=value pairs, and the text without them."""
    text = re.sub(r"\s*=\s*", "=", text)
    return {match[1]: match[2].rstrip(",;") for match in PAIR.finditer(text)}, PAIR.sub(" ", text)


# A period written as the command takes it: 30d, 6mo, 1y, 2024, 2024-01-01..2024-06-30; 1d, 3d and 1w are timeframes.
WRITTEN = re.compile(r"(?<!\S)(?!(?:1d|3d|1w)(?!\S))(\d{1,4}(?:d|w|mo|y)|20\d\d(?:-\d\d-\d\d(?:\.\.\S*)?)?)(?!\S)")


def span_in(text: str) -> tuple[dict[str, str], str]:
    """The period that the text names, as an argument, and the text without it."""
    if taken := period_in(text):
        return {"period": taken[0]}, taken[1]
    if match := WRITTEN.search(text):
        return {"period": match[1]}, f"{text[: match.start()]} {text[match.end() :]}"
    return {}, text


def backtest(text: str, tokenise: Tokenise, strategy: str = "") -> Understood:
    """'backtest rsi on eth 1h fast=10 last year'; strategy: the file that the sentence names."""
    pairs, rest = pairs_in(re.sub(r"^\S+", "", text))
    if strategy:
        pairs["strategy"] = strategy
    arguments, rest = span_in(rest)
    return study("backtest", rest, tokenise, arguments, pairs)


def start(text: str, tokenise: Tokenise, strategy: str = "") -> Understood:
    """'start sma cross on btc 1h with 2000 dollars'; strategy: the file that the sentence names."""
    if re.search(r"\b(not|never|no|if|when|once|unless|tomorrow|later)\b", text):
        return ask("No strategy is started. To start one: start sma_cross on btc 1h with 2000.")
    pairs, rest = pairs_in(re.sub(r"^\S+", "", text))
    if strategy:
        pairs["strategy"] = strategy
    return study("start", rest, tokenise, {}, pairs)


def is_cash(unit: str, before: str) -> bool:
    """Whether a number is the money to trade with: it has a currency, or 'with' stands before it."""
    return unit == "quote" or (unit == "" and before in ("with", "using", "of", "cash", "capital"))


def study(command: str, rest: str, tokenise: Tokenise, found: dict[str, str], pairs: dict[str, str]) -> Understood:
    """The command about one strategy on one instrument."""
    arguments: dict[str, str] = {}
    if "strategy" in pairs:
        arguments["strategy"] = pairs.pop("strategy")
    elif named := strategy_in(rest):
        arguments["strategy"], rest = named
    left: list[str] = []
    words = tokenise(rest)
    for position, token in enumerate(words):
        if token.coin and "instrument" not in arguments:
            arguments["instrument"] = token.coin
        elif token.coin:
            return ask("One coin at a time, please.")
        elif token.timeframe and "timeframe" not in arguments:
            arguments["timeframe"] = token.timeframe
        elif (
            token.amount
            and "cash" not in arguments
            and is_cash(token.amount.unit, words[position - 1].text if position else "")
        ):
            if token.amount.other is not None:
                return ask(
                    f"'{token.amount.text}' can be read as {shown(token.amount.value)} or as "
                    f"{shown(token.amount.other)}. Which one do you mean?"
                )
            arguments["cash"] = plain(token.amount.value)
        elif token.text not in SMALL:
            before = words[position - 1].text if position else ""
            if before in ("on", "for") and "instrument" not in arguments and (symbol := ticker(token.text)):
                arguments["instrument"] = symbol
            elif not left and "strategy" not in arguments and re.fullmatch(r"[a-z][a-z0-9_]*", token.text):
                arguments["strategy"] = token.text
            else:
                left.append(token.text)
    if left:
        example = "start sma_cross on btc 1h with 2000" if command == "start" else f"{command} rsi on eth 1h last year"
        return ask(f"I am not sure about '{' '.join(left[:5])}' in that. For example: {example}.")
    order = ("strategy", "instrument", "timeframe", "cash", "period")
    merged = arguments | found | pairs
    return Understood(
        command,
        {name: merged[name] for name in order if name in merged}
        | {name: value for name, value in merged.items() if name not in order},
    )


UNSAID = words_of("volume volumes indicator indicators line lines its added overlay overlaid below period length")
CHART = re.compile(r"\b(charts?|candles?|candlesticks?|graph|plot|draw)\b")
INDICATOR = re.compile(
    r"\b(rsi|ema|sma|macd|bollinger(?: bands?)?|bb|atr|moving average|stochastic)s?\b(?: ?\(?(\d{1,3})(?![\da-z])\)?"
    r"(?: ?(?:and|,|/|&) ?(\d{1,3})(?![\da-z]))?)?"
)


def drawn_too(text: str, tokenise: Tokenise) -> tuple[list[str], str, str]:
    """The indicators of the catalogue named after 'with', the text without them, and the first that is none."""
    from core.indicators import catalogue

    before, found, after = text.partition(" with ")
    named: list[str] = []
    kept: list[str] = []
    for part in re.split(r",|&|\band\b|\bplus\b", after) if found else ():
        words, length = [], ""
        for token in tokenise(part):
            if token.coin or token.timeframe:
                kept.append(token.text)
            elif token.amount is not None and token.text.isdigit():
                length = token.text
            elif token.text not in SMALL and token.text not in UNSAID:
                words.append(token.text)
        name = "_".join(words).replace("-", "_")
        known = next((each for each in (name, name.removesuffix("s")) if each in catalogue()), None)
        if name and known is None:
            return [], text, " ".join(words)
        if known:
            named.append(f"{known}:{length}" if length else known)
    return named, f"{before} {' '.join(kept)}", ""


def chart(text: str, tokenise: Tokenise) -> Understood | None:
    """'show me a 4h chart of eth with rsi and ema 20'; None when no chart is asked for."""
    if not CHART.search(text) or re.search(r"\b(buy|sell|not|never)\b", text):
        return None
    indicators = []
    pairs, rest = pairs_in(text)
    for match in INDICATOR.finditer(rest):
        name = {"moving average": "sma", "bb": "bollinger"}.get(match[1], match[1].split()[0])
        indicators += [f"{name}{length}" for length in match.groups()[1:] if length] or [name]
    rest = INDICATOR.sub(" ", rest)
    others, rest, unknown = drawn_too(rest, tokenise)
    if unknown:
        return ask(f"I cannot draw '{unknown[:30]}'. The indicators are listed by: indicators.", "indicators")
    indicators += others
    arguments: dict[str, str] = {}
    if taken := period_in(rest):
        rest = taken[1]
    previous = ""
    for token in tokenise(rest):
        if token.coin and "instrument" not in arguments:
            arguments["instrument"] = token.coin
        elif token.timeframe and "timeframe" not in arguments:
            arguments["timeframe"] = token.timeframe
        elif (
            previous in ("of", "for", "chart")
            and "instrument" not in arguments
            and token.text not in SMALL
            and (symbol := ticker(token.text))
        ):
            arguments["instrument"] = symbol
        elif re.fullmatch(r"\d+[a-z]{1,7}", token.text) and not token.coin:
            return ask(
                f"'{token.text[:20]}' is not a timeframe. Choose one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w, "
                "for example: chart btc 4h."
            )
        previous = token.text
    if "instrument" not in arguments and "instrument" not in pairs:
        return ask("A chart of which coin? For example: chart btc 4h.", "chart btc", "chart eth 4h", expects="chart {}")
    if indicators:
        arguments["indicators"] = ",".join(dict.fromkeys(indicators))
    return Understood("chart", arguments | pairs)
