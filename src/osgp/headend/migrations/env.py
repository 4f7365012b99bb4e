"""Runs the store's migrations on the connection that `osgp.headend.database` hands over.

Not to be imported: Alembic executes it. The caller owns the transaction, so a migration that is
cut short leaves the store as it was, on SQLite too.
"""

from __future__ import annotations

from alembic import context

from osgp.headend import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    version_table=schema.VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
