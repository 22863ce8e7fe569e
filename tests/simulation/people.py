"""People: what users do through the product, and what they do at the venue behind its back."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from core.market.instrument import Instrument
from core.trading.orders import (
    Bracket,
    Grid,
    Iceberg,
    Ladder,
    Limit,
    Market,
    OneCancelsOther,
    Order,
    OrderRequest,
    OrderType,
    Side,
    StopLimit,
    TrailingStop,
    Twap,
)
from tests.simulation.product import arm
from tests.simulation.venue import Refused
from tests.simulation.world import BTC, ETH, World


class People:
    """Users who trade by hand, each at an account of their own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("people")
        self.kept: list[OrderRequest] = []  # confirmed before, and perhaps confirmed again
        self.lifted = self.lifting = 0  # stops that were to be lifted, and that are being lifted now
        self.armed = self.arming = 0  # the same of accounts that were to be armed
        choice = self.random.choice
        self.composites = choice((0.0, 0.2, 0.6))  # of what is ordered
        self.gap = choice((0.5, 2.0, 6.0, 15.0))
        if world.racing:
            self.composites, self.gap = 1.0, choice((2.0, 6.0))
        self.weights = {
            self.buy: 8.0, self.sell: 6.0, self.cancel: 4.0, self.replace: choice((0.0, 2.0)), self.cancel_all: 0.7,
            self.again: 1.0, self.panic: choice((0.0, 0.3)), self.disarm: choice((0.0, 0.3)), self.look: 1.0,
        }  # fmt: skip

    def alarm(self) -> None:
        """Somebody stops it all while an order waits for its turn."""
        life = self.world.life
        if life is None or not life.ready or life.ending:
            return
        account, action = self.random.choice(self.world.accounts), self.random.choice((self.panic, self.disarm))
        self.world.spawn(life, partial(action, life.engine, account), action.__name__)

    def act(self) -> str | None:
        """One thing that somebody does; its name."""
        life = self.world.life
        if life is None or not life.ready or life.ending:
            return None
        account = self.random.choice(self.world.accounts)
        action = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        if account in self.world.halted:
            action = self.random.choice((self.buy, self.sell, self.resume))
        bare = account in self.world.disarmed
        if bare:
            action = self.random.choice((self.buy, self.sell, self.arm))

        async def act() -> None:
            if not bare:
                await self.arm(life.engine, account)
            await action(life.engine, account)

        self.world.spawn(life, act, action.__name__)
        return action.__name__

    # -- orders -----------------------------------------------------------------------------------------------------

    async def buy(self, engine: Any, account: str) -> None:
        await self._order(engine, account, Side.BUY)

    async def sell(self, engine: Any, account: str) -> None:
        await self._order(engine, account, Side.SELL)

    async def cancel(self, engine: Any, account: str) -> None:
        orders = await engine.desk.orders(account)
        if orders:
            await engine.desk.cancel(account, self.random.choice(orders).id)

    async def replace(self, engine: Any, account: str) -> None:
        """Another price or size for an order that is open."""
        orders = [each for each in await engine.desk.orders(account) if isinstance(each.request.type, Limit)]
        if not orders:
            return
        order: Order = self.random.choice(orders)
        wanted = {"price": self._near(order.request.instrument, order.request.side)}
        if self.random.random() < 0.5 and order.request.quantity is not None:
            wanted["quantity"] = order.request.quantity + order.request.instrument.lot_size * self.random.randint(0, 90)
        request = await engine.desk.redraft(account, order.id, **wanted)
        self.world.count("replaced")
        await engine.desk.replace(request)

    async def cancel_all(self, engine: Any, account: str) -> None:
        await engine.desk.cancel_all(account)

    async def again(self, engine: Any, account: str) -> None:
        """The same confirmation arrives once more: a double tap, or an impatient person after a restart."""
        if self.kept:
            self.world.count("confirmed twice")
            await engine.desk.submit(self.random.choice(self.kept))

    async def look(self, engine: Any, account: str) -> None:
        await engine.desk.portfolio(account)

    async def panic(self, engine: Any, account: str) -> None:
        """Everything stops, until somebody lifts it."""
        lifted, lifting = self.lifted, self.lifting
        done = await engine.desk.panic(account)
        self.world.count("panic")
        if done.unwritten is not None:  # it says so itself: a restart may forget it
            self.world.count("panic unwritten")
        elif lifted == self.lifted and lifting == 0:  # else nobody can say which of the two was last
            self.world.tell(account, "is told that all is stopped")
            self.world.halted[account] = len(self.world.sent)

    async def resume(self, engine: Any, account: str) -> None:
        self.world.halted.pop(account, None)
        self.world.tell(account, "lifts the stop")
        self.lifted, self.lifting = self.lifted + 1, self.lifting + 1
        await engine.desk.resume(account)
        self.lifting -= 1

    async def disarm(self, engine: Any, account: str) -> None:
        """Nothing is bought there any more, until somebody arms it."""
        armed, arming = self.armed, self.arming
        await engine.arming.disarm(account)
        self.world.count("disarmed")
        if armed == self.armed and arming == 0:  # else nobody can say which of the two was last
            self.world.tell(account, "is told that it is disarmed")
            self.world.disarmed[account] = len(self.world.sent)

    async def arm(self, engine: Any, account: str) -> None:
        await engine.desk.open(account)
        if engine.arming.of(account) is not None:
            return
        self.world.disarmed.pop(account, None)
        self.armed, self.arming = self.armed + 1, self.arming + 1
        try:
            await arm(engine, account)
        finally:
            self.arming -= 1

    async def _order(self, engine: Any, account: str, side: Side) -> None:
        random = self.random
        instrument = random.choice((BTC, ETH))
        size: dict[str, Decimal] = {}
        if random.random() < 0.4:
            size["fraction"] = Decimal(random.randint(1, 60 if side is Side.BUY else 100)) / 100
        else:
            size["quantity"] = instrument.lot_size * random.randint(1, 700)
        prices = {} if self.world.racing else self._prices(instrument, side)
        request = await engine.desk.draft(account, side, instrument, **size, **prices)
        if self.composites and request.quantity is not None and random.random() < self.composites:
            request = self._composite(request)
            self.world.count(f"{type(request.type).__name__}")
        preview = await engine.desk.preview(request)
        await asyncio.sleep(random.choice((0.0, 0.5, 8.0)))
        self.kept = [*self.kept[-5:], request]
        await engine.desk.submit(request, preview)
        if random.random() < 0.05:
            self.world.count("confirmed twice")
            await engine.desk.submit(request, preview)

    def _prices(self, instrument: Instrument, side: Side) -> dict[str, Decimal]:
        drawn = self.random.random()
        if drawn < 0.35:
            return {}
        near = self._near(instrument, side)
        if side is Side.SELL and drawn > 0.8:
            return {"stop": instrument.price(self.world.prices[instrument] * Decimal("0.995"))}
        return {"limit": near}

    def _composite(self, request: OrderRequest) -> OrderRequest:
        """The same as an order of another type, made of several orders where the venue does not know it."""
        instrument, random, sign = request.instrument, self.random, request.side.sign
        price, quantity = self.world.prices[instrument], request.quantity or instrument.lot_size

        def at(thousandths: int) -> Decimal:
            """So far from the market, on the better side of it for whoever trades (or the worse one, below zero)."""
            return instrument.price(price * (1 - Decimal(thousandths * sign) / 1000))

        if self.world.racing:
            return replace(request, type=OneCancelsOther(at(random.randint(1, 3)), at(-random.randint(1, 3))))
        near, far = random.randint(1, 6), random.randint(1, 6)
        kinds: list[OrderType] = [
            OneCancelsOther(at(near), at(-far), random.choice((None, at(-far - 3)))),
            OneCancelsOther(at(1), at(-1)),
            Iceberg(at(near - 3), instrument.quantity(max(instrument.lot_size, quantity / random.randint(2, 6)))),
            Twap(random.choice((20, 60)), random.randint(2, 5)),
            TrailingStop(fraction=Decimal(random.randint(1, 8)) / 1000),
            StopLimit(at(-far), at(-far - 2)),
            Ladder((at(near), at(near + 2), at(near + 5))),
        ]
        if request.side is Side.BUY:
            kinds.append(Bracket(Market(), at(far + 2), at(-near - 2)))
            kinds.append(Grid(at(12), at(1), 3))
        return replace(request, type=random.choice(kinds))

    def _near(self, instrument: Instrument, side: Side) -> Decimal:
        away = Decimal(self.random.randint(-2, 12)) / 1000
        return instrument.price(self.world.prices[instrument] * (1 - away * side.sign))

    # -- behind its back --------------------------------------------------------------------------------------------

    def meddle(self) -> None:
        """Something is done at the venue by hand, or with another program."""
        world, random = self.world, self.random
        account, instrument = random.choice(world.accounts), random.choice((BTC, ETH))
        kind = random.choice(("order", "order", "cancel", "cancel", "deposit", "withdrawal"))
        try:
            if kind == "order":
                side = random.choice((Side.BUY, Side.SELL))
                type_ = random.choice((Market(), Limit(self._near(instrument, side))))
                quantity = instrument.lot_size * random.randint(1, 200)
                request = OrderRequest("by hand", account, instrument, side, type_, quantity=quantity)
                held = world.venue.place(account, f"hand-{len(world.venue.orders)}", request, by_hand=True)
                world.tell("by hand", f"{held.id} {side.value} {quantity} {instrument.symbol} {type_}")
            elif kind == "cancel":
                working = world.venue.working(account)
                if not working:
                    return
                held = random.choice(working)
                world.venue.cancel(account, held.client_id)
                world.tell("by hand", f"cancels {held.id}")
            else:
                asset = random.choice(("USDT", "BTC", "ETH"))
                amount = {"USDT": Decimal(100), "BTC": Decimal("0.01"), "ETH": Decimal("0.1")}[asset]
                amount *= random.randint(1, 9) * (1 if kind == "deposit" else -1)
                world.venue.transfer(account, asset, amount)
                world.tell("by hand", f"{amount} {asset}")
            world.count(f"by hand: {kind}")
        except Refused:
            return
