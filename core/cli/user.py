"""`orchestrator user …`: people, their roles, login links and second factors, on this machine."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli import emit

if TYPE_CHECKING:
    from core.accounts import User, UserService

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Create people and set their roles.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str, typer.Argument(help="Name or id of the person.")]


@app.command("list")
def list_people(as_json: Json = False) -> None:
    """List everybody who was ever allowed."""

    async def work(users: "UserService") -> Any:
        return [
            {
                **_shown(person.user),
                "identities": [f"{identity.surface}:{identity.external_id}" for identity in person.identities],
            }
            for person in await users.people()
        ]

    people = _with_users(work)
    if as_json:
        emit(people)
        return
    for person in people:
        reached = ", ".join(person["identities"]) or "no chat account"
        active = "" if person["active"] else ", switched off"
        typer.echo(f"{person['name']:<20} {person['role']:<10} {person['id']:<12} {reached}{active}")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the person is called.")],
    role: Annotated[str, typer.Option(help="viewer, trader, moderator or admin.")] = "viewer",
    as_json: Json = False,
) -> None:
    """Create a person, who gets in by a login link or once a chat account is allowed."""
    _tell(_with_users(lambda users: users.create(name, role)), as_json, "Created")


@app.command("role")
def set_role(name: Name, role: Annotated[str, typer.Argument(help="The new role.")], as_json: Json = False) -> None:
    """Change a person's role."""
    _tell(_with_users(lambda users: users.set_role(name, role)), as_json, "Changed")


@app.command("totp")
def totp(name: Name, as_json: Json = False) -> None:
    """Give a person a new second factor: an address for an authenticator app, shown once."""

    async def work(users: "UserService") -> str:
        return await users.enrol_totp(await users.find(name))

    address = _with_users(work)
    if as_json:
        emit({"otpauth": address})
    else:
        typer.echo(address)
        typer.echo("Enter it in an authenticator app now; it is not shown again.", err=True)


@app.command("login")
def login(name: Name = "owner", as_json: Json = False) -> None:
    """Make a login link for the web app of the running instance; it works once, for a quarter of an hour."""
    from core import settings
    from core.app.instance import running
    from core.errors import Unavailable

    async def work(users: "UserService") -> str:
        return await users.login_link(await users.find(name))

    card = running(settings.load().data_dir)
    if card is None or not card.url:
        raise Unavailable("No instance with a web app runs here.", hint="Start one with `orchestrator run`.")
    link = f"{card.public_url}/login?token={_with_users(work)}"
    emit({"login": link}) if as_json else typer.echo(link)


def _with_users(work: "Callable[[UserService], Awaitable[Any]]") -> Any:
    async def run() -> Any:
        from core import settings, telemetry
        from core.accounts import UserService
        from core.cache import MemoryCache
        from core.clock import SystemClock
        from core.store.accounts import SqlAccounts
        from core.store.sql import Store

        given = settings.load()
        telemetry.configure("warning", given.log.format, given.secrets())
        store, clock = Store(given.database), SystemClock()
        await store.open()
        try:
            users = UserService(SqlAccounts(store), clock, MemoryCache())
            await users.owner()
            return await work(users)
        finally:
            await store.close()

    return asyncio.run(run())


def _shown(user: "User") -> dict[str, Any]:
    return {"id": user.id, "name": user.name, "role": user.role.value, "active": user.active}


def _tell(user: "User", as_json: bool, what: str) -> None:
    if as_json:
        emit(_shown(user))
    else:
        typer.echo(f"{what}: {user.name}, {user.role.value} (id {user.id}).")
