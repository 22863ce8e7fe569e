"""Compiled kernels are kept between processes, in a folder that any change of a kernel renames."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.indicators import compiled

CODE = """
from core.indicators.crossing import sma_cross, _averages_cross
import numpy as np
sma_cross(np.arange(1.0, 9.0), 2, 3)
print(sum(_averages_cross.stats.cache_hits.values()), sum(_averages_cross.stats.cache_misses.values()))
"""


def test_a_second_process_finds_the_kernels_compiled(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = [
        subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert [each.split() for each in found] == [["0", "1"], ["1", "0"]]
    [folder] = tmp_path.iterdir()
    assert folder.name == f"kernels-{compiled.fingerprint()}"


def test_a_change_of_any_kernel_renames_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in compiled.PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "kernel.py").write_text("one")
    monkeypatch.setattr(compiled, "CORE", tmp_path)
    before = compiled.fingerprint()
    (tmp_path / "simulation" / "kernel.py").write_text("two")
    assert compiled.fingerprint() != before


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    assert compiled.cache_folder.__wrapped__().parent == tmp_path / "data" / "cache"
