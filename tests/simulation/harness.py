"""The harness: one seed, from nothing to its outcome."""

from random import Random

from tests.simulation.product import product
from tests.simulation.scenario import play
from tests.simulation.world import OPENING, Outcome, World

ACCOUNTS = ("ann@sim", "bob@sim")


def simulate(seed: int, *, racing: bool | None = None) -> Outcome:
    """The history of the seed. racing: see `World`"""
    world = World(seed, [*ACCOUNTS[: Random(seed).choice((1, 1, 2))]], product, racing)
    for account in world.accounts:
        world.venue.open(account, "USDT", OPENING)
    return world.run(play)
