"""From words to the tree: a Pratt parser, which never recurses deeper than DEEPEST."""

from collections.abc import Sequence

from core.indicators.formula.errors import FormulaError
from core.indicators.formula.functions import COLUMNS
from core.indicators.formula.lexer import Token, tokens
from core.indicators.formula.syntax import (
    RULES,
    Argument,
    Before,
    Binary,
    Call,
    Expression,
    Let,
    Name,
    Number,
    Part,
    Program,
    Range,
    Rule,
    Unary,
    Word,
)

DEEPEST = 50  # brackets within brackets, calls within calls
LONGEST_CHAIN = 50  # signs of one row: a + b + c + …
LONGEST_TAIL = 4  # of what stands behind one operand: macd(close).signal[1]
MOST_RANGES = 20

# How tightly a sign holds what stands around it.
BINDING = {
    "or": 1, "and": 2, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "^": 8,
    "**": 8,
}  # fmt: skip
NOT, COMPARING, NEGATIVE, POWER = 3, 4, 7, 8
OPENING = {")": "(", "]": "["}
KEYWORDS = ("and", "or", "not", "true", "false", "param", "step")


def parsed(text: str) -> Program:
    """The tree of a formula. Raises FormulaError at the character that is wrong."""
    return _Parser(text).program()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0

    # -- statements ----------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        ranges: list[Range] = []
        lets: list[Let] = []
        rules: list[Rule] = []
        value: Expression | None = None
        while not self._ended():
            first, second = self._here, self._ahead
            if value is not None:
                raise self._wrong(
                    "Only the last expression is the formula's value", first, "Give the one before a name: NAME = …."
                )
            if first.kind == "name" and first.text == "param":
                ranges.append(self._range())
                self._free(ranges[-1].name, ranges[-1].at, [*ranges[:-1], *lets])
                if len(ranges) > MOST_RANGES:
                    raise self._wrong(f"A formula has at most {MOST_RANGES} parameters", first)
            elif first.kind == "name" and second.text == "=":
                self._take(), self._take()
                self._free(first.text, first.at, [*ranges, *lets])
                lets.append(Let(first.at, first.text, self._expression(0)))
            elif first.kind == "name" and second.text == ":":
                rules.append(self._rule(rules))
            else:
                value = self._expression(0)
            if not self._taken(";") and not self._ended():
                raise self._unexpected()
        if value is not None and rules:
            raise self._wrong("A formula is either one expression or rules, not both", self._tokens[0])
        if value is None and not rules:
            hint = "End with an expression; to compare, write ==." if lets else "For example: rsi(close, 14) < 30."
            raise self._wrong(
                "The formula has no value" if lets or ranges else "The formula is empty", self._here, hint
            )
        if rules and not {"entry", "short"} & {rule.label for rule in rules}:
            raise self._wrong("Rules need an entry or a short", self._tokens[0], "Write entry: condition; …")
        return Program(tuple(ranges), tuple(lets), value, tuple(rules))

    def _free(self, name: str, at: int, taken: Sequence[Range | Let]) -> None:
        if name in COLUMNS or name == "nan":
            raise FormulaError(
                f"'{name}' has a meaning already",
                self._text,
                at,
                hint="To compare, write ==; to name something, choose another name.",
            )
        if name in KEYWORDS:
            raise FormulaError(f"'{name}' is a word of the language and cannot be a name", self._text, at)
        if any(each.name == name for each in taken):
            raise FormulaError(f"'{name}' is given twice", self._text, at)

    def _range(self) -> Range:
        self._take()
        name = self._take()
        if name.kind != "name":
            raise self._wrong("A parameter is written: param fast = 12 [2 .. 200]", name)
        self._expect("=", "A parameter needs a value: param fast = 12 [2 .. 200]")
        default, low, high = self._constant(), None, None
        self._expect("[", "A parameter needs its range: param fast = 12 [2 .. 200]")
        low = self._constant()
        self._expect("..", "A range is written [2 .. 200]")
        high = self._constant()
        step = None
        if self._here.kind == "name" and self._here.text == "step":
            self._take()
            step = self._constant()
        self._expect("]", "A range ends with ]")
        written = [default, low, high, *([step] if step else [])]
        whole = all(each[1] for each in written)
        steps = step[0] if step else (1.0 if whole else (high[0] - low[0]) / 20.0)
        if low[0] > high[0]:
            told = f"{low[0]:.12g} to {high[0]:.12g}"
            raise self._wrong(f"A range goes from the lower number to the higher, not from {told}", name)
        if not low[0] <= default[0] <= high[0]:
            told = f"[{low[0]:.12g} .. {high[0]:.12g}]"
            raise self._wrong(f"{default[0]:.12g} is outside its own range {told}", name)
        if steps <= 0.0 and high[0] > low[0]:
            raise self._wrong("The step of a range is above 0", name)
        return Range(name.at, name.text, default[0], low[0], high[0], steps or 1.0, whole)

    def _constant(self) -> tuple[float, bool]:
        """A number with its sign, and whether it is written as a whole one."""
        minus = self._taken("-")
        token = self._take()
        if token.kind != "number":
            raise self._wrong("A plain number is needed here", token)
        value = self._number(token)
        return (-value if minus else value), token.text.isdigit()

    def _rule(self, before: list[Rule]) -> Rule:
        label = self._take()
        self._take()
        if label.text not in RULES:
            raise self._wrong(f"There is no rule '{label.text}'", label, f"There are: {', '.join(RULES)}.")
        if any(rule.label == label.text for rule in before):
            raise self._wrong(f"The rule '{label.text}' is given twice", label)
        return Rule(label.at, label.text, self._expression(0))

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _expression(self, least: int) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"This is nested more than {DEEPEST} deep", self._here)
        left = self._operand()
        chain = 0
        while (binding := self._binding()) and binding > least:
            sign = self._take()
            chain += 1
            if chain > LONGEST_CHAIN:
                raise self._wrong(
                    f"A row of more than {LONGEST_CHAIN} signs is too long", sign, "Name a part of it: NAME = …;"
                )
            right = self._expression(binding - 1 if binding == POWER else binding)
            left = Binary(sign.at, "^" if sign.text == "**" else sign.text, left, right)
            if binding == COMPARING and self._binding() == COMPARING:
                raise self._wrong("Comparisons cannot be chained", self._here, "Write a < b and b < c.")
        self._depth -= 1
        return left

    def _binding(self) -> int:
        here = self._here
        if here.kind == "sign" or (here.kind == "name" and here.text in ("and", "or")):
            if here.text == "=":
                raise self._wrong("= gives a name to something", here, "To compare, write ==.")
            return BINDING.get(here.text, 0)
        return 0

    def _operand(self) -> Expression:
        token = self._here
        if token.kind == "number":
            self._take()
            return self._behind(Number(token.at, self._number(token)))
        if token.kind == "word":
            self._take()
            return Word(token.at, token.text)
        if token.kind == "name" and token.text == "not":
            self._take()
            return Unary(token.at, "not", self._expression(NOT))
        if token.kind == "name" and token.text not in ("and", "or", "param", "step"):
            self._take()
            named = self._call(token) if self._here.text == "(" else Name(token.at, token.text)
            return self._behind(named)
        if token.text in ("-", "+") and token.kind == "sign":
            self._take()
            value = self._expression(NEGATIVE)
            return Unary(token.at, "-", value) if token.text == "-" else value
        if token.text == "(" and token.kind == "sign":
            self._take()
            inner = self._expression(0)
            self._close(")", token)
            return self._behind(inner)
        raise self._unexpected()

    def _behind(self, value: Expression) -> Expression:
        """What stands directly behind an operand: .signal, [1]."""
        chain = 0
        while self._here.kind == "sign" and self._here.text in (".", "["):
            sign = self._take()
            chain += 1
            if chain > LONGEST_TAIL:
                raise self._wrong(f"More than {LONGEST_TAIL} brackets and dots in a row are too many", sign)
            if sign.text == ".":
                name = self._take()
                if name.kind != "name":
                    raise self._wrong("A dot is followed by the name of an output, as in macd(close).signal", name)
                value = Part(name.at, value, name.text)
            else:
                bars = self._expression(0)
                self._close("]", sign)
                value = Before(sign.at, value, bars)
        return value

    def _call(self, name: Token) -> Call:
        opened = self._take()
        arguments: list[Argument] = []
        while not (self._here.kind == "sign" and self._here.text == ")"):
            first = self._here
            if first.kind == "name" and self._ahead.text == "=" and self._ahead.kind == "sign":
                self._take(), self._take()
                if any(each.name == first.text for each in arguments):
                    raise self._wrong(f"'{first.text}' is given twice", first)
                arguments.append(Argument(first.at, first.text, self._expression(0)))
            elif first.kind == "end":
                break
            else:
                if arguments and arguments[-1].name is not None:
                    hint = "To compare, write ==." if arguments[-1].name in COLUMNS else None
                    raise self._wrong("What has no name comes before what has one", first, hint)
                arguments.append(Argument(first.at, None, self._expression(0)))
            if not self._taken(","):
                break
        self._close(")", opened)
        return Call(name.at, name.text, tuple(arguments))

    def _number(self, token: Token) -> float:
        percent = token.text.endswith("%")
        value = float(token.text.rstrip("%")) / (100.0 if percent else 1.0)
        if value > 1e15:
            raise self._wrong(f"The number {token.text[:30]} is too large", token, "Numbers go up to 1e15.")
        return value

    # -- words -----------------------------------------------------------------------------------------------------

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    @property
    def _ahead(self) -> Token:
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def _ended(self) -> bool:
        return self._here.kind == "end"

    def _take(self) -> Token:
        token = self._here
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _taken(self, sign: str) -> bool:
        if self._here.kind == "sign" and self._here.text == sign:
            self._take()
            return True
        return False

    def _expect(self, sign: str, otherwise: str) -> None:
        if not self._taken(sign):
            raise self._wrong(otherwise, self._here)

    def _close(self, sign: str, opened: Token) -> None:
        if self._taken(sign):
            return
        if self._here.kind == "end":
            raise FormulaError(f"The {opened.text} is never closed", self._text, opened.at, hint=f"Add a {sign}.")
        raise self._unexpected(f"or {sign}" if sign == "]" else "a comma or )" if self._in_call(opened) else "or )")

    def _in_call(self, opened: Token) -> bool:
        index = self._tokens.index(opened)
        return index > 0 and self._tokens[index - 1].kind == "name"

    def _unexpected(self, wanted: str = "") -> FormulaError:
        here = self._here
        if here.kind == "end":
            return self._wrong("The formula ends too early", here, "A number, a name or ( is missing.")
        if here.text in (")", "]") and not wanted and self._next and self._ends(self._tokens[self._next - 1]):
            return self._wrong(
                f"This {here.text} closes nothing", here, f"Take it away, or open it with {OPENING[here.text]}."
            )
        if self._next and self._ends(self._tokens[self._next - 1]):
            hint = f"A sign such as + or and{', a comma or )' if 'comma' in wanted else ''} is missing before it."
        else:
            hint = "A number, a name or ( is missing before it."
        return self._wrong(f"'{here.text[:30]}' cannot stand here", here, hint)

    def _ends(self, token: Token) -> bool:
        """Whether an operand may end with this word."""
        return token.text in (")", "]") or (token.kind in ("number", "name", "word") and token.text not in KEYWORDS)

    def _wrong(self, message: str, token: Token, hint: str | None = None) -> FormulaError:
        return FormulaError(message, self._text, token.at, hint=hint)
