"""The second factor: a code of the moment, asked for before live accounts may do more."""

from core.commands.context import Context
from core.errors import InvalidInput


async def demand_code(ctx: Context, code: str, why: str, line: str) -> None:
    """Raises InvalidInput without a code, Forbidden for a wrong one; whoever has set up no second factor needs none.

    why: what needs it, a sentence; line: what to write instead, up to the code
    """
    if not await ctx.services.users.has_totp(ctx.user):
        return
    if not code:
        raise InvalidInput(why, hint=f"Write {line} code=…")
    await ctx.services.desk.arming.prove(ctx.user.id, code)
