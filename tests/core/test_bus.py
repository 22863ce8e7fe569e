"""The bus: everybody is told, and one's failure is not another's."""

from dataclasses import dataclass

import pytest

from core.bus import Bus


@dataclass(frozen=True)
class Happened:
    number: int


async def test_a_failing_receiver_keeps_the_event_from_nobody() -> None:
    bus, heard = Bus(), []

    async def broken(event: Happened) -> None:
        raise OSError("down")

    async def hear(event: Happened) -> None:
        heard.append(event.number)

    bus.subscribe(Happened, broken)
    unsubscribe = bus.subscribe(Happened, hear)
    await bus.publish(Happened(1))
    with pytest.raises(OSError, match="down"):
        await bus.deliver(Happened(2))
    unsubscribe()
    await bus.publish(Happened(3))
    assert heard == [1, 2]
