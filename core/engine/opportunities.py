"""Opportunities: the history of arbitrage, kept with how long each lived."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.bus import Bus
from core.clock import from_ms, to_ms
from core.engine.ports import Document, TradingStore
from core.events import OpportunityChanged

KIND = "opportunity"
KEPT = 500  # the newest are kept


@dataclass(frozen=True, slots=True)
class Past:
    """An opportunity that went. profit: the most it would have brought while it lived, size and fraction with it

    lived: seconds
    """

    kind: str
    path: tuple[str, ...]
    ended: datetime
    lived: float
    size: Decimal
    profit: Decimal
    fraction: Decimal


class Opportunities:
    """Writes down every opportunity as it goes."""

    def __init__(self, store: TradingStore, bus: Bus, kept: int = KEPT) -> None:
        self._store, self._bus, self._kept = store, bus, kept
        self._best: dict[str, OpportunityChanged] = {}
        self._unsubscribe: Callable[[], None] = lambda: None
        self._ids: list[str] = []

    async def start(self) -> None:
        """Begins to listen."""
        self._ids = [each.id for each in await self._store.documents(KIND)]
        self._unsubscribe = self._bus.subscribe(OpportunityChanged, self._changed)

    async def stop(self) -> None:
        """Listens no more."""
        self._unsubscribe()

    async def past(self, limit: int = 20) -> Sequence[Past]:
        """The newest first."""
        found = [_past(each) for each in await self._store.documents(KIND)]
        return sorted(found, key=lambda each: each.ended, reverse=True)[:limit]

    async def _changed(self, event: OpportunityChanged) -> None:
        best = self._best.get(event.id)
        if best is None or event.profit > best.profit:
            best = self._best[event.id] = event
        if event.state != "gone":
            return
        del self._best[event.id]
        document = Document(
            KIND,
            event.id,
            "",
            {
                "kind": event.kind,
                "path": list(event.path),
                "ended": to_ms(event.time),
                "lived": event.lived,
                "size": str(best.size),
                "profit": str(best.profit),
                "fraction": str(best.fraction),
            },
            open=False,
        )
        self._ids.append(event.id)
        async with self._store.unit() as unit:
            await unit.save_document(document)
            while len(self._ids) > self._kept:
                await unit.drop_document(KIND, self._ids.pop(0))


def _past(document: Document) -> Past:
    kept = document.value
    return Past(
        kept["kind"],
        tuple(kept["path"]),
        from_ms(kept["ended"]),
        float(kept["lived"]),
        Decimal(kept["size"]),
        Decimal(kept["profit"]),
        Decimal(kept["fraction"]),
    )
