"""A connection to a venue leaves everything else as it was."""

from decimal import ROUND_HALF_EVEN, Decimal, Underflow, getcontext, localcontext

import pytest

from core.exchanges.connection import Connection


@pytest.mark.parametrize("venue", ["binance", "kraken"])
async def test_rounding_for_a_venue_does_not_change_how_money_is_rounded(venue: str) -> None:
    with localcontext() as context:
        context.rounding, context.traps[Underflow] = ROUND_HALF_EVEN, False
        connection = Connection(venue)
        client = await connection.open()
        try:
            assert client.decimal_to_precision("0.125", 1, 2, 2) == "0.13"  # 1: round; 2: decimal places
        finally:
            await connection.close()
        assert Decimal("0.125").quantize(Decimal("0.01")) == Decimal("0.12")
        assert not getcontext().traps[Underflow]
