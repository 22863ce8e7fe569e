"""Where the charting library lies: inside an installed package, so that this project carries no copy of it."""

import importlib.util
from pathlib import Path

from core.errors import ConfigError


def lightweight_charts() -> Path:
    """The library's file. Raises ConfigError when its package is missing."""
    found = importlib.util.find_spec("lwcharts")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        file = Path(folder) / "vendor" / "lightweight-charts.standalone.production.js"
        if file.is_file():
            return file
    raise ConfigError("The charting library is missing.", hint="`make install` brings its package, lwcharts.")
