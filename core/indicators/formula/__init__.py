"""The formula language: `parse("cross(ema(close, 12), ema(close, 26)) and rsi(close, 14) < 70").evaluate(bars)`.

A formula is parsed, typed, checked and turned into array operations; no Python is made of it. It cannot look ahead:
whatever it may call takes a bar's value from that bar and earlier ones. See docs/formulas.md.
"""

from core.indicators.formula.errors import FormulaError
from core.indicators.formula.formula import Formula, parse

__all__ = ["Formula", "FormulaError", "parse"]
