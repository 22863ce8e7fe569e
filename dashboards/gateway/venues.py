"""Venues in the API under /api/v1: how each does, and which one the caller uses."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from core.trading.purses import venue_of
from dashboards.gateway.models import VenueChoice, VenuesAnswer
from dashboards.gateway.problems import answers

if TYPE_CHECKING:
    from core.commands.context import Services
    from core.exchanges.health import Health


def routes(services: "Services") -> APIRouter:
    """The routes of the venues."""
    router = APIRouter(prefix="/api/v1", tags=["market and research"])

    @router.get("/venues", summary="How every venue does", response_model=VenuesAnswer, responses=answers())
    async def venues(request: Request) -> dict[str, Any]:
        """Every configured venue with its health, and the one that the caller uses."""
        return told(services, request.state.visitor.user.id)

    @router.put("/venue", summary="Choose a venue", response_model=VenuesAnswer, responses=answers(404, 413, 422))
    async def choose(request: Request, choice: VenueChoice) -> dict[str, Any]:
        """From now on the caller looks and trades at this venue. Positions and strategies stay where they are."""
        user = request.state.visitor.user.id
        name = None if choice.venue is None else services.venues.venue(choice.venue).name
        await services.preferences.choose(user, name)
        return told(services, user)

    return router


def chosen(services: "Services", user: str) -> str:
    """Where the user looks and trades."""
    return services.preferences.venue(user) or services.market.source_name


def told(services: "Services", user: str) -> dict[str, Any]:
    """The answer about all venues."""
    found = [described(services, user, health) for health in services.venues.states()]
    return {"yours": chosen(services, user), "venues": found}


def described(services: "Services", user: str, health: "Health") -> dict[str, Any]:
    """One venue with its figures."""
    live = venue_of(services.desk.account_for(user, health.venue)) is not None
    return {
        "venue": health.venue, "state": health.state, "reason": health.reason, "hint": health.hint,
        "simulated": health.simulated, "latency": {"p50": health.p50, "p95": health.p95, "p99": health.p99},
        "errors": health.errors, "price_age": health.staleness, "clock_skew": health.skew,
        "mode": "LIVE" if live else "PAPER",
    }  # fmt: skip
