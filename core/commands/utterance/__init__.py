"""From what people write to a command: `understand("buy 0.1 btc at 60k")`. Deterministic; no model is asked."""

import re

from core.commands import parsing
from core.commands.registry import Registry
from core.commands.registry import registry as all_commands
from core.commands.utterance import alerting, beyond, composing, orders, phrases, protecting, studies, trials
from core.commands.utterance.reading import Understood, ask
from core.commands.utterance.words import LONGEST, Token, normal, tidy, timeframes_joined
from core.commands.utterance.words import tokens as tokenise
from core.errors import AppError
from core.money import plain

__all__ = ["Understood", "understand"]

# A formula is kept as it is written: '(save|check|show|remove) [my] formula [called] …' is 'formula save …'.
FORMULA = re.compile(
    r"(?:(?:please|can you|could you) )*(save|replace|check|show|remove|delete)(?: me)?(?: (?:a|an|the|my|this))?"
    r"(?: new)? formula:?(?: (?:called|named|as))?\s+(.+)",
    re.IGNORECASE | re.DOTALL,
)
INLINE = re.compile(r"['\"]formula:", re.IGNORECASE)
STUDY = re.compile(r"(backtest|back-test|simulate|test|try|how would)\b")
PAID = re.compile(r"(?:spend|invest|put) (.+?) (?:on|in|into) (\S+)(.*)$")
AT_ONCE = {"panic"}  # acts before it asks: only the word itself, said and not asked, does it
RESET = re.compile(r"(?:reset|restart) (?:(?:my |the )?(?:paper )?(?:account|balance|money) )?(?:to|with) .+")
SPAN = re.compile(r"(?:my )?(?:profit|pnl|p&l) (?:(?:for|of) )?(?:the )?(day|week|month|year)")
START = re.compile(r"(start|run|launch|activate|deploy|trade|begin)\b")


def understand(text: str, registry: Registry | None = None) -> Understood:
    """What the text means. Never raises for any text: what cannot be read becomes a question, or nothing at all."""
    registry = registry or all_commands()
    line = tidy(text)
    if len(line) > LONGEST:
        return ask(f"That is {len(line):,} characters long; I read up to {LONGEST:,} at once. Please say it shorter.")
    if not line or not any(character.isalnum() for character in line):
        return Understood()
    slash, bare = line.startswith("/"), line.lstrip("/")
    if not bare:
        return Understood()
    if match := FORMULA.fullmatch(bare):
        slash, bare = True, f"formula {match[1].lower()} {match[2]}"
    head = bare.split()[0].partition("@")[0]
    known = registry.find(head)
    if known is None:
        return unnamed(registry, bare, slash, head)
    if known.name in composing.NAMES:
        try:
            command, arguments = parsing.parse(registry, composing.paired(known, bare))
            return Understood(command.name, arguments)
        except AppError as wrong:
            return ask(wrong.sentence())
    if parsing.takes_verbatim(known) or INLINE.search(bare):
        slash = True  # what follows is a formula, not a sentence
    if slash or (re.search(r"\S=\S", bare) and head.lower() not in trials.WORDS):
        try:
            command, arguments = parsing.parse(registry, bare)
            return Understood(command.name, arguments)
        except AppError as wrong:
            words = f"{known.name} {bare.partition(' ')[2]}" if slash else bare
            read = sentence(words, registry)
            return read if read and (read.command == known.name or read.question) else ask(wrong.sentence())
    read = sentence(bare, registry)
    if read:
        return read
    try:
        command, arguments = parsing.parse(registry, bare)
        return Understood(command.name, arguments)
    except AppError as wrong:
        return ask(wrong.sentence())


def unnamed(registry: Registry, bare: str, slash: bool, head: str) -> Understood:
    """A line whose first word is no command: a sentence, a misspelt command, or nothing known."""
    read = None if slash else sentence(bare, registry)
    if read:
        return read
    corrected = spelled(head, registry)
    if corrected:
        again = understand(corrected + bare[len(bare.split()[0]) :], registry)
        if again.command or again.question:
            return again
    if slash:
        near = registry.suggestions(head)
        hint = (
            f"Did you mean {' or '.join('/' + each for each in near)}?" if near else "Write help to see what I can do."
        )
        return ask(f"There is no command /{head[:40]}. {hint}", *near)
    return Understood()


def spelled(head: str, registry: Registry) -> str | None:
    """The command word that one slip of the finger turned into this, if there is exactly one."""
    head = head.lower()
    if len(head) < 3 or not head.isalpha():
        return None
    words = {word for word in registry.words() if len(word) >= 3 and word not in AT_ONCE} | {
        "buy",
        "sell",
        "show",
        "what",
        "alert",
        "delete",
    }
    near = [word for word in words if slip(head, word)]
    if len(near) > 1:
        near = [word for word in near if sorted(word) == sorted(head)] or near
    return near[0] if len(near) == 1 else None


def slip(first: str, second: str) -> bool:
    """Whether one letter is missing, added, wrong, or swapped with its neighbour."""
    if first == second or abs(len(first) - len(second)) > 1:
        return False
    at = next(
        (place for place, (one, two) in enumerate(zip(first, second, strict=False)) if one != two),
        min(len(first), len(second)),
    )
    one, two = first[at:], second[at:]
    if one[1:] == two or one == two[1:]:
        return True
    if one[1:] == two[1:]:
        return len(first) > 3 or at > 0  # in a word of three letters the first one stands
    return len(one) > 1 and len(two) > 1 and one[0] == two[1] and one[1] == two[0] and one[2:] == two[2:]


def sentence(line: str, registry: Registry) -> Understood | None:
    """The reading of a plain sentence; None when it is none that I know."""
    if (filed := studies.file_in(line)) and (found := with_file(*filed)):
        return found
    whole = timeframes_joined(normal(line).strip())
    text = re.sub(r"[\s.!?…,;]+$", "", whole)
    stripped = without_manners(text)
    for form in dict.fromkeys((text, stripped)):
        for command in registry.commands:
            for template in command.phrases:
                values = phrases.matched(template, form)
                if values is not None:
                    if command.name in AT_ONCE and whole.endswith("?"):
                        return ask("That is a question, so nothing is stopped. To stop everything at once:", "panic")
                    return Understood(command.name, values)
    words = tokenise(stripped)
    if not words:
        return None
    if found := trials.kept(stripped) or trials.trial(stripped, tokenise):
        return found
    if found := amended(stripped, words):
        return found
    texts = [token.text for token in words]
    if found := beyond.beyond(stripped):
        return found
    if found := alerting.alert(stripped, words):
        return found
    if found := trade(stripped, words, texts):
        return found
    if found := studies.chart(stripped, tokenise):
        return found
    if STUDY.match(stripped) and (texts[0] in ("backtest", "back-test") or studies.strategy_in(stripped)):
        return studies.backtest(stripped, tokenise)
    if START.match(stripped) and (texts[0] == "start" or studies.strategy_in(stripped)):
        return studies.start(stripped, tokenise)
    if len(words) == 1 and words[0].coin:
        return Understood("price", {"instrument": words[0].coin})
    return trials.reading(stripped, tokenise)


def amended(text: str, words: list[Token]) -> Understood | None:
    """'reset to 5000', and what to say instead of 'profit week'; None for everything else."""
    cash = words[-1].amount if RESET.fullmatch(text) and words[-2].text in ("to", "with") else None
    if cash and cash.unit in ("", "quote") and cash.other is None:
        return Understood("reset", {"cash": plain(cash.value)})
    if span := SPAN.fullmatch(text):
        lines = {
            "day": ("profit today", "profit yesterday"), "week": ("profit this week", "profit 7d"),
            "month": ("profit this month", "profit 30d"), "year": ("profit this year", "profit 1y"),
        }[span[1]]  # fmt: skip
        return ask(f"Which {span[1]}?", *lines)
    return None


def with_file(name: str, rest: str) -> Understood | None:
    """The backtest or start of a strategy of the user's own; None when the rest of the sentence is neither."""
    text = without_manners(re.sub(r"[\s.!?…,;]+$", "", timeframes_joined(normal(rest).strip())))
    if found := trials.trial(text, tokenise, name):
        return found
    if STUDY.match(text):
        return studies.backtest(text, tokenise, name)
    if START.match(text):
        return studies.start(text, tokenise, name)
    return None


def trade(text: str, words: list[Token], texts: list[str]) -> Understood | None:
    """The order, or the question about one; None when the sentence is not about trading."""
    if text.startswith(("get rid of ", "cash out ")):
        text = "liquidate " + text.split(" ", 3 if text.startswith("get") else 2)[-1]
        words = tokenise(text)
        texts = [token.text for token in words]
    if paid := PAID.match(text):
        sums = tokenise(paid[1])
        if len(sums) == 1 and sums[0].amount and sums[0].amount.unit in ("", "quote"):
            text = f"buy {paid[1]} worth of {paid[2]}{paid[3]}"
            words = tokenise(text)
            texts = [token.text for token in words]
    if texts[0] in ("short", "swap", "convert", "exchange") or texts[:2] == ["go", "short"]:
        return ask("I buy and sell coins for USDT, nothing else yet. For example: sell 0.1 eth, then buy $200 of btc.")
    if re.match(r"(?:back-?test|start|run|simulate|test|how would)\b", text) and studies.strategy_in(text):
        return None
    if texts[0] not in protecting.HEADS and not (
        set(texts) & orders.SURE or texts[0] in orders.VERBS or {"buying", "selling"} & set(texts)
    ):
        return None
    if set(texts) & orders.SURE or {"buying", "selling"} & set(texts):
        refused = orders.refusal(text, words)
        if refused:
            return refused
    elif texts[0] in orders.VERBS:
        if studies.CHART.search(text) or not any(token.coin or token.amount for token in words):
            return None
        refused = orders.refusal(text, words)
        if refused:
            return refused
    else:
        return protecting.protection(words)
    if words[0].text not in orders.VERBS:
        return ask(
            "I am not sure whether that is an order, so nothing is ordered. Say it like this: buy 0.1 btc, "
            "or sell half my eth."
        )
    return orders.order(text, words)


def without_manners(text: str) -> str:
    """The text without 'please', 'could you' and the like around it."""
    previous = None
    while previous != text:
        previous = text
        text = orders.TAIL.sub("", orders.LEAD.sub("", text, count=1) if orders.LEAD.match(text) else text).strip()
    return text
