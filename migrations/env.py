"""What Alembic runs: every table known, on the connection and in the transaction that `core.db.migrate` opened."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

# Importing a noun's file declares its tables.
from agent import profiles  # noqa: F401
from banking import (  # noqa: F401
    beneficiaries,
    bills,
    customers,
    holds,
    ledger,
    limits,
    loans,
    notices,
    reminders,
    requests,
    transfers,
)
from calls import answers, costs, events, log, refusals, traffic, transcript, usage  # noqa: F401
from core import idempotency, webhooks  # noqa: F401
from core.db import Base
from identity import audit, mfa, otp, sessions, users  # noqa: F401


def _plain(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write a column's type as the databases know it, so that revisions depend on no code of ours."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=_plain,
    transactional_ddl=True,
)
context.run_migrations()
