"""The rolling volume profile: each bar's volume is spread evenly over its range, the window's range cut into rows."""

import numpy as np

from core.indicators.compiled import kernel
from core.indicators.described import Floats


@kernel
def profile(
    high: Floats, low: Floats, volume: Floats, period: int, rows: int, share: float
) -> tuple[Floats, Floats, Floats]:
    """(middle of the fullest row, upper and lower edge of the value area). (period + rows) steps per bar.

    Of rows equally full the lowest counts. The area grows from it by the fuller neighbour, the upper one of two equal.
    Where the window saw no volume every bar counts the same.
    """
    n = len(high)
    point, top, bottom = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    within, steps = np.empty(rows), np.empty(rows + 1)
    for t in range(period - 1, n):
        first = t - period + 1
        least, most, traded = low[first], high[first], 0.0
        for k in range(first, t + 1):
            least, most, traded = min(least, low[k]), max(most, high[k]), traded + volume[k]
        if not most > least:
            point[t], top[t], bottom[t] = most, most, most
            continue
        height = (most - least) / rows
        within[:] = 0.0
        steps[:] = 0.0
        for k in range(first, t + 1):
            size = volume[k] if traded > 0.0 else 1.0
            lower, upper = (low[k] - least) / height, (high[k] - least) / height  # in rows
            a, b = min(int(lower), rows - 1), min(int(upper), rows - 1)
            if a == b:
                within[a] += size
                continue
            density = size / (upper - lower)
            within[a] += density * (a + 1 - lower)
            within[b] += density * (upper - b)
            steps[a + 1] += density  # the rows in between hold a whole row each, summed up below
            steps[b] -= density
        full, total, running = 0, 0.0, 0.0
        for row in range(rows):
            running += steps[row]
            within[row] += running
            total += within[row]
            if within[row] > within[full]:
                full = row
        lowest, highest, held = full, full, within[full]
        while held < share * total and (lowest > 0 or highest < rows - 1):
            above = within[highest + 1] if highest < rows - 1 else -1.0
            below = within[lowest - 1] if lowest > 0 else -1.0
            if above >= below:
                highest += 1
                held += above
            else:
                lowest -= 1
                held += below
        point[t] = least + (full + 0.5) * height
        top[t] = least + (highest + 1) * height
        bottom[t] = least + lowest * height
    return point, top, bottom
