"""The portfolio is a fold: cash is conserved, positions know what they cost."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.trading.orders import Side
from core.trading.portfolio import Fill, Portfolio, Position, Transfer, fold

NOW = datetime(2025, 1, 1, tzinfo=UTC)
amounts = st.decimals(Decimal("0.001"), Decimal(1_000), places=3)
trades = st.lists(st.tuples(st.sampled_from(Side), amounts, amounts, st.decimals(0, 5, places=2)), max_size=30)


def fill(number: int, side: Side, price: Decimal, quantity: Decimal, fee: Decimal) -> Fill:
    return Fill(f"f{number}", "o", "a", "manual", "file:BTC/USDT", side, price, quantity, fee, NOW)


def told(trades: list[tuple[Side, Decimal, Decimal, Decimal]]) -> list[Fill]:
    return [fill(number, *trade) for number, trade in enumerate(trades)]


@given(trades, amounts)
def test_cash_is_what_came_in_less_what_was_paid(
    trades: list[tuple[Side, Decimal, Decimal, Decimal]], deposit: Decimal
) -> None:
    fills = told(trades)
    portfolio = fold([Transfer("t", "a", "manual", "USDT", deposit, NOW), *fills])
    paid = sum((each.notional * each.side.sign + each.fee for each in fills), Decimal(0))
    assert portfolio.balances["USDT"] == deposit - paid
    assert portfolio.balances.get("BTC", Decimal(0)) == sum(
        (each.quantity * each.side.sign for each in fills), Decimal(0)
    )


@given(trades, amounts)
def test_profit_realised_and_unrealised_is_the_change_of_worth(
    trades: list[tuple[Side, Decimal, Decimal, Decimal]], price: Decimal
) -> None:
    portfolio = fold(told(trades))
    position = portfolio.positions.get("file:BTC/USDT", Position("file:BTC/USDT"))
    worth = portfolio.balances.get("USDT", Decimal(0)) + position.quantity * price
    assert abs(position.realised + position.unrealised(price) - worth) < Decimal("1e-12")
    assert position.quantity == portfolio.balances.get("BTC", Decimal(0))


@given(trades, st.integers(0, 30))
def test_a_fold_can_be_cut_anywhere(trades: list[tuple[Side, Decimal, Decimal, Decimal]], cut: int) -> None:
    fills = told(trades)
    portfolio = fold(fills[:cut])
    for each in fills[cut:]:
        portfolio = portfolio.apply(each)
    assert portfolio == fold(fills)


def test_crossing_zero_opens_the_rest_at_the_fills_price() -> None:
    position = fold(
        [
            fill(1, Side.BUY, Decimal(100), Decimal(2), Decimal(1)),
            fill(2, Side.SELL, Decimal(110), Decimal(3), Decimal(1)),
        ]
    ).positions["file:BTC/USDT"]
    assert (position.quantity, position.entry_price, position.realised) == (Decimal(-1), Decimal(110), Decimal(18))


def test_an_empty_journal_is_an_empty_portfolio() -> None:
    assert fold([]) == Portfolio()
