"""Runs inside an engine's environment: prepares a case, then does its work once for every line that is read.

Usage: python serve.py MODULE.py DATA.npz CASE. Answers one JSON line each: milliseconds, results, peak memory.
"""

import importlib.util
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `import cases` in every environment


def main() -> None:
    module, data, case = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("engine", module)
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    with np.load(data) as stored:
        work = engine.CASES[case]({name: stored[name] for name in stored.files})
    out, sys.stdout = sys.stdout, sys.stderr  # whatever an engine prints is no answer
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"ready": True}), file=out, flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        found = work()
        spent = (time.perf_counter() - began) * 1e3
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = {
            "ms": spent,
            "found": np.atleast_1d(np.asarray(found, float)).tolist(),
            "peak_mib": peak / 1024,
            "grown_mib": (peak - before) / 1024,
        }
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
