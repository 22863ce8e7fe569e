"""The matching core keeps every coin, never crosses, and serves price before time."""

import contextlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulators.venues.matching import Matching
from tests.simulators.venues.values import (
    FEES,
    HOUSE,
    BookMoved,
    Event,
    Listing,
    OrderChanged,
    Refusal,
    Rules,
    Ticket,
    Traded,
)

D = Decimal
SYMBOL = "BTC/USDT"
USERS = ("ann", "bob", "eve")
BTC = Listing("BTC", "USDT", D("0.01"), D("0.001"), D(5), maker=D("0.0008"), taker=D("0.001"))
BNB = Listing("BNB", "USDT", D("0.1"), D("0.01"), D(5))


def venue(rules: Rules | None = None, listing: Listing = BTC) -> tuple[Matching, list[Event]]:
    told: list[Event] = []
    clock = iter(range(1_700_000_000_000, 1_800_000_000_000))
    matching = Matching(rules or Rules(discount="BNB"), lambda: next(clock))
    matching.listener = told.extend
    matching.admit(listing)
    matching.admit(BNB)
    matching.quote("BNB/USDT", [(D(500), D(10))], [(D(501), D(10))])
    for user in USERS:
        matching.deposit(user, "USDT", D(100_000))
        matching.deposit(user, "BTC", D(3))
        matching.deposit(user, "BNB", D("0.02"))
    matching.accounts.pays_discounted["bob"] = True
    market(matching, D(100))
    return matching, told


def market(matching: Matching, middle: Decimal, size: Decimal = D(1)) -> None:
    bids = [(middle - D("0.5") * step, size) for step in range(1, 6)]
    asks = [(middle + D("0.5") * step, size) for step in range(1, 6)]
    matching.sweep(SYMBOL, middle, bids, asks)


def limit(side: Any, price: str, quantity: str = "1", **more: Any) -> Ticket:
    return Ticket(SYMBOL, side, "limit", D(quantity), price=D(price), **more)


def totals(matching: Matching) -> dict[str, Decimal]:
    accounts = matching.accounts
    return {
        asset: sum((accounts.total(user, asset) for user in (*USERS, HOUSE, FEES)), D(0))
        for asset in ("BTC", "USDT", "BNB")
    }


def check(matching: Matching, before: dict[str, Decimal]) -> None:
    assert totals(matching) == before
    for book in matching.books.values():
        bid, ask = book.best("buy"), book.best("sell")
        assert bid is None or ask is None or bid < ask
        for side in ("buy", "sell"):
            assert all(size > 0 for _, size in book.levels(side))
    accounts = matching.accounts
    for user in USERS:
        open_orders = matching.of(user, live=True)
        for order in open_orders:
            price = order.ticket.price if order.ticket.side == "buy" else D(1)
            assert price is None or order.hold.amount >= order.remaining * price
            assert order.ticket.kind == "limit" or order.status == "pending"
        for asset in ("BTC", "USDT", "BNB"):
            assert accounts.free(user, asset) >= 0
            holds = {id(order.hold): order.hold for order in open_orders}.values()
            assert accounts.held(user, asset) == sum((h.amount for h in holds if h.asset == asset), D(0))


prices = st.integers(9_000, 11_000).map(lambda cents: D(cents) / 100)
quantities = st.integers(1, 3_000).map(lambda lots: D(lots) / 1000)
sides = st.sampled_from(["buy", "sell"])
limits = st.builds(
    lambda side, price, quantity, force, post: Ticket(
        SYMBOL, side, "limit", quantity, price=price, time_in_force=force, post_only=post and force == "GTC"
    ),
    sides,
    prices,
    quantities,
    st.sampled_from(["GTC", "IOC", "FOK"]),
    st.booleans(),
)
icebergs = st.builds(
    lambda side, price, quantity: Ticket(SYMBOL, side, "limit", quantity, price=price, visible=D("0.1")),
    sides,
    prices,
    quantities,
)
markets = st.builds(lambda side, quantity: Ticket(SYMBOL, side, "market", quantity), sides, quantities)
spends = st.builds(lambda side, spend: Ticket(SYMBOL, side, "market", spend=D(spend)), sides, st.integers(5, 900))
stops = st.builds(
    lambda side, quantity, trigger, rising, price: Ticket(
        SYMBOL, side, "limit" if price else "market", quantity, trigger=trigger, rising=rising, price=price
    ),
    sides,
    quantities,
    prices,
    st.booleans(),
    st.none() | prices,
)
trails = st.builds(
    lambda side, quantity, trail: Ticket(SYMBOL, side, "market", quantity, trail=D(trail) / 1000),
    sides,
    quantities,
    st.integers(1, 60),
)
tickets = st.one_of(limits, icebergs, markets, spends, stops, trails)
actions = st.one_of(
    st.tuples(st.just("place"), st.sampled_from(USERS), tickets),
    st.tuples(st.just("place"), st.sampled_from(USERS), tickets),
    st.tuples(st.just("list"), st.sampled_from(USERS), st.tuples(sides, quantities, prices, prices, st.booleans())),
    st.tuples(st.just("cancel"), st.sampled_from(USERS), st.integers(0, 30)),
    st.tuples(st.just("market"), st.just(""), prices),
    st.tuples(st.just("thin"), st.just(""), st.sampled_from([D("0.5"), D("0.1")])),
)


def act(matching: Matching, action: tuple[str, str, Any]) -> None:
    verb, user, what = action
    match verb:
        case "place":
            matching.place(user, what)
        case "list":
            side, quantity, price, trigger, by_limit = what
            leg = Ticket(SYMBOL, side, "limit", quantity, price=price)
            stop = replace(leg, kind="market", price=None, trigger=trigger, rising=side == "buy")
            matching.place_list(user, (leg, replace(stop, kind="limit", price=trigger) if by_limit else stop))
        case "cancel":
            mine = matching.of(user, live=True)
            matching.cancel(user, mine[what % len(mine)].id if mine else 0)
        case "market":
            market(matching, what)
        case "thin":
            matching.thinned.append(what)


@pytest.mark.parametrize("fee_in", ["received", "quote"])
@settings(max_examples=200, deadline=None)
@given(st.lists(actions, min_size=8, max_size=60))
def test_no_coin_is_lost_and_no_book_is_crossed(fee_in: Any, steps: list[tuple[str, str, Any]]) -> None:
    matching, told = venue(Rules(fee_in=fee_in, discount="BNB", refuses_triggered=False))
    before = totals(matching)
    for step in steps:
        with contextlib.suppress(Refusal):
            act(matching, step)
        check(matching, before)
    for order in matching.orders.values():
        fills = [fill for fill in matching.fills if fill.order == order.id]
        if order.user != HOUSE:
            assert order.filled == sum((fill.quantity for fill in fills), D(0))
            assert order.cost == sum((fill.cost for fill in fills), D(0))
    assert_sequence(told)
    assert_replay(matching, told)


def assert_sequence(told: list[Event]) -> None:
    last: dict[str, int] = {}
    for event in told:
        if isinstance(event, BookMoved):
            assert event.first == last.get(event.symbol, event.first - 1) + 1
            assert event.last - event.first + 1 == len(event.bids) + len(event.asks)
            last[event.symbol] = event.last


def assert_replay(matching: Matching, told: list[Event]) -> None:
    """Whoever applies every change has the book."""
    replayed: dict[str, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
    for event in told:
        if isinstance(event, BookMoved) and event.symbol == SYMBOL:
            replayed["buy"].update(event.bids)
            replayed["sell"].update(event.asks)
    for side in ("buy", "sell"):
        kept = {price: size for price, size in replayed[side].items() if size}
        assert kept == dict(matching.books[SYMBOL].levels(side))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(USERS), st.integers(95, 99), st.integers(1, 5)), min_size=2, max_size=12))
def test_the_better_price_trades_first_and_the_older_order_at_one_price(bids: list[tuple[str, int, int]]) -> None:
    matching, _ = venue()
    matching.quote(SYMBOL, [], [])
    orders = [matching.place(user, limit("buy", str(price), str(quantity))) for user, price, quantity in bids]
    market(matching, D(90))
    traded = [fill.order for fill in matching.fills]
    ranked = sorted(orders, key=lambda order: (-order.ticket.price, order.id))  # type: ignore[operator]
    assert traded == [order.id for order in ranked]


def test_a_market_buy_walks_the_book_and_pays_its_fee_in_what_it_buys() -> None:
    matching, _ = venue()
    order = matching.place("ann", Ticket(SYMBOL, "buy", "market", D("1.5")))
    assert order.status == "filled"
    assert order.average == (D("100.5") + D("101") / 2) / D("1.5")
    assert matching.accounts.total("ann", "BTC") == 3 + D("1.5") * D("0.999")
    assert matching.accounts.total("ann", "USDT") == 100_000 - D("100.5") - D("50.5")


def test_a_spend_buys_whole_lots_and_its_last_trade_tells_that_it_is_filled() -> None:
    matching, told = venue()
    order = matching.place("ann", Ticket(SYMBOL, "buy", "market", spend=D(150)))
    assert (order.status, order.filled, order.quantity) == ("filled", D("1.490"), D("1.490"))
    assert matching.accounts.held("ann", "USDT") == 0
    trades = [each for each in told if isinstance(each, OrderChanged) and each.what == "trade"]
    assert [each.order.status for each in trades] == ["open", "filled"]


def test_the_discount_token_pays_the_fee_while_there_is_enough_of_it() -> None:
    matching, _ = venue()
    matching.last["BNB/USDT"] = D(500)
    matching.place("bob", Ticket(SYMBOL, "buy", "market", D("0.1")))
    (fill,) = matching.fills
    assert (fill.fee, fill.fee_asset) == (D("0.00001507"), "BNB")  # 10.05 x 0.1 % x 0.75 / 500, cut
    matching.deposit("bob", "BNB", -matching.accounts.total("bob", "BNB"))
    matching.place("bob", Ticket(SYMBOL, "buy", "market", D("0.1")))
    assert matching.fills[-1].fee_asset == "BTC"


def test_a_market_order_bigger_than_the_book_fills_in_part_and_expires() -> None:
    matching, told = venue()
    order = matching.place("ann", Ticket(SYMBOL, "sell", "market", D(3)))
    assert order.status == "filled"
    matching.quote(SYMBOL, [(D(99), D("0.4"))], [])
    order = matching.place("bob", Ticket(SYMBOL, "sell", "market", D(3)))
    assert (order.status, order.filled) == ("expired", D("0.4"))
    assert [each.what for each in told if isinstance(each, OrderChanged)][-2:] == ["trade", "expired"]


def test_what_no_venue_takes_is_refused_and_binds_nothing() -> None:
    matching, _ = venue()
    for ticket, why in (
        (replace(limit("buy", "99"), symbol="BTC/EUR"), "symbol"),
        (limit("buy", "99.001"), "tick"),
        (limit("buy", "99", "0.0005"), "lot"),
        (limit("buy", "99", "0.01"), "notional"),
        (limit("buy", "99", "2000"), "funds"),
        (limit("buy", "101", post_only=True), "crosses"),
        (Ticket(SYMBOL, "sell", "market", D(1), trigger=D(101), rising=False), "trigger"),
        (Ticket(SYMBOL, "buy", "market"), "parameters"),
    ):
        with pytest.raises(Refusal) as refused:
            matching.place("ann", ticket)
        assert refused.value.why == why
    matching.admit(replace(BTC, trading=False))
    with pytest.raises(Refusal, match="closed"):
        matching.place("ann", limit("buy", "99"))
    assert matching.accounts.held("ann", "USDT") == 0
    with pytest.raises(Refusal, match="unknown"):
        matching.cancel("ann", 77)


def test_a_client_id_is_unique_among_open_orders_only_unless_the_venue_never_forgets() -> None:
    matching, _ = venue()
    first = matching.place("ann", limit("buy", "90", client_id="mine"))
    with pytest.raises(Refusal, match="duplicate"):
        matching.place("ann", limit("buy", "90", client_id="mine"))
    matching.place("bob", limit("buy", "90", client_id="mine"))
    matching.cancel("ann", first.id)
    second = matching.place("ann", limit("buy", "90", client_id="mine"))
    assert matching.find("ann", "mine") is second
    strict, _ = venue(Rules(unique_for_ever=True))
    strict.cancel("ann", strict.place("ann", limit("buy", "90", client_id="mine")).id)
    with pytest.raises(Refusal, match="duplicate"):
        strict.place("ann", limit("buy", "90", client_id="mine"))


def test_a_stop_that_is_gapped_through_fills_at_the_market_beyond_it() -> None:
    matching, told = venue()
    stop = matching.place("ann", Ticket(SYMBOL, "sell", "market", D(1), trigger=D(95), rising=False))
    assert stop.status == "pending"
    market(matching, D(97))
    assert stop.status == "pending"
    market(matching, D(90))
    assert (stop.status, stop.average) == ("filled", D("89.5"))
    assert [each.what for each in told if isinstance(each, OrderChanged)] == ["new", "triggered", "trade"]


def test_a_stop_limit_rests_at_its_price_once_triggered() -> None:
    matching, _ = venue()
    stop = matching.place("ann", Ticket(SYMBOL, "sell", "limit", D(1), price=D("94"), trigger=D(95), rising=False))
    market(matching, D(90))
    assert (stop.status, stop.triggered) == ("open", True)
    assert matching.books[SYMBOL].best("sell") == D("90.5")
    market(matching, D(94))
    assert (stop.status, stop.average) == ("filled", D(94))


def test_a_trailing_stop_follows_and_triggers_when_the_price_comes_back() -> None:
    matching, _ = venue()
    ticket = Ticket(SYMBOL, "sell", "market", D(1), trail=D("0.05"), activation=D(105), rising=True)
    stop = matching.place("ann", ticket)
    market(matching, D(90))  # not active yet
    assert stop.status == "pending"
    market(matching, D(110))
    market(matching, D("104.51"))
    assert stop.status == "pending"
    market(matching, D("104.5"))
    assert (stop.status, stop.average) == ("filled", D(104))


def test_one_leg_of_a_list_ends_the_other_and_frees_what_both_held() -> None:
    matching, _ = venue()
    legs = (limit("sell", "105"), Ticket(SYMBOL, "sell", "limit", D(1), price=D(94), trigger=D(95), rising=False))
    target, stop = matching.place_list("ann", legs)
    assert matching.accounts.held("ann", "BTC") == 1
    market(matching, D(106))
    assert (target.status, stop.status) == ("filled", "expired")
    assert matching.accounts.held("ann", "BTC") == 0
    target, stop = matching.place_list("bob", (limit("sell", "115"), replace(legs[1])))
    market(matching, D(90))
    assert (target.status, stop.status) == ("expired", "open")
    matching.cancel("bob", stop.id)
    assert matching.accounts.held("bob", "BTC") == 0
    assert not matching.of("bob", live=True)


def test_an_iceberg_shows_its_visible_part_only_and_queues_again_behind_others() -> None:
    matching, _ = venue()
    matching.quote(SYMBOL, [], [])
    iceberg = matching.place("ann", limit("sell", "101", "1", visible=D("0.2")))
    other = matching.place("bob", limit("sell", "101", "0.5"))
    assert matching.books[SYMBOL].levels("sell") == [(D(101), D("0.7"))]
    matching.place("eve", limit("buy", "101", "0.3"))
    assert (iceberg.filled, other.filled) == (D("0.2"), D("0.1"))
    matching.place("eve", limit("buy", "101", "0.5"))
    assert (iceberg.filled, other.filled) == (D("0.3"), D("0.5"))


def test_fill_or_kill_fills_whole_or_not_at_all() -> None:
    matching, _ = venue()
    order = matching.place("ann", limit("buy", "101", "2.5", time_in_force="FOK"))
    assert (order.status, order.filled) == ("expired", 0)
    order = matching.place("ann", limit("buy", "101", "2", time_in_force="FOK"))
    assert (order.status, order.filled) == ("filled", 2)


def test_an_order_ends_at_its_time() -> None:
    matching, _ = venue()
    order = matching.place("ann", limit("buy", "90", expires=1_700_000_000_400))
    assert order.live
    for _ in range(500):
        matching.now()
    matching.expire()
    assert order.status == "expired"
    assert matching.accounts.held("ann", "USDT") == 0


def test_a_thinned_book_fills_the_next_order_in_part() -> None:
    matching, told = venue()
    matching.thinned.append(D("0.5"))
    order = matching.place("ann", limit("buy", "101", "1"))
    assert (order.status, order.filled) == ("open", D("0.5"))
    assert matching.books[SYMBOL].best("buy") == D(101)
    market(matching, D(100))
    assert order.status == "filled"
    assert any(isinstance(each, Traded) for each in told)
