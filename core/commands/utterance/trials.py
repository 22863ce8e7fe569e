"""Searches, proofs, kept results and single indicators in plain words."""

import re

from core.commands.utterance.numbers import ONES
from core.commands.utterance.reading import Understood, ask
from core.commands.utterance.studies import SMALL, Tokenise, pairs_in, span_in, strategy_in, study
from core.commands.utterance.vocabulary import words_of

PREFIX = r"(?:(?:run|do|make|perform|show me|give me) )?(?:(?:an?|the|my) )?"
BEST = (
    r"(?:best|optimal|ideal|right|good) (?:settings|parameters|params|values|lengths)"
    r"(?: (?:for|of|to use (?:for|with)|with))?"
)
# Beginnings of a sentence, and the command about a strategy that they mean.
HEADS = tuple(
    (command, re.compile(rf"{pattern}(?: (?:of|for|on|over|with))?(?= |$)"))
    for command, pattern in (
        ("sweep", rf"{PREFIX}(?:(?:parameter|grid) )?(?:sweeps?|grid search)"),
        ("optimize", rf"{PREFIX}(?:optimi[sz]e|optimi[sz]ation|optimi[sz]ing|tune|fine-?tune)"),
        ("optimize", rf"(?:(?:find|search|look for|get|give|tell|show)(?: me)? )?(?:what (?:is|are) )?(?:the )?{BEST}"),
        ("walkforward", rf"{PREFIX}(?:walk[ -]?forwards?|wf)(?: (?:test|analysis))?"),
        ("montecarlo", rf"{PREFIX}(?:monte[ -]?carlo|mc)(?: (?:test|simulation|analysis))?"),
        ("causality", rf"{PREFIX}(?:causality|look-?ahead)(?: (?:test|check|proof))?"),
    )
)
SETTINGS = re.compile(
    r"(?:try|test|back-?test|run|sweep) (.+?) (?:with|on|over|for|in) (?:(?:lots|a lot|a range|ranges) of )?"
    r"(?:different|other|many|various|all|several|more)(?: (?:the|possible|kinds of))? "
    r"(?:settings|parameters|params|values|lengths)\b(.*)"
)
FUTURE = r"(?:ahead|(?:in|into|to|at)?(?: ?the)? ?future(?: (?:data|bars|prices|candles))?|tomorrow)"
CHEATS = re.compile(
    r"(?:is|are|does|do|can|will|could) (.+?) (?:(?:secretly|really|ever) )?"
    r"(?:cheat(?:s|ing)?|peek(?:s|ing)?|causal|honest|clairvoyant|"
    rf"(?:looks?|looking|sees?|seeing|knows?|knowing|uses?|using) {FUTURE})\b(.*)"
)
PROOF = re.compile(
    r"(?:check|test|prove|does|examine) (?:(?:whether|if|that) )?(.+?) (?:for|has|have|suffers? from) (?:an?y? )?"
    r"(?:cheating|look-?ahead(?: bias)?|peeking|(?:future )?leaks?|causality)\b(.*)"
)
MANY = re.compile(
    r"\b(?:with |in |using )?(\d{1,6}|\d{1,3},\d{3}) (trials|tries|attempts|runs|histories|simulations|paths)\b"
)
METRIC = re.compile(
    r"\b(?:by|for|ranked by|sorted by|maximi[sz]ing|on) (?:the )?(?:best |highest |maximum )?"
    r"(sharpe|sortino|calmar|profit factor|returns?|drawdown)(?: ratios?)?\b"
)
METRICS = {
    "return": "total_return",
    "returns": "total_return",
    "drawdown": "max_drawdown",
    "profit factor": "profit_factor",
}
WORDS = words_of(  # of commands that are read as sentences even with name=value in them
    "sweep optimize optimise walkforward walk-forward wf montecarlo monte-carlo mc causality lookahead"
)
RANKED = ("sweep", "optimize", "walkforward")


def trial(text: str, tokenise: Tokenise, strategy: str = "") -> Understood | None:
    """A sweep, a search, a walk forward, a simulation or a proof; None when the sentence asks for none of these.

    strategy: the file that the sentence names
    """
    if match := SETTINGS.fullmatch(text):
        return about("sweep", f"{match[1]} {match[2]}", tokenise) if strategy_in(match[1]) else None
    for pattern in (CHEATS, PROOF):
        if (match := pattern.fullmatch(text)) and strategy_in(match[1]):
            return about("causality", f"{match[1]} {match[2]}", tokenise)
    for command, head in HEADS:
        if match := head.match(text):
            return about(command, text[match.end() :], tokenise, strategy)
    return None


def about(command: str, rest: str, tokenise: Tokenise, strategy: str = "") -> Understood:
    """The command with what the rest of the sentence says."""
    pairs, rest = pairs_in(rest)
    if strategy:
        pairs["strategy"] = strategy
    if match := MANY.search(rest):
        name = "trials" if match[2] in ("trials", "tries", "attempts") else "runs"
        if name == {"optimize": "trials", "montecarlo": "runs"}.get(command):
            pairs.setdefault(name, match[1].replace(",", ""))
            rest = MANY.sub(" ", rest, count=1)
    if command in RANKED and (match := METRIC.search(rest)):
        pairs.setdefault("metric", METRICS.get(match[1], match[1]))
        rest = METRIC.sub(" ", rest, count=1)
    rest = re.sub(r"\b(?:different|its|best|settings|parameters|params)\b", " ", rest)
    found, rest = span_in(rest)
    return study(command, rest, tokenise, found, pairs)


# -- kept results ----------------------------------------------------------------------------------------------------

KIND = (
    r"(?:results?|back-?tests?|sweeps?|searches|optimi[sz]ations?|walk[ -]?forwards?|monte[ -]?carlos?|simulations?|"
    r"tests?|runs?|ones?)"
)
KINDS = (
    ("back", "backtest"), ("sweep", "sweep"), ("optimi", "optimize"), ("search", "optimize"), ("walk", "walk-forward"),
    ("monte", "monte-carlo"), ("simul", "monte-carlo"),
)  # fmt: skip
COUNT = rf"\d{{1,2}}|{'|'.join(ONES)}"
LOOK = r"(?:(?:show|open|reopen|view|see|give|display|print|get|list)(?: me)? (?:again )?)"
NEWEST = r"(?:last|latest|newest|recent|most recent|previous)"
COMPARE = re.compile(r"(?:compare|contrast)\b(.*)|(?:put|show|see)(?: me)? (.+) side by side")
LAST = re.compile(rf"(?:(?:my|the|our) )?{NEWEST}(?: ({COUNT}))?(?: ({KIND}))?")
NUMBERED = r"(?:result |number )?#?(\d+)"
BETTER = re.compile(
    rf"(?:is|was|are) {NUMBERED} (?:really )?(?:better|worse) than {NUMBERED}|"
    rf"which (?:one )?(?:is|was) (?:really )?better,? {NUMBERED} or {NUMBERED}"
)
BETWEEN = words_of(
    "and with to vs versus against results result number numbers no nr my the backtest backtests of , or"
)
SHOW = re.compile(
    rf"(?:{LOOK}(?:(?:my|the) )?{KIND}|(?:the )?result) (?:(?:number|no|nr) )?#?(\d{{1,9}}|{'|'.join(ONES)})(?: again)?"
)
SHOW_LAST = re.compile(rf"{LOOK}?(?:my|the) {NEWEST} ({KIND})(?: result)?(?: again)?")
EXPORT = re.compile(
    rf"(?:export|download|send|give|save)(?: me)?(?: (?:my|the))?(?: (?:{NEWEST}|({KIND})|number|no|nr))*"
    r" ?#?(\d{1,9})?"
    r"(?: (?:as|to|in|into|for))*(?: (?:an?|the))?"
    r"(?: (html|json|csv|parquet|excel|pdf|docx|xlsx|txt|png|report|file|table))?(?: (?:file|report|format|table))*"
)
LIST = re.compile(
    rf"{LOOK}?(?:all )?(?:of )?(?:(?:my|the) )?(?:(?:{NEWEST}|saved|kept|old|earlier|past) )?({KIND})(?: results)?|"
    rf"results (?:(?:of|for|from) )?(?:(?:my|the|all) )*({KIND})"
)
GONE = re.compile(
    rf"(?:delete|remove|forget|erase|drop) (?:(?:my|the|all|of|old|last) )*{KIND}(?: (?:number |no )?#?(\d+))?"
)


def kept(text: str) -> Understood | None:
    """Kept results listed, shown, compared or sent as a file; None for everything else."""
    if match := BETTER.fullmatch(text):
        return Understood("compare", {"numbers": " ".join(each for each in match.groups() if each)})
    if match := COMPARE.fullmatch(text):
        return compared((match[1] or match[2] or "").strip())
    if match := SHOW.fullmatch(text):
        return Understood("result", {"number": number(match[1])})
    if match := SHOW_LAST.fullmatch(text):
        return Understood("result", {"kind": kind_of(match[1])} if kind_of(match[1]) else {})
    if (match := EXPORT.fullmatch(text)) and (text.startswith("export ") or match[2]):
        form = {"report": "html", "file": "html", "table": "csv"}.get(match[3] or "", match[3])
        kind = kind_of(match[1] or "") if not match[2] else ""
        said = {"number": match[2], "form": form, "kind": kind}
        return Understood("export", {name: value for name, value in said.items() if value})
    if match := GONE.fullmatch(text):
        which = match[1] or "NUMBER"
        return ask(
            f"Results are not removed in a chat. At the terminal: orchestrator results remove {which}.", "results"
        )
    if match := LIST.fullmatch(text):
        word = match[2] or match[1]
        kind = kind_of(word)
        if match[2] or (kind and word.endswith("s")):
            return Understood("results", {"kind": kind} if kind else {})
        return Understood("results") if word == "tests" else None
    return None


def compared(rest: str) -> Understood | None:
    """What stands after 'compare'."""
    if match := LAST.fullmatch(rest):
        count = number(match[1]) if match[1] else "2"
        return Understood("compare", {"numbers": f"last {count} {kind_of(match[2] or '')}".strip()})
    words = re.findall(r"#?\d+|[a-z_]+|\S", rest)
    numbers = [word.lstrip("#") for word in words if re.fullmatch(r"#?\d+", word)]
    if numbers and not [word for word in words if word.lstrip("#") not in numbers and word not in BETWEEN]:
        return Understood("compare", {"numbers": " ".join(numbers)})
    first = strategy_in(rest)
    second = strategy_in(first[1]) if first else None
    if first and second:
        coin = "btc"
        return ask(
            "Two strategies are compared by their results. Test both first, then write compare last 2:",
            f"backtest {first[0]} {coin} 1h", f"backtest {second[0]} {coin} 1h", "compare last 2",
        )  # fmt: skip
    return None


def kind_of(word: str) -> str:
    """The archive's name of what people call it; empty for any."""
    return next((name for beginning, name in KINDS if word.startswith(beginning)), "")


def number(word: str) -> str:
    """'3' of 3 or three."""
    return str(ONES[word]) if word in ONES else word


# -- a single indicator ----------------------------------------------------------------------------------------------

ASKED = words_of(
    "what is show me give the current compute calculate value of for on in at how tell does do has now latest "
    "today please indicator study reading level"
)


def reading(text: str, tokenise: Tokenise) -> Understood | None:
    """'rsi of btc', 'what is the supertrend on eth 4h': one indicator of one coin; None for everything else."""
    from core.indicators import catalogue

    arguments: dict[str, str] = {}
    names: list[str] = []
    for token in tokenise(text):
        if token.coin and "instrument" not in arguments:
            arguments["instrument"] = token.coin
        elif token.timeframe and "timeframe" not in arguments:
            arguments["timeframe"] = token.timeframe
        elif token.amount and token.amount.unit == "" and "period" not in arguments and names:
            arguments["period"] = token.text
        elif token.text not in ASKED and token.text not in SMALL:
            names.append(token.text)
    name = "_".join(names)
    if "instrument" not in arguments or name not in catalogue():
        return None
    if "period" in arguments and "period" not in catalogue()[name].parameters:
        return None
    return Understood("indicator", {"name": name, **arguments})
