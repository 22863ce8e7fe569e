"""Buying and selling in plain words. Whatever is not fully understood becomes a question, never an order."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from core.commands.utterance.coins import QUOTE, spoken, ticker
from core.commands.utterance.numbers import Amount
from core.commands.utterance.reading import Understood, ask, shown
from core.commands.utterance.vocabulary import words_of
from core.commands.utterance.words import Token
from core.money import plain

BUY = frozenset({"buy", "purchase", "acquire", "get", "grab", "long", "bid"})
SELL = frozenset({"sell", "dump", "offload", "unload", "liquidate", "exit", "close"})
SURE = frozenset({"buy", "sell", "purchase"})  # words that mean an order and hardly anything else
VERBS = BUY | SELL

NEGATIONS = frozenset(
    {"not", "never", "no", "nor", "neither", "avoid", "except", "without", "instead", "rather", "stop"}
)
CONDITIONS = frozenset(
    {"if", "when", "once", "unless", "until", "till", "after", "before", "whenever", "while", "as", "should"}
)
SCHEDULES = frozenset(
    {"tomorrow", "tonight", "later", "next", "every", "daily", "weekly", "monthly", "monday", "tuesday", "wednesday",
     "thursday", "friday", "saturday", "sunday", "soon", "yesterday", "minutes", "hours", "days"}
)  # fmt: skip
QUESTIONS = re.compile(
    r"(should|shall|is|are|was|were|did|do|does|would it|could it|what|why|how|when|where|who|which|can "
    r"i|can we|may i|am|"
    r"have|has|must|will it|would you recommend|do you|could i|would i|might)\b"
)
LEAD = re.compile(
    r"((please|pls|plz|hey|hi|hello|ok|okay|yes|yeah|so|then|now|and|just|kindly|quickly|bot|assistant|alright|well|right)\s*,?\s+|"
    r"(i|we) (want|need|wish|would like|would love|have) to |i would like |i (will|am going to) |let us |"
    r"(can|could|would|will) you( please| kindly)? |go ahead and |help me( to)? |"
    r"(place|put in|set|submit|make|create|open)( me)?( an?)?( market| limit| new| paper)?( order)( to| for "
    r"me to)? (?=buy|sell)|"
    r"(limit|market|paper) (order )?(to )?(?=buy|sell))"
)
TAIL = re.compile(
    r"[\s,]*(please|pls|plz|thanks|thank you|thx|cheers|for me|mate|now|right "
    r"now|immediately|asap|okay|ok|today)[.!]*$"
)
FILLER = words_of(
    "me some of the my a an worth position coins coin order on in into holdings out off up amount and , just exactly "
    "about stake bag stack is it's set be"
)
EXAMPLES = {"buy": ("buy 0.1 btc", "buy $500 of btc"), "sell": ("sell 0.1 btc", "sell half my btc")}


@dataclass
class Draft:
    """What has been read of an order so far."""

    side: str
    instrument: str | None = None
    sizes: list[tuple[str, Amount]] = field(default_factory=list)  # (quantity | spend | fraction, amount)
    prices: dict[str, Amount] = field(default_factory=dict)  # limit, stop, target
    loose: list[Amount] = field(default_factory=list)  # bare numbers beside the coin, either reading possible
    of: bool = False  # written as 'NUMBER of COIN'
    total: Amount | None = None  # 'for NUMBER'
    mine: bool = False
    market: bool = False
    left: list[str] = field(default_factory=list)


def order(text: str, words: list[Token]) -> Understood:
    """The order that a sentence beginning with a verb of trading asks for, or the question that is open."""
    side = "buy" if words[0].text in BUY else "sell"
    draft = Draft(side)
    question = read(draft, words[1:])
    if question:
        return question
    return settle(draft, text)


def refusal(text: str, words: list[Token]) -> Understood | None:
    """A question if the sentence speaks of trading without asking for it: negated, asked, conditional, later."""
    said = {token.text for token in words}
    head = words[0].text if words else ""
    if said & NEGATIONS and not (said & NEGATIONS == {"stop"} and head != "stop"):
        return ask("Nothing is ordered. If you want to trade, say what: buy 0.1 btc, or sell half my eth.")
    if QUESTIONS.match(text):
        return asked(words)
    if said & (CONDITIONS - {"as"}):
        return conditional(words)
    if said & SCHEDULES or re.search(r"\beach (minute|hour|day|week|month|year|time)\b", text):
        return ask(
            "I place orders now, not at a later time or again and again. A limit order waits for a price: "
            "buy 0.1 btc at 60k."
        )
    return None


def asked(words: list[Token]) -> Understood:
    """Someone asks about trading; nothing is ordered."""
    coins = [token.coin for token in words if token.coin]
    lines = [f"price {spoken(coins[0])}", f"chart {spoken(coins[0])}"] if coins else []
    return ask(
        "That is a question, so nothing is ordered, and I give no advice on what to trade. "
        "I can show you the market, or preview an order such as: buy 0.1 btc.",
        *lines,
    )


def conditional(words: list[Token]) -> Understood:
    """An order that depends on the price is offered as a limit order and as an alert."""
    coin = next((spoken(token.coin) for token in words if token.coin), None)
    amounts = [token.amount for token in words if token.amount and token.amount.unit in ("", "quote")]
    said = {token.text for token in words}
    side = "sell" if "sell" in said else "buy"
    question = (
        "I do not place orders that wait for a condition. A limit order waits for a price by itself, "
        "and an alert tells you when it is there."
    )
    if coin is None or not amounts:
        return ask(question)
    level = plain(amounts[-1].value)
    below = bool(said & words_of("below under drops drop falls fall dips dip less lower crashes"))
    lines = [f"alert me when {coin} is {'below' if below else 'above'} {level}"]
    if side == "sell" and "my" in said:
        lines.insert(0, f"put a stop at {level} on {coin}" if below else f"sell all my {coin} at {level}")
    elif side == "buy" and below and len(amounts) == 2:
        size = f"${plain(amounts[0].value)} of" if amounts[0].unit == "quote" else plain(amounts[0].value)
        lines.insert(0, f"buy {size} {coin} at {level}")
    return ask(question, *lines)


def read(draft: Draft, words: list[Token]) -> Understood | None:
    """Reads the tokens after the verb into the draft; a question ends it early."""
    index = 0
    while index < len(words):
        token = words[index]
        text, amount = token.text, token.amount
        if text in ("at", "limit", "price", "below", "under", "above", "over", "max", "maximum", "minimum"):
            if (text in ("below", "under", "max", "maximum") and draft.side == "sell") or (
                text in ("above", "over", "minimum") and draft.side == "buy"
            ):
                return ask(
                    "That price is on the other side of a limit order: a limit order buys at its price or "
                    "below, and sells at its price or above. "
                    "To be told when the market gets there, set an alert."
                )
            end = price_after(words, index + 1)
            if end is not None:
                if question := set_price(draft, "limit", words[end].amount):
                    return question
                index = end + 1
                continue
            if text in ("at", "price", "limit", "below", "under", "above", "over"):
                following = [each.text for each in words[index + 1 : index + 3]]
                if (
                    (text == "at" and following[-1:] == ["market"])
                    or following[:1] == ["market"]
                    or following[:1] == ["best"]
                ):
                    draft.market = True
                    index += 1 + len(following[: following.index("market") + 1 if "market" in following else 1])
                    if index < len(words) and words[index].text in ("price", "order"):
                        index += 1
                    continue
                if text in ("limit", "price") and following[:1] == ["order"]:
                    index += 2
                    continue
                draft.left.append(text)
                index += 1
                continue
        if text in ("stop", "sl", "stoploss", "stop-loss", "target", "tp", "take", "take-profit", "profit", "trailing"):
            if text == "trailing":
                return ask("A trailing stop cannot be written that way yet; give the stop as a price: stop 55000.")
            kind = "stop" if text.startswith("s") else "target"
            end = price_after(words, index + 1)
            if end is None:
                return ask(f"At which price should the {kind} be? For example: {kind} 55000.")
            if question := set_price(draft, kind, words[end].amount):
                return question
            index = end + 1
            continue
        if text == "market":
            draft.market = True
            index += 2 if index + 1 < len(words) and words[index + 1].text in ("order", "price") else 1
            continue
        if text in ("for", "with", "using", "spend", "spending"):
            following_amount = words[index + 1].amount if index + 1 < len(words) else None
            if (
                following_amount
                and following_amount.unit == ""
                and (index + 2 >= len(words) or words[index + 2].text not in ("of", "stop", "target"))
            ):
                if words[index + 2 : index + 3] and words[index + 2].text in ("each", "apiece", "per"):
                    if question := set_price(draft, "limit", following_amount):
                        return question
                    index += 3
                    continue
                draft.total = following_amount
                index += 2
                continue
            after = words[index + 2].text if index + 2 < len(words) else ""
            if following_amount and following_amount.unit == "quote" and (draft.sizes or after in ("each", "apiece")):
                draft.total = following_amount
                index += 2
                continue
            index += 1
            continue
        if text in ("all", "everything", "entire", "whole", "max"):
            draft.sizes.append(("fraction", Amount(Decimal(1), "share", text)))
            index += 1
            continue
        if text in ("cash", "balance", "money", "funds", "usdt", "account", "savings", "tether", "usd", "dollars"):
            if draft.side == "buy" and draft.sizes and draft.sizes[-1][0] == "fraction":
                draft.mine = False
                index += 1
                continue
            draft.left.append(text)
            index += 1
            continue
        if amount is not None:
            index = size(draft, words, index)
            continue
        if token.coin or (following_name(words, index) and ticker(text)):
            symbol = token.coin or ticker(text) or ""
            if draft.instrument not in (None, symbol):
                return ask("One order at a time, please: name one coin.", *one_each(draft))
            draft.instrument = symbol
            index += 1
            continue
        if text in ("my", "our"):
            draft.mine = True
        elif text in VERBS:
            return ask("One order at a time, please: say the first, confirm it, then say the next.")
        elif (
            text == "or"
            and words[index + 1 : index + 3]
            and words[index + 1].text in ("better", "best", "lower", "higher", "less", "more")
        ):
            index += 1
        elif text not in FILLER:
            draft.left.append(text)
        index += 1
    return None


def following_name(words: list[Token], index: int) -> bool:
    """Whether the word stands where only a coin can: right after an amount or 'of', or alone after the verb."""
    text = words[index].text
    if text in FILLER or not re.fullmatch(r"[a-z0-9]{2,10}", text) or text in PLAIN_WORDS:
        return False
    before = words[index - 1] if index else None
    return before is not None and (before.amount is not None or before.text in ("of", "my", "all"))


PLAIN_WORDS = words_of(
    "it them that this those these stuff things thing crypto coins shares more less much many any dip lot "
    "lots bit now then here there but "
    "position positions order orders rest half one two ones time times percent each apiece or and at for "
    "with in on if when under over "
    "above below market limit stop target alert chart price today each per please food pizza milk"
)


def price_after(words: list[Token], index: int) -> int | None:
    """Where the price stands that follows 'at', 'limit', 'stop' …, past the small words between; None without one."""
    small = {
        "at",
        "a",
        "an",
        "of",
        "price",
        "the",
        "loss",
        "profit",
        "order",
        "limit",
        "around",
        "to",
        "is",
        "than",
        "set",
        "for",
        "just",
    }
    while index < len(words) and words[index].text in small:
        index += 1
    return index if index < len(words) and words[index].amount is not None else None


def set_price(draft: Draft, kind: str, amount: Amount | None) -> Understood | None:
    """Notes a price, or asks when it is none."""
    if amount is None or amount.unit in ("share", "foreign"):
        return ask(f"Please give the {kind} as a price in {QUOTE}, for example: {kind} 55000.")
    if kind in draft.prices and draft.prices[kind].value != amount.value:
        return ask(
            f"I read two prices for the {kind}: {shown(draft.prices[kind].value)} and {shown(amount.value)}. "
            f"Which one is it?"
        )
    draft.prices[kind] = amount
    return None


def size(draft: Draft, words: list[Token], index: int) -> int:
    """Reads an amount that is not a price; returns the index after it."""
    amount = words[index].amount
    assert amount is not None
    ahead = [token.text for token in words[index + 1 : index + 3]]
    following = words[index + 1] if index + 1 < len(words) else None
    if amount.unit in ("quote", "foreign"):
        draft.sizes.append(("spend", amount))
        return index + 1
    if amount.unit == "share":
        literal = amount.text == "half" and following is not None and following.coin is not None
        if literal:
            draft.left.append("half")  # half a coin, or half of what is held?
        draft.sizes.append(("fraction", amount))
        return index + 1
    if ahead[:1] == ["worth"]:
        draft.sizes.append(("spend", amount))
        return index + 2
    if ahead[:1] == ["of"] and amount.text != "half a":
        if ahead[1:] and ahead[1] in ("my", "the", "our"):
            draft.sizes.append(("quantity", amount))
        else:
            draft.of = True
            draft.loose.append(amount)
        return index + 2
    if following is not None and (following.coin or (following_name(words, index + 1) and ticker(following.text))):
        draft.sizes.append(("quantity", amount))
        return index + 1
    draft.loose.append(amount)
    return index + 1


def one_each(draft: Draft) -> list[str]:
    """A line for the first of several orders, if it is clear enough."""
    if draft.instrument and len(draft.sizes) >= 1 and draft.sizes[0][0] == "quantity":
        return [f"{draft.side} {plain(draft.sizes[0][1].value)} {spoken(draft.instrument)}"]
    return []


def settle(draft: Draft, text: str) -> Understood:
    """The draft as a command, if there is exactly one way to read it."""
    side = draft.side
    if "half" in draft.left and draft.instrument:
        name = spoken(draft.instrument)
        if side == "sell":
            return ask(f"Half of your {name.upper()}, or half a coin?", f"sell half my {name}", f"sell 0.5 {name}")
        return ask(
            f"How much is half here? For example: buy 0.5 {name}.", f"buy 0.5 {name}", f"buy {name} with half my cash"
        )
    if draft.left:
        return ask(
            f"I am not sure about '{' '.join(draft.left[:5])}' in that, so nothing is ordered. "
            f"I understand orders like: {EXAMPLES[side][0]}, {EXAMPLES[side][1]}, or {side} 0.1 btc at 60k."
        )
    foreign = next((amount for _, amount in draft.sizes if amount.unit == "foreign"), None)
    if foreign:
        return ask(f"Your account is in {QUOTE}, and I do not convert {foreign.currency}. How much is it in {QUOTE}?")
    if draft.instrument is None:
        if draft.sizes or draft.loose or draft.prices:
            return ask(f"Which coin would you like to {side}? For example: {EXAMPLES[side][0]}.")
        return ask(
            f"What would you like to {side}, and how much? For example: {EXAMPLES[side][0]}, or {EXAMPLES[side][1]}."
        )
    name = spoken(draft.instrument)
    tail = "".join(f" {'at' if kind == 'limit' else kind} {plain(value.value)}" for kind, value in draft.prices.items())
    for _, amount in [*draft.sizes, *draft.prices.items()]:
        if amount.other is not None:
            return ask(
                f"'{amount.text}' can be read as {shown(amount.value)} or as {shown(amount.other)}. Which "
                f"one do you mean? "
                "Please write it without separators.",
            )
    sizes = list(draft.sizes)
    if draft.loose and not sizes and draft.total is None:
        number = draft.loose[0]
        if len(draft.loose) > 1:
            return ask(f"I read more than one number there. Please say it like this: {side} 0.1 {name} at 60000.")
        if number.other is not None:
            return ask(
                f"'{number.text}' can be read as {shown(number.value)} or as {shown(number.other)}. Which "
                f"one do you mean?"
            )
        if number.value >= 1:
            amount_text = plain(number.value)
            return ask(
                f"Do you mean {shown(number.value)} {name.upper()}, or {name.upper()} for "
                f"{shown(number.value)} {QUOTE}?",
                f"{side} {amount_text} {name}{tail}",
                f"{side} {amount_text} {QUOTE.lower()} of {name}{tail}",
            )
        sizes.append(("quantity", number))
    elif draft.loose:
        number = draft.loose[0]
        if len(sizes) == 1 and sizes[0][0] == "quantity" and "limit" not in draft.prices:
            return ask(
                f"Is {shown(number.value)} the price you want?",
                f"{side} {plain(sizes[0][1].value)} {name} at {plain(number.value)}{tail}",
            )
        return ask(
            f"I do not know what {shown(number.value)} stands for. Please say it like this: {side} 0.1 {name} at 60000."
        )
    if draft.total is not None:
        total = draft.total
        if total.other is not None:
            return ask(
                f"'{total.text}' can be read as {shown(total.value)} or as {shown(total.other)}. Which one do you mean?"
            )
        if not sizes:
            sizes.append(("spend", total))
        elif len(sizes) == 1 and sizes[0][0] == "quantity" and "limit" not in draft.prices:
            quantity = sizes[0][1].value
            if quantity != 1:
                each = plain(total.value)
                whole = plain(round(total.value / quantity, 8)) if quantity else each
                return ask(
                    f"Is {shown(total.value)} the price of one {name.upper()}, or of all of it?",
                    f"{side} {plain(quantity)} {name} at {each}{tail}",
                    f"{side} {plain(quantity)} {name} at {whole}{tail}",
                )
            draft.prices["limit"] = total
        else:
            return ask(f"I read two amounts there. Please say it like this: {side} 0.1 {name} at 60000.")
    if not sizes and side == "sell" and draft.mine:
        sizes.append(("fraction", Amount(Decimal(1), "share", "all")))
    if not sizes:
        if side == "sell" and text.startswith(("close", "liquidate", "exit", "get rid")):
            sizes.append(("fraction", Amount(Decimal(1), "share", "all")))
        else:
            return ask(
                f"How much {name.upper()}? For example: {side} 0.1 {name}, or {side} $500 of {name}.",
                expects=f"{side} {{}} {name}{tail}",
            )
    if len(sizes) > 1:
        return ask(
            f"I read two amounts there. Which one do you mean? Say it like this: {side} 0.1 {name}, or "
            f"{side} $500 of {name}."
        )
    if draft.market and "limit" in draft.prices:
        return ask(
            f"At the market, or at {shown(draft.prices['limit'].value)}? It cannot be both.",
        )
    kind, amount = sizes[0]
    if amount.value <= 0:
        return ask(
            f"The amount must be above zero. How much {name.upper()} would you like to {side}?",
            expects=f"{side} {{}} {name}{tail}",
        )
    if kind == "fraction" and amount.value > 1:
        return ask(
            f"{shown(amount.value * 100)} % is more than everything. How much {name.upper()} would you like to {side}?"
        )
    if kind == "fraction" and side == "buy" and draft.mine:
        return ask(
            f"You can sell a share of your {name.upper()}, or buy with a share of your cash.",
            f"buy {name} with half my cash",
        )
    if any(value.value <= 0 for value in draft.prices.values()):
        return ask("A price must be above zero.")
    arguments = {"instrument": draft.instrument, kind: plain(amount.value)}
    arguments |= {
        price: plain(draft.prices[price].value) for price in ("limit", "stop", "target") if price in draft.prices
    }
    return Understood(side, arguments)


def protection(words: list[Token]) -> Understood | None:
    """'put a stop at 55k on my btc', 'take profit at 70k on eth': sells the position at that price."""
    texts = [token.text for token in words]
    joined = " ".join(texts)
    match = re.match(
        r"(?:(?:put|set|place|add|create|move|attach)(?: me)?(?: an?| the| my)? )?(stop(?:-| )?loss|stop "
        r"order|stop|sl|take(?:-| )?profit|tp|target)\b",
        joined,
    )
    if not match:
        return None
    prices = [token.amount for token in words if token.amount]
    if not prices:
        return None
    kind = "stop" if match[1].startswith("s") else "target"
    coins = list(dict.fromkeys(token.coin for token in words if token.coin))
    small = FILLER | words_of(
        "put set place add create move attach stop loss stoploss stop-loss sl take profit take-profit tp target at for "
        "to price whole all entire under with"
    )
    left = [token.text for token in words if token.text not in small and not token.amount and not token.coin]
    if left:
        return ask(f"I am not sure about '{' '.join(left[:5])}' in that. For example: put a stop at 55000 on btc.")
    if len(coins) != 1:
        return ask("For which coin? For example: put a stop at 55000 on btc.")
    name = spoken(coins[0] or "")
    price = [each for each in prices if each.unit in ("", "quote")]
    if len(prices) != 1 or len(price) != 1:
        return ask(f"Please give one price in {QUOTE}, for example: put a stop at 55000 on {name}.")
    if price[0].other is not None:
        return ask(
            f"'{price[0].text}' can be read as {shown(price[0].value)} or as {shown(price[0].other)}. Which "
            f"one do you mean?"
        )
    return Understood("sell", {"instrument": coins[0] or "", "fraction": "1", kind: plain(price[0].value)})
