"""'Alert me when eth drops below 2500' in all its forms."""

import re
from collections.abc import Sequence
from itertools import pairwise

from core.commands.utterance.coins import spoken
from core.commands.utterance.reading import Understood, ask, shown
from core.commands.utterance.vocabulary import words_of
from core.commands.utterance.words import Token
from core.money import plain

HEAD = re.compile(
    r"(?:set |create |add |make |give me |i want |i would like |new )?(?:up )?(?:an? )?(?:price )?"
    r"(alert|alerts|alarm|notification|notify|tell me (?:when|if|once|as soon)|ping|warn|remind|wake|let me "
    r"know|message me|text me|give me a shout|shout)\b"
)
BELOW = frozenset({"below", "under", "beneath", "less", "lower"})
ABOVE = frozenset({"above", "over", "exceeds", "higher", "more", "greater", "past"})
FALLING = frozenset(
    {
        "drops",
        "drop",
        "falls",
        "fall",
        "dips",
        "dip",
        "sinks",
        "sink",
        "crashes",
        "slides",
        "loses",
        "down",
        "dropping",
        "falling",
    }
)
RISING = frozenset(
    {"rises", "rise", "climbs", "climb", "jumps", "pumps", "rallies", "up", "rising", "tops", "surpasses", "gains"}
)

ORDERING = words_of(
    "buy sell purchase buying selling sells buys close dump liquidate exit order orders trade stop start cancel "
    "invest short long"
)
TO_TRADE = re.compile(r"\D+ to (buy|sell)( my| some)? \S+ (at|below|above|under|over) [$\d.,km]+")  # at this price
LATER = words_of(
    "tomorrow tonight later daily weekly hourly monthly monday tuesday wednesday thursday friday saturday sunday "
    "minutes hours days minute hour every am pm noon midnight"
)
PRICED = (
    BELOW
    | ABOVE
    | FALLING
    | RISING
    | words_of("at hits hit reaches reach touches touch crosses cross gets goes is to price = breaks break equals")
)


def telling_only(text: str, coins: Sequence[str | None], words: list[Token]) -> Understood:
    """An alert that was also to trade: alerts only tell, so the alert and the order are offered apart."""
    said = {token.text for token in words}
    name = spoken(coins[0]) if len(coins) == 1 and coins[0] else None
    amounts = [token.amount for token in words if token.amount and token.amount.unit in ("", "quote")]
    selling = bool(said & {"sell", "selling", "sells", "close", "dump", "liquidate", "exit"})
    if name is None:
        return ask("Alerts only tell you; they do not trade. For example: alert me when eth drops below 2500.")
    question = "Alerts only tell you when a price is reached; they do not buy or sell, and nothing is ordered."
    if not amounts or (not said & PRICED and next_is_coin(words)):
        lines = [f"{'sell' if selling else 'buy'} {plain(amounts[0].value)} {name}"] if amounts else []
        return ask(f"{question} At which price of {name.upper()} should I tell you?", *lines)
    level = amounts[0] if len(amounts) == 1 else next((a for a in amounts if a.value >= 1), amounts[0])
    if level.other is not None or level.value <= 0:
        return ask(f"{question} For example: alert {name} below 2500.")
    below = bool(said & (BELOW | FALLING))
    direction = "below" if below else "above" if said & (ABOVE | RISING) else ""
    lines = [f"alert {name} {direction} {plain(level.value)}".replace("  ", " ")]
    if selling:
        price = plain(level.value)
        lines.append(f"put a stop at {price} on {name}" if below else f"sell all my {name} at {price}")
    return ask(question, *lines)


def next_is_coin(words: list[Token]) -> bool:
    """Whether a number stands right before a coin: a number of coins rather than a price."""
    return any(first.amount and second.coin for first, second in pairwise(words))


def alert(text: str, words: list[Token]) -> Understood | None:
    """The alert a sentence asks for; None when it is about something else."""
    if not HEAD.match(text):
        return None
    said = {token.text for token in words}
    if said & {"not", "never", "no", "without", "stop"}:
        return ask("No alert is set. To see your alerts write alerts; to remove one: delete alert 1.")
    coins = list(dict.fromkeys(token.coin for token in words if token.coin))
    amounts = [token.amount for token in words if token.amount]
    if said & ORDERING and not TO_TRADE.fullmatch(text):
        return telling_only(text, coins, words)
    if said & LATER:
        return ask("Alerts watch a price, not the clock. For example: alert me when eth drops below 2500.")
    if not coins:
        return ask("For which coin, and at which price? For example: alert me when eth drops below 2500.")
    if len(coins) > 1:
        return ask("One alert at a time, please: name one coin and one price.")
    name = spoken(coins[0] or "")
    level = [amount for amount in amounts if amount.unit in ("", "quote")]
    if any(amount.unit == "share" for amount in amounts):
        return ask(
            f"Alerts watch a price, not a percentage. At which price of {name.upper()}? For example: alert "
            f"{name} below 2500."
        )
    if len(level) != 1 or len(amounts) != 1:
        return ask(
            f"At which price of {name.upper()}? Write it like this: alert me when eth drops below 2500.",
            expects=f"alert {name} {{}}",
        )
    if not said & PRICED and next_is_coin(words):
        return ask(
            f"At which price of {name.upper()}? Write it like this: alert {name} below 2500.",
            expects=f"alert {name} {{}}",
        )
    if level[0].other is not None:
        return ask(
            f"'{level[0].text}' can be read as {shown(level[0].value)} or as {shown(level[0].other)}. Which "
            f"one do you mean?"
        )
    if level[0].value <= 0:
        return ask("The price of an alert must be above zero.")
    below, above = bool(said & BELOW), bool(said & ABOVE)
    if below == above:
        below, above = bool(said & FALLING), bool(said & RISING)
    if below and above:
        return ask(
            f"Should I tell you when {name.upper()} is above or below {shown(level[0].value)}?",
            f"alert {name} above {plain(level[0].value)}",
            f"alert {name} below {plain(level[0].value)}",
        )
    arguments = {"instrument": coins[0] or ""}
    if below or above:
        arguments["condition"] = "below" if below else "above"
    return Understood("alert", arguments | {"price": plain(level[0].value)})
