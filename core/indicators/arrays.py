"""What indicators made of others need: lines shifted, lines that begin together, ratios that are always defined."""

import numpy as np

from core.indicators.described import Floats, Lines


def lagged(line: Floats, bars: int) -> Floats:
    """The line `bars` bars later; NaN before."""
    late = np.full(len(line), np.nan)
    if bars < len(line):
        late[bars:] = line[: len(line) - bars]
    return late


def aligned(*lines: Floats) -> Lines:
    """The lines, NaN at the head until all are known."""
    known = ~np.isnan(lines[0])
    for line in lines[1:]:
        known &= ~np.isnan(line)
    first = int(np.argmax(known)) if known.any() else len(known)
    for line in lines:
        line[:first] = np.nan
    return lines


def ratio(above: Floats, below: Floats, otherwise: float) -> Floats:
    """above / below; `otherwise` where nothing stands below; NaN where one is unknown."""
    flat = below == 0.0
    divided: Floats = above / np.where(flat, 1.0, below)
    divided[flat & ~np.isnan(above)] = otherwise
    return divided
