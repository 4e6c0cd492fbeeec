"""What Alembic runs: every table known, on the connection and in the transaction that `core.db.migrate` opened."""

from __future__ import annotations

from alembic import context

# Importing a noun's file declares its tables.
from banking import beneficiaries, customers, ledger  # noqa: F401
from calls import log, transcript, usage  # noqa: F401
from core.db import Base
from identity import otp, users  # noqa: F401

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
