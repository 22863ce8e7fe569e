"""Which kernels live: one that a page shows, one that waits in the pool, and one that has just left either."""

import time
from collections.abc import Awaitable, Callable

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Dict


class PageKernels(AsyncMappingKernelManager):
    """Ends a kernel when no page has been connected to it for `cull_idle_timeout` seconds.

    Jupyter's own rule looks at the last activity: it would end a pre-heated kernel before its page has connected, and
    would keep a kernel whose page is gone but whose panel still refreshes. Voilà keeps pooled kernels away from here.
    """

    alone_since = Dict(help="kernel id: monotonic seconds since when no page is connected")

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        if self._kernel_connections.get(kernel_id, 0) > 0:
            self.alone_since.pop(kernel_id, None)
            return
        since = self.alone_since.setdefault(kernel_id, time.monotonic())
        if time.monotonic() - since >= self.cull_idle_timeout:
            self.alone_since.pop(kernel_id)
            self.log.info("Ending kernel %s: no page is connected to it", kernel_id)
            end: Callable[[str], Awaitable[None]] = self.shutdown_kernel
            await end(kernel_id)
