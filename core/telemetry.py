"""Logs: structured lines on stderr, from our own code and from libraries, with every secret taken out."""

import logging
import re
import sys
from collections.abc import MutableMapping, Sequence
from typing import Any, Literal, TextIO

import structlog

HIDDEN = "***"
KEYS = re.compile(r"(token|secret|password|passphrase|passwd|api_?key|authorization|cookie|otp)", re.IGNORECASE)
# Secrets that are known by their shape: a Telegram bot token, a password inside an address, a bearer token.
SHAPES = (
    (re.compile(r"(?<!\d)\d{6,}:[A-Za-z0-9_-]{30,}"), HIDDEN),
    (re.compile(r"(\w+://[^:/@\s]*:)[^@/\s]+@"), rf"\g<1>{HIDDEN}@"),
    (re.compile(r"(?i)(bearer\s+|[?&](?:token|signature|secret)=)[^\s&\"']+"), rf"\g<1>{HIDDEN}"),
)
NOISY = (
    "httpx", "httpcore", "apscheduler", "asyncio", "matplotlib", "ccxt", "websockets", "alembic", "uvicorn",
    "aiosqlite", "filelock", "numba", "voila",
)  # fmt: skip


class Redaction:
    """A structlog processor that hides known secret values, and the values under keys that name secrets."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= 4]

    def __call__(self, _logger: Any, _name: str, entry: dict[str, Any]) -> dict[str, Any]:
        return {key: HIDDEN if KEYS.search(key) and value else self.clean(value) for key, value in entry.items()}

    def clean(self, value: Any) -> Any:
        """The value without secrets, however deep they lie."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self(None, "", value)
        if isinstance(value, list | tuple):
            return [self.clean(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        cleaned = self.text(text)
        return value if cleaned == text else cleaned

    def text(self, text: str) -> str:
        """The text with each secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for shape, replacement in SHAPES:
            text = shape.sub(replacement, text)
        return text


def named_only(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names the exception of an entry in place of its traceback; asyncio's own entries keep their first line."""
    failed = event.pop("exc_info", None)
    if failed:
        failed = failed if isinstance(failed, BaseException) else (failed if failed is not True else sys.exc_info())[1]
        event["reason"] = f"{type(failed).__name__}: {failed}".splitlines()[0]
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _unraisable(ignored: Any) -> None:
    """What a connection or generator could not say any more when the loop was gone concerns nobody at the terminal."""
    structlog.get_logger("exit").debug("ignored at the end", reason=type(ignored.exc_value).__name__)


def configure(
    level: str = "info", style: Literal["auto", "json", "console"] = "auto", secrets: Sequence[str] = (),
    stream: TextIO | None = None, *, tracebacks: bool = True,
) -> None:  # fmt: skip
    """Sets up logging for this process: one line per entry on stderr; `auto` is console on a terminal, else JSON.

    tracebacks: False where people read along: what failed is named in the line, and where is left out
    """
    stream = stream or sys.stderr
    console = style == "console" or (style == "auto" and stream.isatty())
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # Tracebacks become text before the redaction, so that a secret in an exception is hidden as well.
    after: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info if tracebacks else named_only,
        Redaction(secrets),
    ]
    renderer: Any = structlog.processors.JSONRenderer(default=str)
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level, *before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )  # fmt: skip
    if not tracebacks:
        sys.unraisablehook = _unraisable
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=[*after, renderer]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
