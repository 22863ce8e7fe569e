"""The scenario: what people do in a seed, what befalls the product, and when at last everything is quiet."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from core.errors import AppError
from tests.simulation import invariants
from tests.simulation.people import People
from tests.simulation.world import World

QUIET = 120.0  # seconds in which the market goes on and nothing goes wrong
STILL = 60.0  # seconds in which the market stands, and everything must have found its end


class Fate:
    """What befalls the product and the venue."""

    def __init__(self, world: World) -> None:
        self.world, self.random = world, world.stream("fate")
        choice = self.random.choice
        self.length = choice((60.0, 150.0, 240.0))
        self.crashes = choice((0.0, 0.03, 0.1, 0.2))  # of what people do
        self.troubles = {
            self.restart: choice((0.0, 0.02)), self.stall: choice((0.0, 0.02)), self.maintenance: choice((0.0, 0.02)),
            self.cut: choice((0.0, 0.02)), self.sweep: choice((0.0, 0.0, 0.01)),
            self.lock: choice((0.0, 0.0, 0.01, 0.03)),
        }  # fmt: skip
        self.meddling = choice((0.0, 0.0, 0.1))

    def strike(self) -> None:
        """Perhaps something befalls somebody."""
        for trouble, chance in self.troubles.items():
            if self.random.random() < chance:
                self.world.count(trouble.__name__)
                trouble()

    def threaten(self) -> None:
        """Perhaps the process dies during what it now begins: after a few steps, or after many."""
        if self.random.random() < self.crashes:
            reach = self.random.choice((12, 60, 60, 200, 600))
            self.world.doom(self.random.randint(0, reach))

    def restart(self) -> None:
        """Somebody stops the product in order; it is started again."""
        life = self.world.life
        if life is None or not life.ready or life.ending:
            return
        life.ending = True

        async def stop() -> None:
            try:
                await life.engine.stop()
            finally:
                self.world.loop.call_soon(self.world.loop.kill, life.number, context=self.world.loop.world)

        self.world.spawn(life, stop, "stop")

    def stall(self) -> None:
        """The process stands still for a while, and then goes on as if nothing had been."""
        life = self.world.life
        if life is not None:
            self.world.tell("world", "the process stands still")
            self.world.loop.stall(life.number, self.random.choice((1.0, 6.0, 25.0)))

    def maintenance(self) -> None:
        """The venue answers 503 for a while."""
        self._away("down")

    def cut(self) -> None:
        """No connection can be made for a while."""
        self._away("cut")

    def sweep(self) -> None:
        """The venue restarts, and every open order is gone."""
        self.world.tell("venue", "restarts; open orders are cancelled")
        self.world.venue.sweep()

    def lock(self) -> None:
        """Another program holds the database: a backup, a browser of databases."""
        world = self.world
        world.tell("world", "the database is locked")
        world.locked = max(world.locked, world.loop.time() + self.random.choice((3.0, 15.0, 25.0, 45.0)))

    def _away(self, what: str) -> None:
        network, loop = self.world.network, self.world.loop
        self.world.tell("world", f"network {what}")
        setattr(network, what, True)
        loop.call_later(self.random.choice((3.0, 15.0, 45.0)), setattr, network, what, False, context=loop.world)


async def play(world: World) -> None:
    """Faults, then quiet, then the reckoning."""
    people, fate = People(world), Fate(world)
    world.network.alarm = people.alarm
    world.launch()
    await until_open(world)
    end = world.loop.time() + fate.length
    while world.loop.time() < end:
        await asyncio.sleep(fate.random.expovariate(1.0) * people.gap)
        fate.strike()
        if people.act():
            fate.threaten()
        if fate.random.random() < fate.meddling:
            people.meddle()
        invariants.always(world)
        if world.life is None:
            await asyncio.sleep(fate.random.choice((0.1, 5.0, 40.0)))
            world.launch()
    world.network.calm()
    world.bad_disk, world.locked = 0.0, 0.0
    world.loop.spare()
    world.tell("world", "the faults are over")
    await quiet(world, QUIET)
    world.still = True
    await quiet(world, STILL)
    engine = ready(world)
    if engine is None:
        return
    await invariants.settled(world, engine)
    for account in world.accounts:
        await asked(world, partial(engine.desk.cancel_all, account))
    await quiet(world, STILL)
    await invariants.settled(world, engine)
    invariants.nothing_bound(world, engine)


async def until_open(world: World) -> None:
    """Before anything is ordered by hand, the accounts are opened with what the venue holds."""
    while not all(account in world.disk.accounts for account in world.accounts):
        await asyncio.sleep(1.0)
        if world.life is None:
            world.launch()
        life = world.life
        if life is not None and life.ready:
            for account in world.accounts:
                world.spawn(life, partial(life.engine.desk.open, account), "open")
            await asyncio.sleep(5.0)


async def quiet(world: World, seconds: float) -> None:
    """Time in which nothing goes wrong; a process that is not there is started."""
    end = world.loop.time() + seconds
    while world.loop.time() < end:
        if world.life is None:
            world.launch()
        await asyncio.sleep(5)
        invariants.always(world)


def ready(world: World) -> Any:
    """The engine, which must run by now."""
    if world.life is None or not world.life.ready:
        world.violated("progress", "the product does not run when nothing goes wrong any more")
        return None
    if not world.life.engine.lease.held:
        world.violated("progress", "the product may not trade when nothing goes wrong any more")
    return world.life.engine


async def asked(world: World, doing: Callable[[], Awaitable[Any]]) -> None:
    """Done by the product; a refusal when nothing goes wrong any more is a violation."""
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
