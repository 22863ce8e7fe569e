"""Write base.txt and full.txt beside this file: every package that the .in files pull in, pinned.

Usage: python3.11 requirements/lock.py [--constraint PINS] [--upgrade]

pip resolves both lists, so what it is configured with (mirrors, local wheels) decides where packages come from, and
no address is written down. Versions already locked are kept unless --upgrade is given; PINS is a file of name==version
lines that bind in either case. torch carries no local suffix (`+cpu`): the same line serves every build of it.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = """\
# Every package of the {name} lock, pinned. Written by requirements/lock.py from {name}.in: edit that and run it again.
# Install with: pip install --no-deps --no-compile -r requirements/{name}.txt
"""


def resolve(source: Path, constraints: Sequence[Path]) -> dict[str, str]:
    """Return name -> version for everything that `source` needs, as pip resolves it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        bounds = [argument for constraint in constraints for argument in ("--constraint", str(constraint))]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--report", str(report), *bounds, "--requirement", str(source)], check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {canonical(item["metadata"]["name"]): item["metadata"]["version"].split("+")[0] for item in found}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def write(name: str, pins: dict[str, str]) -> None:
    lines = [f"{package}=={version}\n" for package, version in sorted(pins.items())]
    (HERE / f"{name}.txt").write_text(HEADER.format(name=name) + "".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the locks from the .in files.")
    parser.add_argument("--constraint", type=Path, action="append", default=[], help="a file of name==version lines")
    parser.add_argument("--upgrade", action="store_true", help="do not keep the versions that are locked now")
    options = parser.parse_args()
    kept = [] if options.upgrade else [lock for lock in (HERE / "full.txt",) if lock.exists()]
    full = resolve(HERE / "full.in", [*options.constraint, *kept])
    write("full", full)
    base = resolve(HERE / "base.in", [*options.constraint, HERE / "full.txt"])
    write("base", base)
    print(f"full.txt: {len(full)} packages, base.txt: {len(base)} packages", file=sys.stderr)


if __name__ == "__main__":
    main()
