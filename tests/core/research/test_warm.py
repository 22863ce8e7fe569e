"""Warming leaves nothing to compile."""

from core.research.warm import warm
from core.simulation.decide import decide
from core.simulation.kernel import run, step
from core.simulation.orders import cancel, place
from core.simulation.protection import protect


def test_every_entry_to_the_kernel_is_compiled_afterwards() -> None:
    warm()
    for kernel in (run, step, decide, place, cancel, protect):
        assert len(kernel.signatures) == 1  # type: ignore[attr-defined]
