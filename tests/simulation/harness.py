"""The harness: one seed, from nothing to its outcome."""

from random import Random

from tests.simulation.product import product
from tests.simulation.scenario import play
from tests.simulation.venue import TOKEN
from tests.simulation.world import OPENING, TOKENS, Outcome, World

ACCOUNTS = ("ann@sim", "bob@sim")


def simulate(seed: int, *, racing: bool | None = None) -> Outcome:
    """The history of the seed. racing: see `World`"""
    world = World(seed, [*ACCOUNTS[: Random(seed).choice((1, 1, 2))]], product, racing)
    for account in world.accounts:
        world.venue.open(account, "USDT", OPENING)
        if world.venue.charges == "token":
            world.venue.open(account, TOKEN, TOKENS)
    return world.run(play)
