"""`python -m core.store.migrations MESSAGE` writes the revision that brings the last one to the present metadata.

`--initial` writes 0001_initial anew instead (only while nothing is released).
"""

import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations

from core.store.migrate import FOLDER, revisions, upgrade
from core.store.schema import Exact, Moment, metadata

HEAD = '''"""{message}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}


def upgrade() -> None:
'''


def frozen(kind: str, item: Any, _context: Any) -> Any:
    """A revision names plain column types, so that it stays as it was when ours change."""
    if kind == "type" and isinstance(item, Exact):
        return "sa.Text()"
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Moment) else False


def body(initial: bool) -> str:
    with sa.create_engine("sqlite://").begin() as connection:
        if not initial:
            upgrade(connection)
        options = {"render_item": frozen, "render_as_batch": False, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        with Operations.context(context):
            operations = produce_migrations(context, metadata).upgrade_ops
        assert operations is not None
        return render_python_code(operations, render_item=frozen)


def main() -> None:
    initial = "--initial" in sys.argv
    message = "initial" if initial else " ".join(sys.argv[1:]).strip()
    if not message:
        sys.exit("Give a message: python -m core.store.migrations 'what changes'")
    known = [] if initial else revisions()
    revision, down = f"{len(known) + 1:04d}", known[0] if known else None
    path = Path(FOLDER) / "versions" / f"{revision}_{'_'.join(message.lower().split())}.py"
    text = HEAD.format(message=message.capitalize(), revision=revision, down=down)
    code = "\n".join(line for line in body(initial).splitlines() if not line.strip().startswith("# ###"))
    path.write_text(text + "    " + code.strip() + "\n")
    sys.stderr.write(f"{path}: look it over, then run ruff format on it.\n")


if __name__ == "__main__":
    main()
