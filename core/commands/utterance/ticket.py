"""The words after 'buy' or 'sell', read into a draft. A word that is not understood is kept, never skipped."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from core.commands.utterance.coins import QUOTE, spoken, ticker
from core.commands.utterance.numbers import Amount
from core.commands.utterance.reading import Understood, ask, shown
from core.commands.utterance.vocabulary import words_of
from core.commands.utterance.words import Token
from core.money import plain

VERBS = words_of("buy purchase acquire get grab long bid sell dump offload unload liquidate exit close")
FILLER = words_of(
    "me some of the my a an worth position coins coin order on in into holdings out off up amount and , just exactly "
    "about stake bag stack is it's set be"
)
PLAIN_WORDS = words_of(  # never taken for the name of a coin
    "it them that this those these stuff things thing crypto coins shares more less much many any dip lot "
    "lots bit now "
    "then here there but position positions order orders rest half one two ones time times percent each "
    "apiece or and "
    "at for with in on if when under over above below market limit stop target alert chart price today per please "
    "food pizza milk"
)
LIMITS = words_of("at limit price below under above over max maximum minimum")
CEILINGS, FLOORS = words_of("below under max maximum"), words_of("above over minimum")
STOPS, TARGETS = words_of("stop sl stoploss stop-loss"), words_of("target tp take take-profit profit")
TOWARDS_PRICE = words_of("at a an of price the loss profit order limit around to is than set for just")
PAYING = words_of("for with using spend spending")
EVERYTHING = words_of("all everything entire whole max")
CASH = words_of("cash balance money funds usdt account savings tether usd dollars")
BETTER = words_of("better best lower higher less more")
WORSE = {"buy": words_of("higher more"), "sell": words_of("lower less")}
EACH = words_of("each apiece per")


class Open(Exception):
    """Reading ends early with a question."""

    def __init__(self, understood: Understood) -> None:
        super().__init__(understood.question)
        self.understood = understood


@dataclass(slots=True)
class Draft:
    """What has been read of an order so far."""

    side: str
    instrument: str | None = None
    sizes: list[tuple[str, Amount]] = field(default_factory=list)  # (quantity | spend | fraction, amount)
    prices: dict[str, Amount] = field(default_factory=dict)  # limit, stop, target
    loose: list[Amount] = field(default_factory=list)  # bare numbers beside the coin, either reading possible
    total: Amount | None = None  # 'for NUMBER'
    mine: bool = False  # 'my coin'
    cash: bool = False  # 'my cash'
    market: bool = False
    left: list[str] = field(default_factory=list)


class Reader:
    """Reads tokens from left to right into a draft."""

    def __init__(self, side: str, words: list[Token]) -> None:
        self.draft = Draft(side)
        self._words, self._at = words, 0

    def read(self) -> Draft:
        """The draft of all words. Raises Open when a question must be asked."""
        while self._at < len(self._words):
            token = self._words[self._at]
            known = self._price(token) or self._protection(token) or self._payment(token) or self._share(token)
            if not (known or self._amount(token) or self._coin(token)):
                self._word(token.text)
        return self.draft

    def _ahead(self, steps: int = 1) -> Token:
        """The token so many steps on; an empty one beyond the end."""
        place = self._at + steps
        return self._words[place] if place < len(self._words) else Token("")

    def _step(self, steps: int = 1) -> bool:
        self._at += steps
        return True

    def _price(self, token: Token) -> bool:
        """'at 60k', 'limit 60000', 'below 60k', 'at the market'."""
        text, draft = token.text, self.draft
        if text == "market":
            draft.market = True
            return self._step(2 if self._ahead().text in ("order", "price") else 1)
        if text not in LIMITS:
            return False
        if text in (CEILINGS if draft.side == "sell" else FLOORS):
            raise Open(
                ask(
                    "That price is on the other side of a limit order: a limit order buys at its price or below, and "
                    "sells at its price or above. To be told when the market gets there, set an alert."
                )
            )
        if self._take_price("limit"):
            return True
        if text in ("limit", "price") and self._ahead().text == "order":
            return self._step(2)
        if text == "at" and self._ahead().text == "the" and self._ahead(2).text == "market":
            return self._step(2)  # the market itself is read next
        if text == "at" and self._ahead().text == "market":
            return self._step()
        if text == "at" and self._ahead().text == "best":
            draft.market = True
            return self._step(3 if self._ahead(2).text == "price" else 2)
        if text in EVERYTHING:
            return False
        draft.left.append(text)
        return self._step()

    def _protection(self, token: Token) -> bool:
        """'stop 55k', 'take profit at 70k'."""
        if token.text == "trailing":
            raise Open(ask("A trailing stop cannot be written that way yet; give the stop as a price: stop 55000."))
        if token.text not in STOPS | TARGETS:
            return False
        kind = "stop" if token.text in STOPS else "target"
        if not self._take_price(kind):
            raise Open(ask(f"At which price should the {kind} be? For example: {kind} 55000."))
        return True

    def _take_price(self, kind: str) -> bool:
        """Takes the price that follows, past the small words between; False without one."""
        steps = 1
        while self._ahead(steps).text in TOWARDS_PRICE:
            steps += 1
        amount = self._ahead(steps).amount
        if amount is None:
            return False
        self._note(kind, amount)
        return self._step(steps + 1)

    def _note(self, kind: str, amount: Amount) -> None:
        """Notes a price. Raises Open when it is none, or the second of its kind."""
        before = self.draft.prices.get(kind)
        if amount.unit in ("share", "foreign"):
            raise Open(ask(f"Please give the {kind} as a price in {QUOTE}, for example: {kind} 55000."))
        if before is not None and before.value != amount.value:
            two = f"{shown(before.value)} and {shown(amount.value)}"
            raise Open(ask(f"I read two prices for the {kind}: {two}. Which one is it?"))
        self.draft.prices[kind] = amount

    def _payment(self, token: Token) -> bool:
        """'for $500', 'with 500 usdt', 'for 60k each'."""
        if token.text not in PAYING:
            return False
        amount, after = self._ahead().amount, self._ahead(2).text
        if amount is None or amount.unit not in ("", "quote"):
            return self._step()
        if after in EACH:
            self._note("limit", amount)
            return self._step(3)
        if (amount.unit == "" and after not in ("of", "stop", "target", "worth")) or (amount.unit and self.draft.sizes):
            self.draft.total = amount
            return self._step(2)
        return self._step()

    def _share(self, token: Token) -> bool:
        """'all', and the cash that a share may be of."""
        draft = self.draft
        if token.text in EVERYTHING:
            draft.sizes.append(("fraction", Amount(Decimal(1), "share", token.text)))
            return self._step()
        if token.text not in CASH:
            return False
        if draft.side == "buy" and draft.sizes and draft.sizes[-1][0] == "fraction":
            draft.mine, draft.cash = False, True
        else:
            draft.left.append(token.text)
        return self._step()

    def _amount(self, token: Token) -> bool:
        """An amount that is not a price: of coins, of money, or a share."""
        amount, draft, following = token.amount, self.draft, self._ahead()
        if amount is None:
            return False
        if amount.unit in ("quote", "foreign"):
            draft.sizes.append(("spend", amount))
            return self._step()
        if amount.unit == "share":
            if amount.text == "half" and following.coin:
                draft.left.append("half")  # half a coin, or half of what is held?
            draft.sizes.append(("fraction", amount))
            return self._step()
        if following.text == "worth":
            draft.sizes.append(("spend", amount))
            return self._step(2)
        if following.text == "of" and amount.text != "half a":
            if draft.side == "sell" and 0 < amount.value < 1:
                self._part(amount)
            if self._ahead(2).text in ("my", "the", "our"):
                draft.sizes.append(("quantity", amount))
            else:
                draft.loose.append(amount)
            return self._step(2)
        if following.coin or self._names_coin(self._at + 1):
            draft.sizes.append(("quantity", amount))
        else:
            draft.loose.append(amount)
        return self._step()

    def _part(self, amount: Amount) -> None:
        """Asks whether 0.5 of a coin is a share of what is held or a number of coins. Raises Open."""
        symbol = next((each.coin or ticker(each.text) for each in self._words[self._at + 2 :] if each.coin), None)
        if symbol is None:
            return
        name, share = spoken(symbol), plain(amount.value * 100)
        question = f"{share} % of the {name.upper()} you hold, or {plain(amount.value)} {name.upper()}?"
        raise Open(ask(question, f"sell {share}% of my {name}", f"sell {plain(amount.value)} {name}"))

    def _coin(self, token: Token) -> bool:
        """The coin; only one."""
        draft = self.draft
        symbol = token.coin or (ticker(token.text) if self._names_coin(self._at) else None)
        if symbol is None:
            return False
        if draft.instrument not in (None, symbol):
            first = [size.value for kind, size in draft.sizes[:1] if kind == "quantity"]
            lines = [f"{draft.side} {plain(value)} {spoken(draft.instrument or '')}" for value in first]
            raise Open(ask("One order at a time, please: name one coin.", *lines))
        draft.instrument = symbol
        return self._step()

    def _names_coin(self, place: int) -> bool:
        """Whether the word stands where only a coin can: right after an amount, 'of', 'my' or 'all'."""
        if not 0 < place < len(self._words):
            return False
        text, before = self._words[place].text, self._words[place - 1]
        if text in FILLER | PLAIN_WORDS | VERBS or not re.fullmatch(r"[a-z0-9]{2,10}", text) or ticker(text) is None:
            return False
        return before.amount is not None or before.text in ("of", "my", "all")

    def _word(self, text: str) -> None:
        """Any other word: known to say nothing, or left over."""
        if text in ("my", "our"):
            self.draft.mine = True
        elif text in VERBS:
            raise Open(ask("One order at a time, please: say the first, confirm it, then say the next."))
        elif text == "or" and self._ahead().text in BETTER:
            if self._ahead().text in WORSE[self.draft.side]:
                raise Open(
                    ask("A limit order buys at its price or below, and sells at its price or above. Which price is it?")
                )
            self._step()
        elif text not in FILLER:
            self.draft.left.append(text)
        self._step()
