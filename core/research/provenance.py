"""What code produced a result: package version, git commit of a checkout, and the fingerprint of the kernels."""

import functools
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def code() -> dict[str, Any]:
    """{"version", "commit", "kernels"}; commit is None outside a checkout."""
    from importlib import metadata

    from core.indicators.compiled import cache_folder

    try:
        version = metadata.version("crypto-orchestrator")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return {"version": version, "commit": commit(ROOT), "kernels": cache_folder().name.removeprefix("kernels-")}


def commit(root: Path) -> str | None:
    """The commit that is checked out there, read from the files of git; None where there is none."""
    try:
        folder = root / ".git"
        if folder.is_file():  # a work tree of its own: the file says where its git folder is
            folder = (root / folder.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head or None
        name = head.removeprefix("ref:").strip()
        shared = folder / "commondir"
        base = (folder / shared.read_text().strip()).resolve() if shared.is_file() else folder
        if (base / name).is_file():
            return (base / name).read_text().strip() or None
        lines = (base / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
    except OSError:
        return None
