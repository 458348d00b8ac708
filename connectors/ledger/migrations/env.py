"""Runs the ledger's migrations on the connection that `Database.migrate` hands in."""

from alembic import context

from connectors.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
