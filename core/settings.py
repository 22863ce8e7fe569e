"""Settings: every knob of the product, from the environment (`ORCHESTRATOR_…`) or `orchestrator.toml`."""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from core.errors import ConfigError
from core.folders import PREFIX, config_file, default_data_dir

ROLES = ("trader", "telegram", "discord", "gateway", "scheduler", "worker")
# Read by tests and deployments, not by the product itself.
FOREIGN = (
    "ORCHESTRATOR_TEST_DATA", "ORCHESTRATOR_REQUIRE_BROWSER", "ORCHESTRATOR_CHROMIUM", "ORCHESTRATOR_SCREENSHOTS",
)  # fmt: skip
TELEGRAM_TOKEN = f"{PREFIX}TELEGRAM__TOKEN"


def _web_address(value: str) -> str:
    TypeAdapter(HttpUrl).validate_python(value)
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
Secret = SecretStr
Ids = tuple[int, ...]  # user ids


@dataclass(frozen=True, slots=True)
class NoEffect:
    """Marks a setting that nothing reads, which `warnings()` tells. without: only while that one is not set."""

    why: str
    without: str | None = None


NO_MAIL = NoEffect("no mail is sent")
NO_DISCORD = NoEffect("there is no Discord bot")
NO_WEBHOOK = NoEffect("Telegram's messages are fetched by polling")
NO_TOKEN = NoEffect(f"{TELEGRAM_TOKEN} is not set, so Telegram is off", without=TELEGRAM_TOKEN)
NO_VAULT = NoEffect("nothing is encrypted with it")


class Section(BaseModel):
    """A group of settings. An unknown name in it is told by `warnings()`."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Gateway(Section):
    host: str = Field("127.0.0.1", description="address the web app listens on")
    port: int = Field(8080, ge=0, le=65535, description="port of the web app; 0 takes a free one")
    public_url: WebAddress | None = Field(None, description="address people reach it at, when behind a proxy")


class Smtp(Section):
    host: Annotated[str | None, NO_MAIL] = Field(None, description="mail server; no mail is sent in this version")
    port: Annotated[int, NO_MAIL] = Field(587, ge=1, le=65535, description="port of the mail server")
    username: Annotated[str | None, NO_MAIL] = Field(None, description="name to log in with")
    password: Annotated[Secret | None, NO_MAIL] = Field(None, description="password to log in with")
    from_: Annotated[str | None, NO_MAIL] = Field(None, alias="from", description="sender of the mails")


class Telegram(Section):
    token: Secret | None = Field(None, description="the bot's token from @BotFather; without it Telegram is off")
    api_url: Annotated[WebAddress, NO_TOKEN] = Field("https://api.telegram.org", description="Bot API server")
    mode: Annotated[Literal["polling", "webhook"], NO_TOKEN] = Field(
        "polling", description="how messages arrive: polling or webhook"
    )
    webhook_url: Annotated[WebAddress | None, NO_WEBHOOK] = Field(
        None, description="public address Telegram calls, in webhook mode"
    )
    webhook_listen: Annotated[str, NO_WEBHOOK] = Field(
        "127.0.0.1:8443", description="HOST:PORT that the webhook listens on"
    )
    webhook_secret: Annotated[Secret | None, NO_WEBHOOK] = Field(
        None, description="secret that Telegram's calls must carry"
    )
    admins: Ids = Field((), description="JSON list of user ids allowed as the owner from the start")


class Discord(Section):
    token: Annotated[Secret | None, NO_DISCORD] = Field(
        None, description="the bot's token; there is no Discord bot in this version"
    )
    api_url: Annotated[WebAddress, NO_DISCORD] = Field("https://discord.com/api/v10", description="HTTP API")
    gateway_url: Annotated[str | None, NO_DISCORD] = Field(
        None, description="websocket address, when not Discord's own"
    )
    admins: Annotated[Ids, NO_DISCORD] = Field(
        (), description="JSON list of user ids allowed as the owner from the start"
    )


class ExchangeKeys(Section):
    api_key: Secret | None = Field(None, description="API key; opens the owner's live account, which waits to be armed")
    secret: Secret | None = Field(None, description="API secret")
    passphrase: Secret | None = Field(None, description="passphrase, where the venue has one")
    sandbox: bool = Field(False, description="use the venue's own test environment")
    endpoint_base: WebAddress | None = Field(None, description="put this address before every address of the venue")


class Cluster(Section):
    scheduler: str | None = Field(None, description="Dask scheduler that searches run on, tcp://HOST:PORT")


class Market(Section):
    source: str = Field("auto", description="auto (binance when reachable, else sandbox), sandbox, or a venue's name")
    seed: int = Field(1, ge=0, description="seed of the sandbox market")


class Venues(Section):
    data: Literal["failover", "same"] = Field(
        "failover",
        description="while a venue is out: answer questions at the next healthy one (failover), or not (same)",
    )
    orders: Literal["refuse", "offer"] = Field(
        "refuse", description="while a venue is out: refuse new orders, or offer the preview at a healthy one (offer)"
    )
    look: float = Field(30.0, ge=5, le=3600, description="seconds between two looks at the health of every venue")


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level written")
    format: Literal["auto", "json", "console"] = Field("auto", description="console on a terminal, else json")


class Settings(BaseSettings):
    """All settings, checked. Build one with `load()`; tests pass values directly: `Settings(data_dir=…)`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Field(default_factory=lambda: default_data_dir(), description="folder of everything that is kept")
    database_url: SecretStr | None = Field(None, description="postgresql+asyncpg://… ; default: SQLite in DATA_DIR")
    redis_url: SecretStr | None = Field(None, description="redis://… for cache and limits; default: in memory")
    secret_key: Annotated[SecretStr | None, NO_VAULT] = Field(None, description="not used in this version")
    vault_key: Annotated[SecretStr | None, NO_VAULT] = Field(None, description="not used in this version")
    gateway: Gateway = Gateway()
    smtp: Smtp = Smtp()
    telegram: Telegram = Telegram()
    discord: Discord = Discord()
    exchanges: dict[str, ExchangeKeys] = Field(default_factory=dict, description="one group per venue")
    cluster: Cluster = Cluster()
    market: Market = Market()
    venues: Venues = Venues()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())

    @property
    def database(self) -> str:
        """The address of the database, with its password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / 'orchestrator.db'}"

    @property
    def is_spread(self) -> bool:
        """Whether several processes can share the work: PostgreSQL and Redis are both set."""
        return self.database.startswith("postgresql") and self.redis_url is not None

    def secrets(self) -> list[str]:
        """Every secret value that is set, for the redaction of logs."""
        return sorted(set(_secrets(self)), key=len, reverse=True)


def load(**given: Any) -> Settings:
    """The settings of this process. Raises ConfigError with one sentence about the first wrong value."""
    file = config_file()
    try:
        settings = Settings(**given)
    except ValidationError as wrong:
        raise _explained(wrong, file) from None
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"{file} is not valid TOML: {wrong}.") from None
    except Exception as wrong:
        if type(wrong).__name__ != "SettingsError":
            raise
        name = str(wrong).partition('"')[2].partition('"')[0].upper()
        raise ConfigError(
            f"{PREFIX}{name} cannot be read: its value is not valid JSON.", hint='Lists are written like ["1", "2"].'
        ) from None
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})


def names() -> Iterator[tuple[str, str]]:
    """(variable, what it means) of every setting; NAME stands for a venue."""
    for name, field in _fields():
        yield name, field.description or ""


def warnings(environ: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each ORCHESTRATOR_ variable, and each name in orchestrator.toml, that changes nothing."""
    known = dict(_fields())
    groups = {name.rpartition("__")[0] for name in known if "__" in name}
    file = config_file()
    given = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name.upper().startswith(PREFIX)
    }
    written = _flat(tomllib.loads(file.read_text())) if file else []
    there = {name.upper() for name in [*filter(given.get, given), *written]}  # an empty variable counts as not set
    found = []
    for name in dict.fromkeys([*sorted(given), *written]):
        shape = name.upper()
        if shape.startswith(f"{PREFIX}EXCHANGES__"):
            shape = f"{PREFIX}EXCHANGES__NAME__{shape.split('__', 2)[-1]}"
        if shape in known:
            if name.upper() in there and (idle := _idle(known[shape], there)):
                found.append(f"{name} is set and has no effect in this version: {idle.why}.")
        elif shape not in groups and shape != f"{PREFIX}EXCHANGES" and name not in FOREIGN:
            near = difflib.get_close_matches(shape, known, 1, 0.6)
            found.append(f"{name} is not a setting and is ignored." + (f" Did you mean {near[0]}?" if near else ""))
    return found


def _fields(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[tuple[str, FieldInfo]]:
    for field_name, field in model.model_fields.items():
        name = prefix + (field.alias or field_name).upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{name}__")
        elif field_name == "exchanges":
            yield from _fields(ExchangeKeys, f"{name}__NAME__")
        else:
            yield name, field


def _idle(field: FieldInfo, there: set[str]) -> NoEffect | None:
    """Why the setting changes nothing, given which others are there."""
    marks = (mark for mark in field.metadata if isinstance(mark, NoEffect))
    return next((mark for mark in marks if mark.without is None or mark.without not in there), None)


def _flat(table: Mapping[str, Any], prefix: str = PREFIX) -> list[str]:
    """The names in a TOML table, as the variables they stand for."""
    names: list[str] = []
    for key, value in table.items():
        name = prefix + key.upper()
        names += _flat(value, f"{name}__") if isinstance(value, dict) else [name]
    return names


def _secrets(model: BaseModel) -> Iterator[str]:
    for value in dict(model).values():
        if isinstance(value, SecretStr):
            yield from filter(None, [value.get_secret_value()])
        elif isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, dict):
            for item in value.values():
                yield from _secrets(item)


def _explained(wrong: ValidationError, file: Path | None) -> ConfigError:
    """One sentence: the variable, its value unless it is a secret, and what is accepted."""
    error = wrong.errors(include_url=False)[0]
    place = [str(part) for part in error["loc"] if not isinstance(part, int)]
    name = PREFIX + "__".join(place).upper()
    value = error.get("input")
    hidden = _is_secret(name) or isinstance(value, dict | BaseModel)
    shown = "" if hidden else f" is {value!r}, which"
    source = f" (in {file} or the environment)" if file else ""
    meaning = next((text for known, text in names() if known == name), "")
    reason = error["msg"].removeprefix("Value error, ").rstrip(".").replace("tuple", "list")
    return ConfigError(
        f"{name}{shown} is not accepted{source}: {reason[0].lower() + reason[1:]}.",
        hint=f"It sets: {meaning}." if meaning else None,
        setting=name,
    )


def _is_secret(name: str) -> bool:
    return any(word in name for word in ("TOKEN", "SECRET", "PASSWORD", "KEY", "PASSPHRASE", "_URL")) and not any(
        name.endswith(end) for end in ("PUBLIC_URL", "API_URL", "GATEWAY_URL", "WEBHOOK_URL")
    )
