"""Warming leaves nothing to compile."""

from core.research.warm import warm
from core.simulation.decide import decide
from core.simulation.kernel import run, step
from core.simulation.margin import free_margin
from core.simulation.orders import cancel, orphan, place
from core.simulation.protection import protect, trail_by, unprotect


def test_every_entry_to_the_kernel_is_compiled_afterwards() -> None:
    warm()
    for kernel in (run, step, decide, place, cancel, protect, trail_by, unprotect, orphan, free_margin):
        assert len(kernel.signatures) == 1  # type: ignore[attr-defined]
