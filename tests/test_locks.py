"""The two locks: what each promises to whoever installs it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"


def pins(name: str) -> dict[str, str]:
    lines = (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_the_full_lock_holds_the_light_one() -> None:
    assert pins("base.txt").items() <= pins("full.txt").items()


def test_the_light_lock_brings_no_deep_learning() -> None:
    assert not {"torch", "transformers", "vosk", "faster-whisper", "scikit-learn"} & pins("base.txt").keys()


@pytest.mark.parametrize("name", ["base.txt", "full.txt"])
def test_a_lock_pins_versions_that_every_index_has(name: str) -> None:
    assert [f"{package}=={found}" for package, found in pins(name).items() if "+" in found or "/" in found] == []


def test_what_is_installed_is_what_the_full_lock_says() -> None:
    different = {}
    for package, pinned in pins("full.txt").items():
        try:
            found = version(package).split("+")[0]
        except PackageNotFoundError:
            found = "missing"
        if found != pinned:
            different[package] = f"{found}, locked {pinned}"
    assert different == {}
