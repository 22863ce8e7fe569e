"""Where things live on this machine, found without reading the settings, so that a short verb starts quickly."""

import os
from pathlib import Path

PREFIX = "ORCHESTRATOR_"
FILE = "orchestrator.toml"


def default_data_dir() -> Path:
    """$XDG_DATA_HOME/crypto-orchestrator, by default ~/.local/share/crypto-orchestrator."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "crypto-orchestrator"


def config_file() -> Path | None:
    """orchestrator.toml of the working directory, else of the data folder."""
    folders = (Path.cwd(), _environment())
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def data_dir() -> Path:
    """`settings.load().data_dir`; the settings are read only when there is a file that may name another folder."""
    if config_file() is None:
        return _environment().absolute()
    from core import settings

    return settings.load().data_dir


def _environment() -> Path:
    return Path(os.environ.get(f"{PREFIX}DATA_DIR") or default_data_dir()).expanduser()
