"""The catalogue: every indicator by name, collected from the modules that hold them."""

import difflib
import functools
import importlib
from collections.abc import Mapping
from types import MappingProxyType

from core.errors import NotFound
from core.indicators.described import Indicator

MODULES = (
    "trend", "directional", "momentum", "oscillators", "volatility", "volume", "sessions", "price",
    "statistics", "cycle", "patterns",
)  # fmt: skip


@functools.cache
def catalogue() -> Mapping[str, Indicator]:
    """Every indicator by name, category by category."""
    found: dict[str, Indicator] = {}
    for name in MODULES:
        for value in vars(importlib.import_module(f"core.indicators.{name}")).values():
            each = getattr(value, "indicator", None)
            if isinstance(each, Indicator):
                found[each.name] = each
    return MappingProxyType(found)


def named(name: str) -> Indicator:
    """The indicator of that name. Raises NotFound with the names most like it."""
    found = catalogue().get(name.strip().lower().replace("-", "_"))
    if found is None:
        near = difflib.get_close_matches(name.lower(), list(catalogue()), n=3, cutoff=0.65)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`orchestrator indicators` lists them."
        raise NotFound(f"There is no indicator '{name[:40]}'.", hint=hint)
    return found
