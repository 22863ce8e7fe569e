"""The error tree: every refusal a user may read is an AppError that carries its numbers."""

from typing import ClassVar


class AppError(Exception):
    """A refusal or failure that is explained to the user in one sentence.

    message: the plain sentence, without a trailing traceback or secret
    hint: what the user may do about it, a sentence, or None
    details: the numbers and names behind the sentence, for `--json`, logs and tests
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def sentence(self) -> str:
        """The message and its hint as one line of plain text."""
        return f"{self.message} {self.hint}" if self.hint else self.message


class InvalidInput(AppError):
    """The caller gave a value that cannot be accepted; the sentence names it and what would be."""

    code = "invalid_input"


class BadData(InvalidInput):
    """A file or feed holds impossible values; the sentence names the place and the row."""

    code = "bad_data"


class ConfigError(AppError):
    """A setting is missing, malformed or contradicts another."""

    code = "config"


class NotFound(AppError):
    """The named thing does not exist; the hint suggests what does."""

    code = "not_found"


class Conflict(AppError):
    """The request contradicts the present state (already done, already running, expired)."""

    code = "conflict"


class Forbidden(AppError):
    """The caller may not do this; the hint says who can allow it."""

    code = "forbidden"


class Unavailable(AppError):
    """Something outside this process did not answer or is down; trying later may help."""

    code = "unavailable"


class RiskRefused(AppError):
    """A limit refused an order: `RiskRefused("order notional", allowed=500, asked=812)`."""

    code = "risk_refused"

    def __init__(self, limit: str, *, allowed: object, asked: object, hint: str | None = None) -> None:
        super().__init__(
            f"The {limit} limit allows {allowed}, and this would be {asked}.",
            hint=hint,
            limit=limit,
            allowed=allowed,
            asked=asked,
        )


class ExchangeError(AppError):
    """A venue refused or failed; the sentence says what and what to do."""

    code = "exchange"


class OrderRefused(ExchangeError):
    """The venue (or the paper venue) definitely did not accept the order."""

    code = "order_refused"


class OutcomeUnknown(ExchangeError):
    """Whether the venue accepted the order is not known: it is looked up, never sent again."""

    code = "outcome_unknown"
