"""Buying and selling in plain words. Whatever is not fully understood becomes a question, never an order."""

import re

from core.commands.utterance.coins import spoken
from core.commands.utterance.reading import Understood, ask
from core.commands.utterance.sizing import settle
from core.commands.utterance.ticket import Open, Reader
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


def order(text: str, words: list[Token]) -> Understood:
    """The order that a sentence beginning with a verb of trading asks for, or the question that is open."""
    try:
        draft = Reader("buy" if words[0].text in BUY else "sell", words[1:]).read()
    except Open as question:
        return question.understood
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
