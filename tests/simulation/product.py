"""The product: the engine as it is, put together for the simulated world, trading live at the simulated venue."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from core.bus import Bus
from core.engine.arming import Caps
from core.engine.engine import Engine
from core.engine.live import LiveVenues
from core.risk.limits import Limits
from tests.simulation.adapter import SimulatedData, SimulatedExchange
from tests.simulation.world import OPENING, Life, World

CAPS = Caps(Decimal(4_000), Decimal(15_000), Decimal(1_000_000))
LIMITS = Limits(order_notional=Decimal(3_500), orders_per_minute=12)


class Keys:
    """Everybody has keys to the simulated venue."""

    async def keys(self, user: str, venue: str) -> Any:
        return "key"

    async def venues(self, user: str) -> Sequence[str]:
        return ["sim"]


def product(world: World, life: Life) -> Any:
    """An engine of the life's process."""

    def make(account: str, venue: str, keys: Any) -> SimulatedExchange:
        return SimulatedExchange(world.venue, world.network, account, world.clock, world.sent, life.number, world.tell)

    data = SimulatedData(world.venue, world.network, world.clock.now_ms)
    return Engine(
        life.store, [data], world.clock, Bus(), interval=5.0, opening=OPENING, limits=LIMITS,
        live=LiveVenues(Keys(), make),
    )  # fmt: skip


async def arm(engine: Any, account: str) -> None:
    """The account may trade from now on."""
    await engine.desk.open(account)
    if engine.arming.of(account) is None:
        await engine.desk.arm(account, CAPS, 168)
