"""How the parts of a portfolio move together."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import ledoit_wolf as reference

from core.analytics import correlation
from core.errors import InvalidInput

NAN = math.nan


def two_families(n: int = 400) -> np.ndarray:
    """(n, 5): 0, 2 and 4 move together, 1 and 3 do."""
    rng = np.random.default_rng(8)
    first, second = rng.normal(0, 0.01, n), rng.normal(0, 0.01, n)
    own = rng.normal(0, 0.004, (n, 5))
    return own + np.stack([first, second, first, second, first], axis=1)


def test_series_are_aligned_by_their_times() -> None:
    names, times, table = correlation.aligned(
        {"BTC": ([1, 2, 3], [0.1, 0.2, 0.3]), "ETH": ([2, 3, 5], [1.0, 2.0, 3.0])}
    )
    assert names == ("BTC", "ETH")
    np.testing.assert_array_equal(times, [1, 2, 3, 5])
    np.testing.assert_array_equal(table, [[0.1, NAN], [0.2, 1.0], [0.3, 2.0], [NAN, 3.0]])
    assert correlation.aligned({})[2].shape == (0, 0)


@pytest.mark.parametrize(
    "series", [{"BTC": ([2, 1], [0.1, 0.2])}, {"BTC": ([1, 2], [0.1])}, {"BTC": ([1, 1], [0.1, 0.2])}]
)
def test_series_without_a_clock_are_refused(series: dict[str, tuple[list[int], list[float]]]) -> None:
    with pytest.raises(InvalidInput, match="BTC"):
        correlation.aligned(series)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlations_are_those_of_scipy(method: str) -> None:
    table = np.round(two_families(), 3)  # with ties
    told = correlation.correlations(table, method)  # type: ignore[arg-type]
    expected = np.corrcoef(table.T) if method == "pearson" else stats.spearmanr(table).statistic
    np.testing.assert_allclose(told, expected, rtol=1e-12, atol=1e-14)
    table[5:40, 1] = NAN
    told = correlation.correlations(table, method)  # type: ignore[arg-type]
    function = stats.pearsonr if method == "pearson" else stats.spearmanr
    for other in (0, 2, 3, 4):
        known = ~np.isnan(table[:, 1])
        assert told[1, other] == pytest.approx(function(table[known, 1], table[known, other]).statistic, rel=1e-12)
    np.testing.assert_array_equal(told, told.T)


@pytest.mark.parametrize("method", correlation.METHODS)
def test_what_does_not_vary_or_is_too_short_has_no_correlation(method: str) -> None:
    table = two_families(50)
    table[:, 2] = 0.001
    told = correlation.correlations(table, method)  # type: ignore[arg-type]
    assert np.isnan(told[2]).all()
    assert np.isnan(told[:, 2]).all()
    known = np.delete(np.delete(told, 2, 0), 2, 1)
    assert not np.isnan(known).any()
    np.testing.assert_array_equal(np.diag(known), 1.0)
    for short in (table[:0], table[:1], table[:2], np.full((20, 5), NAN)):
        assert np.isnan(correlation.correlations(short, method)).all()  # type: ignore[arg-type]


def test_ranks_are_unmoved_by_outliers_and_bends() -> None:
    table = two_families()[:, :2]
    bent = table.copy()
    bent[:, 0] = np.exp(100.0 * bent[:, 0])
    bent[0, 0] *= 1e6 if bent[0, 0] == bent[:, 0].max() else 1.0
    told = correlation.correlations(bent, "spearman")
    np.testing.assert_allclose(told, correlation.correlations(table, "spearman"), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 10, 60, 2_000])
def test_the_shrunk_covariance_is_that_of_scikit_learn(n: int) -> None:
    table = two_families(n)
    matrix, share = correlation.ledoit_wolf(table)
    expected, intensity = reference(table)
    assert share == pytest.approx(intensity, rel=1e-10)
    np.testing.assert_allclose(matrix, expected, rtol=1e-10, atol=1e-18)


def test_few_periods_shrink_correlations_more_than_many() -> None:
    few, many = two_families(20), two_families(5_000)
    shrunk, plain = correlation.correlations(few, "shrunk"), correlation.correlations(few)
    others = ~np.eye(5, dtype=bool)
    assert np.all(np.abs(shrunk[others]) < np.abs(plain[others]))
    assert np.linalg.eigvalsh(shrunk).min() > np.linalg.eigvalsh(plain).min()
    np.testing.assert_allclose(correlation.correlations(many, "shrunk"), correlation.correlations(many), atol=0.01)


def test_rolling_average_correlation_is_the_mean_of_the_pairs() -> None:
    table = two_families(120)
    table[60:80, 3] = NAN
    told = correlation.rolling_average_correlation(table, 15)
    assert np.isnan(told[:14]).all()
    for last in (15, 40, 62, 80, 90, 120):
        expected = correlation.average_correlation(correlation.correlations(table[last - 15 : last]))
        assert told[last - 1] == pytest.approx(expected, rel=1e-9)


def test_what_moves_together_is_brought_together() -> None:
    matrix = correlation.correlations(two_families())
    order = correlation.cluster_order(matrix)
    assert sorted(order) == [0, 1, 2, 3, 4]
    families = [place % 2 for place in order]
    assert families in ([0, 0, 0, 1, 1], [1, 1, 0, 0, 0])
    assert correlation.clusters(matrix) == [0, 1, 0, 1, 0]
    assert correlation.clusters(matrix, least=0.99) == [0, 1, 2, 3, 4]
    assert len(set(correlation.clusters(matrix, least=-1.0))) == 1
    matrix[4, :] = matrix[:, 4] = NAN
    assert correlation.clusters(matrix) == [0, 1, 0, 1, 2]
    assert correlation.cluster_order([[1.0]]) == [0]
    assert correlation.cluster_order(np.empty((0, 0))) == []
    assert correlation.clusters(np.empty((0, 0))) == []


def test_diversification_of_alike_and_of_independent_assets() -> None:
    alike, independent = np.full((4, 4), 0.04), np.eye(4) * 0.04
    weights = np.full(4, 0.25)
    assert correlation.diversification_ratio(weights, alike) == pytest.approx(1.0)
    assert correlation.effective_bets(weights, alike) == pytest.approx(1.0)
    # Choueifaty and Coignard (2008): the square of the ratio is the number of independent bets of equal risk
    assert correlation.diversification_ratio(weights, independent) == pytest.approx(2.0)
    assert correlation.effective_bets(weights, np.diag([0.04, 0.041, 0.039, 0.0405])) == pytest.approx(4.0, rel=1e-3)
    assert correlation.effective_bets([1.0, 0.0, 0.0, 0.0], independent) == pytest.approx(1.0)
    assert correlation.diversification_ratio([0.5, 0.5], [[0.04, NAN], [NAN, 0.01]]) is not None
    assert math.isnan(correlation.diversification_ratio([0.5, 0.5], [[0.04, NAN], [NAN, 0.01]]))
    assert correlation.diversification_ratio([1.0, 0.0], [[0.04, NAN], [NAN, 0.01]]) == pytest.approx(1.0)
    for weightless in ([0.0] * 4, [NAN] * 4):
        assert math.isnan(correlation.diversification_ratio(weightless, independent))
        assert math.isnan(correlation.effective_bets(weightless, independent))


def test_sample_covariances_leave_out_periods_that_are_not_known() -> None:
    table = two_families(100)
    table[3, 2] = NAN
    expected = np.cov(np.delete(table, 3, axis=0).T)
    np.testing.assert_allclose(correlation.covariances(table), expected, rtol=1e-12, atol=1e-20)
    assert np.isnan(correlation.covariances(table[:1])).all()


def test_wrong_shapes_and_names_are_refused() -> None:
    for call in (
        lambda: correlation.correlations([0.1, 0.2]),
        lambda: correlation.correlations(two_families(), "kendall"),  # type: ignore[arg-type]
        lambda: correlation.average_correlation(np.zeros((2, 3))),
        lambda: correlation.clusters(np.eye(2), least=2.0),
        lambda: correlation.effective_bets([1.0], np.eye(2)),
    ):
        with pytest.raises(InvalidInput):
            call()
