"""Errors on the wire: problem+json (RFC 9457) with the sentence that the user would read in the chat."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from core import errors
from dashboards.gateway.models import Problem

STATUS: tuple[tuple[type[errors.AppError], int], ...] = (
    (errors.NotFound, 404),
    (errors.InvalidInput, 422),
    (errors.Conflict, 409),
    (errors.Forbidden, 403),
    (errors.RiskRefused, 409),
    (errors.Unavailable, 503),
    (errors.ExchangeError, 502),
)


MEANINGS = {
    401: "Nobody is signed in.",
    403: "Another site asked, or this person may not.",
    404: "What was named does not exist.",
    409: "It cannot be done as things stand.",
    413: "The request is too large.",
    421: "The gateway is not known under the name it was asked by.",
    422: "Something in the request is not acceptable; the sentence names it.",
    500: "Something unexpected went wrong; the log says more.",
    502: "The exchange refused.",
    503: "Something that is needed does not answer now.",
}
EVERYWHERE = (401, 403, 421, 500)


def answers(*more: int, closed: bool = True) -> dict[int | str, dict[str, Any]]:
    """The problem documents that a route may answer with. closed: it needs a session."""
    schema = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    found = sorted({*(EVERYWHERE if closed else (421, 500)), *more})
    return {status: {"description": MEANINGS[status], "content": schema} for status in found}


def problem(status: int, title: str, detail: str, code: str = "error", **more: object) -> JSONResponse:
    """A problem document."""
    content = {"type": f"urn:orchestrator:{code}", "title": title, "status": status, "detail": detail, "code": code}
    return JSONResponse(content | more, status_code=status, media_type="application/problem+json")


def page(html: str, status: int = 200) -> Response:
    """A whole page."""
    return HTMLResponse(html, status_code=status)


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""

    @app.exception_handler(errors.AppError)
    async def refused(request: Request, error: errors.AppError) -> Response:
        status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
        return problem(status, type(error).__name__, error.sentence(), error.code)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return problem(422, "InvalidInput", f"{place}: {first['msg']}.", "invalid_input")

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        """The outermost frame: the server logs the error, and its reader learns nothing of our inside."""
        return problem(500, "Unexpected", "Something unexpected went wrong here; the log says more.", "unexpected")

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), str(error.detail), "http")
