"""Alembic's environment: migrations run on the connection that `chain.store.database` opened."""

from alembic import context

from chain.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
