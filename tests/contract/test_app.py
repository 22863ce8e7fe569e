"""The whole product on the embedded defaults and on PostgreSQL with Valkey: the same conversation, the same figures."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.app import build
from core.cache import RedisCache
from core.settings import Gateway, Market, Settings


@pytest.mark.parametrize("kind", ["embedded", "servers"])
async def test_a_purchase_is_kept_over_a_restart(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = Settings(data_dir=tmp_path, market=Market(source="sandbox"), gateway=Gateway(port=0))
    if kind == "servers":
        urls = {name: SecretStr(request.getfixturevalue(name)) for name in ("postgresql_url", "valkey_url")}
        settings = settings.model_copy(update={"database_url": urls["postgresql_url"], "redis_url": urls["valkey_url"]})
        shared = RedisCache(urls["valkey_url"].get_secret_value())
        await shared.ping()
        await shared.close()
    holdings = []
    for lines in (("buy 0.01 btc", "yes"), ()):
        app = build(settings, roles=["trader", "scheduler"])
        await app.start()
        try:
            caller = await app.conversation.caller("console", "me", "me")
            for line in lines:
                await app.conversation.answer(line, caller)
            account = await app.services.desk.portfolio("owner")
            holdings.append({asset: total for asset, total, *_ in account.balances})
        finally:
            await app.stop()
    assert str(holdings[0]["BTC"]) == "0.01"
    assert holdings[1] == holdings[0]
