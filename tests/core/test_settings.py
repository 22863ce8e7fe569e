"""Settings: the environment wins, a wrong value is named in one sentence, secrets are never shown."""

from pathlib import Path

import pytest

from core import settings
from core.errors import ConfigError
from core.settings import Settings


@pytest.fixture(autouse=True)
def clean_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


def test_nothing_need_be_set(clean_folder: Path) -> None:
    given = settings.load()
    assert given.data_dir == clean_folder / "share" / "crypto-orchestrator"
    assert given.database == f"sqlite+aiosqlite:///{given.data_dir}/orchestrator.db"
    assert (given.gateway.host, given.gateway.port) == ("127.0.0.1", 8080)
    assert given.telegram.token is None
    assert not given.is_spread


def test_the_environment_wins_over_the_file(clean_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean_folder / "orchestrator.toml").write_text(
        '[gateway]\nport = 9000\nhost = "127.0.0.2"\n[exchanges.kraken]\napi_key = "k"\n[smtp]\nfrom = "a@b.c"\n'
    )
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY__PORT", "9001")
    monkeypatch.setenv("ORCHESTRATOR_EXCHANGES__BINANCE__SANDBOX", "true")
    given = settings.load()
    assert (given.gateway.host, given.gateway.port) == ("127.0.0.2", 9001)
    assert sorted(given.exchanges) == ["binance", "kraken"]
    assert given.exchanges["binance"].sandbox
    assert given.smtp.from_ == "a@b.c"


def test_the_file_of_the_data_folder_is_read_when_the_working_folder_has_none(
    clean_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clean_folder / "data").mkdir()
    (clean_folder / "data" / "orchestrator.toml").write_text("[market]\nseed = 7\n")
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(clean_folder / "data"))
    assert settings.load().market.seed == 7


def test_admins_are_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TELEGRAM__ADMINS", '[12, "34"]')
    assert settings.load().telegram.admins == (12, 34)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GATEWAY__PORT", "eighty", "ORCHESTRATOR_GATEWAY__PORT is 'eighty', which is not accepted: .*integer"),
        ("GATEWAY__PORT", "70000", "ORCHESTRATOR_GATEWAY__PORT is '70000', which is not accepted: .*65535"),
        ("TELEGRAM__MODE", "pull", "ORCHESTRATOR_TELEGRAM__MODE is 'pull', .*'polling' or 'webhook'"),
        ("TELEGRAM__ADMINS", "12", "ORCHESTRATOR_TELEGRAM__ADMINS is 12, .*valid list"),
        ("GATEWAY__PUBLIC_URL", "here", "ORCHESTRATOR_GATEWAY__PUBLIC_URL is 'here', .*valid URL"),
        ("GATEWAY", "7", "ORCHESTRATOR_GATEWAY is 7"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    with pytest.raises(ConfigError, match=sentence) as told:
        settings.load()
    assert "\n" not in told.value.sentence()


def test_a_wrong_secret_is_not_shown(clean_folder: Path) -> None:
    (clean_folder / "orchestrator.toml").write_text("[telegram]\ntoken = 123456789\n")
    with pytest.raises(ConfigError, match="ORCHESTRATOR_TELEGRAM__TOKEN") as told:
        settings.load()
    assert "123456789" not in told.value.sentence()


def test_a_file_that_is_no_toml_is_told(clean_folder: Path) -> None:
    (clean_folder / "orchestrator.toml").write_text("[gateway\n")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        settings.load()


def test_unknown_names_are_warned_about_with_a_suggestion(clean_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TELEGRAM__TOKN", "x")
    for foreign in ("TEST_DATA", "SCREENSHOTS"):  # of the tests
        monkeypatch.setenv(f"ORCHESTRATOR_{foreign}", "/tmp")
    (clean_folder / "orchestrator.toml").write_text("[gatewy]\nport = 1\n")
    assert settings.warnings() == [
        "ORCHESTRATOR_TELEGRAM__TOKN is not a setting and is ignored. Did you mean ORCHESTRATOR_TELEGRAM__TOKEN?",
        "ORCHESTRATOR_GATEWY__PORT is not a setting and is ignored. Did you mean ORCHESTRATOR_GATEWAY__PORT?",
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("SMTP__PASSWORD", "no mail is sent"),
        ("VAULT_KEY", "nothing is encrypted with it"),
        ("SECRET_KEY", "nothing is encrypted with it"),
        ("DISCORD__TOKEN", "there is no Discord bot"),
        ("TELEGRAM__WEBHOOK_SECRET", "fetched by polling"),
        ("TELEGRAM__MODE", "ORCHESTRATOR_TELEGRAM__TOKEN is not set"),
    ],
)
def test_a_setting_without_effect_is_told_without_its_value(name: str, why: str) -> None:
    [told] = settings.warnings({f"ORCHESTRATOR_{name}": "hunter2"})
    assert told.startswith(f"ORCHESTRATOR_{name} is set and has no effect in this version: ")
    assert why in told
    assert "hunter2" not in told


def test_a_setting_without_effect_in_the_file_is_told(clean_folder: Path) -> None:
    (clean_folder / "orchestrator.toml").write_text('[exchanges.kraken]\napi_key = "k"\n[smtp]\nhost = "h"\n')
    [told] = settings.warnings({})
    assert told.startswith("ORCHESTRATOR_SMTP__HOST is set and has no effect")


def test_what_is_empty_or_works_is_not_warned_about() -> None:
    working = {"TELEGRAM__TOKEN": "1:x", "TELEGRAM__API_URL": "http://h", "REDIS_URL": "redis://h", "SMTP__HOST": ""}
    assert settings.warnings({f"ORCHESTRATOR_{name}": value for name, value in working.items()}) == []


def test_secrets_are_known_for_redaction_and_hidden_in_the_repr(tmp_path: Path) -> None:
    given = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "telegram": {"token": "tok-1"},
            "exchanges": {"binance": {"secret": "sec-2"}},
            "database_url": "postgresql+asyncpg://a:pw@h/d",
            "redis_url": "redis://h",
        }
    )
    assert {"tok-1", "sec-2"} <= set(given.secrets())
    assert not [secret for secret in given.secrets() if secret in repr(given)]
    assert given.is_spread


def test_every_setting_is_in_the_guide() -> None:
    guide = (Path(settings.__file__).parent.parent / "docs" / "operations.md").read_text()
    assert [name for name, _ in settings.names() if f"`{name}`" not in guide] == []
