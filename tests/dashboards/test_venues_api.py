"""Venues over HTTP: health, choosing one, figures for Prometheus."""

from typing import Any

import httpx
import pytest

ORIGIN = {"origin": "http://127.0.0.1:8080"}


async def test_every_venue_is_told_with_its_health_and_the_caller_s_choice(
    services: Any, owner: httpx.AsyncClient
) -> None:
    await services.venues.look()
    answer = (await owner.get("/api/v1/venues")).json()
    assert answer["yours"] == "sandbox"
    [sandbox] = answer["venues"]
    assert (sandbox["venue"], sandbox["state"], sandbox["simulated"], sandbox["mode"]) == (
        "sandbox", "healthy", True, "PAPER",
    )  # fmt: skip
    assert sandbox["latency"]["p50"] >= 0


async def test_a_venue_is_chosen_and_taken_back(services: Any, owner: httpx.AsyncClient) -> None:
    me = await services.users.owner()
    answer = await owner.put("/api/v1/venue", json={"venue": "Sandbox"}, headers=ORIGIN)
    assert (answer.status_code, answer.json()["yours"]) == (200, "sandbox")
    assert services.preferences.venue(me.id) == "sandbox"
    await owner.put("/api/v1/venue", json={"venue": None}, headers=ORIGIN)
    assert services.preferences.venue(me.id) is None


@pytest.mark.parametrize(("body", "status", "word"), [({"venue": "moon"}, 404, "moon"), ({"place": "x"}, 422, "venue")])
async def test_an_unknown_venue_is_refused(owner: httpx.AsyncClient, body: Any, status: int, word: str) -> None:
    answer = await owner.put("/api/v1/venue", json=body, headers=ORIGIN)
    assert answer.status_code == status
    assert word in answer.json()["detail"]


async def test_metrics_carry_each_venue_s_figures(services: Any, owner: httpx.AsyncClient) -> None:
    await services.venues.look()
    page = (await owner.get("/metrics")).text
    assert 'orchestrator_venue_state{venue="sandbox",state="healthy"} 1' in page
    assert "# HELP orchestrator_venue_error_ratio" in page
    assert 'orchestrator_venue_latency_seconds{venue="sandbox",quantile="0.95"}' in page


async def test_a_quote_says_when_it_comes_from_elsewhere_and_not_otherwise(owner: httpx.AsyncClient) -> None:
    answer = (await owner.get("/api/v1/quote", params={"instrument": "btc"})).json()
    assert (answer["venue"], answer["note"]) == ("sandbox", None)
