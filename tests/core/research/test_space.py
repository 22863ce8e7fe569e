"""Grids: how values are written, what is refused, and the grid that nobody has written."""

import pytest

from core.errors import InvalidInput
from core.research.space import combinations, grid_of, pairs_of, usual
from core.strategies import BollingerBreakout, BuyAndHold, Donchian, EmaCross, Macd, RsiReversion, SmaCross


def test_ranges_lists_and_sequences_give_the_same_values() -> None:
    wanted = {"fast": (5, 10, 15, 20)}
    for given in ("5:20:5", "5..20/5", "5,10,15,20", [5, 10, 15, 20], range(5, 25, 5)):
        assert grid_of(SmaCross, {"fast": given}) == wanted
    assert grid_of(SmaCross, {"fast": 7}) == {"fast": (7,)}
    assert grid_of(SmaCross, {"fast": "5:7, 20"}) == {"fast": (5, 6, 7, 20)}


def test_decimal_steps_do_not_drift() -> None:
    assert grid_of(BollingerBreakout, {"width": "0.5:1.1:0.1"})["width"] == (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"quick": "5:20:5"}, "sma_cross has no parameter 'quick'. Its parameters: fast, slow."),
        ({"fast": []}, "gives fast no values"),
        ({"fast": "5,,10"}, "an empty value for fast"),
        ({"fast": "20:5"}, "must go up"),
        ({"fast": "5:20:0"}, "by a step above 0"),
        ({"fast": "5:x"}, "'5:x' is no range for fast"),
        ({"fast": "0:10"}, "fast takes a whole number from 1 to 5000, not 0.0"),
        ({"fast": "2.5"}, "fast takes a whole number"),
        ({"fast": "1:5000:0.0001"}, "49,990,001 values; the most is 200,000"),
    ],
)
def test_what_is_no_grid_is_refused_in_a_sentence(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        grid_of(SmaCross, given)
    assert sentence in refused.value.sentence()


def test_a_huge_grid_is_refused_with_its_number_and_the_limit() -> None:
    with pytest.raises(InvalidInput, match=r"10,000,000 combinations .* more than the 200,000"):
        combinations(SmaCross, grid_of(SmaCross, {"fast": "1:2000", "slow": "2:5001"}))


def test_invalid_combinations_are_counted_and_only_their_entirety_is_refused() -> None:
    found = combinations(SmaCross, {"fast": (5, 10, 20), "slow": (10, 20)})
    assert [(each.fast, each.slow) for each in found.strategies] == [(5, 10), (5, 20), (10, 20)]
    assert found.skipped == 3
    assert found.reason == "fast 10 must be below slow 10."
    with pytest.raises(InvalidInput, match="accepts none of the 2 combinations: fast 30 must be below slow 10"):
        combinations(SmaCross, {"fast": (30,), "slow": (10, 20)})


@pytest.mark.parametrize("kind", [SmaCross, EmaCross, RsiReversion, Macd, BollingerBreakout, Donchian])
def test_the_usual_grid_holds_the_defaults_and_is_of_a_sensible_size(kind: type) -> None:
    grid = usual(kind)
    found = combinations(kind, grid)
    assert 50 <= len(found.strategies) <= 700
    assert all(parameter.default in grid[name] for name, parameter in kind.parameters.items())


def test_what_has_no_parameters_cannot_be_searched() -> None:
    with pytest.raises(InvalidInput, match="buy_and_hold has no parameters to search"):
        grid_of(BuyAndHold)


def test_pairs_are_read_from_words() -> None:
    assert pairs_of(["fast=5:50:5", "slow = 20,30"]) == {"fast": "5:50:5", "slow": "20,30"}
    for wrong in ("fast", "fast=", "=5"):
        with pytest.raises(InvalidInput, match="is not name=values"):
            pairs_of([wrong])
    with pytest.raises(InvalidInput, match="given twice"):
        pairs_of(["fast=1", "fast=2"])
