"""Alembic's entry: the connection comes from the caller, which also opened the transaction."""

from alembic import context

from moorage.adapters.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
