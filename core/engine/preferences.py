"""Preferences: the venue each person has chosen, kept as documents, known without waiting."""

from collections.abc import Sequence

from core.engine.ports import Document, TradingStore

KIND = "preference"


class Preferences:
    """What people chose. venues: names of those there are; a choice of one that is gone counts for nothing."""

    def __init__(self, store: TradingStore, venues: Sequence[str]) -> None:
        self._store, self._venues = store, tuple(venues)
        self._chosen: dict[str, str] = {}

    async def load(self) -> None:
        """Brings memory to what is kept."""
        kept = await self._store.documents(KIND)
        self._chosen = {each.owner: str(each.value["venue"]) for each in kept if "venue" in each.value}

    def venue(self, user: str) -> str | None:
        """The venue the user has chosen; None for the product's own."""
        chosen = self._chosen.get(user)
        return chosen if chosen in self._venues else None

    async def choose(self, user: str, venue: str | None) -> None:
        """From now on the user looks and trades at this venue; None: wherever the product does."""
        async with self._store.unit() as unit:
            if venue is None:
                await unit.drop_document(KIND, f"{user}:venue")
            else:
                await unit.save_document(Document(KIND, f"{user}:venue", user, {"venue": venue}))
        if venue is None:
            self._chosen.pop(user, None)
        else:
            self._chosen[user] = venue
