"""'Alert me when eth drops below 2500' in all its forms."""

import re

from core.commands.utterance.coins import spoken
from core.commands.utterance.reading import Understood, ask, shown
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


def alert(text: str, words: list[Token]) -> Understood | None:
    """The alert a sentence asks for; None when it is about something else."""
    if not HEAD.match(text):
        return None
    said = {token.text for token in words}
    if said & {"not", "never", "no", "without", "stop"}:
        return ask("No alert is set. To see your alerts write alerts; to remove one: delete alert 1.")
    coins = list(dict.fromkeys(token.coin for token in words if token.coin))
    amounts = [token.amount for token in words if token.amount]
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
