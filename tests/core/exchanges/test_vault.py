import traceback

from pydantic import SecretStr

from core.exchanges.vault import ExchangeSecrets, MemoryVault, SettingsVault
from core.settings import ExchangeKeys, Settings

KEYS = ExchangeSecrets("an-api-key", "a-secret", "a-passphrase")


def test_secrets_never_show() -> None:
    shown = f"{KEYS} {KEYS!r} {[KEYS]} {(KEYS,)!s}"
    try:
        raise ValueError(KEYS)
    except ValueError:
        shown += traceback.format_exc()
    for secret in ("an-api-key", "a-secret", "a-passphrase"):
        assert secret not in shown


async def test_keys_in_memory_belong_to_a_user_and_a_venue() -> None:
    vault = MemoryVault({("anna", "Binance"): KEYS})
    vault.put("bert", "kraken", KEYS)
    assert await vault.keys("anna", "BINANCE") == KEYS
    assert await vault.keys("bert", "binance") is None
    assert await vault.venues("anna") == ["binance"]
    vault.drop("bert", "Kraken")
    assert await vault.venues("bert") == []


async def test_keys_in_the_settings_belong_to_the_owner_alone() -> None:
    settings = Settings(
        exchanges={
            "kucoin": ExchangeKeys(api_key=SecretStr("k"), secret=SecretStr("s"), passphrase=SecretStr("p")),
            "binance": ExchangeKeys(endpoint_base="http://127.0.0.1:1"),
            "kraken": ExchangeKeys(api_key=SecretStr("k")),
        }
    )
    vault = SettingsVault(settings, "owner")
    assert await vault.keys("owner", "KuCoin") == ExchangeSecrets("k", "s", "p")
    assert await vault.keys("owner", "binance") is None
    assert await vault.keys("owner", "kraken") is None
    assert await vault.keys("somebody", "kucoin") is None
    assert await vault.venues("owner") == ["kucoin"]
    assert await vault.venues("somebody") == []
