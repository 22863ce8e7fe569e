"""Errors: one sentence for a person, the numbers for a program."""

from core import errors
from core.errors import AppError, NotFound, RiskRefused


def test_a_sentence_holds_the_message_and_its_hint() -> None:
    assert NotFound("There is no BTX.", hint="Did you mean BTC?").sentence() == "There is no BTX. Did you mean BTC?"
    assert NotFound("There is no BTX.").sentence() == "There is no BTX."


def test_a_refused_risk_carries_its_numbers() -> None:
    refused = RiskRefused("order notional", allowed=500, asked=812)
    assert refused.sentence() == "The order notional limit allows 500, and this would be 812."
    assert refused.details == {"limit": "order notional", "allowed": 500, "asked": 812}


def test_every_error_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AppError)]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
