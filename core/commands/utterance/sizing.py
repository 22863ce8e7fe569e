"""A draft as one command, if there is exactly one way to read it; else the question that is open."""

from decimal import Decimal

from core.commands.utterance.coins import QUOTE, spoken
from core.commands.utterance.numbers import Amount
from core.commands.utterance.reading import Understood, ask, shown
from core.commands.utterance.ticket import Draft, Open
from core.money import plain

EXAMPLES = {"buy": ("buy 0.1 btc", "buy $500 of btc"), "sell": ("sell 0.1 btc", "sell half my btc")}
WHOLE = Amount(Decimal(1), "share", "all")
CLOSING = ("close", "liquidate", "exit", "get rid")
Size = tuple[str, Amount]


def settle(draft: Draft, text: str) -> Understood:
    """The command that the draft of the sentence `text` stands for, or a question."""
    try:
        return settled(draft, text)
    except Open as question:
        return question.understood


def settled(draft: Draft, text: str) -> Understood:
    """The command. Raises Open."""
    side = draft.side
    instrument = clear(draft)
    name = spoken(instrument)
    tail = "".join(f" {'at' if kind == 'limit' else kind} {plain(price.value)}" for kind, price in draft.prices.items())
    sizes = [*draft.sizes, *loose_size(draft, name, tail)]
    sizes = with_total(draft, sizes, name, tail)
    if not sizes and side == "sell" and (draft.mine or text.startswith(CLOSING)):
        sizes = [("fraction", WHOLE)]
    how_much = f"{side} {{}} {name}{tail}"
    if not sizes:
        example = f"For example: {side} 0.1 {name}, or {side} $500 of {name}."
        raise Open(ask(f"How much {name.upper()}? {example}", expects=how_much))
    if len(sizes) > 1:
        example = f"Say it like this: {side} 0.1 {name}, or {side} $500 of {name}."
        raise Open(ask(f"I read two amounts there. Which one do you mean? {example}"))
    kind, amount = sizes[0]
    if draft.market and "limit" in draft.prices:
        raise Open(ask(f"At the market, or at {shown(draft.prices['limit'].value)}? It cannot be both."))
    if amount.value <= 0:
        raise Open(
            ask(f"The amount must be above zero. How much {name.upper()} do you want to {side}?", expects=how_much)
        )
    if kind == "fraction" and amount.value > 1:
        raise Open(ask(f"{shown(amount.value * 100)} % is more than everything. How much do you want to {side}?"))
    if kind == "fraction" and side == "buy" and amount.value == 1 and not (draft.cash or draft.mine):
        raise Open(ask("With all the cash you have?", f"buy {name} with all my cash{tail}"))
    if kind == "fraction" and side == "buy" and draft.mine:
        advice = f"You can sell a share of your {name.upper()}, or buy with a share of your cash."
        raise Open(ask(advice, f"buy {name} with half my cash"))
    if any(price.value <= 0 for price in draft.prices.values()):
        raise Open(ask("A price must be above zero."))
    arguments = {"instrument": instrument, kind: plain(amount.value)}
    arguments |= {each: plain(draft.prices[each].value) for each in ("limit", "stop", "target") if each in draft.prices}
    return Understood(side, arguments)


def clear(draft: Draft) -> str:
    """The instrument of a draft in which every word and number is understood. Raises Open."""
    side, first, second = draft.side, *EXAMPLES[draft.side]
    if "half" in draft.left and draft.instrument:
        name = spoken(draft.instrument)
        if side == "sell":
            raise Open(ask(f"Half of your {name.upper()}, or half a coin?", f"sell half my {name}", f"sell 0.5 {name}"))
        raise Open(ask("How much is half here?", f"buy 0.5 {name}", f"buy {name} with half my cash"))
    if draft.left:
        raise Open(
            ask(
                f"I am not sure about '{' '.join(draft.left[:5])}' in that, so nothing is ordered. "
                f"I understand orders like: {first}, {second}, or {side} 0.1 btc at 60k."
            )
        )
    for _, amount in draft.sizes:
        if amount.unit == "foreign":
            raise Open(
                ask(f"Your account is in {QUOTE}, and I do not convert {amount.currency}. How much is it in {QUOTE}?")
            )
    if draft.instrument is None:
        if draft.sizes or draft.loose or draft.prices:
            raise Open(ask(f"Which coin would you like to {side}? For example: {first}."))
        raise Open(ask(f"What would you like to {side}, and how much? For example: {first}, or {second}."))
    totals = [draft.total] if draft.total else []
    for amount in (*(size for _, size in draft.sizes), *draft.prices.values(), *draft.loose, *totals):
        if amount.other is not None:
            both = f"{shown(amount.value)} or as {shown(amount.other)}"
            raise Open(
                ask(
                    f"'{amount.text}' can be read as {both}. Which one do you mean? Please write it without separators."
                )
            )
    return draft.instrument


def loose_size(draft: Draft, name: str, tail: str) -> list[Size]:
    """The size that a bare number beside the coin stands for. Raises Open when it may be coins, money or a price."""
    if not draft.loose:
        return []
    side, value = draft.side, draft.loose[0].value
    if len(draft.loose) > 1 or (draft.total is not None and not draft.sizes):
        raise Open(ask(f"I read more than one number there. Please say it like this: {side} 0.1 {name} at 60000."))
    if not draft.sizes and side == "sell" and draft.mine and 0 < value < 1:
        share = plain(value * 100)
        raise Open(
            ask(
                f"{share} % of the {name.upper()} you hold, or {plain(value)} {name.upper()}?",
                f"sell {share}% of my {name}{tail}",
                f"sell {plain(value)} {name}{tail}",
            )
        )
    if not draft.sizes and value < 1:
        return [("quantity", draft.loose[0])]  # nobody spends less than one of the quote
    if not draft.sizes:
        raise Open(
            ask(
                f"Do you mean {shown(value)} {name.upper()}, or {name.upper()} for {shown(value)} {QUOTE}?",
                f"{side} {plain(value)} {name}{tail}",
                f"{side} {plain(value)} {QUOTE.lower()} of {name}{tail}",
            )
        )
    if len(draft.sizes) == 1 and draft.sizes[0][0] == "quantity" and "limit" not in draft.prices:
        quantity = plain(draft.sizes[0][1].value)
        raise Open(ask(f"Is {shown(value)} the price you want?", f"{side} {quantity} {name} at {plain(value)}{tail}"))
    raise Open(
        ask(f"I do not know what {shown(value)} stands for. Please say it like this: {side} 0.1 {name} at 60000.")
    )


def with_total(draft: Draft, sizes: list[Size], name: str, tail: str) -> list[Size]:
    """The sizes with 'for NUMBER' understood: money to spend, or the price of one coin. Raises Open."""
    side, total = draft.side, draft.total
    if total is None:
        return sizes
    if not sizes:
        return [("spend", total)]
    kind, amount = sizes[0]
    if len(sizes) > 1 or kind != "quantity" or "limit" in draft.prices or amount.value <= 0:
        raise Open(ask(f"I read two amounts there. Please say it like this: {side} 0.1 {name} at 60000."))
    if amount.value == 1:
        draft.prices["limit"] = total
        return sizes
    quantity, share = plain(amount.value), plain(round(total.value / amount.value, 8))
    raise Open(
        ask(
            f"Is {shown(total.value)} the price of one {name.upper()}, or of all of it?",
            f"{side} {quantity} {name} at {plain(total.value)}{tail}",
            f"{side} {quantity} {name} at {share}{tail}",
        )
    )
