"""From the tree to the graph: names are found, kinds and ranges checked, constants computed, saved formulas put in."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidInput
from core.indicators.formula.errors import FormulaError
from core.indicators.formula.functions import COLUMNS, FUNCTIONS, OPERATORS, Argument, Function
from core.indicators.formula.graph import MOST_STEPS, Graph, Kind, Step, applied, folded
from core.indicators.formula.names import CONSTANTS, Saved, known_names, matched, none_saved, suggestion
from core.indicators.formula.syntax import (
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
    Unary,
    Word,
    start,
)
from core.market import timeframes

if TYPE_CHECKING:
    from core.indicators.described import Indicator

DEEPEST = 120  # steps within steps, those of the saved formulas in use included
MOST_UNKNOWN = 100_000  # bars that a formula may need before its first value
TOLD = {
    "number": "a number", "truth": "true or false", "lines": "several lines", "word": "a text",
}  # fmt: skip


def _whole(value: float) -> float | int:
    """12 for 12.0, as a person writes it."""
    return int(value) if np.isfinite(value) and value == int(value) else value


class Lowering:
    """Puts one formula into a graph; a saved formula in use gets a Lowering of its own, into the same graph."""

    def __init__(
        self,
        text: str,
        program: Program,
        parameters: Mapping[str, float],
        saved: Saved = none_saved,
        *,
        graph: Graph | None = None,
        within: tuple[str, ...] = (),
        depth: int = 0,
    ) -> None:
        self.graph = graph or Graph()
        self.used: dict[str, str] = {}  # texts of the saved formulas in use, by name
        self._text, self._program, self._saved = text, program, saved
        self._parameters, self._within, self._depth = parameters, within, depth
        self._lets = {each.name: each for each in program.lets}
        self._visible = len(program.lets)  # a let sees those before it
        self._bound: dict[tuple[str, str], int] = {}

    def roots(self, frame: str = "") -> dict[str, int]:
        """The steps of the value (under ""), or of each rule. Every let is checked, used or not."""
        for place, each in enumerate(self._program.lets):
            self._let(each, place, frame)
        if self._program.value is not None:
            return {"": self._series(self._program.value, frame)}
        return {rule.label: self._series(rule.value, frame) for rule in self._program.rules}

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _series(self, node: Expression, frame: str) -> int:
        """An expression as one series or constant; an indicator of several lines gives the one of its own name."""
        number = self._lower(node, frame)
        step = self.graph.steps[number]
        if step.kind == "word":
            raise self._wrong("A text has no meaning here", node.at, 'Texts are timeframes: at("4h", …).')
        if step.kind != "lines":
            return number
        outputs = self._outputs(step)
        if step.name in outputs:
            return self._output(number, outputs.index(step.name))
        raise self._wrong(
            f"{step.name} gives {', '.join(outputs)}", node.at, f"Choose one, such as {step.name}(…).{outputs[0]}."
        )

    def _of(self, node: Expression, frame: str, wanted: str, taker: str) -> int:
        number = self._series(node, frame)
        kind = self.graph.steps[number].kind
        if wanted in ("number", "truth") and kind != wanted:
            hint = "Compare it with something, such as x > 0." if wanted == "truth" else "Write if(condition, 1, 0)."
            raise self._wrong(f"{taker} takes {TOLD[wanted]}, and this is {TOLD[kind]}", start(node), hint)
        return number

    def _lower(self, node: Expression, frame: str) -> int:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong("This is nested too deep, together with the formulas that it uses", node.at)
        try:
            match node:
                case Number(_, value):
                    return self.graph.add(Step("constant", "number", value=value))
                case Word(_, value):
                    return self.graph.add(Step("constant", "word", name=value))
                case Name():
                    return self._name(node, frame)
                case Unary(_, sign, value):
                    kind: Kind = "truth" if sign == "not" else "number"
                    return self._operator(sign, kind, (self._of(value, frame, kind, sign),), node.at, frame)
                case Binary():
                    return self._row(node, frame)
                case Before(at, value, bars):
                    inner = self._series(value, frame)
                    argument = Argument("[n]", "size", 1.0)
                    size = self._constant(bars, frame, argument, "x[n]")
                    return self._function(FUNCTIONS["previous"], (inner,), {"n": size}, at, frame)
                case Part():
                    return self._part(node, frame)
                case Call():
                    return self._call(node, frame)
        finally:
            self._depth -= 1

    def _row(self, node: Binary, frame: str) -> int:
        """a + b - c: from the left, without a call for each sign."""
        row: list[Binary] = []
        first: Expression = node
        while isinstance(first, Binary):
            row.append(first)
            first = first.left
        number: int | None = None
        for each in reversed(row):
            takes, gives, _ = OPERATORS[each.sign]
            left = self._of(each.left, frame, takes, each.sign) if number is None else number
            if number is not None and self.graph.steps[left].kind != takes:
                self._refuse_kind(each.sign, takes, left, start(each.left))
            right = self._of(each.right, frame, takes, each.sign)
            number = self._operator(each.sign, gives, (left, right), each.at, frame)
        assert number is not None
        return number

    def _refuse_kind(self, taker: str, wanted: str, number: int, at: int) -> None:
        kind = self.graph.steps[number].kind
        hint = "Compare it with something, such as x > 0." if wanted == "truth" else "Write if(condition, 1, 0)."
        raise self._wrong(f"{taker} takes {TOLD[wanted]}, and this is {TOLD[kind]}", at, hint)

    def _operator(self, sign: str, kind: Kind, inputs: tuple[int, ...], at: int, frame: str) -> int:
        constants = [self.graph.constant(each) for each in inputs]
        if all(each is not None for each in constants):
            return self._folded(kind, lambda *given: applied(sign, given), constants, at)
        return self._add(Step("operator", kind, sign, frame, inputs), at)

    def _folded(self, kind: Kind, function: Callable[..., Any], constants: Sequence[Any], at: int) -> int:
        value = folded(function, constants)
        if not isinstance(value, bool) and not np.isfinite(value) and all(np.isfinite(each) for each in constants):
            raise self._wrong("This is no finite number", at)
        return self.graph.add(Step("constant", kind, value=value))

    # -- names -------------------------------------------------------------------------------------------------------

    def _name(self, node: Name, frame: str) -> int:
        name = node.name
        if name in self._lets and (place := self._place(name)) < self._visible:
            return self._let(self._lets[name], place, frame)
        if name in self._parameters:
            return self.graph.add(Step("constant", "number", value=float(self._parameters[name])))
        if name in CONSTANTS:
            value = CONSTANTS[name]
            return self.graph.add(Step("constant", "truth" if isinstance(value, bool) else "number", value=value))
        if name in COLUMNS:
            return self._add(Step("column", "number", name, frame), node.at)
        if name in self._indicators() or name in FUNCTIONS or name == "at":
            return self._call(Call(node.at, name, ()), frame)
        return self._saved_formula(Call(node.at, name, ()), frame)

    def _place(self, name: str) -> int:
        return next(place for place, each in enumerate(self._program.lets) if each.name == name)

    def _let(self, let: Let, place: int, frame: str) -> int:
        key = let.name, frame
        if key not in self._bound:
            before, self._visible = self._visible, place
            self._bound[key] = self._lower(let.value, frame)
            self._visible = before
        return self._bound[key]

    def _part(self, node: Part, frame: str) -> int:
        number = self._lower(node.value, frame)
        step = self.graph.steps[number]
        if step.kind != "lines":
            single = f"{step.name} has one line" if step.work == "indicator" else "This has no outputs"
            raise self._wrong(f"{single}, and so no '.{node.name}'", node.at, f"Leave .{node.name} away.")
        outputs = self._outputs(step)
        if node.name not in outputs:
            raise self._wrong(f"{step.name} has no output '{node.name}'", node.at, f"It gives {', '.join(outputs)}.")
        return self._output(number, outputs.index(node.name))

    def _output(self, number: int, place: int) -> int:
        step = self.graph.steps[number]
        return self.graph.add(Step("output", "number", step.name, step.frame, (number,), settings=(("number", place),)))

    def _outputs(self, step: Step) -> list[str]:
        return [each.name for each in self._indicators()[step.name].outputs]

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: Call, frame: str) -> int:
        if node.name == "at":
            return self._at(node, frame)
        if node.name in FUNCTIONS:
            return self._called(FUNCTIONS[node.name], node, frame)
        if node.name in self._indicators():
            return self._indicator(self._indicators()[node.name], node, frame)
        if node.name in COLUMNS or node.name in CONSTANTS or node.name in self._parameters or node.name in self._lets:
            raise self._wrong(f"'{node.name}' is no function", node.at, f"Write {node.name} alone.")
        return self._saved_formula(node, frame)

    def _at(self, node: Call, frame: str) -> int:
        if len(node.arguments) != 2 or not isinstance(node.arguments[0].value, Word):
            raise self._wrong('at takes a timeframe in quotes and a formula: at("4h", ema(close, 20))', node.at)
        if frame:
            raise self._wrong("at cannot stand inside at, nor in a formula that is used there", node.at)
        try:
            wanted = timeframes.parse(node.arguments[0].value.value[:20])
        except InvalidInput as wrong:
            raise self._wrong(wrong.message.rstrip("."), node.arguments[0].value.at) from None
        number = self._series(node.arguments[1].value, wanted)
        step = self.graph.steps[number]
        if step.work == "constant":
            return number
        return self._add(Step("expand", step.kind, "at", wanted, (number,)), node.at)

    def _called(self, function: Function, node: Call, frame: str) -> int:
        given = matched(self._text, node, [each.name for each in function.arguments], function.call, many=function.many)
        inputs: list[int] = []
        settings: dict[str, float | int] = {}
        kind: str = function.gives
        asked: Kind | None = None
        for name, value in given:
            argument = next(each for each in function.arguments if each.name == name)
            if argument.takes == "size":
                settings[name] = self._constant(value, frame, argument, function.name)
                continue
            wanted = asked if argument.takes == "same" and asked else argument.takes
            number = self._of(value, frame, wanted, function.name)
            if argument.takes == "any":
                asked = self.graph.steps[number].kind
                kind = asked if function.gives == "same" else kind
            inputs.append(number)
        for argument in function.arguments:
            if argument.name in (name for name, _ in given):
                continue
            if argument.default is None:
                raise self._wrong(f"{function.name} needs {argument.name}", node.at, f"Write {function.call}.")
            if argument.takes == "size":
                settings[argument.name] = int(argument.default)
            else:
                inputs.append(self.graph.add(Step("constant", "number", value=argument.default)))
        return self._function(
            function, tuple(inputs), settings, node.at, frame, "truth" if kind == "truth" else "number"
        )

    def _function(
        self,
        function: Function,
        inputs: tuple[int, ...],
        settings: dict[str, float | int],
        at: int,
        frame: str,
        kind: Kind | None = None,
    ) -> int:
        kind = kind or self.graph.steps[inputs[0]].kind
        constants = [self.graph.constant(each) for each in inputs]
        if function.each and all(each is not None for each in constants):
            return self._folded(kind, lambda *given: function.run(*given, *settings.values()), constants, at)
        return self._add(Step("function", kind, function.name, frame, inputs, tuple(settings.items())), at)

    def _indicator(self, indicator: "Indicator", node: Call, frame: str) -> int:
        names = [*indicator.inputs, *indicator.parameters]
        call = f"{indicator.name}({', '.join(names)})"
        loose = [each for each in node.arguments if each.name is None]
        first = self._lower(loose[0].value, frame) if loose else None
        # Without series in front, the columns of the bars are meant: atr(14) is atr(high, low, close, 14).
        leading = first is not None and self.graph.constant(first) is None and self.graph.steps[first].kind != "word"
        given = dict(matched(self._text, node, names if leading else list(indicator.parameters), call, known=names))
        inputs = []
        for name in indicator.inputs:
            if name in given:
                inputs.append(self._of(given[name], frame, "number", indicator.name))
            elif name in ("open", "high", "low", "close", "volume", "timestamp") and not (
                leading and self._mixed(node)
            ):
                inputs.append(self._add(Step("column", "number", name, frame), node.at))
            else:
                raise self._wrong(f"{indicator.name} needs {name}", node.at, f"Write {call}.")
        settings: dict[str, float | int] = {}
        for name, parameter in indicator.parameters.items():
            settings[name] = parameter.default
            if name in given:
                value = self._of(given[name], frame, "number", indicator.name)
                constant = self.graph.constant(value)
                if constant is None:
                    raise self._changes(indicator.name, name, start(given[name]))
                try:
                    settings[name] = parameter.checked(name, _whole(constant))
                except InvalidInput as wrong:
                    raise self._wrong(f"{indicator.name}: {wrong.message.rstrip('.')}", start(given[name])) from None
        try:
            indicator.warmup(**settings)
        except InvalidInput as wrong:
            raise self._wrong(f"{indicator.name}: {wrong.message.rstrip('.')}", node.at) from None
        kind: Kind = "lines" if len(indicator.outputs) > 1 else "number"
        return self._add(
            Step("indicator", kind, indicator.name, frame, tuple(inputs), tuple(settings.items())), node.at
        )

    def _mixed(self, node: Call) -> bool:
        """Whether some inputs are written; then all must be, as nobody can tell which column is meant for the rest."""
        return any(each.name is None for each in node.arguments)

    def _constant(self, node: Expression, frame: str, argument: Argument, taker: str) -> int:
        """A whole number that does not change from bar to bar."""
        number = self._of(node, frame, "number", taker)
        value = self.graph.constant(number)
        if value is None:
            raise self._changes(taker, argument.name, start(node))
        if value < 0:
            raise self._wrong(
                f"{value:g} would look into the future", start(node), "Only this bar and earlier ones can be asked for."
            )
        if not np.isfinite(value) or value != int(value):
            raise self._wrong(f"{taker} takes a whole number for {argument.name}, not {value:g}", start(node))
        if not argument.low <= value <= argument.high:
            told = f"{argument.low:,.0f} to {argument.high:,.0f}"
            raise self._wrong(f"{taker} takes {told} for {argument.name}, not {value:,.0f}", start(node))
        return int(value)

    def _changes(self, taker: str, name: str, at: int) -> FormulaError:
        return self._wrong(
            f"{taker} takes a constant for {name}, and this changes from bar to bar", at,
            "Write a number or a parameter.",
        )  # fmt: skip

    # -- saved formulas ------------------------------------------------------------------------------------------------

    def _saved_formula(self, node: Call, frame: str) -> int:
        name = node.name
        if name in self._within:
            told = " > ".join([*self._within[self._within.index(name) :], name])
            raise self._wrong(f"'{name}' would use itself: {told}", node.at)
        found = self._saved(name)
        if found is None:
            raise self._unknown(node)
        text, program = found
        if program.value is None:
            raise self._wrong(f"'{name}' is a strategy of rules and has no value of its own", node.at)
        ranges = {each.name: each for each in program.ranges}
        values = {key: each.default for key, each in ranges.items()}
        call = f"{name}({', '.join(f'{each.name} = {each.told(each.default)}' for each in program.ranges)})"
        for key, value in matched(self._text, node, list(ranges), call):
            number = self._of(value, frame, "number", name)
            constant = self.graph.constant(number)
            if constant is None:
                raise self._changes(name, key, start(value))
            values[key] = self._within_range(name, ranges[key], float(constant), start(value))
        inner = Lowering(
            text, program, values, self._saved, graph=self.graph, within=(*self._within, name), depth=self._depth
        )
        try:
            root = inner.roots(frame)[""]
        except FormulaError as wrong:
            if inner._within[-1] in wrong.message and "use itself" in wrong.message:
                raise self._wrong(wrong.message.rpartition(" (")[0], node.at) from None
            raise self._wrong(f"In '{name}': {wrong.message.rstrip('.')}", node.at, wrong.hint) from None
        self.used |= {name: text, **inner.used}
        return root

    def _within_range(self, name: str, wanted: Range, value: float, at: int) -> float:
        if not wanted.low <= value <= wanted.high or (wanted.whole and value != int(value)):
            kind = "a whole number" if wanted.whole else "a number"
            raise self._wrong(
                f"{name} takes {kind} from {wanted.told(wanted.low)} to {wanted.told(wanted.high)} for {wanted.name}",
                at,
            )
        return value

    def _unknown(self, node: Call) -> FormulaError:
        hint = suggestion(node.name, [*known_names(), *self._lets, *self._parameters])
        if node.name in self._lets:
            hint = "A name can be used in what follows it, not before it and not in itself."
        return self._wrong(f"There is no '{node.name}'", node.at, hint)

    # ------------------------------------------------------------------------------------------------------------------

    def _indicators(self) -> "Mapping[str, Indicator]":
        from core.indicators.listing import catalogue

        return catalogue()

    def _add(self, step: Step, at: int) -> int:
        number = self.graph.add(step)
        if number >= MOST_STEPS:
            raise self._wrong(f"The formula has more than {MOST_STEPS} different steps", at)
        return number

    def _wrong(self, message: str, at: int, hint: str | None = None) -> FormulaError:
        return FormulaError(message, self._text, at, hint=hint)
