"""Client ids: the name under which an order of ours is known at a venue, made of its own id and nothing else."""

import re
from uuid import NAMESPACE_URL, UUID, uuid5

from core.exchanges.venues import profile_of

HEX = re.compile(r"[0-9a-f]{32}")


def client_id(order_id: str, venue: str) -> str:
    """The id that the venue is given with the order: the same for the same order, for ever and in every process.

    32 hexadecimal digits, which Binance (36 characters), KuCoin (40), Kraken (its short form), Bybit and OKX (32,
    letters and digits only) take; written as a UUID where the venue's profile asks for that.
    """
    plain = order_id.replace("-", "").lower()
    digits = plain if HEX.fullmatch(plain) else uuid5(NAMESPACE_URL, f"order:{order_id}").hex
    return str(UUID(digits)) if profile_of(venue).client_id_form == "uuid" else digits


def canonical(given: str | None) -> str | None:
    """The 32 digits of a client id that may be one of ours, however the venue writes it; None for any other."""
    plain = (given or "").replace("-", "").lower()
    return plain if HEX.fullmatch(plain) else None
