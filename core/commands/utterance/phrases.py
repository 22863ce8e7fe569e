"""Sentence templates: "[what is the] price of {instrument}" as a pattern with slots.

A word stands for itself, [words] may be left out, (one|other) is a choice, {slot} takes a value:
{instrument} a known coin, {ticker} any word that could be one, {order} a number, {timeframe}, {period}, {strategy},
{concept} a word that help explains, {venue} a well-known venue, {words},
{side} buy or sell, {size:quantity} an amount of coins;
{order=all} takes no words and gives the argument that value.
"""

import re
from functools import cache

from core.commands.utterance.coins import coin, ticker
from core.commands.utterance.numbers import ONES
from core.commands.utterance.periods import period_in
from core.commands.utterance.studies import strategy_in
from core.commands.utterance.vocabulary import words_of
from core.commands.utterance.words import timeframe, tokens
from core.money import plain

SLOTS = {
    "instrument": r"[a-z0-9:/_\-]+", "ticker": r"[a-z0-9:/_\-]+", "order": r"#?(?:\d{1,9}|" + "|".join(ONES) + ")",
    "timeframe": r"[a-z0-9]+", "period": r"[a-z0-9\- ]+?", "strategy": r"[a-z_\- &]+?", "words": r".+?",
    "venue": "binanceus|binance|kucoin|coinbase|kraken|bybit|okx|bitfinex|bitstamp|gemini|gate|htx|mexc|bitget|sandbox",
    "side": r"buying|buy|purchase|selling|sell",
    "size": r"[0-9][0-9.,_]*k?|" + "|".join(ONES),
    "concept": r"limits?|stops?|stop loss|targets?|take profit|market "
    r"order|paper|simulated|sandbox|slippage|fees?|costs|previews?",
}  # fmt: skip
FIXED = "is_"
NAMES = {"ticker": "instrument", "words": "topic", "concept": "topic"}
PART = re.compile(r"\{(\w+)(?::(\w+))?\}|\{(\w+=\w+)\}|([\[\](|)])|([^\s\[\](|){}]+)")


@cache
def pattern(template: str) -> re.Pattern[str]:
    """The template as a regular expression over a line whose words end in one space."""
    built = []
    for slot, name, fixed, mark, word in PART.findall(template):
        if slot:
            built.append(rf"(?P<{name or NAMES.get(slot, slot)}__{slot}>{SLOTS[slot]})[ ]")
        elif fixed:
            argument, _, value = fixed.partition("=")
            built.append(f"(?P<{argument}__{FIXED}{value}>)")
        elif mark:
            built.append({"[": "(?:", "]": ")?", "(": "(?:", "|": "|", ")": ")"}[mark])
        else:
            built.append(re.escape(word) + "[ ]")
    return re.compile("".join(built))


def matched(template: str, text: str) -> dict[str, str] | None:
    """The canonical values of the slots if the text is such a sentence; None when it is not."""
    found = pattern(template).fullmatch(text + " ")
    if not found:
        return None
    values = {}
    for group, raw in found.groupdict().items():
        if raw is None:
            continue
        name, _, slot = group.partition("__")
        value = converted(slot, raw.strip())
        if value is None:
            return None
        values[name] = value
    return values


def converted(slot: str, raw: str) -> str | None:
    """The slot's text in canonical form; None when it is no such thing."""
    if slot.startswith(FIXED):
        return slot.removeprefix(FIXED)
    match slot:
        case "instrument":
            return coin(raw)
        case "ticker":
            return None if raw in COMMON else ticker(raw)
        case "order":
            raw = raw.lstrip("#")
            return str(ONES[raw]) if raw in ONES else raw
        case "side":
            return "sell" if raw.startswith("sell") else "buy"
        case "size":
            amounts = [token.amount for token in tokens(raw)]
            only = amounts[0] if len(amounts) == 1 else None
            plainly = only is not None and only.unit == "" and only.other is None
            return plain(only.value) if only is not None and plainly else None
        case "timeframe":
            return timeframe(raw)
        case "period":
            named = {
                "today": "today",
                "yesterday": "yesterday",
                "this week": "this week",
                "this month": "this month",
                "this year": "this year",
            }
            if raw in named:
                return named[raw]
            taken = period_in(raw)
            return taken[0] if taken and not taken[1].strip() else None
        case "strategy":
            named_strategy = strategy_in(raw)
            return named_strategy[0] if named_strategy and not named_strategy[1].strip() else None
        case _:
            return raw


COMMON = words_of(
    "up down it this that they going the a my your life love time day weather news help you me i we he she "
    "there here all everything "
    "wrong new happening market markets crypto coins things good bad today now"
)
