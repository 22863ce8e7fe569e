"""What tickets, sizes and costs refuse."""

import pytest

from core.errors import InvalidInput
from core.trading.costs import Costs
from core.trading.sizing import FixedCash, FixedQuantity, Fraction, Kelly, VolatilityTarget
from core.trading.tickets import Ticket

WRONG = [
    {"side": 1},
    {"side": 1, "quantity": 1.0, "worth": 5.0},
    {"side": 1, "quantity": 1.0, "targets": ((110.0, 0.6), (120.0, 0.5))},
    {"side": 1, "quantity": 1.0, "targets": ((-1.0, 0.5),)},
    {"side": 1, "quantity": 1.0, "targets": ((110.0, 0.0),)},
    {"side": 1, "quantity": 1.0, "targets": ((110.0, 0.5),), "reduce_only": True},
    {"side": 1, "quantity": 1.0, "group": 0},
    {"side": 1, "quantity": 1.0, "protect_distance": -5.0},
    {"side": 1, "quantity": 1.0, "protect_distance": 5.0, "protect_trail": 0.1},
    {"side": 0, "worth": float("nan")},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_an_impossible_ticket_is_refused_in_a_sentence(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        Ticket("market", **given)  # type: ignore[arg-type]


def test_parts_that_add_up_to_the_whole_are_accepted() -> None:
    assert len(Ticket("market", 1, quantity=1.0, targets=[(110.0, 0.1)] * 10).targets) == 10


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (FixedCash, (0.0,)),
        (FixedCash, (float("nan"),)),
        (FixedQuantity, (-1.0,)),
        (Fraction, (1.5,)),
        (VolatilityTarget, (0.0,)),
        (VolatilityTarget, (0.2, 1)),
        (VolatilityTarget, (0.2, 30, 0.0)),
        (Kelly, (0.5, 1)),
        (Kelly, (2.0, 20)),
    ],
    ids=str,
)
def test_an_impossible_size_is_refused_in_a_sentence(kind: type, values: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        kind(*values)


@pytest.mark.parametrize(
    "given",
    [
        {"leverage": 0.5},
        {"leverage": 1000.0},
        {"leverage": 100.0, "maintenance_margin": 0.02},
        {"maintenance_margin": -0.1},
        {"liquidation_fee": 1.0},
        {"borrow_rate": -0.1},
        {"funding_rate": 1.0},
    ],
    ids=str,
)
def test_impossible_margin_rules_are_refused_in_a_sentence(given: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        Costs(**given)  # type: ignore[arg-type]
