"""The schema's history: Alembic revisions, applied by `core.db.migrate`."""
