"""UserService: lets people in, remembers who asked, and opens and ends their sessions."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from core.accounts.codes import code_digest, code_matches, new_code, new_token, token_digest
from core.accounts.people import OWNER_ID, Identity, Person, Role, Stranger, User
from core.accounts.store import AccountStore
from core.cache import Cache
from core.clock import Clock
from core.errors import Conflict, Forbidden, InvalidInput, NotFound

GUESSES, GUESS_SECONDS = 5, 900.0
STRANGER_ANSWERS, STRANGER_SECONDS = 3, 3600.0  # a stranger is answered so often, then in silence
LOGIN_MINUTES = 15
SESSION_DAYS = 30
LOCAL = "console"  # who can read DATA_DIR on this machine is the owner


class UserService:
    """Who may use the assistant. Everybody else is denied."""

    def __init__(
        self, store: AccountStore, clock: Clock, cache: Cache, admins: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._store, self._clock, self._cache = store, clock, cache
        self._admins = admins or {}
        self._code: str | None = None
        self._log = structlog.get_logger("accounts")

    async def prepare(self) -> None:
        """Makes sure that the owner exists and that the ids in ADMINS stand for the owner."""
        if await self._store.user(OWNER_ID) is None:
            await self._store.save_user(User(OWNER_ID, "Owner", Role.OWNER))
        for surface, ids in self._admins.items():
            for external_id in ids:
                user = await self._store.by_identity(surface, external_id)
                if user is None or user.id != OWNER_ID:
                    await self._store.bind(Identity(surface, external_id, OWNER_ID, "owner (ADMINS)"))

    # -- who is it -------------------------------------------------------------------------------------------------

    async def owner(self) -> User:
        """The owner. Exists from the first start, whether or not a chat has been tied to it yet."""
        owner = await self._store.user(OWNER_ID)
        if owner is None:
            await self.prepare()
            return await self.owner()
        return owner

    async def user(self, user_id: str) -> User | None:
        """The person with this id."""
        return await self._store.user(user_id)

    async def by_identity(self, surface: str, external_id: str) -> User | None:
        """The person behind an id on a surface, if allowed. The local console is the owner."""
        if surface == LOCAL:
            return await self.owner()
        user = await self._store.by_identity(surface, external_id)
        return user if user is not None and user.active else None

    async def identities(self, user_id: str) -> Sequence[Identity]:
        """How a person is reached."""
        return await self._store.identities(user_id)

    async def people(self) -> list[Person]:
        """Everybody who was ever allowed, the owner first."""
        return sorted(await self._store.people(), key=lambda person: (-person.user.role.rank, person.user.name))

    # -- the owner code ----------------------------------------------------------------------------------------------

    async def claimed(self) -> bool:
        """Whether some chat account stands for the owner already."""
        return bool(await self._store.identities(OWNER_ID))

    async def owner_code(self) -> str | None:
        """The one-time code whose first user becomes the owner; None once claimed. Each start makes a new one."""
        await self.owner()
        if await self.claimed():
            return None
        if self._code is None:
            code = new_code()
            digest = await asyncio.to_thread(code_digest, code)
            await self._store.put_token("owner", digest, OWNER_ID, None)
            self._code = code
        return self._code

    async def claim(self, code: str, surface: str, external_id: str, name: str) -> User:
        """Makes this person the owner. Raises Forbidden for a wrong or used code, or after too many guesses."""
        if await self._cache.count(f"claim:{surface}:{external_id}", GUESS_SECONDS) > GUESSES:
            raise Forbidden("Too many guesses.", hint="Try again in a quarter of an hour.")
        for digest in await self._store.tokens("owner"):
            if not await asyncio.to_thread(code_matches, code, digest):
                continue
            identity = Identity(surface, external_id, OWNER_ID, name)
            if await self._store.claim(digest, identity, self._clock.now()):
                self._code = None
                owner = await self.owner()
                if owner.name == "Owner" and name:
                    owner = replace(owner, name=name)
                    await self._store.save_user(owner)
                self._log.info("owner claimed", surface=surface, external_id=external_id)
                return owner
        self._log.warning("wrong owner code", surface=surface, external_id=external_id)
        raise Forbidden("This code is not right, or it has been used.", hint="`orchestrator run` prints the valid one.")

    # -- letting people in ---------------------------------------------------------------------------------------------

    async def allow(self, by: User, surface: str, external_id: str, role: Role | str, name: str = "") -> User:
        """Lets a person in, or changes the role of one. Role owner ties the id to the owner. Raises Forbidden."""
        role = Role.named(role)
        by.require(Role.ADMIN)
        if by.role is not Role.OWNER and role.covers(by.role):
            raise Forbidden(f"As {by.role} you can allow others up to a role below yours, not as {role}.")
        external_id = external_id.strip()
        if not external_id:
            raise InvalidInput("The id of the person is empty.")
        if role is Role.OWNER:
            await self._store.bind(Identity(surface, external_id, OWNER_ID, name))
            return await self.owner()
        known = await self._store.by_identity(surface, external_id)
        if known is not None and known.id != OWNER_ID:
            self._outranks(by, known)
            user = replace(known, role=role, active=True, name=name or known.name)
        else:
            if known is not None and by.role is not Role.OWNER:
                raise Forbidden("Only the owner can change the owner's own accounts.")
            user = User(f"u{secrets.token_hex(5)}", name or f"{surface} {external_id}", role)
        await self._store.save_user(user)
        await self._store.bind(Identity(surface, external_id, user.id, name))
        self._log.info("allowed", surface=surface, external_id=external_id, role=role.value, by=by.id)
        return user

    async def revoke(self, by: User, surface: str, external_id: str) -> User:
        """Shuts an id out and ends the person's sessions. Raises Forbidden, NotFound or Conflict."""
        by.require(Role.ADMIN)
        known = await self._store.by_identity(surface, external_id)
        if known is None:
            raise NotFound(f"Nobody with the {surface} id {external_id} is allowed.", hint="`people` lists who is.")
        if known.id == OWNER_ID and by.role is not Role.OWNER:
            raise Forbidden("Only the owner can change the owner's own accounts.")
        if external_id in self._admins.get(surface, ()):
            raise Conflict(
                f"The {surface} id {external_id} is allowed by the settings.",
                hint=f"Take it out of ORCHESTRATOR_{surface.upper()}__ADMINS and start again.",
            )
        self._outranks(by, known)
        await self._store.unbind(surface, external_id)
        if known.id != OWNER_ID and not await self._store.identities(known.id):
            known = replace(known, active=False)
            await self._store.save_user(known)
        self._log.info("revoked", surface=surface, external_id=external_id, by=by.id)
        return known

    async def create(self, name: str, role: Role | str) -> User:
        """A person without an identity yet (who logs in to the web app by a link). Raises InvalidInput."""
        role, name = Role.named(role), name.strip()
        if not name:
            raise InvalidInput("The name is empty.")
        if role is Role.OWNER:
            raise InvalidInput("There is one owner.", hint="Choose admin, moderator, trader or viewer.")
        if any(person.user.name.casefold() == name.casefold() for person in await self._store.people()):
            raise Conflict(f"There is a person named {name} already.")
        user = User(f"u{secrets.token_hex(5)}", name, role)
        await self._store.save_user(user)
        return user

    async def find(self, who: str) -> User:
        """The person with this id or name. Raises NotFound."""
        people = await self.people()
        for person in people:
            if who.casefold() in (person.user.id.casefold(), person.user.name.casefold()):
                return person.user
        names = ", ".join(person.user.name for person in people)
        raise NotFound(f"There is nobody named {who}.", hint=f"There are: {names}.")

    async def set_role(self, who: str, role: Role | str) -> User:
        """Changes a person's role. Raises NotFound, InvalidInput or Conflict."""
        role, user = Role.named(role), await self.find(who)
        if user.id == OWNER_ID or role is Role.OWNER:
            raise Conflict("The owner's role cannot be changed or given away.")
        user = replace(user, role=role, active=True)
        await self._store.save_user(user)
        return user

    # -- strangers -----------------------------------------------------------------------------------------------------

    async def stranger(self, surface: str, external_id: str, name: str) -> bool:
        """Records that somebody unknown wrote; True when they should be answered (a few times an hour)."""
        seen = await self._cache.count(f"stranger:{surface}:{external_id}", STRANGER_SECONDS)
        if seen > STRANGER_ANSWERS:
            return False
        await self._store.record_stranger(surface, external_id, name[:100], self._clock.now())
        return True

    async def strangers(self) -> Sequence[Stranger]:
        """Who asked and is not allowed, the latest first."""
        return await self._store.strangers()

    # -- the web ---------------------------------------------------------------------------------------------------

    async def login_link(self, user: User | None = None, minutes: int = LOGIN_MINUTES) -> str:
        """A single-use token for `/login?token=…`, for the owner by default."""
        user = user or await self.owner()
        token = new_token()
        expires = self._clock.now() + timedelta(minutes=minutes)
        await self._store.put_token("login", token_digest(token), user.id, expires)
        return token

    async def redeem_login(self, token: str) -> User:
        """The person the link was made for; it works once. Raises Forbidden."""
        user_id = await self._store.take_token("login", token_digest(token), self._clock.now())
        user = await self._store.user(user_id) if user_id else None
        if user is None or not user.active:
            raise Forbidden("This login link has been used or has expired.", hint="Ask for a new one with `login`.")
        return user

    async def open_session(self, user: User, label: str = "", days: int = SESSION_DAYS) -> str:
        """A token for a cookie that stands for the person until it expires or is closed."""
        token = new_token()
        expires = self._clock.now() + timedelta(days=days)
        await self._store.add_session(token_digest(token), user.id, expires, label[:200])
        return token

    async def session(self, token: str) -> User | None:
        """The person behind a session token; None when it has ended or the person is not allowed any more."""
        user = await self._store.session(token_digest(token), self._clock.now())
        return user if user is not None and user.active else None

    async def close_session(self, token: str) -> None:
        """Ends the session."""
        await self._store.drop_session(token_digest(token))

    async def clean(self) -> int:
        """Removes expired links and sessions; how many."""
        return await self._store.clean(self._clock.now())

    # -- the second factor -----------------------------------------------------------------------------------------

    async def enrol_totp(self, user: User) -> str:
        """Gives the person a new second factor: the otpauth:// address to scan."""
        import pyotp

        secret = pyotp.random_base32()
        await self._store.set_totp(user.id, secret)
        return str(pyotp.TOTP(secret).provisioning_uri(name=user.name, issuer_name="CryptoOrchestrator"))

    async def has_totp(self, user: User) -> bool:
        """Whether the person has set up a second factor."""
        return await self._store.totp(user.id) is not None

    async def check_totp(self, user: User, code: str) -> bool:
        """Whether the code is the person's present one; each code works once."""
        import pyotp

        secret = await self._store.totp(user.id)
        if secret is None or await self._cache.count(f"totp:{user.id}", GUESS_SECONDS) > GUESSES * 2:
            return False
        factor: Any = pyotp.TOTP(secret)
        if not factor.verify(code.strip(), for_time=self._clock.now(), valid_window=1):
            return False
        return await self._cache.count(f"totp-used:{user.id}:{code.strip()}", 120.0) == 1

    def _outranks(self, by: User, other: User) -> None:
        if by.role is not Role.OWNER and other.role.covers(by.role):
            raise Forbidden(f"As {by.role} you cannot change a person whose role is {other.role}.")
