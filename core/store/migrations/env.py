"""What Alembic runs: always on the connection that the caller has opened and locked."""

from alembic import context

from core.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True)
# The caller's transaction holds: no begin_transaction() here.
context.run_migrations()
