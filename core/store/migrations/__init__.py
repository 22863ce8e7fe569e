"""Alembic's revisions of the schema, oldest first."""
