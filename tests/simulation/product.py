"""The product: the engine as it is, put together for the simulated world."""

from typing import Any

from core.bus import Bus
from core.engine.engine import Engine
from tests.simulation.adapter import SimulatedData, SimulatedExchange
from tests.simulation.world import OPENING, Life, World


def product(world: World, life: Life) -> Any:
    """An engine of the life's process."""
    exchanges: dict[str, SimulatedExchange] = {}

    def exchange_for(account: str) -> SimulatedExchange:
        if account not in exchanges:
            exchanges[account] = SimulatedExchange(
                world.venue, world.network, account, world.clock, world.sent, life.number, world.tell
            )
        return exchanges[account]

    data = SimulatedData(world.venue, world.network, world.clock.now_ms)
    return Engine(
        life.store, [data], world.clock, Bus(), interval=5.0, opening=OPENING, exchange_for=exchange_for,
    )  # fmt: skip
