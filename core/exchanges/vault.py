"""Where the keys of a venue's account come from. What holds them never shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.settings import Settings


@dataclass(frozen=True, slots=True)
class ExchangeSecrets:
    """The API key of one account at one venue. Neither `repr` nor `str` nor a traceback shows what is inside."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return "ExchangeSecrets(…)"


class Vault(Protocol):
    """Keys by user and venue."""

    async def keys(self, user: str, venue: str) -> ExchangeSecrets | None:
        """The user's keys at the venue; None when there are none."""
        ...

    async def venues(self, user: str) -> Sequence[str]:
        """The venues the user has keys for, sorted."""
        ...


class MemoryVault:
    """Keys that last as long as the process, for tests and simulations."""

    def __init__(self, kept: Mapping[tuple[str, str], ExchangeSecrets] | None = None) -> None:
        self._kept = {(user, venue.lower()): keys for (user, venue), keys in (kept or {}).items()}

    def put(self, user: str, venue: str, keys: ExchangeSecrets) -> None:
        self._kept[user, venue.lower()] = keys

    def drop(self, user: str, venue: str) -> None:
        self._kept.pop((user, venue.lower()), None)

    async def keys(self, user: str, venue: str) -> ExchangeSecrets | None:
        return self._kept.get((user, venue.lower()))

    async def venues(self, user: str) -> Sequence[str]:
        return sorted(venue for owner, venue in self._kept if owner == user)


class SettingsVault:
    """The keys in the settings, which belong to the owner of the installation and to nobody else.

    owner: the user id of the owner
    """

    def __init__(self, settings: Settings, owner: str) -> None:
        self._settings = settings
        self._owner = owner

    async def keys(self, user: str, venue: str) -> ExchangeSecrets | None:
        return self._found(venue.lower()) if user == self._owner else None

    async def venues(self, user: str) -> Sequence[str]:
        if user != self._owner:
            return []
        return sorted(name.lower() for name in self._settings.exchanges if self._found(name.lower()) is not None)

    def _found(self, venue: str) -> ExchangeSecrets | None:
        given = next((each for name, each in self._settings.exchanges.items() if name.lower() == venue), None)
        if given is None or given.api_key is None or given.secret is None:
            return None
        return ExchangeSecrets(
            given.api_key.get_secret_value(),
            given.secret.get_secret_value(),
            given.passphrase.get_secret_value() if given.passphrase else None,
        )
