"""Runs inside an engine's environment: prepares a case, then does its work once for every line that is read.

Usage: python serve.py MODULE.py DATA.npz CASE. Answers one JSON line each: milliseconds, results, peak memory.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `import cases` in every environment


def peak_kib() -> int:
    """The most memory this program has held; getrusage would count what the process that started it held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("The kernel does not tell VmHWM.")


def main() -> None:
    module, data, case = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("engine", module)
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    with np.load(data) as stored:
        work = engine.CASES[case]({name: stored[name] for name in stored.files})
    out, sys.stdout = sys.stdout, sys.stderr  # whatever an engine prints is no answer
    before = peak_kib()
    print(json.dumps({"ready": True}), file=out, flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        found = work()
        spent = (time.perf_counter() - began) * 1e3
        peak = peak_kib()
        answer = {
            "ms": spent,
            "found": np.atleast_1d(np.asarray(found, float)).tolist(),
            "peak_mib": peak / 1024,
            "grown_mib": (peak - before) / 1024,
        }
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
