"""The composition root: everything comes up in order, goes down in reverse, and one instance holds a folder."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.app import App, Part, build, roles_of
from core.app.instance import Instance, running
from core.errors import ConfigError, Conflict, Unavailable
from core.settings import Gateway, Market, Settings, Telegram


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "a folder", market=Market(source="sandbox"), gateway=Gateway(port=0))


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    app = build(settings, roles=["trader", "scheduler"])
    await app.start()
    yield app
    await app.stop()


async def test_the_product_starts_answers_and_stops_twice(settings: Settings) -> None:
    for _ in range(2):
        app = build(settings, roles=["trader", "scheduler"])
        await app.start()
        caller = await app.conversation.caller("console", "me", "me")
        reply = await app.conversation.answer("price btc", caller)
        assert "SIMULATED" in str(reply)
        await app.stop()
        assert running(settings.data_dir) is None
        assert len(asyncio.all_tasks()) == 1


async def test_a_second_instance_says_where_the_first_one_is(app: App, settings: Settings) -> None:
    second = build(settings, roles=["trader"])
    with pytest.raises(Conflict, match=r"already running \(process \d+\), with the data folder"):
        await second.start()
    await second.stop()
    card = running(settings.data_dir)
    assert card is not None
    assert card.token == app.services.app_info["local_token"]
    assert stat.S_IMODE((settings.data_dir / "instance.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700


async def test_the_lock_of_a_dead_process_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "instance.lock").touch()
    (tmp_path / "instance.json").write_text('{"pid": 1, "url": "http://127.0.0.1:1", "token": "old"}')
    assert running(tmp_path) is None
    instance = Instance(tmp_path)
    instance.take()
    assert not (tmp_path / "instance.json").exists()
    instance.release()


async def test_when_a_part_fails_to_start_the_ones_before_it_are_stopped(settings: Settings) -> None:
    app, done = build(settings, roles=["trader"]), []

    def part(name: str, error: Exception | None = None) -> Part:
        async def start() -> None:
            done.append(f"start {name}")
            if error:
                raise error

        async def stop() -> None:
            done.append(f"stop {name}")

        return Part(name, start, stop)

    app._parts = [part("a"), part("b"), part("c", Unavailable("c is down")), part("d")]
    with pytest.raises(Unavailable, match="c is down"):
        await app.start()
    assert done == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert running(settings.data_dir) is None


async def test_a_part_that_hangs_does_not_keep_the_product_from_stopping(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.app.STOP_SECONDS", 0.2)
    app, ended = build(settings, roles=["trader"]), []

    async def nothing() -> None:
        pass

    async def hang() -> None:
        await asyncio.Event().wait()

    async def end() -> None:
        ended.append(True)

    app._parts = [Part("ends", nothing, end), Part("hangs", nothing, hang)]
    app.roles = ()
    await app.start()
    await asyncio.wait_for(app.stop(), 5)
    assert ended == [True]


def test_roles_follow_the_tokens(tmp_path: Path) -> None:
    plain = Settings(data_dir=tmp_path)
    assert roles_of(plain) == ("trader", "gateway", "scheduler", "worker")
    with_bot = plain.model_copy(update={"telegram": Telegram.model_validate({"token": "1:x"})})
    assert roles_of(with_bot) == ("trader", "telegram", "gateway", "scheduler", "worker")
    with pytest.raises(ConfigError, match="role telegram needs a token"):
        roles_of(plain, ["trader", "telegram"])
    with pytest.raises(ConfigError, match="'boss' is not a role"):
        roles_of(plain, ["boss"])


def test_splitting_roles_over_processes_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs PostgreSQL and Redis"):
        roles_of(Settings(data_dir=tmp_path), ["gateway"])


async def test_what_the_owner_set_survives_a_restart(settings: Settings) -> None:
    app = build(settings, roles=["trader"])
    await app.start()
    caller = await app.conversation.caller("console", "me", "me")
    await app.conversation.answer("alert btc above 1000000", caller)
    await app.stop()
    again = build(settings, roles=["trader"])
    await again.start()
    try:
        [alert] = await again.services.alerts.list("owner")
        assert (alert.instrument.symbol, alert.condition) == ("BTC/USDT", "above")
        assert again.services.alerts.watched() == [alert.instrument]
    finally:
        await again.stop()
