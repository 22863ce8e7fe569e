"""What is kept is for its user alone, and no log line at any level holds a secret."""

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

from tests.simulators.telegram import TelegramServer

PLANTED = {
    "SMTP__PASSWORD": "planted-smtp", "DISCORD__TOKEN": "planted-discord", "VAULT_KEY": "planted-vault",
    "SECRET_KEY": "planted-key", "EXCHANGES__KRAKEN__API_KEY": "planted-api",
    "EXCHANGES__KRAKEN__SECRET": "planted-sec", "TELEGRAM__WEBHOOK_SECRET": "planted-hook",
}  # fmt: skip


async def test_no_secret_is_logged_at_debug_level_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with TelegramServer() as telegram:
        given = PLANTED | {
            "DATA_DIR": str(folder), "GATEWAY__PORT": "0", "MARKET__SOURCE": "sandbox", "LOG__LEVEL": "debug",
            "TELEGRAM__TOKEN": telegram.token, "TELEGRAM__API_URL": telegram.url,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from core.cli import main; main()", "run", "--json",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {f"ORCHESTRATOR_{name}": value for name, value in given.items()},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            facts = json.loads(await asyncio.wait_for(process.stdout.readline(), 120))
            ann = telegram.person(10)
            await ann.send(f"/start {facts['owner_code']}")
            await ann.expect("You are the owner", seconds=60)
            await telegram.down()
            await telegram.up()
            await ann.send("price btc")
            await ann.expect("BTC/USDT", seconds=60)
            modes = {str(path.relative_to(folder)): (path.is_dir(), mode(path)) for path in folder.rglob("*")}
            process.send_signal(signal.SIGINT)
            _, logs = await asyncio.wait_for(process.communicate(), 120)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    told = logs.decode()
    assert process.returncode == 0, told
    assert '"event": "started"' in told
    login = facts["login"].partition("token=")[2]
    for secret in (telegram.token, telegram.token.partition(":")[2], facts["owner_code"], login, *PLANTED.values()):
        assert secret not in told
    assert mode(folder) == 0o700
    assert "orchestrator.db" in modes
    assert {name: bits for name, (is_dir, bits) in modes.items() if bits != (0o700 if is_dir else 0o600)} == {}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
