"""The engines' environments: one virtual environment each below benchmarks/.environments, made when first asked for."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / ".environments"
NEEDS = {
    "vectorbt": ("vectorbt==1.2.0", "numpy==2.4.6", "pandas==3.1.0"),
    "raptorbt": ("raptorbt==0.13.4", "numpy==2.4.6"),
    "phasor": ("phasor-trader==0.1.0", "numpy==2.4.6", "ta-lib==0.8.2"),
    "backtesting": ("backtesting==0.6.6", "numpy==2.4.6"),
}


def python_of(engine: str) -> Path | None:
    """The interpreter that runs this engine, or None where it cannot be installed (the reason is on stderr)."""
    if engine == "ours":
        return Path(sys.executable)
    folder = FOLDER / engine
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    needs = "\n".join(NEEDS[engine])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == needs:
        return python
    print(f"Installing {', '.join(NEEDS[engine])} into {folder}", file=sys.stderr, flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *NEEDS[engine]]
        subprocess.run(install, check=True)
    except subprocess.CalledProcessError as failed:
        print(f"{engine} cannot be installed here: {failed}", file=sys.stderr, flush=True)
        return None
    stamp.write_text(needs, encoding="utf-8")
    return python


def program_of(engine: str) -> Path:
    """The module with the engine's cases."""
    return HERE / ("ours.py" if engine == "ours" else f"of_{engine}.py")
