"""The API of the market and of research, on the sandbox market."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from core.accounts import Role
from core.commands.loading import formulas_of, results_of
from dashboards.gateway import research
from dashboards.gateway.access import COOKIE
from dashboards.gateway.app import create_app

ORIGIN = {"origin": "http://127.0.0.1:8080"}


async def test_instruments_say_that_they_are_simulated(owner: httpx.AsyncClient) -> None:
    answer = (await owner.get("/api/v1/instruments")).json()
    btc = next(one for one in answer["instruments"] if one["instrument"] == "BTC/USDT")
    assert btc["label"] == "SIMULATED"
    assert "1h" in answer["timeframes"]


async def test_bars_come_oldest_first_with_indicators_of_the_same_length(owner: httpx.AsyncClient) -> None:
    query = {"instrument": "btc", "timeframe": "1h", "limit": 120, "indicators": "ema:20,bollinger:20,rsi:14"}
    answer = (await owner.get("/api/v1/bars", params=query)).json()
    assert len(answer["times"]) == 120
    assert answer["times"] == sorted(answer["times"])
    assert set(answer["indicators"]) == {
        "ema_20", "bollinger_upper_20", "bollinger_middle_20", "bollinger_lower_20", "rsi_14",
    }  # fmt: skip
    for values in answer["indicators"].values():
        assert len(values) == 120
        assert None not in values  # the warm-up lies before the first bar asked for


async def test_the_quote_is_exact_text(owner: httpx.AsyncClient) -> None:
    answer = (await owner.get("/api/v1/quote", params={"instrument": "eth"})).json()
    assert answer["instrument"] == "ETH/USDT"
    assert float(answer["bid"]) < float(answer["ask"])
    assert isinstance(answer["last"], str)


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/v1/quote?instrument=notacoin", 404, "notacoin"),
        ("/api/v1/bars?instrument=btc&timeframe=7x", 422, "7x"),
        ("/api/v1/bars?instrument=btc&limit=0", 422, "limit"),
        ("/api/v1/bars?instrument=btc&indicators=magic:20", 422, "magic:20"),
        ("/api/v1/quote", 422, "instrument"),
        ("/api/v1/nothing", 404, "Not Found"),
    ],
)
async def test_a_refusal_is_one_sentence(owner: httpx.AsyncClient, path: str, status: int, word: str) -> None:
    answer = await owner.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json()["detail"]


async def test_strategies_tell_their_ranges(owner: httpx.AsyncClient) -> None:
    found = {one["name"]: one for one in (await owner.get("/api/v1/strategies")).json()["strategies"]}
    fast = found["sma_cross"]["parameters"]["fast"]
    assert fast["low"] <= fast["default"] <= fast["high"]
    assert fast["kind"] == "int"


async def test_a_backtest_answers_with_everything_a_page_shows(owner: httpx.AsyncClient) -> None:
    body = {"strategy": "sma_cross", "parameters": {"fast": 10, "slow": 30}, "instrument": "btc", "bars": 800}
    answer = await owner.post("/api/v1/backtests", json=body, headers=ORIGIN)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    assert len(result["times"]) == len(result["equity"]) == len(result["baseline"]) == 800
    assert result["stats"]["final_equity"] == pytest.approx(result["equity"][-1])
    assert result["stats"]["trades"] == sum(one["exit_time"] is not None for one in result["trades"])
    assert set(result["markers"]["sides"]) <= {"buy", "sell"}
    assert len(result["markers"]["times"]) == len(result["markers"]["prices"]) > 0
    assert result["costs"]["taker_fee"] == 0.001
    assert result["label"] == "SIMULATED"


async def test_a_backtest_is_kept_for_the_person_who_ran_it_and_a_saved_formula_is_a_strategy_of_its_writer(
    services: Any, owner: httpx.AsyncClient
) -> None:
    me = await services.users.owner()
    visitor = research.person(services, me)
    formulas_of(visitor).save("dip", "param n = 14 [2 .. 50]; rsi(close, n) < 45")
    other = research.person(services, replace(me, id="another", role=Role.TRADER))
    assert "dip" not in {each["name"] for each in research.strategies(other)}
    found = {each["name"]: each for each in (await owner.get("/api/v1/strategies")).json()["strategies"]}
    assert found["dip"]["parameters"]["n"]["high"] == 50
    body = {"strategy": "dip", "parameters": {"n": 9}, "instrument": "btc", "bars": 500}
    answer = (await owner.post("/api/v1/backtests", json=body, headers=ORIGIN)).json()
    (saved,) = results_of(visitor).list(me.id)
    assert (answer["result"], saved.number, saved.parameters) == (1, 1, {"n": 9})
    assert answer["parameters"] == {"n": 9}
    assert results_of(other).list("another") == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"strategy": "sma_crosss"}, "sma_crosss"),
        ({"strategy": "../evil.py:Boom"}, "strategy"),
        ({"parameters": {"fast": 0}}, "fast"),
        ({"parameters": {"speed": 3}}, "speed"),
        ({"bars": 60, "parameters": {"fast": 10, "slow": 100}}, "bars"),
        ({"cash": -1}, "cash"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_a_backtest_that_cannot_be_says_why(owner: httpx.AsyncClient, change: dict[str, Any], word: str) -> None:
    body = {"strategy": "sma_cross", "instrument": "btc", "bars": 300} | change
    answer = await owner.post("/api/v1/backtests", json=body, headers=ORIGIN)
    assert answer.status_code in (404, 422), answer.text
    assert word in answer.json()["detail"]


async def test_a_fault_tells_nothing_of_itself(services: Any, conversation: Any, session: str) -> None:
    async def broken(text: str) -> None:
        raise RuntimeError("secret detail")

    services.market = SimpleNamespace(instrument=broken)
    transport = httpx.ASGITransport(app=create_app(services, conversation), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/v1/quote?instrument=btc", headers={"cookie": f"{COOKIE}={session}"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


async def test_the_api_describes_itself(owner: httpx.AsyncClient) -> None:
    paths = (await owner.get("/api/v1/openapi.json")).json()["paths"]
    assert {"/api/v1/bars", "/api/v1/backtests", "/health/ready"} <= set(paths)


async def test_metrics_are_in_the_text_format(owner: httpx.AsyncClient) -> None:
    text = (await owner.get("/metrics")).text
    assert "orchestrator_up 1\n" in text
    assert 'orchestrator_source_connected{source="sandbox"} 1\n' in text


# -- its description


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{verb} {path}", operation) for path, one in document["paths"].items() for verb, operation in one.items()]


async def test_every_route_is_described_with_what_it_answers_and_refuses(owner: httpx.AsyncClient) -> None:
    document = (await owner.get("/api/v1/openapi.json")).json()
    lacking = []
    for name, operation in operations(document):
        answered = operation["responses"]
        if not operation.get("summary") or not operation.get("description") or not operation.get("tags"):
            lacking.append(f"{name}: words")
        if not any("schema" in one or "example" in one for one in answered["200"]["content"].values()):
            lacking.append(f"{name}: schema")
        if operation["responses"]["200"]["content"].get("application/json", {"schema": {"$ref": ""}})["schema"] == {}:
            lacking.append(f"{name}: empty schema")
        refusals = {status for status, one in answered.items() if "application/problem+json" in one.get("content", {})}
        needed = {"421", "500"} if name.startswith("get /health/") else {"401", "403", "421", "500"}
        needed |= {"422"} if operation.get("parameters") or "requestBody" in operation else set()
        if not needed <= refusals:
            lacking.append(f"{name}: problems {sorted(needed - refusals)}")
    assert lacking == []
    assert len(operations(document)) >= 9


async def test_every_route_of_the_application_is_in_the_description(services: Any, owner: httpx.AsyncClient) -> None:
    document = (await owner.get("/api/v1/openapi.json")).json()
    described = set(document["paths"])
    assert {"/api/v1/instruments", "/api/v1/quote", "/api/v1/bars", "/api/v1/strategies", "/api/v1/backtests"} <= (
        described
    )
    assert {"/api/v1/session", "/health/live", "/health/ready", "/metrics"} <= described


async def test_every_field_of_an_answer_has_an_example_or_a_type_that_has(owner: httpx.AsyncClient) -> None:
    schemas = (await owner.get("/api/v1/openapi.json")).json()["components"]["schemas"]
    plain = {"string", "integer", "number"}
    bare = [
        f"{model}.{field}"
        for model, schema in schemas.items()
        if not model.startswith(("HTTPValidation", "Validation")) and "examples" not in schema
        for field, one in schema.get("properties", {}).items()
        if one.get("type") in plain and "examples" not in one and "const" not in one
    ]
    assert bare == []


async def test_the_documents_page_is_for_people_who_are_signed_in(owner: httpx.AsyncClient) -> None:
    page = await owner.get("/api/docs")
    assert page.status_code == 200
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "https://" not in page.text
    for file in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert (await owner.get(f"/api/docs/{file}")).status_code == 200
    assert (await owner.get("/api/docs/redoc.standalone.js")).status_code == 404
    owner.cookies.clear()
    for path in ("/api/docs", "/api/docs/swagger-ui.css", "/api/v1/openapi.json"):
        assert (await owner.get(path)).status_code == 401
