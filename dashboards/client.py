"""The gateway's API as dashboards and notebooks call it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from core.errors import AppError, Unavailable

API = "ORCHESTRATOR_API_URL"
TOKEN = "HTTP_X_ORCHESTRATOR_TOKEN"  # the name under which Voilà hands over the header


class Client:
    """Asks a running instance. Every refusal is an AppError with the sentence of the instance.

    base_url: of the gateway, e.g. http://127.0.0.1:8080; token: a dashboard's pass, or the token of this machine
    """

    def __init__(self, base_url: str, token: str, *, timeout: float = 120.0) -> None:
        self.base_url = base_url
        self._http = httpx.Client(
            base_url=f"{base_url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            trust_env=False,
        )

    @classmethod
    def here(cls) -> "Client":
        """Inside a dashboard: its viewer's pass. In a notebook: the instance that runs on this machine.

        Raises Unavailable when there is neither.
        """
        if os.environ.get(API) and os.environ.get(TOKEN):
            return cls(os.environ[API], os.environ[TOKEN])
        from core.settings import load

        return cls.joined(load().data_dir)

    @classmethod
    def joined(cls, data_dir: Path) -> "Client":
        """The instance that runs on this data folder. Raises Unavailable."""
        try:
            instance = json.loads((data_dir / "instance.json").read_text("utf-8"))
            return cls(instance["url"], instance["token"])
        except (OSError, ValueError, KeyError) as missing:
            raise Unavailable(
                f"No running instance was found in {data_dir}.", hint="Start one with `make run`."
            ) from missing

    def instruments(self) -> dict[str, Any]:
        return self._get("/instruments")

    def quote(self, instrument: str) -> dict[str, Any]:
        return self._get("/quote", instrument=instrument)

    def bars(self, instrument: str, timeframe: str, limit: int = 500, indicators: str = "") -> dict[str, Any]:
        return self._get("/bars", instrument=instrument, timeframe=timeframe, limit=limit, indicators=indicators)

    def strategies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/strategies")["strategies"]
        return found

    def backtest(self, strategy: str, parameters: Mapping[str, float], **more: object) -> dict[str, Any]:
        """more: instrument, timeframe, bars, cash, fee, slippage"""
        return self._answer("POST", "/backtests", json={"strategy": strategy, "parameters": dict(parameters), **more})

    def _get(self, path: str, **query: object) -> dict[str, Any]:
        return self._answer("GET", path, params={name: str(value) for name, value in query.items()})

    def _answer(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **sent)
        except httpx.TimeoutException:
            raise Unavailable("The trading assistant took too long to answer.", hint="Try again.") from None
        except httpx.HTTPError:
            raise Unavailable("The trading assistant does not answer.", hint="Is it still running?") from None
        if answer.is_success:
            document: dict[str, Any] = answer.json()
            return document
        if answer.status_code == 401:
            raise Unavailable("This page's session has ended.", hint="Sign in again and reload the page.")
        raise refusal(answer)


def refusal(answer: httpx.Response) -> AppError:
    """The problem document of an answer as the error it stands for."""
    try:
        problem = answer.json()
        error = AppError(str(problem["detail"]))
        error.details["code"] = problem.get("code")
    except (ValueError, KeyError, TypeError):
        error = AppError(f"The trading assistant answered with an error ({answer.status_code}).")
    return error
