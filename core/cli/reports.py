"""Reports that a verb writes beside what it prints: the place is looked at before the work, and written after it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import note
from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.research.archive import Saved
    from core.research.runfile import Frames


def demand_place(report: Path | None) -> None:
    """Raises InvalidInput where no report could be written, so that nobody waits for one in vain."""
    if report is None:
        return
    if report.is_dir():
        raise InvalidInput(f"The report cannot be written to {report}: it is a folder.", hint="Name a file in it.")
    if not report.absolute().parent.is_dir():
        raise InvalidInput(f"The report cannot be written to {report}: there is no folder {report.absolute().parent}.")
    if not os.access(report if report.exists() else report.absolute().parent, os.W_OK):
        raise InvalidInput(f"The report cannot be written to {report}: permission denied.")


def write_found(
    report: Path | None, kind: str, document: Mapping[str, Any], frames: "Frames", saved: "Saved | None"
) -> None:
    """The page of a search, the same as `results export` writes; nothing without a place for it."""
    if report is None:
        return
    from core.research.archive import SavedRun, unkept
    from core.research.page import write
    from core.research.saved_report import render_saved

    run = unkept(kind, document, frames) if saved is None else SavedRun(saved)
    write(render_saved(run), report)
    note(f"The report is in {report}.")
