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


def in_kind(fee_asset: str | None, amount: str, fee: str) -> Fill:
    return Fill(
        "k", "o", "a", "manual", "binance:BTC/USDT", Side.BUY, Decimal(100), Decimal(1), Decimal(fee),
        datetime(2026, 1, 1, tzinfo=UTC), False, fee_asset, Decimal(amount),
    )  # fmt: skip


def worth(portfolio: Portfolio, prices: dict[str, int]) -> Decimal:
    held = sum((each.quantity * prices[key] for key, each in portfolio.positions.items()), Decimal(0))
    return portfolio.balances.get("USDT", Decimal(0)) + held


def earned(portfolio: Portfolio, prices: dict[str, int]) -> Decimal:
    return sum(
        (each.realised + each.unrealised(Decimal(prices[k])) for k, each in portfolio.positions.items()), Decimal(0)
    )


def test_a_fee_taken_of_what_was_bought_is_not_held() -> None:
    after = Portfolio({"USDT": Decimal(1000)}).apply(in_kind("BTC", "0.001", "0.1"))
    assert after.balances == {"USDT": Decimal(900), "BTC": Decimal("0.999")}
    assert after.positions["binance:BTC/USDT"].quantity == Decimal("0.999")
    prices = {"binance:BTC/USDT": 110}
    assert worth(after, prices) - 1000 == earned(after, prices) == Decimal("9.89")


def test_a_fee_in_a_discount_token_leaves_the_token_and_its_position() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    token = Transfer("t", "a", "manual", "BNB", Decimal(1), moment, "", "binance:BNB/USDT", Decimal(600))
    after = fold([token, in_kind("BNB", "0.0001", "0.08")])
    assert after.balances == {"BNB": Decimal("0.9999"), "BTC": Decimal(1), "USDT": Decimal(-100)}
    assert after.positions["binance:BNB/USDT"].quantity == Decimal("0.9999")
    prices = {"binance:BTC/USDT": 100, "binance:BNB/USDT": 600}
    assert worth(after, prices) - token.worth("USDT") == earned(after, prices) == Decimal("-0.06")


def test_coins_that_come_and_go_for_nothing_earn_nothing_at_that_moment() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    came = Transfer("t1", "a", "manual", "BTC", Decimal(2), moment, "", "binance:BTC/USDT", Decimal(100))
    went = Transfer("t2", "a", "manual", "BTC", Decimal(-1), moment, "", "binance:BTC/USDT", Decimal(130))
    after = fold([came, went])
    assert after.positions["binance:BTC/USDT"].entry_price == 100
    prices = {"binance:BTC/USDT": 130}
    assert worth(after, prices) - came.worth("USDT") - went.worth("USDT") == earned(after, prices) == 60
