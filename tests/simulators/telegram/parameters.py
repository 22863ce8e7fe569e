"""Parameters: those of a call, read and held against the limits of the service."""

import itertools
import json
from typing import Any
from urllib.parse import urlsplit

from tests.simulators.telegram.markup import parse_html, units
from tests.simulators.telegram.refusal import Refused


def parsed(value: Any, default: Any) -> Any:
    """A parameter that is JSON inside a form."""
    return default if value in (None, "") else json.loads(value) if isinstance(value, str) else value


def text_of(values: dict[str, Any], name: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
    source, mode = values.get(name, ""), values.get("parse_mode", "")
    text, entities = parse_html(source) if mode.lower() == "html" else (source, [])
    text = text.strip()
    if units(text) > limit:
        raise Refused(400, f"Bad Request: message{' caption' if name == 'caption' else ''} is too long")
    return text, entities


def keyboard_of(values: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """ "callback_data: Data to be sent in a callback query to the bot when the button is pressed, 1-64 bytes" """
    rows: list[list[dict[str, Any]]] = parsed(values.get("reply_markup"), {}).get("inline_keyboard", [])
    for button in itertools.chain(*rows):
        if not button.get("text"):
            raise Refused(400, "Bad Request: text buttons are unallowed in the inline keyboard")
        if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        if "url" in button and urlsplit(button["url"]).hostname in ("localhost", None):
            raise Refused(400, f"Bad Request: inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
    return rows
