"""Refusal: what the service answers instead of a result, in its own words."""


class Refused(Exception):
    """An answer with ok false."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def bad_entities(reason: str) -> Refused:
    return Refused(400, f"Bad Request: can't parse entities: {reason}")


def not_modified() -> Refused:
    return Refused(
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
        "as a current content and reply markup of the message",
    )
