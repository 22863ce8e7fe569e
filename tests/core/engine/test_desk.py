"""What a person does with an account by hand, and every refusal with its numbers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.clock import SimulatedClock
from core.engine.engine import Engine
from core.errors import Conflict, InvalidInput, NotFound, RiskRefused, Unavailable
from core.events import BarClosed
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.risk.limits import PAPER, InsufficientFunds
from core.trading.exchange import Quote
from core.trading.orders import Bracket, Limit, OrderStatus, Stop, StopLimit, TrailingStop
from tests.trading import ACCOUNT, BTC, ETH, HOUR, Room, synthetic_bars

D = Decimal


class Dial:
    """A source whose prices the test sets. down: it does not answer."""

    name = "file"
    simulated = True

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock, self.down = clock, False
        self.prices = {BTC: D(30_000), ETH: D(2_000), replace(BTC, quote="EUR"): D(28_000)}
        self.asked = 0

    async def instruments(self) -> list[Instrument]:
        return list(self.prices)

    async def quote(self, instrument: Instrument) -> Quote:
        self.asked += 1
        if self.down:
            raise Unavailable("The venue is away.")
        price = self.prices[instrument]
        return Quote(instrument, price, price, price, self.clock.now(), simulated=True)

    async def bars(self, instrument: Instrument, timeframe: str, *, since: Any = None, limit: int = 500) -> Bars:
        times = np.array([], dtype=np.int64)
        return Bars(instrument, timeframe, times, *[np.array([])] * 5)

    async def ping(self) -> float:
        return 0.0

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Floor:
    room: Room
    dial: Dial
    engine: Engine

    async def buy(self, quantity: str = "0.1", **options: Any) -> Any:
        desk = self.engine.desk
        request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D(quantity), **options)
        return await desk.submit(request, await desk.preview(request))

    async def tick(self, price: int, instrument: Instrument = BTC, seconds: int = 1) -> None:
        self.room.clock.set(self.room.clock.now() + timedelta(seconds=seconds))
        self.dial.prices[instrument] = D(price)
        await self.engine.feed.poke(instrument)


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    room = Room(tmp_path, [synthetic_bars(1, 5)], options={"limits": PAPER})
    await room.open()
    dial = Dial(room.clock)
    room.engine.feed._sources["file"].data = dial
    yield Floor(room, dial, room.engine)
    await room.close()


async def test_a_confirmed_market_buy_is_filled_in_the_answer(floor: Floor) -> None:
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.1"))
    preview = await desk.preview(request)
    assert (preview.mode, preview.price, preview.quantity) == ("PAPER", D("30015.00"), D("0.1"))
    assert preview.notional == D("3001.5")
    assert preview.fee == D("3.0015")
    assert preview.exposure_after == D("0.30015")
    assert all(check.passed for check in preview.checks)
    assert (preview.band_low, preview.band_high) == (D(29_700), D(30_300))
    order = await desk.submit(request, preview)
    assert order.status is OrderStatus.FILLED
    assert order.average_price == preview.price
    assert order.number == 1
    view = await desk.portfolio(ACCOUNT)
    assert float(view.cash) == pytest.approx(10_000 - 3001.5 - 3.0015)
    assert float(view.equity) == pytest.approx(10_000 - 1.5 - 3.0015)
    assert {b.asset: b.total for b in view.balances}["BTC"] == D("0.1")
    assert view.positions[0].entry_price == D("30015")


async def test_confirming_twice_gives_one_order(floor: Floor) -> None:
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.1"))
    preview = await desk.preview(request)
    first = await desk.submit(request, preview)
    assert await desk.submit(request, preview) == first
    assert len(await floor.room.fills()) == 1


async def test_a_price_that_left_the_previewed_band_is_refused_and_leaves_nothing(floor: Floor) -> None:
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.1"))
    preview = await desk.preview(request)
    floor.dial.prices[BTC] = D(30_301)
    with pytest.raises(Conflict, match=r"BTC/USDT moved to 30,301.00, outside 29,700.00 to 30,300.00"):
        await desk.submit(request, preview)
    assert await desk.orders(ACCOUNT, open_only=False) == []


async def test_an_old_quote_is_refused_and_leaves_nothing(floor: Floor) -> None:
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.1"))
    preview = await desk.preview(request)
    floor.room.clock.set(floor.room.clock.now() + timedelta(seconds=40))
    floor.dial.down = True
    with pytest.raises(Unavailable, match="40 seconds old"):
        await desk.submit(request, preview)
    assert await desk.orders(ACCOUNT, open_only=False) == []


async def test_a_buy_beyond_the_cash_names_both_amounts(floor: Floor) -> None:
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D(1))
    with pytest.raises(InsufficientFunds) as refused:
        await desk.preview(request)
    assert refused.value.message == "This needs 30,045.02 USDT, and 10,000.00 USDT is free."
    assert refused.value.hint is not None
    assert refused.value.details["limit"] == "available USDT"


async def test_a_sale_beyond_the_position_names_both_amounts(floor: Floor) -> None:
    await floor.buy("0.1")
    request = await floor.engine.desk.draft(ACCOUNT, "sell", BTC, quantity=D("0.2"))
    with pytest.raises(InsufficientFunds, match=r"This needs 0.2 BTC, and 0.1 BTC is free."):
        await floor.engine.desk.preview(request)


async def test_open_orders_bind_what_they_need(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.3", limit=D(20_000))
    view = await desk.portfolio(ACCOUNT)
    assert view.reserved == D("6006.00")
    with pytest.raises(InsufficientFunds, match=r"3,994.00 USDT is free"):
        await desk.preview(await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.2")))
    await desk.cancel(ACCOUNT, 1)
    assert (await desk.portfolio(ACCOUNT)).reserved == 0


async def test_selling_everything_leaves_no_dust(floor: Floor) -> None:
    await floor.buy("0.12345")
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "sell", BTC, fraction=D(1))
    await desk.submit(request, await desk.preview(request))
    view = await desk.portfolio(ACCOUNT)
    assert view.positions == ()
    assert [balance.asset for balance in view.balances] == ["USDT"]


async def test_spending_everything_fits_into_the_cash(floor: Floor) -> None:
    desk = floor.engine.desk
    request = await desk.draft(ACCOUNT, "buy", BTC, fraction=D(1))
    order = await desk.submit(request, await desk.preview(request))
    assert order.status is OrderStatus.FILLED
    cash = (await desk.portfolio(ACCOUNT)).cash
    assert 0 <= cash < D(1)


@pytest.mark.parametrize(
    ("side", "prices", "expected"),
    [
        ("buy", {}, "Market"),
        ("buy", {"limit": D("29000.004")}, "Limit"),
        ("buy", {"stop": D(29_000), "target": D(33_000)}, "Bracket"),
        ("sell", {"stop": D(29_000)}, "Stop"),
        ("sell", {"stop": D(29_000), "limit": D(28_900)}, "StopLimit"),
        ("sell", {"trail": D("0.05")}, "TrailingStop"),
        ("sell", {"target": D(33_000)}, "Limit"),
    ],
)
async def test_prices_say_the_type_of_the_order(floor: Floor, side: str, prices: dict[str, D], expected: str) -> None:
    await floor.buy("0.1")
    request = await floor.engine.desk.draft(ACCOUNT, side, BTC, quantity=D("0.1"), **prices)
    assert type(request.type).__name__ == expected
    assert isinstance(request.type, Bracket | Limit | Stop | StopLimit | TrailingStop) == (expected != "Market")
    preview = await floor.engine.desk.preview(request)
    if expected in ("Bracket", "Stop", "StopLimit", "TrailingStop"):
        assert any("Stops live in this process" in warning for warning in preview.warnings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"quantity": D("0.000001")}, "below the lot size"),
        ({"quantity": D(-1)}, "The quantity -1 is not above zero"),
        ({}, "exactly one of them"),
        ({"quantity": D(1), "spend": D(1)}, "exactly one of them"),
        ({"fraction": D(2)}, "The fraction 2 is above 1"),
        ({"quantity": D(1), "stop": D(40_000), "target": D(35_000)}, "must lie below the target"),
        ({"quantity": D(1), "trail": D(5)}, "a fraction below 1"),
    ],
)
async def test_what_makes_no_order_is_told(floor: Floor, options: dict[str, D], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        await floor.engine.desk.draft(ACCOUNT, "buy", BTC, **options)


async def test_an_order_below_the_minimum_notional_is_refused(floor: Floor) -> None:
    desk = floor.engine.desk
    with pytest.raises(RiskRefused, match=r"at least 5.00 USDT, and this would be 0.30 USDT"):
        await desk.preview(await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.00001")))


async def test_another_currency_than_the_accounts_is_refused(floor: Floor) -> None:
    with pytest.raises(InvalidInput, match="trades in USDT, and BTC/EUR is priced in EUR"):
        await floor.engine.desk.draft(ACCOUNT, "buy", replace(BTC, quote="EUR"), quantity=D(1))


async def test_cancelling_what_is_over_says_so(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1")
    with pytest.raises(Conflict, match="Order #1 was filled before"):
        await desk.cancel(ACCOUNT, "#1")
    with pytest.raises(NotFound, match="no order '7'"):
        await desk.cancel(ACCOUNT, 7)
    with pytest.raises(NotFound):
        await desk.cancel("somebody-else", (await desk.orders(ACCOUNT, open_only=False))[0].id)


async def test_profit_adds_up(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1")
    await floor.tick(33_000)
    request = await desk.draft(ACCOUNT, "sell", BTC, quantity=D("0.05"))
    await desk.submit(request, await desk.preview(request))
    await floor.engine.desk.snapshot()
    await floor.tick(36_000, seconds=4_000)
    view = await desk.profit(ACCOUNT)
    account = await desk.portfolio(ACCOUNT)
    assert view.realised + view.unrealised == view.total == account.equity - 10_000
    assert view.trades == 1
    assert view.fees > 0
    assert view.fraction == view.total / 10_000
    assert view.equity_values[0] == 10_000
    assert view.equity_values[-1] == float(account.equity)
    assert len(view.equity_times) == len(view.equity_values)
    assert list(view.equity_times) == sorted(view.equity_times)


async def test_panic_cancels_and_lets_only_reductions_pass(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1")
    await floor.buy("0.1", limit=D(20_000))
    done = await desk.panic(ACCOUNT)
    assert done.cancelled == (2,)
    assert done.positions[0].quantity == D("0.1")
    with pytest.raises(RiskRefused, match="kill switch"):
        await floor.buy("0.01")
    sale = await desk.draft(ACCOUNT, "sell", BTC, fraction=D(1))
    assert (await desk.submit(sale, await desk.preview(sale))).status is OrderStatus.FILLED
    await floor.room.crash()
    await floor.room.open()
    assert await floor.room.engine.desk.halted(ACCOUNT)
    await floor.room.engine.desk.resume(ACCOUNT)
    assert not await floor.room.engine.desk.halted(ACCOUNT)


async def test_a_reset_begins_anew_and_keeps_the_past(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1")
    await floor.buy("0.1", limit=D(20_000))
    view = await desk.reset(ACCOUNT, D(500))
    assert (view.cash, view.equity, view.positions) == (D(500), D(500), ())
    assert await desk.orders(ACCOUNT) == []
    assert len(await desk.fills(ACCOUNT)) == 1
    order = await floor.buy("0.01")
    assert (order.number, order.status) == (3, OrderStatus.FILLED)
    await floor.room.crash()
    await floor.room.open()
    assert await floor.room.engine.book.differences(ACCOUNT) == []
    with pytest.raises(InvalidInput, match="not 0"):
        await desk.reset(ACCOUNT, D(0))


async def test_a_protected_position_is_closed_at_its_stop_and_shown_before(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1", stop=D(29_500), target=D(31_000))
    position = (await desk.portfolio(ACCOUNT)).positions[0]
    assert (position.stop, position.target, position.trail) == (D(29_500), D(31_000), None)
    await floor.tick(29_400)
    assert (await desk.portfolio(ACCOUNT)).positions == ()
    orders = await desk.orders(ACCOUNT, open_only=False)
    assert [(each.number, each.status) for each in orders] == [(2, OrderStatus.FILLED), (1, OrderStatus.FILLED)]


async def test_flatten_sells_what_is_held(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1")
    await floor.buy("0.05", limit=D(20_000))
    sold = await desk.flatten(ACCOUNT)
    assert [order.status for order in sold] == [OrderStatus.FILLED]
    assert (await desk.portfolio(ACCOUNT)).positions == ()


async def test_limits_of_the_account_refuse_with_numbers(floor: Floor) -> None:
    desk = floor.engine.desk
    with pytest.raises(
        RiskRefused, match=r"36,000.00 lies 20 % above the best offer of 30,000.00, and the price collar allows 10 %"
    ):
        await desk.preview(await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.1"), limit=D(36_000)))


async def test_the_bars_of_a_dead_source_stop_nothing(floor: Floor) -> None:
    told: list[BarClosed] = []

    async def hear(event: BarClosed) -> None:
        told.append(event)

    floor.room.bus.subscribe(BarClosed, hear)
    floor.engine.feed.want_bars(BTC, "1h", floor.room.clock.now_ms() - HOUR)
    floor.dial.down = True
    await floor.engine.feed.turn()
    floor.dial.down = False
    await floor.engine.feed.turn()
    assert told == []
    assert floor.engine.feed.states()[0].name == "file"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stop": D(31_000)}, "The stop 31,000 must lie below the market at 30,000"),
        ({"stop": D(30_000)}, "must lie below the market"),
        ({"target": D(29_000)}, "The target 29,000 must lie above the market"),
        ({"limit": D(40_000), "stop": D(35_000)}, "The stop 35,000 must lie below the market at 30,000"),
        ({"limit": D(25_000), "target": D(24_000)}, "must lie above the limit of 25,000"),
    ],
)
async def test_a_protective_price_on_the_wrong_side_is_refused(floor: Floor, given: dict[str, D], said: str) -> None:
    request = await floor.engine.desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.01"), **given)
    with pytest.raises(InvalidInput, match=said):
        await floor.engine.desk.preview(request)


async def test_a_dip_bought_by_limit_may_be_sold_below_the_present_price(floor: Floor) -> None:
    request = await floor.engine.desk.draft(
        ACCOUNT, "buy", BTC, quantity=D("0.01"), limit=D(25_000), stop=D(24_000), target=D(27_000)
    )
    assert (await floor.engine.desk.preview(request)).price == 25_000


async def test_a_stop_that_the_market_passed_before_the_yes_is_refused_and_leaves_nothing(floor: Floor) -> None:
    request = await floor.engine.desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.01"), stop=D(29_900))
    preview = await floor.engine.desk.preview(request)
    floor.dial.prices[BTC] = D(29_850)  # inside the band, below the stop
    with pytest.raises(InvalidInput, match="must lie below the market at 29,850"):
        await floor.engine.desk.submit(request, preview)
    assert await floor.engine.desk.orders(ACCOUNT, open_only=False) == []


async def test_protection_is_set_moved_and_removed(floor: Floor) -> None:
    with pytest.raises(NotFound, match="nothing to protect"):
        await floor.engine.desk.protect(ACCOUNT, BTC, stop=D(29_000))
    await floor.engine.desk.submit(await floor.engine.desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.01")))
    await floor.engine.desk.protect(ACCOUNT, BTC, stop=D(29_000), target=D(33_000))
    held = (await floor.engine.desk.portfolio(ACCOUNT)).positions[0]
    assert (held.stop, held.target) == (29_000, 33_000)
    with pytest.raises(InvalidInput, match="below the market at 30,000"):
        await floor.engine.desk.protect(ACCOUNT, BTC, stop=D(30_500))
    await floor.engine.desk.protect(ACCOUNT, BTC, stop=D(28_000))
    held = (await floor.engine.desk.portfolio(ACCOUNT)).positions[0]
    assert (held.stop, held.target) == (28_000, None)
    await floor.engine.desk.protect(ACCOUNT, BTC)
    held = (await floor.engine.desk.portfolio(ACCOUNT)).positions[0]
    assert (held.stop, held.target) == (None, None)


async def test_a_stop_that_was_faster_ends_the_sale_and_nothing_is_sold_that_is_not_there(floor: Floor) -> None:
    desk, book = floor.engine.desk, floor.engine.book
    await floor.buy("0.1", stop=D(29_500))
    for limit in (31_000, 32_000):
        sale = await desk.draft(ACCOUNT, "sell", BTC, quantity=D("0.05"), limit=D(limit))
        assert (await desk.submit(sale)).status is OrderStatus.OPEN
    assert book.free(ACCOUNT, "manual", "BTC") == 0
    await floor.tick(29_400)
    assert await desk.orders(ACCOUNT) == []
    assert book.reserved(ACCOUNT, "manual", "BTC") == 0
    await floor.tick(33_000)
    assert book.portfolio(ACCOUNT, "manual").balances["BTC"] == 0
    ended = [each for each in await desk.orders(ACCOUNT, open_only=False) if each.number in (2, 3)]
    assert {(each.status, each.reason) for each in ended} == {
        (OrderStatus.CANCELLED, "The position it was to reduce was closed before.")
    }
    assert await book.differences(ACCOUNT) == []


async def test_a_sale_by_hand_under_a_stop_leaves_the_other_sales_that_fit(floor: Floor) -> None:
    desk, book = floor.engine.desk, floor.engine.book
    await floor.buy("0.1", stop=D(29_000))
    for quantity, limit in (("0.04", 31_000), ("0.06", 32_000)):
        await desk.submit(await desk.draft(ACCOUNT, "sell", BTC, quantity=D(quantity), limit=D(limit)))
    await floor.tick(31_500)
    assert [(each.number, each.status) for each in await desk.orders(ACCOUNT)] == [(3, OrderStatus.OPEN)]
    await floor.tick(32_500)
    assert book.portfolio(ACCOUNT, "manual").balances["BTC"] == 0
    statuses = [each.status for each in await desk.orders(ACCOUNT, open_only=False)]
    assert statuses == [OrderStatus.FILLED] * 3


async def test_panic_leaves_the_stop_of_a_position_in_force(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1", stop=D(29_500), target=D(31_000))
    done = await desk.panic(ACCOUNT)
    assert (done.cancelled, done.positions[0].stop) == ((), D(29_500))
    await floor.tick(29_400)
    assert (await desk.portfolio(ACCOUNT)).positions == ()


async def test_an_order_on_its_way_when_panic_comes_is_cancelled_too(floor: Floor) -> None:
    desk, book = floor.engine.desk, floor.engine.book
    request = await desk.draft(ACCOUNT, "buy", BTC, quantity=D("0.1"), limit=D(20_000))
    results = await asyncio.gather(desk.submit(request), desk.panic(ACCOUNT), return_exceptions=True)
    assert not isinstance(results[1], BaseException)
    assert book.open_orders(ACCOUNT) == []
    assert book.free(ACCOUNT, "manual", "USDT") == 10_000


async def test_a_reset_that_cannot_be_committed_did_not_happen(floor: Floor) -> None:
    desk, room = floor.engine.desk, floor.room
    await floor.buy("0.1", limit=D(20_000))
    whole = room.record.unit

    @contextlib.asynccontextmanager
    async def unit() -> AsyncIterator[Any]:
        async with whole() as inside:
            yield inside
            raise OSError("No space left on device")

    room.record.unit = unit  # type: ignore[method-assign]
    with pytest.raises(OSError, match="No space"):
        await desk.reset(ACCOUNT, D(500))
    room.record.unit = whole  # type: ignore[method-assign]
    assert [each.number for each in await desk.orders(ACCOUNT)] == [1]
    assert floor.engine.book.free(ACCOUNT, "manual", "USDT") == D("7998.00")
    await floor.tick(19_000)
    assert (await desk.orders(ACCOUNT, open_only=False))[0].status is OrderStatus.FILLED
    assert await floor.engine.book.differences(ACCOUNT) == []


async def test_a_position_that_cannot_be_sold_keeps_no_other_from_being_sold(floor: Floor) -> None:
    desk = floor.engine.desk
    await floor.buy("0.1")
    request = await desk.draft(ACCOUNT, "buy", ETH, quantity=D("0.0026"))
    await desk.submit(request)
    await floor.tick(500, ETH)  # worth 1.3 USDT now, less than the smallest order
    await floor.buy("0.01")
    with pytest.raises(RiskRefused, match=r"at least 5.00 USDT"):
        await desk.flatten(ACCOUNT)
    assert [each.instrument for each in (await desk.portfolio(ACCOUNT)).positions] == [ETH]
