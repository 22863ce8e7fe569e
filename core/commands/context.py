"""What a command may know: who asks, from where, and the services that do the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.commands.works import Works
from core.errors import Forbidden
from core.reply import Progress

if TYPE_CHECKING:
    from core.accounts import User, UserService
    from core.alerts import AlertService
    from core.bus import Bus
    from core.clock import Clock
    from core.commands.registry import Registry
    from core.engine.desk import Desk
    from core.engine.feed import Feed
    from core.engine.opportunities import Opportunities
    from core.engine.preferences import Preferences
    from core.engine.trader import Trader
    from core.exchanges.arbitrage import Arbitrage
    from core.exchanges.books import BookHub
    from core.exchanges.router import Router
    from core.jobs import Jobs
    from core.market.history import History
    from core.settings import Settings
    from core.store.sql import Store

LONGEST_NAME = 64  # printable characters of a person's name

Report = Callable[[Progress], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a command or a surface can use; built once by core.app."""

    settings: Settings
    clock: Clock
    bus: Bus
    store: Store
    users: UserService
    market: Feed
    desk: Desk
    strategies: Trader
    alerts: AlertService
    jobs: Jobs
    history: History
    venues: Router
    preferences: Preferences
    notifier: Any  # core.notify.Notifier; the two layers stand beside each other and do not import one another
    books: BookHub
    arbitrage: Arbitrage
    opportunities: Opportunities
    app_info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks, where. user is None for a stranger; private is False where others read along."""

    user: User | None
    surface: str  # console, telegram, web …
    external_id: str  # the person's id on that surface
    chat: str
    private: bool = True
    name: str = ""


async def no_report(progress: Progress) -> None:
    """For callers that show no progress."""


@dataclass(frozen=True, slots=True)
class Context:
    """One call of one command."""

    caller: Caller
    services: Services
    progress: Report = no_report
    registry: Registry | None = None
    line: str = ""  # what was written
    works: Works = field(default_factory=Works)

    @property
    def user(self) -> User:
        """The person who asks. Raises Forbidden for a stranger."""
        if self.caller.user is None:
            raise Forbidden("You are not allowed to use this assistant.")
        return self.caller.user

    @property
    def venue(self) -> str:
        """The venue at which the caller looks and trades: the one they chose, else the product's."""
        chosen = None if self.caller.user is None else self.services.preferences.venue(self.caller.user.id)
        return chosen or self.services.market.source_name

    @property
    def account(self) -> str:
        """The id of the caller's trading account: the live one of their venue while that is armed, else on paper."""
        chosen = self.services.preferences.venue(self.user.id)
        if chosen is None and self.services.market.stood_in:  # nobody asked to trade with money there
            return self.user.id
        return self.services.desk.account_for(self.user.id, self.venue)
