"""Compiled kernels are kept between processes, in a folder that any change of a kernel renames."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.indicators import compiled

CODE = """
from core.indicators.crossing import sma_cross, _sums_above
import numpy as np
sma_cross(np.arange(1.0, 9.0), 2, 3)
print(sum(_sums_above.stats.cache_hits.values()), sum(_sums_above.stats.cache_misses.values()))
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


def test_kernels_of_other_versions_go_a_month_after_their_last_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    old, recent = tmp_path / f"kernels-{'0' * 16}", tmp_path / f"kernels-{'1' * 16}"
    link, foreign = tmp_path / f"kernels-{'2' * 16}", tmp_path / "kernels-mine"
    target = tmp_path / "elsewhere"
    month = time.time() - 31 * 86_400
    for folder in (old, recent, foreign, target):
        (folder / "inside").mkdir(parents=True)
        if folder != recent:
            os.utime(folder, (month, month))
    link.symlink_to(target)
    own = tmp_path / f"kernels-{compiled.fingerprint()}"
    own.mkdir()
    os.utime(own, (month, month))
    assert compiled.cache_folder.__wrapped__() == own
    assert own.stat().st_mtime > month + 86_400
    assert not old.exists()
    assert recent.exists()
    assert foreign.exists()
    assert (target / "inside").exists()
