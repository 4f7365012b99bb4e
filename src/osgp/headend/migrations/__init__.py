"""Alembic environment of the store; `osgp.headend.database` runs it when a store is opened."""
