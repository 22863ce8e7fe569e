"""`orchestrator indicators`: the catalogue of indicators, or one of them in full."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from core.cli import emit
from core.errors import InvalidInput
from core.indicators.described import CATEGORIES, Indicator, Parameter


def indicators(
    name: Annotated[str, typer.Argument(help="Describe this one only, e.g. rsi.", show_default=False)] = "",
    category: Annotated[str, typer.Option("--category", "-c", help=f"One of {', '.join(CATEGORIES)}.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/indicators.md.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    from core.indicators import catalogue, named

    if category and category not in CATEGORIES:
        raise InvalidInput(f"There is no category '{category[:40]}'; there are {', '.join(CATEGORIES)}.")
    if name:
        one = named(name)
        if as_json:
            emit(document(one))
        else:
            print("\n".join(described(one)))
        return
    chosen = [each for each in catalogue().values() if category in ("", each.category)]
    if as_json:
        emit([document(each) for each in chosen])
    elif markdown:
        print(page(chosen), end="")
    else:
        print("\n".join(listed(chosen)))


def document(told: Indicator) -> dict[str, Any]:
    """The indicator as JSON."""
    return {
        "name": told.name,
        "summary": told.summary,
        "category": told.category,
        "inputs": list(told.inputs),
        "parameters": {
            name: {
                "default": each.default,
                "low": each.low,
                "high": each.high,
                "kind": each.kind.__name__,
                "help": each.help,
            }
            for name, each in told.parameters.items()
        },
        "outputs": [{"name": each.name, "unit": each.unit} for each in told.outputs],
        "overlay": told.overlay,
        "waits": told.waits or None,
        "warmup": told.warmup(),
        "settles": told.settles(),
    }


def listed(chosen: Iterable[Indicator]) -> list[str]:
    """A line for each, category by category."""
    rows = list(chosen)
    lines = []
    for category, meaning in CATEGORIES.items():
        own = [each for each in rows if each.category == category]
        if own:
            lines += ["", f"{category}: {meaning[0].lower()}{meaning[1:]}"]
            lines += [f"  {each.name:26}{each.summary}" for each in own]
    return lines[1:]


def described(told: Indicator) -> list[str]:
    """Everything there is to know about it."""
    lines = [told.call, told.summary, ""]
    for name, each in told.parameters.items():
        lines.append(f"  {name:12}{spelled(each)}")
    lines += [f"  {'gives':12}{', '.join(f'{each.name} ({each.unit})' for each in told.outputs)}"]
    lines += [f"  {'warm-up':12}{warmup(told)}"]
    return lines


def spelled(each: Parameter) -> str:
    """Its meaning, range and default in words."""
    return f"{each.help}: {each.low} to {each.high}, {each.default} when not given"


def warmup(told: Indicator) -> str:
    """How long it takes until the defaults give values, and until these no longer depend on the first bar."""
    if told.waits:
        return told.waits
    first, settled = told.warmup(), told.settles()
    bars = f"{first} {'bar' if first == 1 else 'bars'}"
    if settled is None:
        return f"{bars}; no number of bars makes its start irrelevant"
    return bars if settled <= first else f"{bars}; {settled} until the first bar no longer matters"


def page(chosen: Iterable[Indicator]) -> str:
    """docs/indicators.md."""
    rows = list(chosen)
    lines = [INTRODUCTION.format(count=len(rows))]
    for category, meaning in CATEGORIES.items():
        own = [each for each in rows if each.category == category]
        if not own:
            continue
        lines += [f"\n## {category.capitalize()}\n\n{meaning}.\n"]
        lines += ["| Call | What it is | Gives | Ranges | Warm-up |", "|---|---|---|---|---|"]
        for each in own:
            gives = ", ".join(f"{out.name} ({out.unit})" for out in each.outputs)
            ranges = "; ".join(f"{name} {one.low} to {one.high}" for name, one in each.parameters.items())
            lines.append(f"| `{each.call}` | {each.summary} | {gives} | {ranges} | {warmup(each)} |")
    return "\n".join(lines) + "\n"


INTRODUCTION = """\
# Indicators

The {count} indicators of the catalogue. This page is printed by `orchestrator indicators --markdown`;
`orchestrator indicators rsi` describes one of them, and in the chat `indicator rsi btc 1h` computes it.

```python
from core.indicators import catalogue, rsi

rsi(close, 14)  # (n,), NaN in the warm-up
catalogue()["macd"].compute(bars, fast=8)  # a tuple of (n,) arrays, from bars
catalogue()["macd"].warmup(fast=8)  # how many bars at the beginning are NaN
```

- None sees the future: what is computed on the first bars of a series is what the whole series gives for them, to the
  last bit.
- The warm-up is exact: so many values at the beginning are NaN, and none after. Unknown values (NaN) at the head of an
  input lengthen it; one further on makes the rest unknown. Averages that remember their start need longer until it no
  longer matters; the last column says how long, with the parameters' defaults.
- An input called `close` alone may be any series; `other` is a second series; the rest are columns of the bars.
- Sessions begin at midnight UTC, weeks on Monday.
- Within `with core.indicators.shared.shared():` a call with the same read-only arrays (`bars.close`) and the same
  parameters gives the very same arrays instead of computing them again; a sweep works like that.
- TA-Lib's variants of what is here are left out (MACDEXT, MACDFIX, SAREXT, MA, MAVP, ROCR, CMOU, MINMAX, its VWAP since
  the first bar), and its arithmetic, which formulas have themselves.
- A parameter outside its range, an unknown one, or arrays of the wrong shape are refused in one sentence.\
"""
