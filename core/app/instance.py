"""One instance per data folder: a lock the system releases even at kill -9, and a file by which others find it."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import Conflict, Unavailable

LOCK, CARD = "instance.lock", "instance.json"


@dataclass(frozen=True, slots=True)
class Card:
    """What lets `orchestrator chat` and notebooks of this machine join.

    url: the address on this machine; token: grants the owner's rights; public_url: the address people use
    """

    pid: int
    url: str
    token: str
    public_url: str


class Instance:
    """Holds the data folder for this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Not at once: `running` holds the lock for a moment to see whether anybody does.
        self._lock = FileLock(folder / LOCK, timeout=0.5, poll_interval=0.02, thread_local=False)
        self.token = secrets.token_urlsafe(32)

    def take(self) -> None:
        """Takes the folder. Raises Conflict when another process has it, Unavailable when it cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.acquire()
        except Timeout:
            raise Conflict(self._running(), hint="`orchestrator chat` joins it.") from None
        except OSError as failed:
            raise Unavailable(
                f"The data folder {self._folder} cannot be written: {failed.strerror}.",
                hint="Give it to this user, or set ORCHESTRATOR_DATA_DIR to another one.",
            ) from failed
        (self._folder / CARD).unlink(missing_ok=True)  # left by a process that was killed

    def announce(self, url: str, public_url: str) -> None:
        """Writes the card, readable by this user only. Both addresses are empty without a gateway."""
        path = self._folder / CARD
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(Card(os.getpid(), url, self.token, public_url)), file)
        new.replace(path)

    def beat(self) -> None:
        """Marks the card as fresh."""
        path = self._folder / CARD
        if path.exists():
            path.touch()

    def release(self) -> None:
        """Takes the card away and gives the folder back."""
        if self._lock.is_locked:
            (self._folder / CARD).unlink(missing_ok=True)
            self._lock.release()

    def _running(self) -> str:
        card = running(self._folder)
        where = f" at {card.url}" if card and card.url else ""
        who = f" (process {card.pid})" if card else ""
        return f"The assistant is already running{where}{who}, with the data folder {self._folder}."


def running(folder: Path) -> Card | None:
    """The card of the instance that holds this folder; None when none does."""
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    if not (folder / LOCK).exists():
        return None
    try:
        lock.acquire()
    except Timeout:
        return _read(folder / CARD)
    except OSError:
        return None
    lock.release()
    return None


def _read(path: Path) -> Card | None:
    try:
        document = json.loads(path.read_text())
        url = str(document["url"])
        return Card(int(document["pid"]), url, str(document["token"]), str(document.get("public_url") or url))
    except (OSError, ValueError, LookupError):
        return None
