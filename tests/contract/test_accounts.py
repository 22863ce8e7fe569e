"""People on every store: one owner, single-use links, nobody else."""

import asyncio
from datetime import UTC, datetime

import pytest

from core.accounts import Role, User, UserService
from core.accounts.codes import looks_like_code
from core.cache import MemoryCache
from core.clock import SimulatedClock
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.store.accounts import SqlAccounts
from core.store.schema import accounts as schema
from core.store.sql import Store


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2024, 5, 1, tzinfo=UTC))


@pytest.fixture
async def users(store: Store, clock: SimulatedClock) -> UserService:
    service = UserService(SqlAccounts(store), clock, MemoryCache(now=lambda: clock.now().timestamp()))
    await service.prepare()
    return service


async def test_the_first_to_use_the_code_becomes_the_owner_and_nobody_after(users: UserService) -> None:
    code = await users.owner_code()
    assert code is not None
    assert looks_like_code(code)
    owner = await users.claim(code.lower().replace("-", " "), "telegram", "7", "Ann")
    assert (owner.role, owner.name) == (Role.OWNER, "Ann")
    assert await users.by_identity("telegram", "7") == owner
    assert await users.owner_code() is None
    with pytest.raises(Forbidden, match="not right, or it has been used"):
        await users.claim(code, "telegram", "8", "Bob")


async def test_of_two_who_use_the_code_at_once_exactly_one_wins(users: UserService) -> None:
    code = await users.owner_code()
    assert code is not None
    tries = [users.claim(code, "telegram", str(number), f"P{number}") for number in range(6)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, Forbidden) for result in results) == 5
    assert len(await users.identities("owner")) == 1


async def test_guessing_is_throttled_per_person(users: UserService, clock: SimulatedClock) -> None:
    code = await users.owner_code()
    assert code is not None
    for _ in range(5):
        with pytest.raises(Forbidden, match="not right"):
            await users.claim("AAAA-AAAA-AAAA", "telegram", "8", "Bob")
    with pytest.raises(Forbidden, match="Too many guesses"):
        await users.claim(code, "telegram", "8", "Bob")
    await clock.advance(901)
    assert (await users.claim(code, "telegram", "8", "Bob")).role is Role.OWNER


async def test_codes_links_and_sessions_are_not_in_the_database(users: UserService, store: Store) -> None:
    code, link = await users.owner_code(), await users.login_link()
    session = await users.open_session(await users.owner())
    async with store.reading() as unit:
        kept = str([await unit.rows(table.select()) for table in (schema.tokens, schema.sessions)])
    assert code is not None
    assert not [secret for secret in (code, code.replace("-", ""), link, session) if secret in kept]


async def test_admins_of_the_settings_are_the_owner_from_the_start(store: Store, clock: SimulatedClock) -> None:
    users = UserService(SqlAccounts(store), clock, MemoryCache(), {"telegram": ["42"]})
    await users.prepare()
    await users.prepare()
    found = await users.by_identity("telegram", "42")
    assert found is not None
    assert found.role is Role.OWNER
    assert await users.owner_code() is None
    with pytest.raises(Conflict, match="allowed by the settings"):
        await users.revoke(found, "telegram", "42")


async def test_allowing_and_revoking_a_person(users: UserService) -> None:
    owner = await users.owner()
    await users.stranger("telegram", "9", "Cid")
    assert [(one.external_id, one.name) for one in await users.strangers()] == [("9", "Cid")]
    cid = await users.allow(owner, "telegram", "9", "trader", "Cid")
    assert await users.strangers() == []
    session = await users.open_session(cid)
    assert await users.session(session) == cid
    await users.revoke(owner, "telegram", "9")
    assert await users.by_identity("telegram", "9") is None
    assert await users.session(session) is None
    with pytest.raises(NotFound):
        await users.revoke(owner, "telegram", "9")


async def test_nobody_gives_away_more_than_they_have(users: UserService) -> None:
    owner = await users.owner()
    admin = await users.allow(owner, "telegram", "1", Role.ADMIN, "Ada")
    trader = await users.allow(admin, "telegram", "2", Role.TRADER, "Tim")
    for role in (Role.ADMIN, Role.OWNER):
        with pytest.raises(Forbidden):
            await users.allow(admin, "telegram", "3", role)
    with pytest.raises(Forbidden):
        await users.allow(trader, "telegram", "3", Role.VIEWER)
    other = await users.allow(owner, "telegram", "4", Role.ADMIN, "Abe")
    with pytest.raises(Forbidden, match="cannot change a person"):
        await users.revoke(admin, "telegram", "4")
    assert other.role is Role.ADMIN
    with pytest.raises(InvalidInput, match="not a role"):
        await users.allow(owner, "telegram", "5", "king")


async def test_a_login_link_works_once_and_for_a_short_time(users: UserService, clock: SimulatedClock) -> None:
    link = await users.login_link()
    results = await asyncio.gather(*(users.redeem_login(link) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, User) for result in results) == 1
    late = await users.login_link()
    await clock.advance(16 * 60)
    with pytest.raises(Forbidden, match="used or has expired"):
        await users.redeem_login(late)


async def test_a_session_ends_by_its_time_or_when_closed(users: UserService, clock: SimulatedClock) -> None:
    owner = await users.owner()
    first, second = await users.open_session(owner), await users.open_session(owner, days=1)
    await users.close_session(first)
    assert await users.session(first) is None
    assert await users.session(second) == owner
    await clock.advance(86_401)
    assert await users.session(second) is None
    assert await users.clean() == 1


async def test_a_stranger_is_answered_a_few_times_an_hour(users: UserService, clock: SimulatedClock) -> None:
    assert [await users.stranger("telegram", "9", "Cid") for _ in range(5)] == [True, True, True, False, False]
    await clock.advance(3601)
    assert await users.stranger("telegram", "9", "Cid")


async def test_a_totp_code_works_once(users: UserService, clock: SimulatedClock) -> None:
    import pyotp

    owner = await users.owner()
    assert not await users.check_totp(owner, "123456")
    factor = pyotp.parse_uri(await users.enrol_totp(owner))
    code = factor.at(clock.now())  # type: ignore[union-attr]
    assert await users.check_totp(owner, code)
    assert not await users.check_totp(owner, code)


async def test_the_local_console_is_the_owner(users: UserService) -> None:
    assert await users.by_identity("console", "root") == await users.owner()


async def test_people_without_a_chat_are_created_by_name(users: UserService) -> None:
    dora = await users.create("Dora", "viewer")
    assert await users.find("dora") == dora
    assert (await users.set_role("Dora", "trader")).role is Role.TRADER
    with pytest.raises(Conflict):
        await users.create("dora", "viewer")
    with pytest.raises(Conflict):
        await users.set_role("owner", "viewer")
