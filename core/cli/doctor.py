"""`orchestrator doctor`: each piece of this installation, whether it works, and what to do when it does not."""

import asyncio
import os
from typing import Annotated

import typer

from core.cli import emit
from core.cli.checks import Check, all_checks

SIGNS = {"ok": "ok     ", "warn": "warning", "broken": "BROKEN "}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Check this installation; name each missing or broken piece with its cure."""
    os.umask(0o077)  # it may be the first to make the database
    checks = asyncio.run(all_checks())
    broken = sum(check.state == "broken" for check in checks)
    if as_json:
        emit({"ok": broken == 0, "checks": [_document(check) for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            typer.echo(f"{SIGNS[check.state]}  {check.name:<{width}}  {check.detail}")
            if check.cure:
                typer.echo(f"{'':9}{'':{width}}  -> {check.cure}")
        typer.echo("Everything needed works." if not broken else f"{broken} broken: follow the arrows above.")
    if broken:
        raise typer.Exit(1)


def _document(check: Check) -> dict[str, str | None]:
    return {"name": check.name, "state": check.state, "detail": check.detail, "cure": check.cure}
