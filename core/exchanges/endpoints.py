"""Addresses of a venue led through another server, as mirrors, proxies and simulators need it."""

from typing import Any
from urllib.parse import urlsplit


def led_through(addresses: Any, base: str, hostname: str | None = None) -> Any:
    """Every address in a nest of ccxt's, `scheme://HOST[:port]/PATH` as `BASE/HOST/PATH`; ws:// for websockets.

    The host stays in the path because ccxt looks into the address to tell streams apart.
    """
    match addresses:
        case dict():
            return {name: led_through(value, base, hostname) for name, value in addresses.items()}
        case list():
            return [led_through(value, base, hostname) for value in addresses]
        case str() if "://" in addresses:
            split = urlsplit(addresses.replace("{hostname}", hostname or "{hostname}"))
            scheme, _, rest = base.rstrip("/").partition("://")
            if split.scheme in ("ws", "wss"):
                scheme = {"https": "wss", "wss": "wss"}.get(scheme, "ws")
            query = f"?{split.query}" if split.query else ""
            return f"{scheme}://{rest}/{split.hostname}{split.path}{query}"
        case _:
            return addresses
