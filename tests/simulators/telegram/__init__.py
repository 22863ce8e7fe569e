"""A Bot API server on loopback, and people who use it.

Every rule stands beside the sentence of https://core.telegram.org/bots/api that it comes from; the wording of errors is
that of the public server, as bug reports quote it. That python-telegram-bot parses every answer is part of the tests.
"""

from tests.simulators.telegram.markup import parse_html
from tests.simulators.telegram.refusal import Refused
from tests.simulators.telegram.server import TOKEN, TelegramServer

__all__ = ["TOKEN", "Refused", "TelegramServer", "parse_html"]
