"""`orchestrator formula …`: check, save, list, show, remove and evaluate formulas."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit
from core.cli.inputs import opened, parameters_of
from core.errors import AppError, InvalidInput

if TYPE_CHECKING:
    from core.indicators.formula import Formula
    from core.indicators.formula.shelf import Saved, Shelf

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Check, save, list, show, remove and evaluate formulas. The language: docs/formulas.md.",
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Text = Annotated[str, typer.Argument(help="A formula in quotes, such as 'rsi(close, 14) < 30'; - reads it from stdin.")]
Name = Annotated[str, typer.Argument(help="The formula's name.")]
DASHES = {"ignore_unknown_options": True}  # a formula may begin with a minus
KINDS = {
    "number": "a number: an indicator", "truth": "true or false: an indicator and a strategy", "rules": "a strategy",
}  # fmt: skip


@app.command("check", context_settings=DASHES)
def check(formula: Text, as_json: Json = False) -> None:
    """Tell what a formula is, how many bars it needs and what can be varied, or where it is wrong."""
    text = _written(formula)
    checked = _shelf().check(text)
    if as_json:
        emit(document_of(checked))
    else:
        _tell(checked)


@app.command("save", context_settings=DASHES)
def save(
    name: Name,
    formula: Text,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the formula of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Save a formula under a name; under it, it is an indicator in formulas, and a strategy if it is a rule."""
    from core.accounts.people import OWNER_ID
    from core.clock import SystemClock

    text = _written(formula)
    when = SystemClock().now().isoformat(timespec="seconds")
    saved = _shelf().save(name, text, owner=OWNER_ID, saved=when, replace=replace)
    if as_json:
        emit({"name": name} | document_of(saved))
        return
    print(f"Saved '{name}'.")
    _tell(saved)
    if saved.kind != "number":
        print(f"To test it: orchestrator backtest {name} --data …")


@app.command("list")
def list_formulas(as_json: Json = False) -> None:
    """List the saved formulas."""
    shelf = _shelf()
    rows: list[dict[str, Any]] = []
    for name, found in shelf.opened().items():
        if isinstance(found, AppError):
            rows.append({"name": name, "error": found.sentence()})
        else:
            rows.append(_saved_document(shelf.get(name), found))
    if as_json:
        emit(rows)
        return
    if not rows:
        print("No formula is saved yet. To save one: orchestrator formula save dip 'rsi(close, 14) < 30'")
    for row in rows:
        print(f"{row['name']:22}{row.get('error') or ' '.join(row['text'].split())}")


@app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """Show a saved formula."""
    shelf = _shelf()
    saved, formula = shelf.get(name), shelf.open(name)
    if as_json:
        emit(_saved_document(saved, formula) | {"used_by": shelf.users(name)})
        return
    print(saved.text)
    _tell(formula)
    users = shelf.users(name)
    if users:
        print(f"Used by: {', '.join(users)}")


@app.command("remove")
def remove(name: Name, as_json: Json = False) -> None:
    """Remove a saved formula; what it was is printed, so that it can be saved again."""
    gone = _shelf().remove(name)
    if as_json:
        emit({"removed": name, "text": None if gone is None else gone.text})
    else:
        print(f"Removed '{name}'{'.' if gone is None else f': {gone.text}'}")


@app.command("evaluate")
def evaluate(
    formula: Annotated[str, typer.Argument(help="A saved formula's name, or a formula in quotes; - reads stdin.")],
    data: Annotated[str, typer.Option(help="A bars file, or VENUE:SYMBOL:TIMEFRAME.")],
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the formula, as name=value.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the last bars are printed.")] = 10,
    as_json: Json = False,
) -> None:
    """Print the last values of a formula on bars."""
    from core.clock import from_ms
    from core.market.bars import Bars

    shelf = _shelf()
    found = shelf.open(formula) if formula in shelf else shelf.check(_written(formula))
    values = {name: _number(name, text) for name, text in parameters_of(param or []).items()}
    bars = opened([data])
    assert isinstance(bars, Bars)  # one name gives the bars of one instrument
    computed = found.evaluate(bars, **values)[-last:].tolist()
    times = [from_ms(int(each)).isoformat() for each in bars.timestamp[-last:]]
    shown = [None if value != value else value for value in computed]  # NaN is not known
    if as_json:
        rows = [{"time": time, "value": value} for time, value in zip(times, shown, strict=True)]
        described = {"data": f"{bars.instrument.key}:{bars.timeframe}", "bars": len(bars)}
        emit(document_of(found) | described | {"warmup": found.warmup(bars.timeframe, **values), "values": rows})
        return
    for time, value in zip(times, shown, strict=True):
        told = "–" if value is None else str(value).lower() if isinstance(value, bool) else f"{value:.10g}"
        print(f"{time[:16].replace('T', ' ')}  {told}")


@app.command("functions")
def functions(as_json: Json = False) -> None:
    """List the columns and functions of the language; every indicator is one too."""
    from core.indicators.formula.functions import reference

    rows = reference()
    if as_json:
        emit([{"call": call, "summary": summary} for call, summary in rows])
        return
    for call, summary in rows:
        print(f"{call:28}{summary}")
    print("Every indicator is a function too: orchestrator indicators")


def document_of(formula: "Formula") -> dict[str, Any]:
    """What `--json` tells of a formula."""
    return {
        "text": formula.text,
        "kind": formula.kind,
        "warmup": formula.warmup(),
        "timeframes": list(formula.frames()),
        "parameters": {
            name: {"default": each.default, "low": each.low, "high": each.high, "step": each.step, "whole": each.whole}
            for name, each in formula.parameters.items()
        },
        "uses": sorted(formula.uses),
    }


def _saved_document(saved: "Saved", formula: "Formula") -> dict[str, Any]:
    return {"name": saved.name, "saved": saved.saved} | document_of(formula)


def _tell(formula: "Formula") -> None:
    """What a formula is, for people."""
    print(f"{'It gives':14}{KINDS[formula.kind]}")
    frames = f", and bars of {' and '.join(formula.frames())}" if formula.frames() else ""
    print(f"{'Warm-up':14}{formula.warmup()} bars{frames}")
    for name, each in formula.parameters.items():
        told = f"{each.told(each.low)} to {each.told(each.high)}"
        print(f"{'Parameter':14}{name}={each.told(each.default)} ({told})")
    if formula.uses:
        print(f"{'Uses':14}{', '.join(sorted(formula.uses))}")
    if formula.momentary:
        print(f"{'As a strategy':14}it holds one bar at a time; write 'entry: …; exit: …' to hold longer")


def _shelf() -> "Shelf":
    from core.folders import data_dir
    from core.strategies.formula import shelf_in

    return shelf_in(data_dir() / "formulas")


def _written(text: str) -> str:
    """The formula of the argument, or of stdin."""
    from core.indicators.formula.lexer import LONGEST

    return sys.stdin.read(LONGEST + 1).strip() if text == "-" else text


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"{name} takes a number, not '{text[:40]}'.") from None
