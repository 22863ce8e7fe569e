"""Composite orders as they are said: 'oco sell 0.1 btc target 70000 stop 55000', with or without signs of equality."""

import re

from core.commands.registry import Command

NAMES = frozenset({"oco", "trail", "stoplimit", "bracket", "iceberg", "twap", "vwap", "ladder", "grid"})
FILLERS = frozenset({"of", "a", "an", "my", "the", "and", "with", "for", "please"})
SAME = {"at": "limit", "from": "from", "trailing": "by", "per": "slices"}  # words for a parameter; the first one known
MONEY = re.compile(r"\$(\d[\d,._]*[km]?)$", re.IGNORECASE)
AMOUNT = re.compile(r"[\d.][\d,._]*[km]?$", re.IGNORECASE)
SHARE = re.compile(r"[\d.][\d.,]*%$")
BARE = {"oco": ("target", "stop"), "trail": ("by",)}  # what further numbers are, when there are as many
SHARES = {"all": "1", "half": "0.5", "everything": "1"}


def paired(command: Command, line: str) -> str:
    """The line with every named value as name=value, and side, coin and amount in the order of the parameters."""
    words = line.split()[1:]
    known = {each.name for each in command.parameters}
    loose: list[str] = []
    named: list[str] = []
    while words:
        word = words.pop(0)
        lower = word.lower()
        name = lower if lower in known else SAME.get(lower, "")
        name = "target" if lower == "at" and command.name == "oco" else name
        name = "price" if name == "limit" and "limit" not in known else name
        if "=" in word or not word:
            named.append(word)
        elif name in known and words and lower not in ("buy", "sell") and "=" not in words[0]:
            named.append(f"{name}={words.pop(0)}")
        elif match := MONEY.fullmatch(word):
            named.append(f"spend={match[1]}")
        elif lower in SHARES and "fraction" in known:
            named.append(f"fraction={SHARES[lower]}")
        elif lower not in FILLERS:
            loose.append(word)
    amounts = [word for word in loose if AMOUNT.fullmatch(word)]
    others = [word for word in loose if word not in amounts]
    bare = BARE.get(command.name, ())
    if command.name == "trail" and not any(each.startswith("by=") for each in named):
        shares = [word for word in others if SHARE.fullmatch(word)]
        others = [word for word in others if word not in shares]
        amounts += shares
    sized = any(each.startswith(("fraction=", "spend=", "quantity=")) for each in named)
    first = 0 if sized else 1
    if len(amounts) == first + len(bare) and not any(
        each.startswith(tuple(f"{name}=" for name in bare)) for each in named
    ):
        named += [f"{name}={amount}" for name, amount in zip(bare, amounts[first:], strict=True)]
        amounts = amounts[:first]
    return " ".join([command.name, *others, *amounts, *named])
