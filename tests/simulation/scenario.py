"""The scenario: what people do in a seed, when the product dies, and when at last everything is quiet."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from core.errors import AppError
from core.trading.orders import OrderRequest, Side
from tests.simulation import invariants
from tests.simulation.world import BTC, ETH, World

QUIET = 150.0  # seconds in which everything must have found its end


class People:
    """Users who trade by hand at one account each."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("people")
        self.kept: list[OrderRequest] = []  # confirmed before, and perhaps confirmed again
        self.gap = self.random.choice((1.0, 4.0, 12.0))
        self.crashes = self.random.choice((0.0, 0.02, 0.08, 0.2))

    def act(self) -> None:
        """One thing that somebody does."""
        world, random = self.world, self.random
        life = world.life
        if life is None or not life.ready or life.ending:
            return
        account = random.choice(world.accounts)
        actions = [(8, self.buy), (6, self.sell), (3, self.cancel), (1, self.cancel_all), (1, self.again)]
        action = random.choices([each for _, each in actions], [weight for weight, _ in actions])[0]
        if random.random() < self.crashes:
            world.doom(random.choice((random.randint(0, 12), random.randint(0, 60), random.randint(0, 400))))
        world.spawn(life, lambda: action(life.engine, account), action.__name__)

    async def buy(self, engine: Any, account: str) -> None:
        await self._order(engine, account, Side.BUY)

    async def sell(self, engine: Any, account: str) -> None:
        await self._order(engine, account, Side.SELL)

    async def cancel(self, engine: Any, account: str) -> None:
        orders = await engine.desk.orders(account)
        if orders:
            await engine.desk.cancel(account, self.random.choice(orders).id)

    async def cancel_all(self, engine: Any, account: str) -> None:
        await engine.desk.cancel_all(account)

    async def again(self, engine: Any, account: str) -> None:
        """The same confirmation arrives once more: a double tap, or an impatient person after a restart."""
        if self.kept:
            self.world.count("confirmed twice")
            await engine.desk.submit(self.random.choice(self.kept))

    async def _order(self, engine: Any, account: str, side: Side) -> None:
        random = self.random
        instrument = random.choice((BTC, ETH))
        size: dict[str, Decimal] = {}
        if random.random() < 0.4:
            size["fraction"] = Decimal(random.randint(1, 100)) / 100
        else:
            size["quantity"] = instrument.lot_size * random.randint(1, 900)
        request = await engine.desk.draft(account, side, instrument, **size, **self._prices(instrument, side))
        preview = await engine.desk.preview(request)
        await asyncio.sleep(random.choice((0.0, 0.5, 8.0)))
        self.kept = [*self.kept[-5:], request]
        await engine.desk.submit(request, preview)

    def _prices(self, instrument: Any, side: Side) -> dict[str, Decimal]:
        return {}


async def play(world: World) -> None:
    """Faults, then quiet, then the reckoning."""
    people = People(world)
    random = world.stream("fate")
    world.launch()
    end = world.loop.time() + random.choice((60.0, 180.0, 300.0))
    while world.loop.time() < end:
        await asyncio.sleep(random.expovariate(1.0) * people.gap)
        people.act()
        invariants.always(world)
        if world.life is None:
            await asyncio.sleep(random.choice((0.1, 5.0, 40.0)))
            world.launch()
    world.network.calm()
    world.tell("world", "the faults are over")
    await quiet(world)
    engine = await ready(world)
    if engine is None:
        return
    await invariants.settled(world, engine)
    for account in world.accounts:
        await asked(world, lambda: engine.desk.cancel_all(account))
    await asyncio.sleep(60)
    await invariants.settled(world, engine)
    invariants.nothing_bound(world, engine)


async def quiet(world: World) -> None:
    """Time in which nothing goes wrong; a process that is not there is started."""
    end = world.loop.time() + QUIET
    while world.loop.time() < end:
        if world.life is None:
            world.launch()
        await asyncio.sleep(5)
        invariants.always(world)


async def ready(world: World) -> Any:
    """The engine, which must run by now."""
    if world.life is None or not world.life.ready:
        world.violated("progress", "the product does not run when nothing goes wrong any more")
        return None
    return world.life.engine


async def asked(world: World, doing: Callable[[], Awaitable[Any]]) -> None:
    """Done by the product; a refusal when nothing goes wrong any more is told."""
    assert world.life is not None
    done = asyncio.Event()

    async def act() -> None:
        try:
            await doing()
        except AppError as refused:
            world.violated("progress", f"refused when nothing goes wrong any more: {refused.sentence()}")
        finally:
            done.set()

    world.spawn(world.life, act, "asked")
    await asyncio.wait_for(done.wait(), 60)
