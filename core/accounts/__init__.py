"""Accounts: who may use the assistant, and as what."""

from core.accounts.people import Identity, Person, Role, Stranger, User
from core.accounts.service import UserService
from core.accounts.store import AccountStore

__all__ = ["AccountStore", "Identity", "Person", "Role", "Stranger", "User", "UserService"]
