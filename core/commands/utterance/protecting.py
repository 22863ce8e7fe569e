"""'Put a stop at 55k on my btc', 'move my stop to 58k', 'protect btc stop 60000 target 70000', 'protect btc off'."""

import re

from core.commands.utterance.coins import QUOTE, spoken
from core.commands.utterance.numbers import Amount
from core.commands.utterance.reading import Understood, ask, shown
from core.commands.utterance.vocabulary import words_of
from core.commands.utterance.words import Token
from core.money import plain

HEADS = words_of(
    "put set stop add place take sl tp move target create attach protect guard change raise lower update lift shift "
    "remove delete cancel drop clear trail trailing stoploss stop-loss take-profit unprotect"
)
REMOVING = words_of("remove delete cancel drop clear lift unprotect")
SETTING = words_of("put set add place create attach move change raise lower update")
MOVING = words_of("move change raise lower update shift")
KIND = re.compile(
    r"(?P<trail>\btrail(?:ing)?(?: stop)?(?:[ -]loss)?\b)|(?P<stop>\b(?:stop[ -]?loss(?:es)?|stops?(?: orders?)?|sl)\b)"
    r"|(?P<target>\b(?:take[ -]?profit|tp|targets?|profit target)\b)"
)
ANEW = re.compile(
    r"(?:move|change|update|shift) (?:my |the )?(?:stop[ -]?loss|stop|sl|take[ -]?profit|tp|target) [$\d]\S*"
)  # 'move stop 55k': a price; 'raise my stop 1000' may be a distance
SMALL = HEADS | words_of(
    "a an the my our me at of to for on in is it's with and , price position positions coin coins all whole entire "
    "holdings order loss losses stops targets orders profit away off its new from under protection it"
)
EXAMPLE = "put a stop at 55000 on btc"


def protection(words: list[Token]) -> Understood | None:
    """The protection a sentence sets, moves or removes; a question where that is open; None for all else."""
    texts = [token.text for token in words]
    if texts[0] not in HEADS:
        return None
    joined = " ".join(texts)
    kinds = [match.lastgroup or "" for match in KIND.finditer(joined)]
    coins = list(dict.fromkeys(token.coin for token in words if token.coin))
    amounts = [
        token.amount for place, token in enumerate(words) if token.amount and not moved_from(texts, words, place)
    ]
    protecting = texts[0] in ("protect", "guard", "unprotect") or "protection" in texts
    if (not kinds and not protecting) or (joined.startswith("stop ") and "loss" not in texts and not coins):
        return None  # 'stop 1 and 2' is about strategies
    removing = texts[0] in REMOVING or texts[-1] in ("off", "away")
    if not amounts and not removing and not protecting and not (coins and texts[0] in SETTING):
        return None
    left = [token.text for token in words if token.text not in SMALL and not token.amount and not token.coin]
    if left and not kinds and texts[0] not in ("protect", "guard"):
        return None
    if left:
        return ask(f"I am not sure about '{' '.join(left[:5])}' in that. For example: {EXAMPLE}.")
    if len(coins) > 1:
        return ask(f"One coin at a time, please. For example: {EXAMPLE}.")
    arguments = {"instrument": coins[0]} if coins and coins[0] else {}
    name = spoken(coins[0]) if coins and coins[0] else "btc"
    if removing:
        if amounts or len(set(kinds)) > 1:
            return ask(f"What should be removed? For example: remove my stop on {name}, or protect {name} off.")
        return Understood("protect", arguments | {"remove": kinds[0] if kinds else "all"})
    if not amounts:
        if kinds:
            return ask(f"At which price? For example: protect {name} {kinds[0]} 55000.")
        return Understood("protect", arguments)
    if texts[0] in MOVING and not ANEW.fullmatch(joined) and not {"to", "at"} & set(texts):
        return ask(f"To which price? For example: move my stop on {name} to 58000.")
    return priced(arguments, kinds, amounts, name)


def priced(arguments: dict[str, str], kinds: list[str], amounts: list[Amount], name: str) -> Understood:
    """The kinds paired with their prices, in the order in which they were said."""
    if len(kinds) != len(amounts) or len(set(kinds)) != len(kinds):
        return ask(
            f"Please give one price in {QUOTE} for each, for example: put a stop at 55000 on {name}, or "
            f"protect {name} stop 55000 target 75000."
        )
    for kind, amount in zip(kinds, amounts, strict=True):
        if amount.other is not None:
            return ask(
                f"'{amount.text}' can be read as {shown(amount.value)} or as {shown(amount.other)}. Which one do you "
                "mean?"
            )
        if amount.unit not in (("share",) if kind == "trail" else ("", "quote")):
            wanted = "a share, for example: trail 5%" if kind == "trail" else f"a price in {QUOTE}: {kind} 55000"
            return ask(f"Please give the {kind} as {wanted}.")
        if amount.value <= 0:
            return ask("A price must be above zero.")
        arguments[kind] = plain(amount.value)
    order = ("instrument", "stop", "target", "trail")
    return Understood("protect", {each: arguments[each] for each in order if each in arguments})


def moved_from(texts: list[str], words: list[Token], place: int) -> bool:
    """Whether the amount is where something is moved from: 'from 55k to 58k'."""
    return place > 0 and texts[place - 1] == "from" and any(token.amount for token in words[place + 1 :])
