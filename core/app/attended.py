"""The conversation of the product: the notifier knows whose line is being answered where."""

from core.commands.context import Caller, Report
from core.commands.conversation import Conversation
from core.reply import Reply


class Attended(Conversation):
    """Answers as the conversation does; what a person does is not told again, as a notice, where they did it."""

    async def answer(self, line: str, caller: Caller, progress: Report | None = None) -> Reply:
        if caller.user is None:
            return await super().answer(line, caller, progress)
        with self._services.notifier.acting(caller.user.id, caller.surface, caller.external_id):
            return await super().answer(line, caller, progress)
