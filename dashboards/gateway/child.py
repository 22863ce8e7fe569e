"""The Voilà process: serves the dashboards' notebooks, and ends when the process that started it is gone."""

import os
import signal
import sys
import threading
import time

GRACE = 5.0  # seconds an orderly stop may take before the process ends itself


def main(arguments: list[str]) -> None:
    """Runs Voilà with these arguments until it is told to stop or the parent disappears."""
    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    from voila.app import Voila

    # The token came by the environment: the arguments of a process are readable by everyone on the machine. It is
    # taken out again so that no kernel inherits it.
    Voila.launch_instance([*arguments, f"--Voila.token={os.environ.pop('JUPYTER_TOKEN', '')}"])


def leave_with(parent: int) -> None:
    """Waits for the parent's end, then ends this process: in order, and by force if that takes too long."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
