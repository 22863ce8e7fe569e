"""How the parts of a portfolio move together.

returns: (n, assets) simple, per period; `aligned` makes it of series with clocks of their own. A NaN leaves its period
out of the pairs that it is part of. A pair with fewer than three common periods, or of which one does not vary, has no
correlation (NaN), and an asset that never varies none with itself either.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.analytics.rolling import rolling_correlation
from core.analytics.series import NAN, Floats
from core.errors import InvalidInput

Method = Literal["pearson", "spearman", "shrunk"]
METHODS = ("pearson", "spearman", "shrunk")
LEAST = 3  # two points lie on a line whatever they are


def aligned(series: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> tuple[tuple[str, ...], NDArray[np.int64], Floats]:
    """(names, (n,) every time at which any has a value, (n, assets) their values then, NaN where one has none).

    series: of each name its times, UTC ms and ascending, and its values.
    """
    clocks = {name: np.asarray(times, dtype=np.int64) for name, (times, _) in series.items()}
    for name, (_, values) in series.items():
        if clocks[name].shape != np.shape(values) or clocks[name].ndim != 1:
            raise InvalidInput(f"{name} has {np.size(values)} values for {clocks[name].size} times.")
        if np.any(np.diff(clocks[name]) <= 0):
            raise InvalidInput(f"The times of {name} are not in ascending order.")
    times = np.unique(np.concatenate([*clocks.values(), np.empty(0, dtype=np.int64)]))
    table = np.full((len(times), len(series)), np.nan)
    for column, (name, (_, values)) in enumerate(series.items()):
        table[np.searchsorted(times, clocks[name]), column] = np.asarray(values, dtype=np.float64)
    return tuple(series), times, table


def correlations(returns: ArrayLike, method: Method = "pearson") -> Floats:
    """(assets, assets) correlations of every pair.

    pearson     linear, over the periods that a pair has in common
    spearman    of the ranks, ties at their mean: for what is monotone, and unmoved by outliers
    shrunk      Pearson's drawn towards 0 as far as so few periods call for (Ledoit and Wolf 2004 on standardised
                returns), over the periods that all assets have in common
    """
    table = _table(returns)
    if method not in METHODS:
        raise InvalidInput(f"No method '{method}' of correlation; there are {', '.join(METHODS)}.")
    if method == "shrunk":
        return _shrunk(table)
    count = table.shape[1]
    missing = np.isnan(table).any()
    found = np.full((count, count), np.nan)
    whole = _ranks(table) if method == "spearman" and not missing else table
    for i in range(count):
        for j in range(i, count):
            pair = whole[:, [i, j]]
            if missing:
                pair = pair[~np.isnan(pair).any(axis=1)]
                pair = _ranks(pair) if method == "spearman" else pair
            value = _pearson(pair[:, 0], pair[:, 1])
            found[i, j] = found[j, i] = value if i != j or np.isnan(value) else 1.0
    return found


def ledoit_wolf(returns: ArrayLike) -> tuple[Floats, float]:
    """((assets, assets) covariance, how far it was drawn from the sample's towards a multiple of the identity, 0 to 1).

    Over the periods that all assets have in common; NaN below two of these. The covariance is the population's.
    Source: Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices".
    """
    table = _table(returns)
    table = table[~np.isnan(table).any(axis=1)]
    n, count = table.shape
    if n < 2 or count == 0:
        return np.full((count, count), np.nan), NAN
    off = table - table.mean(axis=0)
    sample = off.T @ off / n
    mean = np.trace(sample) / count
    distance = float(np.sum((sample - mean * np.eye(count)) ** 2))
    # The mean squared distance of each period's own covariance from the sample's, out of two matrix products.
    noise = float(np.sum((off**2).T @ (off**2)) / n - np.sum(sample**2)) / n
    share = min(1.0, max(0.0, noise / distance)) if distance > 0.0 else 0.0
    return (1.0 - share) * sample + share * mean * np.eye(count), share


def rolling_average_correlation(returns: ArrayLike, window: int) -> Floats:
    """(n,) the mean correlation of all pairs in each window; NaN before the first is whole or where no pair has one."""
    table = _table(returns)
    count = table.shape[1]
    total, known = np.zeros(len(table)), np.zeros(len(table))
    for i in range(count):
        for j in range(i + 1, count):
            pair = rolling_correlation(table[:, i], table[:, j], window)
            total += np.nan_to_num(pair)
            known += ~np.isnan(pair)
    return np.divide(total, known, out=np.full(len(table), np.nan), where=known > 0)


def average_correlation(correlation: ArrayLike) -> float:
    """Mean correlation of all pairs that have one; NaN where none has."""
    square = _square(correlation)
    pairs = square[np.triu_indices(len(square), 1)]
    pairs = pairs[~np.isnan(pairs)]
    return float(np.mean(pairs)) if len(pairs) else NAN


def cluster_order(correlation: ArrayLike) -> list[int]:
    """The assets in an order that brings together those that move together, as a heat map shows them best.

    Average linkage over the distance sqrt((1 - correlation) / 2) with optimal leaf order; an unknown correlation counts
    as none. Source: Mantegna (1999); Bar-Joseph, Gifford and Jaakkola (2001).
    """
    square = _square(correlation)
    if len(square) < 3:
        return list(range(len(square)))
    from scipy.cluster import hierarchy

    distances = _distances(square)
    return [int(each) for each in hierarchy.leaves_list(hierarchy.linkage(distances, "average", optimal_ordering=True))]


def clusters(correlation: ArrayLike, least: float = 0.5) -> list[int]:
    """The cluster of each asset, numbered from 0 in the order of the assets.

    least: clusters are merged while the assets' average distance is that of at least this correlation.
    """
    square = _square(correlation)
    if not -1.0 <= least <= 1.0:
        raise InvalidInput(f"The correlation {least} is outside -1 to 1.")
    if len(square) < 2:
        return [0] * len(square)
    from scipy.cluster import hierarchy

    tree = hierarchy.linkage(_distances(square), "average")
    labels = hierarchy.fcluster(tree, np.sqrt((1.0 - least) / 2.0), "distance")
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(label), len(numbers)) for label in labels]


def diversification_ratio(weights: Sequence[float] | Floats, covariance: ArrayLike) -> float:
    """Weighted mean of the assets' volatilities per volatility of the portfolio; 1 is no diversification.

    weights: (assets,) shares of equity, long or short. NaN where the portfolio does not vary or a covariance that it
    needs is unknown. Source: Choueifaty and Coignard (2008), "Toward Maximum Diversification".
    """
    shares, matrix = _portfolio(weights, covariance)
    risks = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    variance = float(shares @ matrix @ shares)
    return float(np.abs(shares) @ risks / np.sqrt(variance)) if variance > 1e-30 else NAN


def effective_bets(weights: Sequence[float] | Floats, covariance: ArrayLike) -> float:
    """How many independent bets the portfolio's risk is spread over: 1 to the number of assets.

    The exponential of the entropy of what each principal portfolio adds to the variance. NaN as diversification_ratio.
    Source: Meucci (2009), "Managing Diversification".
    """
    shares, matrix = _portfolio(weights, covariance)
    variance = float(shares @ matrix @ shares)
    if not variance > 1e-30:
        return NAN
    risks, portfolios = np.linalg.eigh(matrix)
    parts = (portfolios.T @ shares) ** 2 * np.maximum(risks, 0.0)
    parts = parts[parts > 0.0] / np.sum(parts)
    return float(np.exp(-np.sum(parts * np.log(parts))))


def covariances(returns: ArrayLike) -> Floats:
    """(assets, assets) sample covariances over the periods that all assets have in common; NaN below two of these."""
    table = _table(returns)
    table = table[~np.isnan(table).any(axis=1)]
    if len(table) < 2:
        return np.full((table.shape[1], table.shape[1]), np.nan)
    off = table - table.mean(axis=0)
    found: Floats = off.T @ off / (len(table) - 1)
    return found


def _pearson(left: Floats, right: Floats) -> float:
    if len(left) < LEAST:
        return NAN
    first, second = left - np.mean(left), right - np.mean(right)
    across, along = np.sqrt(np.mean(first**2)), np.sqrt(np.mean(second**2))
    if not (across > _rounding(left) and along > _rounding(right)):
        return NAN
    return float(np.clip(np.mean((first / across) * (second / along)), -1.0, 1.0))


def _shrunk(table: Floats) -> Floats:
    count = table.shape[1]
    found = np.full((count, count), np.nan)
    with np.errstate(invalid="ignore"):
        varies = np.array([np.sum(~np.isnan(each)) >= LEAST and np.nanstd(each) > _rounding(each) for each in table.T])
    whole = table[:, varies]
    whole = whole[~np.isnan(whole).any(axis=1)]
    if len(whole) < LEAST:
        return found
    spread = whole.std(axis=0)
    still = spread <= np.array([_rounding(each) for each in whole.T])
    standard = (whole - whole.mean(axis=0)) / np.where(still, 1.0, spread)
    shrunk, _ = ledoit_wolf(standard)
    np.fill_diagonal(shrunk, 1.0)
    shrunk[still, :] = shrunk[:, still] = np.nan
    found[np.ix_(varies, varies)] = shrunk
    return found


def _ranks(table: Floats) -> Floats:
    from scipy import stats

    ranks: Floats = stats.rankdata(table, axis=0)
    return ranks


def _rounding(values: Floats) -> float:
    return 1e-15 * max(1.0, float(np.nanmax(np.abs(values)))) if len(values) else 0.0


def _distances(square: Floats) -> Floats:
    known = np.clip(np.nan_to_num(square), -1.0, 1.0)
    return np.sqrt((1.0 - known[np.triu_indices(len(square), 1)]) / 2.0)


def _table(returns: ArrayLike) -> Floats:
    table = np.asarray(returns, dtype=np.float64)
    if table.ndim != 2:
        raise InvalidInput(f"Correlations need returns of (periods, assets); these have {table.ndim} dimensions.")
    return table


def _square(correlation: ArrayLike) -> Floats:
    square = np.asarray(correlation, dtype=np.float64)
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise InvalidInput(f"Correlations of assets make a square; these are {square.shape}.")
    return square


def _portfolio(weights: Sequence[float] | Floats, covariance: ArrayLike) -> tuple[Floats, Floats]:
    """The shares and covariances of the assets that are held."""
    shares, square = np.asarray(weights, dtype=np.float64), _square(covariance)
    if shares.shape != (len(square),):
        raise InvalidInput(f"{shares.size} weights do not fit covariances of {len(square)} assets.")
    held = shares != 0.0
    return shares[held], square[np.ix_(held, held)]
