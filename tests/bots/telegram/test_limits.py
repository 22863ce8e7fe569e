"""Our numbers are Telegram's: as its own texts and the library that follows them state them."""

from telegram import Bot, constants

from bots.telegram.text import CAPTION, ENTITIES, LIMIT


def words(text: str | None) -> str:
    return " ".join((text or "").split())


def test_the_limits_are_those_of_the_bot_api() -> None:
    assert constants.MessageLimit.MAX_TEXT_LENGTH == LIMIT
    assert constants.MessageLimit.CAPTION_LENGTH == CAPTION
    assert constants.MessageLimit.MESSAGE_ENTITIES > ENTITIES
    assert constants.InlineKeyboardButtonLimit.MAX_CALLBACK_DATA == 64
    assert constants.CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH == 200
    assert constants.BotCommandLimit.MAX_COMMAND == 32
    assert constants.BotCommandLimit.MAX_DESCRIPTION == 256
    assert constants.BotCommandLimit.MAX_COMMAND_NUMBER == 100


def test_what_the_simulator_quotes_is_what_the_library_documents() -> None:
    offset = "Must be greater by one than the highest among the identifiers of previously received updates."
    assert offset in words(Bot.get_updates.__doc__)
    assert "after entities parsing" in words(Bot.send_message.__doc__)
    assert "The photo must be at most 10MB in size." in words(Bot.send_photo.__doc__).replace(" MB", "MB")
