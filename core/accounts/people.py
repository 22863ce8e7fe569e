"""People as values: users, their roles, and how they reach us."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.errors import Forbidden, InvalidInput

OWNER_ID = "owner"


class Role(StrEnum):
    """What a person may do; each role may do what the ones before it may."""

    VIEWER = "viewer"
    TRADER = "trader"
    MODERATOR = "moderator"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        return self.rank >= needed.rank

    @staticmethod
    def named(text: str) -> "Role":
        """The role a person means. Raises InvalidInput."""
        try:
            return Role(text.strip().lower())
        except ValueError:
            raise InvalidInput(
                f"'{text}' is not a role.", hint=f"The roles are {', '.join(Role)}.", role=text
            ) from None


@dataclass(frozen=True, slots=True)
class User:
    """A person. The trading account has the same id."""

    id: str
    name: str
    role: Role
    active: bool = True

    def require(self, needed: Role) -> None:
        """Raises Forbidden unless this person is active and has the role."""
        if not self.active or not self.role.covers(needed):
            raise Forbidden(
                f"This needs the role {needed}, and yours is {self.role if self.active else 'switched off'}.",
                hint="The owner can change it.",
                needed=needed.value,
                role=self.role.value,
            )


@dataclass(frozen=True, slots=True)
class Identity:
    """How a person reaches us: an id on a surface."""

    surface: str
    external_id: str
    user: str  # User.id
    name: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A user with all identities."""

    user: User
    identities: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who wrote to us and is not allowed."""

    surface: str
    external_id: str
    name: str
    first_seen: datetime
    last_seen: datetime
    messages: int
