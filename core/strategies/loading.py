"""catalogue and load: the shipped strategies by name, and a user's own from a file."""

import difflib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import AppError, InvalidInput, NotFound
from core.trading.strategy import METHODS, Strategy

if TYPE_CHECKING:
    from core.indicators.formula.shelf import Shelf

SHIPPED = (
    "sma_cross", "ema_cross", "rsi_reversion", "macd", "bollinger_breakout", "donchian", "buy_and_hold", "rsi_limit",
    "trend_pullback", "grid", "dca", "momentum_rotation",
)  # fmt: skip
NEEDED = ("name", "summary", "parameters", "warmup")
NO_CLASS = "no class with a method signals(bars, context), on_bar(view) or allocate(bars, context)."


def catalogue() -> dict[str, type[Strategy]]:
    """The shipped strategies: {name: class}."""
    found = {}
    for name in SHIPPED:
        module = importlib.import_module(f"core.strategies.{name}")
        found[name] = next(each for each in vars(module).values() if getattr(each, "name", None) == name)
    return found


def own(
    folder: Path | None = None, formulas: "Shelf | None" = None
) -> tuple[dict[str, type[Strategy]], tuple[str, ...]]:
    """The user's strategies in DATA_DIR/strategies: {file.py:Class: class}, and a sentence for each file that fails.

    Saved formulas that are rules come with them, under their names; those of DATA_DIR/formulas unless others are given.
    """
    found: dict[str, type[Strategy]] = {}
    failed: list[str] = []
    for path in sorted((folder or _folder()).glob("*.py")):
        if path.name.startswith("_"):
            continue
        try:
            kinds = _classes(path)
            if not kinds:
                failed.append(f"{path.name}: {NO_CLASS}")
            found |= {f"{path.name}:{name}": _checked(kind, path) for name, kind in kinds.items()}
        except AppError as refused:
            failed.append(refused.message.replace(str(path), path.name))
    rules, broken = saved(formulas or _shelf(folder))
    return found | rules, (*failed, *broken)


def saved(formulas: "Shelf") -> tuple[dict[str, type[Strategy]], tuple[str, ...]]:
    """The saved formulas that are rules: {name: class}, and a sentence for each that no longer works."""
    from core.strategies.formula import formula_strategy

    found: dict[str, type[Strategy]] = {}
    failed: list[str] = []
    for name, formula in formulas.opened().items():
        if isinstance(formula, AppError):
            failed.append(formula.sentence())
        elif formula.kind != "number":
            found[name] = formula_strategy(formula, name)
    return found, tuple(failed)


def load(
    name: str,
    parameters: Mapping[str, str | float] | None = None,
    folder: Path | None = None,
    *,
    paths: bool = True,
    formulas: "Shelf | None" = None,
) -> Strategy:
    """A strategy by name, class name, `path.py:Class` or `formula: TEXT`; texts of parameters are read as numbers.

    folder: where a path that does not exist here is looked up; by default DATA_DIR/strategies.
    paths: whether the hint for an unknown name speaks of paths.
    formulas: the saved formulas that are looked through; by default those in the folder `formulas` beside `folder`.
    Raises NotFound or InvalidInput with suggestions and ranges.
    """
    kind: type[Strategy]
    if name.lstrip().lower().startswith("formula:"):
        from core.strategies.formula import inline

        kind = inline(name, formulas or _shelf(folder))
    else:
        kind = _from_file(name, folder) if ".py" in name else _by_name(name, paths, formulas, folder)
    given: dict[str, Any] = {}
    for key, value in (parameters or {}).items():
        described = kind.parameters.get(key)
        if described is None:
            raise InvalidInput(
                f"{kind.name} has no parameter '{key}'.", hint=_parameters(kind, key), parameter=key, strategy=kind.name
            )
        given[key] = described.checked(key, value)
    return kind(**given)


def _by_name(name: str, paths: bool, formulas: "Shelf | None", folder: Path | None) -> type[Strategy]:
    known = catalogue()
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    for key, kind in known.items():
        if wanted in (key, kind.__name__.lower(), key.replace("_", "")):
            return kind
    shelf = formulas or _shelf(folder)
    if wanted in shelf:
        from core.strategies.formula import formula_strategy

        return formula_strategy(shelf.open(wanted), wanted)
    close = difflib.get_close_matches(wanted, [*known, *shelf.names()], n=2, cutoff=0.5)
    there = f"There are: {', '.join(known)}{'; or path.py:Class' if paths else ''}."
    hint = f"Did you mean {' or '.join(close)}?" if close else there
    raise NotFound(f"There is no strategy '{name}'.", hint=hint, strategy=name)


def _from_file(name: str, folder: Path | None) -> type[Strategy]:
    path_text, _, class_name = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    path = _found(path_text, folder)
    kinds = _classes(path)
    if not class_name and len(kinds) == 1:
        class_name = next(iter(kinds))
    if class_name not in kinds:
        there = f"It has: {', '.join(kinds)}." if kinds else f"It has {NO_CLASS}"
        wanted = f"no strategy '{class_name}'" if class_name else "no single strategy"
        raise NotFound(f"{path} has {wanted}.", hint=there, file=str(path))
    return _checked(kinds[class_name], path)


def _checked(kind: type[Strategy], path: Path) -> type[Strategy]:
    missing = [each for each in NEEDED if not hasattr(kind, each)]
    if missing:
        raise InvalidInput(f"{path}: {kind.__name__} lacks {', '.join(missing)}.", file=str(path))
    return kind


def _classes(path: Path) -> dict[str, type[Strategy]]:
    """The strategy classes that a file defines. Raises InvalidInput when it cannot be run."""
    key = f"user_strategy_{abs(hash(str(path.resolve())))}"
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except SyntaxError as broken:
        raise InvalidInput(f"{path}, line {broken.lineno}: {broken.msg}.", file=str(path)) from None
    except AppError as refused:
        raise InvalidInput(f"{path}: {refused.sentence()}", file=str(path)) from None
    except (Exception, SystemExit) as broken:  # a user's file may fail in any way; the sentence says where
        lines = [frame.lineno for frame in traceback.extract_tb(broken.__traceback__) if frame.filename == str(path)]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        raise InvalidInput(f"{place}: {type(broken).__name__}: {broken}", file=str(path)) from None
    return {
        each.__name__: each
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == key and any(hasattr(each, method) for method in METHODS)
    }


def _folder() -> Path:
    from core import settings

    return settings.load().data_dir / "strategies"


def _shelf(folder: Path | None) -> "Shelf":
    """The saved formulas beside a folder of strategies."""
    from core.strategies.formula import shelf_in

    return shelf_in((folder or _folder()).parent / "formulas")


def _found(text: str, folder: Path | None) -> Path:
    path = Path(text).expanduser()
    if path.is_file():
        return path
    folder = folder or _folder()
    if (folder / path).is_file():
        return folder / path
    raise NotFound(f"There is no strategy file {text}.", hint=f"It is looked up here and in {folder}.", file=text)


def _parameters(kind: type[Strategy], wrong: str) -> str:
    close = difflib.get_close_matches(wrong, kind.parameters, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    told = (f"{name} ({each.low} to {each.high})" for name, each in kind.parameters.items())
    return f"It takes: {', '.join(told)}." if kind.parameters else "It takes none."
