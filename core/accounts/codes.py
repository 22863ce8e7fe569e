"""One-time codes and tokens: random, shown once, kept only as hashes."""

import hashlib
import hmac
import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without what is misread: 0 O 1 I L
LENGTH, GROUP = 12, 4  # 59 bits; with five guesses in a quarter of an hour that is out of reach


def new_code() -> str:
    """A code that a person can type: XXXX-XXXX-XXXX."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(letters[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def code_digest(code: str, salt: str | None = None) -> str:
    """A slow, salted hash of a code as a person types it (case, dashes and spaces do not matter)."""
    salt = salt or secrets.token_hex(16)
    typed = "".join(letter for letter in code.upper() if letter.isalnum())
    digest = hashlib.scrypt(typed.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1)
    return f"{salt}${digest.hex()}"


def code_matches(code: str, digest: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(code_digest(code, digest.partition("$")[0]), digest)


def looks_like_code(text: str) -> bool:
    """Whether a message could be an owner code, so that a surface tries it."""
    typed = "".join(letter for letter in text.strip().upper() if letter not in "- ")
    return len(typed) == LENGTH and all(letter in ALPHABET for letter in typed)


def new_token() -> str:
    """A token for an address or a cookie: 256 bits."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """Its hash; a fast one is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
